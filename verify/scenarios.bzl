"""linn_scenario: a scenario of verify/ as two native tests, of linn and its twin."""

load("//build_defs:variants.bzl", "linn_c_test")

def linn_scenario(name, deps, srcs = [], **kwargs):
    """Makes the tests name and name + "_locked" of name.c.

    Args:
      name: of the scenario and its file.
      deps: the linn_modules that it works with.
      srcs: further files, such as headers.
      **kwargs: passed on to linn_c_test.
    """
    linn_c_test(
        name = name,
        srcs = [name + ".c"] + srcs,
        plain_deps = ["//verify:scenario"],
        deps = deps,
        **kwargs
    )
