"""maven_jar: one jar from Maven's central repository, by coordinates and SHA-256.

Maven itself fetches it, so its mirrors and proxies apply; an environment variable
may name a jar instead.  Without either the repository still loads: `//:jar` is then
the file missing.txt, which says what to install, and whoever runs the jar fails
with that text.
"""

def _maven_jar_impl(ctx):
    group, artifact, version = ctx.attr.artifact.split(":")
    why = ""
    jar = ctx.os.environ.get(ctx.attr.env, "") if ctx.attr.env else ""
    if jar:
        if not ctx.path(jar).exists:
            fail("%s=%s: no such file" % (ctx.attr.env, jar))
    else:
        store = ctx.os.environ.get("HOME", "") + "/.m2/repository"
        jar = "%s/%s/%s/%s/%s-%s.jar" % (store, group.replace(".", "/"), artifact, version, artifact, version)
        mvn = ctx.which("mvn")
        if not ctx.path(jar).exists and not mvn:
            why = "%s is not here and neither is mvn: apt-get install maven default-jre-headless" % ctx.attr.artifact
        elif not ctx.path(jar).exists:
            got = ctx.execute([
                mvn,
                "-q",
                "-B",
                "dependency:get",
                "-Dartifact=" + ctx.attr.artifact,
                "-Dtransitive=false",
                "-Dmaven.repo.local=" + store,
            ], timeout = 300)
            if got.return_code or not ctx.path(jar).exists:
                why = "mvn could not get %s; run: mvn dependency:get -Dtransitive=false -Dartifact=%s" % (ctx.attr.artifact, ctx.attr.artifact)
    if not why:
        words = ctx.execute(["sha256sum", jar]).stdout.split(" ")
        if words[0] != ctx.attr.sha256:
            fail("%s: sha256 is %s, expected %s" % (jar, words[0], ctx.attr.sha256))
        ctx.symlink(jar, "tool.jar")
    else:
        ctx.file("missing.txt", why + "\n")
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD", """filegroup(
    name = "jar",
    srcs = ["%s"],
    visibility = ["//visibility:public"],
)
""" % ("missing.txt" if why else "tool.jar"))

maven_jar = repository_rule(
    implementation = _maven_jar_impl,
    attrs = {
        "artifact": attr.string(mandatory = True, doc = "group:artifact:version"),
        "env": attr.string(doc = "environment variable that names a jar to use instead"),
        "sha256": attr.string(mandatory = True),
    },
    configure = True,
    environ = ["HOME", "PATH", "TLA2TOOLS_JAR"],
    local = True,
)
