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

def mutants_test(name, mutants, quick, size = "medium"):
    """Makes a test that runs each scenario named and some mutants; one for all.

    Args:
      name: of the test; the one for all of them has "_deep" behind it.
      mutants: by scenario, the names of its scripts without .sed.
      quick: the scripts of the quick test.
      size: of the tests.
    """
    for scenario in mutants:
        _build(scenario, scenario)
    for suffix, tags in [("", []), ("_deep", ["manual"])]:
        sound, pairs, data = [], [], []
        for scenario, scripts in mutants.items():
            sound.append("$(location :%s)" % scenario)
            data.append(":" + scenario)
            for script in scripts:
                if suffix == "" and script not in quick:
                    continue
                pairs.append("$(location {0}.sed)=$(location :{0})".format(script))
                data += [script + ".sed", ":" + script]
        sh_test(
            name = name + suffix,
            size = size,
            srcs = ["mutants_test.sh"],
            args = [str(len(pairs))] + sound + ["--"] + pairs,
            data = data,
            # In the default configuration only; the flags are the mutants' own.
            tags = [
                "lint",
                "no-coverage",
                "no-san",
            ] + tags,
        )
    for scenario, scripts in mutants.items():
        for script in scripts:
            _build(script, scenario, script + ".sed")
