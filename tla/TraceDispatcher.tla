-------------------------- MODULE TraceDispatcher --------------------------
(***************************************************************************)
(* A recorded run of one node's dispatcher is a behaviour of Dispatcher.   *)
(*                                                                         *)
(* Events are its actions: Register, Deregister, Entomb, Leave and Wipe    *)
(* name a `group`, Register an `incarnation` too; Crash names nothing;     *)
(* Send, Lookup and Put name a `connection`, Send also `group` and         *)
(* `incarnation`, since it is the frame's first sight, at the peer.        *)
(* Deliver names the `group` whose running life read its mailbox.  Frames  *)
(* are numbered by their Sends.  `frame` says which one it was, `end` what *)
(* became of it, or "" if it is still under way.  Refusals:                *)
(*   Refuse  a registration that was refused: Register must not be enabled *)
(*                                                                         *)
(* A run begins with nothing registered and an empty disk.                 *)
(*                                                                         *)
(* Sources: those of Dispatcher.                                           *)
(* Left out: why a registration was refused.                               *)
(***************************************************************************)
EXTENDS Dispatcher, Run, Trace

VARIABLES at  \* the next event

traceVars == <<vars, at>>

Action(e) ==
    CASE e.event = "Register" -> Register(e.group, e.incarnation)
      [] e.event = "Refuse" -> ~ENABLED Register(e.group, e.incarnation) /\ UNCHANGED vars
      [] e.event = "Deregister" -> Deregister(e.group)
      [] e.event = "Entomb" -> Entomb(e.group)
      [] e.event = "Leave" -> Leave(e.group)
      [] e.event = "Wipe" -> Wipe(e.group)
      [] e.event = "Crash" -> Crash
      [] e.event = "Send" -> Send(e.connection, e.group, e.incarnation)
      [] e.event = "Lookup" -> Lookup(e.connection)
      [] e.event = "Put" -> Put(e.connection)
      [] e.event = "Deliver" -> registered[e.group] # 0 /\ Deliver(registered[e.group])

(* The frame that the event is about.                                       *)
Subject(e) ==
    CASE e.event = "Send" -> Len(fate) + 1
      [] e.event = "Lookup" -> Head(wire[e.connection])
      [] e.event = "Put" -> hand[e.connection].frame
      [] e.event = "Deliver" -> Head(mailbox[registered[e.group]]).frame

RightFrame(e) == "frame" \in DOMAIN e => e.frame = Subject(e)
RightEnd(e) == "end" \in DOMAIN e => fate'[e.frame].end = e.end

Event ==
    /\ at <= Len(Trace)
    /\ Action(Trace[at]) /\ RightFrame(Trace[at]) /\ RightEnd(Trace[at])
    /\ at' = at + 1

TraceInit == Init /\ at = 1
TraceSpec == TraceInit /\ [][Event]_traceVars /\ WF_traceVars(Event)

-----------------------------------------------------------------------------
(* The run is a behaviour of Dispatcher.                                    *)
TraceAccepted == <>(at > Len(Trace))

THEOREM TraceSpec => TraceAccepted

Wrong(e) ==
    IF ~ENABLED (Action(e) /\ UNCHANGED at) THEN "the action is not enabled"
    ELSE IF ~RightFrame(e) THEN <<"frame", Subject(e)>>
    ELSE "end"

Judged == at > Len(Trace) \/ ENABLED Event \/ Explain(at, Trace[at], Wrong(Trace[at]))
=============================================================================
