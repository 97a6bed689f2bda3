------------------------------- MODULE Trace -------------------------------
(***************************************************************************)
(* What the three trace specifications share: a recorded run is a sequence *)
(* of events, and a cursor walks through it.                               *)
(*                                                                         *)
(* A run is a module named Run.  It defines Trace, a sequence of records,  *)
(* and what the run began with.  A record has the field `event`, the name  *)
(* of an action; the fields that the action needs; and what was seen       *)
(* afterwards, of which as much or as little is said as was recorded.      *)
(*                                                                         *)
(* Left out: how a run is recorded, and made into a module.                *)
(***************************************************************************)
EXTENDS Naturals, Sequences, TLC

(* Whether what was seen is what the specification has: each field that the *)
(* event names.                                                             *)
Shows(seen, state) == \A f \in DOMAIN seen : seen[f] = state[f]

Field(e, f, otherwise) == IF f \in DOMAIN e THEN e[f] ELSE otherwise

(* Says of an event that cannot be taken which of its conjuncts fails.      *)
(* Always true: TraceAccepted is what is violated.                          *)
Explain(at, e, reason) == PrintT(<<"refused", at, e.event, reason>>)
=============================================================================
