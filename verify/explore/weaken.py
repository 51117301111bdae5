#!/usr/bin/env python3
"""Weakens each memory order of each label one step; a scenario must notice.

    weaken.py CHECKER.a [--only LABEL,...] [--sampled] [--table FILE] [--floor N]

The mutants come from the text: the order is in the name of the operation, the label
in the comment (as verify/cards/check_atomics.py reads them).  A label is tried in the
scenarios that finish and name it; with --sampled, where none does, in those that are
too large to finish: surviving 20,000 executions there says less.  A mutant that
survives must stand in survivors.txt, by its function, with a reason, else this fails; so does one that stands there and is killed.
Bazel may cut the test into shards: each tries its part of the sites.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "verify/cards")
sys.path.insert(0, "verify/explore")
import check_atomics  # noqa: E402
import explore  # noqa: E402

STEPS = {
    "acq_rel": ["release", "acquire"],
    "acquire": ["relaxed"],
    "release": ["relaxed"],
    "relaxed": [],
}
CALL = re.compile(
    r"\bsync_(?:guarded_)?(u16|u32|u64|ptr|pair)_"
    r"(load|store|cas|exchange|fetch_\w+?)_"
    r"(acquire|release|acq_rel)(?:_(relaxed|acquire))?\s*\("
)
TYPES = {"u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "ptr": "void *"}
FINISH = explore.FINISH + ["huge_free"]
SAMPLE = [n for n in explore.SOURCES if n not in FINISH]
PAIR = """
static inline bool sync_pair_cas_weak_{n}(sync_pair *w, sync_pair_value *seen,
                                          sync_pair_value next) {{
    __extension__ typedef unsigned __int128 u128;
    u128 was = (u128)seen->high << 64 | seen->low;
    u128 after = (u128)next.high << 64 | next.low;
    bool done = __atomic_compare_exchange_n((u128 *)(void *)w, &was, after, false,
                                            __ATOMIC_{o}, __ATOMIC_RELAXED);
    seen->low = (uint64_t)was;
    seen->high = (uint64_t)(was >> 64);
    return done;
}}
"""


def weak_operations():
    """Definitions that the mutants call: every operation in every order."""
    text = []
    for t, c in TYPES.items():
        text.append(f"SYNC_DEFINE_LOAD({t}, {c}, weak_relaxed, __ATOMIC_RELAXED)")
        text.append(f"SYNC_DEFINE_STORE({t}, {c}, weak_relaxed, __ATOMIC_RELAXED)")
        for o in "relaxed", "acquire", "release":
            big = f"__ATOMIC_{o.upper()}"
            text.append(f"SYNC_DEFINE_CAS({t}, {c}, weak_{o}, {big}, __ATOMIC_RELAXED)")
            text.append(f"SYNC_DEFINE_RMW({t}, {c}, exchange, weak_{o}, {big})")
            for op in ("fetch_add", "fetch_or", "fetch_and") if t != "ptr" else ():
                text.append(f"SYNC_DEFINE_RMW({t}, {c}, {op}, weak_{o}, {big})")
    for o in "relaxed", "acquire", "release":
        text.append(PAIR.format(n=o, o=o.upper()))
    text.append("#define sync_pair_load_weak_relaxed sync_pair_load_relaxed")
    return "\n".join(text)


def function_at(code, place):
    """The name of the function around a place: of the last line that begins one."""
    names = re.findall(r"^[a-z_].*?\b(\w+)\(", code[:place], re.M)
    return names[-1] if names else "?"


def sites():
    """(label, file, start, end, new text, what) of every mutant."""
    for folder in "alloc", "sync":
        for path in sorted(pathlib.Path(folder).glob("*.[ch]")):
            if str(path).endswith(check_atomics.DEFINING):
                continue
            text = path.read_text()
            code, comments = check_atomics.split(text)
            comments = check_atomics.read_cards(path, comments, {}, [])
            for call in CALL.finditer(code):
                first = code.count("\n", 0, call.start()) + 1
                end = check_atomics.statement_end(code, call.end() - 1)
                last = code.count("\n", 0, end) + 1
                label = check_atomics.label_of(first, last, comments)
                kind, operation, order, _ = call.groups()
                where = function_at(code, call.start())
                for weaker in STEPS[order]:
                    new = f"sync_{kind}_{operation}_weak_{weaker}("
                    yield (label, path, call.start(), call.end(), new,
                           f"{label} {path}:{first} {where} {order} -> {weaker}")


def labels_of(scenario):
    text = pathlib.Path(explore.scenario_file(scenario)).read_text()
    return set(re.findall(check_atomics.LABEL, text[text.index("LINN_SCENARIO("):]))


def compiles(scenario, path):
    """Whether the scenario runs what stands in the file."""
    if path.suffix == ".h":
        return True
    # huge_free links the arenas and does not enter them.
    idle = {"alloc/arena.c"} if scenario == "huge_free" else set()
    return str(path) in set(explore.SOURCES[scenario]) - idle


def try_mutant(checker, mutant, scenarios, scratch):
    """(killer, executions or finding) or None."""
    _, path, start, end, new, _ = mutant
    root = scratch / "tree"
    for folder in "alloc", "sync", "verify":
        shutil.copytree(folder, root / folder, copy_function=shutil.copyfile,
                        ignore=shutil.ignore_patterns("*.cc", "mutants", "bazel-*"))
    text = path.read_text()
    (root / path).write_text(text[:start] + new + text[end:])
    header = root / "sync/atomic.h"
    end_of = '#ifdef __cplusplus\n}\n#endif\n\n#endif /* LINN_SYNC_ATOMIC_H_ */'
    whole = header.read_text()
    assert end_of in whole
    header.write_text(whole.replace(end_of, weak_operations() + "\n" + end_of))
    killer = None
    for name in scenarios:
        program = explore.build(checker, root, name, scratch / "program")
        done = subprocess.run([str(program)] + explore.SEARCH[name],
                              capture_output=True, text=True)
        found = re.search(r"FAILED: (.*)", done.stdout)
        if found:
            killer = (name, found.group(1))
            break
        if done.returncode not in (0, 1):
            raise SystemExit(f"{mutant[5]}: {done.stdout[-300:]}")
    shutil.rmtree(root)
    return killer


def planted():
    """Lines of a table of verify/mutants."""
    lines = ["", "# Mutants that are no orders, and orders planted by hand", "",
             "`verify/mutants/NAME.sed`; each is killed in the scenario named, by the explorer"
             " or natively.", "", "| name | mutant | file | scenario |", "|---|---|---|---|"]
    for script in sorted(pathlib.Path("verify/mutants").glob("*.sed")):
        text = script.read_text()
        what, file, scenario = (re.search(f"^# {key}: (.*)", text, re.M).group(1)
                                for key in ("mutant", "file", "scenario"))
        lines.append(f"| {script.stem} | {what} | {file} | {scenario} |")
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checker")
    parser.add_argument("--only", default="")
    parser.add_argument("--sampled", action="store_true")
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--floor", type=int, default=1)
    options = parser.parse_args()
    checker = str(pathlib.Path(options.checker).resolve())
    only = set(filter(None, options.only.split(",")))
    known = {}
    for line in pathlib.Path("verify/explore/survivors.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            what, reason = line.split(":", 1)
            known[what.strip()] = reason.strip()
    covers = {name: labels_of(name) for name in FINISH + SAMPLE}
    index, count = explore.shard()
    rows, bad, killed, tried, without = [], 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, mutant in enumerate(sites()):
            if number % count != index:
                continue
            label, what = mutant[0], mutant[5]
            key = re.sub(r":\d+", "", what)
            scenarios = [n for n in FINISH + SAMPLE
                         if label in covers[n] and compiles(n, mutant[1])]
            finish = [n for n in scenarios if n in FINISH]
            if finish or not options.sampled:
                scenarios = finish
            if only and label not in only:
                continue
            if not scenarios:
                without += 1
                continue
            tried += 1
            killer = try_mutant(checker, mutant, scenarios, pathlib.Path(folder))
            if killer:
                killed += 1
                rows.append((what, killer[0], killer[1].split(" (")[0]))
                if key in known:
                    print(f"{key} stands in survivors.txt, and is killed")
                    bad += 1
            else:
                rows.append((what, "survives", known.get(key, "NOT EXPLAINED")))
                bad += key not in known
            print(*rows[-1], sep=" | ", flush=True)
    print(f"{killed} of {tried} weakened orders killed, {tried - killed} survive, "
          f"{bad} not as survivors.txt says; {without} are in no quick scenario")
    if options.table:
        lines = ["# Weakened orders", "",
                 "Made by `verify/explore/weaken.py --table`; a site with one order less, and what the explorer says.",
                 "", f"{killed} of {tried} killed. {without} more are in no scenario"
                 " that runs here: they are not tried, so nothing is known of them.", "",
                 "| label, site, weakened | killed by | finding, or why it survives |",
                 "|---|---|---|"]
        lines += [f"| {a} | {b} | {c} |" for a, b, c in rows]
        lines += planted()
        options.table.write_text("\n".join(lines) + "\n")
    return 1 if bad or killed < options.floor else 0


if __name__ == "__main__":
    sys.exit(main())
