----------------------------- MODULE TraceRaft -----------------------------
(***************************************************************************)
(* A recorded run of one group is a behaviour of Raft: each event is the   *)
(* action that it names, with the values and messages that were recorded.  *)
(*                                                                         *)
(* An event names the node that it happened at, and is one action of Raft  *)
(* there, or one of these:                                                 *)
(*   Sync    the oldest write that is under way became durable; `disk` is  *)
(*           what the disk held then                                       *)
(*   Send    `message` was handed to the network: Raft must have let it    *)
(*           leave by now.  What is received must have been sent before.   *)
(* `message` is what was received; `term` what LearnTerm learnt, `of` from *)
(* whom if it was the refusal of a pre-vote; `index` the one that          *)
(* AdvanceCommit, Compact and Restart name; `after` what the node had in   *)
(* memory afterwards.                                                      *)
(*                                                                         *)
(* A run begins with RunBegin: node by node the durable term, vote, log    *)
(* and base, and `commit`, which the state machine had stored.  Nothing is *)
(* under way then.  A window into a longer run begins with leaders, in     *)
(* RunRoles, and with what had been sent, in RunMessages.                  *)
(*                                                                         *)
(* Sources: those of Raft.                                                 *)
(* Left out: rounds and reads (the laws of reads are judged elsewhere);    *)
(* groups of one, which lead before their own vote is durable.             *)
(***************************************************************************)
EXTENDS Raft, Run, Trace

VARIABLES at,     \* the next event
          sent    \* what was handed to the network

traceVars == <<vars, at, sent>>

(* The messages that the run speaks of.  Raft's leader sends all that it    *)
(* could send; here, as much of that as matters.  The configuration puts    *)
(* this in the place of Appends.                                            *)
Spoken == RunMessages \cup
    {Trace[k].message : k \in {j \in DOMAIN Trace : "message" \in DOMAIN Trace[j]}}

TraceAppends(n, s) ==
    {m \in Spoken :
        /\ m.type \in {"Append", "Snapshot"} /\ m.from = n /\ m.term = s.term
        /\ IF m.type = "Snapshot"
           THEN Len(m.log) = s.base /\ s.base > 0 /\ IsPrefix(m.log, s.log)
           ELSE /\ m.prev \in s.base .. Len(s.log) /\ m.prevTerm = TermAt(s.log, m.prev)
                /\ m.prev + Len(m.entries) <= Len(s.log)
                /\ m.entries = SubSeq(s.log, m.prev + 1, m.prev + Len(m.entries))
                /\ m.commit = s.commit}

TraceInit ==
    LET image(n) == [term |-> RunBegin[n].term, vote |-> RunBegin[n].vote,
                     log |-> RunBegin[n].log, base |-> RunBegin[n].base]
        longest == CHOOSE n \in Node : \A j \in Node : RunBegin[j].commit <= RunBegin[n].commit
        leaders == {n \in Node : RunRoles[n] = "Leader"}
        latest == CHOOSE n \in Node : \A j \in Node : RunBegin[j].term <= RunBegin[n].term
    IN
    /\ node = [n \in Node |-> [Fresh(image(n), RunBegin[n].commit) EXCEPT !.role = RunRoles[n]]]
    /\ disk = [n \in Node |-> [stable |-> image(n), pending |-> <<>>]]
    /\ messages = RunMessages \cup UNION {TraceAppends(n, node[n]) : n \in leaders}
    /\ sent = RunMessages
    /\ history = [elected |-> {<<RunBegin[n].term, n>> : n \in leaders},
                  committed |-> [i \in 1 .. RunBegin[longest].commit |->
                                    [entry |-> RunBegin[longest].log[i], term |-> RunBegin[longest].log[i].term]],
                  answered |-> {}, highest |-> RunBegin[latest].term, requests |-> RunRequests,
                  crashes |-> 0, stepDowns |-> 0, compactions |-> 0, reads |-> 0]
    /\ at = 1

(* A higher acknowledgement says what a lower one does.                     *)
MayLeave(m) ==
    \/ m \in messages
    \/ m.type = "Ack" /\ \E a \in messages :
          a.type = "Ack" /\ a.term = m.term /\ a.from = m.from /\ a.to = m.to /\ a.match >= m.match

Action(e) ==
    LET n == e.node IN
    CASE e.event = "Restart" -> Restart(n, e.index)
      [] e.event = "LearnTerm" ->
            IF "of" \in DOMAIN e THEN LearnTermOf(n, e.term)
            ELSE (\E m \in sent : m.term = e.term /\ LearnTerm(n, m))
      [] e.event = "LoseLeader" -> LoseLeader(n)
      [] e.event = "StepDown" -> StepDown(n)
      [] e.event = "AskPreVote" -> AskPreVote(n)
      [] e.event = "GrantPreVote" -> GrantPreVote(n, e.message)
      [] e.event = "Campaign" -> Campaign(n, sent)
      [] e.event = "GrantVote" -> GrantVote(n, e.message)
      [] e.event = "BecomeLeader" -> BecomeLeader(n, sent)
      [] e.event = "Propose" -> Propose(n)
      [] e.event = "AcceptAppend" -> AcceptAppend(n, e.message)
      [] e.event = "RefuseAppend" -> RefuseAppend(n, e.message)
      [] e.event = "AdvanceCommit" -> e.index \in DOMAIN node[n].log /\ AdvanceCommit(n, e.index, sent)
      [] e.event = "Compact" -> Compact(n, e.index)
      [] e.event = "AcceptSnapshot" -> AcceptSnapshot(n, e.message)
      [] e.event = "Sync" -> Sync(n)
      [] e.event = "Send" -> MayLeave(e.message) /\ UNCHANGED vars

Receives == {"GrantPreVote", "GrantVote", "AcceptAppend", "RefuseAppend", "AcceptSnapshot"}

Heard(e) == e.event \in Receives => e.message \in sent

After(e) == Field(e, "after", <<>>)
Disk(e) == Field(e, "disk", <<>>)

Event ==
    /\ at <= Len(Trace)
    /\ LET e == Trace[at] IN
       /\ Heard(e)
       /\ Action(e)
       /\ Shows(After(e), node'[e.node])
       /\ Shows(Disk(e), disk'[e.node].stable)
       /\ sent' = IF e.event = "Send" THEN sent \cup {e.message} ELSE sent
    /\ at' = at + 1

TraceSpec == TraceInit /\ [][Event]_traceVars /\ WF_traceVars(Event)

-----------------------------------------------------------------------------
(* The run is a behaviour of Raft.                                          *)
TraceAccepted == <>(at > Len(Trace))

THEOREM TraceSpec => []Safety /\ TraceAccepted

Wrong(e) ==
    IF ~Heard(e) THEN "what is received was not sent"
    ELSE IF ~ENABLED (Action(e) /\ UNCHANGED <<at, sent>>) THEN "the action is not enabled"
    ELSE LET memory == {f \in DOMAIN After(e) : ~ENABLED (Action(e) /\ node'[e.node][f] = After(e)[f])}
             stable == {f \in DOMAIN Disk(e) : ~ENABLED (Action(e) /\ disk'[e.node].stable[f] = Disk(e)[f])}
         IN  <<"after", memory, "disk", stable>>

Judged == at > Len(Trace) \/ ENABLED Event \/ Explain(at, Trace[at], Wrong(Trace[at]))
=============================================================================
