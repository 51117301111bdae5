#!/usr/bin/env python3
"""Runs the suite //:deep and writes down what each of its judges counted.

  verify/deep_run.py [OUTPUT] [-- BAZEL-OPTION ...]

OUTPUT is docs/deep_run.md unless named.  The figures are the tests' own last lines;
nothing is written if a test did not run.  The exit status is Bazel's.
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

TREE = pathlib.Path(__file__).resolve().parent.parent
LINES = 14  # of each log, from its end
DULL = ("exec ${PAGER", "Executing tests from", "-----")


def path_of(uri):
    return pathlib.Path(urllib.request.url2pathname(urllib.parse.urlparse(uri).path))


def results_of(events):
    """(label, status, seconds, log) of every test in a build event file."""
    found = []
    for line in events.read_text().splitlines():
        event = json.loads(line)
        if "testResult" not in event:
            continue
        result = event["testResult"]
        log = next(o["uri"] for o in result["testActionOutput"] if o["name"] == "test.log")
        shard = event["id"]["testResult"].get("shard", 1)
        found.append((event["id"]["testResult"]["label"], shard, result["status"],
                      int(result["testAttemptDurationMillis"]) / 1000, path_of(log)))
    return sorted(found)


def last_lines(log):
    lines = [l.rstrip() for l in log.read_text(errors="replace").splitlines()]
    lines = [l for l in lines if l and not l.startswith(DULL)]
    return lines[-LINES:]


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo")
                  if l.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}"


def write(results, seconds, options, out):
    commit = subprocess.run(["git", "-C", TREE, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip() or "unknown"
    passed = sum(r[2] == "PASSED" for r in results)
    print("# The last deep run\n", file=out)
    print(f"Written by `verify/deep_run.py{' -- ' if options else ''}"
          f"{' '.join(options)}` on {datetime.date.today()}, of commit {commit}, on "
          f"{machine()}: {passed} of {len(results)} tests passed in "
          f"{seconds / 60:.0f} minutes.\n", file=out)
    print("Each test's last lines follow; `verify/README.md` and `tla/README.md` say what "
          "each judge sees.\n", file=out)
    print("| Test | Result | Seconds |\n| --- | --- | ---: |", file=out)
    for label, shard, status, took, _ in results:
        name = label + (f", part {shard}" if shard > 1 else "")
        print(f"| `{name}` | {status.lower()} | {took:.0f} |", file=out)
    for label, shard, _, _, log in results:
        print(f"\n## {label}" + (f", part {shard}" if shard > 1 else ""), file=out)
        print("\n```text", *last_lines(log), "```", sep="\n", file=out)


def main(arguments):
    options = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1:]
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    target = pathlib.Path(arguments[0]).resolve() if arguments else TREE / "docs/deep_run.md"
    with tempfile.TemporaryDirectory() as folder:
        events = pathlib.Path(folder) / "events.json"
        start = time.monotonic()
        status = subprocess.call(
            ["./bazelw", "test", "--keep_going", f"--build_event_json_file={events}",
             *options, "--", "//:deep"], cwd=TREE)
        results = results_of(events) if events.exists() else []
        if not results:
            print("deep_run: no test was run", file=sys.stderr)
            return status or 1
        with open(target, "w") as out:
            write(results, time.monotonic() - start, options, out)
    print(f"deep_run: {len(results)} results in {target}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
