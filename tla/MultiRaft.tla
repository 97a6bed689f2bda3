----------------------------- MODULE MultiRaft -----------------------------
(***************************************************************************)
(* Two groups of Raft on the same nodes, behind one dispatcher: one        *)
(* connection per pair of nodes and direction carries the frames of both.  *)
(*                                                                         *)
(* A group hands its messages to a connection; frames arrive in order, are *)
(* put in the mailbox of the group that they name, or dropped if it is     *)
(* full; the group reads its mailbox.  A connection may break, and loses   *)
(* what it carries.  Each group counts the answers that were delivered to  *)
(* it, and no others.                                                      *)
(*                                                                         *)
(* F2: whatever the other group and the connections do, each group is a    *)
(* group of Raft.  So what is checked of one group holds for each of many, *)
(* and two groups stand for any number: nothing below tells which.         *)
(*                                                                         *)
(* Sources: as Raft; the wire document, sections Dispatch and Connections. *)
(* Left out: registration (Dispatcher), versions (Negotiation), crashes of *)
(* one group alone; no group's disk is shared here (Storage).              *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, Witness

CONSTANTS Node, None, PreVote, MaxBatch,
          MaxTerm, MaxRequests, MaxCrashes, MaxStepDowns, MaxCompactions, MaxReads, MaxPending,
          MaxCarried,   \* frames on all connections and in all mailboxes
          Capacity      \* of a mailbox

VARIABLES nodeA, diskA, messagesA, historyA,
          nodeB, diskB, messagesB, historyB,
          connection,   \* connection[i, j]: frames from i to j, in order
          mailbox,      \* mailbox[n][g]
          delivered     \* delivered[n][g]: the answers that group g at n has read

A == INSTANCE Raft WITH node <- nodeA, disk <- diskA, messages <- messagesA, history <- historyA
B == INSTANCE Raft WITH node <- nodeB, disk <- diskB, messages <- messagesB, history <- historyB

varsA == <<nodeA, diskA, messagesA, historyA>>
varsB == <<nodeB, diskB, messagesB, historyB>>
wires == <<connection, mailbox, delivered>>
vars == <<varsA, varsB, wires>>

Group == {"A", "B"}
Pairs == {pair \in Node \X Node : pair[1] # pair[2]}
Answers == {"PreVoteGranted", "Vote", "Ack", "RoundAnswer"}
Messages(g) == IF g = "A" THEN messagesA ELSE messagesB

Idle ==
    /\ connection = [pair \in Pairs |-> <<>>]
    /\ mailbox = [n \in Node |-> [g \in Group |-> <<>>]]
    /\ delivered = [n \in Node |-> [g \in Group |-> {}]]

Init == A!Init /\ B!Init /\ Idle

(* Each group begins with a leader.                                         *)
InitLed == \E i, j \in Node : A!InitLed(i) /\ B!InitLed(j) /\ Idle

(* One group does something of its own.                                     *)
Step(n) ==
    /\ \/ (A!Act(n, delivered[n]["A"]) \/ A!Sync(n)) /\ UNCHANGED varsB
       \/ (B!Act(n, delivered[n]["B"]) \/ B!Sync(n)) /\ UNCHANGED varsA
    /\ UNCHANGED wires

(* The node crashes, with all its groups, and its connections break.        *)
Crash(n) ==
    /\ A!Crash(n) /\ B!Crash(n)
    /\ connection' = [pair \in Pairs |-> IF n \in {pair[1], pair[2]} THEN <<>> ELSE connection[pair]]
    /\ mailbox' = [mailbox EXCEPT ![n] = [g \in Group |-> <<>>]]
    /\ delivered' = [delivered EXCEPT ![n] = [g \in Group |-> {}]]
    /\ UNCHANGED <<messagesA, messagesB>>

(* Frames on connections and in mailboxes.                                  *)
UnderWay ==
    Cardinality({x \in Pairs \X (1 .. MaxCarried) : x[2] <= Len(connection[x[1]])})
    + Cardinality({x \in Node \X Group \X (1 .. Capacity) : x[3] <= Len(mailbox[x[1]][x[2]])})

(* Whatever a group has sent may be put on a connection, again too, unless  *)
(* it is an answer that the other end has counted.                          *)
Transmit(pair, g, m) ==
    /\ m \in Messages(g) /\ m.from = pair[1]
    /\ m \notin delivered[pair[2]][g]
    /\ UnderWay < MaxCarried
    /\ connection' = [connection EXCEPT ![pair] = Append(@, [group |-> g, message |-> m])]
    /\ UNCHANGED <<varsA, varsB, mailbox, delivered>>

Arrive(pair) ==
    LET frame == Head(connection[pair])
        n == pair[2]
        g == frame.group
    IN
    /\ connection[pair] # <<>>
    /\ connection' = [connection EXCEPT ![pair] = Tail(@)]
    /\ mailbox' = IF Len(mailbox[n][g]) < Capacity
                  THEN [mailbox EXCEPT ![n][g] = Append(@, frame.message)] ELSE mailbox
    /\ UNCHANGED <<varsA, varsB, delivered>>

Break(pair) ==
    /\ connection[pair] # <<>>
    /\ connection' = [connection EXCEPT ![pair] = <<>>]
    /\ UNCHANGED <<varsA, varsB, mailbox, delivered>>

(* A group reads its mailbox: it acts on the message, or makes nothing of   *)
(* it but an answer to count.                                               *)
Deliver(n, g) ==
    LET m == Head(mailbox[n][g]) IN
    /\ mailbox[n][g] # <<>>
    /\ mailbox' = [mailbox EXCEPT ![n][g] = Tail(@)]
    /\ delivered' = IF m.type \in Answers THEN [delivered EXCEPT ![n][g] = @ \cup {m}] ELSE delivered
    /\ UNCHANGED connection
    /\ IF g = "A"
       THEN (A!Handle(n, m) \/ UNCHANGED varsA) /\ UNCHANGED varsB
       ELSE (B!Handle(n, m) \/ UNCHANGED varsB) /\ UNCHANGED varsA

Next ==
    \/ \E n \in Node : Step(n) \/ Crash(n) \/ \E g \in Group : Deliver(n, g)
    \/ \E pair \in Pairs :
          \/ Arrive(pair) \/ Break(pair)
          \/ \E g \in Group : \E m \in Messages(g) : Transmit(pair, g, m)

Spec == Init /\ [][Next]_vars
LedSpec == InitLed /\ [][Next]_vars

Symmetry == Permutations(Node)

-----------------------------------------------------------------------------
TypeOK ==
    /\ A!TypeOK /\ B!TypeOK
    /\ \A n \in Node, g \in Group : Len(mailbox[n][g]) <= Capacity
    /\ UnderWay <= MaxCarried

(* I-D1: what is delivered to a group was sent in it.                       *)
I_D1 == \A n \in Node, g \in Group : delivered[n][g] \subseteq Messages(g)

(* Whether a mailbox is full is nobody else's business.                     *)
I_D4 == \A pair \in Pairs : connection[pair] # <<>> => ENABLED Arrive(pair)

Safety == A!Safety /\ B!Safety

(* F2: each group is a group of Raft, and its laws are Raft's.  That it     *)
(* begins as one, Init and InitLed say.                                     *)
F2_A == [][A!Next]_varsA
F2_B == [][B!Next]_varsB

THEOREM Spec => [](TypeOK /\ I_D1 /\ I_D4 /\ Safety) /\ F2_A /\ F2_B

Witnesses ==
    /\ Reached(1, "both groups commit", historyA.committed # <<>> /\ historyB.committed # <<>>)
    /\ Reached(2, "different leaders", \E i, j \in Node :
            i # j /\ nodeA[i].role = "Leader" /\ nodeB[j].role = "Leader")
    /\ Reached(3, "frames of both groups on one connection", \E pair \in Pairs : \E i, j \in DOMAIN connection[pair] :
            connection[pair][i].group # connection[pair][j].group)
    /\ Reached(4, "a full mailbox beside an empty one", \E n \in Node :
            Len(mailbox[n]["A"]) = Capacity /\ mailbox[n]["B"] = <<>>)
=============================================================================
