------------------------------ MODULE Subpage ------------------------------
(***************************************************************************)
(* Subpages of several size classes, the two partial stacks of each class, *)
(* and the chunk that their runs come from, which dies and is born again   *)
(* (alloc/subpage.c, take_partial to collect_class of alloc/arena.c).      *)
(* One action is one access; the page tree is a set of free runs here,     *)
(* and the chunk's guard its state and count (PageTree has both in full).  *)
(*                                                                         *)
(* A refill looks at the top of a stack (TS.T1), at the subpage's guard    *)
(* (SP.H1) and at the top again (TS.T2); if it has not moved, the guard    *)
(* was of a life in this stack, and a CAS that compares the life reserves. *)
(* Nothing is popped unless the top has nothing free.  Who pops a subpage  *)
(* that is wholly free retires it, and gives its run back to the chunk.    *)
(* A collector moves what it pops to the other stack of the class.         *)
(*                                                                         *)
(* Class A cuts a run into two elements, class B has one element of the    *)
(* whole run: so an element claimed for the wrong life overlaps.  They may *)
(* have the same number, in two pools, so nothing but the generation tells *)
(* their lives apart in the guard (its class is a ghost here).             *)
(*                                                                         *)
(* Not modelled: memory orders (verify/), torn looks (TaggedStack), the    *)
(* place of the chunk (Bands), several bitmap words (a claim takes some of *)
(* the bits it is owed, and goes on).                                      *)
(*                                                                         *)
(* BUG  "notag"       heads are compared without the tag                   *)
(*      "nostill"     the second look at the top is left out               *)
(*      "nolife"      a reservation compares no life                       *)
(*      "topretire"   who looked at the top retires it, without popping    *)
(*      "twosteps"    a free counts first and lists in a second step       *)
(*      "countfirst"  the run is counted free before its bit is set        *)
(*      "purge"       descriptors of a dead chunk begin again at life 0    *)
(*      "purgebase"   at a number that only grows: correct                 *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Threads,
  Runs,
  Classes,    \* among "A" and "B"
  Nil,
  MaxBirths,  \* of subpages; bounds the model
  MaxTag,
  BUG

ASSUME Classes \subseteq {"A", "B"}
ASSUME BUG \in {"none", "notag", "nostill", "nolife", "topretire", "twosteps",
                "countfirst", "purge", "purgebase"}

Elements(c) == IF c = "A" THEN {{1}, {2}} ELSE {{1, 2}}
Total(c)    == Cardinality(Elements(c))
Block(r, e) == {r} \X e
RunOf(block)     == (CHOOSE unit \in block : TRUE)[1]
ElementOf(block) == {unit[2] : unit \in block}

VARIABLES
  guard,    \* of each run's subpage: [live, listed, free, class, gen], one word
  bits,     \* the elements whose bit is 1
  next,     \* the link in each subpage
  head,     \* of each class's two stacks: [top, tag]
  chunk,    \* the chunk's guard: [live, used]
  runs,     \* runs that are free in the chunk's page tree
  live,     \* the blocks in the hands of users
  pc,
  sp,       \* the subpage that a thread has in hand
  class,    \* the class that it works for
  stack,    \* which of the class's two stacks
  top,      \* the head that it has seen
  link,     \* the link that it has read
  seen,     \* the generation that it has seen, or Nil
  owed,     \* elements that it has reserved, or given back and not counted
  births, base

shared == <<guard, bits, next, head, chunk, runs, live, births, base>>
local  == <<sp, class, stack, top, link, seen, owed>>
vars   == <<shared, pc, local>>

NoTop == [top |-> Nil, tag |-> 0]
DeadAt(gen) ==
  [live |-> FALSE, listed |-> FALSE, free |-> 0, class |-> Nil, gen |-> gen]

Init ==
  /\ guard = [r \in Runs |-> DeadAt(0)] /\ bits = [r \in Runs |-> {}]
  /\ next  = [r \in Runs |-> Nil]
  /\ head  = [cs \in Classes \X {0, 1} |-> NoTop]
  /\ chunk = [live |-> TRUE, used |-> 0] /\ runs = Runs /\ live = {}
  /\ pc    = [t \in Threads |-> "idle"] /\ sp = [t \in Threads |-> Nil]
  /\ class = [t \in Threads |-> Nil]    /\ stack = [t \in Threads |-> 0]
  /\ top   = [t \in Threads |-> NoTop]  /\ link = [t \in Threads |-> Nil]
  /\ seen  = [t \in Threads |-> Nil] /\ owed = [t \in Threads |-> 0]
  /\ births = 0 /\ base = 0

Is(t, l) == pc[t] = l
Go(t, l) == pc' = [pc EXCEPT ![t] = l]
Set(f, t, v) == [f EXCEPT ![t] = v]

\* To the beginning, with nothing in mind.
Rest(t) ==
  /\ Go(t, "idle")
  /\ sp' = Set(sp, t, Nil)    /\ class' = Set(class, t, Nil)
  /\ stack' = Set(stack, t, 0) /\ top' = Set(top, t, NoTop)
  /\ link' = Set(link, t, Nil) /\ seen' = Set(seen, t, Nil)
  /\ owed' = Set(owed, t, 0)

Head(t) == head[<<class[t], stack[t]>>]
SeesHead(t) == top' = Set(top, t, Head(t))
Same(t) ==
  Head(t).top = top[t].top /\ (BUG = "notag" \/ Head(t).tag = top[t].tag)
NewHead(t, r) ==
  head' = [head EXCEPT ![<<class[t], stack[t]>>] =
             [top |-> r, tag |-> IF BUG = "notag" THEN 0 ELSE @.tag + 1]]

\* ---- refill: reserve at the top of a stack ----

LookAtTop(t, c, s) ==                                             \* TS.T1
  LET h == head[<<c, s>>] IN
  /\ Is(t, "idle") /\ h.top # Nil /\ Go(t, "guard")
  /\ class' = Set(class, t, c) /\ stack' = Set(stack, t, s)
  /\ top' = Set(top, t, h) /\ sp' = Set(sp, t, h.top)
  /\ UNCHANGED <<shared, link, seen, owed>>

LookAtGuard(t) ==                                                 \* SP.H1
  /\ Is(t, "guard") /\ Go(t, "still")
  /\ seen' = Set(seen, t, guard[sp[t]].gen)
  /\ UNCHANGED <<shared, sp, class, stack, top, link, owed>>

\* Otherwise the look is of no use, and the refill begins again.
StillTop(t) ==                                                    \* TS.T2
  /\ Is(t, "still")
  /\ IF Same(t) \/ BUG = "nostill"
     THEN Go(t, "reserve") /\ UNCHANGED local ELSE Rest(t)
  /\ UNCHANGED shared

\* Of the life that was seen, as many as there are or fewer; with nothing left,
\* the top is taken off.
Reserve(t) ==                                                     \* SP.A1
  LET r == sp[t]
      g == guard[r]
      same == BUG = "nolife" \/ g.gen = seen[t]
  IN
  /\ Is(t, "reserve")
  /\ IF ~(same /\ g.live /\ g.free > 0)
     THEN /\ Go(t, "pop") /\ sp' = Set(sp, t, Nil) /\ seen' = Set(seen, t, Nil)
          /\ top' = Set(top, t, NoTop)
          /\ UNCHANGED <<guard, class, stack, link, owed>>
     ELSE IF BUG = "topretire" /\ g.free = Total(g.class)
     THEN /\ guard' = [guard EXCEPT ![r] = DeadAt(g.gen + 1)]
          /\ Go(t, "giverun") /\ UNCHANGED local
     ELSE \E k \in 1 .. g.free :
            /\ guard' = [guard EXCEPT ![r].free = @ - k]
            /\ Go(t, "claim") /\ owed' = Set(owed, t, k)
            /\ UNCHANGED <<sp, class, stack, top, link, seen>>
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base>>

\* It had seen nothing free, which may be otherwise by now: the code does not
\* look again before it takes the top off.
NothingFree(t) ==                                                 \* SP.H1
  /\ Is(t, "reserve") /\ Go(t, "pop")
  /\ sp' = Set(sp, t, Nil) /\ seen' = Set(seen, t, Nil)
  /\ top' = Set(top, t, NoTop)
  /\ UNCHANGED <<shared, class, stack, link, owed>>

\* Some of the bits that are owed; their elements are handed out.
Claim(t) ==                                                       \* SP.A2
  LET r == sp[t] IN
  /\ Is(t, "claim")
  /\ Assert(bits[r] # {}, "SP.A2: reserved, and no bit (B1)")
  /\ \E some \in SUBSET bits[r] :
       /\ Cardinality(some) \in 1 .. owed[t]
       /\ \A e \in some : Assert(e \in Elements(class[t]),
                                 "SP.A2: an element of another class")
       /\ bits' = [bits EXCEPT ![r] = @ \ some]
       /\ live' = live \union {Block(r, e) : e \in some}
       /\ IF Cardinality(some) = owed[t] THEN Rest(t)
          ELSE /\ owed' = Set(owed, t, owed[t] - Cardinality(some))
               /\ UNCHANGED <<pc, sp, class, stack, top, link, seen>>
  /\ UNCHANGED <<guard, next, head, chunk, runs, births, base>>

\* ---- pop: by a refill whose top had nothing free, and by a collector ----

Collect(t, c, s) ==                                               \* TS.H3
  /\ Is(t, "idle") /\ head[<<c, s>>].top # Nil /\ Go(t, "pop")
  /\ class' = Set(class, t, c) /\ stack' = Set(stack, t, s)
  /\ UNCHANGED <<shared, sp, top, link, seen, owed>>

PopLook(t) ==                                                     \* TS.H4
  /\ Is(t, "pop")
  /\ IF Head(t).top = Nil THEN Rest(t)
     ELSE Go(t, "poplink") /\ SeesHead(t)
          /\ UNCHANGED <<sp, class, stack, link, seen, owed>>
  /\ UNCHANGED shared

PopLink(t) ==                                                     \* TS.H2
  /\ Is(t, "poplink") /\ Go(t, "popcas")
  /\ link' = Set(link, t, next[top[t].top])
  /\ UNCHANGED <<shared, sp, class, stack, top, seen, owed>>

Pop(t) ==                                                         \* TS.O1
  /\ Is(t, "popcas")
  /\ IF Same(t)
     THEN /\ NewHead(t, link[t]) /\ Go(t, "popped")
          /\ sp' = Set(sp, t, top[t].top)
     ELSE Go(t, "pop") /\ UNCHANGED <<head, sp>>
  /\ top' = Set(top, t, NoTop) /\ link' = Set(link, t, Nil)
  /\ UNCHANGED <<guard, bits, next, chunk, runs, live, births, base,
                 class, stack, seen, owed>>

IsPopped(t) ==
  LET g == guard[sp[t]] IN
  /\ Is(t, "popped")
  /\ Assert(g.live /\ g.listed /\ g.class = class[t],
            "SP.H1: popped what is dead, not listed or of another class (B2)")

Unlist(t) ==                                                      \* SP.L1
  LET r == sp[t] IN
  /\ IsPopped(t) /\ guard[r].free = 0
  /\ guard' = [guard EXCEPT ![r].listed = FALSE]
  /\ Rest(t)
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base>>

Retire(t) ==                                                      \* SP.R1
  LET r == sp[t] IN
  /\ IsPopped(t) /\ guard[r].free = Total(guard[r].class)
  /\ Assert(bits[r] = Elements(guard[r].class), "SP.R1: an element is missing")
  /\ guard' = [guard EXCEPT ![r] = DeadAt(@.gen + 1)]             \* B3
  /\ Go(t, "giverun")
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base, local>>

\* A refill puts it back on the first stack, a collector on the other one.
Keep(t) ==                                                        \* SP.H1
  LET r == sp[t] IN
  /\ IsPopped(t) /\ guard[r].free \in 1 .. Total(guard[r].class) - 1
  /\ Go(t, "push")
  /\ \E s \in {0, 1 - stack[t]} : stack' = Set(stack, t, s)
  /\ UNCHANGED <<shared, sp, class, top, link, seen, owed>>

\* ---- push ----

PushLook(t) ==                                                    \* TS.H1
  /\ Is(t, "push") /\ Go(t, "pushlink") /\ SeesHead(t)
  /\ UNCHANGED <<shared, sp, class, stack, link, seen, owed>>

PushLink(t) ==                                                    \* TS.N2
  /\ Is(t, "pushlink") /\ Go(t, "pushcas")
  /\ next' = [next EXCEPT ![sp[t]] = top[t].top]
  /\ UNCHANGED <<guard, bits, head, chunk, runs, live, births, base, local>>

Push(t) ==                                                        \* TS.P1
  /\ Is(t, "pushcas")
  /\ IF Same(t) THEN NewHead(t, sp[t]) /\ Rest(t)
     ELSE Go(t, "push") /\ UNCHANGED <<head, local>>
  /\ UNCHANGED <<guard, bits, next, chunk, runs, live, births, base>>

\* ---- a new subpage ----

ReserveRun(t, c) ==                                               \* CH.R1
  /\ Is(t, "idle") /\ births < MaxBirths
  /\ chunk.live /\ chunk.used < Cardinality(Runs)
  /\ chunk' = [chunk EXCEPT !.used = @ + 1]
  /\ births' = births + 1
  /\ Go(t, "claimrun") /\ class' = Set(class, t, c)
  /\ UNCHANGED <<guard, bits, next, head, runs, live, base,
                 sp, stack, top, link, seen, owed>>

ClaimRun(t) ==                                                    \* PT.C2
  /\ Is(t, "claimrun") /\ Go(t, "fill")
  /\ Assert(runs # {}, "PT.C2: reserved, and no run")
  /\ \E r \in runs :
       /\ Assert(~guard[r].live, "PT.C2: the run of a live subpage")
       /\ runs' = runs \ {r} /\ sp' = Set(sp, t, r)
  /\ UNCHANGED <<guard, bits, next, head, chunk, live, births, base,
                 class, stack, top, link, seen, owed>>

\* The first elements are the caller's, before anybody sees the subpage.
Fill(t) ==                                                        \* SP.N2
  LET all == Elements(class[t]) IN
  /\ Is(t, "fill") /\ Go(t, "born")
  /\ \E mine \in SUBSET all \ {{}} :
       /\ bits' = [bits EXCEPT ![sp[t]] = all \ mine]
       /\ live' = live \union {Block(sp[t], e) : e \in mine}
  /\ UNCHANGED <<guard, next, head, chunk, runs, births, base, local>>

Born(t) ==                                                        \* SP.N1
  LET r == sp[t]
      free == Cardinality(bits[r])
  IN
  /\ Is(t, "born")
  /\ guard' = [guard EXCEPT ![r] = [live |-> TRUE, listed |-> free > 0,
                 free |-> free, class |-> class[t], gen |-> @.gen]]
  /\ IF free > 0 THEN Go(t, "push") /\ UNCHANGED local ELSE Rest(t)
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base>>

\* ---- free a batch of one subpage: the bits, then one CAS ----

InHand(r) == \E t \in Threads : pc[t] \in {"fill", "born"} /\ sp[t] = r

SetBits(t) ==                                                     \* SP.F1
  /\ Is(t, "idle") /\ Go(t, "leave")
  /\ \E r \in Runs : \E batch \in SUBSET {b \in live : RunOf(b) = r} \ {{}} :
       LET given == {ElementOf(b) : b \in batch} IN
       /\ ~InHand(r)                      \* its user does not have it yet
       /\ Assert(guard[r].live, "SP.F1: an element of a dead subpage")
       /\ Assert(given \subseteq Elements(guard[r].class),
                 "SP.F1: an element of another class")
       /\ Assert(given \intersect bits[r] = {}, "SP.F1: free already")
       /\ bits' = [bits EXCEPT ![r] = @ \union given]
       /\ live' = live \ batch
       /\ sp' = Set(sp, t, r) /\ owed' = Set(owed, t, Cardinality(given))
       /\ class' = Set(class, t, guard[r].class)
  /\ UNCHANGED <<guard, next, head, chunk, runs, births, base,
                 stack, top, link, seen>>

\* Who counts the first free element of a subpage that is in no stack lists it.
Leave(t) ==                                                       \* SP.F2
  LET r == sp[t] IN
  /\ Is(t, "leave")
  /\ Assert(guard[r].live, "SP.F2: the last touch comes after the death")
  /\ IF BUG = "twosteps"
     THEN /\ guard' = [guard EXCEPT ![r].free = @ + owed[t]]
          /\ Go(t, "list") /\ UNCHANGED local
     ELSE /\ guard' = [guard EXCEPT ![r].free = @ + owed[t], ![r].listed = TRUE]
          /\ IF guard[r].listed THEN Rest(t)
             ELSE Go(t, "push") /\ owed' = Set(owed, t, 0)
                  /\ UNCHANGED <<sp, class, stack, top, link, seen>>
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base>>

\* Only with BUG "twosteps".
List(t) ==
  LET r == sp[t] IN
  /\ Is(t, "list")
  /\ Assert(guard[r].live, "SP.F2: the last touch comes after the death")
  /\ guard' = [guard EXCEPT ![r].listed = TRUE]
  /\ IF guard[r].listed THEN Rest(t)
     ELSE Go(t, "push") /\ owed' = Set(owed, t, 0)
          /\ UNCHANGED <<sp, class, stack, top, link, seen>>
  /\ UNCHANGED <<bits, next, head, chunk, runs, live, births, base>>

\* ---- the run of a dead subpage, and the chunk ----

GiveRun(t) ==                                                     \* PT.F2
  /\ Is(t, "giverun") /\ Go(t, "leavechunk")
  /\ Assert(chunk.live, "PT.F2: a run of a dead chunk")
  /\ IF BUG = "countfirst"
     THEN chunk' = [chunk EXCEPT !.used = @ - 1] /\ UNCHANGED runs
     ELSE runs' = runs \union {sp[t]} /\ UNCHANGED chunk
  /\ UNCHANGED <<guard, bits, next, head, live, births, base, local>>

LeaveChunk(t) ==                                                  \* CH.F1
  /\ Is(t, "leavechunk")
  /\ IF BUG = "countfirst"
     THEN runs' = runs \union {sp[t]} /\ UNCHANGED chunk
     ELSE chunk' = [chunk EXCEPT !.used = @ - 1] /\ UNCHANGED runs
  /\ Rest(t)
  /\ UNCHANGED <<guard, bits, next, head, live, births, base>>

RetireChunk(t) ==                                                 \* CH.D1
  /\ Is(t, "idle") /\ chunk.live /\ chunk.used = 0
  /\ Assert(runs = Runs, "CH.D1: a run is missing")
  /\ chunk' = [chunk EXCEPT !.live = FALSE]
  /\ Go(t, "chunk")
  /\ UNCHANGED <<guard, bits, next, head, runs, live, births, base, local>>

\* The descriptors stay as they are; a purge would begin their lives again.
ChunkBorn(t) ==                                                   \* CH.B1
  /\ Is(t, "chunk")
  /\ chunk' = [chunk EXCEPT !.live = TRUE]
  /\ CASE BUG = "purge" ->
            guard' = [r \in Runs |-> DeadAt(0)] /\ UNCHANGED base
       [] BUG = "purgebase" ->
            /\ base' = base + MaxBirths + 1
            /\ guard' = [r \in Runs |-> DeadAt(base + MaxBirths + 1)]
       [] OTHER -> UNCHANGED <<guard, base>>
  /\ Rest(t)
  /\ UNCHANGED <<bits, next, head, runs, live, births>>

Next ==
  \E t \in Threads :
    \/ \E c \in Classes, s \in {0, 1} : LookAtTop(t, c, s) \/ Collect(t, c, s)
    \/ LookAtGuard(t) \/ StillTop(t) \/ Reserve(t)
    \/ NothingFree(t) \/ Claim(t)
    \/ PopLook(t) \/ PopLink(t) \/ Pop(t)
    \/ Unlist(t) \/ Retire(t) \/ Keep(t)
    \/ PushLook(t) \/ PushLink(t) \/ Push(t)
    \/ \E c \in Classes : ReserveRun(t, c)
    \/ ClaimRun(t) \/ Fill(t) \/ Born(t)
    \/ SetBits(t) \/ Leave(t)
    \/ GiveRun(t) \/ LeaveChunk(t) \/ RetireChunk(t) \/ ChunkBorn(t)

Spec         == Init /\ [][Next]_vars
SpecTwoSteps == Init /\ [][Next \/ \E t \in Threads : List(t)]_vars

Bounded ==
  /\ base <= 2 * MaxBirths + 2
  /\ \A h \in DOMAIN head : head[h].tag <= MaxTag
Symmetry == Permutations(Threads) \union Permutations(Runs)
-----------------------------------------------------------------------------
RECURSIVE Chain(_, _)
Chain(r, most) ==
  IF r = Nil \/ most = 0 THEN {} ELSE {r} \union Chain(next[r], most - 1)
In(c, s) == Chain(head[<<c, s>>].top, Cardinality(Runs))
Listed   == UNION {In(c, s) : c \in Classes, s \in {0, 1}}
HandOf(r) == {t \in Threads : sp[t] = r /\ pc[t] \in
                {"popped", "push", "pushlink", "pushcas"}}

RECURSIVE Sum(_)
Sum(ts) == IF ts = {} THEN 0
           ELSE LET t == CHOOSE t \in ts : TRUE IN owed[t] + Sum(ts \ {t})

\* subpage.h (B1), and more exactly: a bit is free, reserved or not counted yet.
B1 == \A r \in Runs : guard[r].live =>
        Cardinality(bits[r]) = guard[r].free
          + Sum({t \in Threads : sp[t] = r /\ pc[t] \in {"claim", "leave"}})

\* subpage.h (B2): listed while in one stack of its class, or in the hands of
\* one thread.
B2 == \A r \in Runs :
        IF guard[r].live /\ guard[r].listed
        THEN /\ r \in Listed => HandOf(r) = {}
             /\ r \notin Listed => Cardinality(HandOf(r)) = 1
             /\ r \in Listed => \E s \in {0, 1} : r \in In(guard[r].class, s)
        ELSE r \notin Listed /\ HandOf(r) = {}

NoOverlap == \A a, b \in live : a = b \/ a \intersect b = {}
NotFree   == \A b \in live :
               RunOf(b) \notin runs /\ ElementOf(b) \notin bits[RunOf(b)]

\* A stopped thread holds one subpage at most, and what it has reserved of it.
OneInHand == \A t \in Threads : Cardinality({r \in Runs : t \in HandOf(r)}) <= 1

\* Of the abstract allocator the regions are the runs.
Abstract == INSTANCE Allocator
              WITH live <- live, mapped <- IF chunk.live THEN Runs ELSE {}
Refines  == Abstract!Spec
=============================================================================
