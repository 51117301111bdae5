-------------------------------- MODULE Lifo --------------------------------
(***************************************************************************)
(* A last-in, first-out stack of nodes, each of which is in it once at     *)
(* most.  TaggedStack refines it.                                          *)
(***************************************************************************)
EXTENDS Naturals, Sequences

VARIABLE stack  \* the top first

Nodes(s) == {s[i] : i \in 1 .. Len(s)}

Push(node) == node \notin Nodes(stack) /\ stack' = <<node>> \o stack
Pop        == stack # <<>> /\ stack' = Tail(stack)
PopAll     == stack # <<>> /\ stack' = <<>>

Init == stack = <<>>
Next == Pop \/ PopAll \/ (stack' # <<>> /\ Push(Head(stack')))
Spec == Init /\ [][Next]_stack
=============================================================================
