-------------------------- MODULE TraceNegotiation --------------------------
(***************************************************************************)
(* What two nodes recorded of their connections is a behaviour of          *)
(* Negotiation.                                                            *)
(*                                                                         *)
(* Events are its actions, each of one `connection`: Dial, ReadAnswer,     *)
(* Send (of a `group`), ReadFirst, ReadData, Break, DialerNotices,         *)
(* AcceptorNotices; and Change of one `end` to another `kind` of release   *)
(* and policy.  `state` is what the end that acts then speaks or does:     *)
(* "offered", "waiting", "v0" and so on, "over".  `message` is what        *)
(* ReadData gave to the layers above.                                      *)
(*                                                                         *)
(* Nobody records when a byte arrives.  So before an end reads, as many    *)
(* cells arrive as it needs: steps of Negotiation that are no events.      *)
(*                                                                         *)
(* A run begins with RunDialer and RunAcceptor, the kinds of the ends, and *)
(* no connection.                                                          *)
(*                                                                         *)
(* Sources: those of Negotiation.                                          *)
(* Left out: bytes that arrive and are read by nobody.                     *)
(***************************************************************************)
EXTENDS Negotiation, Run, Trace

VARIABLES at  \* the next event

traceVars == <<vars, at>>

Action(e) ==
    LET c == Field(e, "connection", 0) IN
    CASE e.event = "Dial" -> Dial(c)
      [] e.event = "ReadAnswer" -> ReadAnswer(c)
      [] e.event = "Send" -> Send(c, e.group)
      [] e.event = "ReadFirst" -> ReadFirst(c)
      [] e.event = "ReadData" -> ReadData(c)
      [] e.event = "Break" -> Break(c)
      [] e.event = "DialerNotices" -> DialerNotices(c)
      [] e.event = "AcceptorNotices" -> AcceptorNotices(c)
      [] e.event = "Change" -> Change(e.end, e.kind)

(* Whether the end that reads has less than a frame.                        *)
Needs(e) ==
    LET c == Field(e, "connection", 0) IN
    CASE e.event = "ReadAnswer" -> dialer[c] = "offered" /\ ~Complete(down[c], 0)
      [] e.event = "ReadFirst" -> acceptor[c] = "waiting" /\ ~Complete(up[c], 0)
      [] e.event = "ReadData" -> Speaks(acceptor[c]) /\ ~Complete(up[c], VersionOf(acceptor[c]))
      [] OTHER -> FALSE

Hidden(e) ==
    /\ Needs(e)
    /\ Arrive(e.connection)
    /\ IF e.event = "ReadAnswer" THEN up' = up ELSE down' = down

StateOf(e, d, a) ==
    IF e.event \in {"Dial", "ReadAnswer", "Send", "DialerNotices"} THEN d[e.connection] ELSE a[e.connection]

RightState(e) == "state" \in DOMAIN e => StateOf(e, dialer', acceptor') = e.state
RightMessage(e) ==
    "message" \in DOMAIN e =>
        /\ received'[e.connection] # received[e.connection]
        /\ Shows(e.message, received'[e.connection][Len(received'[e.connection])])

Event ==
    /\ at <= Len(Trace)
    /\ LET e == Trace[at] IN
       \/ Hidden(e) /\ at' = at
       \/ Action(e) /\ RightState(e) /\ RightMessage(e) /\ at' = at + 1

TraceInit == Init /\ kind = [dialer |-> RunDialer, acceptor |-> RunAcceptor] /\ at = 1
TraceSpec == TraceInit /\ [][Event]_traceVars /\ WF_traceVars(Event)

-----------------------------------------------------------------------------
(* The run is a behaviour of Negotiation.                                   *)
TraceAccepted == <>(at > Len(Trace))

THEOREM TraceSpec => TraceAccepted

Wrong(e) ==
    IF ~ENABLED (Action(e) /\ UNCHANGED at) THEN "the action is not enabled"
    ELSE IF ~ENABLED (Action(e) /\ RightState(e) /\ UNCHANGED at) THEN "state"
    ELSE "message"

Judged == at > Len(Trace) \/ ENABLED Event \/ Explain(at, Trace[at], Wrong(Trace[at]))
=============================================================================
