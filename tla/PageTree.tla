------------------------------ MODULE PageTree ------------------------------
(***************************************************************************)
(* The free pages of one chunk and the guard of the chunk, through its     *)
(* lives (alloc/page_tree.c, alloc/chunk.c).  Every action is one atomic   *)
(* access and carries its label; PT.H1, PT.H2 and PT.H3 decide nothing and *)
(* have no action, because the value of a word is its whole meaning and a  *)
(* CAS that succeeds has seen the word as it is.                           *)
(*                                                                         *)
(* A thread claims a run of pages in a leaf word, or splits a group, or    *)
(* claims a whole group, if need be after uniting a full leaf word.  It    *)
(* tries these in any order and gives up at any time, which is more than   *)
(* the code does.  Any thread frees any block.                             *)
(*                                                                         *)
(* Not modelled: memory orders (verify/), runs of several groups, the      *)
(* order of the search.                                                    *)
(*                                                                         *)
(* BUG  "bare"        a leaf word is united without a reservation          *)
(*      "countfirst"  a free counts its pages before it gives them back    *)
(*      "wholesplit"  a split publishes all pages of the group             *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Threads,
  Groups,          \* a root word has one bit for each
  GroupPages,      \* pages in a group (64 in the code)
  LastGeneration,  \* bounds the model
  MaxKilled,
  BUG

ASSUME BUG \in {"none", "bare", "countfirst", "wholesplit"}

Pages      == Groups \X (1 .. GroupPages)
Whole(g)   == {g} \X (1 .. GroupPages)
Total      == Cardinality(Pages)
Run(g, first, k) == {g} \X (first .. first + k - 1)
Runs(k)    == {Run(g, f, k) : g \in Groups, f \in 1 .. GroupPages - k + 1}
WholeOf(pages)   == {g \in Groups : Whole(g) = pages}

VARIABLES
  state, generation, used,  \* the guard word
  root,    \* groups that are free as a whole
  leaf,    \* pages that are free by themselves
  live,    \* blocks in the hands of users, each a set of pages
  pc,      \* where each thread is
  need,    \* pages it has reserved and not returned
  hand,    \* pages on their way between two places
  killed

vars == <<state, generation, used, root, leaf, live, pc, need, hand, killed>>
guard == <<state, generation, used>>
tree  == <<root, leaf>>

Goto(t, from, to) ==
  t \notin killed /\ pc[t] = from /\ pc' = [pc EXCEPT ![t] = to]
Is(t, at)   == t \notin killed /\ pc[t] = at
Take(t, p)  == hand' = [hand EXCEPT ![t] = p]
Drop(t)     == hand' = [hand EXCEPT ![t] = {}]

Init ==
  /\ state = "LIVE" /\ generation = 0 /\ used = 0
  /\ root = Groups /\ leaf = {} /\ live = {}
  /\ pc   = [t \in Threads |-> "idle"]
  /\ need = [t \in Threads |-> 0]
  /\ hand = [t \in Threads |-> {}]
  /\ killed = {}

\* ---- allocate: first the guard, then the bits ----

Reserve(t, k) ==                                                  \* CH.R1
  /\ Goto(t, "idle", "search")
  /\ state = "LIVE" /\ used + k <= Total                          \* C1
  /\ used' = used + k
  /\ need' = [need EXCEPT ![t] = k]
  /\ UNCHANGED <<state, generation, tree, live, hand, killed>>

ClaimInLeaf(t) ==                                                 \* PT.C2
  /\ Goto(t, "search", "idle")
  /\ \E run \in Runs(need[t]) :
       /\ run \subseteq leaf
       /\ leaf' = leaf \ run
       /\ live' = live \union {run}
  /\ need' = [need EXCEPT ![t] = 0]
  /\ UNCHANGED <<guard, root, hand, killed>>

ClaimInRoot(t) ==                                                 \* PT.C1
  /\ Is(t, "search")
  /\ \E g \in root :
       /\ root' = root \ {g}
       /\ IF need[t] = GroupPages
          THEN /\ live' = live \union {Whole(g)}
               /\ need' = [need EXCEPT ![t] = 0]
               /\ Goto(t, "search", "idle") /\ UNCHANGED hand
          ELSE /\ Take(t, Whole(g)) /\ Goto(t, "search", "split")
               /\ UNCHANGED <<live, need>>
  /\ UNCHANGED <<guard, leaf, killed>>

Split(t) ==                                                       \* PT.S1
  /\ Goto(t, "split", "idle")
  /\ \E g \in Groups :
       LET mine == Run(g, 1, need[t])
           rest == IF BUG = "wholesplit" THEN hand[t] ELSE hand[t] \ mine
       IN
       /\ Whole(g) = hand[t]
       /\ Assert(leaf \intersect rest = {}, "PT.S1: a page is free already")
       /\ leaf' = leaf \union rest
       /\ live' = live \union {mine}
  /\ need' = [need EXCEPT ![t] = 0] /\ Drop(t)
  /\ UNCHANGED <<guard, root, killed>>

\* Any full leaf word, under the reservation of a whole group (P2).
Unite(t) ==                                                       \* PT.U2
  /\ \/ Is(t, "search") /\ need[t] = GroupPages
     \/ Is(t, "idle") /\ BUG = "bare"
  /\ \E g \in Groups :
       /\ Whole(g) \subseteq leaf
       /\ leaf' = leaf \ Whole(g)
       /\ Take(t, Whole(g))
  /\ Goto(t, pc[t], "unite")
  /\ UNCHANGED <<guard, root, live, need, killed>>

United(t) ==                                                      \* PT.U1
  /\ Goto(t, "unite", IF need[t] = 0 THEN "idle" ELSE "search")
  /\ Assert(WholeOf(hand[t]) \intersect root = {},
            "PT.U1: the group is free already")
  /\ root' = root \union WholeOf(hand[t])
  /\ Drop(t)
  /\ UNCHANGED <<guard, leaf, live, need, killed>>

\* Room, but not in one piece, or on its way between two levels.
GiveUp(t) ==                                                      \* CH.F1
  /\ Goto(t, "search", "idle")
  /\ used' = used - need[t]
  /\ need' = [need EXCEPT ![t] = 0]
  /\ UNCHANGED <<state, generation, tree, live, hand, killed>>

\* ---- free: first the bits, then the guard, the last touch ----

SetBits(pages) ==
  LET g == WholeOf(pages) IN
  /\ Assert(pages \intersect (leaf \union root \X (1 .. GroupPages)) = {},
            "PT.F2: the page is free already")
  /\ IF g # {} THEN root' = root \union g /\ UNCHANGED leaf
               ELSE leaf' = leaf \union pages /\ UNCHANGED root

Release(t) ==                                                     \* PT.F1 PT.F2
  /\ Goto(t, "idle", "leave")
  /\ \E block \in live :
       /\ Assert(state = "LIVE", "PT.F2: a block in a dead chunk")
       /\ live' = live \ {block}
       /\ need' = [need EXCEPT ![t] = Cardinality(block)]
       /\ IF BUG = "countfirst"
          THEN used' = used - Cardinality(block) /\ Take(t, block)
               /\ UNCHANGED tree
          ELSE SetBits(block) /\ UNCHANGED <<used, hand>>
  /\ UNCHANGED <<state, generation, killed>>

Leave(t) ==                                                       \* CH.F1
  /\ Goto(t, "leave", "idle")
  /\ need' = [need EXCEPT ![t] = 0]
  /\ IF BUG = "countfirst"
     THEN SetBits(hand[t]) /\ Drop(t) /\ UNCHANGED used
     ELSE used' = used - need[t] /\ UNCHANGED <<hand, tree>>
  /\ UNCHANGED <<state, generation, live, killed>>

\* ---- death and birth ----

Retire(t) ==                                                      \* CH.D1
  /\ Goto(t, "idle", "owner")
  /\ state = "LIVE" /\ used = 0 /\ generation < LastGeneration
  /\ state' = "DEAD" /\ generation' = generation + 1              \* C2
  /\ UNCHANGED <<used, tree, live, need, hand, killed>>

\* The tree is written anew by the one owner, and the first run taken from it.
WriteTree(t, k) ==                                                \* PT.N1 PT.N2
  /\ Goto(t, "owner", "born")
  /\ \E g \in Groups :
       /\ root' = Groups \ {g}
       /\ leaf' = Whole(g) \ Run(g, 1, k)
       /\ Take(t, Run(g, 1, k))
  /\ UNCHANGED <<guard, live, need, killed>>

Born(t) ==                                                        \* CH.B1
  /\ Goto(t, "born", "idle")
  /\ state' = "LIVE" /\ used' = Cardinality(hand[t])
  /\ live' = live \union {hand[t]} /\ Drop(t)
  /\ UNCHANGED <<generation, tree, need, killed>>

\* A thread killed anywhere: what it has in hand is lost.
Kill(t) ==
  /\ t \notin killed /\ pc[t] # "idle" /\ Cardinality(killed) < MaxKilled
  /\ killed' = killed \union {t}
  /\ UNCHANGED <<guard, tree, live, pc, need, hand>>

Next ==
  \E t \in Threads :
    \/ \E k \in 1 .. GroupPages : Reserve(t, k)
    \/ ClaimInLeaf(t) \/ ClaimInRoot(t) \/ Split(t)
    \/ Unite(t) \/ United(t) \/ GiveUp(t)
    \/ Release(t) \/ Leave(t)
    \/ Retire(t) \/ Born(t)
    \/ \E k \in 1 .. GroupPages : WriteTree(t, k)
    \/ Kill(t)

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Threads) \union Permutations(Groups)
-----------------------------------------------------------------------------
TypeOK ==
  /\ state \in {"LIVE", "DEAD"} /\ generation \in 0 .. LastGeneration
  /\ used \in 0 .. Total /\ root \subseteq Groups /\ leaf \subseteq Pages
  /\ \A t \in Threads : need[t] \in 0 .. GroupPages /\ hand[t] \subseteq Pages
  /\ \A block \in live : block # {} /\ block \subseteq Pages

RECURSIVE Sum(_, _)
Sum(f, ts) == IF ts = {} THEN 0
              ELSE LET t == CHOOSE t \in ts : TRUE IN f[t] + Sum(f, ts \ {t})

\* page_tree.h (P1): each page is in one place only.
Places(page) ==
  (IF page[1] \in root THEN 1 ELSE 0) + (IF page \in leaf THEN 1 ELSE 0)
  + Cardinality({t \in Threads : page \in hand[t]})
  + Cardinality({block \in live : page \in block})
P1 == \A page \in Pages : Places(page) = 1

\* page_tree.h (P2): nothing used means that all bits are here.
P2 == state = "LIVE" /\ used = 0 =>
        (root \X (1 .. GroupPages)) \union leaf = Pages

\* chunk.h (C1): the guard counts what is reserved or handed out.
C1 == BUG = "countfirst" \/
      used = Sum(need, Threads) + Cardinality(UNION live)

\* The winner of CH.D1 is alone.
OwnerIsAlone ==
  \A t \in Threads : pc[t] \in {"owner", "born"} =>
    live = {} /\ \A u \in Threads \ {t} : pc[u] = "idle"

\* What a killed thread takes with it is one group at most.
LostIsBounded == \A t \in killed : Cardinality(hand[t]) <= GroupPages

\* In the abstract allocator the chunk's memory is there while the chunk is
\* LIVE, and while its owner builds its next life.
Mapped == IF state = "LIVE" \/ \E t \in Threads : pc[t] = "born"
          THEN Groups ELSE {}
Abstract == INSTANCE Allocator WITH live <- live, mapped <- Mapped
Refines  == Abstract!Spec
=============================================================================
