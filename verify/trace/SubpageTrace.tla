---------------------------- MODULE SubpageTrace ----------------------------
(***************************************************************************)
(* Whether a logged run of the code (SubpageLog, written by subpage_log.py) *)
(* is a behaviour of Subpage: step i of the log must be a step of the       *)
(* action that its label names, by its thread, from and to the values that  *)
(* were in memory.  A log that is none ends in a deadlock, in an assertion, *)
(* or breaks an invariant.  (Chunks do not die here.)                       *)
(***************************************************************************)
EXTENDS Subpage, SubpageLog

VARIABLE i

Stays == UNCHANGED vars

Step(e) ==
  LET t == e[2] IN
  CASE e[1] = "look"    -> guard[e[3]] = e[4] /\ Stays
    [] e[1] = "empty"   -> head[<<e[3], e[4]>>].top = Nil /\ Stays
    [] e[1] = "top"     -> LookAtTop(t, e[3], e[4])
                           /\ top'[t] = [top |-> e[5], tag |-> e[6]]
    [] e[1] = "guard"   -> LookAtGuard(t) /\ sp[t] = e[3] /\ guard[e[3]] = e[4]
    [] e[1] = "still"   -> StillTop(t)
                           /\ Head(t) = [top |-> e[3], tag |-> e[4]]
    [] e[1] = "nothing" -> NothingFree(t)
    [] e[1] = "reserve" -> sp[t] = e[3] /\ Reserve(t) /\ pc'[t] = "claim"
                           /\ guard'[e[3]] = e[4]
    [] e[1] = "claim"   -> sp[t] = e[3] /\ Claim(t) /\ bits'[e[3]] = e[4]
    [] e[1] = "collect" -> Collect(t, e[3], e[4])
    [] e[1] = "poplook" -> class[t] = e[3] /\ stack[t] = e[4]
                           /\ Head(t) = [top |-> e[5], tag |-> e[6]]
                           /\ PopLook(t)
    [] e[1] = "poplink" -> PopLink(t) /\ top[t].top = e[3] /\ link'[t] = e[4]
    [] e[1] = "pop"     -> Pop(t) /\ pc'[t] = "popped"
                           /\ head'[<<class[t], stack[t]>>]
                                = [top |-> e[3], tag |-> e[4]]
    [] e[1] = "nopop"   -> Pop(t) /\ pc'[t] = "pop"
    [] e[1] = "unlist"  -> sp[t] = e[3] /\ Unlist(t) /\ guard'[e[3]] = e[4]
    [] e[1] = "retire"  -> sp[t] = e[3] /\ Retire(t) /\ guard'[e[3]] = e[4]
    [] e[1] = "keep"    -> sp[t] = e[3] /\ guard[e[3]] = e[5] /\ Keep(t)
                           /\ stack'[t] = e[4]
    [] e[1] = "pushlook" -> class[t] = e[3] /\ stack[t] = e[4]
                           /\ Head(t) = [top |-> e[5], tag |-> e[6]]
                           /\ PushLook(t)
    [] e[1] = "pushlink" -> sp[t] = e[3] /\ PushLink(t) /\ next'[e[3]] = e[4]
    [] e[1] = "push"    -> head[<<class[t], stack[t]>>].tag + 1 = e[4]
                           /\ sp[t] = e[3] /\ Push(t) /\ pc'[t] = "idle"
    [] e[1] = "nopush"  -> Push(t) /\ pc'[t] = "push"
    [] e[1] = "run"     -> ReserveRun(t, e[3])
    [] e[1] = "claimrun" -> ClaimRun(t) /\ sp'[t] = e[3]
    [] e[1] = "fill"    -> sp[t] = e[3] /\ Fill(t) /\ bits'[e[3]] = e[4]
    [] e[1] = "born"    -> sp[t] = e[3] /\ Born(t) /\ guard'[e[3]] = e[4]
    [] e[1] = "setbits" -> SetBits(t) /\ sp'[t] = e[3] /\ bits[e[3]] = e[4]
                           /\ bits'[e[3]] = e[5]
    [] e[1] = "leave"   -> sp[t] = e[3] /\ Leave(t) /\ guard'[e[3]] = e[4]
    [] e[1] = "giverun" -> sp[t] = e[3] /\ GiveRun(t)
    [] e[1] = "leavechunk" -> LeaveChunk(t)

TraceInit == Init /\ i = 1
\* The last state stutters, so only a log that stops too early is a deadlock.
TraceNext ==
  IF i > LogLength THEN UNCHANGED <<vars, i>>
  ELSE Step(Log[i]) /\ i' = i + 1
TraceSpec == TraceInit /\ [][TraceNext]_<<vars, i>>
=============================================================================
