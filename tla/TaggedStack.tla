---------------------------- MODULE TaggedStack ----------------------------
(***************************************************************************)
(* sync/tagged_stack.h, one access a step: Treiber's stack whose head is   *)
(* {first node, tag}.  The two halves of a head are loaded one after the   *)
(* other (the first node, then the tag), so a look may be torn; a CAS      *)
(* compares both at once.  A node is never anything else (T1), and its     *)
(* owner may push it again as often as it likes, with other contents.      *)
(*                                                                         *)
(* A thread that peeks looks at the top, reads the node's contents, and    *)
(* looks again; what it relies on is that the node was in this stack when  *)
(* it read (docs/decisions/0001).                                          *)
(*                                                                         *)
(* Not modelled: memory orders (verify/).  But see "reordered".            *)
(*                                                                         *)
(* BUG  "notag"      heads are compared without the tag                    *)
(*      "poptag"     only a pop advances the tag                           *)
(*      "nodeonly"   the second look of a peek compares the node alone     *)
(*      "reordered"  the second look loads the tag before the node, which  *)
(*                   two relaxed loads may do                              *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Threads,
  Nodes,
  Nil,
  MaxTag,    \* bounds the model
  BUG

ASSUME BUG \in {"none", "notag", "poptag", "nodeonly", "reordered"}

VARIABLES
  top, tag,  \* the head
  next,      \* the links in the nodes
  pc,
  seen,      \* what each thread has seen of the head: [top, tag]
  link,      \* the link that a popper has read
  hand,      \* the nodes that each thread owns
  node,      \* the node that a thread is pushing
  wasIn      \* of a peek: the node was in the stack when it was read

vars == <<top, tag, next, pc, seen, link, hand, node, wasIn>>
head == <<top, tag>>

Goto(t, from, to) == pc[t] = from /\ pc' = [pc EXCEPT ![t] = to]

\* From the top down; no longer than there are nodes, should a link lead back.
RECURSIVE Chain(_, _)
Chain(n, most) == IF n = Nil \/ most = 0 THEN <<>>
                  ELSE <<n>> \o Chain(next[n], most - 1)
Stack  == Chain(top, Cardinality(Nodes) + 1)
InStack == {Stack[i] : i \in 1 .. Len(Stack)}

Init ==
  /\ top = Nil /\ tag = 0
  /\ next  = [n \in Nodes |-> Nil]
  /\ pc    = [t \in Threads |-> "idle"]
  /\ seen  = [t \in Threads |-> [top |-> Nil, tag |-> 0]]
  /\ link  = [t \in Threads |-> Nil]
  /\ node  = [t \in Threads |-> Nil]
  /\ wasIn = [t \in Threads |-> FALSE]
  /\ \E t \in Threads : hand = [u \in Threads |-> IF u = t THEN Nodes ELSE {}]

SeesTop(t) == seen' = [seen EXCEPT ![t].top = top]
SeesTag(t) == seen' = [seen EXCEPT ![t].tag = tag]
SeesAll(t) == seen' = [seen EXCEPT ![t] = [top |-> top, tag |-> tag]]
IsSeen(t)  == seen[t].top = top /\ (BUG = "notag" \/ seen[t].tag = tag)
Advance    == tag' = tag + 1

\* ---- push ----

PushTop(t) ==                                                     \* TS.H1
  /\ Goto(t, "idle", "pushtag")
  /\ \E n \in hand[t] : node' = [node EXCEPT ![t] = n]
  /\ SeesTop(t)
  /\ UNCHANGED <<head, next, link, hand, wasIn>>

PushTag(t) ==                                                     \* TS.H1
  /\ Goto(t, "pushtag", "pushlink") /\ SeesTag(t)
  /\ UNCHANGED <<head, next, link, hand, node, wasIn>>

PushLink(t) ==                                                    \* TS.N2
  /\ Goto(t, "pushlink", "pushcas")
  /\ next' = [next EXCEPT ![node[t]] = seen[t].top]
  /\ UNCHANGED <<head, seen, link, hand, node, wasIn>>

Push(t) ==                                                        \* TS.P1
  /\ IF IsSeen(t)
     THEN /\ top' = node[t]
          /\ IF BUG = "poptag" THEN UNCHANGED tag ELSE Advance    \* T2
          /\ hand' = [hand EXCEPT ![t] = @ \ {node[t]}]
          /\ node' = [node EXCEPT ![t] = Nil]
          /\ Goto(t, "pushcas", "idle") /\ UNCHANGED seen
     ELSE /\ SeesAll(t) /\ Goto(t, "pushcas", "pushlink")
          /\ UNCHANGED <<head, hand, node>>
  /\ UNCHANGED <<next, link, wasIn>>

\* ---- pop ----

PopTop(t) ==                                                      \* TS.H4
  /\ Goto(t, "idle", "poptag") /\ SeesTop(t)
  /\ UNCHANGED <<head, next, link, hand, node, wasIn>>

PopTag(t) ==                                                      \* TS.H4
  /\ Goto(t, "poptag", IF seen[t].top = Nil THEN "idle" ELSE "poplink")
  /\ SeesTag(t)
  /\ UNCHANGED <<head, next, link, hand, node, wasIn>>

PopLink(t) ==                                                     \* TS.H2
  /\ Goto(t, "poplink", "popcas")
  /\ link' = [link EXCEPT ![t] = next[seen[t].top]]
  /\ UNCHANGED <<head, next, seen, hand, node, wasIn>>

Pop(t) ==                                                         \* TS.O1
  /\ IF IsSeen(t)
     THEN /\ top' = link[t] /\ Advance                            \* T2
          /\ hand' = [hand EXCEPT ![t] = @ \union {seen[t].top}]
          /\ Goto(t, "popcas", "idle") /\ UNCHANGED seen
     ELSE /\ SeesAll(t)
          /\ Goto(t, "popcas", IF top = Nil THEN "idle" ELSE "poplink")
          /\ UNCHANGED <<head, hand>>
  /\ UNCHANGED <<next, link, node, wasIn>>

PopAll(t) ==                                                      \* TS.O2
  /\ Goto(t, "poplink", "idle") /\ IsSeen(t)
  /\ top' = Nil /\ Advance
  /\ hand' = [hand EXCEPT ![t] = @ \union InStack]
  /\ UNCHANGED <<next, seen, link, node, wasIn>>

\* ---- peek ----

PeekTop(t) ==                                                     \* TS.T1
  /\ Goto(t, "idle", "peektag") /\ SeesTop(t)
  /\ UNCHANGED <<head, next, link, hand, node, wasIn>>

PeekTag(t) ==                                                     \* TS.T1
  /\ Goto(t, "peektag", IF seen[t].top = Nil THEN "idle" ELSE "peek")
  /\ SeesTag(t)
  /\ UNCHANGED <<head, next, link, hand, node, wasIn>>

Peek(t) ==                                                        \* SP.H1
  /\ Goto(t, "peek", "still")
  /\ wasIn' = [wasIn EXCEPT ![t] = seen[t].top \in InStack]
  /\ UNCHANGED <<head, next, seen, link, hand, node>>

\* One half of the second look, then the other; a half that differs ends it.
Still(t) ==                                                       \* TS.T2
  LET same == IF BUG = "reordered" THEN seen[t].tag = tag ELSE seen[t].top = top
  IN
  /\ Goto(t, "still", IF same THEN "still2" ELSE "idle")
  /\ UNCHANGED <<head, next, seen, link, hand, node, wasIn>>

Still2(t) ==                                                      \* TS.T2
  LET same == CASE BUG = "reordered" -> seen[t].top = top
                [] BUG = "nodeonly"  -> TRUE
                [] OTHER             -> seen[t].tag = tag
  IN
  /\ Goto(t, "still2", "idle")
  /\ Assert(same => wasIn[t], "TS.T2: the node was not in the stack")
  /\ UNCHANGED <<head, next, seen, link, hand, node, wasIn>>

Next ==
  \E t \in Threads :
    \/ PushTop(t) \/ PushTag(t) \/ PushLink(t) \/ Push(t)
    \/ PopTop(t) \/ PopTag(t) \/ PopLink(t) \/ Pop(t) \/ PopAll(t)
    \/ PeekTop(t) \/ PeekTag(t) \/ Peek(t) \/ Still(t) \/ Still2(t)

Spec == Init /\ [][Next]_vars

Bounded  == tag <= MaxTag
Symmetry == Permutations(Threads) \union Permutations(Nodes)
-----------------------------------------------------------------------------
\* A node is in the stack, once, or in one thread's hands.
Places(n) ==
  Cardinality({i \in 1 .. Len(Stack) : Stack[i] = n})
  + Cardinality({t \in Threads : n \in hand[t]})
OnePlace == \A n \in Nodes : Places(n) = 1

Abstract == INSTANCE Lifo WITH stack <- Stack
Refines  == Abstract!Spec
=============================================================================
