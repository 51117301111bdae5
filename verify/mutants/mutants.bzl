"""Scenarios with one line of the library changed, which must then fail."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

_SOURCES = [
    "//alloc:sources",
    "//sync:sources",
    "//verify:sources",
]

def _build(name, scenario, mutant = None):
    native.genrule(
        name = name,
        testonly = True,
        srcs = _SOURCES + ([mutant] if mutant else []),
        outs = [name + ".bin"],
        cmd = "$(location build.sh) $(CC) $@ {scenario} {mutant}".format(
            mutant = "$(location %s)" % mutant if mutant else "",
            scenario = scenario,
        ),
        executable = True,
        tags = ["manual"],
        toolchains = ["@bazel_tools//tools/cpp:current_cc_toolchain"],
        tools = ["build.sh"],
    )

def mutants_test(name, mutants, size = "medium"):
    """Makes a test that runs each scenario named, and each of its mutants.

    Args:
      name: of the test.
      mutants: by scenario, the names of its scripts without .sed.
      size: of the test.
    """
    sound, pairs, data = [], [], []
    for scenario, scripts in mutants.items():
        _build(scenario, scenario)
        sound.append("$(location :%s)" % scenario)
        data.append(":" + scenario)
        for script in scripts:
            _build(script, scenario, script + ".sed")
            pairs.append("$(location {0}.sed)=$(location :{0})".format(script))
            data += [script + ".sed", ":" + script]
    sh_test(
        name = name,
        size = size,
        srcs = ["mutants_test.sh"],
        args = [str(len(pairs))] + sound + ["--"] + pairs,
        data = data,
        # In the default configuration only; the flags are the mutants' own.
        tags = [
            "lint",
            "no-coverage",
            "no-san",
        ],
    )
