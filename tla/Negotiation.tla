---------------------------- MODULE Negotiation ----------------------------
(***************************************************************************)
(* Two nodes agree on the header version of a connection, byte by byte.    *)
(*                                                                         *)
(* A dialer calls an acceptor, one connection after the other.  It opens   *)
(* with an offer in a version 0 frame that every peer can answer, and says *)
(* nothing more before the answer; or, under the policy `legacy` and as    *)
(* NuRaft does, with a version 0 frame that offers nothing.  From then on  *)
(* each end reads the other's bytes by the version that it believes in.    *)
(* Between two connections either process may be replaced by another       *)
(* release or policy.  A connection may break at any byte, and its ends    *)
(* notice at different times: the dialer may be on its next connection     *)
(* while the acceptor still reads from the last.                           *)
(*                                                                         *)
(* A frame is a row of cells; a version 0 header is longer than one of     *)
(* version 1, so that a reader with the wrong version cuts the stream in   *)
(* the wrong places.  Cells arrive one by one; a reader acts once it has   *)
(* as many as its version says.                                            *)
(*                                                                         *)
(* Sources: the wire document, sections Frames, Negotiation, Connections.  *)
(* Left out: identities (cluster, node, store), checksums, TLS, the order  *)
(* of version 0's answers, clients.  An answer without a hello carries no  *)
(* nonce, so a stale one is not modelled: TCP has to exclude it.           *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, Witness

CONSTANTS None,
          DialerKinds, AcceptorKinds,   \* the releases and policies that there are
          MaxConnections, MaxFrames, MaxChanges, MaxReplays

VARIABLES kind,       \* kind["dialer"], kind["acceptor"]: what runs there now
          dialer,     \* dialer[c]: "none", "offered", the version that it speaks, "over"
          acceptor,   \* acceptor[c]: "none", "waiting", the version, "over"
          up, down,   \* up[c]: cells from dialer to acceptor; down[c]: back
          broken,     \* the connections that deliver nothing more
          sent,       \* sent[c]: messages that the dialer's layers above gave it
          received,   \* received[c]: what the acceptor gave to those above it
          history

vars == <<kind, dialer, acceptor, up, down, broken, sent, received, history>>

Connections == 1 .. MaxConnections
Versions == 0 .. 2
Refused == 9
Groups == {0, 1}

(* The versions that a node agrees to.  `next` is a later release that has  *)
(* given version 1 up; NuRaft, and a node under `legacy`, know one.         *)
Agrees(k) ==
    CASE k \in {"nuraft", "legacy"} -> {0}
      [] k = "auto1" -> 0 .. 1
      [] k = "auto2" -> 0 .. 2
      [] k = "extended1" -> 1 .. 1
      [] k = "extended2" -> 1 .. 2
      [] k = "next" -> 2 .. 2

Offers(k) == k \notin {"nuraft", "legacy"}

Highest(set) == CHOOSE v \in set : \A w \in set : w <= v

(* Cells of a header, by version; a hello is one more.                      *)
Header(version) == IF version = 0 THEN 3 ELSE 2
Cells(f) == [k \in 1 .. Header(f.version) + f.hello |-> [frame |-> f, at |-> k]]

(* Every frame knows its connection; no reader looks at that, but the laws. *)
Offer(c) ==
    [version |-> 0, hello |-> 1, type |-> "offer", versions |-> Agrees(kind["dialer"]), nonce |-> c, of |-> c]
Ping(c) == [version |-> 0, hello |-> 0, type |-> "ping", of |-> c]
Plain(c) == [version |-> 0, hello |-> 0, type |-> "plain", of |-> c]
Agreement(c, v, nonce) == [version |-> 0, hello |-> 1, type |-> "agreement", chosen |-> v, nonce |-> nonce, of |-> c]
Refusal(c) == [version |-> 0, hello |-> 1, type |-> "refusal", of |-> c]
Data(c, v, group, id) == [version |-> v, hello |-> 0, type |-> "data", group |-> group, id |-> id, of |-> c]

(* A stream: the cells that the reader has not consumed, and how many of    *)
(* them have arrived.                                                       *)
Nothing == [cells |-> <<>>, arrived |-> 0]
With(s, f) == [s EXCEPT !.cells = @ \o Cells(f)]
Consume(s, n) == [cells |-> SubSeq(s.cells, n + 1, Len(s.cells)), arrived |-> s.arrived - n]

(* What a reader of this version finds at the head of a stream: the marker  *)
(* is in the first cell, whether there is a hello in the header.            *)
Complete(s, version) ==
    /\ s.arrived >= 1
    /\ s.arrived >= Header(version) + (IF s.cells[1].frame.version = version THEN s.cells[1].frame.hello ELSE 0)
First(s) == s.cells[1].frame
Length(f) == Header(f.version) + f.hello

Init ==
    /\ kind \in {[dialer |-> d, acceptor |-> a] : d \in DialerKinds, a \in AcceptorKinds}
    /\ dialer = [c \in Connections |-> "none"]
    /\ acceptor = [c \in Connections |-> "none"]
    /\ up = [c \in Connections |-> Nothing]
    /\ down = [c \in Connections |-> Nothing]
    /\ broken = {}
    /\ sent = [c \in Connections |-> <<>>]
    /\ received = [c \in Connections |-> <<>>]
    /\ history = [changes |-> 0, replays |-> 0, answers |-> {},
                  agreed |-> [c \in Connections |-> None], decided |-> [c \in Connections |-> 0]]

(* The state of an end that speaks a version.                               *)
Speaking(v) == <<"v0", "v1", "v2">>[v + 1]
Speaks(state) == state \in {"v0", "v1", "v2"}
VersionOf(state) == CASE state = "v0" -> 0 [] state = "v1" -> 1 [] state = "v2" -> 2

-----------------------------------------------------------------------------
(* Both ends, and what is between them.                                     *)

(* An end is done: it reads nothing more, and what it wrote may still       *)
(* arrive.                                                                  *)
DialerEnds(c) ==
    /\ dialer' = [dialer EXCEPT ![c] = "over"]
    /\ down' = [down EXCEPT ![c] = Nothing]

AcceptorEnds(c) ==
    /\ acceptor' = [acceptor EXCEPT ![c] = "over"]
    /\ up' = [up EXCEPT ![c] = Nothing]

Arrive(c) ==
    /\ \/ /\ up[c].arrived < Len(up[c].cells)
          /\ up' = [up EXCEPT ![c].arrived = @ + 1]
          /\ UNCHANGED down
       \/ /\ down[c].arrived < Len(down[c].cells)
          /\ down' = [down EXCEPT ![c].arrived = @ + 1]
          /\ UNCHANGED up
    /\ UNCHANGED <<kind, dialer, acceptor, broken, sent, received, history>>

Cut(s) == [s EXCEPT !.cells = SubSeq(@, 1, s.arrived)]

(* The connection breaks, at any byte: what has not arrived is lost.        *)
Break(c) ==
    /\ c \notin broken /\ dialer[c] # "none"
    /\ broken' = broken \cup {c}
    /\ up' = [up EXCEPT ![c] = Cut(@)]
    /\ down' = [down EXCEPT ![c] = Cut(@)]
    /\ UNCHANGED <<kind, dialer, acceptor, sent, received, history>>

(* An end notices that nothing more will come.                              *)
DialerNotices(c) ==
    /\ dialer[c] \notin {"none", "over"}
    /\ c \in broken \/ acceptor[c] = "over"
    /\ down[c].arrived = Len(down[c].cells)
    /\ DialerEnds(c)
    /\ UNCHANGED <<kind, acceptor, up, broken, sent, received, history>>

AcceptorNotices(c) ==
    /\ acceptor[c] \notin {"none", "over"}
    /\ c \in broken \/ dialer[c] = "over"
    /\ up[c].arrived = Len(up[c].cells)
    /\ AcceptorEnds(c)
    /\ UNCHANGED <<kind, dialer, down, broken, sent, received, history>>

(* A process is replaced by another release or policy; its ends are over.   *)
Change(end, k) ==
    /\ history.changes < MaxChanges
    /\ k # kind[end]
    /\ kind' = [kind EXCEPT ![end] = k]
    /\ IF end = "dialer"
       THEN /\ dialer' = [c \in Connections |-> IF dialer[c] = "none" THEN "none" ELSE "over"]
            /\ down' = [c \in Connections |-> Nothing]
            /\ UNCHANGED <<acceptor, up>>
       ELSE /\ acceptor' = [c \in Connections |-> IF acceptor[c] = "none" THEN "none" ELSE "over"]
            /\ up' = [c \in Connections |-> IF acceptor[c] = "none" THEN up[c] ELSE Nothing]
            /\ UNCHANGED <<dialer, down>>
    /\ history' = [history EXCEPT !.changes = @ + 1]
    /\ UNCHANGED <<broken, sent, received>>

(* An agreement of an earlier connection shows up on this one, first.       *)
Replay(c, f) ==
    /\ history.replays < MaxReplays
    /\ dialer[c] = "offered" /\ down[c].arrived = 0 /\ c \notin broken
    /\ f \in history.answers /\ f.of # c
    /\ down' = [down EXCEPT ![c].cells = Cells(f) \o @]
    /\ history' = [history EXCEPT !.replays = @ + 1]
    /\ UNCHANGED <<kind, dialer, acceptor, up, broken, sent, received>>

-----------------------------------------------------------------------------
(* The dialer.                                                              *)

(* A connection begins unnegotiated, whatever the last one was.             *)
Dial(c) ==
    /\ dialer[c] = "none"
    /\ \A b \in 1 .. c - 1 : dialer[b] = "over"
    /\ IF Offers(kind["dialer"])
       THEN /\ dialer' = [dialer EXCEPT ![c] = "offered"]
            /\ up' = [up EXCEPT ![c] = With(@, Offer(c))]
            /\ UNCHANGED history
       ELSE /\ dialer' = [dialer EXCEPT ![c] = "v0"]
            /\ up' = [up EXCEPT ![c] = With(@, Ping(c))]
            /\ history' = [history EXCEPT !.decided[c] = c]
    /\ acceptor' = [acceptor EXCEPT ![c] = "waiting"]
    /\ UNCHANGED <<kind, down, broken, sent, received>>

(* An answer without a hello: the peer speaks version 0 and nothing else.   *)
(* An agreement counts if it answers this offer and names a version that    *)
(* was offered.                                                             *)
ReadAnswer(c) ==
    LET f == First(down[c])
        speaks == CASE f.type = "plain" /\ 0 \in Agrees(kind["dialer"]) -> {0}
                    [] f.type = "agreement" /\ f.nonce = c /\ f.chosen \in Agrees(kind["dialer"]) -> {f.chosen}
                    [] OTHER -> {}
    IN
    /\ dialer[c] = "offered" /\ Complete(down[c], 0)
    /\ IF speaks = {}
       THEN DialerEnds(c) /\ UNCHANGED history
       ELSE /\ dialer' = [dialer EXCEPT ![c] = Speaking(Highest(speaks))]
            /\ down' = [down EXCEPT ![c] = Consume(@, Length(f))]
            /\ history' = [history EXCEPT !.decided[c] = f.of]
    /\ UNCHANGED <<kind, acceptor, up, broken, sent, received>>

(* Version 0 has no group: a message of another group than 0 is refused     *)
(* here, and never written.                                                 *)
Send(c, group) ==
    LET v == VersionOf(dialer[c])
        id == Len(sent[c]) + 1
    IN
    /\ Speaks(dialer[c]) /\ c \notin broken /\ acceptor[c] # "over"
    /\ Len(sent[c]) < MaxFrames
    /\ v = 0 => group = 0
    /\ sent' = [sent EXCEPT ![c] = Append(@, [group |-> group, id |-> id])]
    /\ up' = [up EXCEPT ![c] = With(@, Data(c, v, group, id))]
    /\ UNCHANGED <<kind, dialer, acceptor, down, broken, received, history>>

-----------------------------------------------------------------------------
(* The acceptor.                                                            *)

Agree(c, v) ==
    /\ acceptor' = [acceptor EXCEPT ![c] = Speaking(v)]
    /\ up' = [up EXCEPT ![c] = Consume(@, Length(First(up[c])))]

Answer(c, f) == down' = [down EXCEPT ![c] = IF c \in broken \/ dialer[c] = "over" THEN @ ELSE With(@, f)]

(* A node under `legacy` answers as NuRaft would; but it has read which     *)
(* versions were offered, and does not wait for who does not speak its own. *)
Declines(k, f) == k = "legacy" /\ Agrees(k) \cap f.versions = {}

(* The first frame decides.  Who neither offers nor answers offers treats   *)
(* one as any other ping.                                                   *)
ReadFirst(c) ==
    LET f == First(up[c])
        k == kind["acceptor"]
        common == f.versions \cap Agrees(k)
        agreement == Agreement(c, Highest(common), f.nonce)
    IN
    /\ acceptor[c] = "waiting" /\ Complete(up[c], 0)
    /\ CASE f.version # 0 -> AcceptorEnds(c) /\ UNCHANGED <<down, history>>
         [] f.version = 0 /\ f.type = "offer" /\ Offers(k) /\ common # {} ->
              /\ Agree(c, agreement.chosen)
              /\ Answer(c, agreement)
              /\ history' = [history EXCEPT !.answers = IF MaxReplays > 0 THEN @ \cup {agreement} ELSE @,
                        !.agreed[c] = [offered |-> f.versions, own |-> Agrees(k), chosen |-> agreement.chosen]]
         [] f.version = 0 /\ f.type = "offer" /\ Offers(k) /\ common = {} ->
              /\ AcceptorEnds(c) /\ Answer(c, Refusal(c))
              /\ history' = [history EXCEPT !.agreed[c] =
                        [offered |-> f.versions, own |-> Agrees(k), chosen |-> Refused]]
         [] f.version = 0 /\ f.type = "offer" /\ ~Offers(k) /\ ~Declines(k, f) ->
              Agree(c, 0) /\ Answer(c, Plain(c)) /\ UNCHANGED history
         [] f.version = 0 /\ f.type = "offer" /\ Declines(k, f) ->
              AcceptorEnds(c) /\ Answer(c, Plain(c)) /\ UNCHANGED history
         [] f.version = 0 /\ f.type # "offer" /\ 0 \in Agrees(k) ->
              Agree(c, 0) /\ UNCHANGED <<down, history>>
         [] f.version = 0 /\ f.type # "offer" /\ 0 \notin Agrees(k) ->
              AcceptorEnds(c) /\ UNCHANGED <<down, history>>
    /\ UNCHANGED <<kind, dialer, broken, sent, received>>

(* A frame whose marker is of another version ends the connection.  One of  *)
(* version 0 is for group 0, since it names none.                           *)
ReadData(c) ==
    LET v == VersionOf(acceptor[c])
        f == First(up[c])
    IN
    /\ Speaks(acceptor[c]) /\ Complete(up[c], v)
    /\ IF f.version # v \/ f.type # "data"
       THEN AcceptorEnds(c) /\ UNCHANGED received
       ELSE /\ received' = [received EXCEPT ![c] =
                    Append(@, [group |-> IF v = 0 THEN 0 ELSE f.group, id |-> f.id])]
            /\ up' = [up EXCEPT ![c] = Consume(@, Length(f))]
            /\ UNCHANGED acceptor
    /\ UNCHANGED <<kind, dialer, down, broken, sent, history>>

Next ==
    \/ \E c \in Connections :
          \/ Arrive(c) \/ Break(c) \/ DialerNotices(c) \/ AcceptorNotices(c)
          \/ Dial(c) \/ ReadAnswer(c) \/ ReadFirst(c) \/ ReadData(c)
          \/ \E g \in Groups : Send(c, g)
          \/ \E f \in history.answers : Replay(c, f)
    \/ \E k \in DialerKinds : Change("dialer", k)
    \/ \E k \in AcceptorKinds : Change("acceptor", k)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
DialerStates == {"none", "offered", "v0", "v1", "v2", "over"}
AcceptorStates == {"none", "waiting", "v0", "v1", "v2", "over"}

TypeOK ==
    /\ kind["dialer"] \in DialerKinds /\ kind["acceptor"] \in AcceptorKinds
    /\ \A c \in Connections :
          /\ dialer[c] \in DialerStates /\ acceptor[c] \in AcceptorStates
          /\ \A s \in {up[c], down[c]} : s.arrived \in 0 .. Len(s.cells)
          /\ \A m \in {sent[c], received[c]} : Len(m) <= MaxFrames

(* I-W1, Agreement: both ends of a connection speak one version.            *)
I_W1 == \A c \in Connections : Speaks(dialer[c]) /\ Speaks(acceptor[c]) => dialer[c] = acceptor[c]

(* I-W2: the version is the highest in common; none in common is refused.   *)
I_W2 ==
    \A c \in Connections :
        LET agreed == history.agreed[c] IN
        agreed # None =>
            LET common == agreed.offered \cap agreed.own IN
            agreed.chosen = IF common = {} THEN Refused ELSE Highest(common)

(* I-W3: what comes out for a group was put in for it, and no end speaks a  *)
(* version that its policy excludes.                                        *)
I_W3 ==
    \A c \in Connections :
        /\ \A i \in DOMAIN received[c] :
              i <= Len(sent[c]) /\ received[c][i].group = sent[c][i].group
        /\ Speaks(dialer[c]) => VersionOf(dialer[c]) \in Agrees(kind["dialer"])
        /\ Speaks(acceptor[c]) => VersionOf(acceptor[c]) \in Agrees(kind["acceptor"])

(* I-W4: a reader always stands at the first cell of a frame, and that      *)
(* frame is of its own version.                                             *)
I_W4 ==
    \A c \in Connections :
        /\ up[c].arrived > 0 => up[c].cells[1].at = 1
        /\ down[c].arrived > 0 => down[c].cells[1].at = 1
        /\ up[c].arrived > 0 /\ Speaks(acceptor[c]) => First(up[c]).version = VersionOf(acceptor[c])

(* Nothing of one connection is read on another, and no answer to an        *)
(* earlier offer decides.                                                   *)
OwnConnection ==
    \A c \in Connections :
        /\ Speaks(dialer[c]) => history.decided[c] = c
        /\ \A k \in DOMAIN up[c].cells : up[c].cells[k].frame.of = c
        /\ acceptor[c] = "waiting" => received[c] = <<>>

(* F3.                                                                      *)
Seen(state) ==
    CASE state = "none" -> "closed" [] state = "offered" -> "opening"
      [] Speaks(state) -> "open" [] state = "over" -> "over"

Typed == INSTANCE Channel WITH status <- [c \in Connections |-> Seen(dialer[c])]

F3 == Typed!Spec

-----------------------------------------------------------------------------
(* V5, under fairness of the network and both ends: every negotiation ends. *)
Fairness ==
    \A c \in Connections :
        /\ WF_vars(Arrive(c)) /\ WF_vars(ReadAnswer(c)) /\ WF_vars(ReadFirst(c)) /\ WF_vars(ReadData(c))
        /\ WF_vars(DialerNotices(c)) /\ WF_vars(AcceptorNotices(c))

LiveSpec == Spec /\ Fairness

V5 ==
    \A c \in Connections :
        /\ (dialer[c] = "offered") ~> (Speaks(dialer[c]) \/ dialer[c] = "over")
        /\ (acceptor[c] = "waiting") ~> (Speaks(acceptor[c]) \/ acceptor[c] = "over")

(* ... and what was sent arrives, unless the connection ends.               *)
Arrives ==
    \A c \in Connections, i \in 1 .. MaxFrames :
        (Len(sent[c]) >= i) ~> (Len(received[c]) >= i \/ dialer[c] = "over" \/ acceptor[c] = "over")

THEOREM Spec => [](TypeOK /\ I_W1 /\ I_W2 /\ I_W3 /\ I_W4 /\ OwnConnection) /\ F3
THEOREM LiveSpec => V5 /\ Arrives

Witnesses ==
    /\ Reached(1, "version 0 by fall-back", \E c \in Connections :
            dialer[c] = "v0" /\ Offers(kind["dialer"]) /\ ~Offers(kind["acceptor"]))
    /\ Reached(2, "version 1 between unequal releases", \E c \in Connections :
            dialer[c] = "v1" /\ kind["dialer"] # kind["acceptor"])
    /\ Reached(3, "version 2", \E c \in Connections : dialer[c] = "v2" /\ Len(received[c]) > 0)
    /\ Reached(4, "no version in common", \E c \in Connections : history.agreed[c] # None /\ history.agreed[c].chosen = Refused)
    /\ Reached(5, "a refused downgrade", \E c \in Connections :
            kind["dialer"] = "extended1" /\ dialer[c] = "over" /\ acceptor[c] = "v0")
    /\ Reached(6, "a message of another group than 0", \E c \in Connections :
            \E i \in DOMAIN received[c] : received[c][i].group # 0)
    /\ Reached(7, "another version on the next connection", \E c \in Connections :
            c > 1 /\ Speaks(dialer[c]) /\ history.agreed[c - 1] # None /\ history.agreed[c - 1].chosen # VersionOf(dialer[c]))
    /\ Reached(8, "reading from the last connection while the next negotiates", \E c \in Connections :
            c > 1 /\ dialer[c] = "offered" /\ Speaks(acceptor[c - 1]) /\ up[c - 1].arrived > 0)
    /\ Reached(9, "a stale answer", \E c \in Connections : dialer[c] = "offered" /\ down[c].arrived > 0
            /\ First(down[c]).of # c)
    /\ Reached(10, "a frame cut in two", \E c \in broken : up[c].arrived > 0
            /\ up[c].arrived < Length(First(up[c])))
=============================================================================
