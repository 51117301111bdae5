"""The packages of this tree, and where its twin ends."""

# Every package with a `sources` filegroup; a linter test fails, by name, over a
# file of the tree that none of them has.
LINN_PACKAGES = [
    "//",
    "//alloc",
    "//build_defs",
    "//docs",
    "//docs/examples",
    "//stress",
    "//stress/trace",
    "//stress/traces",
    "//sync",
    "//tla",
    "//verify",
    "//verify/cards",
    "//verify/explore",
    "//verify/faults",
    "//verify/fuzz",
    "//verify/gates",
    "//verify/histories",
    "//verify/mutants",
    "//verify/planted",
    "//verify/probes",
    "//verify/trace",
]

SOURCES = ["%s:sources" % p for p in LINN_PACKAGES]

# The modules (without _locked) from which //build_defs:twin_symbols_test follows
# the twin's dependencies down.
TWIN_ROOTS = [
    "//alloc:buf",
    "//alloc:linn",
]
