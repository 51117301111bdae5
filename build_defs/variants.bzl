"""The two libraries made of one set of sources.

linn_module makes a cc_library `x` (lock-free) and its twin `x_locked`: the same
files, compiled with LINN_LOCKED=1 and with every external symbol linn_y renamed
to linn_locked_y, so that one program can link both and a report names the one
that ran.

The renaming follows the dependencies: beside each module stands `x.names.h`,
made from the symbols that nm sees in the lock-free archive; it includes the
names of the module's own dependencies and is put in front of the twin's sources
by -include.  A module that nobody lists anywhere cannot be forgotten.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load("@rules_shell//shell:sh_test.bzl", "sh_test")

_TWIN = "-DLINN_LOCKED=1"

# Nobody interposes our symbols, so calls may be inlined in the shared object as they
# are in the archive; only what a header declares visible leaves it.
_MODULE_COPTS = ["-fno-semantic-interposition", "-fvisibility=hidden"]

def _split(label):
    """The package and the name a label means, seen from the current package."""
    if label.startswith(":"):
        return native.package_name(), label[1:]
    if label.startswith("//"):
        package, colon, name = label[2:].partition(":")
        return package, (name if colon else package.split("/")[-1])
    return native.package_name(), label

def _is_ours(label):
    return not label.startswith("@")

def _twins(deps):
    """Maps each dependency of ours to its twin; a system library is its own."""
    out = []
    for d in deps:
        package, name = _split(d)
        out.append("//%s:%s_locked" % (package, name) if _is_ours(d) else d)
    return out

def _names_headers(deps):
    return ["%s/%s.names.h" % _split(d) for d in deps if _is_ours(d)]

def _names_libraries(deps):
    return ["//%s:%s_names" % _split(d) for d in deps if _is_ours(d)]

def _include(headers):
    # Found on the quote path, where Bazel lists its folders of generated files.
    flags = []
    for h in headers:
        flags += ["-include", h]
    return flags

def _visible(visibility):
    """The given visibility, and verify/ and build_defs/, which see all."""
    if visibility and "//visibility:public" in visibility:
        return visibility
    return [v for v in visibility or [] if v != "//visibility:private"] + [
        "//build_defs:__pkg__",
        "//verify:__subpackages__",
    ]

def linn_module(
        name,
        srcs = [],
        hdrs = [],
        deps = [],
        plain_deps = [],
        copts = [],
        visibility = None,
        locked = True,
        **kwargs):
    """Makes a module and its locked twin.

    Args:
      name: the lock-free cc_library; the twin is name + "_locked".
      srcs: sources, compiled once for each.  Their external symbols must begin
        with linn_.
      hdrs: headers.
      deps: other linn_modules (the twin gets their twins), and system libraries.
      plain_deps: libraries that both use as they are.
      copts: flags for both.
      visibility: as usual; verify/ and build_defs/ are added.
      locked: False makes no twin (then only plain_deps may name this module).
      **kwargs: passed on to both cc_library rules.
    """
    seen_by = _visible(visibility)
    testonly = kwargs.get("testonly", False)
    tags = kwargs.get("tags", [])
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _MODULE_COPTS + copts,
        linkstatic = True,
        visibility = seen_by,
        deps = deps + plain_deps,
        **kwargs
    )
    if not locked:
        return

    header = name + ".names.h"
    native.genrule(
        name = name + "_names_header",
        testonly = testonly,
        srcs = [":" + name],
        outs = [header],
        cmd = "$(location //build_defs:locked_names.sh) $(NM) '//{package}:{name}' $@ {srcs} {includes} -- $(SRCS)".format(
            includes = " ".join(_names_headers(deps)),
            name = name,
            package = native.package_name(),
            srcs = len(srcs),
        ),
        tags = tags,
        toolchains = ["@bazel_tools//tools/cpp:current_cc_toolchain"],
        tools = ["//build_defs:locked_names.sh"],
    )
    cc_library(
        name = name + "_names",
        testonly = testonly,
        hdrs = [header],
        tags = tags,
        visibility = seen_by,
        deps = _names_libraries(deps),
    )
    cc_library(
        name = name + "_locked",
        srcs = srcs,
        hdrs = hdrs,
        copts = _MODULE_COPTS + copts + [_TWIN] + _include([native.package_name() + "/" + header]),
        linkstatic = True,
        visibility = seen_by,
        deps = _twins(deps) + plain_deps + [":%s_names" % name],
        **kwargs
    )

def _both_tests(name, srcs, deps, plain_deps, copts, linkopts, size, locked, kwargs):
    cc_test(
        name = name,
        size = size,
        srcs = srcs,
        copts = copts,
        linkopts = linkopts,
        deps = deps + plain_deps,
        **kwargs
    )
    if locked:
        cc_test(
            name = name + "_locked",
            size = size,
            srcs = srcs,
            copts = copts + [_TWIN] + _include(_names_headers(deps)),
            linkopts = linkopts,
            deps = _twins(deps) + plain_deps + _names_libraries(deps),
            **kwargs
        )

def linn_test(
        name,
        srcs,
        deps = [],
        plain_deps = [],
        copts = [],
        linkopts = [],
        size = "small",
        locked = True,
        tags = [],
        **kwargs):
    """Makes a GoogleTest of the lock-free library and the same one of the twin.

    The source says linn_alloc in both; the twin's calls linn_locked_alloc.

    Args:
      name: the lock-free test; the twin's is name + "_locked".
      srcs: C++ sources (main comes from gtest_main).
      deps: linn_modules, and system libraries.
      plain_deps: libraries that both use as they are.
      copts: flags for both.
      linkopts: link flags for both, after -pthread.
      size: small unless said.
      locked: False makes no twin's test.
      tags: tags for both, besides needs_cxx_runtime.
      **kwargs: passed on to both cc_test rules.
    """
    kwargs["tags"] = tags + ["needs_cxx_runtime"]
    _both_tests(name, srcs, deps, plain_deps + ["@gtest"], copts, ["-pthread"] + linkopts, size, locked, kwargs)

def linn_c_test(
        name,
        srcs,
        deps = [],
        plain_deps = [],
        copts = [],
        linkopts = [],
        size = "small",
        locked = True,
        **kwargs):
    """As linn_test, for plain C sources with a main of their own (msan runs these)."""
    _both_tests(name, srcs, deps, plain_deps, copts, ["-pthread"] + linkopts, size, locked, kwargs)

def linn_shared_library(name, deps, version_script, linkopts = [], visibility = None, **kwargs):
    """Links modules into one shared object whose soname is its file name.

    The version script names the symbols that are exported, each in full; they pull
    in what they need, and all else stays inside.  An undefined reference is an
    error; a library that nothing uses is not recorded.  The test name + "_exports_test"
    compares what is exported with the script.

    Args:
      name: file name and soname, such as liblinn.so.0.
      deps: the linn_modules it is made of, with all they depend on.
      version_script: a linker version script.
      linkopts: further link flags.
      visibility: as usual.
      **kwargs: passed on to cc_binary.
    """

    # Nothing refers to a library's own symbols, so the linker is asked for each.
    wanted = name + ".wanted"
    native.genrule(
        name = name + "_wanted",
        srcs = [version_script],
        outs = [wanted],
        cmd = "$(location //build_defs:exported_names.sh) $< | sed 's/^/--undefined=/' > $@",
        tools = ["//build_defs:exported_names.sh"],
    )
    cc_binary(
        name = name,
        additional_linker_inputs = [
            version_script,
            wanted,
        ],
        linkopts = [
            "-Wl,@$(location %s)" % wanted,
            "-Wl,-soname," + name,
            "-Wl,--version-script,$(location %s)" % version_script,
            "-Wl,-z,defs",
            # Threads that end call back into it, so it may not be unmapped.
            "-Wl,-z,nodelete",
            "-Wl,--as-needed",
            "-pthread",
        ] + linkopts,
        linkshared = True,
        visibility = visibility,
        deps = deps,
        **kwargs
    )
    sh_test(
        name = name + "_exports_test",
        size = "small",
        srcs = ["//build_defs:exports_test.sh"],
        args = [
            "$(location :%s)" % name,
            "$(location %s)" % version_script,
            "$(location //build_defs:exported_names.sh)",
        ],
        data = [
            version_script,
            ":" + name,
            "//build_defs:exported_names.sh",
        ],
        # A sanitizer brings symbols and libraries of its own.
        tags = [
            "no-coverage",
            "no-san",
        ],
    )
