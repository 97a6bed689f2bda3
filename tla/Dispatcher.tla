----------------------------- MODULE Dispatcher -----------------------------
(***************************************************************************)
(* One node's dispatcher: groups are registered and deregistered while     *)
(* frames for them arrive on connections that carry all groups.            *)
(*                                                                         *)
(* A group id names one incarnation after another; a removed incarnation   *)
(* leaves a durable tombstone and never runs again.  One incarnation may   *)
(* be stopped and started, and each start is a life: what was put in the   *)
(* mailbox of one life is not read by the next.                            *)
(*                                                                         *)
(* Routing takes no lock that registration holds: a router looks a group   *)
(* up, and later puts the frame in the mailbox that it found.  In between  *)
(* the group may have been deregistered, and registered again.             *)
(*                                                                         *)
(* Sources: the wire document, sections Dispatch and Connections.          *)
(* Left out: what groups do with frames, answers to clients, the           *)
(* connections of other nodes, activity counters.                          *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, Witness

CONSTANTS Group, Connection,
          MaxIncarnation, MaxLives, MaxFrames, MaxCrashes,
          Capacity            \* of a mailbox

VARIABLES registered,  \* registered[g]: the life of g that runs, or 0
          lives,       \* lives[l]: group and incarnation of each life there was; the last is the latest
          open,        \* the lives whose mailboxes take frames in
          mailbox,     \* mailbox[l]: frames that wait for life l
          tombs,       \* durable: <<group, incarnation>> of what was removed
          data,        \* durable: data[g], the incarnation whose data lie on the disk, or 0
          removing,    \* removing[g]: how far the removal of g has come
          wire,        \* wire[c]: frames under way on connection c, in order
          hand,        \* hand[c]: the frame that c's router holds, and the mailbox that it found
          fate,        \* fate[f]: what became of frame f
          history      \* for the laws and the bounds

vars == <<registered, lives, open, mailbox, tombs, data, removing, wire, hand, fate, history>>
disk == <<tombs, data>>
traffic == <<wire, hand, fate>>

Incarnation == 1 .. MaxIncarnation
Life == 1 .. MaxLives
Empty == [frame |-> 0, life |-> 0]

Frames == 1 .. Len(fate)

Init ==
    /\ registered = [g \in Group |-> 0]
    /\ lives = <<>> /\ open = {}
    /\ mailbox = [l \in Life |-> <<>>]
    /\ tombs = {} /\ data = [g \in Group |-> 0]
    /\ removing = [g \in Group |-> "no"]
    /\ wire = [c \in Connection |-> <<>>]
    /\ hand = [c \in Connection |-> Empty]
    /\ fate = <<>>
    /\ history = [crashes |-> 0, wiped |-> {}]

(* The incarnation of g that a life has.                                    *)
RunsAs(g) == IF registered[g] = 0 THEN 0 ELSE lives[registered[g]].incarnation

-----------------------------------------------------------------------------
(* Registration.  A second life beside the first (AlreadyRegistered) and a  *)
(* tombstoned incarnation are refused: the step is not enabled.             *)

Register(g, i) ==
    /\ registered[g] = 0 /\ removing[g] = "no"
    /\ <<g, i>> \notin tombs
    /\ data[g] \in {0, i}
    /\ Len(lives) < MaxLives
    /\ lives' = Append(lives, [group |-> g, incarnation |-> i])
    /\ registered' = [registered EXCEPT ![g] = Len(lives) + 1]
    /\ open' = open \cup {Len(lives) + 1}
    /\ data' = [data EXCEPT ![g] = i]
    /\ UNCHANGED <<mailbox, tombs, removing, traffic, history>>

Undelivered(l) == {mailbox[l][k].frame : k \in DOMAIN mailbox[l]}

(* After this nothing is delivered to the life: its mailbox is closed, and  *)
(* what waited in it is gone.                                               *)
Close(g) ==
    LET l == registered[g] IN
    /\ registered' = [registered EXCEPT ![g] = 0]
    /\ open' = open \ {l}
    /\ mailbox' = [mailbox EXCEPT ![l] = <<>>]
    /\ fate' = [f \in Frames |-> IF f \in Undelivered(l) THEN [fate[f] EXCEPT !.end = "dropped"] ELSE fate[f]]

(* The group stops; its data stay.                                          *)
Deregister(g) ==
    /\ registered[g] # 0 /\ removing[g] = "no"
    /\ Close(g)
    /\ UNCHANGED <<lives, disk, removing, wire, hand, history>>

(* Removal: the tombstone is durable before anything else happens.          *)
Entomb(g) ==
    /\ registered[g] # 0 /\ removing[g] = "no"
    /\ tombs' = tombs \cup {<<g, RunsAs(g)>>}
    /\ removing' = [removing EXCEPT ![g] = "entombed"]
    /\ UNCHANGED <<registered, lives, open, mailbox, data, traffic, history>>

Leave(g) ==
    /\ registered[g] # 0 /\ removing[g] = "entombed"
    /\ Close(g)
    /\ removing' = [removing EXCEPT ![g] = "left"]
    /\ UNCHANGED <<lives, disk, wire, hand, history>>

Wipe(g) ==
    /\ removing[g] = "left"
    /\ history' = [history EXCEPT !.wiped = @ \cup {<<g, data[g]>>}]
    /\ data' = [data EXCEPT ![g] = 0]
    /\ removing' = [removing EXCEPT ![g] = "no"]
    /\ UNCHANGED <<registered, lives, open, mailbox, tombs, traffic>>

(* A crash ends all lives and connections.  Recovery goes on with the       *)
(* removals whose tombstones it finds, before the port opens.               *)
Crash ==
    /\ history.crashes < MaxCrashes
    /\ registered' = [g \in Group |-> 0]
    /\ open' = {}
    /\ mailbox' = [l \in Life |-> <<>>]
    /\ wire' = [c \in Connection |-> <<>>]
    /\ hand' = [c \in Connection |-> Empty]
    /\ fate' = [f \in Frames |-> IF fate[f].end = "" THEN [fate[f] EXCEPT !.end = "dropped"] ELSE fate[f]]
    /\ removing' = [g \in Group |-> IF data[g] # 0 /\ <<g, data[g]>> \in tombs THEN "left" ELSE "no"]
    /\ history' = [history EXCEPT !.crashes = @ + 1]
    /\ UNCHANGED <<lives, disk>>

-----------------------------------------------------------------------------
(* Frames.                                                                  *)

Send(c, g, i) ==
    /\ Len(fate) < MaxFrames
    /\ fate' = Append(fate, [group |-> g, incarnation |-> i, end |-> "", by |-> 0])
    /\ wire' = [wire EXCEPT ![c] = Append(@, Len(fate) + 1)]
    /\ UNCHANGED <<registered, lives, open, mailbox, disk, removing, hand, history>>

(* The router takes the next frame and looks its group up.                  *)
Lookup(c) ==
    LET f == Head(wire[c])
        g == fate[f].group
    IN
    /\ wire[c] # <<>> /\ hand[c] = Empty
    /\ wire' = [wire EXCEPT ![c] = Tail(@)]
    /\ IF RunsAs(g) = fate[f].incarnation
       THEN /\ hand' = [hand EXCEPT ![c] = [frame |-> f, life |-> registered[g]]]
            /\ UNCHANGED fate
       ELSE /\ fate' = [fate EXCEPT ![f].end = "refused"]
            /\ UNCHANGED hand
    /\ UNCHANGED <<registered, lives, open, mailbox, disk, removing, history>>

(* ... and puts it in the mailbox that it found.  It never waits: a frame   *)
(* for a full mailbox is dropped, one for a closed mailbox refused.         *)
Put(c) ==
    LET f == hand[c].frame
        l == hand[c].life
    IN
    /\ hand[c] # Empty
    /\ hand' = [hand EXCEPT ![c] = Empty]
    /\ IF l \notin open
       THEN fate' = [fate EXCEPT ![f].end = "refused"] /\ UNCHANGED mailbox
       ELSE IF Len(mailbox[l]) >= Capacity
       THEN fate' = [fate EXCEPT ![f].end = "dropped"] /\ UNCHANGED mailbox
       ELSE /\ mailbox' = [mailbox EXCEPT ![l] = Append(@, [frame |-> f, connection |-> c])]
            /\ UNCHANGED fate
    /\ UNCHANGED <<registered, lives, open, disk, removing, wire, history>>

(* The group reads its mailbox.                                             *)
Deliver(l) ==
    /\ mailbox[l] # <<>>
    /\ fate' = [fate EXCEPT ![Head(mailbox[l]).frame] = [@ EXCEPT !.end = "delivered", !.by = l]]
    /\ mailbox' = [mailbox EXCEPT ![l] = Tail(@)]
    /\ UNCHANGED <<registered, lives, open, disk, removing, wire, hand, history>>

Route(c) == Lookup(c) \/ Put(c)

Next ==
    \/ \E g \in Group, i \in Incarnation : Register(g, i)
    \/ \E g \in Group : Deregister(g) \/ Entomb(g) \/ Leave(g) \/ Wipe(g)
    \/ \E c \in Connection : Route(c) \/ \E g \in Group, i \in Incarnation : Send(c, g, i)
    \/ \E l \in Life : Deliver(l)
    \/ Crash

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Group) \cup Permutations(Connection)

-----------------------------------------------------------------------------
TypeOK ==
    /\ \A g \in Group : registered[g] \in 0 .. Len(lives) /\ data[g] \in 0 .. MaxIncarnation
    /\ \A l \in DOMAIN lives : lives[l].group \in Group /\ lives[l].incarnation \in Incarnation
    /\ open \subseteq DOMAIN lives
    /\ \A f \in Frames : fate[f].end \in {"", "delivered", "dropped", "refused"}
    /\ \A g \in Group : removing[g] \in {"no", "entombed", "left"}

(* A frame is given to a life of its own group and incarnation only.        *)
I_D1 ==
    \A f \in Frames : fate[f].end = "delivered" =>
        /\ lives[fate[f].by].group = fate[f].group
        /\ lives[fate[f].by].incarnation = fate[f].incarnation

(* No frame is lost in silence: each is under way, or has one end; and one  *)
(* for an open life is never refused.                                       *)
UnderWay(f) ==
    Cardinality({c \in Connection : \E k \in DOMAIN wire[c] : wire[c][k] = f})
    + Cardinality({c \in Connection : hand[c].frame = f})
    + Cardinality({l \in Life : \E k \in DOMAIN mailbox[l] : mailbox[l][k].frame = f})

I_D2 == \A f \in Frames : UnderWay(f) = IF fate[f].end = "" THEN 1 ELSE 0

I_D2_Registered ==
    [][\A f \in Frames : fate'[f].end = "refused" /\ fate[f].end = "" =>
          \/ RunsAs(fate[f].group) # fate[f].incarnation
          \/ \E c \in Connection : hand[c].frame = f /\ hand[c].life # registered[fate[f].group]]_vars

(* At most one life per group runs, and it is the latest.                   *)
I_D3 ==
    /\ \A l \in open : registered[lives[l].group] = l
    /\ \A g \in Group : registered[g] # 0 => registered[g] \in open /\ lives[registered[g]].group = g

(* Once a life is deregistered, nothing is delivered to it.                 *)
I_D3_Closed == [][\A f \in Frames : fate'[f].by # fate[f].by => fate'[f].by \in open]_vars

(* A full mailbox blocks no other: whoever holds a frame can let it go, and *)
(* whoever holds none can take the next.                                    *)
I_D4 == \A c \in Connection : wire[c] # <<>> \/ hand[c] # Empty => ENABLED Route(c)

Full(g) == registered[g] # 0 /\ Len(mailbox[registered[g]]) >= Capacity

(* A frame that its router holds is dropped for want of room only.          *)
I_D4_Dropped ==
    [][\A c \in Connection :
          hand[c] # Empty /\ hand[c].life \in open /\ history'.crashes = history.crashes
          /\ fate'[hand[c].frame].end = "dropped"
             => Len(mailbox[hand[c].life]) >= Capacity]_vars

Bounded == \A l \in Life : Len(mailbox[l]) <= Capacity

(* What was wiped never runs again: it would have forgotten its votes.      *)
NoSecondLifeAfterWipe == \A g \in Group : <<g, RunsAs(g)>> \notin history.wiped

(* Frames of one connection for one life are delivered in their order.      *)
I_D6 ==
    \A c \in Connection, l \in Life :
        \A j, k \in DOMAIN mailbox[l] :
            j < k /\ mailbox[l][j].connection = c /\ mailbox[l][k].connection = c
                => mailbox[l][j].frame < mailbox[l][k].frame

-----------------------------------------------------------------------------
(* Liveness: groups read their mailboxes and routers route.                 *)
Fairness ==
    /\ \A l \in Life : WF_vars(Deliver(l))
    /\ \A c \in Connection : WF_vars(Route(c))
    /\ \A g \in Group : WF_vars(Leave(g)) /\ WF_vars(Wipe(g))

LiveSpec == Spec /\ Fairness

(* V6: each frame comes to an end, whatever other groups do; and it is      *)
(* served if its group runs on and its mailbox has room.                    *)
EveryFrameEnds == \A f \in 1 .. MaxFrames : (f \in Frames) ~> (f \in Frames /\ fate[f].end # "")
Served ==
    \A f \in 1 .. MaxFrames, l \in Life :
        (f \in Undelivered(l)) ~> (l \notin open \/ (f \in Frames /\ fate[f].by = l))
RemovalEnds == \A g \in Group : (removing[g] = "entombed") ~> (removing[g] = "no")

THEOREM Spec => [](TypeOK /\ I_D1 /\ I_D2 /\ I_D3 /\ I_D4 /\ I_D6 /\ Bounded /\ NoSecondLifeAfterWipe)
THEOREM Spec => I_D2_Registered /\ I_D3_Closed /\ I_D4_Dropped
THEOREM LiveSpec => EveryFrameEnds /\ Served /\ RemovalEnds

Witnesses ==
    /\ Reached(1, "a delivered frame", \E f \in Frames : fate[f].end = "delivered")
    /\ Reached(2, "a frame in hand for a closed life", \E c \in Connection : hand[c] # Empty /\ hand[c].life \notin open)
    /\ Reached(3, "... whose group runs again", \E c \in Connection :
            hand[c] # Empty /\ hand[c].life \notin open /\ registered[lives[hand[c].life].group] # 0)
    /\ Reached(4, "a full mailbox beside one with room", \E g, h \in Group :
            Full(g) /\ registered[h] # 0 /\ ~Full(h) /\ \E c \in Connection : hand[c].life = registered[g])
    /\ Reached(5, "a registration that a tombstone refuses", \E g \in Group, i \in Incarnation :
            registered[g] = 0 /\ removing[g] = "no" /\ data[g] = 0 /\ <<g, i>> \in tombs)
    /\ Reached(6, "a second incarnation", \E g \in Group : RunsAs(g) = 2 /\ <<g, 1>> \in history.wiped)
    /\ Reached(7, "a frame of an older incarnation refused", \E f \in Frames :
            fate[f].end = "refused" /\ RunsAs(fate[f].group) > fate[f].incarnation)
    /\ Reached(8, "a crash between tombstone and wipe", history.crashes > 0 /\ \E g \in Group :
            removing[g] = "left" /\ data[g] # 0)
=============================================================================
