----------------------------- MODULE BandsTrace -----------------------------
(***************************************************************************)
(* Whether a logged run of the code (BandsLog, written by bands_log.py) is *)
(* a behaviour of Bands: step i of the log must be a step of the action    *)
(* that its label names, by its thread, from and to the values that were   *)
(* in memory.  A log that is none ends in a deadlock, in an assertion, or  *)
(* breaks an invariant.                                                    *)
(*                                                                         *)
(* What is an arena in Bands is a place of an arena here, and the spare of *)
(* an arena is that of its place 0.  A thread of the code is two of Bands: *)
(* it may hold a chunk that it has mapped (t0m) and search on (t0).  Two   *)
(* things are wider than in Bands: one load of a word of hints serves the  *)
(* search of several places (`word`), and where a mapped chunk goes is     *)
(* decided when it goes there ("rehome").  The bands are Netty's six, with *)
(* the thresholds that the code has computed.                              *)
(***************************************************************************)
EXTENDS Bands, Sequences, BandsLog

VARIABLES i, word

Six == 0 .. 5
RECURSIVE Up(_, _), Down(_, _)
Up(b, room)   == IF b < 5 /\ room <= LeaveUp[b + 1]
                 THEN Up(b + 1, room) ELSE b
Down(b, room) == IF b > 1 /\ room > LeaveDown[b + 1]
                 THEN Down(b - 1, room) ELSE b
\* No allocation leads down and no free leads up.
NettyAfter(b, u) == LET up == Up(b, Pages - u) IN
                    IF up # b THEN up ELSE Down(b, Pages - u)

Is(s, g) == /\ guard[s].live = g.live /\ guard[s].gen = g.gen
            /\ guard[s].used = g.used
            /\ g.live => guard[s].band = g.band
Becomes(s, g) == /\ guard'[s].live = g.live /\ guard'[s].gen = g.gen
                 /\ guard'[s].used = g.used /\ guard'[s].band = g.band

Named(s) == IF s = "none" THEN None ELSE s
Stays == UNCHANGED vars
Same  == UNCHANGED word

\* The search that a word of hints leads to.
Led(t, a, b) ==
  /\ word[t].band = b /\ a \in word[t].places
  /\ Goto(t, "idle", "place") /\ at' = Set(at, t, a) /\ want' = Set(want, t, b)
  /\ UNCHANGED <<shared, slot, own, seen, to, from>>

Step(e) ==
  LET t == e[2] IN
  CASE e[1] = "look"   -> Is(e[3], e[4]) /\ Stays /\ Same
    [] e[1] = "named"  -> slotOf[e[3]] = Named(e[4]) /\ Stays /\ Same
    [] e[1] = "hints"  -> /\ {a \in e[3] : e[4] \in hint[a]} = e[5]
                          /\ word' = [word EXCEPT ![t] =
                                        [band |-> e[4], places |-> e[5]]]
                          /\ Stays
    [] e[1] = "led"    -> Led(t, e[3], e[4]) /\ Same
    [] e[1] = "search" -> Search(t, e[3]) /\ want'[t] = None /\ Same
    [] e[1] = "place"  -> at[t] = e[3] /\ slotOf[e[3]] = Named(e[4])
                          /\ LookAtPlace(t) /\ Same
    [] e[1] = "guard"  -> slot[t] = e[3] /\ Is(e[3], e[4]) /\ LookAtGuard(t)
                          /\ Same
    [] e[1] = "again"  -> LookAgain(t) /\ pc'[t] = e[3] /\ Same
    [] e[1] = "reserve" -> slot[t] = e[3] /\ Reserve(t) /\ Becomes(e[3], e[4])
                           /\ held'[e[3]] = held[e[3]] + 1 /\ Same
    [] e[1] = "nothing" -> Reserve(t) /\ pc'[t] = "clear" /\ Same
    [] e[1] = "return" -> Return(t) /\ held'[e[3]] = held[e[3]] - 1
                          /\ Becomes(e[3], e[4]) /\ Same
    [] e[1] = "set"    -> at[t] = e[3] /\ to[t] = e[4]
                          /\ (e[4] \in hint[e[3]]) = e[5] /\ SetHint(t) /\ Same
    [] e[1] = "clear"  -> at[t] = e[3] /\ from[t] = e[4]
                          /\ (e[4] \in hint[e[3]]) = e[5] /\ ClearHint(t)
                          /\ Same
    [] e[1] = "recheck" -> at[t] = e[3] /\ slotOf[e[3]] = Named(e[4]) /\ Recheck(t)
                           /\ Same
    [] e[1] = "recheckguard" -> slot[t] = e[3] /\ Is(e[3], e[4])
                                /\ RecheckGuard(t) /\ Same
    [] e[1] = "setagain" -> at[t] = e[3] /\ from[t] = e[4] /\ SetAgain(t)
                            /\ Same
    [] e[1] = "retire" -> slot[t] = e[3] /\ Retire(t) /\ guard'[e[3]].gen = e[4]
                          /\ Same
    [] e[1] = "leave"  -> at[t] = e[3] /\ LeavePlace(t) /\ Same
    [] e[1] = "unmap"  -> own[t] = e[3] /\ Unmap(t) /\ Same
    [] e[1] = "takeslot" -> TakeSlot(t, e[3]) /\ own'[t] = e[4] /\ Same
    [] e[1] = "takespare" -> TakeSpare(t, e[3]) /\ own'[t] = e[4]
                             /\ pc'[t] = e[5] /\ Same
    [] e[1] = "keep"   -> at[t] = e[3] /\ own[t] = e[4] /\ KeepSpare(t)
                          /\ pc'[t] = e[5] /\ Same
    [] e[1] = "rehome" -> /\ pc[t] = "mapped" /\ at' = Set(at, t, e[3])
                          /\ UNCHANGED <<shared, pc, slot, own, seen, want,
                                         to, from>> /\ Same
    [] e[1] = "takeplace" -> own[t] = e[4] /\ TakePlace(t)
                             /\ slotOf'[e[3]] = e[4] /\ Same
    [] e[1] = "born"   -> own[t] = e[3] /\ Born(t, e[4].used)
                          /\ Becomes(e[3], e[4]) /\ Same

TraceInit == Init /\ i = 1
             /\ word = [t \in Threads |-> [band |-> None, places |-> {}]]
\* The last state stutters, so only a log that stops too early is a deadlock.
TraceNext ==
  IF i > LogLength THEN UNCHANGED <<vars, i, word>>
  ELSE Step(Log[i]) /\ i' = i + 1
TraceSpec == TraceInit /\ [][TraceNext]_<<vars, i, word>>
=============================================================================
