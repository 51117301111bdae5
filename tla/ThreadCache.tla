---------------------------- MODULE ThreadCache ----------------------------
(***************************************************************************)
(* Threads' caches, and how other threads take them away                   *)
(* (alloc/thread_cache.c, alloc/fast_path.c, docs/decisions/0002).         *)
(*                                                                         *)
(* Machine: TSO.  The plain stores of an owner (its word `mine`, and its   *)
(* magazines) wait in a first-in, first-out buffer; a compare-and-swap     *)
(* waits until its thread's buffer is empty; membarrier empties the        *)
(* buffers of all threads, one after the other.                            *)
(*                                                                         *)
(* Of each thread and pool there is a ref {mine, body}.  `mine` is the     *)
(* generation under which the thread owns its body, and None while it is   *)
(* inside an operation of that pool; it does not say which body.  A body's *)
(* ctl is {state, generation, who}.  The owner: if mine is not None,       *)
(* mine := None; light barrier; the body; is its ctl what mine was?  A     *)
(* thief: ctl OWNED -> REVOKED; heavy barrier; is the owner's mine None?   *)
(* then leave it; else REVOKED -> TAKEN of the very ctl that was seen      *)
(* before the barrier; drain; FREE, generation + 1.                        *)
(*                                                                         *)
(* H is a signal handler that interrupts the owner HandlerOn between any   *)
(* two steps, and runs to its end first.  Threads are killed anywhere; the *)
(* bodies of a dead thread are taken with the same CAS and no barrier, and *)
(* its record is used again when no body names it.  An owner may exit when *)
(* it is outside.                                                          *)
(*                                                                         *)
(* A magazine is a set here, and its store is that of the count.  A block  *)
(* is <<pool, number>>.  Not modelled: what is weaker than TSO, limits,    *)
(* sweeps, forks, the mode without membarrier (an exchange in place of the *)
(* store of mine, after which there is no buffer to think of).             *)
(*                                                                         *)
(* BUG  "nomembarrier"  the heavy barrier is left out                      *)
(*      "checkfirst"    the owner looks at ctl before it is busy           *)
(*      "busybefore"    the thief looks at mine before the barrier         *)
(*      "laterevoked"   after its barrier it takes what was revoked since  *)
(*      "nogen"         its CAS compares the state alone                   *)
(*      "givefirst"     a block is free before it has left the magazine    *)
(*      "earlyreuse"    a dead record is used while a body names it        *)
(*      "robstopped"    a body is taken from a thief that is only stopped  *)
(*      "nonest"        a handler goes on although mine is None            *)
(*      "bodyfirst"     the owner reads which body before it is busy       *)
(*      "losttoken"     a handler that may not go on leaves mine at None   *)
(*      "blindbusy"     the owner stores None also where it has read None, *)
(*                      over what a handler may have written meanwhile     *)
(*      "dropany"       a thread drops the body of one pool's ref although *)
(*                      it owns it for another pool by now                 *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Owners, Thieves, Bodies, Pools, Numbers,
  H, HandlerOn,  \* HandlerOn = None: no handler
  None,
  MaxGen, MaxKill,
  MaxFirst,      \* a body may begin at any generation up to this one
  MaxBuffer,     \* stores that wait at a time
  Exits,         \* whether owners exit
  Scene,         \* where the model begins; see Init
  BUG

ASSUME BUG \in {"none", "nomembarrier", "checkfirst", "busybefore",
                "laterevoked", "nogen", "givefirst", "earlyreuse",
                "robstopped", "nonest", "bodyfirst", "losttoken",
                "blindbusy", "dropany"}

Blocks   == Pools \X Numbers
Threads  == Owners \union Thieves
Contexts == Owners \union (IF HandlerOn \in Owners THEN {H} ELSE {})
Th(c)    == IF c = H THEN HandlerOn ELSE c

VARIABLES
  ctl,     \* of each body: [st, gen, who]
  of,      \* its pool
  items,   \* what its magazines hold, in memory
  mine,    \* of each owner and pool, in memory
  buffer,  \* of each owner: the stores that wait
  body,    \* of each owner and pool: its body, or None
  inside,  \* of each owner: inside the slow path
  free,    \* blocks whose bits are set
  out,     \* blocks in the hands of users
  transit, \* of each thread: a block between a magazine and the bits
  pc, pool, at, token, read, exiting,  \* of each context
  tpc, tbody, tctl, tleft,             \* of each thief
  dead, kills, leaked

owner  == <<pc, pool, at, token, read, exiting>>
thief  == <<tpc, tbody, tctl, tleft>>
deaths == <<dead, kills, leaked>>
vars   == <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
            owner, thief, deaths>>

\* ---- the machine ----

RECURSIVE LastMine(_, _, _), LastItems(_, _, _)
LastMine(s, p, v) ==
  IF s = <<>> THEN v
  ELSE LastMine(Tail(s), p,
         IF Head(s)[1] = "mine" /\ Head(s)[2] = p THEN Head(s)[3] ELSE v)
LastItems(s, b, v) ==
  IF s = <<>> THEN v
  ELSE LastItems(Tail(s), b,
         IF Head(s)[1] = "items" /\ Head(s)[2] = b THEN Head(s)[3] ELSE v)

\* What the thread itself reads.
MineOf(o, p)  == LastMine(buffer[o], p, mine[o][p])
ItemsOf(o, b) == LastItems(buffer[o], b, items[b])

Room(o)        == Len(buffer[o]) < MaxBuffer
Store(o, w)    == Room(o) /\ buffer' = [buffer EXCEPT ![o] = Append(@, w)]
SetMine(o, p, v) == Store(o, <<"mine", p, v>>)
Locked(o)      == buffer[o] = <<>>

Drained(o) ==
  /\ mine'  = [mine EXCEPT ![o] = [p \in Pools |-> MineOf(o, p)]]
  /\ items' = [b \in Bodies |-> ItemsOf(o, b)]
  /\ buffer' = [buffer EXCEPT ![o] = <<>>]

\* The oldest store becomes visible.
Arrive(o) ==
  /\ buffer[o] # <<>>
  /\ buffer' = [buffer EXCEPT ![o] = Tail(@)]
  /\ LET w == Head(buffer[o]) IN
       IF w[1] = "mine"
       THEN mine' = [mine EXCEPT ![o][w[2]] = w[3]] /\ UNCHANGED items
       ELSE items' = [items EXCEPT ![w[2]] = w[3]] /\ UNCHANGED mine
  /\ UNCHANGED <<ctl, of, body, inside, free, out, transit, owner, thief,
                 deaths>>

\* ---- start ----

FreeAt(gen) == [st |-> "FREE", gen |-> gen, who |-> None]

\* No thread has a body yet.
Cold ==
  /\ \E gens \in [Bodies -> 0 .. MaxFirst] :
       ctl = [b \in Bodies |-> FreeAt(gens[b])]
  /\ of = [b \in Bodies |-> None]
  /\ mine = [o \in Owners |-> [p \in Pools |-> None]]
  /\ body = [o \in Owners |-> [p \in Pools |-> None]]

\* The first call of an owner after a thief has taken its one body: a state of
\* a long run from Cold, which makes short models of what can follow.
Stolen ==
  \E o \in Owners, p \in Pools, b \in Bodies :
    /\ \E gens \in [Bodies -> 0 .. MaxFirst] :
         ctl = [x \in Bodies |-> FreeAt(IF x = b THEN 1 ELSE gens[x])]
    /\ of = [x \in Bodies |-> IF x = b THEN p ELSE None]
    /\ mine = [x \in Owners |-> [q \in Pools |->
                 IF x = o /\ q = p THEN 0 ELSE None]]
    /\ body = [x \in Owners |-> [q \in Pools |->
                 IF x = o /\ q = p THEN b ELSE None]]

Init ==
  /\ CASE Scene = "cold" -> Cold [] Scene = "stolen" -> Stolen
  /\ items = [b \in Bodies |-> {}]
  /\ buffer = [o \in Owners |-> <<>>]
  /\ inside = [o \in Owners |-> FALSE]
  /\ free = Blocks /\ out = {} /\ transit = [x \in Threads |-> {}]
  /\ pc = [c \in Contexts |-> "idle"] /\ pool = [c \in Contexts |-> None]
  /\ at = [c \in Contexts |-> None] /\ token = [c \in Contexts |-> None]
  /\ read = [c \in Contexts |-> {}] /\ exiting = [c \in Contexts |-> FALSE]
  /\ tpc = [t \in Thieves |-> "idle"] /\ tbody = [t \in Thieves |-> None]
  /\ tctl = [t \in Thieves |-> None] /\ tleft = [t \in Thieves |-> {}]
  /\ dead = {} /\ kills = 0 /\ leaked = {}

\* The interrupted frame waits for its handler.
Runs(c, l) ==
  Th(c) \notin dead /\ pc[c] = l /\ (c = HandlerOn => pc[H] = "idle")
Go(c, l)     == pc' = [pc EXCEPT ![c] = l]
Let(f, c, v) == f' = [f EXCEPT ![c] = v]
Idle(c) ==
  /\ Go(c, "idle") /\ Let(pool, c, None) /\ Let(at, c, None)
  /\ Let(token, c, None) /\ Let(read, c, {}) /\ UNCHANGED exiting
P(c) == pool[c]

\* The shared path: a block of the pool from the bits or back to them.
Shared(p) ==
  \/ \E e \in free : e[1] = p /\ free' = free \ {e} /\ out' = out \union {e}
  \/ \E e \in out  : e[1] = p /\ out' = out \ {e} /\ free' = free \union {e}
  \/ UNCHANGED <<free, out>>

\* ---- the owner's fast path ----

Begin(c, p) ==
  /\ Runs(c, "idle") /\ Let(pool, c, p) /\ Go(c, "mine")
  /\ IF BUG = "bodyfirst" THEN Let(at, c, body[Th(c)][p]) ELSE UNCHANGED at
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 token, read, exiting, thief, deaths>>

\* Flushes, groups of pages, aligned blocks and frees that report something come
\* past the fast path, without a token.
BeginSlow(c, p) ==
  /\ Runs(c, "idle") /\ Let(pool, c, p) /\ Go(c, "slow")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 at, token, read, exiting, thief, deaths>>

ReadMine(c) ==                                                    \* TC.M1
  LET o == Th(c)
      m == MineOf(o, P(c))
      b == body[o][P(c)]
  IN
  /\ Runs(c, "mine")
  /\ Let(token, c, IF BUG = "nonest" /\ b # None THEN ctl[b].gen ELSE m)
  /\ Go(c, CASE BUG = "checkfirst"                              -> "body"
             [] BUG # "blindbusy" /\ token'[c] = None            -> "slow"
             [] OTHER                                            -> "busy")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, at, read, exiting, thief, deaths>>

SetBusy(c) ==                                                     \* TC.B1
  /\ Runs(c, "busy") /\ SetMine(Th(c), P(c), None)
  /\ Go(c, CASE BUG = "checkfirst" -> IF at[c] = None THEN "slow" ELSE "pop"
             [] BUG = "bodyfirst"  -> "check"
             [] OTHER              -> "body")
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, out, transit,
                 pool, at, token, read, exiting, thief, deaths>>

ReadBody(c) ==                                                    \* own
  /\ Runs(c, "body") /\ Go(c, "check")
  /\ Let(at, c, body[Th(c)][P(c)])
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, token, read, exiting, thief, deaths>>

Mine(c, b) == /\ b # None /\ token[c] # None
              /\ ctl[b] = [st |-> "OWNED", gen |-> token[c], who |-> Th(c)]

Check(c) ==                                                       \* TC.C1
  /\ Runs(c, "check")
  /\ IF Mine(c, at[c])
     THEN /\ Go(c, IF BUG = "checkfirst" THEN "busy" ELSE "pop")
          /\ UNCHANGED at
     ELSE /\ Go(c, IF BUG = "checkfirst" THEN "busy" ELSE "slow")
          /\ Let(at, c, None)
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, token, read, exiting, thief, deaths>>

ReadCount(c) ==                                                   \* MG.L1
  /\ Runs(c, "pop") /\ Go(c, "count")
  /\ Let(read, c, ItemsOf(Th(c), at[c]))
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, at, token, exiting, thief, deaths>>

\* Pop, push, or neither (empty, full): then the slow path.
WriteCount(c) ==                                                  \* MG.S1
  /\ Runs(c, "count") /\ Let(read, c, {})
  /\ \/ \E e \in read[c] :
          /\ Assert(e[1] = P(c), "MG.S1: a block of another pool")
          /\ out' = out \union {e}
          /\ Store(Th(c), <<"items", at[c], read[c] \ {e}>>)
          /\ Go(c, "done") /\ UNCHANGED at
     \/ \E e \in out :
          /\ e[1] = P(c) /\ out' = out \ {e}
          /\ Store(Th(c), <<"items", at[c], read[c] \union {e}>>)
          /\ Go(c, "done") /\ UNCHANGED at
     \/ Go(c, "slow") /\ Let(at, c, None) /\ UNCHANGED <<out, buffer>>
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, transit,
                 pool, token, exiting, thief, deaths>>

Done(c) ==                                                        \* TC.E1
  /\ Runs(c, "done") /\ SetMine(Th(c), P(c), token[c]) /\ Idle(c)
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, out, transit,
                 thief, deaths>>

\* ---- the slow path: linn_visit_enter to linn_visit_leave ----

\* A frame below is in the slow path: the shared path, and mine as it was.
Slow(c) ==                                                        \* TC.I2
  LET o == Th(c) IN
  /\ Runs(c, "slow")
  /\ IF ~inside[o]
     THEN /\ Go(c, "token")
          /\ UNCHANGED <<free, out, buffer, pool, at, token, read, exiting>>
     ELSE /\ Shared(P(c)) /\ Idle(c)
          /\ IF token[c] = None \/ BUG = "losttoken" THEN UNCHANGED buffer
             ELSE SetMine(o, P(c), token[c])                      \* TC.E1
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, transit, thief, deaths>>

\* A frame below is in the fast path, if there is a body and mine is None.
Token(c) ==                                                       \* TC.M1
  LET o == Th(c)
      m == MineOf(o, P(c))
  IN
  /\ Runs(c, "token")
  /\ IF token[c] # None \/ body[o][P(c)] = None
     THEN /\ Go(c, "enter")
          /\ UNCHANGED <<free, out, pool, at, token, read, exiting>>
     ELSE IF m = None
     THEN Shared(P(c)) /\ Idle(c)
     ELSE /\ Go(c, "slowbusy") /\ Let(token, c, m)
          /\ UNCHANGED <<free, out, pool, at, read, exiting>>
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, transit,
                 thief, deaths>>

SlowBusy(c) ==                                                    \* TC.B1
  /\ Runs(c, "slowbusy") /\ SetMine(Th(c), P(c), None) /\ Go(c, "enter")
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, out, transit,
                 pool, at, token, read, exiting, thief, deaths>>

Enter(c) ==                                                       \* TC.I1
  /\ Runs(c, "enter") /\ Let(inside, Th(c), TRUE) /\ Go(c, "look")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, free, out, transit,
                 pool, at, token, read, exiting, thief, deaths>>

Look(c) ==                                                        \* TC.H1
  LET b == body[Th(c)][P(c)] IN
  /\ Runs(c, "look")
  /\ Let(at, c, b)
  /\ Go(c, CASE b = None    -> "take"
             [] Mine(c, b)  -> "use"
             [] OTHER       -> "drop")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, token, read, exiting, thief, deaths>>

After(c) == IF exiting[c] THEN "exit" ELSE "take"

\* Revoked: drains it itself, unless somebody has it.  The thread may own it
\* again by now, for another pool.
Drop(c) ==                                                        \* TC.C3
  LET o == Th(c)
      b == at[c]
  IN
  /\ Runs(c, "drop") /\ Locked(o)
  /\ IF /\ ctl[b].st \in {"OWNED", "REVOKED"} /\ ctl[b].who = o
        /\ of[b] = P(c) \/ BUG = "dropany"
     THEN /\ ctl' = [ctl EXCEPT ![b].st = "TAKEN"] /\ Go(c, "drain")
          /\ UNCHANGED <<body, at, token>>
     ELSE /\ body' = [body EXCEPT ![o][P(c)] = None] /\ Go(c, After(c))
          /\ Let(at, c, None) /\ Let(token, c, None) /\ UNCHANGED ctl
  /\ UNCHANGED <<of, items, mine, buffer, inside, free, out, transit,
                 pool, read, exiting, thief, deaths>>

DrainOne(c) ==                                                    \* MG.S1
  LET o == Th(c) IN
  /\ Runs(c, "drain") /\ transit[o] = {}
  /\ \E e \in items[at[c]] :
       /\ items' = [items EXCEPT ![at[c]] = @ \ {e}]
       /\ transit' = [transit EXCEPT ![o] = {e}]
  /\ UNCHANGED <<ctl, of, mine, buffer, body, inside, free, out,
                 owner, thief, deaths>>

DrainGive(c) ==                                                   \* SP.F1
  LET o == Th(c) IN
  /\ Runs(c, "drain") /\ transit[o] # {}
  /\ free' = free \union transit[o] /\ transit' = [transit EXCEPT ![o] = {}]
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, out,
                 owner, thief, deaths>>

DrainEnd(c) ==                                                    \* TC.F1
  LET o == Th(c) IN
  /\ Runs(c, "drain") /\ transit[o] = {} /\ items[at[c]] = {}
  /\ ctl' = [ctl EXCEPT ![at[c]] = FreeAt(@.gen + 1)]
  /\ body' = [body EXCEPT ![o][P(c)] = None] /\ Go(c, After(c))
  /\ Let(at, c, None) /\ Let(token, c, None)
  /\ UNCHANGED <<of, items, mine, buffer, inside, free, out, transit,
                 pool, read, exiting, thief, deaths>>

Fresh == {b \in Bodies : ctl[b].st = "FREE" /\ ctl[b].gen < MaxGen}

TakeBody(c) ==                                                    \* TC.O1
  LET o == Th(c) IN
  /\ Runs(c, "take") /\ Locked(o)
  /\ \/ \E b \in Fresh :
          /\ ctl' = [ctl EXCEPT ![b].st = "OWNED", ![b].who = o]
          /\ of' = [of EXCEPT ![b] = P(c)]                        \* TC.P1
          /\ body' = [body EXCEPT ![o][P(c)] = b]
          /\ Let(at, c, b) /\ Let(token, c, ctl[b].gen)
          /\ Go(c, "use") /\ UNCHANGED <<free, out>>
     \/ /\ Fresh = {} /\ Shared(P(c)) /\ Go(c, "leave")
        /\ UNCHANGED <<ctl, of, body, at, token>>
  /\ UNCHANGED <<items, mine, buffer, inside, transit, pool, read, exiting,
                 thief, deaths>>

UseRead(c) ==                                                     \* MG.L1
  /\ Runs(c, "use") /\ Go(c, "usewrite")
  /\ Let(read, c, ItemsOf(Th(c), at[c]))
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 pool, at, token, exiting, thief, deaths>>

\* A refill, a free into the magazine, or a flush.
UseWrite(c) ==                                                    \* MG.S1
  LET o == Th(c) IN
  /\ Runs(c, "usewrite") /\ Let(read, c, {})
  /\ \/ \E e \in free :
          /\ e[1] = P(c) /\ Locked(o) /\ free' = free \ {e}
          /\ Store(o, <<"items", at[c], read[c] \union {e}>>)
          /\ Go(c, "leave") /\ UNCHANGED <<out, transit>>
     \/ \E e \in out :
          /\ e[1] = P(c) /\ out' = out \ {e}
          /\ Store(o, <<"items", at[c], read[c] \union {e}>>)
          /\ Go(c, "leave") /\ UNCHANGED <<free, transit>>
     \/ \E e \in read[c] :
          /\ Store(o, <<"items", at[c], read[c] \ {e}>>)
          /\ transit' = [transit EXCEPT ![o] = {e}]
          /\ Go(c, "flush") /\ UNCHANGED <<free, out>>
     \/ /\ read[c] = {} /\ Go(c, "leave")
        /\ UNCHANGED <<buffer, free, out, transit>>
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, pool, at, token, exiting,
                 thief, deaths>>

FlushGive(c) ==                                                   \* SP.F1
  LET o == Th(c) IN
  /\ Runs(c, "flush") /\ Locked(o) /\ Go(c, "leave")
  /\ free' = free \union transit[o] /\ transit' = [transit EXCEPT ![o] = {}]
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, out,
                 pool, at, token, read, exiting, thief, deaths>>

Leave(c) ==                                                       \* TC.E1
  /\ Runs(c, "leave") /\ SetMine(Th(c), P(c), token[c]) /\ Go(c, "left")
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, out, transit,
                 pool, at, token, read, exiting, thief, deaths>>

Left(c) ==                                                        \* TC.I1
  /\ Runs(c, "left") /\ Let(inside, Th(c), FALSE) /\ Idle(c)
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, free, out, transit,
                 thief, deaths>>

\* ---- exit: every body of the thread, then the record is a new thread's ----

ExitStart(c) ==                                                   \* TC.I1
  /\ Exits /\ c \in Owners /\ Runs(c, "idle")
  /\ \E p \in Pools : body[c][p] # None
  /\ Let(inside, c, TRUE) /\ Let(exiting, c, TRUE) /\ Go(c, "exit")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, free, out, transit,
                 pool, at, token, read, thief, deaths>>

ExitPool(c) ==                                                    \* TC.B1
  /\ Runs(c, "exit")
  /\ \E p \in Pools :
       /\ body[c][p] # None
       /\ SetMine(c, p, None) /\ Let(pool, c, p) /\ Let(at, c, body[c][p])
  /\ Go(c, "drop")
  /\ UNCHANGED <<ctl, of, items, mine, body, inside, free, out, transit,
                 token, read, exiting, thief, deaths>>

ExitEnd(c) ==                                                     \* TR.F1
  /\ Runs(c, "exit") /\ Locked(c)
  /\ \A p \in Pools : body[c][p] = None
  /\ Let(inside, c, FALSE) /\ Let(exiting, c, FALSE)
  /\ Go(c, "idle") /\ Let(pool, c, None)
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, free, out, transit,
                 at, token, read, thief, deaths>>

\* ---- a thief: linn_cache_drain_all ----

Steals(t, l) == t \notin dead /\ tpc[t] = l
TGo(t, l)    == tpc' = [tpc EXCEPT ![t] = l]

Revoke(t) ==                                                      \* TC.R1
  /\ Steals(t, "idle")
  /\ \E b \in Bodies :
       /\ ctl[b].st \in {"OWNED", "REVOKED"}
       /\ ctl' = [ctl EXCEPT ![b].st = "REVOKED"]
       /\ Let(tbody, t, b) /\ Let(tctl, t, [ctl[b] EXCEPT !.st = "REVOKED"])
       /\ TGo(t, CASE BUG = "nomembarrier" -> "mine"
                   [] BUG = "busybefore" /\ ctl[b].who \in Owners /\
                      mine[ctl[b].who][of[b]] = None -> "idle"
                   [] OTHER -> "barrier")
  /\ Let(tleft, t, Owners)
  /\ UNCHANGED <<of, items, mine, buffer, body, inside, free, out, transit,
                 owner, deaths>>

Barrier(t) ==                                                     \* AS.H1
  /\ Steals(t, "barrier")
  /\ \E o \in tleft[t] :
       /\ Drained(o)
       /\ Let(tleft, t, tleft[t] \ {o})
       /\ TGo(t, CASE tleft[t] # {o}       -> "barrier"
                   [] BUG = "busybefore"   -> "take"
                   [] BUG = "laterevoked"  -> "choose"
                   [] OTHER                -> "mine")
  /\ UNCHANGED <<ctl, of, body, inside, free, out, transit, owner,
                 tbody, tctl, deaths>>

\* Only with BUG "laterevoked": whatever is REVOKED now.
Choose(t) ==                                                      \* TC.H1
  /\ Steals(t, "choose") /\ TGo(t, "mine")
  /\ \E b \in Bodies :
       /\ ctl[b].st = "REVOKED" /\ ctl[b].who \in Owners
       /\ Let(tbody, t, b) /\ Let(tctl, t, ctl[b])
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 owner, tleft, deaths>>

LookAtMine(t) ==                                                  \* TC.T1
  LET o == tctl[t].who IN
  /\ Steals(t, "mine")
  /\ TGo(t, IF o \in Owners /\ mine[o][of[tbody[t]]] = None
            THEN "idle" ELSE "take")
  /\ UNCHANGED <<ctl, of, items, mine, buffer, body, inside, free, out, transit,
                 owner, tbody, tctl, tleft, deaths>>

Seize(t) ==                                                       \* TC.C3
  /\ Steals(t, "take")
  /\ LET b == tbody[t] IN
       IF ctl[b] = tctl[t] \/ (BUG = "nogen" /\ ctl[b].st = "REVOKED")
       THEN /\ ctl' = [ctl EXCEPT ![b].st = "TAKEN", ![b].who = t]
            /\ TGo(t, "drain")
       ELSE UNCHANGED ctl /\ TGo(t, "idle")
  /\ UNCHANGED <<of, items, mine, buffer, body, inside, free, out, transit,
                 owner, tbody, tctl, tleft, deaths>>

\* Owner or thief of the body is dead, and will never run again.
SeizeDead(t) ==                                                   \* TC.C3
  /\ Steals(t, "idle")
  /\ \E b \in Bodies :
       /\ ctl[b].st # "FREE" /\ ctl[b].who # t
       /\ \/ ctl[b].who \in dead
          \/ /\ BUG = "robstopped" /\ ctl[b].st = "TAKEN"
             /\ ctl[b].who \in Thieves
       /\ ctl' = [ctl EXCEPT ![b].st = "TAKEN", ![b].who = t]
       /\ Let(tbody, t, b) /\ TGo(t, "drain")
  /\ UNCHANGED <<of, items, mine, buffer, body, inside, free, out, transit,
                 owner, tctl, tleft, deaths>>

\* Out of the magazine first, into the bits second.
StealOne(t) ==                                                    \* MG.S1
  /\ Steals(t, "drain")
  /\ \E e \in items[tbody[t]] :
       /\ transit' = [transit EXCEPT ![t] = {e}]
       /\ IF BUG = "givefirst"
          THEN free' = free \union {e} /\ UNCHANGED items
          ELSE /\ items' = [items EXCEPT ![tbody[t]] = @ \ {e}]
               /\ UNCHANGED free
  /\ TGo(t, "give")
  /\ UNCHANGED <<ctl, of, mine, buffer, body, inside, out, owner,
                 tbody, tctl, tleft, deaths>>

StealGive(t) ==                                                   \* SP.F1
  /\ Steals(t, "give") /\ TGo(t, "drain")
  /\ IF BUG = "givefirst"
     THEN /\ items' = [items EXCEPT ![tbody[t]] = @ \ transit[t]]
          /\ UNCHANGED free
     ELSE free' = free \union transit[t] /\ UNCHANGED items
  /\ transit' = [transit EXCEPT ![t] = {}]
  /\ UNCHANGED <<ctl, of, mine, buffer, body, inside, out, owner,
                 tbody, tctl, tleft, deaths>>

StealEnd(t) ==                                                    \* TC.F1
  /\ Steals(t, "drain") /\ items[tbody[t]] = {} /\ TGo(t, "idle")
  /\ ctl' = [ctl EXCEPT ![tbody[t]] = FreeAt(@.gen + 1)]
  /\ Let(tbody, t, None) /\ Let(tctl, t, None)
  /\ UNCHANGED <<of, items, mine, buffer, body, inside, free, out, transit,
                 owner, tleft, deaths>>

\* ---- death ----

\* What waited in the buffer of a dead thread arrives.
Kill(x) ==
  /\ x \notin dead /\ kills < MaxKill
  /\ kills' = kills + 1 /\ dead' = dead \union {x}
  /\ leaked' = leaked \union transit[x] /\ transit' = [transit EXCEPT ![x] = {}]
  /\ IF x \in Owners THEN Drained(x) ELSE UNCHANGED <<mine, items, buffer>>
  /\ UNCHANGED <<ctl, of, body, inside, free, out, owner, thief>>

Again(x, f, v) == [c \in Contexts |-> IF Th(c) = x THEN v ELSE f[c]]

\* The adopter has taken every body that named it.
Reuse(x) ==                                                       \* TR.E1
  /\ x \in dead /\ dead' = dead \ {x}
  /\ BUG = "earlyreuse" \/ \A b \in Bodies : ctl[b].who # x
  /\ IF x \in Owners
     THEN /\ mine' = [mine EXCEPT ![x] = [p \in Pools |-> None]]
          /\ body' = [body EXCEPT ![x] = [p \in Pools |-> None]]
          /\ Let(inside, x, FALSE)
          /\ pc' = Again(x, pc, "idle")    /\ pool' = Again(x, pool, None)
          /\ at' = Again(x, at, None)      /\ token' = Again(x, token, None)
          /\ read' = Again(x, read, {})
          /\ exiting' = Again(x, exiting, FALSE)
          /\ UNCHANGED thief
     ELSE /\ TGo(x, "idle") /\ Let(tbody, x, None) /\ Let(tctl, x, None)
          /\ Let(tleft, x, {}) /\ UNCHANGED <<mine, body, inside, owner>>
  /\ UNCHANGED <<ctl, of, items, buffer, free, out, transit, kills, leaked>>

\* ---- ----

Own(c) ==
  \/ \E p \in Pools : Begin(c, p) \/ BeginSlow(c, p)
  \/ ReadMine(c) \/ SetBusy(c) \/ ReadBody(c) \/ Check(c)
  \/ ReadCount(c) \/ WriteCount(c) \/ Done(c)
  \/ Slow(c) \/ Token(c) \/ SlowBusy(c) \/ Enter(c) \/ Look(c)
  \/ Drop(c) \/ DrainOne(c) \/ DrainGive(c) \/ DrainEnd(c)
  \/ TakeBody(c) \/ UseRead(c) \/ UseWrite(c) \/ FlushGive(c)
  \/ Leave(c) \/ Left(c)

Exit(c) == ExitStart(c) \/ ExitPool(c) \/ ExitEnd(c)

Steal(t) ==
  \/ Revoke(t) \/ Barrier(t) \/ LookAtMine(t) \/ Seize(t)
  \/ StealOne(t) \/ StealGive(t) \/ StealEnd(t)

\* A model without handlers, exits or kills has no actions of theirs.
Next ==
  \/ \E c \in Contexts : Own(c)
  \/ \E o \in Owners : Arrive(o)
  \/ \E t \in Thieves : Steal(t)

NextExit == Next \/ \E o \in Owners : Exit(o)

NextKill ==
  \/ NextExit
  \/ \E t \in Thieves : SeizeDead(t)
  \/ \E x \in Threads : Kill(x) \/ Reuse(x)

NextLate == NextKill \/ \E t \in Thieves : Choose(t)

Spec     == Init /\ [][Next]_vars
SpecExit == Init /\ [][NextExit]_vars
SpecKill == Init /\ [][NextKill]_vars
SpecLate == Init /\ [][NextLate]_vars

\* Thieves may stop for ever anywhere.
SpecFair == Spec /\ \A c \in Contexts : WF_vars(Own(c))
                 /\ \A o \in Owners : WF_vars(Arrive(o))

Symmetry == Permutations(Numbers) \union Permutations(Bodies)
            \union Permutations(Pools) \union Permutations(Thieves)
-----------------------------------------------------------------------------
View(b) ==
  LET waits == {o \in Owners : \E i \in 1 .. Len(buffer[o]) :
                  buffer[o][i][1] = "items" /\ buffer[o][i][2] = b}
  IN IF waits = {} THEN items[b]
     ELSE ItemsOf(CHOOSE o \in waits : TRUE, b)

\* thread_cache.h (T1): a block is in one place.
Places(e) ==
  (IF e \in free THEN 1 ELSE 0) + (IF e \in out THEN 1 ELSE 0)
  + (IF e \in leaked THEN 1 ELSE 0)
  + Cardinality({x \in Threads : e \in transit[x]})
  + Cardinality({b \in Bodies : e \in View(b)})
T1 == \A e \in Blocks : Places(e) = 1

\* thread_cache.h (T3): whom ctl names has the body, and nobody else.
T3 == \A b \in Bodies : ctl[b].st = "TAKEN" /\ ctl[b].who \notin dead =>
        \/ /\ ctl[b].who \in Thieves /\ tbody[ctl[b].who] = b
           /\ tpc[ctl[b].who] \in {"drain", "give"}
        \/ ctl[b].who \in Owners /\ \E p \in Pools : body[ctl[b].who][p] = b

\* A body holds blocks of its pool.
OfPool == \A b \in Bodies : ctl[b].st # "FREE" =>
            \A e \in View(b) : e[1] = of[b]

\* One block for each thread that was killed (a batch, in the code).
LeakIsBounded == Cardinality(leaked) <= kills

\* Outside every call, mine says so for every body that the thread owns.
IsOutside(o) == \A c \in Contexts : Th(c) = o => pc[c] = "idle"
MineIsBack ==
  \A o \in Owners \ dead : IsOutside(o) =>
    \A p \in Pools : body[o][p] # None =>
      LET b == body[o][p] IN
      ctl[b].st = "OWNED" /\ ctl[b].who = o /\ of[b] = p =>
        MineOf(o, p) = ctl[b].gen

NeverWaits == \A o \in Owners : []<>(pc[o] = "idle")

\* Of the abstract allocator the regions are the pools, and a block that is in a
\* magazine is not handed out.
Abstract == INSTANCE Allocator
              WITH live <- {{e} : e \in out}, mapped <- Pools
Refines  == Abstract!Spec
=============================================================================
