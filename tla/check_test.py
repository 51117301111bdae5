#!/usr/bin/env python3
"""check_test.py JAR: check.py must fail over what it is there to find.

A model of a few states is run as it is, then with an action that is never taken,
and with a manifest that differs in each of its figures.  It has a twin with a
bug, which shares its Java run-time.
"""

import contextlib
import copy
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import check  # noqa: E402

SPEC = """---- MODULE Planted ----
EXTENDS Naturals
VARIABLE x
Init == x = 0
Up == x < 24 /\\ x' = x + 1
Never == x > 24 /\\ x' = 0
Next == %s
Bound == x < 90
Low == x < 9
====
"""
MODEL = {
    "name": "Planted_small", "module": "Planted", "config": "Planted.cfg",
    "suite": "small", "what": "a counter", "expected": "passes",
    "states": 25, "depth": 25, "actions": {"Up": [24, 24]},
}


TWIN = {
    "name": "Planted_broken_low", "module": "Planted", "config": "Low.cfg",
    "suite": "small", "what": "a counter", "expected": "invariant Low",
    "states": 10, "depth": 10,
}
CONFIG = "INIT Init\nNEXT Next\nINVARIANT %s\nCHECK_DEADLOCK FALSE\n"
RUN_MANY, RAN = check.run_many, {}


def run_many_once(jar, many, folder, models):
    """TLC runs once for each specification; the manifests are many."""
    with open(os.path.join(folder, "Planted.tla")) as f:
        spec = f.read()
    if spec not in RAN:
        RAN[spec] = list(RUN_MANY(jar, many, folder, models))
    for (_, found, text), model in zip(RAN[spec], models):
        yield model, found, text


def outcome(jar, next_, **changes):
    model = copy.deepcopy(MODEL)
    model.update(changes)
    said = io.StringIO()
    with tempfile.TemporaryDirectory(
            dir=os.environ.get("TEST_TMPDIR")) as folder:
        os.mkdir(os.path.join(folder, "models"))
        for name, text in (
                ("Planted.tla", SPEC % next_),
                ("models/Planted.cfg", CONFIG % "Bound"),
                ("models/Low.cfg", CONFIG % "Low"),
                ("manifest.json", json.dumps({"models": [model, TWIN]}))):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        manifest = os.path.join(folder, "manifest.json")
        with contextlib.redirect_stdout(said):
            try:
                check.run(jar, manifest, "small", "Planted")
                return None, said.getvalue()
            except SystemExit:
                return "fails", said.getvalue()


def main():
    jar = sys.argv[1]
    check.check_jar(jar)
    check.run_many = run_many_once
    bad = 0
    cases = [
        ("as it is", "Up", {}, None),
        ("an action is never taken", "Up \\/ Never",
         {"actions": {"Up": [24, 24], "Never": [0, 0]}},
         "action Never was never taken"),
        ("another number of states", "Up", {"states": 24}, "states: 25"),
        ("another depth", "Up", {"depth": 24}, "depth: 25"),
        ("another count of an action", "Up", {"actions": {"Up": [24, 23]}},
         "action Up: [24, 24]"),
        ("an action the manifest lacks", "Up", {"actions": {}},
         "action Up: [24, 24]"),
        ("a bug that is not found", "Up", {"expected": "invariant Bound"},
         "result: passes"),
    ]
    for what, next_, changes, want in cases:
        failed, said = outcome(jar, next_, **changes)
        good = (failed is None) if want is None else (
            failed is not None and want in said)
        print("%s: %s, %s" % (what, failed or "passes",
                              "as it should" if good else "WRONG\n" + said))
        bad += not good
    print("%d cases, %d wrong" % (len(cases), bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
