#!/usr/bin/env python3
"""Stand-in for Bazel's CoverageOutputGenerator, which Debian's Bazel does not ship.

As lcov_merger it turns what one test left in --coverage_dir (gcov's .gcov.json.gz,
or lcov files from llvm-cov) into one lcov file; as coverage_report_generator it adds
up the lcov files that --reports_file lists.  Lines, functions and branches are kept,
and counts of the same one are added.  A file outside the workspace (an absolute
path) is left out, as is one that a --filter_sources expression matches whole.
"""

import collections
import gzip
import json
import os
import re
import sys


class Coverage:
    """Counts by file: lines, functions (with the line they start at), branches."""

    def __init__(self, filters):
        self.filters = [re.compile(f) for f in filters]
        self.lines = collections.defaultdict(collections.Counter)
        self.functions = collections.defaultdict(dict)
        self.branches = collections.defaultdict(collections.Counter)

    def wanted(self, name):
        return not name.startswith("/") and not any(
            f.fullmatch(name) for f in self.filters
        )

    def add_function(self, file, name, line, count):
        entry = self.functions[file].setdefault(name, [line, 0])
        entry[1] += count

    def read_gcov(self, path):
        with gzip.open(path) as stream:
            files = json.load(stream)["files"]
        for file in files:
            name = file["file"]
            if not self.wanted(name):
                continue
            for f in file["functions"]:
                self.add_function(
                    name, f["demangled_name"], f["start_line"], f["execution_count"]
                )
            for line in file["lines"]:
                number = line["line_number"]
                self.lines[name][number] += line["count"]
                for i, branch in enumerate(line.get("branches", [])):
                    self.branches[name][number, 0, i] += branch["count"]

    def read_lcov(self, path):
        name = None
        with open(path) as stream:
            for text in stream:
                kind, _, value = text.rstrip("\n").partition(":")
                if kind == "SF":
                    name = value if self.wanted(value) else None
                elif name is None:
                    continue
                elif kind == "DA":
                    number, count = value.split(",")[:2]
                    self.lines[name][int(number)] += int(count)
                elif kind == "FN":
                    number, function = value.split(",", 1)
                    self.add_function(name, function, int(number), 0)
                elif kind == "FNDA":
                    count, function = value.split(",", 1)
                    if function in self.functions[name]:
                        self.functions[name][function][1] += int(count)
                elif kind == "BRDA":
                    number, block, branch, count = value.split(",")
                    key = int(number), int(block), int(branch)
                    self.branches[name][key] += 0 if count == "-" else int(count)

    def write(self, path):
        with open(path, "w") as out:
            for name in sorted(self.lines):
                functions = sorted(self.functions[name].items())
                branches = sorted(self.branches[name].items())
                lines = sorted(self.lines[name].items())
                out.write(f"SF:{name}\n")
                for function, (line, _) in functions:
                    out.write(f"FN:{line},{function}\n")
                for function, (_, count) in functions:
                    out.write(f"FNDA:{count},{function}\n")
                hit = sum(count > 0 for _, (_, count) in functions)
                out.write(f"FNF:{len(functions)}\nFNH:{hit}\n")
                for (line, block, branch), count in branches:
                    out.write(f"BRDA:{line},{block},{branch},{count}\n")
                if branches:
                    hit = sum(count > 0 for _, count in branches)
                    out.write(f"BRF:{len(branches)}\nBRH:{hit}\n")
                for line, count in lines:
                    out.write(f"DA:{line},{count}\n")
                hit = sum(count > 0 for _, count in lines)
                out.write(f"LH:{hit}\nLF:{len(lines)}\nend_of_record\n")


def main(words):
    options, filters = {}, []
    for word in words:
        key, _, value = word.lstrip("-").partition("=")
        if key == "filter_sources":
            filters.append(value)
        else:
            options[key] = value
    coverage = Coverage(filters)
    if "reports_file" in options:
        with open(options["reports_file"]) as stream:
            for path in stream.read().split():
                if os.path.getsize(path):
                    coverage.read_lcov(path)
    else:
        for folder, _, names in os.walk(options["coverage_dir"]):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".gcov.json.gz"):
                    coverage.read_gcov(path)
                elif name.endswith(".dat") and os.path.getsize(path):
                    coverage.read_lcov(path)
    coverage.write(options["output_file"])


main(sys.argv[1:])
