#!/usr/bin/env python3
"""Runs the workload once for each label of a compare-and-swap, way and time.

    faults_test.py PROGRAM LABELS [--all-ways] [--dice N]

Each run is a process of its own; it must end well, and say how many operations it
made fail.  A label that is to fail and never does is an error, and so is one that
cannot fail and does, one without a line in LABELS, and one that is said to be out
of reach and is reached.
"""

import argparse
import collections
import os
import subprocess
import sys

LABELS_MIN = 43  # reached
FAILURES_MIN = 900


def read_labels(path):
    ways = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split("  ")
            words = [w.strip() for w in words if w.strip()]
            if len(words) != 3 or line.startswith("#"):
                continue
            ways[words[0]] = words[1].split()
    return ways


def run(program, plan):
    environment = dict(os.environ)
    environment.pop("LINN_FAULT", None)
    if plan:
        environment["LINN_FAULT"] = plan
    done = subprocess.run(
        [program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        sys.stdout.write(done.stdout[-2000:] + done.stderr[-2000:])
        print(f"FAILED: {plan or 'no fault'}: status {done.returncode}")
        return None
    return done.stdout.splitlines()


def tried_and_failed(lines):
    words = lines[-1].split()
    return int(words[1]), int(words[3])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("labels")
    parser.add_argument("--all-ways", action="store_true")
    parser.add_argument("--dice", type=int, default=1)
    options = parser.parse_args()

    ways = read_labels(options.labels)
    lines = run(options.program, "")
    if lines is None:
        return 1
    hits = collections.Counter()
    sites = 0
    for line in lines:
        if line.startswith("site "):
            _, _, label, count = line.split()
            hits[label] += int(count)
            sites += int(count) > 0
    errors = [f"{x}: in the sources, not in the table" for x in hits if x not in ways]
    errors += [f"{x}: in the table, not in the sources" for x in ways if x not in hits]

    runs = failures = failed_labels = 0
    for label, all_ways in sorted(ways.items()):
        if "unreached" in all_ways:
            if hits[label] > 0:
                errors.append(f"{label}: said to be out of reach, and reached")
            continue
        if hits[label] == 0:
            errors.append(f"{label}: never reached")
            continue
        never = all_ways == ["no"]
        total = 0
        for way in all_ways if options.all_ways else all_ways[:1]:
            whens = ["first"]
            if hits[label] > 1:
                whens += ["second"] + [str(d + 1) for d in range(options.dice)]
            for when in whens:
                plan = f"{label}:{'other' if never else way}:{when}"
                lines = run(options.program, plan)
                runs += 1
                if lines is None:
                    errors.append(f"{plan}: the run fails")
                    continue
                tried, failed = tried_and_failed(lines)
                total += failed
                if never and failed > 0:
                    errors.append(f"{plan}: failed, and cannot")
                elif never and when == "first" and tried == 0:
                    errors.append(f"{plan}: nothing was tried")
                elif not never and failed == 0 and (
                    when == "first" or (when == "second" and tried > 0)
                ):
                    errors.append(f"{plan}: nothing failed")
        failures += total
        failed_labels += total > 0
        print(f"{label}: {hits[label]} reached, {total} failed ({' '.join(all_ways)})")
    reached = sum(1 for x in hits if hits[x] > 0)
    print(
        f"{reached} of {len(hits)} labels reached at {sites} sites, {failed_labels} made to"
        f" fail: {failures} failures in {runs} runs"
    )
    for error in errors:
        print(f"FAILED: {error}")
    if reached < LABELS_MIN or failures < FAILURES_MIN:
        errors.append("floor")
        print(f"FAILED: fewer than {LABELS_MIN} labels or {FAILURES_MIN} failures")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
