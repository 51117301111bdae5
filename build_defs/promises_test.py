#!/usr/bin/env python3
"""promises.md names exactly the checks of the suite :promises, and test cases that
are there.  That Bazel knows the suite's labels is Bazel's to say."""

import pathlib
import re
import sys

LABEL = re.compile(r"`(//[\w./-]*:[\w.]+)`")
CASE = re.compile(r"`([A-Z]\w+Test)\.([A-Z]\w+)`")
SUITE = re.compile(r'name = "promises",.*?tests = \[(.*?)\]', re.DOTALL)
LABELS_MIN, CASES_MIN = 30, 5


def faults_of(page, build, sources):
    named = set(LABEL.findall(page))
    listed = set(re.findall(r'"(.*?)"', SUITE.search(build).group(1)))
    cases = set(CASE.findall(page))
    faults = [f"{n}: in the page, not in the suite" for n in sorted(named - listed)]
    faults += [f"{n}: in the suite, not in the page" for n in sorted(listed - named)]
    for suite, case in sorted(cases):
        if not re.search(rf"TEST(_F|_P)?\({suite},\s*{case}\)", sources):
            faults.append(f"{suite}.{case}: no such test case")
    if len(named) < LABELS_MIN or len(cases) < CASES_MIN:
        faults.append(f"only {len(named)} checks and {len(cases)} cases are named")
    return faults, len(named), len(cases)


def main():
    page = pathlib.Path("docs/promises.md").read_text()
    build = pathlib.Path("docs/BUILD").read_text()
    sources = "".join(p.read_text() for p in pathlib.Path("alloc").glob("*_test.cc"))
    faults, checks, cases = faults_of(page, build, sources)
    print(*faults, sep="\n")
    print(f"{checks} checks and {cases} test cases are named, {len(faults)} faults")
    planted = [
        page + "`//alloc:none_test`",
        page.replace("`//alloc:misuse_test`", ""),
        page + "`PoolTest.NoneOfThem`",
        "",
    ]
    silent = [i for i, p in enumerate(planted) if not faults_of(p, build, sources)[0]]
    for i in silent:
        print(f"planted fault {i} was not found")
    return 1 if faults or silent else 0


if __name__ == "__main__":
    sys.exit(main())
