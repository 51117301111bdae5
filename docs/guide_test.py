#!/usr/bin/env python3
"""Every test that from_bytebuf.md names is there; and so is every file.

    guide_test.py from_bytebuf.md FLOOR TEST.cc ...
"""

import pathlib
import re
import sys

guide = pathlib.Path(sys.argv[1])
floor = int(sys.argv[2])
text = guide.read_text()
tests = set()
for name in sys.argv[3:]:
    source = pathlib.Path(name).read_text()
    tests |= set(re.findall(r"TEST(?:_P|_F)?\(\w+,\s*(\w+)\)", source))

named, missing = 0, []
for words in re.findall(r"(?:contract|buf|composite|count): ([A-Z][\w, .]*)", text):
    for word in re.split(r",\s*", words):
        word = word.split(" ")[0]
        if not word:
            continue
        named += 1
        if word.endswith("..."):
            found = any(t.startswith(word[:-3]) for t in tests)
        else:
            found = word in tests
        if not found:
            missing.append(word)
for link in re.findall(r"\]\((\.?\.?/?[\w/.]+)\)", text):
    named += 1
    if not (guide.parent / link).exists():
        missing.append(link)
print(f"{named} names, {len(missing)} missing: {missing} (floor {floor})")
sys.exit(0 if named >= floor and not missing else 1)
