"""Programs of a copy of the library with one line changed, which must be found out."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

def library_program(name, main, flags = "", mutant = "", data = [], compiler = "$(CC)", **kwargs):
    """Builds a program of the whole library in one compiler call.

    Args:
      name: the program is name + ".bin".
      main: its own files.
      flags: for the compiler.
      mutant: a sed script that changes one line of a copy of the library.
      data: files that those of `main` include.
      compiler: a compiler to call by name, where Bazel's own may not do.
      **kwargs: passed on to the genrule.
    """
    native.genrule(
        name = name,
        testonly = True,
        srcs = main + data + ([mutant] if mutant else []) + [
            "//alloc:sources",
            "//sync:sources",
        ],
        outs = [name + ".bin"],
        cmd = "$(location //verify/histories:library.sh) {compiler} $@ '{mutant}' '{flags}' {main}".format(
            compiler = compiler,
            flags = flags,
            main = " ".join(["$(location %s)" % m for m in main]),
            mutant = "$(location %s)" % mutant if mutant else "",
        ),
        executable = True,
        tags = ["manual"],
        toolchains = ["@bazel_tools//tools/cpp:current_cc_toolchain"],
        tools = ["//verify/histories:library.sh"],
        **kwargs
    )

def planted_test(name, programs, size = "small", **kwargs):
    """Makes a test that runs each program and wants what its script says is found.

    Args:
      name: of the test.
      programs: the name of each planted program (of library_program), by its
        script, with the arguments that it is run with.
      size: of the test.
      **kwargs: passed on to sh_test.
    """
    args, data = [], []
    for script, how in programs.items():
        args += [
            "$(location %s)" % script,
            "$(location :%s)" % how[0],
            "'%s'" % how[1],
        ]
        data += [script, ":" + how[0]]
    sh_test(
        name = name,
        size = size,
        srcs = ["//verify/histories:planted_test.sh"],
        args = args,
        data = data,
        # In the default configuration only; the flags are the programs' own.
        tags = [
            "lint",
            "no-coverage",
            "no-san",
        ],
        **kwargs
    )
