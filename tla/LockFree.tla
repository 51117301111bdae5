------------------------------ MODULE LockFree ------------------------------
(***************************************************************************)
(* What "lock-free" means, on the one protocol that every container of     *)
(* linn has: reserve in the guard, claim a bit; give the bit back, leave.  *)
(* Every look and every CAS is a step, and a CAS fails if the word is not  *)
(* as it was seen.  At the start a set of threads is chosen that stays     *)
(* alive; the others may stop for ever after any step, and only the living *)
(* are scheduled fairly.  Progress: pairs of alloc and free are completed  *)
(* again and again.                                                        *)
(*                                                                         *)
(* There are as many units as threads, so that a stopped thread takes      *)
(* memory from nobody who needs it.                                        *)
(*                                                                         *)
(* BUG  "spinlock"   the guard is a lock: whoever finds it taken looks     *)
(*                   again                                                 *)
(*      "finisher"   a claim waits for the claims that were begun before   *)
(*                   it, as in queues whose tail is moved first and whose  *)
(*                   link is written second                                *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Threads,
  AliveSets,  \* who may stay alive; threads are alike, so one set of each size
  BUG
ASSUME BUG \in {"none", "spinlock", "finisher"}

Units == 1 .. Cardinality(Threads)

VARIABLES
  guard,  \* [used, ver]; ver counts the give-backs, modulo 3
  lock,   \* its owner, only with BUG "spinlock"
  bits,   \* the units that are free
  pc, seenGuard, seenBits, unit,
  done,   \* changes with every pair that is completed
  alive

vars == <<guard, lock, bits, pc, seenGuard, seenBits, unit, done, alive>>

NoOne == 0

Fresh == [used |-> 0, ver |-> 0]

Init ==
  /\ guard = Fresh /\ lock = {} /\ bits = Units
  /\ pc = [t \in Threads |-> "start"]
  /\ seenGuard = [t \in Threads |-> Fresh] /\ seenBits = [t \in Threads |-> {}]
  /\ unit = [t \in Threads |-> NoOne] /\ done = FALSE
  /\ alive \in AliveSets

Is(t, l)     == pc[t] = l
Go(t, l)     == pc' = [pc EXCEPT ![t] = l]
Set(f, t, v) == [f EXCEPT ![t] = v]
Forget(t)    == seenGuard' = Set(seenGuard, t, Fresh)

Look(t) ==                                                        \* CH.H1
  /\ Is(t, "start") /\ Go(t, "reserve")
  /\ IF BUG = "spinlock" THEN lock = {} /\ lock' = {t} ELSE UNCHANGED lock
  /\ seenGuard' = Set(seenGuard, t, guard)
  /\ UNCHANGED <<guard, bits, seenBits, unit, done, alive>>

Reserve(t) ==                                                     \* CH.R1
  /\ Is(t, "reserve")
  /\ IF guard = seenGuard[t] /\ guard.used < Cardinality(Units)
     THEN /\ guard' = [guard EXCEPT !.used = @ + 1] /\ Go(t, "look")
     ELSE Go(t, "start") /\ UNCHANGED guard
  /\ lock' = lock \ {t} /\ Forget(t)
  /\ UNCHANGED <<bits, seenBits, unit, done, alive>>

LookAtBits(t) ==                                                  \* PT.H2
  /\ Is(t, "look") /\ Go(t, "claim")
  /\ BUG = "finisher" => \A u \in Threads \ {t} : pc[u] # "claim"
  /\ seenBits' = Set(seenBits, t, bits)
  /\ UNCHANGED <<guard, lock, bits, seenGuard, unit, done, alive>>

Claim(t) ==                                                       \* PT.C2
  /\ Is(t, "claim")
  /\ IF bits = seenBits[t]
     THEN \E u \in bits : /\ bits' = bits \ {u} /\ unit' = Set(unit, t, u)
                          /\ Go(t, "have")
     ELSE Go(t, "look") /\ UNCHANGED <<bits, unit>>
  /\ seenBits' = Set(seenBits, t, {})
  /\ UNCHANGED <<guard, lock, seenGuard, done, alive>>

LookToFree(t) ==                                                  \* PT.H2
  /\ Is(t, "have") /\ Go(t, "release")
  /\ seenBits' = Set(seenBits, t, bits)
  /\ UNCHANGED <<guard, lock, bits, seenGuard, unit, done, alive>>

Release(t) ==                                                     \* PT.F2
  /\ Is(t, "release")
  /\ IF bits = seenBits[t]
     THEN /\ bits' = bits \union {unit[t]} /\ unit' = Set(unit, t, NoOne)
          /\ Go(t, "leaving")
     ELSE Go(t, "have") /\ UNCHANGED <<bits, unit>>
  /\ seenBits' = Set(seenBits, t, {})
  /\ UNCHANGED <<guard, lock, seenGuard, done, alive>>

LookToLeave(t) ==                                                 \* CH.H1
  /\ Is(t, "leaving") /\ Go(t, "leave")
  /\ IF BUG = "spinlock" THEN lock = {} /\ lock' = {t} ELSE UNCHANGED lock
  /\ seenGuard' = Set(seenGuard, t, guard)
  /\ UNCHANGED <<guard, bits, seenBits, unit, done, alive>>

Leave(t) ==                                                       \* CH.F1
  /\ Is(t, "leave")
  /\ IF guard = seenGuard[t]
     THEN /\ guard' = [used |-> guard.used - 1, ver |-> (guard.ver + 1) % 3]
          /\ Go(t, "start") /\ done' = ~done
     ELSE Go(t, "leaving") /\ UNCHANGED <<guard, done>>
  /\ lock' = lock \ {t} /\ Forget(t)
  /\ UNCHANGED <<bits, seenBits, unit, alive>>

Step(t) ==
  \/ Look(t) \/ Reserve(t) \/ LookAtBits(t) \/ Claim(t)
  \/ LookToFree(t) \/ Release(t) \/ LookToLeave(t) \/ Leave(t)

Next == \E t \in Threads : Step(t)

Spec == Init /\ [][Next]_vars
             /\ \A t \in Threads : WF_vars(t \in alive /\ Step(t))
-----------------------------------------------------------------------------
BitsAreThere ==
  Cardinality(bits) >=
    Cardinality({t \in Threads : pc[t] \in {"look", "claim"}})

Progress == []<><<done' # done>>_vars
=============================================================================
