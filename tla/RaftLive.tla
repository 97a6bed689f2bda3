------------------------------ MODULE RaftLive ------------------------------
(***************************************************************************)
(* What a group of Raft comes to, once its network and disks go on and its *)
(* timers are spread.                                                      *)
(*                                                                         *)
(* Assumed: what a node still sends is received some day, writes become    *)
(* durable, nodes act.  Terms are bounded here, so "timers are spread"     *)
(* becomes: in the last term one node campaigns alone, and its log is as   *)
(* up to date as any.  Before that, anybody may, at any moment.            *)
(*                                                                         *)
(* Sources: Raft paper, section 5.6 (timing and availability), section     *)
(* 5.3 (a follower's log comes to match the leader's).                     *)
(* Left out: that random timeouts make this happen; clocks; pre-vote, with *)
(* which a follower may lose and hear its leader in turn for ever.         *)
(***************************************************************************)
EXTENDS Raft

Electable(n) ==
    \A j \in Node \ {n} :
        /\ node[j].term < MaxTerm
        /\ UpToDate(LastTerm(node[n].log), Len(node[n].log), node[j].log)

LiveNext == Next /\ \A n \in Node :
    node'[n].role = "Candidate" /\ node'[n].term = MaxTerm /\ node[n].term < MaxTerm => Electable(n)

(* A leader whose term nobody has left.                                     *)
Leads(n) == IsLeader(n) /\ \A j \in Node : node[j].term <= node[n].term

(* A leader repeats what it could send now, not what it once could: an      *)
(* entry that it has compacted comes in its snapshot, or not at all.        *)
Repeated(m) ==
    m.type \in {"Append", "Snapshot"} =>
        IsLeader(m.from) /\ m \in Appends(m.from, node[m.from])

Hears(n) == \E m \in messages : Repeated(m) /\ Receive(n, m) /\ vars' # vars
Runs(n) == (~\E j \in Node : Leads(j)) /\ node[n].term < MaxTerm /\ Electable(n) /\ Campaign(n, messages)
Commits(n) == \E i \in DOMAIN node[n].log : AdvanceCommit(n, i, messages)

(* As long as something can go on, something does.  That is less than to    *)
(* ask it of each action of each node, and enough without pre-vote: no step *)
(* can be undone, so whoever can act does so in the end.  TLC needs a tenth *)
(* of the time for it.                                                      *)
Progress ==
    \E n \in Node : Sync(n) \/ Hears(n) \/ Runs(n) \/ BecomeLeader(n, messages) \/ Commits(n)

Fairness == WF_vars(Progress)

Leader == CHOOSE n \in Node : TRUE

LiveSpec == Init /\ [][LiveNext]_vars /\ Fairness
LedLiveSpec == InitLed(Leader) /\ [][LiveNext]_vars /\ Fairness

(* V1: again and again there is a leader.                                   *)
V1 == []<>(\E n \in Node : Leads(n))

(* Proposals are bounded, so "each is committed" is "again and again all    *)
(* are": one formula, and not one per entry.                                *)

(* V2: what a leader has in its log it commits, if it stays leader.         *)
V2 == []<>(\A n \in Node : Leads(n) => node[n].commit = Len(node[n].log))

(* V3: everybody learns of it, through entries or a snapshot.               *)
V3 == []<>(\A n, j \in Node : Leads(n) => node[j].commit = node[n].commit)

THEOREM LiveSpec => V1 /\ V2 /\ V3

LiveWitnesses ==
    /\ Reached(1, "a second leader", Cardinality(history.elected) = 2)
    /\ Reached(2, "a follower that only a snapshot can help", \E n, j \in Node :
            IsLeader(n) /\ node[n].base > Len(node[j].log))
    /\ Reached(3, "a follower after a restart", history.crashes > 0)
    /\ Reached(4, "everybody knows of a commit", \A n \in Node : node[n].commit > 0)
=============================================================================
