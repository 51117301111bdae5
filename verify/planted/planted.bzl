"""planted_fault: a program with a fault, a sanitizer that must report it, and the
same program without the fault, about which it must be silent.

The sanitizer is switched on for these two programs alone, whatever the
configuration; in the sanitizers' own configurations the test is left out, since
the flags clash.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_shell//shell:sh_test.bzl", "sh_test")

_FLAGS = ["-g", "-O1", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-U_FORTIFY_SOURCE"]

def planted_fault(name, src, sanitizer, report, function, argument = "", compiler = None):
    """Makes the test name + "_test".

    Args:
      name: of the test, without _test.
      src: the C file; it has the fault when PLANTED is defined.
      sanitizer: what follows -fsanitize=.
      report: text that the report must contain.
      function: the function that the report must name.
      argument: given to the program.
      compiler: a compiler to call by name, where Bazel's own may not know the
        sanitizer.
    """
    for suffix, define in [("_faulty", ["-DPLANTED=1"]), ("_sound", [])]:
        copts = _FLAGS + ["-fsanitize=" + sanitizer] + define
        if compiler:
            native.genrule(
                name = name + suffix,
                testonly = True,
                srcs = [src],
                outs = [name + suffix + ".out"],
                cmd = " ".join([
                    "command -v {cc} >/dev/null ||",
                    "{{ echo '{cc} is not here: apt-get install {cc} libclang-rt-19-dev' >&2; exit 1; }};",
                    "{cc} -std=c11 -D_GNU_SOURCE {copts} $< -o $@",
                ]).format(
                    cc = compiler,
                    copts = " ".join(copts),
                ),
                executable = True,
                tags = ["no-san"],
            )
        else:
            cc_binary(
                name = name + suffix,
                testonly = True,
                srcs = [src],
                copts = copts,
                linkopts = [
                    "-fsanitize=" + sanitizer,
                    "-pthread",
                ],
                tags = ["no-san"],
            )
    sh_test(
        name = name + "_test",
        size = "small",
        srcs = ["planted_test.sh"],
        args = [
            "$(location :%s_faulty)" % name,
            "$(location :%s_sound)" % name,
            "'%s'" % report,
            function,
            argument,
        ],
        data = [
            ":%s_faulty" % name,
            ":%s_sound" % name,
        ],
        tags = [
            "no-coverage",
            "no-san",
        ],
    )
