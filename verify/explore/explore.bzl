"""Scenarios of verify/ under the checker, as tests."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

# They build with flags of their own.
_TAGS = [
    "lint",
    "no-coverage",
    "no-san",
]

_DATA = [
    "redirect.syms",
    ":checker_archive",
    ":scenarios",
    "//alloc:sources",
    "//sync:sources",
    "//verify:sources",
]

def explore_test(name, scenario, options, tags = [], size = "small", shard_count = None):
    """Makes a test that explores one scenario.

    Args:
      name: of the test.
      scenario: of verify/.
      options: of main.c.
      tags: such as manual.
      size: of the test.
      shard_count: parts that sample with seeds of their own.
    """
    sh_test(
        name = name,
        size = size,
        srcs = ["explore.py"],
        args = ["$(location :checker_archive)", "scenario", scenario] + options,
        data = _DATA,
        shard_count = shard_count,
        tags = _TAGS + tags,
    )

def explore_mutants_test(name, mutants, tags = [], size = "medium"):
    """Makes a test that looks for each mutant of verify/mutants.

    Args:
      name: of the test.
      mutants: by scenario, the names of its scripts without .sed.
      tags: such as manual.
      size: of the test.
    """
    pairs, data = [], []
    for scenario, scripts in mutants.items():
        for script in scripts:
            label = "//verify/mutants:%s.sed" % script
            pairs.append("%s=$(location %s)" % (scenario, label))
            data.append(label)
    sh_test(
        name = name,
        size = size,
        srcs = ["explore.py"],
        args = ["$(location :checker_archive)", "mutants", str(len(pairs))] + pairs,
        data = _DATA + data,
        tags = _TAGS + tags,
    )
