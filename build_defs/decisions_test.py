#!/usr/bin/env python3
"""What docs/decisions/ names is there: files of the tree by their path, names in
CamelCase (a specification, one of its actions, a test) and labels of cards in some
specification or source, and planted bugs in quotation marks in tla/."""

import pathlib
import re
import sys

PATH = re.compile(r"\b(?:alloc|stress|sync|tla|verify)/[\w/]+\.\w+")
CAMEL = re.compile(r"\b(?:[A-Z][a-z0-9]+){2,}\b")
CARD = re.compile(r"\b[A-Z]{2}\.[A-Z]+[0-9]+\b")
QUOTED = re.compile(r'"([a-z]+)"')
NAMES_MIN = 10


def faults_of(page, words, specifications):
    faults = [f"{p}: no such file" for p in PATH.findall(page) if not pathlib.Path(p).exists()]
    names = CAMEL.findall(page) + CARD.findall(page)
    faults += [f"{n}: no such name" for n in names if n not in words]
    bugs = QUOTED.findall(page)
    faults += [f'"{b}": no specification has it' for b in bugs if f'"{b}"' not in specifications]
    return faults, len(names) + len(bugs) + len(PATH.findall(page))


def text_of(folder, *endings):
    files = [p for p in pathlib.Path(folder).rglob("*") if p.suffix in endings]
    return "".join(p.read_text() for p in sorted(files))


def main():
    specifications = text_of("tla", ".tla")
    sources = [text_of(f, ".c", ".h", ".cc") for f in ("alloc", "stress", "sync", "verify")]
    text = specifications + "".join(sources)
    words = set(re.findall(r"\w+", text)) | set(CARD.findall(text))
    named, faults = 0, []
    pages = sorted(pathlib.Path("docs/decisions").glob("*.md"))
    for page in pages:
        found, count = faults_of(page.read_text(), words, specifications)
        faults += [f"{page}: {f}" for f in found]
        named += count
    print(*faults, sep="\n")
    print(f"{named} names in {len(pages)} decisions, {len(faults)} faults")
    planted = ["HintRes of SubpageReborn", "`tla/None.tla`", "SP.X99", 'the bug "nosuch"']
    silent = [p for p in planted if not faults_of(p, words, specifications)[0]]
    for p in silent:
        print(f"planted fault was not found: {p}")
    few = named < NAMES_MIN or not pages
    return 1 if faults or silent or few else 0


if __name__ == "__main__":
    sys.exit(main())
