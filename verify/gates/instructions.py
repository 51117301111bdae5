#!/usr/bin/python3
"""Counts the instructions of a cached pair, and fails when they grow.

  instructions.py PAIR BARE BASELINE          the gate
  instructions.py PAIR BARE BASELINE --write  makes what it counted the baseline
  instructions.py ... --save FILE             also writes down what it counted
  instructions.py ... --from FILE             judges that, and counts nothing

A count is the difference of two runs of different length under callgrind, between
the entry and the return of linn_alloc and of linn_free, so neither start-up nor the
loop around them is in it, and it is the same at every run of the same binary.
"""

import json
import os
import re
import subprocess
import sys

SHORT, LONG = 2000, 6000
SIZES = [64, 1024, 4096, 16384, 65536]
LOOKED_UP = 4096  # up to here the class comes from a table
BOUND_SMALL, BOUND_LARGE, BOUND_BARE = 75, 82, 48
GROWTH = 1.02
FLOOR = len(SIZES) * 2 * 2 * 2


def run(argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        sys.exit(f"{argv[0]} is not installed: apt-get install valgrind")
    except subprocess.CalledProcessError as e:
        sys.exit(f"{' '.join(argv)}: exit {e.returncode}\n{e.stdout}{e.stderr}")


runs = 0


def total(binary, function, size, count):
    global runs
    runs += 1
    done = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                f"--toggle-collect={function}", binary, str(size), str(count)])
    match = re.search(r"Collected : (\d+)", done.stderr)
    if not match:
        sys.exit(f"callgrind did not say what it collected:\n{done.stderr}")
    return int(match.group(1))


def each(binary, function, size):
    more = total(binary, function, size, LONG) - total(binary, function, size, SHORT)
    return more / (LONG - SHORT)


def measure(pair, bare):
    found = {}
    for name, binary in [("all", pair), ("bare", bare)]:
        for size in SIZES:
            alloc = each(binary, "linn_alloc", size)
            free = each(binary, "linn_free", size)
            found[f"{name}/{size}"] = round(alloc + free, 2)
            print(f"{name:5} {size:6} B: alloc {alloc:6.2f} + free {free:6.2f}"
                  f" = {alloc + free:6.2f}")
    return found


def main():
    pair, bare, baseline_file = sys.argv[1:4]
    compiler = run([pair, "compiler"]).stdout.strip()
    with open(baseline_file, encoding="utf-8") as f:
        baselines = json.load(f)
    if "--from" in sys.argv:
        with open(sys.argv[sys.argv.index("--from") + 1], encoding="utf-8") as f:
            found = json.load(f)
    else:
        found = measure(pair, bare)
        if runs < FLOOR:
            sys.exit(f"{runs} runs, the floor is {FLOOR}")
    if "--save" in sys.argv:
        with open(sys.argv[sys.argv.index("--save") + 1], "w", encoding="utf-8") as f:
            json.dump(found, f)
    if "--write" in sys.argv:
        baselines[compiler] = found
        with open(baseline_file, "w", encoding="utf-8") as f:
            f.write(json.dumps(baselines, indent=2, sort_keys=True) + "\n")
        print(f"{baseline_file}: {compiler}, {len(found)} figures")
        return
    baseline = baselines.get(compiler, {})
    faults = []
    for key, now in found.items():
        build, size = key.split("/")
        bound = (BOUND_BARE if build == "bare" and int(size) <= LOOKED_UP
                 else None if build == "bare"
                 else BOUND_SMALL if int(size) <= LOOKED_UP else BOUND_LARGE)
        if bound is not None and now > bound:
            faults.append(f"{key}: {now} instructions, the bound is {bound}")
        if key in baseline and now > baseline[key] * GROWTH:
            faults.append(f"{key}: {now} instructions, {baseline[key]} before")
        if now < 20:
            faults.append(f"{key}: {now} instructions: nothing was counted")
    known = "" if baseline else ", which has no baseline yet"
    print(f"{compiler}{known}: {runs} runs, {len(found)} figures, "
          f"{len(faults)} faults")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
