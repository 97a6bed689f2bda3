-------------------------------- MODULE Run --------------------------------
(* A window: n1 leads term 3.  n2 has an entry of an older leader in the    *)
(* way, n3 needs the snapshot; then n1 hears no quorum and steps down.      *)
EXTENDS Naturals, Sequences

Entry(term, value) == [term |-> term, value |-> value]
Log == <<Entry(1, 0), Entry(3, 0)>>

RunNodes == {"n1", "n2", "n3"}
RunPreVote == TRUE
RunBegin ==
    [n1 |-> [term |-> 3, vote |-> "n1", log |-> Log, base |-> 0, commit |-> 1],
     n2 |-> [term |-> 2, vote |-> "n2", log |-> <<Entry(1, 0), Entry(2, 0)>>, base |-> 0, commit |-> 1],
     n3 |-> [term |-> 3, vote |-> "n1", log |-> <<>>, base |-> 0, commit |-> 0]]
RunRoles == [n1 |-> "Leader", n2 |-> "Follower", n3 |-> "Follower"]
RunMessages == {}
RunRequests == 0

Probe == [type |-> "Append", term |-> 3, from |-> "n1", prev |-> 2, prevTerm |-> 3, entries |-> <<>>, commit |-> 1]
Repair == [type |-> "Append", term |-> 3, from |-> "n1", prev |-> 1, prevTerm |-> 1, entries |-> <<Entry(3, 0)>>, commit |-> 1]
Snapshot == [type |-> "Snapshot", term |-> 3, from |-> "n1", log |-> <<Entry(1, 0)>>]
AckOf(n, match) == [type |-> "Ack", term |-> 3, from |-> n, to |-> "n1", match |-> match]
Asked == [type |-> "PreVote", term |-> 4, from |-> "n2", lastIndex |-> 2, lastTerm |-> 3]

Trace == <<
    [event |-> "Send", node |-> "n1", message |-> Probe],
    [event |-> "RefuseAppend", node |-> "n2", message |-> Probe, after |-> [term |-> 3, vote |-> "none", log |-> <<Entry(1, 0), Entry(2, 0)>>]],
    [event |-> "Send", node |-> "n1", message |-> Repair],
    [event |-> "AcceptAppend", node |-> "n2", message |-> Repair, after |-> [log |-> Log, commit |-> 1]],
    [event |-> "Compact", node |-> "n1", index |-> 1, after |-> [base |-> 1]],
    [event |-> "Send", node |-> "n1", message |-> Snapshot],
    [event |-> "AcceptSnapshot", node |-> "n3", message |-> Snapshot, after |-> [base |-> 1, commit |-> 1, log |-> <<Entry(1, 0)>>]],
    [event |-> "Sync", node |-> "n3", disk |-> [base |-> 1]],
    [event |-> "Send", node |-> "n3", message |-> AckOf("n3", 1)],
    [event |-> "Sync", node |-> "n2", disk |-> [term |-> 3]],
    [event |-> "Sync", node |-> "n2", disk |-> [log |-> Log]],
    [event |-> "Send", node |-> "n2", message |-> AckOf("n2", 2)],
    [event |-> "AdvanceCommit", node |-> "n1", index |-> 2, after |-> [commit |-> 2]],
    [event |-> "StepDown", node |-> "n1", after |-> [role |-> "Follower", term |-> 3, vote |-> "n1"]],
    [event |-> "LoseLeader", node |-> "n2"],
    [event |-> "AskPreVote", node |-> "n2", after |-> [role |-> "PreCandidate"]],
    [event |-> "Send", node |-> "n2", message |-> Asked],
    [event |-> "GrantPreVote", node |-> "n1", message |-> Asked, after |-> [term |-> 3]],
    [event |-> "Restart", node |-> "n3", index |-> 1, after |-> [term |-> 3, base |-> 1, commit |-> 1]]
>>
=============================================================================
