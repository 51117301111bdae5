--------------------------- MODULE AllocatorModel ---------------------------
(***************************************************************************)
(* The abstract allocator by itself, with few regions and units, so that   *)
(* its actions can be enumerated: does the promise hold what it says?      *)
(*                                                                         *)
(* BUG  "overlap"  a block is handed out whatever memory it consists of    *)
(*      "early"    memory goes back whatever is left in it                 *)
(***************************************************************************)
EXTENDS Allocator, Naturals

CONSTANTS Regions, Units, BUG
ASSUME BUG \in {"none", "overlap", "early"}

vars    == <<live, mapped>>
Blocks  == {{r} \X b : r \in Regions, b \in SUBSET Units \ {{}}}
Batches == {batch \in SUBSET Blocks : Cardinality(batch) \in 1 .. 2}

Start == Init /\ mapped = {}

HandOut(batch) ==
  IF BUG = "overlap"
  THEN batch \intersect live = {} /\ RegionsOf(batch) \subseteq mapped
       /\ live' = live \union batch
       /\ UNCHANGED mapped
  ELSE Alloc(batch)

GoBack(r) ==
  IF BUG = "early"
  THEN r \in mapped /\ mapped' = mapped \ {r} /\ UNCHANGED live
  ELSE Unmap({r})

Step ==
  \/ \E batch \in Batches : HandOut(batch) \/ Free(batch)
  \/ \E r \in Regions : Map({r}) \/ GoBack(r)

Bounded == Start /\ [][Step]_vars
-----------------------------------------------------------------------------
Disjoint == NoOverlap(live)
InMemory == RegionsOf(live) \subseteq mapped
IsSpec   == Spec
=============================================================================
