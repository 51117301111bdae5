----------------------------- MODULE Allocator -----------------------------
(***************************************************************************)
(* What every layer of linn promises, and nothing of how.                  *)
(*                                                                         *)
(* A block is a non-empty set of pairs <<region, unit>>: the memory it     *)
(* consists of.  Blocks are handed out in batches, and whoever has one may *)
(* free it, so there are no threads here.  The promise is in the actions:  *)
(* a block is handed out only when all of its memory is free and there, it *)
(* is freed once, and memory goes back only when no block is left in it.   *)
(*                                                                         *)
(* PageTree and Subpage show with INSTANCE that each of their steps is one *)
(* of these or changes nothing here; TLC checks it.                        *)
(***************************************************************************)
EXTENDS FiniteSets

VARIABLES
  live,    \* the blocks that have been handed out
  mapped   \* the regions that are there

Memory(batch)    == UNION batch
RegionsOf(batch) == {unit[1] : unit \in Memory(batch)}

NoOverlap(batch) == \A a, b \in batch : a = b \/ a \intersect b = {}

Alloc(batch) ==
  /\ batch # {} /\ batch \intersect live = {} /\ {} \notin batch
  /\ NoOverlap(batch \union live)
  /\ RegionsOf(batch) \subseteq mapped
  /\ live' = live \union batch
  /\ UNCHANGED mapped

Free(batch) ==
  /\ batch # {} /\ batch \subseteq live
  /\ live' = live \ batch
  /\ UNCHANGED mapped

Map(regions) ==
  /\ regions # {} /\ regions \intersect mapped = {}
  /\ mapped' = mapped \union regions
  /\ UNCHANGED live

Unmap(regions) ==
  /\ regions # {} /\ regions \subseteq mapped
  /\ RegionsOf(live) \intersect regions = {}
  /\ mapped' = mapped \ regions
  /\ UNCHANGED live

Init == live = {}

\* The step tells which batch it was about.
Next ==
  \/ Alloc(live' \ live)     \/ Free(live \ live')
  \/ Map(mapped' \ mapped)   \/ Unmap(mapped \ mapped')

Spec == Init /\ [][Next]_<<live, mapped>>
=============================================================================
