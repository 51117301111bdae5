#!/usr/bin/python3
"""Walks the object code of the fast path, and fails on a loop, a locked instruction,
or a second call.

  object_code.py OBJECT FUNCTION ...

Every path from a function's entry is followed until it returns or leaves for a slow
twin: by a call or jump to a function named *_slow, or into the part that the compiler
split off as cold.  On the way there may be
  - no instruction twice (a backward jump that closes a loop; one that only joins
    another path is the compiler's placement),
  - no locked instruction, and no xchg with memory, which locks by itself,
  - at most one call, or jump to another function.
"""

import re
import subprocess
import sys

LINE = re.compile(r"^\s*([0-9a-f]+):\t([^\t#<]*?)\s*(?:<([^>+]+)(?:\+0x([0-9a-f]+))?>)?\s*(?:#.*)?$")
RELOC = re.compile(r"^\s*[0-9a-f]+: R_X86_64_\w+\t(\S+?)(?:[-+]0x[0-9a-f]+)?$")
HEAD = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")


def disassemble(path):
    done = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"objdump {path}: exit {done.returncode}: {done.stderr}")
    out = done.stdout
    functions, current = {}, None
    for line in out.splitlines():
        head = HEAD.match(line)
        if head:
            current = functions.setdefault(head.group(1), [])
            continue
        reloc = RELOC.match(line)
        if reloc and current:
            current[-1]["reloc"] = reloc.group(1)
            continue
        insn = LINE.match(line)
        if insn and current is not None and insn.group(2):
            current.append({"at": int(insn.group(1), 16), "text": insn.group(2).strip(),
                            "to": insn.group(3), "reloc": None})
    return functions


class Walk:
    def __init__(self, functions, name):
        self.name = name
        self.code = functions[name]
        self.index = {i["at"]: n for n, i in enumerate(self.code)}
        self.faults = set()
        self.walked = set()
        self.paths = 0

    def target(self, insn):
        return insn["reloc"] or insn["to"] or ""

    def leaves(self, insn):
        """The function that a jump or call goes to; None: it stays in this one."""
        target = self.target(insn)
        if insn["reloc"] is None and target == self.name:
            return None
        return target or "?"

    def go(self, n, on_path, calls):
        while True:
            if n >= len(self.code):
                self.faults.add("runs past its end")
                return
            insn = self.code[n]
            if insn["at"] in on_path:
                self.faults.add(f"loop at {insn['at']:x}: {insn['text']}")
                return
            on_path = on_path | {insn["at"]}
            self.walked.add(insn["at"])
            text = insn["text"]
            op = text.split()[0]
            if op == "lock" or (op.startswith("xchg") and "(" in text):
                self.faults.add(f"locked at {insn['at']:x}: {text}")
            if op.startswith("ret"):
                self.paths += 1
                return
            if op.startswith("call"):
                calls += 1
                if calls > 1:
                    self.faults.add(f"second call at {insn['at']:x}: {text}")
                if "_slow" in self.target(insn):
                    self.paths += 1
                    return
            elif op.startswith("j"):
                out = self.leaves(insn)
                slow = out is not None and ("_slow" in out or ".cold" in out or
                                            ".text.unlikely" in out)
                if out is not None and not slow:
                    calls += 1
                    if calls > 1:
                        self.faults.add(f"second call at {insn['at']:x}: {text}")
                if op == "jmp":
                    if out is not None:
                        self.paths += 1
                        return
                    n = self.index[int(text.split()[1], 16)]
                    continue
                if out is not None:
                    self.paths += 1
                else:
                    self.go(self.index[int(text.split()[1], 16)], on_path, calls)
            n += 1


def main():
    path, names = sys.argv[1], sys.argv[2:]
    functions = disassemble(path)
    bad = 0
    for name in names:
        match = [f for f in functions if f == name or f.startswith(name + ".")
                 and ".cold" not in f]
        if not match:
            print(f"{name}: not in {path}")
            bad += 1
            continue
        walk = Walk(functions, match[0])
        walk.go(0, frozenset(), 0)
        print(f"{name}: {len(walk.walked)} of {len(walk.code)} instructions walked, "
              f"{walk.paths} paths, {len(walk.faults)} faults")
        for fault in sorted(walk.faults):
            print(f"  {fault}")
        bad += len(walk.faults)
        if len(walk.walked) < 20 or walk.paths < 2:
            print("  too little was walked")
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
