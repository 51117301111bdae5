-------------------------------- MODULE Cap --------------------------------
(***************************************************************************)
(* A pool's hard limit.  It specifies code that is not written yet, so its *)
(* labels CP.* are the ones that code is to have.                          *)
(*                                                                         *)
(* One word, {version, pages}, is charged before a chunk (or a huge span,  *)
(* a chunk of one unit here) is mapped, and given back after it has been   *)
(* unmapped: nothing on the hot path.  A request that finds no free unit   *)
(* and no charge left: sets `pressure`, while which frees go past the      *)
(* caches; drains the caches of the threads that are outside a call; looks *)
(* at all chunks twice; and refuses if in between no guard's version, no   *)
(* version of the charge and no generation of the pressure has changed.    *)
(* Otherwise somebody gave something back, and it begins again.            *)
(*                                                                         *)
(* Promised: never over by a byte; and refused only if at one moment of    *)
(* the call nothing fitted outside the calls then in progress.  A cache    *)
(* counts if its thread was outside a call.                                *)
(*                                                                         *)
(* Units of a chunk are alike, so they are counted.  Threads stop for ever *)
(* anywhere: there is no fairness.  Not modelled: how a cache is taken     *)
(* (ThreadCache; one step here), several arenas, re-reading while a birth  *)
(* is in flight, memory orders.                                            *)
(*                                                                         *)
(* BUG  "loadstore"     the charge is loaded, then stored                  *)
(*      "unchargefirst" a dying chunk gives its charge before its memory   *)
(*      "nodrain"       caches are not drained                             *)
(*      "onechunk"      only one chunk is looked at                        *)
(*      "onepass"       there is no second pass                            *)
(*      "nover"         guards have no version                             *)
(*      "nocver"        the charge has no version                          *)
(*      "nopressure"    caches fill again after the drain                  *)
(*      "nopgen"        the end of the pressure goes unnoticed             *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Threads,
  Chunks,    \* that may be mapped
  Units,     \* in a chunk
  Limit,     \* chunks that the cap allows
  CacheMax,  \* units in a cache
  MaxVer,    \* bounds the model
  BUG

ASSUME BUG \in {"none", "loadstore", "unchargefirst", "nodrain", "onechunk",
                "onepass", "nover", "nocver", "nopressure", "nopgen"}

VARIABLES
  chunk,    \* of each: [state, free, ver]
  charge,   \* [pages, ver]
  mapped,   \* chunks whose memory is there
  cache,    \* of each thread: units of each chunk
  held,     \* of each chunk: units in the hands of users
  pressure, \* [on, gen]
  pc,
  left,     \* of each thread: chunks, or threads, that it has not looked at
  saw,      \* the versions of the first pass
  mark,     \* the versions of the charge and the pressure when it set that
  fits      \* ghost: at every moment of the call there was room

mind == <<left, saw, mark>>
vars == <<chunk, charge, mapped, cache, held, pressure, pc, mind, fits>>

Zero   == [c \in Chunks |-> 0]
Empty  == [state |-> "NONE", free |-> 0, ver |-> 0]
NoMark == [charge |-> 0, pressure |-> 0]

Init ==
  /\ chunk = [c \in Chunks |-> Empty] /\ charge = [pages |-> 0, ver |-> 0]
  /\ mapped = {} /\ cache = [t \in Threads |-> Zero] /\ held = Zero
  /\ pressure = [on |-> FALSE, gen |-> 0]
  /\ pc = [t \in Threads |-> "out"] /\ left = [t \in Threads |-> {}]
  /\ saw = [t \in Threads |-> Zero] /\ mark = [t \in Threads |-> NoMark]
  /\ fits = [t \in Threads |-> FALSE]

Is(t, l)     == pc[t] = l
Go(t, l)     == pc' = [pc EXCEPT ![t] = l]
Let(f, t, v) == f' = [f EXCEPT ![t] = v]

RECURSIVE SumOf(_, _)
SumOf(f, s) == IF s = {} THEN 0
               ELSE LET c == CHOOSE c \in s : TRUE IN f[c] + SumOf(f, s \ {c})
Cached(t) == SumOf(cache[t], Chunks)

\* Memory that is in nobody's unfinished call.
Room ==
  \/ \E c \in Chunks : chunk[c].state = "LIVE" /\ chunk[c].free > 0
  \/ charge.pages < Limit
  \/ \E u \in Threads : Is(u, "out") /\ Cached(u) > 0
Watch == fits' = [t \in Threads |-> fits[t] /\ Room']

\* Back to the user.
Forget(t) ==
  /\ Go(t, "out") /\ Let(left, t, {}) /\ Let(saw, t, Zero)
  /\ Let(mark, t, NoMark)

Version(c) == IF BUG = "nover" THEN 0 ELSE chunk[c].ver

\* ---- allocate ----

TakeCached(t) ==                                                  \* MG.S1
  /\ Is(t, "out")
  /\ \E c \in Chunks :
       /\ cache[t][c] > 0 /\ cache' = [cache EXCEPT ![t][c] = @ - 1]
       /\ held' = [held EXCEPT ![c] = @ + 1]
  /\ UNCHANGED <<chunk, charge, mapped, pressure, pc, mind>> /\ Watch

Start(t) ==
  /\ Is(t, "out") /\ Cached(t) = 0
  /\ Go(t, "scan") /\ Let(left, t, Chunks)
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure, saw, mark>>
  /\ fits' = [u \in Threads |-> (u = t \/ fits[u]) /\ Room']

Passes == {"scan", "one", "two"}
HasFree(c) == chunk[c].state = "LIVE" /\ chunk[c].free > 0
Seen(t, c) == IF BUG = "onechunk" THEN {} ELSE left[t] \ {c}

Claim(t) ==                                                       \* CH.R1
  /\ pc[t] \in Passes
  /\ \E c \in left[t] :
       /\ HasFree(c) /\ chunk' = [chunk EXCEPT ![c].free = @ - 1]
       /\ held' = [held EXCEPT ![c] = @ + 1]
  /\ Forget(t)
  /\ UNCHANGED <<charge, mapped, cache, pressure>> /\ Watch

LookAtGuard(t) ==                                                 \* CH.H1
  /\ pc[t] \in Passes
  /\ \E c \in left[t] :
       /\ ~HasFree(c)
       /\ Let(left, t, Seen(t, c))
       /\ IF pc[t] = "one" THEN saw' = [saw EXCEPT ![t][c] = Version(c)]
          ELSE UNCHANGED saw
       /\ IF pc[t] = "two" /\ saw[t][c] # Version(c) THEN Go(t, "again")
          ELSE UNCHANGED pc
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure, mark>> /\ Watch

Again(t) ==
  /\ Is(t, "again") /\ Go(t, "scan")
  /\ Let(left, t, Chunks) /\ Let(saw, t, Zero) /\ Let(mark, t, NoMark)
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure>> /\ Watch

\* Nothing in the chunks.
Charge(t) ==                                                      \* CP.C1
  /\ Is(t, "scan") /\ left[t] = {} /\ charge.pages < Limit
  /\ IF BUG = "loadstore"
     THEN /\ Let(mark, t, [NoMark EXCEPT !.charge = charge.pages])
          /\ Go(t, "store") /\ UNCHANGED charge
     ELSE /\ charge' = [charge EXCEPT !.pages = @ + 1] /\ Go(t, "map")
          /\ UNCHANGED mark
  /\ UNCHANGED <<chunk, mapped, cache, held, pressure, left, saw>> /\ Watch

\* Only with BUG "loadstore".
StoreCharge(t) ==
  /\ Is(t, "store") /\ Go(t, "map")
  /\ charge' = [charge EXCEPT !.pages = mark[t].charge + 1]
  /\ Let(mark, t, NoMark)
  /\ UNCHANGED <<chunk, mapped, cache, held, pressure, left, saw>> /\ Watch

Map(t) ==                                                         \* the kernel
  /\ Is(t, "map") /\ Go(t, "born")
  /\ \E c \in Chunks :
       /\ chunk[c].state = "NONE" /\ mapped' = mapped \union {c}
       /\ chunk' = [chunk EXCEPT ![c].state = "BORN"] /\ Let(left, t, {c})
  /\ UNCHANGED <<charge, cache, held, pressure, saw, mark>> /\ Watch

\* With a unit for the caller taken already.
Born(t) ==                                                        \* CH.B1
  /\ Is(t, "born") /\ Forget(t)
  /\ \E c \in left[t] :
       /\ chunk' = [chunk EXCEPT ![c].state = "LIVE", ![c].free = Units - 1]
       /\ held' = [held EXCEPT ![c] = @ + 1]
  /\ UNCHANGED <<charge, mapped, cache, pressure>> /\ Watch

\* ---- nothing fits: pressure, drain, double collect ----

NoCharge(t) ==                                                    \* CP.H1
  /\ Is(t, "scan") /\ left[t] = {} /\ charge.pages >= Limit
  /\ Let(mark, t, [NoMark EXCEPT !.charge = charge.ver])
  /\ Go(t, "pressure")
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure, left, saw>>
  /\ Watch

SetPressure(t) ==                                                 \* CP.P1
  /\ Is(t, "pressure")
  /\ IF BUG = "nopressure" THEN UNCHANGED <<pressure, mark>>
     ELSE /\ pressure' = [pressure EXCEPT !.on = TRUE]
          /\ Let(mark, t, [mark[t] EXCEPT !.pressure = pressure.gen])
  /\ IF BUG = "nodrain" THEN Go(t, "one") /\ Let(left, t, Chunks)
     ELSE Go(t, "drain") /\ Let(left, t, Threads \ {t})
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, saw>> /\ Watch

\* One cache at a time; that of a thread inside a call is left alone.
Drain(t) ==                                                       \* TC.C3
  /\ Is(t, "drain")
  /\ \E u \in left[t] :
       /\ IF left[t] = {u}
          THEN /\ Let(left, t, Chunks)
               /\ Go(t, IF BUG = "onepass" THEN "two" ELSE "one")
          ELSE Let(left, t, left[t] \ {u}) /\ UNCHANGED pc
       /\ IF ~Is(u, "out") \/ Cached(u) = 0 THEN UNCHANGED <<chunk, cache>>
          ELSE /\ chunk' = [c \in Chunks |->
                    IF cache[u][c] = 0 THEN chunk[c]
                    ELSE [chunk[c] EXCEPT !.free = @ + cache[u][c],
                                          !.ver = @ + 1]]
               /\ Let(cache, u, Zero)
  /\ IF BUG = "onepass"
     THEN Let(saw, t, [c \in Chunks |-> IF BUG = "nover" THEN 0
                                        ELSE chunk'[c].ver])
     ELSE UNCHANGED saw
  /\ UNCHANGED <<charge, mapped, held, pressure, mark>> /\ Watch

SecondPass(t) ==
  /\ Is(t, "one") /\ left[t] = {} /\ Go(t, "two") /\ Let(left, t, Chunks)
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure, saw, mark>>
  /\ Watch

Changed(t) ==
  \/ charge.pages < Limit
  \/ /\ BUG \notin {"nopressure", "nopgen"}
     /\ ~pressure.on \/ pressure.gen # mark[t].pressure
  \/ BUG # "nocver" /\ charge.ver # mark[t].charge

\* The charge and the pressure are looked at last.
Refuse(t) ==                                                      \* CP.H1 CP.H2
  /\ Is(t, "two") /\ left[t] = {}
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pressure>>
  /\ IF Changed(t)
     THEN Go(t, "again") /\ UNCHANGED <<mind, fits>>
     ELSE /\ Assert(~fits[t], "CP.H1: refused, and there was room all the time")
          /\ Forget(t) /\ Watch

\* Anybody, at any time.
EndPressure ==                                                    \* CP.P2
  /\ pressure.on /\ pressure.gen < MaxVer
  /\ pressure' = [on |-> FALSE, gen |-> pressure.gen + 1]
  /\ UNCHANGED <<chunk, charge, mapped, cache, held, pc, mind>> /\ Watch

\* ---- free ----

FreeToCache(t) ==                                                 \* MG.S1
  /\ Is(t, "out") /\ Cached(t) < CacheMax /\ ~pressure.on
  /\ \E c \in Chunks :
       /\ held[c] > 0 /\ held' = [held EXCEPT ![c] = @ - 1]
       /\ cache' = [cache EXCEPT ![t][c] = @ + 1]
  /\ UNCHANGED <<chunk, charge, mapped, pressure, pc, mind>> /\ Watch

FreeToChunk(t) ==                                                 \* CH.F1
  /\ Is(t, "out") /\ (Cached(t) = CacheMax \/ pressure.on)
  /\ \E c \in Chunks :
       /\ held[c] > 0 /\ held' = [held EXCEPT ![c] = @ - 1]
       /\ chunk' = [chunk EXCEPT ![c].free = @ + 1, ![c].ver = @ + 1]
  /\ UNCHANGED <<charge, mapped, cache, pressure, pc, mind>> /\ Watch

\* ---- death ----

Less == charge' = [pages |-> charge.pages - 1, ver |-> charge.ver + 1]

\* Alone with it from here, its owner gives the memory back.
Retire(t) ==                                                      \* CH.D1
  /\ Is(t, "out") /\ Go(t, "uncharge")
  /\ \E c \in Chunks :
       /\ chunk[c].state = "LIVE" /\ chunk[c].free = Units
       /\ chunk' = [chunk EXCEPT ![c].state = "DYING", ![c].free = 0]
       /\ Let(left, t, {c})
       /\ IF BUG = "unchargefirst" THEN Less /\ UNCHANGED mapped
          ELSE mapped' = mapped \ {c} /\ UNCHANGED charge
  /\ UNCHANGED <<cache, held, pressure, saw, mark>> /\ Watch

Uncharge(t) ==                                                    \* CP.U1
  /\ Is(t, "uncharge") /\ Forget(t)
  /\ \E c \in left[t] :
       /\ chunk' = [chunk EXCEPT ![c].state = "NONE"]
       /\ IF BUG = "unchargefirst"
          THEN mapped' = mapped \ {c} /\ UNCHANGED charge
          ELSE Less /\ UNCHANGED mapped
  /\ UNCHANGED <<cache, held, pressure>> /\ Watch

Next ==
  \/ EndPressure
  \/ \E t \in Threads :
       \/ TakeCached(t) \/ Start(t) \/ Claim(t) \/ LookAtGuard(t) \/ Again(t)
       \/ Charge(t) \/ Map(t) \/ Born(t)
       \/ NoCharge(t) \/ SetPressure(t) \/ Drain(t) \/ SecondPass(t)
       \/ Refuse(t)
       \/ FreeToCache(t) \/ FreeToChunk(t) \/ Retire(t) \/ Uncharge(t)

Spec      == Init /\ [][Next]_vars
SpecStore == Init /\ [][Next \/ \E t \in Threads : StoreCharge(t)]_vars

Bounded == charge.ver <= MaxVer /\ \A c \in Chunks : chunk[c].ver <= MaxVer
Symmetry == Permutations(Threads) \union Permutations(Chunks)
-----------------------------------------------------------------------------
NeverOver == Cardinality(mapped) <= Limit

\* What is charged is a chunk, or one on its way.
Counted == charge.pages =
  Cardinality({c \in Chunks : chunk[c].state # "NONE"})
  + Cardinality({t \in Threads : pc[t] = "map"})

RECURSIVE SumCaches(_, _)
SumCaches(c, ts) ==
  IF ts = {} THEN 0
  ELSE LET t == CHOOSE t \in ts : TRUE IN cache[t][c] + SumCaches(c, ts \ {t})
Conserve == \A c \in Chunks : chunk[c].state = "LIVE" =>
  chunk[c].free + held[c] + SumCaches(c, Threads) = Units

\* Of the abstract allocator the regions are the chunks; which unit of a chunk a
\* block is makes no difference here.
Blocks   == UNION {{{<<c, i>>} : i \in 1 .. held[c]} : c \in Chunks}
Abstract == INSTANCE Allocator
              WITH live <- Blocks, mapped <- mapped
Refines  == Abstract!Spec
=============================================================================
