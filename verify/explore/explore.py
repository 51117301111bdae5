#!/usr/bin/env python3
"""Builds scenarios with the checker, and explores them.

    explore.py CHECKER.a scenario NAME [OPTION ...]
        explores one; the options are main.c's
    explore.py CHECKER.a mutants FLOOR SCENARIO=MUTANT.sed ...
        explores each with one line of the library changed; each must fail

    explore.py CHECKER.a replay SCENARIO=MUTANT.sed ...
        what is reported can be replayed
    explore.py CHECKER.a preemptions SCENARIO:N ...
        each is found with N preemptions and not with fewer

The sources are the library's own, unchanged: they are compiled with
-fsanitize=thread, and what they call is redirected to the checker (redirect.syms).
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = "verify/explore"
FLAGS = "-std=c11 -D_GNU_SOURCE -mcx16 -O1 -g -fsanitize=thread".split()
ARENA = [
    f"alloc/{m}.c"
    for m in "arena check chunk misuse page_map page_source page_tree"
    " size_class subpage".split()
]
LINN = ARENA + [
    f"alloc/{m}.c"
    for m in "buf_descriptor fast_path huge linn options pool pool_core"
    " thread_cache".split()
] + [f"sync/{m}.c" for m in "asym reclaim thread_registry".split()]
REGISTRY = [f"sync/{m}.c" for m in "asym reclaim thread_registry".split()]
MAP = [f"alloc/{m}.c" for m in "page_map page_source check".split()]
# Of each scenario: its sources, and what keeps it small enough.
SOURCES = {
    "preempted": [],
    "tagged_stack_aba": [],
    "page_tree_split_unite": ["alloc/page_tree.c"],
    "subpage_retirement": ["alloc/subpage.c", "alloc/check.c"],
    "chunk_retirement": [
        f"alloc/{m}.c"
        for m in "chunk page_tree page_map page_source check".split()
    ],
    "last_release_plain": ["alloc/check.c"],
    "last_release_try_retain": ["alloc/check.c"],
    "cache_theft": LINN,
    "refill_theft": LINN,
    "thread_exit_drain": LINN,
    "two_adopters": LINN,
    "registration": REGISTRY,
    "adoption": REGISTRY,
    "adopter_dies": REGISTRY,
    "fork_adoption": REGISTRY,
    "grace_period": REGISTRY,
    "page_map_growth": MAP,
    "page_map_leaves": MAP,
    "settings": LINN,
    "pool_life": LINN,
    "huge_free": ARENA + ["alloc/huge.c"],
    "first_caches": LINN,
    "spare_chunk": ARENA,
    "band_crossing": ARENA,
    "partial_peek": ARENA,
    "cache_revocation": LINN,
    "thread_death_adoption": LINN,
}
# Those whose exploration ends.
FINISH = list(SOURCES)[:list(SOURCES).index("huge_free")]
# How a mutant is looked for: everything where that is quick, else samples.
SEARCH = {
    name: ["--seconds=20"]
    if name in FINISH
    else ["--mode=pct", "--depth=5", "--executions=20000"]
    for name in SOURCES
}
SEARCH["spare_chunk"] = SEARCH["spare_chunk"] + ["--rounds=3"]


def shard():
    """(index, count) of this part of a test that Bazel has cut up."""
    if "TEST_SHARD_STATUS_FILE" in os.environ:
        pathlib.Path(os.environ["TEST_SHARD_STATUS_FILE"]).touch()
    return (int(os.environ.get("TEST_SHARD_INDEX", 0)),
            int(os.environ.get("TEST_TOTAL_SHARDS", 1)))


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, **options)


def scenario_file(name):
    """Some are for the checker alone, which is where they stand."""
    here = f"{HERE}/{name}.c"
    return here if pathlib.Path(here).exists() else f"verify/{name}.c"


def build(checker, root, name, out):
    """The program `out` of scenario `name`, from the tree at `root`.  An object is
    made once for the same source and the same headers."""
    cc = os.environ.get("CC", "gcc")
    objects = []
    folder = out.parent / "objects"
    folder.mkdir(exist_ok=True)
    headers = hashlib.sha256()
    for part in "alloc", "sync", "verify":
        for path in sorted(pathlib.Path(root, part).glob("*.h")):
            headers.update(path.read_bytes())
    for source in [scenario_file(name)] + SOURCES[name]:
        key = headers.copy()
        key.update(source.encode())
        key.update(pathlib.Path(root, source).read_bytes())
        o = folder / (key.hexdigest() + ".o")
        if not o.exists():
            run(cc, *FLAGS, "-DLINN_SCENARIO_SMALL=1", "-iquote", ".", "-c", source,
                "-o", o.resolve(), cwd=root)
            run("objcopy", f"--redefine-syms={HERE}/redirect.syms", o)
        objects.append(o)
    run(cc, "-no-pie", "-o", out, *objects, checker)
    return out


def explore(checker, name, options, scratch):
    program = build(checker, ".", name, scratch / name)
    index, count = shard()
    seed = [f"--seed={index + 1}"] if count > 1 else []
    return subprocess.run([str(program)] + options + seed).returncode


def changed_copy(script, scratch):
    """A copy of the tree with the line of a mutant changed."""
    root = scratch / pathlib.Path(script).stem
    for folder in "alloc", "sync", "verify":
        shutil.copytree(
            folder, root / folder,
            ignore=shutil.ignore_patterns("*.cc", "mutants", "bazel-*"))
    text = pathlib.Path(script).read_text()
    file = re.search(r"^# file: (.*)", text, re.M).group(1)
    before = (root / file).read_text()
    os.chmod(root / file, 0o644)
    os.chmod((root / file).parent, 0o755)
    run("sed", "-i", "-f", pathlib.Path(script).resolve(), root / file)
    if (root / file).read_text() == before:
        raise SystemExit(f"{script} changes nothing")
    return root


def kill(checker, name, script, scratch):
    """What the checker says of a mutant; None if it finds nothing."""
    root = changed_copy(script, scratch)
    program = build(checker, root, name, scratch / f"{root.name}.bin")
    done = subprocess.run([str(program)] + SEARCH[name], capture_output=True, text=True)
    shutil.rmtree(root)
    found = re.search(r"FAILED: (.*)", done.stdout)
    return found.group(1) if found and done.returncode == 1 else None


def mutants(checker, floor, pairs, scratch):
    killed = 0
    for pair in pairs:
        name, script = pair.split("=")
        what = re.search(r"^# mutant: (.*)",
                         pathlib.Path(script).read_text(), re.M).group(1)
        how = kill(checker, name, script, scratch)
        print(f"{'killed  ' if how else 'SURVIVES'}  {what}: {name}: {how}",
              flush=True)
        killed += how is not None
    print(f"{killed} of {len(pairs)} mutants killed (floor {floor})")
    return 0 if killed == len(pairs) >= floor else 1


def run_mutant(checker, pair, scratch):
    """(what to run, without options) of SCENARIO=MUTANT.sed."""
    name, script = pair.split("=")
    root = changed_copy(script, scratch)
    return build(checker, root, name, scratch / f"{root.name}.bin")


def failure(program, *options):
    """What a run finds, and its options to find that again; or None."""
    out = subprocess.run([str(program), *options], capture_output=True, text=True)
    found = re.search(r"FAILED: (.*)", out.stdout)
    again = re.search(r"^Again: \S+(.*)", out.stdout, re.M)
    if out.returncode == 1 and found:
        return found.group(1), again.group(1).split()
    if out.returncode not in (0, 1):
        raise SystemExit(out.stdout[-300:])
    return None


def replay(checker, pairs, scratch):
    """Each mutant's report can be replayed, and comes to the same; the sound program
    replays it and finds nothing."""
    bad = 0
    for pair in pairs:
        name = pair.split("=")[0]
        program = run_mutant(checker, pair, scratch)
        sound = build(checker, ".", name, scratch / f"{name}.sound")
        for mode in SEARCH[name], ["--mode=pct", "--executions=20000"]:
            first = failure(program, *mode)
            again = first and failure(program, *first[1])
            without = first and failure(sound, *first[1])
            good = bool(first and again) and again[0] == first[0] and not without
            bad += not good
            print(f"{'replayed' if good else 'NOT REPLAYED'}  {pair} {mode[0]}: "
                  f"{first and first[0]}; again {again and again[0]}; sound: {without}")
    return 1 if bad or not pairs else 0


def preemptions(checker, pairs, scratch):
    """The failure of SCENARIO:N is found with N preemptions, and not with fewer."""
    bad = 0
    for pair in pairs:
        pair, least = pair.rsplit(":", 1)
        program = build(checker, ".", pair, scratch / pair)
        for n in range(int(least) + 1):
            found = failure(program, "--mode=full", f"--preemptions={n}")
            good = (found is not None) == (n == int(least))
            bad += not good
            print(f"{'as it should' if good else 'WRONG'}  {pair}, {n} preemptions: "
                  f"{found and found[0]}")
    return 1 if bad or not pairs else 0


def main():
    checker, what, *rest = sys.argv[1:]
    for tool in os.environ.get("CC", "gcc"), "objcopy", "addr2line":
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed: apt-get install gcc binutils")
    checker = str(pathlib.Path(checker).resolve())
    with tempfile.TemporaryDirectory(
            dir=os.environ.get("TEST_TMPDIR")) as folder:
        scratch = pathlib.Path(folder)
        if what == "scenario":
            return explore(checker, rest[0], rest[1:], scratch)
        if what == "replay":
            return replay(checker, rest, scratch)
        if what == "preemptions":
            return preemptions(checker, rest, scratch)
        return mutants(checker, int(rest[0]), rest[1:], scratch)


if __name__ == "__main__":
    sys.exit(main())
