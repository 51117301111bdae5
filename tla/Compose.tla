------------------------------ MODULE Compose ------------------------------
(***************************************************************************)
(* Subpages, chunks and partial stacks together (alloc/arena.c).  Subpage  *)
(* has one chunk that stays where it is; Bands has chunks without content; *)
(* here a subpage that dies gives its run to a chunk that another thread   *)
(* is about to retire, the chunk's slot is born again in another arena,    *)
(* and the same descriptor comes back as a subpage of another class, in    *)
(* another arena's stack, while threads still remember what it was.        *)
(*                                                                         *)
(* A home is an arena and a class: one partial stack.  Each arena has one  *)
(* place.  A descriptor is <<slot, run>>; slots and descriptors are never  *)
(* anything else.  What links the layers is in three reads: a chunk found  *)
(* by its place is looked at twice (AR.L4), a subpage found by its stack   *)
(* too (TS.T2), and both reservations compare the life that was seen.      *)
(*                                                                         *)
(* Threads stop for ever anywhere: there is no fairness.                   *)
(*                                                                         *)
(* Not modelled: hints and the spare (Bands), the two stacks of a class    *)
(* (Subpage), torn looks (TaggedStack), the tree's words (PageTree), the   *)
(* map (PageMap), memory orders (verify/).                                 *)
(*                                                                         *)
(* BUG  "nolife"       a reservation in a subpage compares no life         *)
(*      "nochunklife"  a reservation in a chunk compares no life           *)
(*      "noagain"      a search does not look at the place a second time   *)
(*      "runfirst"     the run is given back before the subpage is dead    *)
(*      "countfirst"   the run counts as free before its bit is set        *)
(*      "purge"        descriptors of a dead chunk begin again at life 0   *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Threads,
  Slots,
  Runs,       \* in a chunk
  Homes,      \* pairs of an arena and a class, "A" or "B"
  Nil,
  MaxBirths,  \* of subpages; bounds the model
  MaxTag,
  BUG

ASSUME BUG \in {"none", "nolife", "nochunklife", "noagain", "runfirst",
                "countfirst", "purge"}

\* For the models, whose configurations can name no pair.
TwoHomes  == {<<"x", "A">>, <<"y", "B">>}
FourHomes == {"x", "y"} \X {"A", "B"}

Arenas      == {h[1] : h \in Homes}
Descriptors == Slots \X Runs
\* Class A cuts a run in two, class B has one element of the whole run.
Elements(c) == IF c = "A" THEN {{1}, {2}} ELSE {{1, 2}}
Total(c)    == Cardinality(Elements(c))
Block(d, e) == {d} \X e
SubOf(block)     == (CHOOSE unit \in block : TRUE)[1]
ElementOf(block) == {unit[2] : unit \in block}

VARIABLES
  chunk,   \* of each slot, the guard: [live, gen, arena, used]
  runs,    \* of each slot: the runs whose bit is set
  place,   \* of each arena: the slot that it names, or Nil
  idle,    \* slots that nobody has
  guard,   \* of each descriptor: [live, listed, free, class, gen]
  bits,    \* of each descriptor: the elements whose bit is set
  next,    \* the links
  head,    \* of each home: [top, tag]
  live,    \* the blocks in the hands of users
  births,
  pc,
  mind     \* of each thread: what it has in hand and has seen

tree   == <<runs, place, idle>>
sub    == <<guard, bits, next, head>>
shared == <<chunk, tree, sub, live, births>>
vars   == <<shared, pc, mind>>

NoTop   == [top |-> Nil, tag |-> 0]
NoChunk == [live |-> FALSE, gen |-> 0, arena |-> Nil, used |-> 0]
DeadAt(gen) ==
  [live |-> FALSE, listed |-> FALSE, free |-> 0, class |-> Nil, gen |-> gen]
Nothing == [home |-> Nil, d |-> Nil, top |-> NoTop, link |-> Nil, seen |-> Nil,
            owed |-> 0, slot |-> Nil, saw |-> NoChunk]

Init ==
  /\ chunk = [s \in Slots |-> NoChunk] /\ runs = [s \in Slots |-> {}]
  /\ place = [a \in Arenas |-> Nil] /\ idle = Slots
  /\ guard = [d \in Descriptors |-> DeadAt(0)]
  /\ bits  = [d \in Descriptors |-> {}] /\ next = [d \in Descriptors |-> Nil]
  /\ head  = [h \in Homes |-> NoTop] /\ live = {} /\ births = 0
  /\ pc    = [t \in Threads |-> "idle"] /\ mind = [t \in Threads |-> Nothing]

Is(t, l)  == pc[t] = l
Go(t, l)  == pc' = [pc EXCEPT ![t] = l]
Keeps(t, m) == mind' = [mind EXCEPT ![t] = m]
Rest(t)   == Go(t, "idle") /\ Keeps(t, Nothing)
\* Nothing but where it works.
At(t)     == [Nothing EXCEPT !.home = mind[t].home]

M(t)    == mind[t]
Head(t) == head[M(t).home]
Same(t) == Head(t) = M(t).top
NewHead(t, d) ==
  head' = [head EXCEPT ![M(t).home] = [top |-> d, tag |-> @.tag + 1]]

\* ---- refill: reserve at the top of a stack ----

LookAtTop(t, h) ==                                                \* TS.T1
  /\ Is(t, "idle") /\ head[h].top # Nil /\ Go(t, "guard")
  /\ Keeps(t, [Nothing EXCEPT !.home = h, !.top = head[h], !.d = head[h].top])
  /\ UNCHANGED shared

LookAtGuard(t) ==                                                 \* SP.H1
  /\ Is(t, "guard") /\ Go(t, "still")
  /\ Keeps(t, [M(t) EXCEPT !.seen = guard[M(t).d].gen])
  /\ UNCHANGED shared

StillTop(t) ==                                                    \* TS.T2
  /\ Is(t, "still")
  /\ IF Same(t) THEN Go(t, "reserve") /\ UNCHANGED mind ELSE Rest(t)
  /\ UNCHANGED shared

Reserve(t) ==                                                     \* SP.A1
  LET d == M(t).d
      g == guard[d]
  IN
  /\ Is(t, "reserve")
  /\ IF (BUG = "nolife" \/ g.gen = M(t).seen) /\ g.live /\ g.free > 0
     THEN \E k \in 1 .. g.free :
            /\ guard' = [guard EXCEPT ![d].free = @ - k]
            /\ Go(t, "claim")
            /\ Keeps(t, [At(t) EXCEPT !.d = d, !.owed = k])
     ELSE Go(t, "pop") /\ Keeps(t, At(t)) /\ UNCHANGED guard
  /\ UNCHANGED <<chunk, tree, bits, next, head, live, births>>

Claim(t) ==                                                       \* SP.A2
  LET d == M(t).d IN
  /\ Is(t, "claim")
  /\ Assert(bits[d] # {}, "SP.A2: reserved, and no bit (B1)")
  /\ \E some \in SUBSET bits[d] :
       /\ Cardinality(some) \in 1 .. M(t).owed
       /\ \A e \in some : Assert(e \in Elements(M(t).home[2]),
                                 "SP.A2: an element of another class")
       /\ bits' = [bits EXCEPT ![d] = @ \ some]
       /\ live' = live \union {Block(d, e) : e \in some}
       /\ IF Cardinality(some) = M(t).owed THEN Rest(t)
          ELSE /\ Keeps(t, [M(t) EXCEPT !.owed = @ - Cardinality(some)])
               /\ UNCHANGED pc
  /\ UNCHANGED <<chunk, tree, guard, next, head, births>>

\* ---- pop ----

Collect(t, h) ==                                                  \* TS.H3
  /\ Is(t, "idle") /\ head[h].top # Nil /\ Go(t, "pop")
  /\ Keeps(t, [Nothing EXCEPT !.home = h])
  /\ UNCHANGED shared

PopLook(t) ==                                                     \* TS.H4
  /\ Is(t, "pop")
  /\ IF Head(t).top = Nil THEN Rest(t)
     ELSE Go(t, "poplink") /\ Keeps(t, [M(t) EXCEPT !.top = Head(t)])
  /\ UNCHANGED shared

PopLink(t) ==                                                     \* TS.H2
  /\ Is(t, "poplink") /\ Go(t, "popcas")
  /\ Keeps(t, [M(t) EXCEPT !.link = next[M(t).top.top]])
  /\ UNCHANGED shared

Pop(t) ==                                                         \* TS.O1
  /\ Is(t, "popcas")
  /\ IF Same(t)
     THEN /\ NewHead(t, M(t).link) /\ Go(t, "popped")
          /\ Keeps(t, [At(t) EXCEPT !.d = M(t).top.top])
     ELSE Go(t, "pop") /\ Keeps(t, At(t)) /\ UNCHANGED head
  /\ UNCHANGED <<chunk, tree, guard, bits, next, live, births>>

IsPopped(t) ==
  LET g == guard[M(t).d] IN
  /\ Is(t, "popped")
  /\ Assert(g.live /\ g.listed /\ g.class = M(t).home[2],
            "SP.H1: popped what is dead, not listed or of another class (B2)")

Unlist(t) ==                                                      \* SP.L1
  LET d == M(t).d IN
  /\ IsPopped(t) /\ guard[d].free = 0
  /\ guard' = [guard EXCEPT ![d].listed = FALSE]
  /\ Rest(t)
  /\ UNCHANGED <<chunk, tree, bits, next, head, live, births>>

Retire(t) ==                                                      \* SP.R1
  LET d == M(t).d IN
  /\ IsPopped(t) /\ guard[d].free = Total(guard[d].class)
  /\ Assert(bits[d] = Elements(guard[d].class), "SP.R1: an element is missing")
  /\ BUG = "runfirst" => d[2] \in runs[d[1]]
  /\ guard' = [guard EXCEPT ![d] = DeadAt(@.gen + 1)]
  /\ Go(t, IF BUG = "runfirst" THEN "leavechunk" ELSE "giverun")
  /\ UNCHANGED <<chunk, tree, bits, next, head, live, births, mind>>

Keep(t) ==                                                        \* SP.H1
  LET g == guard[M(t).d] IN
  /\ IsPopped(t) /\ g.free \in 1 .. Total(g.class) - 1
  /\ Go(t, "push")
  /\ UNCHANGED <<shared, mind>>

\* ---- push ----

PushLook(t) ==                                                    \* TS.H1
  /\ Is(t, "push") /\ Go(t, "pushlink")
  /\ Keeps(t, [M(t) EXCEPT !.top = Head(t)])
  /\ UNCHANGED shared

PushLink(t) ==                                                    \* TS.N2
  /\ Is(t, "pushlink") /\ Go(t, "pushcas")
  /\ next' = [next EXCEPT ![M(t).d] = M(t).top.top]
  /\ UNCHANGED <<chunk, tree, guard, bits, head, live, births, mind>>

Push(t) ==                                                        \* TS.P1
  /\ Is(t, "pushcas")
  /\ IF Same(t) THEN NewHead(t, M(t).d) /\ Rest(t)
     ELSE Go(t, "push") /\ UNCHANGED <<head, mind>>
  /\ UNCHANGED <<chunk, tree, guard, bits, next, live, births>>

\* ---- a chunk, found by its place ----

LookAtPlace(t, h) ==                                              \* AR.L2
  /\ Is(t, "idle") /\ place[h[1]] # Nil /\ Go(t, "chunk")
  /\ Keeps(t, [Nothing EXCEPT !.home = h, !.slot = place[h[1]]])
  /\ UNCHANGED shared

LookAtChunk(t) ==                                                 \* CH.H1
  /\ Is(t, "chunk") /\ Go(t, "again")
  /\ Keeps(t, [M(t) EXCEPT !.saw = [chunk[M(t).slot] EXCEPT !.used = 0]])
  /\ UNCHANGED shared

LookAgain(t) ==                                                   \* AR.L4
  /\ Is(t, "again")
  /\ IF BUG = "noagain" \/ place[M(t).home[1]] = M(t).slot
     THEN Go(t, "found") /\ UNCHANGED mind ELSE Rest(t)
  /\ UNCHANGED shared

SameLife(t) ==
  \/ BUG = "nochunklife"
  \/ [chunk[M(t).slot] EXCEPT !.used = 0] = M(t).saw

ReserveRun(t) ==                                                  \* CH.R1
  LET s == M(t).slot IN
  /\ Is(t, "found")
  /\ IF /\ SameLife(t) /\ chunk[s].live /\ births < MaxBirths
        /\ chunk[s].used < Cardinality(Runs)
     THEN /\ chunk' = [chunk EXCEPT ![s].used = @ + 1]
          /\ births' = births + 1 /\ Go(t, "claimrun")
          /\ Keeps(t, [At(t) EXCEPT !.slot = s])
     ELSE Rest(t) /\ UNCHANGED <<chunk, births>>
  /\ UNCHANGED <<tree, sub, live>>

ClaimRun(t) ==                                                    \* PT.C2
  LET s == M(t).slot IN
  /\ Is(t, "claimrun") /\ Go(t, "fill")
  /\ Assert(chunk[s].arena = M(t).home[1],
            "PT.C2: a run of another arena's chunk")
  /\ Assert(runs[s] # {}, "PT.C2: reserved, and no run")
  /\ \E r \in runs[s] :
       /\ Assert(~guard[<<s, r>>].live, "PT.C2: the run of a live subpage")
       /\ runs' = [runs EXCEPT ![s] = @ \ {r}]
       /\ Keeps(t, [At(t) EXCEPT !.d = <<s, r>>])
  /\ UNCHANGED <<chunk, place, idle, sub, live, births>>

\* The first elements are the caller's, before anybody sees the subpage.
Fill(t) ==                                                        \* SP.N2
  LET d   == M(t).d
      all == Elements(M(t).home[2])
  IN
  /\ Is(t, "fill") /\ Go(t, "born")
  /\ \E mine \in SUBSET all \ {{}} :
       /\ bits' = [bits EXCEPT ![d] = all \ mine]
       /\ live' = live \union {Block(d, e) : e \in mine}
  /\ UNCHANGED <<chunk, tree, guard, next, head, births, mind>>

Born(t) ==                                                        \* SP.N1
  LET d    == M(t).d
      free == Cardinality(bits[d])
  IN
  /\ Is(t, "born")
  /\ guard' = [guard EXCEPT ![d] = [live |-> TRUE, listed |-> free > 0,
                 free |-> free, class |-> M(t).home[2], gen |-> @.gen]]
  /\ IF free > 0 THEN Go(t, "push") /\ UNCHANGED mind ELSE Rest(t)
  /\ UNCHANGED <<chunk, tree, bits, next, head, live, births>>

\* ---- free a batch of one subpage: the bits, then one CAS ----

InHand(d) == \E t \in Threads : pc[t] \in {"fill", "born"} /\ M(t).d = d

\* Whose stack it belongs to is read of the chunk, which a block keeps alive.
SetBits(t) ==                                                     \* SP.F1
  /\ Is(t, "idle") /\ Go(t, "leave")
  /\ \E d \in Descriptors :
     \E batch \in SUBSET {b \in live : SubOf(b) = d} \ {{}} :
       LET given == {ElementOf(b) : b \in batch}
           home  == <<chunk[d[1]].arena, guard[d].class>>
       IN
       /\ ~InHand(d)
       /\ Assert(chunk[d[1]].live, "SP.F1: an element in a dead chunk")
       /\ Assert(guard[d].live, "SP.F1: an element of a dead subpage")
       /\ Assert(given \subseteq Elements(guard[d].class),
                 "SP.F1: an element of another class")
       /\ Assert(given \intersect bits[d] = {}, "SP.F1: free already")
       /\ Assert(home \in Homes, "SP.F1: the chunk is another arena's")
       /\ bits' = [bits EXCEPT ![d] = @ \union given]
       /\ live' = live \ batch
       /\ Keeps(t, [Nothing EXCEPT !.home = home, !.d = d,
                                   !.owed = Cardinality(given)])
  /\ UNCHANGED <<chunk, tree, guard, next, head, births>>

Leave(t) ==                                                       \* SP.F2
  LET d == M(t).d IN
  /\ Is(t, "leave")
  /\ Assert(guard[d].live, "SP.F2: the last touch comes after the death")
  /\ guard' = [guard EXCEPT ![d].free = @ + M(t).owed, ![d].listed = TRUE]
  /\ IF guard[d].listed THEN Rest(t)
     ELSE Go(t, "push") /\ Keeps(t, [M(t) EXCEPT !.owed = 0])
  /\ UNCHANGED <<chunk, tree, bits, next, head, live, births>>

\* ---- the run of a dead subpage goes back to its chunk ----

CountRun(s) == chunk' = [chunk EXCEPT ![s].used = @ - 1]
SetRun(s, r) == runs' = [runs EXCEPT ![s] = @ \union {r}]

GiveRun(t) ==                                                     \* PT.F2
  LET s == M(t).d[1]
      r == M(t).d[2]
  IN
  /\ IF BUG = "runfirst"
     THEN /\ IsPopped(t) /\ guard[M(t).d].free = Total(guard[M(t).d].class)
          /\ r \notin runs[s] /\ UNCHANGED pc
     ELSE Is(t, "giverun") /\ Go(t, "leavechunk")
  /\ Assert(chunk[s].live, "PT.F2: a run of a dead chunk")
  /\ IF BUG = "countfirst" THEN CountRun(s) /\ UNCHANGED runs
     ELSE SetRun(s, r) /\ UNCHANGED chunk
  /\ UNCHANGED <<place, idle, sub, live, births, mind>>

LeaveChunk(t) ==                                                  \* CH.F1
  LET s == M(t).d[1]
      r == M(t).d[2]
  IN
  /\ Is(t, "leavechunk") /\ Rest(t)
  /\ Assert(chunk[s].live, "CH.F1: the last touch comes after the death")
  /\ IF BUG = "countfirst" THEN SetRun(s, r) /\ UNCHANGED chunk
     ELSE CountRun(s) /\ UNCHANGED runs
  /\ UNCHANGED <<place, idle, sub, live, births>>

\* ---- death and birth of a chunk ----

RetireChunk(t) ==                                                 \* CH.D1
  LET s == M(t).slot IN
  /\ Is(t, "found") /\ SameLife(t) /\ chunk[s].live /\ chunk[s].used = 0
  /\ Assert(runs[s] = Runs, "CH.D1: a run is missing")
  /\ chunk' = [chunk EXCEPT ![s].live = FALSE, ![s].gen = @ + 1]
  /\ Go(t, "leaveplace") /\ Keeps(t, [At(t) EXCEPT !.slot = s])
  /\ UNCHANGED <<tree, sub, live, births>>

LeavePlace(t) ==                                                  \* AR.L3
  LET a == M(t).home[1] IN
  /\ Is(t, "leaveplace") /\ Go(t, "unmap")
  /\ Assert(place[a] = M(t).slot, "AR.L3: the place names another (A1)")
  /\ place' = [place EXCEPT ![a] = Nil]
  /\ UNCHANGED <<chunk, runs, idle, sub, live, births, mind>>

\* Nothing of the payload is left; the descriptors stay as they are.
Unmap(t) ==                                                       \* TS.P1
  LET s == M(t).slot IN
  /\ \/ Is(t, "unmap")
     \/ Is(t, "mapped") /\ place[M(t).home[1]] # Nil
  /\ idle' = idle \union {s} /\ Rest(t)
  /\ IF BUG = "purge"
     THEN guard' = [d \in Descriptors |->
                      IF d[1] = s THEN DeadAt(0) ELSE guard[d]]
     ELSE UNCHANGED guard
  /\ UNCHANGED <<chunk, runs, place, bits, next, head, live, births>>

TakeSlot(t, h) ==                                                 \* TS.O1
  /\ Is(t, "idle") /\ Go(t, "mapped") /\ births < MaxBirths
  /\ place[h[1]] = Nil          \* else it would have looked there
  /\ \E s \in idle : /\ idle' = idle \ {s}
                     /\ Keeps(t, [Nothing EXCEPT !.home = h, !.slot = s])
  /\ UNCHANGED <<chunk, runs, place, sub, live, births>>

TakePlace(t) ==                                                   \* AR.L1
  LET a == M(t).home[1] IN
  /\ Is(t, "mapped") /\ place[a] = Nil /\ Go(t, "publish")
  /\ place' = [place EXCEPT ![a] = M(t).slot]
  /\ UNCHANGED <<chunk, runs, idle, sub, live, births, mind>>

\* With a run for the caller taken already.
ChunkBorn(t) ==                                                   \* CH.B1
  LET s == M(t).slot IN
  /\ Is(t, "publish") /\ births < MaxBirths /\ births' = births + 1
  /\ Assert(chunk[s].used = 0, "CH.B1: used before it was born (C1)")
  /\ chunk' = [chunk EXCEPT ![s] = [live |-> TRUE, gen |-> @.gen,
                                    arena |-> M(t).home[1], used |-> 1]]
  /\ \E r \in Runs : /\ runs' = [runs EXCEPT ![s] = Runs \ {r}]
                     /\ Keeps(t, [At(t) EXCEPT !.d = <<s, r>>])
  /\ Go(t, "fill")
  /\ UNCHANGED <<place, idle, sub, live>>

Next ==
  \E t \in Threads :
    \/ \E h \in Homes : LookAtTop(t, h) \/ Collect(t, h)
                        \/ LookAtPlace(t, h) \/ TakeSlot(t, h)
    \/ LookAtGuard(t) \/ StillTop(t) \/ Reserve(t) \/ Claim(t)
    \/ PopLook(t) \/ PopLink(t) \/ Pop(t)
    \/ Unlist(t) \/ Retire(t) \/ Keep(t)
    \/ PushLook(t) \/ PushLink(t) \/ Push(t)
    \/ LookAtChunk(t) \/ LookAgain(t) \/ ReserveRun(t)
    \/ ClaimRun(t) \/ Fill(t) \/ Born(t)
    \/ SetBits(t) \/ Leave(t)
    \/ GiveRun(t) \/ LeaveChunk(t)
    \/ RetireChunk(t) \/ LeavePlace(t) \/ Unmap(t)
    \/ TakePlace(t) \/ ChunkBorn(t)

Spec == Init /\ [][Next]_vars

Bounded  == \A h \in Homes : head[h].tag <= MaxTag
Symmetry == Permutations(Threads) \union Permutations(Slots)
            \union Permutations(Runs)
-----------------------------------------------------------------------------
RECURSIVE Chain(_, _)
Chain(d, most) ==
  IF d = Nil \/ most = 0 THEN {} ELSE {d} \union Chain(next[d], most - 1)
In(h)  == Chain(head[h].top, Cardinality(Descriptors))
Listed == UNION {In(h) : h \in Homes}
HandOf(d) == {t \in Threads : M(t).d = d /\ pc[t] \in
                {"popped", "push", "pushlink", "pushcas"}}

RECURSIVE Sum(_)
Sum(ts) == IF ts = {} THEN 0
           ELSE LET t == CHOOSE t \in ts : TRUE IN M(t).owed + Sum(ts \ {t})

\* subpage.h (B1).
B1 == \A d \in Descriptors : guard[d].live =>
        Cardinality(bits[d]) = guard[d].free
          + Sum({t \in Threads : M(t).d = d /\ pc[t] \in {"claim", "leave"}})

\* subpage.h (B2), and it is the stack of the chunk's arena and of the class.
B2 == \A d \in Descriptors :
        IF guard[d].live /\ guard[d].listed
        THEN /\ d \in Listed => HandOf(d) = {}
             /\ d \notin Listed => Cardinality(HandOf(d)) = 1
             /\ d \in Listed => d \in In(<<chunk[d[1]].arena, guard[d].class>>)
        ELSE d \notin Listed /\ HandOf(d) = {}

\* chunk.h (C1): a run that is counted is a live subpage's or in one thread's
\* hands.
C1 == BUG = "countfirst" \/ \A s \in Slots :
  chunk[s].used =
    Cardinality({r \in Runs : guard[<<s, r>>].live})
    + Cardinality({t \in Threads :
        \/ pc[t] = "claimrun" /\ M(t).slot = s
        \/ /\ pc[t] \in {"fill", "born", "giverun", "leavechunk"}
           /\ M(t).d[1] = s})

\* A subpage lives in a live chunk only.
InChunk == \A d \in Descriptors : guard[d].live => chunk[d[1]].live

\* arena.h (A1).
A1 == \A s \in Slots : chunk[s].live =>
        {a \in Arenas : place[a] = s} = {chunk[s].arena}

NoOverlap == \A a, b \in live : a = b \/ a \intersect b = {}
NotFree   == \A b \in live :
               LET d == SubOf(b) IN
               d[2] \notin runs[d[1]] /\ ElementOf(b) \notin bits[d]

\* Of the abstract allocator the regions are the descriptors' runs.
Abstract == INSTANCE Allocator
              WITH live <- live,
                   mapped <- {d \in Descriptors : chunk[d[1]].live}
Refines  == Abstract!Spec
=============================================================================
