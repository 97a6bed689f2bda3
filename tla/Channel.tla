------------------------------ MODULE Channel ------------------------------
(***************************************************************************)
(* What a connection between two nodes promises to those above it: typed   *)
(* messages, in order, each at most once, until it breaks.                 *)
(*                                                                         *)
(* Each connection is a channel of its own.  It is opened, or refused;     *)
(* what is received is a prefix of what was sent on that same connection,  *)
(* message for message and group for group.  What is sent and not received *)
(* when it breaks is lost.  Nothing passes from one connection to another. *)
(*                                                                         *)
(* Source: what Raft asks of a network, Raft paper, section 2 and 5, and   *)
(* more than that: order within a connection.                              *)
(* Left out: how the two agree on a version.  That is Negotiation.         *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS Connections

VARIABLES sent,      \* sent[c]: messages given to c, in order
          received,  \* received[c]: those that came out
          status     \* status[c]: "closed", "opening", "open", "over"

vars == <<sent, received, status>>

IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

Init ==
    /\ sent = [c \in Connections |-> <<>>]
    /\ received = [c \in Connections |-> <<>>]
    /\ status = [c \in Connections |-> "closed"]

Only(c, f, g) == \A d \in Connections : d # c => f[d] = g[d]

Rank(s) == CASE s = "closed" -> 0 [] s = "opening" -> 1 [] s = "open" -> 2 [] s = "over" -> 3

(* A connection passes through its states in order, and may skip some.      *)
Progress(c) ==
    /\ Rank(status'[c]) > Rank(status[c])
    /\ Only(c, status, status')
    /\ UNCHANGED <<sent, received>>

Send(c) ==
    /\ status[c] = "open"
    /\ Len(sent'[c]) = Len(sent[c]) + 1 /\ IsPrefix(sent[c], sent'[c])
    /\ Only(c, sent, sent')
    /\ UNCHANGED <<received, status>>

Receive(c) ==
    /\ Len(received'[c]) = Len(received[c]) + 1 /\ IsPrefix(received[c], received'[c])
    /\ IsPrefix(received'[c], sent[c])
    /\ Only(c, received, received')
    /\ UNCHANGED <<sent, status>>

Next == \E c \in Connections : Progress(c) \/ Send(c) \/ Receive(c)

Spec == Init /\ [][Next]_vars
=============================================================================
