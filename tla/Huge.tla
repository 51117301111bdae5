-------------------------------- MODULE Huge --------------------------------
(***************************************************************************)
(* Blocks that are mappings of their own (alloc/huge.c, alloc/page_map.c): *)
(* a slot whose guard says HUGE, the granule's slot number and the page's  *)
(* entry in the map.  Slots and addresses are used again, by linn and, an  *)
(* address that was unmapped, by somebody else.                            *)
(*                                                                         *)
(* A program may free a block twice at the same time (MaxDoubles).  The    *)
(* CAS of the guard, HUGE -> DEAD, decides which of two frees ends the     *)
(* block; so the guard is read before the block's address is compared, and *)
(* the CAS is of that life: else a slow second free ends another block,    *)
(* that lives in the same slot by now.  If the *address* is a new block by *)
(* then, nothing can tell the second free from a free of that; the model   *)
(* leaves this out, by an Mmap that finds other addresses meanwhile.       *)
(*                                                                         *)
(* Not modelled: what is read of the map while its leaf is made, sizes of  *)
(* several granules, memory orders.                                        *)
(*                                                                         *)
(* BUG  "guardlate"   the guard is read after the address was compared     *)
(*      "nocas"       the guard is looked at and stored, not CASed         *)
(*      "clearlate"   the entry is cleared after the mapping has gone      *)
(*      "header"      a free reads a word of the block before it decides   *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS Threads, Slots, Addresses, None, MaxLives, MaxDoubles, BUG
ASSUME BUG \in {"none", "guardlate", "nocas", "clearlate", "header"}

VARIABLES
  guard,    \* of each slot: [huge, gen]
  base,     \* of each slot, plain
  entry,    \* of each address: the map says HUGE
  slotOf,   \* of each address: the map's slot, or None
  mapping,  \* of each address: "none", "ours", "theirs"
  idle,     \* slots that nobody has
  live,     \* addresses of blocks in the hands of users
  giving,   \* addresses that are being freed by who had them
  pc, at, slot, seen,
  lives, doubles

shared == <<guard, base, entry, slotOf, mapping, idle>>
vars   == <<shared, live, giving, pc, at, slot, seen, lives, doubles>>

Is(t, l)     == pc[t] = l
Go(t, l)     == pc' = [pc EXCEPT ![t] = l]
Let(f, t, v) == f' = [f EXCEPT ![t] = v]
NotSeen      == [huge |-> FALSE, gen |-> 0]
Rest(t) == /\ Go(t, "idle") /\ Let(at, t, None) /\ Let(slot, t, None)
           /\ Let(seen, t, NotSeen) /\ giving' = giving \ {at[t]}

Init ==
  /\ guard = [s \in Slots |-> NotSeen] /\ base = [s \in Slots |-> None]
  /\ entry = [a \in Addresses |-> FALSE]
  /\ slotOf = [a \in Addresses |-> None]
  /\ mapping = [a \in Addresses |-> "none"]
  /\ idle = Slots /\ live = {} /\ giving = {}
  /\ pc = [t \in Threads |-> "idle"] /\ at = [t \in Threads |-> None]
  /\ slot = [t \in Threads |-> None] /\ seen = [t \in Threads |-> NotSeen]
  /\ lives = 0 /\ doubles = 0

\* ---- linn_huge_take ----

TakeSlot(t) ==                                                    \* TS.O1
  /\ Is(t, "idle") /\ Go(t, "map") /\ lives < MaxLives /\ lives' = lives + 1
  /\ \E s \in idle : idle' = idle \ {s} /\ Let(slot, t, s)
  /\ UNCHANGED <<guard, base, entry, slotOf, mapping, live, giving, at, seen,
                 doubles>>

Mmap(t) ==                                                        \* the kernel
  /\ Is(t, "map") /\ Go(t, "add")
  /\ \E a \in Addresses :
       /\ mapping[a] = "none" /\ \A u \in Threads : at[u] # a
       /\ mapping' = [mapping EXCEPT ![a] = "ours"] /\ Let(at, t, a)
  /\ UNCHANGED <<guard, base, entry, slotOf, idle, live, giving, slot, seen,
                 lives, doubles>>

AddSlot(t) ==                                                     \* PM.S1
  /\ Is(t, "add") /\ Go(t, "fields")
  /\ slotOf' = [slotOf EXCEPT ![at[t]] = slot[t]]
  /\ UNCHANGED <<guard, base, entry, mapping, idle, live, giving, at, slot,
                 seen, lives, doubles>>

WriteFields(t) ==                                                 \* own
  /\ Is(t, "fields") /\ Go(t, "born")
  /\ base' = [base EXCEPT ![slot[t]] = at[t]]
  /\ UNCHANGED <<guard, entry, slotOf, mapping, idle, live, giving, at, slot,
                 seen, lives, doubles>>

Born(t) ==                                                        \* CH.B2
  /\ Is(t, "born") /\ Go(t, "set")
  /\ guard' = [guard EXCEPT ![slot[t]].huge = TRUE]
  /\ UNCHANGED <<base, entry, slotOf, mapping, idle, live, giving, at, slot,
                 seen, lives, doubles>>

SetEntry(t) ==                                                    \* PM.E1
  /\ Is(t, "set")
  /\ entry' = [entry EXCEPT ![at[t]] = TRUE]
  /\ live' = live \union {at[t]}
  /\ Go(t, "idle") /\ Let(at, t, None) /\ Let(slot, t, None)
  /\ UNCHANGED <<guard, base, slotOf, mapping, idle, giving, seen,
                 lives, doubles>>

\* ---- linn_free of a huge block ----

Give(t, a) ==
  /\ Is(t, "idle") /\ Go(t, "entry") /\ Let(at, t, a)
  /\ \/ a \in live /\ live' = live \ {a} /\ giving' = giving \union {a}
        /\ UNCHANGED doubles
     \/ a \in giving /\ doubles < MaxDoubles /\ doubles' = doubles + 1
        /\ UNCHANGED <<live, giving>>
  /\ UNCHANGED <<shared, slot, seen, lives>>

\* Nothing is read of the block itself, so it may be gone.
ReadEntry(t) ==                                                   \* PM.E2
  /\ Is(t, "entry")
  /\ BUG = "header" => Assert(mapping[at[t]] = "ours",
                              "a free reads memory that is not there")
  /\ IF entry[at[t]] THEN Go(t, "slot") /\ UNCHANGED <<at, slot, seen, giving>>
     ELSE Rest(t)
  /\ UNCHANGED <<shared, live, lives, doubles>>

ReadSlot(t) ==                                                    \* PM.S2
  LET s == slotOf[at[t]] IN
  /\ Is(t, "slot")
  /\ IF s = None THEN Rest(t)
     ELSE /\ Go(t, IF BUG = "guardlate" THEN "base" ELSE "guard")
          /\ Let(slot, t, s) /\ UNCHANGED <<at, seen, giving>>
  /\ UNCHANGED <<shared, live, lives, doubles>>

ReadGuard(t) ==                                                   \* CH.H1
  LET g == guard[slot[t]] IN
  /\ Is(t, "guard")
  /\ IF ~g.huge THEN Rest(t)
     ELSE /\ Go(t, IF BUG = "guardlate" THEN "end" ELSE "base")
          /\ Let(seen, t, g) /\ UNCHANGED <<at, slot, giving>>
  /\ UNCHANGED <<shared, live, lives, doubles>>

ReadBase(t) ==                                                    \* own
  /\ Is(t, "base")
  /\ IF base[slot[t]] # at[t] THEN Rest(t)
     ELSE /\ Go(t, IF BUG = "guardlate" THEN "guard" ELSE "end")
          /\ UNCHANGED <<at, slot, seen, giving>>
  /\ UNCHANGED <<shared, live, lives, doubles>>

End(t) ==                                                         \* CH.D2
  LET s == slot[t] IN
  /\ Is(t, "end")
  /\ IF guard[s] = seen[t] \/ BUG = "nocas"
     THEN /\ Assert(base[s] = at[t], "CH.D2: ends a block at another address")
          /\ guard' = [guard EXCEPT ![s] = [huge |-> FALSE, gen |-> @.gen + 1]]
          /\ Go(t, IF BUG = "clearlate" THEN "unmap" ELSE "clear")
          /\ UNCHANGED <<at, slot, seen, giving>>
     ELSE Rest(t) /\ UNCHANGED guard
  /\ UNCHANGED <<base, entry, slotOf, mapping, idle, live, lives, doubles>>

ClearEntry(t) ==                                                  \* PM.E1
  /\ Is(t, "clear") /\ Go(t, "remove")
  /\ entry' = [entry EXCEPT ![at[t]] = FALSE]
  /\ UNCHANGED <<guard, base, slotOf, mapping, idle, live, giving, at, slot,
                 seen, lives, doubles>>

RemoveSlot(t) ==                                                  \* PM.S1
  /\ Is(t, "remove") /\ Go(t, IF BUG = "clearlate" THEN "give" ELSE "unmap")
  /\ slotOf' = [slotOf EXCEPT ![at[t]] = None]
  /\ UNCHANGED <<guard, base, entry, mapping, idle, live, giving, at, slot,
                 seen, lives, doubles>>

Munmap(t) ==                                                      \* the kernel
  /\ Is(t, "unmap") /\ Go(t, IF BUG = "clearlate" THEN "clear" ELSE "give")
  /\ Assert(mapping[at[t]] = "ours", "unmaps what is not ours (any more)")
  /\ mapping' = [mapping EXCEPT ![at[t]] = "none"]
  /\ UNCHANGED <<guard, base, entry, slotOf, idle, live, giving, at, slot,
                 seen, lives, doubles>>

GiveSlot(t) ==                                                    \* TS.P1
  /\ Is(t, "give")
  /\ idle' = idle \union {slot[t]} /\ Rest(t)
  /\ UNCHANGED <<guard, base, entry, slotOf, mapping, live, lives, doubles>>

\* ---- the rest of the process ----

TheirMmap(a) ==
  /\ mapping[a] = "none" /\ lives < MaxLives /\ lives' = lives + 1
  /\ mapping' = [mapping EXCEPT ![a] = "theirs"]
  /\ UNCHANGED <<guard, base, entry, slotOf, idle, live, giving, pc, at, slot,
                 seen, doubles>>

TheirMunmap(a) ==
  /\ mapping[a] = "theirs" /\ mapping' = [mapping EXCEPT ![a] = "none"]
  /\ UNCHANGED <<guard, base, entry, slotOf, idle, live, giving, pc, at, slot,
                 seen, lives, doubles>>

Next ==
  \/ \E t \in Threads :
       \/ TakeSlot(t) \/ Mmap(t) \/ AddSlot(t) \/ WriteFields(t) \/ Born(t)
       \/ SetEntry(t)
       \/ \E a \in Addresses : Give(t, a)
       \/ ReadEntry(t) \/ ReadSlot(t) \/ ReadGuard(t) \/ ReadBase(t) \/ End(t)
       \/ ClearEntry(t) \/ RemoveSlot(t) \/ Munmap(t) \/ GiveSlot(t)
  \/ \E a \in Addresses : TheirMmap(a) \/ TheirMunmap(a)

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Threads) \union Permutations(Slots)
            \union Permutations(Addresses)
-----------------------------------------------------------------------------
\* huge.h (H1): the map names what is ours and there, and nothing else.
H1 == \A a \in Addresses : entry[a] \/ slotOf[a] # None => mapping[a] = "ours"

\* A block in somebody's hands is what its slot says.
Whole == \A a \in live :
  /\ entry[a] /\ mapping[a] = "ours" /\ slotOf[a] # None
  /\ guard[slotOf[a]].huge /\ base[slotOf[a]] = a

\* A slot is nobody's, HUGE, or in one thread's hands.
Owns(t) == pc[t] \in {"map", "add", "fields", "born",
                      "clear", "remove", "unmap", "give"}
Places(s) == (IF s \in idle THEN 1 ELSE 0) + (IF guard[s].huge THEN 1 ELSE 0)
             + Cardinality({t \in Threads : Owns(t) /\ slot[t] = s})
OneOwner == \A s \in Slots : Places(s) = 1

Blocks   == {{<<a, 0>>} : a \in live}
Abstract == INSTANCE Allocator
              WITH live <- Blocks,
                   mapped <- {a \in Addresses : mapping[a] = "ours"}
Refines  == Abstract!Spec
=============================================================================
