"""npm_file: one file of one npm package, by name, version and SHA-256 of the package.

npm itself fetches it, so its registry and proxies apply, and nothing of the package
is run.  Without npm the repository still loads: `//:file` is then missing.txt, which
says what to install, and whoever uses the file fails with that text.
"""

def _npm_file_impl(ctx):
    package = "%s@%s" % (ctx.attr.package, ctx.attr.version)
    name = ctx.attr.file.split("/")[-1]
    why = ""
    npm = ctx.which("npm")
    if not npm:
        why = "%s is not here and neither is npm: apt-get install npm" % package
    else:
        got = ctx.execute([npm, "pack", "--silent", "--ignore-scripts", package], timeout = 300)
        tarball = got.stdout.strip().split("\n")[-1]
        if got.return_code or not tarball:
            why = "npm could not get it; run: npm pack %s" % package
        else:
            words = ctx.execute(["sha256sum", tarball]).stdout.split(" ")
            if words[0] != ctx.attr.sha256:
                fail("%s: sha256 is %s, expected %s" % (package, words[0], ctx.attr.sha256))
            got = ctx.execute(["tar", "-xzf", tarball, "--strip-components=%d" % ctx.attr.file.count("/"), ctx.attr.file])
            if got.return_code:
                fail("%s: no %s in it: %s" % (package, ctx.attr.file, got.stderr))
            ctx.delete(tarball)
    if why:
        ctx.file("missing.txt", why + "\n")
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD", """filegroup(
    name = "file",
    srcs = ["%s"],
    visibility = ["//visibility:public"],
)
""" % ("missing.txt" if why else name))

npm_file = repository_rule(
    implementation = _npm_file_impl,
    attrs = {
        "file": attr.string(mandatory = True, doc = "path in the package's archive"),
        "package": attr.string(mandatory = True),
        "sha256": attr.string(mandatory = True, doc = "of the package's archive"),
        "version": attr.string(mandatory = True),
    },
    configure = True,
    environ = ["HOME", "PATH"],
)
