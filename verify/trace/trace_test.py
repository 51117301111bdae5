#!/usr/bin/env python3
"""Logs runs of the code and asks TLC whether each is a behaviour of the spec.

    trace_test.py WORLD JAR TRANSLATOR MODULE EVENTS RUNS KINDS EDIT ...

MODULE is the path of the trace specification; TRANSLATOR prints how many steps
the log has.  RUNS logs of EVENTS accesses must be accepted, every step of them,
and have KINDS kinds of steps or more.
One more log, of 1,500 accesses, is spoiled in each way that an EDIT says, and must
be rejected, while as it stands it is accepted.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SPOILED_EVENTS = 1500


def die(why):
    sys.exit("trace_test.py: " + why)


def call(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True,
                          **more)
    return done.returncode, done.stdout


def classes_flags():
    """TLC's classes as Bazel keeps them; where they do not fit Java loads its
    own."""
    path = os.path.realpath(os.environ.get("TLC_CLASSES", ""))
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return []
    return ["-XX:SharedArchiveFile=" + path, "-Xshare:auto"]


class Trial:

    def __init__(self, world, jar, translator, module):
        self.world, self.jar = os.path.realpath(world), os.path.realpath(jar)
        self.translator = translator
        self.module = pathlib.Path(module)
        self.work = pathlib.Path(tempfile.mkdtemp(
            dir=os.environ.get("TEST_TMPDIR")))
        for folder in (self.module.parent, pathlib.Path("tla")):
            for f in folder.glob("*.tla"):
                shutil.copy(f, self.work)

    def log(self, seed, events):
        out = subprocess.run([self.world, str(seed), str(events)],
                             stdout=subprocess.PIPE, universal_newlines=True,
                             timeout=300)
        if out.returncode != 0:
            die("the run of seed %d ended with %d" % (seed, out.returncode))
        (self.work / "log").write_text(out.stdout)

    def judge(self, edits=()):
        """The number of steps, of kinds, and what TLC says: None is accepted."""
        code, said = call([sys.executable, self.translator,
                           str(self.work / "log"), str(self.work), *edits])
        found = re.search(r"(\d+) steps of (\d+) kinds", said)
        if code != 0 or not found:
            die("the log is none: " + said)
        steps, kinds = int(found.group(1)), int(found.group(2))
        name = self.module.stem
        short = ["-XX:TieredStopAtLevel=1"] if steps < 20000 else []
        code, said = call(
            ["java", "-Xmx2g", "-Xss64m", "-XX:+UseSerialGC", *short,
             *classes_flags(),
             "-XX:-UsePerfData", "-Djava.io.tmpdir=%s" % self.work,
             "-cp", self.jar, "tlc2.TLC", "-workers", "1", "-fp", "0",
             "-metadir", str(self.work / "states"), "-config", name + ".cfg",
             name], cwd=self.work)
        states = re.search(r"(\d+) distinct states found, 0 states left",
                           said.replace(",", ""))
        if "No error has been found" in said:
            if not states and "distinct states found" not in said:
                die(said)
            count = int(re.findall(r"(\d+) distinct states found",
                                   said.replace(",", ""))[-1])
            if count != steps + 1:
                die("%d states of %d steps" % (count, steps))
            return steps, kinds, None
        for pattern in (r"Deadlock reached", r"Invariant \w+ is violated",
                        r"second argument was:\s*\"[^\"]*\""):
            found = re.search(pattern, said)
            if found:
                return steps, kinds, re.sub(r"\s+", " ", found.group())
        die("TLC did not finish:\n" + said[-3000:])


def main():
    world, jar, translator, module, events, runs, least = sys.argv[1:8]
    edits = sys.argv[8:]
    if shutil.which("java") is None:
        die("java is not here: apt-get install default-jre-headless")
    if not jar.endswith(".jar"):
        die("TLC is not here: " + open(jar).read().strip())
    trial = Trial(world, jar, translator, module)
    bad = 0
    for seed in range(1, int(runs) + 1):
        trial.log(seed, int(events))
        steps, kinds, why = trial.judge()
        print("seed %d: %d steps of %d kinds, %s" %
              (seed, steps, kinds, why or "accepted"), flush=True)
        if why is not None:
            bad += 1
        if kinds < int(least):
            print("fewer than %s kinds of steps" % least)
            bad += 1
    if edits:
        trial.log(99, SPOILED_EVENTS)
        _, _, why = trial.judge()
        print("control: %s" % (why or "accepted"))
        bad += why is not None
    for edit in edits:
        steps, _, why = trial.judge([edit])
        print("%s: %s" % (edit, why or "ACCEPTED, and should not be"),
              flush=True)
        bad += why is None
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
