#!/usr/bin/env python3
"""Everything that must hold before a change is taken, on a clean checkout.

  .ci/run                 the steps that every change must pass
  .ci/run --all           those, and what takes longer than the hour they have
  .ci/run --list          names the steps
  .ci/run STEP ...        those steps alone

A step is a command; a test step also counts the cases of every test that Bazel ran,
from the test.xml of each.  A step that fails does not stop the others.  The last
line is `N passed, N failed`: test cases and steps together, each counted when it
has run.  The exit status is 0 only if nothing failed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree

TREE = pathlib.Path(__file__).resolve().parent.parent

# A sanitizer makes a test up to this many times slower; Bazel's limits are for the
# plain one.
SLOW = ["--test_timeout=300,900,1800,3600"]


class Step:
    """A command with a time limit, perhaps of tests, perhaps with a text it must print."""

    def __init__(self, name, command, minutes, expect=None, not_here=None):
        self.name = name
        self.command = command
        self.seconds_max = 60 * minutes
        # A pattern that its output must have.
        self.expect = expect
        # The exit status that means: this machine cannot do it.
        self.not_here = not_here

    @property
    def tests(self):
        return self.command[:2] == ["./bazelw", "test"]


def test(name, *flags, minutes=25):
    return Step(name, ["./bazelw", "test", *flags, "--", "//..."], minutes)


def soak(config, *flags):
    return Step(
        f"soak under {config}",
        ["./bazelw", "run", f"--config={config}", "//stress:soak", "--",
         "--seconds=60", *flags],
        minutes=6,
    )


BARE = (
    "./bazelw run //stress:compare && ./bazelw test //... && "
    "BAZELW_INSTALL=no ./bazelw info release"
)


def bare(version, suite):
    """The README's two commands where nothing is installed."""
    return Step(f"bare Debian {version}",
                ["build_defs/bare_root.sh", "--suite", suite, "--", "bash", "-ec", BARE],
                25, not_here=77)


STEPS = [
    # The two commands of the README.
    Step("compare", ["./bazelw", "run", "//stress:compare"], 8,
         expect=r"^ +jemalloc +[0-9.]+ .*(\n.*)*^ +tcmalloc +[0-9.]+ "),
    test("test"),
    test("tsan", "--config=tsan", *SLOW),
    test("asan", "--config=asan", *SLOW),
    test("ubsan", "--config=ubsan", *SLOW),
    test("msan", "--config=msan", *SLOW),
    soak("tsan"),
    soak("asan"),
    soak("chaos"),
]

# What `.ci/run --all` and `.ci/run STEP` run besides: with those above it is more
# than an hour.
MORE = [
    test("chaos", "--config=chaos", *SLOW),
    test("paranoid", "--config=paranoid", *SLOW),
    test("clang", "--config=clang"),
    bare(12, "bookworm"),
    bare(13, "trixie"),
]


def say(text):
    print(text, flush=True)


def local_path(uri):
    parts = urllib.parse.urlparse(uri)
    return urllib.request.url2pathname(parts.path) if parts.scheme == "file" else None


def cases_of(result):
    """The (passed, failed) cases of one run of one test."""
    ok = result["status"] in ("PASSED", "FLAKY")
    passed = failed = 0
    for output in result.get("testActionOutput", []):
        path = local_path(output.get("uri", ""))
        if output.get("name") != "test.xml" or not path:
            continue
        try:
            cases = list(xml.etree.ElementTree.parse(path).iter("testcase"))
        except (OSError, xml.etree.ElementTree.ParseError):
            continue
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is None and case.get("status") != "notrun":
                passed += 1
    if ok:
        return (passed, failed) if passed + failed else (1, 0)
    # A test that died may have left a file in which nothing failed, or none.
    return (passed, max(failed, 1))


def count_events(path):
    """The tests, passed cases and failed cases in a build event file."""
    tests = passed = failed = 0
    with open(path) as events:
        for line in events:
            event = json.loads(line)
            if "testResult" in event:
                result = event["testResult"]
                if result.get("cachedLocally") or result.get("executionInfo", {}).get("cachedRemotely"):
                    continue  # not run here, so not counted
                p, f = cases_of(result)
                tests, passed, failed = tests + 1, passed + p, failed + f
    return tests, passed, failed


def run(step, folder):
    """Runs one step; returns its (passed, failed)."""
    say(f"--- {step.name}: {' '.join(step.command)}")
    command, events, log = list(step.command), folder / "events.json", folder / "log"
    events.unlink(missing_ok=True)
    if step.tests:
        command[2:2] = [
            "--keep_going",
            "--nocache_test_results",
            f"--build_event_json_file={events}",
        ]
    start = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=TREE, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(step.seconds_max)
        except subprocess.TimeoutExpired:
            # First a word, which Bazel passes on to what it runs; then the end.
            for signal in (2, 9):
                try:
                    os.killpg(process.pid, signal)
                    process.wait(20)
                    break
                except (subprocess.TimeoutExpired, ProcessLookupError):
                    continue
            status = "out of time"
    took = time.monotonic() - start
    text = log.read_text(errors="replace")
    if step.not_here is not None and status == step.not_here:
        say(text.rstrip())
        say(f"=== {step.name}: not possible here, not counted ({took:.0f} s)")
        return 0, 0
    tests = passed = failed = 0
    ok = status == 0
    if step.tests:
        if events.exists():
            tests, passed, failed = count_events(events)
        if passed + failed == 0:
            ok = False
            text += "\nno test was run"
        if failed:
            ok = False
    if step.expect and not re.search(step.expect, text, re.MULTILINE):
        ok = False
        text += f"\nnothing matches '{step.expect}'"
    lines = text.rstrip().splitlines()
    say("\n".join(lines[-400:] if not ok else lines[-40:]))
    what = f"{tests} tests, {passed} cases passed, {failed} failed; " if step.tests else ""
    say(f"=== {step.name}: {'ok' if ok else f'FAILED ({status})'}; {what}{took:.0f} s")
    return passed + ok, failed + (not ok)


def main(names):
    if names == ["--list"]:
        for step in STEPS + MORE:
            print(f"{step.name}: {' '.join(step.command)}")
        return 0
    known = [s.name for s in STEPS + MORE]
    wanted = STEPS + MORE if names else STEPS
    if names == ["--all"]:
        names = []
    for name in names:
        if name not in known:
            print(f"no step '{name}'; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for step in wanted:
            if not names or step.name in names:
                p, f = run(step, pathlib.Path(folder))
                passed, failed = passed + p, failed + f
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
