------------------------------ MODULE PageMap ------------------------------
(***************************************************************************)
(* From an address to what linn knows of it (alloc/page_map.c), one access *)
(* a step.  The first to come decide the form of the table, flat or of two *)
(* levels (the reservation may be refused); a part of the flat table is    *)
(* made writable, or a leaf made, when something is mapped there; the      *)
(* granule's slot is written, then the page's entry, and only then is the  *)
(* pointer handed out.  A free finds entry and slot by itself, clears      *)
(* both, and only then may the page be somebody else's.  Anybody may ask   *)
(* for any address at any time, and touches nothing but the table.         *)
(*                                                                         *)
(* Each granule has one page here, and all lie in one part of the table.   *)
(* A table is called by the thread that reserved it.  Threads stop for     *)
(* ever anywhere: there is no fairness.                                    *)
(*                                                                         *)
(* Not modelled: memory orders (verify/), pools and classes (an entry is   *)
(* there or not), ranges of several pages.                                 *)
(*                                                                         *)
(* BUG  "decidestore"  the form is stored, not CASed                       *)
(*      "limitfirst"   the table's size is told before the form is decided *)
(*      "markfirst"    a part is marked as writable before it is           *)
(*      "leafstore"    a leaf is stored, not CASed                         *)
(*      "entrylate"    the pointer is handed out before its entry is there *)
(*      "clearlate"    the entry is cleared after the page has gone        *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS Threads, Granules, None, MaxLives, BUG
ASSUME BUG \in {"none", "decidestore", "limitfirst", "markfirst",
                "leafstore", "entrylate", "clearlate"}

VARIABLES
  flat,      \* the form: None, "two", or the table of the flat one
  limit,     \* the flat table may be read without a look at the form
  leaf,      \* of the two-level form: the table, or None
  there,     \* tables that are mapped
  writable,  \* the part of the flat table is, in the kernel
  enabled,   \* its bit
  entry,     \* of each table: the granules whose page has an entry
  slot,      \* of each table: the granules that have a slot
  mapping,   \* granules that are mapped, by somebody
  live,      \* granules whose block is in the hands of users
  pc, at,    \* of each thread; the granule that it works on
  holder,    \* it looks up a block that it was given
  lives      \* bounds the model

form == <<flat, limit, leaf, there, writable, enabled>>
data == <<entry, slot, mapping, live>>
vars == <<form, data, pc, at, holder, lives>>

Init ==
  /\ flat = None /\ limit = FALSE /\ leaf = None /\ there = {}
  /\ writable = FALSE /\ enabled = FALSE
  /\ entry = [x \in Threads |-> {}] /\ slot = [x \in Threads |-> {}]
  /\ mapping = {} /\ live = {}
  /\ pc = [t \in Threads |-> "idle"] /\ at = [t \in Threads |-> None]
  /\ holder = [t \in Threads |-> FALSE] /\ lives = 0

Is(t, l)     == pc[t] = l
Go(t, l)     == pc' = [pc EXCEPT ![t] = l]
Let(f, t, v) == f' = [f EXCEPT ![t] = v]
Rest(t)      == Go(t, "idle") /\ Let(at, t, None) /\ Let(holder, t, FALSE)
mind         == <<at, holder, lives>>

Table == IF flat \in Threads THEN flat ELSE leaf
CanWrite == /\ Table \in there
            /\ flat \in Threads => writable

\* ---- linn_page_map_add: the form ----

\* A chunk or a huge block is about to be there.
Mmap(t) ==                                                        \* the kernel
  /\ Is(t, "idle") /\ Go(t, "form") /\ lives < MaxLives /\ lives' = lives + 1
  /\ \E g \in Granules \ mapping :
       mapping' = mapping \union {g} /\ Let(at, t, g)
  /\ UNCHANGED <<form, entry, slot, live, holder>>

AfterForm(f) == IF f = "two" THEN "leaf" ELSE "tell"

LookAtForm(t) ==                                                  \* PM.F2
  /\ Is(t, "form")
  /\ Go(t, IF flat = None THEN "reserve" ELSE AfterForm(flat))
  /\ IF BUG = "limitfirst" THEN limit' = TRUE ELSE UNCHANGED limit
  /\ UNCHANGED <<flat, leaf, there, writable, enabled, data, mind>>

Reserve(t) ==                                                     \* the kernel
  /\ Is(t, "reserve") /\ Go(t, "decide")
  /\ there' \in {there, there \union {t}}
  /\ UNCHANGED <<flat, limit, leaf, writable, enabled, data, mind>>

Decide(t) ==                                                      \* PM.F1
  /\ Is(t, "decide")
  /\ IF flat = None \/ BUG = "decidestore"
     THEN flat' = IF t \in there THEN t ELSE "two" ELSE UNCHANGED flat
  /\ Go(t, IF flat' # t /\ t \in there THEN "loser" ELSE AfterForm(flat'))
  /\ UNCHANGED <<limit, leaf, there, writable, enabled, data, mind>>

\* Of a table, or of a leaf.
Munmap(t) ==                                                      \* the kernel
  /\ Is(t, "loser")
  /\ there' = there \ {t}
  /\ Go(t, IF flat = "two" /\ leaf # None THEN "slot" ELSE AfterForm(flat))
  /\ UNCHANGED <<flat, limit, leaf, writable, enabled, data, mind>>

\* Everybody does, because who decided may be stopped.
Tell(t) ==                                                        \* PM.L1
  /\ Is(t, "tell") /\ Go(t, "enabled") /\ limit' = TRUE
  /\ UNCHANGED <<flat, leaf, there, writable, enabled, data, mind>>

\* ---- the part of the table ----

LookAtEnabled(t) ==                                               \* PM.U2
  /\ Is(t, "enabled")
  /\ Go(t, CASE enabled -> "slot"
             [] BUG = "markfirst" -> "mark"
             [] OTHER -> "mprotect")
  /\ UNCHANGED <<form, data, mind>>

Mprotect(t) ==                                                    \* the kernel
  /\ Is(t, "mprotect") /\ writable' = TRUE
  /\ Go(t, IF BUG = "markfirst" THEN "slot" ELSE "mark")
  /\ UNCHANGED <<flat, limit, leaf, there, enabled, data, mind>>

MarkEnabled(t) ==                                                 \* PM.U1
  /\ Is(t, "mark") /\ enabled' = TRUE
  /\ Go(t, IF BUG = "markfirst" THEN "mprotect" ELSE "slot")
  /\ UNCHANGED <<flat, limit, leaf, there, writable, data, mind>>

LookAtLeaf(t) ==                                                  \* PM.V2
  /\ Is(t, "leaf") /\ Go(t, IF leaf # None THEN "slot" ELSE "makeleaf")
  /\ UNCHANGED <<form, data, mind>>

MakeLeaf(t) ==                                                    \* the kernel
  /\ Is(t, "makeleaf") /\ Go(t, "install") /\ there' = there \union {t}
  /\ UNCHANGED <<flat, limit, leaf, writable, enabled, data, mind>>

InstallLeaf(t) ==                                                 \* PM.V1
  /\ Is(t, "install")
  /\ IF leaf = None \/ BUG = "leafstore"
     THEN leaf' = t /\ Go(t, "slot") ELSE UNCHANGED leaf /\ Go(t, "loser")
  /\ UNCHANGED <<flat, limit, there, writable, enabled, data, mind>>

\* ---- granule and page ----

AddSlot(t) ==                                                     \* PM.S1
  /\ Is(t, "slot") /\ Go(t, "set")
  /\ Assert(CanWrite, "PM.S1: the table cannot be written there")
  /\ slot' = [slot EXCEPT ![Table] = @ \union {at[t]}]
  /\ UNCHANGED <<form, entry, mapping, live, mind>>

\* And the pointer is handed out.
SetEntry(t) ==                                                    \* PM.E1
  /\ \/ Is(t, "set") /\ BUG # "entrylate" /\ live' = live \union {at[t]}
     \/ Is(t, "late") /\ UNCHANGED live
  /\ Assert(CanWrite, "PM.E1: the table cannot be written there")
  /\ entry' = [entry EXCEPT ![Table] = @ \union {at[t]}] /\ Rest(t)
  /\ UNCHANGED <<form, slot, mapping, lives>>

\* Only with BUG "entrylate".
HandOut(t) ==
  /\ Is(t, "set") /\ Go(t, "late") /\ live' = live \union {at[t]}
  /\ UNCHANGED <<form, entry, slot, mapping, mind>>

\* ---- look-ups ----

Free(t, g) ==
  /\ Is(t, "idle") /\ g \in live /\ Go(t, "limit")
  /\ live' = live \ {g} /\ Let(at, t, g) /\ Let(holder, t, TRUE)
  /\ UNCHANGED <<form, entry, slot, mapping, lives>>

\* Of an address that it was not given.
Ask(t, g) ==
  /\ Is(t, "idle") /\ Go(t, "limit") /\ Let(at, t, g)
  /\ UNCHANGED <<form, data, holder, lives>>

LookAtLimit(t) ==                                                 \* PM.L2
  /\ Is(t, "limit") /\ Go(t, IF limit THEN "fast" ELSE "slow")
  /\ UNCHANGED <<form, data, mind>>

\* Without a table nothing is ours.
Slow(t) ==                                                        \* PM.F3 PM.V2
  /\ Is(t, "slow")
  /\ IF Table = None
     THEN Assert(~holder[t], "PM.F3: a block, and no table") /\ Rest(t)
     ELSE Go(t, "fast") /\ UNCHANGED <<at, holder>>
  /\ UNCHANGED <<form, data, lives>>

ReadEntry(t) ==                                                   \* PM.E2
  /\ Is(t, "fast")
  /\ Assert(Table \in there, "PM.E2: a table that is not there")
  /\ Assert(holder[t] => at[t] \in entry[Table],
            "PM.E2: a block that is not known")
  /\ IF holder[t] THEN Go(t, "slotof") /\ UNCHANGED <<at, holder>> ELSE Rest(t)
  /\ UNCHANGED <<form, data, lives>>

ReadSlot(t) ==                                                    \* PM.S2
  /\ Is(t, "slotof") /\ Go(t, IF BUG = "clearlate" THEN "unmap" ELSE "clear")
  /\ Assert(at[t] \in slot[Table], "PM.S2: a block in no chunk")
  /\ UNCHANGED <<form, data, mind>>

\* ---- the page goes back: its entry, the granule's slot, the memory ----

ClearEntry(t) ==                                                  \* PM.E1
  /\ Is(t, "clear")
  /\ entry' = [entry EXCEPT ![Table] = @ \ {at[t]}]
  /\ IF BUG = "clearlate" THEN Rest(t)
     ELSE Go(t, "remove") /\ UNCHANGED <<at, holder>>
  /\ UNCHANGED <<form, slot, mapping, live, lives>>

RemoveSlot(t) ==                                                  \* PM.S1
  /\ Is(t, "remove") /\ Go(t, "unmap")
  /\ slot' = [slot EXCEPT ![Table] = @ \ {at[t]}]
  /\ UNCHANGED <<form, entry, mapping, live, mind>>

Unmap(t) ==                                                       \* the kernel
  /\ Is(t, "unmap") /\ mapping' = mapping \ {at[t]}
  /\ IF BUG = "clearlate" THEN Go(t, "clear") /\ UNCHANGED <<at, holder>>
     ELSE Rest(t)
  /\ UNCHANGED <<form, entry, slot, live, lives>>

Next ==
  \E t \in Threads :
    \/ Mmap(t) \/ LookAtForm(t) \/ Reserve(t) \/ Decide(t) \/ Munmap(t)
    \/ Tell(t) \/ LookAtEnabled(t) \/ Mprotect(t) \/ MarkEnabled(t)
    \/ LookAtLeaf(t) \/ MakeLeaf(t) \/ InstallLeaf(t)
    \/ AddSlot(t) \/ SetEntry(t)
    \/ \E g \in Granules : Free(t, g) \/ Ask(t, g)
    \/ LookAtLimit(t) \/ Slow(t) \/ ReadEntry(t) \/ ReadSlot(t)
    \/ ClearEntry(t) \/ RemoveSlot(t) \/ Unmap(t)

Spec     == Init /\ [][Next]_vars
SpecLate == Init /\ [][Next \/ \E t \in Threads : HandOut(t)]_vars

Symmetry == Permutations(Threads) \union Permutations(Granules)
-----------------------------------------------------------------------------
\* page_map.h: an entry or a slot is of memory that is there.
P1 == Table # None => entry[Table] \union slot[Table] \subseteq mapping

\* Whoever has a block can find out what it is.
P2 == \A g \in live : /\ Table \in there
                      /\ g \in entry[Table] \intersect slot[Table]

\* There is one form, the first, and one table of it.
P3 == limit => flat \in there
\* Who lost the race gave its table back.
P4 == (\A t \in Threads : Is(t, "idle")) => there \subseteq {Table}

Abstract == INSTANCE Allocator
              WITH live <- {{<<g, 0>>} : g \in live}, mapped <- mapping
Refines  == Abstract!Spec
=============================================================================
