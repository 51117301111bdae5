"""Turns what bands_world prints into a TLA+ module and a TLC configuration.

    bands_log.py LOG OUT_FOLDER [EDIT]

EDIT spoils the log, which TLC must then reject: drop:N leaves step N out, swap:N
changes it with the next step of the same thread, value:N alters a word in it.
N counts the steps at which an edit of that kind must show.

A look that led to nothing is only compared with what was in memory.  A decision
that has no access of its own is put where the access was by which it was made:
that a guard was not of the hint's band, where the guard was read.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
from subpage_log import text  # noqa: E402

GUARD = (("used", 12), ("arena", 8), ("band", 3), ("state", 2), ("ver", 15),
         ("gen", 24))
LIVE = 1
BANDS = 6
AHEAD = 40  # accesses of a thread from a look to what comes of it


def unpack(word):
    g = {}
    for name, bits in GUARD:
        g[name] = word & (1 << bits) - 1
        word >>= bits
    return g


def read(path):
    head = {"arenas": [], "guard": {}, "node": {}, "up": [], "down": []}
    events = []
    for line in pathlib.Path(path).read_text().splitlines():
        w = line.split()
        if w[0] == "pages":
            head["pages"] = int(w[1])
        elif w[0] == "band":
            head["up"].append(int(w[2]))
            head["down"].append(int(w[3]))
        elif w[0] == "arena":
            head["arenas"].append([int(x, 16) for x in w[2:5]] + [int(w[5])])
        elif w[0] == "slot":
            head["guard"][int(w[2], 16)] = int(w[1])
            head["node"][int(w[3], 16)] = int(w[1])
        else:
            events.append((int(w[0]), w[1], w[2], int(w[3], 16),
                           int(w[4], 16), int(w[5], 16), w[7] == "1"))
    return head, events


def slot_name(n):
    return "s%d" % n


class World:

    def __init__(self, head, events):
        self.head, self.events = head, events
        self.steps, self.places = [], set()
        self.threads = sorted({e[0] for e in events})
        self.own = {t: [e for e in events if e[0] == t] for t in self.threads}
        self.find_places()

    def place_of(self, address):
        for a, (slots, _, _, _) in enumerate(self.head["arenas"]):
            if 0 <= address - slots < 4 * 4096:
                return a, (address - slots) // 4
        sys.exit("no place: %#x" % address)

    def key(self, a, place):
        return "a%dp%d" % (a, place)

    def hint_of(self, address):
        for a, (_, hints, _, size) in enumerate(self.head["arenas"]):
            if 0 <= address - hints < BANDS * size:
                band, rest = divmod(address - hints, size)
                return a, band, rest // 8
        sys.exit("no hint: %#x" % address)

    def spare_of(self, address):
        for a, arena in enumerate(self.head["arenas"]):
            if arena[2] == address:
                return self.key(a, 0)
        sys.exit("no spare: %#x" % address)

    def find_places(self):
        for a in range(len(self.head["arenas"])):
            self.places.add((a, 0))
        for e in self.events:
            if e[1] in ("AR.L1", "AR.L2"):
                self.places.add(self.place_of(e[3]))

    def guard_at(self, address):
        return slot_name(self.head["guard"][address])

    @staticmethod
    def guard(word):
        g = unpack(word)
        return {"live": g["state"] == LIVE, "gen": g["gen"],
                "band": g["band"], "used": g["used"]}

    def put(self, name, agent, *more):
        self.steps.append((name, agent) + more)

    def translate(self):
        position = {t: 0 for t in self.threads}
        by_hint = {t: None for t in self.threads}  # the band it searches
        leads_to = {t: None for t in self.threads}  # what its look leads to
        checks = {t: False for t in self.threads}  # a guard after a clear
        mapped = {t: None for t in self.threads}  # the chunk of its t..m
        for t, label, fn, at, before, after, done in self.events:
            position[t] += 1
            ahead = self.own[t][position[t]:position[t] + AHEAD]
            me, mapper = "t%d" % t, "t%dm" % t
            if label == "AR.H1":
                a, band, w = self.hint_of(at)
                known = frozenset(self.key(x, p) for x, p in self.places
                                  if x == a and p // 64 == w)
                bits = frozenset(self.key(x, p) for x, p in self.places
                                 if x == a and p // 64 == w
                                 and after >> p % 64 & 1)
                self.put("hints", me, known, band, bits)
                by_hint[t] = band
            elif label == "AR.P2":
                by_hint[t] = None  # a search begins
            elif label == "AR.L2" and fn in ("try_place",
                                             "linn_arena_release_empty"):
                a, p = self.place_of(at)
                key = self.key(a, p)
                named = "none" if after == 0 else slot_name(after - 1)
                leads_to[t] = self.leads(ahead)
                if leads_to[t] is None:
                    self.put("named", me, key, named)
                    continue
                if by_hint[t] is None:
                    self.put("search", me, key)
                else:
                    self.put("led", me, key, by_hint[t])
                self.put("place", me, key, named)
            elif label == "CH.H1" and fn in ("try_place",
                                             "linn_arena_release_empty"):
                s, g = self.guard_at(at), self.guard(after)
                if leads_to[t] is None:
                    self.put("look", me, s, g)
                    continue
                self.put("guard", me, s, g)
                if leads_to[t] == "clear":
                    self.put("again", me, "reserve")
                    # A compare-and-swap may show it later than this look.
                    if not self.fails_later(ahead):
                        self.put("nothing", me)
            elif label == "AR.L4":
                a, p = self.place_of(at)
                if leads_to[t] in ("reserve", "retire"):
                    self.put("again", me, "reserve")
                else:
                    self.put("named", me, self.key(a, p),
                             "none" if after == 0 else slot_name(after - 1))
            elif label == "CH.R1":
                s, g = self.guard_at(at), self.guard(after)
                if done:
                    self.put("reserve", me, s, g)
                    leads_to[t] = None
                else:
                    self.put("look", me, s, g)
                    if leads_to[t] == "clear" and not self.fails_later(ahead):
                        self.put("nothing", me)
            elif label == "CH.F1":
                self.put("return" if done else "look", me, self.guard_at(at),
                         self.guard(after))
            elif label == "CH.D1":
                s, g = self.guard_at(at), self.guard(after)
                if done:
                    self.put("retire", me, s, g["gen"])
                    leads_to[t] = None
                else:
                    self.put("look", me, s, g)
            elif label in ("AR.H2", "AR.H3", "AR.H4"):
                a, band, w = self.hint_of(at)
                bits = ~after & (1 << 64) - 1 if label == "AR.H3" else after
                bit = bits.bit_length() - 1
                key = self.key(a, w * 64 + bit)
                was = bool(before >> bit & 1)
                if label == "AR.H2":
                    born = mapped[t] == "born"
                    self.put("set", mapper if born else me, key, band, was)
                    if born:
                        mapped[t] = None
                elif label == "AR.H3":
                    self.put("clear", me, key, band, was)
                    leads_to[t] = None
                else:
                    self.put("setagain", me, key, band)
            elif label == "AR.L2" and fn == "clear_hint":
                a, p = self.place_of(at)
                self.put("recheck", me, self.key(a, p),
                         "none" if after == 0 else slot_name(after - 1))
                checks[t] = after != 0
            elif label == "CH.H1":
                s, g = self.guard_at(at), self.guard(after)
                if checks[t]:
                    self.put("recheckguard", me, s, g)
                    checks[t] = False
                else:
                    self.put("look", me, s, g)
            elif label == "AR.L3":
                a, p = self.place_of(at)
                self.put("leave", me, self.key(a, p))
            elif label in ("TS.O1", "CS.C1"):
                if not done:
                    continue
                n_slot = before if label == "CS.C1" else \
                    self.head["node"].get(before)
                home = self.home_of(ahead)
                self.put("takeslot", mapper, home, slot_name(n_slot))
                mapped[t] = slot_name(n_slot)
            elif label == "AR.S2":
                if not done:
                    continue
                home = self.spare_of(at)
                s = slot_name(before - 1)
                goes = next((e[1] for e in ahead
                             if e[1] in ("TS.P1", "AR.L1")), "TS.P1")
                self.put("takespare", mapper, home, s,
                         "mapped" if goes == "AR.L1" else "unmap")
                mapped[t] = s
            elif label == "AR.S1":
                self.put("keep", mapper, self.spare_of(at), mapped[t],
                         "idle" if done else "unmap")
                if done:
                    mapped[t] = None
            elif label == "AR.L1":
                if not done:
                    a, p = self.place_of(at)
                    self.put("named", me, self.key(a, p), slot_name(after - 1))
                    continue
                key = self.key(*self.place_of(at))
                self.put("rehome", mapper, key)
                self.put("takeplace", mapper, key, slot_name(after - 1))
            elif label == "CH.B1":
                self.put("born", mapper, self.guard_at(at), self.guard(after))
                mapped[t] = "born"
            elif label == "TS.P1":
                if not done:
                    continue
                s = slot_name(self.head["node"][after])
                if mapped[t] == s:
                    self.put("unmap", mapper, s)
                    mapped[t] = None
                else:
                    self.put("unmap", me, s)

    def home_of(self, ahead):
        """Where a mapped chunk will go: place 0 of the arena it is for."""
        for e in ahead:
            if e[1] == "AR.H1":
                return self.key(self.hint_of(e[3])[0], 0)
            if e[1] == "AR.L1":
                return self.key(self.place_of(e[3])[0], 0)
            if e[1] == "AR.S1":
                return self.spare_of(e[3])
        return self.key(0, 0)

    @staticmethod
    def leads(ahead):
        """What a look at a place leads to: "reserve", "retire", a "clear" of the
        hint that led there, or nothing."""
        for e in ahead:
            if e[1] in ("CH.H1", "AR.L4"):
                if e[1] == "CH.H1" and e[2] == "linn_chunk_look":
                    return None
                continue
            if e[1] in ("CH.R1", "CH.D1"):
                if not e[6]:
                    continue
                return "reserve" if e[1] == "CH.R1" else "retire"
            return "clear" if e[1] == "AR.H3" else None
        return None

    @staticmethod
    def fails_later(ahead):
        """Whether a compare-and-swap that fails comes before the clear."""
        for e in ahead:
            if e[1] == "CH.R1":
                return True
            if e[1] == "AR.H3":
                return False
        return False


def spoil(steps, edit):
    kind, n = edit.split(":")
    n = int(n)
    if kind == "drop":
        at = [k for k, s in enumerate(steps)
              if s[0] in ("reserve", "return", "clear", "born")][n]
        return steps[:at] + steps[at + 1:]
    if kind == "swap":
        # Crossings of bands are few, so looks at guards count too.
        at = [k for k, s in enumerate(steps[:-AHEAD])
              if s[0] == "guard" or s[0] == "set" and s[1][-1] != "m"][n]
        other = next(k for k in range(at + 1, len(steps))
                     if steps[k][1] == steps[at][1])
        out = list(steps)
        out[at], out[other] = out[other], out[at]
        return out
    if kind == "value":
        at = [k for k, s in enumerate(steps)
              if s[0] in ("return", "reserve")][n]
        s = steps[at]
        return steps[:at] + [s[:3] + (dict(s[3], used=s[3]["used"] + 1),)
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
    threads = frozenset("t%d%s" % (t, m) for t in world.threads
                        for m in ("", "m"))
    slots = frozenset(slot_name(s) for s in head["guard"].values())
    places = frozenset(world.key(a, p) for a, p in world.places)
    lines = ["---- MODULE BandsLog ----",
             "LeaveUp == <<%s>>" % ", ".join(map(str, head["up"])),
             "LeaveDown == <<%s>>" % ", ".join(map(str, head["down"])),
             "Log == <<"]
    lines.append(",\n".join(
        "<<%s>>" % ", ".join(text(v) for v in s) for s in steps))
    lines += [">>", "LogLength == %d" % len(steps), "===="]
    (out / "BandsLog.tla").write_text("\n".join(lines) + "\n")
    (out / "BandsTrace.cfg").write_text(
        "CONSTANTS\n  Threads = %s\n  Slots = %s\n  Arenas = %s\n"
        "  None = none\n  Pages = %d\n  MaxSteps = 100000000\n"
        "  BUG = \"none\"\n  BandIds <- Six\n  BandAfter <- NettyAfter\n"
        "SPECIFICATION TraceSpec\nINVARIANTS C1 OneOwner A1 A2\n" %
        (text(threads), text(slots), text(places), head["pages"]))
    print("%d events, %d steps of %d kinds" %
          (len(events), len(steps), len({s[0] for s in steps})))


if __name__ == "__main__":
    main()
