#!/usr/bin/env python3
"""Lists the compare-and-swaps of alloc/ and sync/ with their labels, as C.

    sites.py CHECK_ATOMICS.PY FOLDER ... > sites.inc

A line a site: {"sync/tagged_stack.h", first line, last line, "TS.P1"}, the lines
from the call's name to the end of its statement; labels as check_atomics.py has
them.
"""

import importlib.util
import pathlib
import sys


def load(path):
    spec = importlib.util.spec_from_file_location("check_atomics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sites(cards, folders):
    found = []
    files = [p for f in folders for p in pathlib.Path(f).rglob("*")]
    for path in sorted(p for p in files if p.suffix in (".c", ".h")):
        if str(path).endswith(cards.DEFINING):
            continue
        code, comments = cards.split(path.read_text())
        plain = cards.read_cards(path, comments, {}, [])
        for call in cards.CALL.finditer(code):
            if call.group(1) != "cas":
                continue
            first = code.count("\n", 0, call.start()) + 1
            end = cards.statement_end(code, call.end() - 1)
            last = code.count("\n", 0, end) + 1
            label = cards.label_of(first, last, plain)
            found.append((str(path), first, last, label))
    return found


if __name__ == "__main__":
    for path, first, last, label in sites(load(sys.argv[1]), sys.argv[2:]):
        print(f'{{"{path}", {first}, {last}, "{label}"}},')
