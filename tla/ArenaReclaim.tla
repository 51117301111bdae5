---------------------------- MODULE ArenaReclaim ----------------------------
(***************************************************************************)
(* Read sections and grace periods (sync/reclaim.h), and what they are     *)
(* for: an arena slot is published, retired, and either published again or *)
(* given back, perhaps to another pool.  (The arenas' side is design.md,   *)
(* section 4; the code has no arena that retires yet, so its steps have no *)
(* label.)                                                                 *)
(*                                                                         *)
(* A reader copies the sequence (RC.H1) into its section with a plain      *)
(* store that waits in its buffer (RC.E1), reads what is published         *)
(* (RC.R1), and may put a live block into the arena.  A free touches the   *)
(* guard of the block's chunk and nothing else, in no section.             *)
(*                                                                         *)
(* A maintainer takes the next sequence (RC.G1), makes every buffer empty  *)
(* (linn_asym_heavy), and looks at each section until it has seen it       *)
(* closed, or not older than its sequence (RC.P2); then it wants no live   *)
(* block, and one CAS of {RETIRED, gen} gives the arena back.  Any number  *)
(* of maintainers; any of them may stop.  The section of a dead reader is  *)
(* closed by who adopts its record (RC.C1).                                *)
(*                                                                         *)
(* Not modelled: what is weaker than TSO, the mode without membarrier (an  *)
(* exchange in place of RC.E1), the wrap of the sequence, records that     *)
(* register after the barrier (they enter later still).                    *)
(*                                                                         *)
(* BUG  "nobarrier"    the maintainer's heavy barrier is left out          *)
(*      "startfirst"   the period begins before the arena is retired       *)
(*      "livefirst"    no live block is asked for before the period, not   *)
(*                     after                                               *)
(*      "nogen"        the last CAS compares the state alone               *)
(*      "pinned"       who has a block in the arena enters no section      *)
(*      "latehint"     a free writes into the arena after its guard        *)
(*      "closestopped" the section of a reader that only stopped is closed *)
(*      "nestleave"    leaving a nested section leaves the outer one       *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS Readers, Maintainers, MaxGen, MaxPeriods, MaxKill, BUG
ASSUME BUG \in {"none", "nobarrier", "startfirst", "livefirst", "nogen",
                "pinned", "latehint", "closestopped", "nestleave"}

VARIABLES
  state, gen,     \* the arena's word
  life,           \* ghost: how often it was given back
  live,           \* ghost: which readers have a block in it
  sequence,       \* linn_reclaim_sequence, from 1 here
  section,        \* of each reader, in memory: 0, or the sequence it entered
  buffer,         \* of each reader: the section that waits, or None
  pc, copied,     \* of each reader; the sequence that it has read
  ref,            \* ghost: the life of the arena it has read
  mpc, mgen,      \* of each maintainer; the generation it has seen
  period,         \* its sequence
  unseen,         \* the readers that it has not done with
  dead

arena  == <<state, gen, life>>
reader == <<section, buffer, pc, copied, ref>>
keeper == <<mpc, mgen, period, unseen>>
vars   == <<arena, live, sequence, reader, keeper, dead>>

None == 99

Init ==
  /\ state = "LIVE" /\ gen = 0 /\ life = 0 /\ live = {} /\ sequence = 1
  /\ section = [r \in Readers |-> 0] /\ buffer = [r \in Readers |-> None]
  /\ pc = [r \in Readers |-> "out"] /\ copied = [r \in Readers |-> 0]
  /\ ref = [r \in Readers |-> 0]
  /\ mpc = [m \in Maintainers |-> "idle"] /\ mgen = [m \in Maintainers |-> 0]
  /\ period = [m \in Maintainers |-> 0] /\ unseen = [m \in Maintainers |-> {}]
  /\ dead = {}

Is(r, l)     == r \notin dead /\ pc[r] = l
Go(r, l)     == pc' = [pc EXCEPT ![r] = l]
Let(f, x, v) == f' = [f EXCEPT ![x] = v]

\* ---- readers ----

ReadSequence(r) ==                                                \* RC.H1
  /\ Is(r, "out") /\ Go(r, "enter") /\ Let(copied, r, sequence)
  /\ UNCHANGED <<arena, live, sequence, section, buffer, ref, keeper, dead>>

EnterSection(r) ==                                                \* RC.E1
  /\ Is(r, "enter") /\ Go(r, "read") /\ Let(buffer, r, copied[r])
  /\ Let(copied, r, 0)
  /\ UNCHANGED <<arena, live, sequence, section, ref, keeper, dead>>

Arrive(r) ==
  /\ buffer[r] # None /\ Let(section, r, buffer[r]) /\ Let(buffer, r, None)
  /\ UNCHANGED <<arena, live, sequence, pc, copied, ref, keeper, dead>>

ReadArena(r) ==                                                   \* RC.R1
  /\ Is(r, "read")
  /\ IF state = "LIVE" THEN Go(r, "use") /\ Let(ref, r, life)
                       ELSE Go(r, "leave") /\ UNCHANGED ref
  /\ UNCHANGED <<arena, live, sequence, section, buffer, copied, keeper, dead>>

IsThere(r, what) == Assert(ref[r] = life /\ state # "FREE", what)

Use(r) ==
  /\ Is(r, "use")
  /\ IsThere(r, "a reader uses an arena that was given back")
  /\ Go(r, "leave")
  /\ \/ UNCHANGED live
     \/ r \notin live /\ live' = live \union {r}
  /\ UNCHANGED <<arena, sequence, section, buffer, copied, ref, keeper, dead>>

\* A signal handler with a section of its own: the word keeps its sequence.
Nest(r) ==                                                        \* RC.E3
  /\ Is(r, "use") /\ Go(r, "nested")
  /\ UNCHANGED <<arena, live, sequence, section, buffer, copied, ref, keeper,
                 dead>>

Unnest(r) ==                                                      \* RC.L1
  /\ Is(r, "nested") /\ Go(r, "use")
  /\ IF BUG = "nestleave"
     THEN Let(section, r, 0) /\ Let(buffer, r, None)
     ELSE UNCHANGED <<section, buffer>>
  /\ UNCHANGED <<arena, live, sequence, copied, ref, keeper, dead>>

LeaveSection(r) ==                                                \* RC.L1
  /\ Is(r, "leave") /\ Go(r, "out")
  /\ Let(section, r, 0) /\ Let(buffer, r, None)
  /\ UNCHANGED <<arena, live, sequence, copied, ref, keeper, dead>>

\* Any block, by anybody: the block keeps its chunk alive until its last touch.
Free(r) ==                                                        \* CH.F1
  /\ Is(r, "out")
  /\ \E u \in live :
       /\ Assert(state # "FREE", "a live block in an arena that was given back")
       /\ live' = live \ {u}
  /\ IF BUG = "latehint" THEN Go(r, "hint") /\ Let(ref, r, life)
     ELSE UNCHANGED <<pc, ref>>
  /\ UNCHANGED <<arena, sequence, section, buffer, copied, keeper, dead>>

\* Only with BUG "latehint".
LateHint(r) ==
  /\ Is(r, "hint") /\ Go(r, "out")
  /\ IsThere(r, "a hint is written into an arena that was given back")
  /\ UNCHANGED <<arena, live, sequence, section, buffer, copied, ref, keeper,
                 dead>>

\* Only with BUG "pinned".
Pinned(r) ==
  /\ BUG = "pinned" /\ Is(r, "out") /\ r \in live
  /\ Go(r, "use") /\ Let(ref, r, life)
  /\ UNCHANGED <<arena, live, sequence, section, buffer, copied, keeper, dead>>

\* ---- death ----

Kill(r) ==
  /\ r \notin dead /\ pc[r] # "out" /\ Cardinality(dead) < MaxKill
  /\ dead' = dead \union {r}
  /\ Let(section, r, IF buffer[r] = None THEN section[r] ELSE buffer[r])
  /\ Let(buffer, r, None)
  /\ UNCHANGED <<arena, live, sequence, pc, copied, ref, keeper>>

CloseDead(r) ==                                                   \* RC.C1
  /\ r \in dead \/ (BUG = "closestopped" /\ pc[r] # "out")
  /\ section[r] # 0 /\ Let(section, r, 0)
  /\ UNCHANGED <<arena, live, sequence, buffer, pc, copied, ref, keeper, dead>>

\* ---- the arena ----

Retire ==                                                         \* RC.W1
  /\ state = "LIVE" /\ gen < MaxGen /\ state' = "RETIRED" /\ gen' = gen + 1
  /\ UNCHANGED <<life, live, sequence, reader, keeper, dead>>

Republish ==                                                      \* RC.W1
  /\ state \in {"RETIRED", "FREE"} /\ gen < MaxGen
  /\ state' = "LIVE" /\ gen' = gen + 1
  /\ UNCHANGED <<life, live, sequence, reader, keeper, dead>>

\* ---- maintainers ----

MIs(m, l) == mpc[m] = l
MGo(m, l) == mpc' = [mpc EXCEPT ![m] = l]

SeeRetired(m) ==
  /\ MIs(m, IF BUG = "startfirst" THEN "see" ELSE "idle")
  /\ state = "RETIRED" /\ Let(mgen, m, gen)
  /\ BUG = "livefirst" => live = {}
  /\ MGo(m, IF BUG = "startfirst" THEN "heavy" ELSE "start")
  /\ UNCHANGED <<arena, live, sequence, reader, period, unseen, dead>>

Start(m) ==                                                       \* RC.G1
  /\ MIs(m, IF BUG = "startfirst" THEN "idle" ELSE "start")
  /\ sequence <= MaxPeriods
  /\ sequence' = sequence + 1 /\ Let(period, m, sequence + 1)
  /\ MGo(m, IF BUG = "startfirst" THEN "see" ELSE "heavy")
  /\ UNCHANGED <<arena, live, reader, mgen, unseen, dead>>

Heavy(m) ==                                                       \* AS.H1
  /\ MIs(m, "heavy") /\ MGo(m, "poll") /\ Let(unseen, m, Readers)
  /\ IF BUG = "nobarrier" THEN UNCHANGED <<section, buffer>>
     ELSE /\ section' = [r \in Readers |->
               IF buffer[r] = None THEN section[r] ELSE buffer[r]]
          /\ buffer' = [r \in Readers |-> None]
  /\ UNCHANGED <<arena, live, sequence, pc, copied, ref, mgen, period, dead>>

Poll(m) ==                                                        \* RC.P2
  /\ MIs(m, "poll")
  /\ \E r \in unseen[m] :
       /\ section[r] = 0 \/ section[r] >= period[m]
       /\ Let(unseen, m, unseen[m] \ {r})
  /\ MGo(m, IF unseen'[m] # {} THEN "poll"
            ELSE IF BUG = "livefirst" THEN "give" ELSE "live")
  /\ UNCHANGED <<arena, live, sequence, reader, mgen, period, dead>>

SeeNoLive(m) ==
  /\ MIs(m, "live") /\ live = {} /\ MGo(m, "give")
  /\ UNCHANGED <<arena, live, sequence, reader, mgen, period, unseen, dead>>

GiveBack(m) ==
  /\ MIs(m, "give") /\ MGo(m, "idle")
  /\ Let(mgen, m, 0) /\ Let(period, m, 0)
  /\ IF state = "RETIRED" /\ (gen = mgen[m] \/ BUG = "nogen")
     THEN state' = "FREE" /\ gen' = gen + 1 /\ life' = life + 1
     ELSE UNCHANGED arena
  /\ UNCHANGED <<live, sequence, reader, unseen, dead>>

Next ==
  \/ \E r \in Readers :
       \/ ReadSequence(r) \/ EnterSection(r) \/ Arrive(r) \/ ReadArena(r)
       \/ Use(r) \/ Nest(r) \/ Unnest(r) \/ LeaveSection(r) \/ Free(r)
  \/ Retire \/ Republish
  \/ \E m \in Maintainers :
       \/ SeeRetired(m) \/ Start(m) \/ Heavy(m) \/ Poll(m)
       \/ SeeNoLive(m) \/ GiveBack(m)

NextKill == Next \/ \E r \in Readers : Kill(r) \/ CloseDead(r)

\* What two of the faults can do that the protocol cannot.
NextBug == NextKill \/ \E r \in Readers : LateHint(r) \/ Pinned(r)

Spec     == Init /\ [][Next]_vars
SpecKill == Init /\ [][NextKill]_vars
SpecBug  == Init /\ [][NextBug]_vars

Symmetry == Permutations(Readers) \union Permutations(Maintainers)
-----------------------------------------------------------------------------
NoLiveInFree == state = "FREE" => live = {}
=============================================================================
