"""system_library: a cc_library for one library that the machine's packages brought.

pkg-config answers first; a library without a .pc file is found by asking the C
compiler itself, so that no path is ever written down.  A library that is missing
makes a repository whose target fails with the package to install, and only when
something depends on it.  //:defs.bzl in it has AVAILABLE and VERSION.

The rule serves WORKSPACE (Bazel 4) and MODULE.bazel (7 and later) alike.
"""

_MISSING = """load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

genrule(
    name = "missing",
    outs = ["missing.h"],
    cmd = "echo >&2 '{why}'; exit 1",
)

cc_library(
    name = "{name}",
    hdrs = ["missing.h"],
)
"""

_FOUND = """load("@rules_cc//cc:defs.bzl", "cc_library")

# {name} {version}, from {how}
cc_library(
    name = "{name}",
    hdrs = glob(["inc/**/*.h"], allow_empty = True),
    defines = {defines},
    includes = {includes},
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

def _ask(ctx, argv):
    """The words a command prints, or None if it fails."""
    got = ctx.execute(argv)
    return [w for w in got.stdout.replace("\n", " ").split(" ") if w] if got.return_code == 0 else None

def _compiles(ctx, header, libs):
    """Whether `#include <header>` compiles and the libraries link."""
    ctx.file("probe.c", "#include <%s>\nint main(void) { return 0; }\n" % header)
    cc = ctx.os.environ.get("CC", "cc")
    got = ctx.execute([cc, "probe.c", "-o", "probe.out"] + ["-l" + x for x in libs])
    ctx.delete("probe.out")
    return got.return_code == 0

def _system_library_impl(ctx):
    # Under MODULE.bazel ctx.name is canonical ("+system_library+ck").
    name = ctx.attr.target or ctx.name.split("+")[-1].split("~")[-1]
    packages = ctx.attr.pkg_config
    pkg_config = ctx.which("pkg-config")
    how, version, cflags, linkopts = None, "", [], []
    if pkg_config and packages and _ask(ctx, [pkg_config, "--exists"] + packages) != None:
        how = "pkg-config"
        version = (_ask(ctx, [pkg_config, "--modversion", packages[0]]) or [""])[0]
        cflags = _ask(ctx, [pkg_config, "--cflags"] + packages) or []
        linkopts = _ask(ctx, [pkg_config, "--libs"] + packages) or []
    elif ctx.attr.header and _compiles(ctx, ctx.attr.header, ctx.attr.libs):
        how = "the compiler"
        linkopts = ["-l" + x for x in ctx.attr.libs]

    ctx.file("WORKSPACE", "")
    ctx.file("defs.bzl", "AVAILABLE = %s\nVERSION = %r\n" % (how != None, version))
    if not how:
        why = "%s is not installed here: apt-get install %s" % (name, ctx.attr.debian)
        ctx.file("BUILD", _MISSING.format(name = name, why = why))
        return

    includes, defines = [], []
    for flag in cflags:
        folder = flag[2:]
        if flag.startswith("-D"):
            defines.append(folder)
        elif flag.startswith("-I") and folder not in ["/usr/include", "/usr/local/include"]:
            # An include folder of its own is linked in: the sandbox and Bazel's
            # check of headers then see it.
            link = "inc/%d" % len(includes)
            ctx.symlink(folder, link)
            includes.append(link)
    ctx.file("BUILD", _FOUND.format(
        name = name,
        defines = repr(defines),
        how = how,
        includes = repr(includes),
        linkopts = repr(linkopts),
        version = version,
    ))

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "debian": attr.string(mandatory = True, doc = "the package named when it is missing"),
        "header": attr.string(doc = "a header to try where there is no .pc file"),
        "libs": attr.string_list(doc = "the -l names for that case"),
        "pkg_config": attr.string_list(doc = "pkg-config names; all must exist"),
        "target": attr.string(doc = "name of the cc_library, if not the repository's"),
    },
    configure = True,
    environ = ["CC", "PATH", "PKG_CONFIG_PATH"],
    local = True,
)
