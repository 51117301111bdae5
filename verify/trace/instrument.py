"""Makes a copy of the sources whose labelled accesses are logged.

    instrument.py CARDS_FOLDER LABELS FILE ...

LABELS is a list like SP,TS,PT.F2: a label or the letters before its dot.  The
files are changed in place; verify/cards/check_atomics.py, in CARDS_FOLDER, finds
calls and labels, as it does when it checks them.  Fails over a label asked for
that no call has.
"""

import pathlib
import re
import sys

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import check_atomics as atomics  # noqa: E402


def closing(code, at):
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth == 0:
            return i
    sys.exit("instrument.py: a call that does not end")


def instrument(path, wanted, seen):
    text = path.read_text()
    code, comments = atomics.split(text)
    comments = [c for c in comments if not re.match(r"/\*+\s*ATOMIC\b", c[3])]
    edits = []
    for call in atomics.CALL.finditer(code):
        first = code.count("\n", 0, call.start()) + 1
        last = code.count(
            "\n", 0, atomics.statement_end(code, call.end() - 1)) + 1
        label = atomics.label_of(first, last, comments)
        if label not in wanted and (label or "").split(".")[0] not in wanted:
            continue
        kind = call.group(1).upper()
        if kind.startswith("FETCH"):
            kind = "FETCH"
        if kind not in ("LOAD", "STORE", "CAS", "FETCH"):
            continue
        pair = "_PAIR" if "_pair_" in call.group() else ""
        if pair and kind == "STORE":
            continue  # before the stack is shared
        name = call.group().rstrip("( ")
        edits.append((call.start(), call.end(), 'LINN_TRACED_%s%s(%s, "%s", ' %
                      (kind, pair, name, label)))
        seen[label] = seen.get(label, 0) + 1
    for start, end, new in reversed(edits):
        text = text[:start] + new + text[end:]
    if edits:
        path.write_text('#include "verify/trace/traced.h"\n' + text)


def main():
    wanted = set(sys.argv[2].split(","))
    seen = {}
    for name in sys.argv[3:]:
        instrument(pathlib.Path(name), wanted, seen)
    have = set(seen) | {label.split(".")[0] for label in seen}
    if wanted - have:
        sys.exit("instrument.py: no call has the label %s" % (wanted - have))
    print("%d labels, %d calls instrumented" % (len(seen), sum(seen.values())))


if __name__ == "__main__":
    main()
