------------------------------- MODULE Raft -------------------------------
(***************************************************************************)
(* One group of Raft: election with pre-vote, replication over a disk that *)
(* becomes durable later, crash and restart, snapshots and compaction,     *)
(* reads by ReadIndex.                                                     *)
(*                                                                         *)
(* Sources: Ongaro and Ousterhout 2014 (extended), figures 2 and 3,        *)
(* sections 5 and 7; Ongaro's dissertation, sections 3.8 (what must be     *)
(* durable before which message), 6.4 (reads), 9.6 (pre-vote), 10.2.1 (the *)
(* leader writes and sends in parallel).                                   *)
(*                                                                         *)
(* The disk.  A change of the persistent state is a write, queued behind   *)
(* those before it.  Sync makes the oldest durable; a crash loses all      *)
(* others, so between Sync and crash any suffix may be lost.  A message    *)
(* that promises something about the disk waits for the write that it      *)
(* rests on, also if that write was made for another message.              *)
(*                                                                         *)
(* The network may lose, repeat and reorder.  So `messages` holds all that *)
(* was ever sent, and anything in it may be received, now or never.  Three *)
(* things follow, and keep the state space small:                          *)
(*   - Requests have no addressee.  Whoever may hear one may have been     *)
(*     sent one.                                                           *)
(*   - AppendEntries needs nothing but a leader, so a leader sends all     *)
(*     that it could send at once; what is not received was not sent.      *)
(*   - Answers are counted where they are; receiving one is no step.       *)
(*     Hence there are no nextIndex and matchIndex.  A refusal promises    *)
(*     nothing, so none is sent; what it would tell, a later term, is      *)
(*     LearnTerm and LearnTermOf.                                          *)
(*                                                                         *)
(* Left out: membership changes (all quorums come from `Members`, which    *)
(* then becomes a function of a log), leadership transfer, leases, clocks, *)
(* client sessions; a snapshot in pieces.                                  *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, Witness

CONSTANTS Node, None,
          PreVote,             \* whether a campaign begins with a pre-vote
          MaxBatch,            \* entries of one message
          MaxTerm, MaxRequests, MaxCrashes, MaxStepDowns, MaxCompactions, MaxReads, MaxPending

VARIABLES node,      \* node[n]: what n knows, in memory
          disk,      \* disk[n]: what is durable, and the writes under way
          messages,  \* all that was ever sent
          history    \* what no member knows, for the laws and the bounds

vars == <<node, disk, messages, history>>

Min(a, b) == IF a < b THEN a ELSE b
Max(a, b) == IF a > b THEN a ELSE b
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

-----------------------------------------------------------------------------
(* Logs.  An entry is a term and a value; 0 is the empty entry with which a *)
(* leader opens its term, others are requests.  A log is whole: its first   *)
(* `base` entries stand for the snapshot that was made of them, and are not *)
(* used as entries any more.                                                *)

TermAt(log, i) == IF i = 0 THEN 0 ELSE log[i].term
LastTerm(log) == TermAt(log, Len(log))

(* Raft paper, section 5.4.1.                                               *)
UpToDate(lastTerm, lastIndex, log) ==
    \/ lastTerm > LastTerm(log)
    \/ lastTerm = LastTerm(log) /\ lastIndex >= Len(log)

Agree(log, other, i) ==
    Len(log) >= i /\ Len(other) >= i /\ SubSeq(log, 1, i) = SubSeq(other, 1, i)

Members == Node
IsQuorum(Q) == 2 * Cardinality(Q) > Cardinality(Members)

-----------------------------------------------------------------------------
(* The disk.                                                                *)

Image(s) == [term |-> s.term, vote |-> s.vote, log |-> s.log, base |-> s.base]

Pending(n) == disk[n].pending

(* The state of the disk when all that is under way has arrived.            *)
LastImage(n) ==
    IF Pending(n) = <<>> THEN disk[n].stable ELSE Pending(n)[Len(Pending(n))].image

(* Through which index n's own log is durable: neither the disk nor a write *)
(* under way has anything else there.                                       *)
Durable(n) ==
    LET agrees(i) ==
            /\ Agree(disk[n].stable.log, node[n].log, i)
            /\ \A k \in DOMAIN Pending(n) : Agree(Pending(n)[k].image.log, node[n].log, i)
    IN  CHOOSE i \in 0 .. Len(node[n].log) :
            agrees(i) /\ \A j \in i + 1 .. Len(node[n].log) : ~agrees(j)

(* What was sent grows.  Of one member's acknowledgements in a term only    *)
(* the highest is kept: whoever counts asks for "at least".                 *)
Sent(old, new) ==
    LET all == old \cup new
        acks == {m \in all : m.type = "Ack"}
    IN  IF \E m \in new : m.type = "Ack"
        THEN {m \in all : m.type = "Ack" =>
                 ~\E a \in acks : /\ a.term = m.term /\ a.from = m.from /\ a.to = m.to
                                  /\ a.match > m.match}
        ELSE all

(* n's state becomes s.  `free` may leave at once; `gated` waits for the    *)
(* disk to hold everything that n has written by now.  A node whose queue   *)
(* of writes is full waits.                                                 *)
Become(n, s, gated, free) ==
    /\ node' = [node EXCEPT ![n] = s]
    /\ IF Image(s) # LastImage(n)
       THEN /\ Len(Pending(n)) < MaxPending
            /\ disk' = [disk EXCEPT ![n].pending = Append(@, [image |-> Image(s), gated |-> gated])]
            /\ messages' = messages \cup free
       ELSE IF Pending(n) # <<>>
       THEN /\ disk' = [disk EXCEPT ![n].pending[Len(Pending(n))].gated = @ \cup gated]
            /\ messages' = messages \cup free
       ELSE /\ disk' = disk
            /\ messages' = Sent(messages, free \cup gated)

(* The oldest write becomes durable, and what waited for it leaves.         *)
Sync(n) ==
    /\ Pending(n) # <<>>
    /\ disk' = [disk EXCEPT ![n] = [stable |-> Head(@.pending).image, pending |-> Tail(@.pending)]]
    /\ messages' = Sent(messages, Head(Pending(n)).gated)
    /\ UNCHANGED <<node, history>>

-----------------------------------------------------------------------------
(* Roles.                                                                   *)

Fresh(image, commit) ==
    [term |-> image.term, vote |-> image.vote, log |-> image.log, base |-> image.base,
     role |-> "Follower", commit |-> commit, heard |-> FALSE, read |-> None]

(* What n is once it has seen a message of this term, not an earlier one.   *)
(* The vote of a term is kept when a candidate or leader steps down in it.  *)
InTerm(s, term) ==
    IF term > s.term
    THEN [s EXCEPT !.term = term, !.vote = None, !.role = "Follower", !.heard = FALSE, !.read = None]
    ELSE s

Following(s, term) ==
    [InTerm(s, term) EXCEPT !.role = "Follower", !.heard = PreVote, !.read = None]

(* A crash: what was not durable is gone.  The commit index is not stored;  *)
(* a node knows what its snapshot covers, or as much of what it had         *)
(* committed as its state machine has stored.                               *)
Restart(n, commit) ==
    /\ commit \in disk[n].stable.base .. node[n].commit
    /\ Agree(disk[n].stable.log, node[n].log, commit)
    /\ node' = [node EXCEPT ![n] = Fresh(disk[n].stable, commit)]
    /\ disk' = [disk EXCEPT ![n].pending = <<>>]
    /\ history' = [history EXCEPT !.crashes = @ + 1]
    /\ UNCHANGED messages

(* Any message tells its term, but for a pre-vote and its grant: they name  *)
(* one that nobody may be in.                                               *)
InLaterTerm(n, term) ==
    /\ term > node[n].term
    /\ Become(n, InTerm(node[n], term), {}, {})
    /\ UNCHANGED history

LearnTerm(n, m) == m.type \notin {"PreVote", "PreVoteGranted"} /\ InLaterTerm(n, m.term)

(* Whoever refuses a pre-vote tells its own term, and waits for no disk: it *)
(* may have gone on, or have forgotten that term, when it is heard.  All    *)
(* terms up to the highest were somebody's.                                 *)
LearnTermOf(n, term) == PreVote /\ term <= history.highest /\ InLaterTerm(n, term)

-----------------------------------------------------------------------------
(* Election.                                                                *)

Asking(type, n, term) ==
    [type |-> type, term |-> term, from |-> n,
     lastIndex |-> Len(node[n].log), lastTerm |-> LastTerm(node[n].log)]

(* The follower's timer has run out: it holds no leader for alive.          *)
LoseLeader(n) ==
    /\ node[n].heard
    /\ Become(n, [node[n] EXCEPT !.heard = FALSE], {}, {})
    /\ UNCHANGED history

(* Dissertation, section 6.2: a leader that hears no quorum steps down; so  *)
(* does one whose disk does not answer.                                     *)
StepDown(n) ==
    /\ node[n].role = "Leader"
    /\ Become(n, [node[n] EXCEPT !.role = "Follower", !.heard = FALSE, !.read = None], {}, {})
    /\ history' = [history EXCEPT !.stepDowns = @ + 1]

(* Dissertation, section 9.6: asked for the next term, which is not taken.  *)
AskPreVote(n) ==
    /\ PreVote
    /\ node[n].role # "Leader" /\ ~node[n].heard
    /\ Become(n, [node[n] EXCEPT !.role = "PreCandidate"], {},
              {Asking("PreVote", n, node[n].term + 1)})
    /\ UNCHANGED history

(* It promises nothing, so it may leave at once.                            *)
GrantPreVote(n, m) ==
    LET s == node[n] IN
    /\ m.type = "PreVote" /\ m.from # n
    /\ s.role # "Leader" /\ ~s.heard
    /\ m.term > s.term \/ (m.term = s.term /\ s.vote \in {None, m.from})
    /\ UpToDate(m.lastTerm, m.lastIndex, s.log)
    /\ Become(n, s, {}, {[type |-> "PreVoteGranted", term |-> m.term, from |-> n, to |-> m.from]})
    /\ UNCHANGED history

(* Who granted n what it asked for, among these answers.                    *)
Granted(type, n, term, answers) ==
    {j \in Members : \E m \in answers :
        m.type = type /\ m.term = term /\ m.from = j /\ m.to = n}

(* A candidate asks for votes behind its own: else a crash lets it ask      *)
(* twice in one term, with two different logs.                              *)
Campaign(n, answers) ==
    LET term == node[n].term + 1
        s == [node[n] EXCEPT !.term = term, !.vote = n, !.role = "Candidate", !.heard = FALSE]
    IN
    /\ IF PreVote
       THEN /\ node[n].role = "PreCandidate"
            /\ IsQuorum({n} \cup Granted("PreVoteGranted", n, term, answers))
       ELSE node[n].role # "Leader"
    /\ Become(n, s, {Asking("RequestVote", n, term)}, {})
    /\ history' = IF PreVote THEN [history EXCEPT !.highest = Max(@, term)] ELSE history

(* Raft paper, figure 2, RequestVote.  A vote is told behind its write.     *)
GrantVote(n, m) ==
    LET s == InTerm(node[n], m.term) IN
    /\ m.type = "RequestVote" /\ m.from # n
    /\ m.term >= node[n].term
    /\ s.vote \in {None, m.from}
    /\ UpToDate(m.lastTerm, m.lastIndex, s.log)
    /\ Become(n, [s EXCEPT !.vote = m.from],
              {[type |-> "Vote", term |-> m.term, from |-> n, to |-> m.from]}, {})
    /\ UNCHANGED history

OwnVote(n) ==
    IF disk[n].stable.term = node[n].term /\ disk[n].stable.vote = n THEN {n} ELSE {}

-----------------------------------------------------------------------------
(* Replication.                                                             *)

(* All that a leader in state s could send: empty ones and MaxBatch entries *)
(* at most from any index that it still has, and its snapshot.              *)
Appends(n, s) ==
    {[type |-> "Append", term |-> s.term, from |-> n, prev |-> p, prevTerm |-> TermAt(s.log, p),
      entries |-> SubSeq(s.log, p + 1, Min(p + k, Len(s.log))), commit |-> s.commit]
        : p \in s.base .. Len(s.log), k \in 0 .. MaxBatch}
    \cup IF s.base = 0 THEN {} ELSE
    {[type |-> "Snapshot", term |-> s.term, from |-> n, log |-> SubSeq(s.log, 1, s.base)]}

(* Raft paper, section 8: an empty entry opens the term.                    *)
BecomeLeader(n, answers) ==
    LET s == [node[n] EXCEPT !.role = "Leader",
                             !.log = Append(@, [term |-> node[n].term, value |-> 0])]
    IN
    /\ node[n].role = "Candidate"
    /\ IsQuorum(OwnVote(n) \cup Granted("Vote", n, node[n].term, answers))
    /\ Become(n, s, {}, Appends(n, s))
    /\ history' = [history EXCEPT !.elected = @ \cup {<<node[n].term, n>>}]

Propose(n) ==
    LET value == history.requests + 1
        s == [node[n] EXCEPT !.log = Append(@, [term |-> node[n].term, value |-> value])]
    IN
    /\ node[n].role = "Leader"
    /\ Become(n, s, {}, Appends(n, s))
    /\ history' = [history EXCEPT !.requests = value]

Ack(n, m, match) ==
    IF match = 0 THEN {} ELSE
    {[type |-> "Ack", term |-> m.term, from |-> n, to |-> m.from, match |-> match]}

(* What a snapshot covers is committed, so any leader has it.               *)
Fits(s, m) == m.prev < s.base \/ (m.prev <= Len(s.log) /\ TermAt(s.log, m.prev) = m.prevTerm)

(* Raft paper, figure 2, AppendEntries.  Entries that are there already are *)
(* left alone: a late message is no reason to delete what came after it.    *)
AcceptAppend(n, m) ==
    LET s == Following(node[n], m.term)
        last == m.prev + Len(m.entries)
        there == \A k \in DOMAIN m.entries :
                    \/ m.prev + k <= s.base
                    \/ m.prev + k <= Len(s.log) /\ TermAt(s.log, m.prev + k) = m.entries[k].term
        log == IF there THEN s.log ELSE SubSeq(s.log, 1, m.prev) \o m.entries
    IN
    /\ m.type = "Append" /\ m.from # n
    /\ m.term >= node[n].term
    /\ Fits(s, m)
    /\ Become(n, [s EXCEPT !.log = log, !.commit = Max(@, Min(m.commit, last))],
              Ack(n, m, last), {})
    /\ UNCHANGED history

(* An append that does not fit tells that a leader is there.                *)
RefuseAppend(n, m) ==
    LET s == Following(node[n], m.term) IN
    /\ m.type = "Append" /\ m.from # n
    /\ m.term >= node[n].term
    /\ ~Fits(s, m)
    /\ Become(n, s, {}, {})
    /\ UNCHANGED history

(* Through which index each member has acknowledged n's log in this term.   *)
(* A leader counts itself as its disk does.                                 *)
Holds(n, i, answers) ==
    {j \in Members :
        IF j = n THEN Durable(n) >= i
        ELSE \E m \in answers : /\ m.type = "Ack" /\ m.term = node[n].term
                                /\ m.from = j /\ m.to = n /\ m.match >= i}

(* Raft paper, section 5.4.2: only an entry of the leader's own term is     *)
(* committed by counting.                                                   *)
AdvanceCommit(n, i, answers) ==
    LET s == [node[n] EXCEPT !.commit = i] IN
    /\ node[n].role = "Leader"
    /\ i > node[n].commit
    /\ node[n].log[i].term = node[n].term
    /\ IsQuorum(Holds(n, i, answers))
    /\ Become(n, s, {}, Appends(n, s))
    /\ history' = [history EXCEPT !.committed =
            IF i > Len(@) THEN
                [k \in 1 .. i |-> IF k <= Len(@) /\ @[k].entry = s.log[k] THEN @[k]
                                  ELSE [entry |-> s.log[k], term |-> s.term]]
            ELSE @]

-----------------------------------------------------------------------------
(* Snapshots, Raft paper, section 7.                                        *)

Compact(n, i) ==
    LET s == [node[n] EXCEPT !.base = i] IN
    /\ i > node[n].base /\ i <= node[n].commit
    /\ Become(n, s, {}, IF s.role = "Leader" THEN Appends(n, s) ELSE {})
    /\ history' = [history EXCEPT !.compactions = @ + 1]

(* A snapshot that tells nothing new is acknowledged and not installed.     *)
(* Behind a matching last entry the log is kept, else it is replaced.       *)
AcceptSnapshot(n, m) ==
    LET s == Following(node[n], m.term)
        i == Len(m.log)
        fits == Len(s.log) >= i /\ TermAt(s.log, i) = TermAt(m.log, i)
        rest == IF fits THEN SubSeq(s.log, i + 1, Len(s.log)) ELSE <<>>
    IN
    /\ m.type = "Snapshot" /\ m.from # n
    /\ m.term >= node[n].term
    /\ Become(n, IF i <= s.commit THEN s
                 ELSE [s EXCEPT !.log = m.log \o rest, !.base = i, !.commit = i],
              Ack(n, m, i), {})
    /\ UNCHANGED history

-----------------------------------------------------------------------------
(* Reads, dissertation, section 6.4.  A round is a field of AppendEntries   *)
(* on the wire; its answer depends on terms only, so it stands alone here.  *)
(* The answer promises nothing about the disk and is not gated: a stronger  *)
(* claim than the wire needs.                                               *)

StartRead(n) ==
    LET s == node[n]
        round == history.reads + 1
    IN
    /\ s.role = "Leader" /\ s.read = None
    /\ TermAt(s.log, s.commit) = s.term
    /\ Become(n, [s EXCEPT !.read = [round |-> round, index |-> s.commit,
                                     floor |-> Len(history.committed)]], {},
              {[type |-> "Round", term |-> s.term, from |-> n, round |-> round]})
    /\ history' = [history EXCEPT !.reads = round]

AnswerRound(n, m) ==
    LET s == Following(node[n], m.term) IN
    /\ m.type = "Round" /\ m.from # n
    /\ m.term >= node[n].term
    /\ Become(n, s, {}, {[type |-> "RoundAnswer", term |-> m.term, from |-> n, to |-> m.from,
                          round |-> m.round]})
    /\ UNCHANGED history

FinishRead(n, answers) ==
    LET s == node[n] IN
    /\ s.role = "Leader" /\ s.read # None
    /\ IsQuorum({n} \cup {j \in Members : \E m \in answers :
            /\ m.type = "RoundAnswer" /\ m.term = s.term
            /\ m.from = j /\ m.to = n /\ m.round >= s.read.round})
    /\ Become(n, [s EXCEPT !.read = None], {}, {})
    /\ history' = [history EXCEPT !.answered = @ \cup {[index |-> s.read.index, floor |-> s.read.floor]}]

-----------------------------------------------------------------------------
Init ==
    /\ node = [n \in Node |-> Fresh([term |-> 0, vote |-> None, log |-> <<>>, base |-> 0], 0)]
    /\ disk = [n \in Node |-> [stable |-> [term |-> 0, vote |-> None, log |-> <<>>, base |-> 0],
                               pending |-> <<>>]]
    /\ messages = {}
    /\ history = [elected |-> {}, committed |-> <<>>, answered |-> {},
                  highest |-> 0, requests |-> 0, crashes |-> 0, stepDowns |-> 0, compactions |-> 0, reads |-> 0]

(* The same, begun with a leader of term 1 that everybody elected and that  *)
(* has opened its term: it saves the first election where another matters.  *)
InitLed(leader) ==
    LET image(n) == [term |-> 1, vote |-> leader,
                     log |-> IF n = leader THEN <<[term |-> 1, value |-> 0]>> ELSE <<>>, base |-> 0]
        s(n) == IF n = leader THEN [Fresh(image(n), 0) EXCEPT !.role = "Leader"] ELSE Fresh(image(n), 0)
    IN
    /\ node = [n \in Node |-> s(n)]
    /\ disk = [n \in Node |-> [stable |-> image(n), pending |-> <<>>]]
    /\ messages = Appends(leader, s(leader))
    /\ history = [elected |-> {<<1, leader>>}, committed |-> <<>>, answered |-> {},
                  highest |-> 1, requests |-> 0, crashes |-> 0, stepDowns |-> 0, compactions |-> 0, reads |-> 0]

(* The same, when everybody holds the opening entry, and the leader alone   *)
(* knows that it is committed.                                              *)
InitSettled(leader) ==
    LET opening == [term |-> 1, value |-> 0]
        image == [term |-> 1, vote |-> leader, log |-> <<opening>>, base |-> 0]
        s(n) == IF n = leader THEN [Fresh(image, 1) EXCEPT !.role = "Leader"] ELSE Fresh(image, 0)
    IN
    /\ node = [n \in Node |-> s(n)]
    /\ disk = [n \in Node |-> [stable |-> image, pending |-> <<>>]]
    /\ messages = Appends(leader, s(leader))
    /\ history = [elected |-> {<<1, leader>>}, committed |-> <<[entry |-> opening, term |-> 1]>>, answered |-> {},
                  highest |-> 1, requests |-> 0, crashes |-> 0, stepDowns |-> 0, compactions |-> 0, reads |-> 0]

(* What n does with a message.  Who may give it one, Receive says.          *)
Handle(n, m) ==
    \/ GrantPreVote(n, m) \/ GrantVote(n, m)
    \/ AcceptAppend(n, m) \/ RefuseAppend(n, m)
    \/ AcceptSnapshot(n, m) \/ AnswerRound(n, m)

Receive(n, m) == m \in messages /\ Handle(n, m)

(* What n does of its own, on these answers.  The bounds of a configuration *)
(* are guards, and the budgets are in the state: as a constraint they would *)
(* have TLC judge each step over the edge again and again.                  *)
Act(n, answers) ==
    \/ LoseLeader(n)
    \/ history.stepDowns < MaxStepDowns /\ StepDown(n)
    \/ node[n].term < MaxTerm /\ (AskPreVote(n) \/ Campaign(n, answers))
    \/ BecomeLeader(n, answers)
    \/ history.requests < MaxRequests /\ Propose(n)
    \/ \E i \in DOMAIN node[n].log :
          AdvanceCommit(n, i, answers) \/ (history.compactions < MaxCompactions /\ Compact(n, i))
    \/ history.reads < MaxReads /\ StartRead(n)
    \/ FinishRead(n, answers)

Crash(n) ==
    /\ history.crashes < MaxCrashes
    /\ \E commit \in disk[n].stable.base .. node[n].commit : Restart(n, commit)

(* A message that changes nothing is not received.                          *)
Next ==
    \E n \in Node :
        \/ Act(n, messages) \/ Sync(n) \/ Crash(n)
        \/ \E m \in messages : (Receive(n, m) \/ LearnTerm(n, m)) /\ vars' # vars
        \/ \E term \in 1 .. history.highest : LearnTermOf(n, term)

Spec == Init /\ [][Next]_vars
LedSpec == (\E n \in Node : InitLed(n)) /\ [][Next]_vars
SettledSpec == (\E n \in Node : InitSettled(n)) /\ [][Next]_vars

Symmetry == Permutations(Node)

-----------------------------------------------------------------------------
(* Laws of states.                                                          *)

Logs == INSTANCE AppendOnlyLogs WITH
    Group <- {"g"}, Entry <- [term : 1 .. MaxTerm + 1, value : 0 .. MaxRequests + 1], MaxLength <- 0,
    truth <- [g \in {"g"} |-> [i \in DOMAIN history.committed |-> history.committed[i].entry]],
    known <- [g \in {"g"} |-> [n \in Node |-> SubSeq(node[n].log, 1, node[n].commit)]]

Entries == [term : 1 .. MaxTerm + 1, value : 0 .. MaxRequests + 1]

ImageOK(image) ==
    /\ image.term \in Nat /\ image.vote \in Node \cup {None}
    /\ \A i \in DOMAIN image.log : image.log[i] \in Entries
    /\ image.base \in 0 .. Len(image.log)

TypeOK ==
    \A n \in Node :
        /\ ImageOK(Image(node[n])) /\ ImageOK(disk[n].stable)
        /\ \A k \in DOMAIN Pending(n) : ImageOK(Pending(n)[k].image)
        /\ node[n].role \in {"Follower", "PreCandidate", "Candidate", "Leader"}
        /\ node[n].commit \in 0 .. Len(node[n].log)
        /\ LastImage(n) = Image(node[n])

IsLeader(n) == node[n].role = "Leader"

(* Election Safety, figure 3, over all time.                                *)
I_R1 == \A a, b \in history.elected : a[1] = b[1] => a[2] = b[2]

(* Log Matching, figure 3; values too.                                      *)
I_R3 ==
    \A n, j \in Node :
        LET a == node[n].log
            b == node[j].log
        IN  \A i \in 1 .. Min(Len(a), Len(b)) :
                a[i].term = b[i].term => SubSeq(a, 1, i) = SubSeq(b, 1, i)

(* Leader Completeness, figure 3.                                           *)
I_R4 ==
    \A n \in Node : IsLeader(n) =>
        \A i \in DOMAIN history.committed :
            history.committed[i].term < node[n].term =>
                Len(node[n].log) >= i /\ node[n].log[i] = history.committed[i].entry

(* State Machine Safety, figure 3: what n knows to be committed, is.        *)
I_R5 ==
    \A n \in Node : \A i \in 1 .. node[n].commit :
        i <= Len(history.committed) /\ node[n].log[i] = history.committed[i].entry

(* What is committed is on a quorum of disks.                               *)
I_R6 ==
    \A i \in DOMAIN history.committed :
        IsQuorum({n \in Node : LET log == disk[n].stable.log IN
                    Len(log) >= i /\ log[i] = history.committed[i].entry})

(* One vote per term, over all lives.                                       *)
I_R10 ==
    \A a, b \in {m \in messages : m.type = "Vote"} :
        a.term = b.term /\ a.from = b.from => a.to = b.to

(* An acknowledgement is true, unless its sender's disk is in a later term. *)
I_R12 ==
    \A m \in messages : m.type = "Ack" =>
        LET stable == disk[m.from].stable IN
        stable.term > m.term \/
        (IsLeader(m.to) /\ node[m.to].term = m.term => Agree(stable.log, node[m.to].log, m.match))

(* Terms in a log never decrease nor exceed the node's; a candidate has no  *)
(* entry of its own term.                                                   *)
I_R16 ==
    \A n \in Node :
        LET log == node[n].log IN
        /\ \A i \in 1 .. Len(log) - 1 : log[i].term <= log[i + 1].term
        /\ LastTerm(log) <= node[n].term
        /\ node[n].role = "Candidate" => LastTerm(log) < node[n].term

(* base <= commit <= last.                                                  *)
I_R17 == \A n \in Node : node[n].base <= node[n].commit /\ node[n].commit <= Len(node[n].log)

(* Votes, requests for votes and what a leader says rest on a disk.         *)
I_R19 ==
    \A m \in messages :
        LET stable == disk[m.from].stable IN
        /\ m.type = "Vote" =>
              stable.term > m.term \/ (stable.term = m.term /\ stable.vote = m.to)
        /\ m.type \in {"RequestVote", "Append", "Snapshot", "Round"} =>
              stable.term > m.term \/ (stable.term = m.term /\ stable.vote = m.from)
        /\ m.type = "Ack" => stable.term >= m.term

(* No message is of a later term than its sender, but for pre-votes.        *)
I_R18 ==
    \A m \in messages :
        m.type \notin {"PreVote", "PreVoteGranted"} => m.term <= node[m.from].term

(* A snapshot is a committed prefix, in memory and on disk.                 *)
I_N1 ==
    \A n \in Node : \A image \in {Image(node[n]), disk[n].stable} :
        \A i \in 1 .. image.base :
            i <= Len(history.committed) /\ image.log[i] = history.committed[i].entry

(* A read sees all that was committed when it was asked.                    *)
I_L2 == \A a \in history.answered : a.index >= a.floor

Safety ==
    TypeOK /\ I_R1 /\ I_R3 /\ I_R4 /\ I_R5 /\ I_R6 /\ I_R10 /\ I_R12 /\ I_R16 /\ I_R17
    /\ I_R18 /\ I_R19 /\ I_N1 /\ I_L2

-----------------------------------------------------------------------------
(* Laws of steps.                                                           *)

Crashed == history'.crashes # history.crashes

(* Leader Append-Only, figure 3.                                            *)
I_R2 == [][\A n \in Node : IsLeader(n) /\ IsLeader(n)' => IsPrefix(node[n].log, node'[n].log)]_vars

(* The commit index never decreases but by a restart, and what it covers    *)
(* never changes.                                                           *)
I_R7 ==
    [][\A n \in Node :
          /\ ~Crashed => node'[n].commit >= node[n].commit
          /\ Agree(node[n].log, node'[n].log, node[n].commit) \/ Crashed]_vars

(* The term on a disk never decreases; nor does the one in memory, but by a *)
(* restart.                                                                 *)
I_R8 ==
    [][\A n \in Node :
          /\ disk'[n].stable.term >= disk[n].stable.term
          /\ ~Crashed => node'[n].term >= node[n].term]_vars

(* Within a term a vote, once given, is kept; on a disk for ever.           *)
I_R9 ==
    [][\A n \in Node :
          /\ disk'[n].stable.term = disk[n].stable.term =>
                disk[n].stable.vote \in {None, disk'[n].stable.vote}
          /\ ~Crashed /\ node'[n].term = node[n].term => node[n].vote \in {None, node'[n].vote}]_vars

(* A leader commits an entry of its own term, held by a quorum of disks.    *)
I_R13 ==
    [][\A n \in Node :
          IsLeader(n) /\ IsLeader(n)' /\ node'[n].commit > node[n].commit =>
              LET i == node'[n].commit IN
              /\ node[n].log[i].term = node[n].term
              /\ IsQuorum({j \in Node : Agree(disk[j].stable.log, node[n].log, i)})]_vars

(* Entries are deleted only where a leader's entry of another term takes    *)
(* their place, or a snapshot does.                                         *)
I_R15 ==
    [][\A n \in Node :
          Crashed \/ IsPrefix(node[n].log, node'[n].log) \/
          \E m \in messages :
              /\ m.term = node'[n].term
              /\ \/ /\ m.type = "Append" /\ m.entries # <<>>
                    /\ \E k \in DOMAIN m.entries :
                          m.prev + k <= Len(node[n].log) /\ node[n].log[m.prev + k].term # m.entries[k].term
                    /\ node'[n].log = SubSeq(node[n].log, 1, m.prev) \o m.entries
                 \/ m.type = "Snapshot" /\ node'[n].log = m.log]_vars

(* An answer to a pre-vote changes nothing at who gives it; and who hears a *)
(* leader gives none (I-R21).                                               *)
I_R20 ==
    [][\A m \in messages' \ messages :
          m.type = "PreVoteGranted" =>
              node' = node /\ disk' = disk /\ ~node[m.from].heard /\ ~IsLeader(m.from)]_vars

(* A restart gives what the disk held.                                      *)
I_N4 == [][Crashed => \E n \in Node : Image(node'[n]) = disk[n].stable /\ disk'[n].stable = disk[n].stable]_vars

(* F1: the group is one log that only grows.                                *)
F1 == Logs!Grows

THEOREM Spec => []Safety
THEOREM Spec => I_R2 /\ I_R7 /\ I_R8 /\ I_R9 /\ I_R13 /\ I_R15 /\ I_R20 /\ I_N4
THEOREM Spec => F1

-----------------------------------------------------------------------------
(* That the laws speak of something.                                        *)

Witnesses ==
    /\ Reached(1, "a commit", history.committed # <<>>)
    /\ Reached(2, "a commit in a second term",
            \E i \in DOMAIN history.committed : history.committed[i].entry.term > history.committed[1].entry.term)
    /\ Reached(3, "a leader without all that others have", \E n, j \in Node :
            IsLeader(n) /\ node[j].term > 0 /\ Len(node[j].log) >= Len(node[n].log)
            /\ LastTerm(node[j].log) < LastTerm(node[n].log))
    /\ Reached(4, "a truncation under way", \E n \in Node : \E k \in DOMAIN Pending(n) :
            ~IsPrefix(disk[n].stable.log, Pending(n)[k].image.log))
    /\ Reached(5, "a leader behind its own disk", \E n \in Node :
            IsLeader(n) /\ node[n].commit > Durable(n))
    /\ Reached(6, "a candidate whose request waits for its disk", \E n \in Node :
            node[n].role = "Candidate" /\ OwnVote(n) = {})
    /\ Reached(7, "two leaders at once", \E n, j \in Node : n # j /\ IsLeader(n) /\ IsLeader(j))
    /\ Reached(8, "a leader's restart", history.crashes > 0 /\ \E n \in Node :
            node[n].role = "Follower" /\ <<node[n].term, n>> \in history.elected)
    /\ Reached(9, "an installed snapshot", \E m \in messages : m.type = "Ack" /\
            \E s \in messages : s.type = "Snapshot" /\ Len(s.log) = m.match /\ node[m.from].base = m.match)
    /\ Reached(10, "a snapshot that keeps a suffix", \E n \in Node :
            node[n].base > 0 /\ Len(node[n].log) > node[n].base /\ node[n].role = "Follower")
    /\ Reached(11, "an answered read", history.answered # {})
    /\ Reached(12, "a read at a deposed leader", \E n, j \in Node :
            IsLeader(n) /\ node[n].read # None /\ IsLeader(j) /\ node[j].term > node[n].term)
    /\ Reached(13, "a campaign after a pre-vote", PreVote /\ \E n \in Node : node[n].role = "Candidate")
    /\ Reached(15, "a leader that has stepped down is elected again", history.stepDowns > 0 /\
            \E a, b \in history.elected : a[2] = b[2] /\ a[1] # b[1])
    /\ Reached(14, "a pre-vote at a follower that hears a leader", \E n \in Node : node[n].heard /\
            \E m \in messages : m.type = "PreVote" /\ m.from # n /\ m.term >= node[n].term
            /\ node[n].vote \in {None, m.from})
=============================================================================
