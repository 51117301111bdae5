"""Turns what subpage_world prints into a TLA+ module and a TLC configuration.

    subpage_log.py LOG OUT_FOLDER [EDIT]

EDIT spoils the log, which TLC must then reject: drop:N leaves step N out, swap:N
changes it with the next step of the same thread, value:N alters a word in it.
N counts the steps at which an edit of that kind must show.

A loop's failed compare-and-swap is a step that fails and a new look.  A thread's
decision that has no access of its own ("nothing free", "keep") is put where the
access was by which it was made.
"""

import pathlib
import sys

CLASSES = {1: "A", 2: "B"}
TOTAL = {"A": 2, "B": 1}


def read(path):
    head, events = {"stacks": {}}, []
    for line in pathlib.Path(path).read_text().splitlines():
        w = line.split()
        if w[0] == "subpages":
            head["base"] = int(w[1], 16)
            head["size"], head["node"], head["bits"] = map(int, w[2:5])
        elif w[0] == "stack":
            head["stacks"][int(w[3], 16)] = (CLASSES[int(w[1])], int(w[2]))
        else:
            events.append((int(w[0]), w[1], w[2], int(w[3], 16),
                           int(w[4], 16), int(w[5], 16), int(w[6]),
                           w[7] == "1"))
    return head, events


def text(v):
    if isinstance(v, str):
        return '"%s"' % v
    if isinstance(v, bool):
        return "TRUE" if v else "FALSE"
    if isinstance(v, frozenset):
        return "{%s}" % ", ".join(sorted(text(x) for x in v))
    if isinstance(v, dict):
        return "[%s]" % ", ".join("%s |-> %s" % (k, text(x))
                                  for k, x in v.items())
    return str(v)


class World:

    def __init__(self, head, events):
        self.head, self.events = head, events
        self.pc = {}
        self.steps, self.runs, self.threads = [], set(), set()
        self.gone = {}  # of each thread: the run that it gives back

    def run_of(self, address, member=0):
        page = (address - self.head["base"] - member) // self.head["size"]
        name = "r%d" % page
        self.runs.add(name)
        return name

    def node(self, low):
        return "nil" if low == 0 else self.run_of(low, self.head["node"])

    @staticmethod
    def guard(word):
        live = word & 3 == 1
        return {
            "live": live,
            "listed": bool(word >> 2 & 1),
            "free": word >> 3 & 0x3ff,
            "class": CLASSES[word >> 13 & 0xff] if live else "nil",
            "gen": word >> 21,
        }

    @staticmethod
    def bits(word, c):
        each = {"A": [{1}, {2}], "B": [{1, 2}]}[c]
        if word >> len(each):
            sys.exit("a bit that no element has: %#x" % word)
        return frozenset(
            frozenset(e) for i, e in enumerate(each) if word >> i & 1)

    def later(self, n, thread, label, function=None):
        for e in self.events[n + 1:]:
            if e[0] == thread and e[1] == label and (
                    function is None or function in e[2]):
                return e
        return None

    def put(self, name, thread, *more):
        self.steps.append((name, "t%d" % thread) + more)

    def seen_when_popped(self, n, t, r, word):
        g = self.guard(word)
        if g["live"] and 0 < g["free"] < TOTAL[g["class"]]:
            push = self.later(n, t, "TS.H1", "push")
            if push is None:
                return False
            self.put("keep", t, r, self.head["stacks"][push[3]][1], g)
            self.pc[t] = "push"
        else:
            self.put("look", t, r, g)
        return True

    def translate(self):
        class_of = {}  # of a run, as its last birth says
        for n, (t, label, fn, at, before, after, tag, done) in enumerate(
                self.events):
            self.threads.add("t%d" % t)
            pc = self.pc.get(t, "idle")
            stack = self.head["stacks"].get(at)
            if label.startswith("TS.") and stack is None and label not in (
                    "TS.N2", "TS.H2"):
                continue  # another stack
            if label == "TS.T1":
                if after == 0:
                    self.put("empty", t, *stack)
                else:
                    self.put("top", t, *stack, self.node(after), tag)
                    self.pc[t] = "guard"
            elif label == "TS.T2":
                self.put("still", t, self.node(after), tag)
                look = next(s for s in reversed(self.steps)
                            if s[0] == "top" and s[1] == "t%d" % t)
                same = look[4:6] == (self.node(after), tag)
                self.pc[t] = "reserve" if same else "idle"
            elif label == "SP.H1":
                r, g = self.run_of(at), self.guard(after)
                if pc == "guard" and fn == "reserve_at_top":
                    self.put("guard", t, r, g)
                elif fn == "linn_subpage_popped":
                    if not self.seen_when_popped(n, t, r, after):
                        break
                else:
                    self.put("look", t, r, g)
            elif label in ("SP.L1", "SP.R1"):
                r = self.run_of(at)
                if not done:
                    if not self.seen_when_popped(n, t, r, after):
                        break
                elif label == "SP.L1":
                    self.put("unlist", t, r, self.guard(after))
                    self.pc[t] = "idle"
                else:
                    self.put("retire", t, r, self.guard(after))
                    self.pc[t] = "giverun"
                    self.gone[t] = r
            elif label == "SP.A1":
                r = self.run_of(at)
                if done:
                    self.put("reserve", t, r, self.guard(after))
                    self.pc[t] = "claim"
                else:
                    self.put("look", t, r, self.guard(after))
            elif label == "SP.A2":
                r = self.run_of(at, self.head["bits"])
                if done:
                    self.put("claim", t, r, self.bits(after, class_of[r]))
                    self.pc[t] = "idle"
            elif label == "SP.N2":
                r = self.run_of(at, self.head["bits"])
                if (at - self.head["base"]) % self.head["size"] != \
                        self.head["bits"]:
                    continue  # the other words hold no element here
                born = self.later(n, t, "SP.N1")
                if born is None:
                    break
                c = self.guard(born[5])["class"]
                class_of[r] = c
                self.put("run", t, c)
                self.put("claimrun", t, r)
                self.put("fill", t, r, self.bits(after, c))
            elif label == "SP.N1":
                g = self.guard(after)
                self.put("born", t, self.run_of(at), g)
                self.pc[t] = "push" if g["listed"] else "idle"
            elif label == "SP.F1":
                r = self.run_of(at, self.head["bits"])
                if done:
                    self.put("setbits", t, r, self.bits(before, class_of[r]),
                             self.bits(after, class_of[r]))
            elif label == "SP.F2":
                r = self.run_of(at)
                if done:
                    listed = bool(before >> 2 & 1)
                    self.put("leave", t, r, self.guard(after))
                    self.pc[t] = "idle" if listed else "push"
                else:
                    self.put("look", t, r, self.guard(after))
            elif label == "TS.H4" and fn.endswith("_pop"):
                if pc == "reserve":
                    self.put("nothing", t)
                elif after == 0:
                    self.put("empty", t, *stack)
                    continue
                else:
                    self.put("collect", t, *stack)
                self.put("poplook", t, *stack, self.node(after), tag)
                self.pc[t] = "idle" if after == 0 else "pop"
            elif label == "TS.H2":
                if pc == "pop":
                    self.put("poplink", t, self.run_of(at, self.head["node"]),
                             self.node(after))
            elif label == "TS.O1":
                if done:
                    self.put("pop", t, self.node(after), tag)
                else:
                    self.put("nopop", t)
                    self.put("poplook", t, *stack, self.node(after), tag)
                    if after == 0:
                        self.pc[t] = "idle"
            elif label == "TS.H1" and fn.endswith("_push"):
                self.put("pushlook", t, *stack, self.node(after), tag)
            elif label == "TS.N2":
                if pc == "push":
                    self.put("pushlink", t, self.run_of(at, self.head["node"]),
                             self.node(after))
            elif label == "TS.P1":
                if done:
                    self.put("push", t, self.node(after), tag)
                    self.pc[t] = "idle"
                else:
                    self.put("nopush", t)
                    self.put("pushlook", t, *stack, self.node(after), tag)
            elif label in ("PT.F1", "PT.F2"):
                if pc == "giverun" and done:
                    self.put("giverun", t, self.gone[t])
                    self.pc[t] = "leavechunk"
            elif label == "CH.F1":
                if pc == "leavechunk" and done:
                    self.put("leavechunk", t)
                    self.pc[t] = "idle"


def spoil(steps, edit):
    kind, n = edit.split(":")
    n = int(n)
    if kind == "drop":
        at = [k for k, s in enumerate(steps)
              if s[0] in ("reserve", "leave", "push", "pop", "claim")][n]
        return steps[:at] + steps[at + 1:]
    if kind == "swap":
        at = [k for k, s in enumerate(steps) if s[0] == "setbits"][n]
        other = next(k for k in range(at + 1, len(steps))
                     if steps[k][0] == "leave" and steps[k][1] == steps[at][1])
        out = list(steps)
        out[at], out[other] = out[other], out[at]
        return out
    if kind == "value":
        at = [k for k, s in enumerate(steps) if s[0] in ("leave", "reserve")][n]
        s = steps[at]
        return steps[:at] + [s[:3] + (dict(s[3], free=s[3]["free"] + 1),)
                            ] + steps[at + 1:]
    sys.exit("no edit " + edit)


def main():
    head, events = read(sys.argv[1])
    out = pathlib.Path(sys.argv[2])
    world = World(head, events)
    world.translate()
    steps = world.steps
    if len(sys.argv) > 3:
        steps = spoil(steps, sys.argv[3])
    kinds = {s[0] for s in steps}
    # Used counts the runs on their way back too, so there are more than we saw.
    runs = sorted(world.runs) + ["more%d" % k for k in range(4)]
    lines = ["---- MODULE SubpageLog ----", "Log == <<"]
    lines.append(",\n".join(
        "<<%s>>" % ", ".join(text(v) for v in s) for s in steps))
    lines += [">>", "LogLength == %d" % len(steps), "===="]
    (out / "SubpageLog.tla").write_text("\n".join(lines) + "\n")
    (out / "SubpageTrace.cfg").write_text(
        "CONSTANTS\n  Threads = %s\n  Runs = %s\n  Classes = {\"A\", \"B\"}\n"
        "  Nil = \"nil\"\n  MaxBirths = 100000000\n  MaxTag = 100000000\n"
        "  BUG = \"none\"\nSPECIFICATION TraceSpec\n"
        "INVARIANTS B1 B2 NoOverlap NotFree OneInHand\n" %
        (text(frozenset(world.threads)), text(frozenset(runs))))
    print("%d events, %d steps of %d kinds" %
          (len(events), len(steps), len(kinds)))


if __name__ == "__main__":
    main()
