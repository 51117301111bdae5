"""Checks that the ATOMIC cards and the code tell one story.

    check_atomics.py [--labels-min N] [--sites-min N] FOLDER ...
    check_atomics.py --spelling [--files-min N] FOLDER ...

A card stands in a comment that begins with "ATOMIC", one line a label:

    /* ATOMIC state, written by any thread
     *   SP.H1 read   load   relaxed  hint; the cas decides
     *   SP.A1 alloc  cas    acquire  pairs SP.N1 SP.F2  our bit is visible

A site is a call sync_<type>_<operation>_<order> or sync_guarded_...  Its label is
the first one of a comment: of one in the same statement, or else of the nearest
comment that has lines of its own and ends at most 5 lines above the call.

Faults, each with its file and line:
  - a call without a label, a label without a card, a card without a site;
  - a label with two cards;
  - an operation or an order that is not the card's;
  - a pair that does not pair back, or whose two sides cannot synchronize;
  - a release or an acquire whose card names no partner of the other kind;
  - a comment that names a label nobody has;
  - a word of the compiler's atomics outside sync/atomic.h (with --spelling, this
    alone): __atomic_..., __sync_..., _Atomic, stdatomic.
Not looked at: sync/atomic.h and sync/section.h, which define the operations; and,
for the compiler's atomics alone, SPELLING below, each with its reason.
"""

import argparse
import pathlib
import re
import sys

LABEL = r"[A-Z]{2}\.[A-Z]+[0-9]+"
CARD = re.compile(
    rf"\s*\*?\s*({LABEL})\s+(\w+)\s+(\w+)\s+(\w+)(?:\s+pairs((?:\s+{LABEL})+))?"
)
CALL = re.compile(
    r"\bsync_(?:guarded_)?(?:u16|u32|u64|ptr|pair)_"
    r"(load|store|cas|exchange|fetch_\w+?)_"
    r"(relaxed|acquire|release|acq_rel|seq_cst)(?:_\w+)?\s*\("
)
ORDERS = {"relaxed", "acquire", "release", "acq_rel", "seq_cst"}
ACQUIRING = {"acquire", "acq_rel", "seq_cst"}
RELEASING = {"release", "acq_rel", "seq_cst"}
REACH_LINES = 5
DEFINING = ("sync/atomic.h", "sync/section.h")
BUILTIN = re.compile(r"\b(?:__atomic_\w+|__sync_\w+|_Atomic\b|stdatomic\w*)")
SPELLING = (
    "sync/atomic.h",
    # What the compiler's own ThreadSanitizer calls become: it stands in for them.
    "verify/explore/runtime.c",
    # Planted: a locked instruction that the gate of object code must find.
    "verify/gates/object_code_planted.c",
)


class Card:
    def __init__(self, label, operation, order, pairs, here):
        self.label = label
        self.operation = operation
        self.order = order
        self.pairs = pairs
        self.here = here


def plain(operation):
    """fetch_or in a call is or in a card; either may be written in the card."""
    return operation.replace("fetch_", "")


TOKEN = re.compile(
    r"(?P<comment>/\*.*?(?:\*/|\Z)|//[^\n]*)"
    r"|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?",
    re.DOTALL,
)


def split(text):
    """The text without comments and strings (same length), and the comments.

    A comment is (first line, last line, whether code stands before it, text).
    """
    code, comments = [], []  # code: pieces that together are as long as the text
    at, line = 0, 1
    before = ""  # what the code has on this line so far
    for token in TOKEN.finditer(text):
        inside = token.group()
        code.append(text[at : token.start()])
        line += code[-1].count("\n")
        before = (before + code[-1]).rpartition("\n")[2]
        if token.group("comment"):
            last = line + inside.count("\n")
            trailing = before.strip(" \t\\") != ""
            comments.append((line, last, trailing, inside))
            blank = re.sub(r"[^\n]", " ", inside)
        else:
            last = line + inside.count("\n")
            blank = inside[0] + re.sub(r"[^\n]", " ", inside[1:-1]) + inside[-1:]
        code.append(blank)
        before = (before + blank).rpartition("\n")[2]
        line, at = last, token.end()
    code.append(text[at:])
    return "".join(code), comments


def read_cards(path, comments, cards, faults):
    """Takes the cards out of the comments; returns the comments without cards."""
    others = []
    for first, last, trailing, text in comments:
        if not re.match(r"/\*+\s*ATOMIC\b", text):
            others.append((first, last, trailing, text))
            continue
        for n, line in enumerate(text.splitlines(), first):
            match = CARD.match(line)
            if not match:
                continue
            label, _, operation, order, pairs = match.groups()
            here = f"{path}:{n}"
            if order not in ORDERS:
                faults.append(f"{here}: {label} has the order '{order}'")
            elif label in cards:
                faults.append(f"{here}: {label} has a card at {cards[label].here}")
            else:
                cards[label] = Card(
                    label, plain(operation), order, (pairs or "").split(), here
                )
    return others


def statement_end(code, at):
    """Where the statement that has a call at `at` ends: its ; or its {."""
    depth = 0
    for i in range(at, len(code)):
        if code[i] in "([":
            depth += 1
        elif code[i] in ")]":
            depth -= 1
        elif code[i] in ";{" and depth <= 0:
            return i
    return len(code)


def label_of(first, last, comments):
    """The label of the call in lines first to last, or None.

    A comment that shares its first line with code is the label of that statement
    alone.
    """
    for c_first, _, trailing, text in comments:
        if trailing and first <= c_first <= last:
            match = re.search(LABEL, text)
            if match:
                return match.group()
    best = None
    for c_first, c_last, trailing, text in comments:
        inside = first < c_first <= last  # on lines of its own in the statement
        above = c_last < first and first - c_last <= REACH_LINES
        if not trailing and (inside or above):
            match = re.search(LABEL, text)
            if match:
                best = match.group()
    return best


def read_sites(path, code, comments, sites, faults):
    for call in CALL.finditer(code):
        first = code.count("\n", 0, call.start()) + 1
        # A comment after the ; on its line still belongs to the statement.
        last = code.count("\n", 0, statement_end(code, call.end() - 1)) + 1
        label = label_of(first, last, comments)
        here = f"{path}:{first}"
        name = call.group().rstrip("( ")
        if label is None:
            faults.append(f"{here}: {name} has no label")
            continue
        sites.setdefault(label, []).append(
            (plain(call.group(1)), call.group(2), name, here)
        )


def read_spelling(path, code, faults):
    for found in BUILTIN.finditer(code):
        line = code.count("\n", 0, found.start()) + 1
        faults.append(
            f"{path}:{line}: {found.group()}: sync/atomic.h alone spells atomics"
        )


def judge(cards, sites, named, faults):
    for label, card in cards.items():
        if label not in sites:
            faults.append(f"{card.here}: {label} has no site")
        partners = 0
        for other_label in card.pairs:
            other = cards.get(other_label)
            if other is None or label not in other.pairs:
                faults.append(
                    f"{card.here}: {label} pairs {other_label},"
                    " which does not pair back"
                )
                continue
            forth = card.order in RELEASING and other.order in ACQUIRING
            back = card.order in ACQUIRING and other.order in RELEASING
            if forth or back:
                partners += 1
            else:
                faults.append(
                    f"{card.here}: {label} ({card.order}) and {other_label}"
                    f" ({other.order}) cannot synchronize"
                )
        if card.order != "relaxed" and partners == 0:
            faults.append(f"{card.here}: {label} is {card.order} for no partner")
    for label, found in sites.items():
        card = cards.get(label)
        for operation, order, name, here in found:
            if card is None:
                faults.append(f"{here}: {name} has the label {label}, no card")
            elif (operation, order) != (card.operation, card.order):
                faults.append(
                    f"{here}: {label} is {operation} {order},"
                    f" its card says {card.operation} {card.order}"
                )
    for label, here in named:
        if label not in cards:
            faults.append(f"{here}: {label} is named and has no card")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--labels-min", type=int, default=1)
    parser.add_argument("--sites-min", type=int, default=1)
    parser.add_argument("--files-min", type=int, default=1)
    parser.add_argument("--spelling", action="store_true")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    options = parser.parse_args()

    cards, sites, named, faults = {}, {}, [], []
    files = []
    for folder in options.folders:
        files += [p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".cc")]
    for path in sorted(files):
        code, comments = split(path.read_text())
        if not str(path).endswith(SPELLING):
            read_spelling(path, code, faults)
        # A test in C++ makes accesses that are nobody's protocol.
        if options.spelling or path.suffix == ".cc" or str(path).endswith(DEFINING):
            continue
        comments = read_cards(path, comments, cards, faults)
        read_sites(path, code, comments, sites, faults)
        for first, _, _, text in comments:
            for n, line in enumerate(text.splitlines(), first):
                named += [(x, f"{path}:{n}") for x in re.findall(LABEL, line)]
    judge(cards, sites, named, faults)

    site_count = sum(len(found) for found in sites.values())
    for fault in sorted(set(faults)):
        print(fault)
    faults = set(faults)
    print(
        f"{len(cards)} labels, {site_count} sites, {len(faults)} faults"
        f" in {len(files)} files"
    )
    if options.spelling:
        options.labels_min = options.sites_min = 0
    if len(files) < options.files_min:
        print(f"fewer than {options.files_min} files")
        return 1
    few = len(cards) < options.labels_min or site_count < options.sites_min
    if few:
        print(
            f"fewer than {options.labels_min} labels or {options.sites_min} sites:"
            " the checker has missed them, or the floors are wrong"
        )
    return 1 if faults or few else 0


if __name__ == "__main__":
    sys.exit(main())
