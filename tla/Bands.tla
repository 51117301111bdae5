------------------------------- MODULE Bands -------------------------------
(***************************************************************************)
(* Chunks, the places of two or more arenas that name them, the hints that *)
(* say in which band the chunk at a place is, and the spare chunk          *)
(* (alloc/arena.c, alloc/chunk.c).  Each arena has one place here; slots   *)
(* of chunks belong to nobody in particular and are born again in any      *)
(* arena, which is what makes an old look dangerous.                       *)
(*                                                                         *)
(* A crossing is: CAS of the guard, which moves used and band; set the     *)
(* hint of the new band; clear that of the old one; look at the place      *)
(* again, and at the guard of the chunk that is there now.  Everything     *)
(* after the CAS comes after the thread's last touch of the chunk.         *)
(* Birth is place, guard, hint; death is guard, place, hint.               *)
(*                                                                         *)
(* Not modelled: the bits of the pages (PageTree), memory orders, hints    *)
(* that mislead a search (they cost a scan, never memory).                 *)
(*                                                                         *)
(* BUG  "byslot"      the recheck looks at the chunk that was left         *)
(*      "norecheck"   there is none                                        *)
(*      "hintfirst"   a birth sets the hint before it takes the place      *)
(*      "noagain"     a search does not look at the place a second time    *)
(*      "nolife"      a reservation compares no life                       *)
(*      "sparestore"  a spare is offered with a store, not a CAS           *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Threads,
  Arenas,
  Slots,
  None,
  Pages,     \* in a chunk
  MaxSteps,  \* CASes of guards; bounds the model
  BUG

ASSUME BUG \in {"none", "byslot", "norecheck", "hintfirst", "noagain",
                "nolife", "sparestore"}

\* Three bands with hysteresis, as Netty's six: up at 2 and 3, down at 1 and 0.
BandIds == 0 .. 2
BandAfter(b, u) ==
  CASE b = 0 /\ u >= 2 -> 1
    [] b = 1 /\ u >= 3 -> 2
    [] b = 1 /\ u < 1  -> 0
    [] b = 2 /\ u < 2  -> 1
    [] OTHER           -> b

VARIABLES
  guard,    \* of each slot: [live, gen, band, arena, used]
  slotOf,   \* of each arena's place
  hint,     \* of each arena: the bands whose bit is set
  spare,    \* of each arena
  idle,     \* slots that nobody has (chunk.c's free_slots)
  held,     \* of each slot: pages in the hands of users
  pc,
  at,       \* of each thread: the arena it works in
  slot,     \* the slot it has looked at
  own,      \* the slot that it alone has, or None
  seen,     \* the guard that it has seen there
  want,     \* the band whose hint led there, or None
  to, from, \* hints to set and to clear
  steps

shared == <<guard, slotOf, hint, spare, idle, held, steps>>
local  == <<at, slot, own, seen, want, to, from>>
vars   == <<shared, pc, local>>

Dead == [live |-> FALSE, gen |-> 0, band |-> 0, arena |-> None, used |-> 0]

Goto(t, a, b) == pc[t] = a /\ pc' = [pc EXCEPT ![t] = b]
Set(f, t, v)  == [f EXCEPT ![t] = v]

Init ==
  /\ guard  = [s \in Slots |-> Dead]
  /\ slotOf = [a \in Arenas |-> None] /\ hint = [a \in Arenas |-> {}]
  /\ spare  = [a \in Arenas |-> None]
  /\ idle   = Slots /\ held = [s \in Slots |-> 0]
  /\ pc     = [t \in Threads |-> "idle"]
  /\ at     = [t \in Threads |-> None] /\ slot = [t \in Threads |-> None]
  /\ seen   = [t \in Threads |-> Dead] /\ want = [t \in Threads |-> None]
  /\ to     = [t \in Threads |-> None] /\ from = [t \in Threads |-> None]
  /\ own    = [t \in Threads |-> None] /\ steps = 0

ForgetLook(t) ==
  /\ slot' = Set(slot, t, None) /\ seen' = Set(seen, t, Dead)
  /\ want' = Set(want, t, None)
  /\ to' = Set(to, t, None)     /\ from' = Set(from, t, None)
Forget(t) ==
  ForgetLook(t) /\ at' = Set(at, t, None) /\ own' = Set(own, t, None)

\* After the hints: the owner of a dead chunk unmaps it.
Moved(t, here) ==
  IF own[t] = None THEN Goto(t, here, "idle") /\ Forget(t)
  ELSE Goto(t, here, "unmap") /\ ForgetLook(t) /\ UNCHANGED <<at, own>>

Bounded == steps < MaxSteps /\ steps' = steps + 1

\* The CAS of slot s's guard to `used` pages, and where its thread goes then: to
\* move the hints if a band was crossed, else to `after`.
Move(t, s, used, here) ==
  LET old == guard[s].band
      new == BandAfter(old, used)
  IN
  /\ Bounded
  /\ guard' = [guard EXCEPT ![s].used = used, ![s].band = new]
  /\ IF old = new
     THEN Goto(t, here, "idle") /\ Forget(t)
     ELSE /\ Goto(t, here, "set")
          /\ to' = Set(to, t, new) /\ from' = Set(from, t, old)
          /\ seen' = Set(seen, t, Dead) /\ want' = Set(want, t, None)
          /\ UNCHANGED own

\* ---- search ----

Search(t, a) ==                                                   \* AR.H1
  /\ Goto(t, "idle", "place") /\ at' = Set(at, t, a)
  /\ \/ \E b \in hint[a] : want' = Set(want, t, b)
     \/ want' = Set(want, t, None)              \* every guard of the arena
  /\ UNCHANGED <<shared, slot, own, seen, to, from>>

LookAtPlace(t) ==                                                 \* AR.L2
  LET s == slotOf[at[t]] IN
  /\ pc[t] = "place"
  /\ IF s # None
     THEN /\ Goto(t, "place", "guard") /\ slot' = Set(slot, t, s)
          /\ UNCHANGED <<at, own, seen, want, to, from>>
     ELSE IF want[t] # None
     THEN /\ Goto(t, "place", "clear") /\ from' = Set(from, t, want[t])
          /\ UNCHANGED <<at, slot, own, seen, want, to>>
     ELSE Goto(t, "place", "idle") /\ Forget(t)
  /\ UNCHANGED shared

LookAtGuard(t) ==                                                 \* CH.H1
  /\ Goto(t, "guard", "again")
  /\ seen' = Set(seen, t, guard[slot[t]])
  /\ UNCHANGED <<shared, at, slot, own, want, to, from>>

LookAgain(t) ==                                                   \* AR.L4
  /\ pc[t] = "again"
  /\ IF BUG = "noagain" \/ slotOf[at[t]] = slot[t]
     THEN Goto(t, "again", "reserve") /\ UNCHANGED local
     ELSE Goto(t, "again", "idle") /\ Forget(t)
  /\ UNCHANGED shared

SameLife(g, h) == BUG = "nolife" \/
  (g.gen = h.gen /\ g.live = h.live /\ g.arena = h.arena)

Reserve(t) ==                                                     \* CH.R1
  LET s == slot[t]
      g == guard[s]
  IN
  /\ pc[t] = "reserve"
  /\ IF SameLife(g, seen[t]) /\ g.live /\ g.used < Pages
     THEN /\ Assert(g.arena = at[t],
                    "CH.R1: a page of another arena's chunk")
          /\ Move(t, s, g.used + 1, "reserve")
          /\ held' = [held EXCEPT ![s] = @ + 1]
          /\ IF BandAfter(g.band, g.used + 1) # g.band
             THEN UNCHANGED <<at, slot>> ELSE TRUE
          /\ UNCHANGED <<slotOf, hint, spare, idle>>
     ELSE /\ IF want[t] # None /\ seen[t].band # want[t]
             THEN /\ Goto(t, "reserve", "clear")
                  /\ from' = Set(from, t, want[t])
                  /\ UNCHANGED <<at, slot, own, seen, want, to>>
             ELSE Goto(t, "reserve", "idle") /\ Forget(t)
          /\ UNCHANGED shared

\* ---- free ----

Return(t) ==                                                      \* CH.F1
  \E s \in Slots :
    /\ pc[t] = "idle" /\ held[s] > 0
    /\ Assert(guard[s].live, "CH.F1: a page in a dead chunk")
    /\ Move(t, s, guard[s].used - 1, "idle")
    /\ held' = [held EXCEPT ![s] = @ - 1]
    /\ IF BandAfter(guard[s].band, guard[s].used - 1) # guard[s].band
       THEN at' = Set(at, t, guard[s].arena) /\ slot' = Set(slot, t, s)
       ELSE TRUE
    /\ UNCHANGED <<slotOf, hint, spare, idle>>

\* ---- hints ----

SetHint(t) ==                                                     \* AR.H2
  /\ Goto(t, "set", IF from[t] = None THEN "idle" ELSE "clear")
  /\ hint' = [hint EXCEPT ![at[t]] = @ \union {to[t]}]
  /\ IF from[t] = None THEN Forget(t) ELSE UNCHANGED local
  /\ UNCHANGED <<guard, slotOf, spare, idle, held, steps>>

ClearHint(t) ==                                                   \* AR.H3
  /\ pc[t] = "clear"
  /\ hint' = [hint EXCEPT ![at[t]] = @ \ {from[t]}]
  /\ IF BUG = "norecheck"
     THEN Moved(t, "clear")
     ELSE Goto(t, "clear", "recheck") /\ UNCHANGED local
  /\ UNCHANGED <<guard, slotOf, spare, idle, held, steps>>

Recheck(t) ==                                                     \* AR.L2
  LET s == IF BUG # "byslot" THEN slotOf[at[t]]
           ELSE IF own[t] # None THEN own[t] ELSE slot[t]
  IN
  /\ pc[t] = "recheck"
  /\ IF s = None THEN Moved(t, "recheck")
     ELSE /\ Goto(t, "recheck", "recheckguard") /\ slot' = Set(slot, t, s)
          /\ UNCHANGED <<at, own, seen, want, to, from>>
  /\ UNCHANGED shared

RecheckGuard(t) ==                                                \* CH.H1
  LET g == guard[slot[t]] IN
  /\ pc[t] = "recheckguard"
  /\ IF g.live /\ g.band = from[t]
     THEN Goto(t, "recheckguard", "setagain") /\ UNCHANGED local
     ELSE Moved(t, "recheckguard")
  /\ UNCHANGED shared

SetAgain(t) ==                                                    \* AR.H4
  /\ pc[t] = "setagain"
  /\ hint' = [hint EXCEPT ![at[t]] = @ \union {from[t]}]
  /\ Moved(t, "setagain")
  /\ UNCHANGED <<guard, slotOf, spare, idle, held, steps>>

\* ---- death; the look before it is that of a search ----

Retire(t) ==                                                      \* CH.D1
  LET s == slot[t]
      g == guard[s]
  IN
  /\ Goto(t, "reserve", "leave")
  /\ SameLife(g, seen[t]) /\ g.live /\ g.used = 0
  /\ Bounded
  /\ guard' = [guard EXCEPT ![s].live = FALSE, ![s].gen = @ + 1]  \* C2
  /\ from' = Set(from, t, g.band)
  /\ own' = Set(own, t, s) /\ slot' = Set(slot, t, None)
  /\ seen' = Set(seen, t, Dead) /\ want' = Set(want, t, None)
  /\ UNCHANGED <<slotOf, hint, spare, idle, held, at, to>>

LeavePlace(t) ==                                                  \* AR.L3
  /\ Goto(t, "leave", "clear")
  /\ Assert(slotOf[at[t]] = own[t], "AR.L3: the place names another (A1)")
  /\ slotOf' = [slotOf EXCEPT ![at[t]] = None]
  /\ UNCHANGED <<guard, hint, spare, idle, held, steps, local>>

Unmap(t) ==                                                       \* TS.P1
  /\ Goto(t, "unmap", "idle")
  /\ idle' = idle \union {own[t]}
  /\ Forget(t)
  /\ UNCHANGED <<guard, slotOf, hint, spare, held, steps>>

\* ---- birth, and the spare ----

TakeSlot(t, a) ==                                                 \* TS.O1
  /\ Goto(t, "idle", "mapped") /\ steps < MaxSteps
  /\ at' = Set(at, t, a)
  /\ \E s \in idle : idle' = idle \ {s} /\ own' = Set(own, t, s)
  /\ UNCHANGED <<guard, slotOf, hint, spare, held, steps,
                 slot, seen, want, to, from>>

TakeSpare(t, a) ==                                                \* AR.S2
  /\ pc[t] = "idle" /\ spare[a] # None
  /\ \/ Goto(t, "idle", "mapped")
     \/ Goto(t, "idle", "unmap")                \* linn_arena_release_empty
  /\ at' = Set(at, t, a) /\ own' = Set(own, t, spare[a])
  /\ spare' = [spare EXCEPT ![a] = None]
  /\ UNCHANGED <<guard, slotOf, hint, idle, held, steps,
                 slot, seen, want, to, from>>

\* Somebody else's chunk served, or there was no place.
KeepSpare(t) ==                                                   \* AR.S1
  /\ pc[t] = "mapped"
  /\ IF spare[at[t]] = None \/ BUG = "sparestore"
     THEN /\ Goto(t, "mapped", "idle")
          /\ spare' = [spare EXCEPT ![at[t]] = own[t]] /\ Forget(t)
     ELSE Goto(t, "mapped", "unmap") /\ UNCHANGED <<spare, local>>
  /\ UNCHANGED <<guard, slotOf, hint, idle, held, steps>>

TakePlace(t) ==                                                   \* AR.L1
  /\ Goto(t, "mapped", "born")
  /\ slotOf[at[t]] = None
  /\ slotOf' = [slotOf EXCEPT ![at[t]] = own[t]]
  /\ IF BUG = "hintfirst"
     THEN hint' = [hint EXCEPT ![at[t]] = @ \union {0}] ELSE UNCHANGED hint
  /\ UNCHANGED <<guard, spare, idle, held, steps, local>>

\* With k pages taken already.
Born(t, k) ==                                                     \* CH.B1
  LET s == own[t]
      band == BandAfter(BandAfter(0, k), k)
  IN
  /\ Goto(t, "born", IF BUG = "hintfirst" /\ band = 0 THEN "idle" ELSE "set")
  /\ Bounded
  /\ Assert(guard[s].used = 0, "CH.B1: used before it was born (C1)")
  /\ guard' = [guard EXCEPT ![s] = [live |-> TRUE, gen |-> @.gen, band |-> band,
                                    arena |-> at[t], used |-> k]]
  /\ held' = [held EXCEPT ![s] = k]
  /\ to' = Set(to, t, band) /\ own' = Set(own, t, None)
  /\ UNCHANGED <<slotOf, hint, spare, idle, at, slot, seen, want, from>>

Next ==
  \E t \in Threads :
    \/ \E a \in Arenas : Search(t, a) \/ TakeSlot(t, a) \/ TakeSpare(t, a)
    \/ LookAtPlace(t) \/ LookAtGuard(t) \/ LookAgain(t) \/ Reserve(t)
    \/ Return(t)
    \/ SetHint(t) \/ ClearHint(t) \/ Recheck(t) \/ RecheckGuard(t)
    \/ SetAgain(t)
    \/ Retire(t) \/ LeavePlace(t) \/ Unmap(t)
    \/ KeepSpare(t) \/ TakePlace(t) \/ \E k \in 1 .. Pages : Born(t, k)

Spec == Init /\ [][Next]_vars

Symmetry ==
  Permutations(Threads) \union Permutations(Slots) \union Permutations(Arenas)
-----------------------------------------------------------------------------
\* chunk.h (C1).
C1 == \A s \in Slots : IF guard[s].live THEN guard[s].used = held[s]
                       ELSE held[s] = 0

\* A slot is in one place: nobody's, a spare, LIVE, or in one thread's hands.
Owners(s) ==
  (IF s \in idle THEN 1 ELSE 0) + (IF guard[s].live THEN 1 ELSE 0)
  + Cardinality({a \in Arenas : spare[a] = s})
  + Cardinality({t \in Threads : own[t] = s})
OneOwner == \A s \in Slots : Owners(s) = 1

\* arena.h (A1): a place names one slot; a LIVE chunk has exactly one place.
A1 == \A s \in Slots : guard[s].live =>
        {a \in Arenas : slotOf[a] = s} = {guard[s].arena}

\* arena.h (A2): when nobody is inside, no hint is lost.
Quiet == \A t \in Threads : pc[t] = "idle"
A2 == Quiet => \A a \in Arenas :
        slotOf[a] # None /\ guard[slotOf[a]].live =>
          guard[slotOf[a]].band \in hint[a]
=============================================================================
