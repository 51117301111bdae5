--------------------------- MODULE BufferRefcount ---------------------------
(***************************************************************************)
(* The count word of a buffer, {generation, published, count}, and handles *)
(* that carry a generation.  It specifies code that is not written yet (the *)
(* buffers), so its labels are the ones that code is to have.               *)
(*                                                                         *)
(* A buffer that others may find without holding a reference is published   *)
(* first, by its sole owner: then its last release is a CAS, and a finder   *)
(* tries to retain with a CAS that compares the whole word.  The last       *)
(* release of a buffer that is not published is a store, after a load that  *)
(* saw a count of 1: only its one holder can change the word.  The step     *)
(* that takes the count to 0 ends the generation, so that a handle left in  *)
(* shared state fits no later life of the descriptor.                       *)
(*                                                                         *)
(* Not modelled: memory orders, views, composites, saturation, wraps.       *)
(*                                                                         *)
(* BUG  "unpublished"  a buffer is found that was not published             *)
(*      "add"          a finder adds after its look, without comparing      *)
(*      "nogen"        a finder does not compare the generation             *)
(*      "split"        a release subtracts, and looks for 0 in a second step *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS Threads, None, MaxLives, MaxCount, BUG

ASSUME BUG \in {"none", "unpublished", "add", "nogen", "split"}

VARIABLES
  word,  \* [gen, pub, count]
  used,  \* whether the memory is a buffer's
  cell,  \* shared state: the generation of the handle in it, or None
  refs,  \* of each thread: references that it holds
  pc,
  seen,  \* the word that it has seen
  want   \* the generation of the handle that it has found

vars == <<word, used, cell, refs, pc, seen, want>>

Zero == [gen |-> 0, pub |-> FALSE, count |-> 0]
Init ==
  /\ word = Zero /\ used = FALSE /\ cell = None
  /\ refs = [t \in Threads |-> 0] /\ pc = [t \in Threads |-> "idle"]
  /\ seen = [t \in Threads |-> Zero] /\ want = [t \in Threads |-> None]

Is(t, l) == pc[t] = l
Go(t, l) == pc' = [pc EXCEPT ![t] = l]
Forget(t) == seen' = [seen EXCEPT ![t] = Zero]
             /\ want' = [want EXCEPT ![t] = None]
Rest(t) == Go(t, "idle") /\ Forget(t)

Alloc(t) ==                                                       \* BF.N1
  /\ Is(t, "idle") /\ ~used /\ word.gen < MaxLives
  /\ used' = TRUE /\ word' = [word EXCEPT !.count = 1, !.pub = FALSE]
  /\ refs' = [refs EXCEPT ![t] = 1]
  /\ UNCHANGED <<cell, pc, seen, want>>

\* As sole owner.
Publish(t) ==                                                     \* BF.P1
  /\ Is(t, "idle") /\ refs[t] = 1 /\ word.count = 1 /\ ~word.pub
  /\ word' = [word EXCEPT !.pub = TRUE]
  /\ UNCHANGED <<used, cell, refs, pc, seen, want>>

\* The handle goes where others find it, and stays there.
Share(t) ==
  /\ Is(t, "idle") /\ refs[t] > 0 /\ cell # word.gen
  /\ word.pub \/ BUG = "unpublished"
  /\ cell' = word.gen
  /\ UNCHANGED <<word, used, refs, pc, seen, want>>

Retain(t) ==                                                      \* BF.R1
  /\ Is(t, "idle") /\ refs[t] > 0 /\ word.count < MaxCount
  /\ word' = [word EXCEPT !.count = @ + 1]
  /\ refs' = [refs EXCEPT ![t] = @ + 1]
  /\ UNCHANGED <<used, cell, pc, seen, want>>

HandOver(t, u) ==
  /\ t # u /\ Is(t, "idle") /\ refs[t] > 0
  /\ refs' = [refs EXCEPT ![t] = @ - 1, ![u] = @ + 1]
  /\ UNCHANGED <<word, used, cell, pc, seen, want>>

\* ---- release ----

ReleaseLook(t) ==                                                 \* BF.H1
  /\ Is(t, "idle") /\ refs[t] > 0
  /\ seen' = [seen EXCEPT ![t] = word]
  /\ Go(t, IF ~word.pub /\ word.count = 1 THEN "last" ELSE "release")
  /\ UNCHANGED <<word, used, cell, refs, want>>

Ended == [word EXCEPT !.gen = @ + 1, !.pub = FALSE, !.count = 0]

Last(t) ==                                                        \* BF.L1
  /\ Is(t, "last") /\ Go(t, "give") /\ Forget(t)
  /\ word' = [gen |-> seen[t].gen + 1, pub |-> FALSE, count |-> 0]
  /\ refs' = [refs EXCEPT ![t] = @ - 1]
  /\ UNCHANGED <<used, cell>>

Release(t) ==                                                     \* BF.R2
  /\ Is(t, "release")
  /\ IF BUG = "split"
     THEN /\ word' = [word EXCEPT !.count = @ - 1] /\ Go(t, "iszero")
          /\ refs' = [refs EXCEPT ![t] = @ - 1] /\ Forget(t)
     ELSE IF word # seen[t]
     THEN /\ Rest(t) /\ UNCHANGED <<word, refs>>     \* and begins again
     ELSE /\ word' = IF word.count = 1 THEN Ended
                     ELSE [word EXCEPT !.count = @ - 1]
          /\ refs' = [refs EXCEPT ![t] = @ - 1]
          /\ Go(t, IF word.count = 1 THEN "give" ELSE "idle") /\ Forget(t)
  /\ UNCHANGED <<used, cell>>

IsZero(t) ==
  /\ Is(t, "iszero")
  /\ IF word.count = 0 THEN word' = Ended /\ Go(t, "give")
     ELSE UNCHANGED word /\ Go(t, "idle")
  /\ UNCHANGED <<used, cell, refs, seen, want>>

GiveMemory(t) ==
  /\ Is(t, "give") /\ Go(t, "idle")
  /\ Assert(used, "the memory is given back twice")
  /\ used' = FALSE
  /\ UNCHANGED <<word, cell, refs, seen, want>>

\* ---- try-retain of a handle found in shared state ----

TryLook(t) ==                                                     \* BF.T1
  /\ Is(t, "idle") /\ cell # None
  /\ BUG = "nogen" \/ word.gen = cell
  /\ BUG = "unpublished" \/ word.pub
  /\ word.count \in 1 .. MaxCount - 1
  /\ seen' = [seen EXCEPT ![t] = word] /\ want' = [want EXCEPT ![t] = cell]
  /\ Go(t, "try")
  /\ UNCHANGED <<word, used, cell, refs>>

Try(t) ==                                                         \* BF.T2
  /\ Is(t, "try") /\ Rest(t)
  /\ IF word = seen[t] \/ BUG = "add"
     THEN /\ Assert(word.gen = want[t], "BF.T2: a buffer of another life")
          /\ word' = [word EXCEPT !.count = @ + 1]
          /\ refs' = [refs EXCEPT ![t] = @ + 1]
     ELSE UNCHANGED <<word, refs>>
  /\ UNCHANGED <<used, cell>>

Next ==
  \E t \in Threads :
    \/ Alloc(t) \/ Publish(t) \/ Share(t) \/ Retain(t)
    \/ \E u \in Threads : HandOver(t, u)
    \/ ReleaseLook(t) \/ Last(t) \/ Release(t) \/ GiveMemory(t)
    \/ TryLook(t) \/ Try(t)

Spec      == Init /\ [][Next]_vars
SpecSplit == Init /\ [][Next \/ \E t \in Threads : IsZero(t)]_vars

Symmetry == Permutations(Threads)
-----------------------------------------------------------------------------
RECURSIVE Sum(_)
Sum(ts) == IF ts = {} THEN 0
           ELSE LET t == CHOOSE t \in ts : TRUE IN refs[t] + Sum(ts \ {t})

\* The count is the number of references, and whoever has one has a buffer.
R1 == word.count = Sum(Threads)
R2 == Sum(Threads) > 0 => used
\* One thread at most gives the memory back.
R3 == Cardinality({t \in Threads : pc[t] = "give"}) <= 1

\* Of the abstract allocator it is one block that comes and goes.
Abstract == INSTANCE Allocator
              WITH live <- IF used THEN {{<<1, 1>>}} ELSE {}, mapped <- {1}
Refines  == Abstract!Spec
=============================================================================
