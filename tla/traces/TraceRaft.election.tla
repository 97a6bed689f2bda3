-------------------------------- MODULE Run --------------------------------
(* Three nodes elect n1, which commits two entries; n2 crashes before the   *)
(* second is durable, n3 hears of both at once.                             *)
EXTENDS Naturals, Sequences

RunNodes == {"n1", "n2", "n3"}
RunPreVote == TRUE
RunBegin == [n \in RunNodes |-> [term |-> 0, vote |-> "none", log |-> <<>>, base |-> 0, commit |-> 0]]
RunRoles == [n \in RunNodes |-> "Follower"]
RunMessages == {}
RunRequests == 0

Opening == [term |-> 1, value |-> 0]
First == [term |-> 1, value |-> 1]

AskedN1 == [type |-> "PreVote", term |-> 1, from |-> "n1", lastIndex |-> 0, lastTerm |-> 0]
WouldN2 == [type |-> "PreVoteGranted", term |-> 1, from |-> "n2", to |-> "n1"]
RequestN1 == [type |-> "RequestVote", term |-> 1, from |-> "n1", lastIndex |-> 0, lastTerm |-> 0]
VoteN2 == [type |-> "Vote", term |-> 1, from |-> "n2", to |-> "n1"]
AppendN1(prev, prevTerm, entries, commit) ==
    [type |-> "Append", term |-> 1, from |-> "n1", prev |-> prev, prevTerm |-> prevTerm, entries |-> entries, commit |-> commit]
AckOf(n, match) == [type |-> "Ack", term |-> 1, from |-> n, to |-> "n1", match |-> match]

Trace == <<
    [event |-> "AskPreVote", node |-> "n1", after |-> [role |-> "PreCandidate", term |-> 0]],
    [event |-> "Send", node |-> "n1", message |-> AskedN1],
    [event |-> "GrantPreVote", node |-> "n2", message |-> AskedN1, after |-> [term |-> 0]],
    [event |-> "Send", node |-> "n2", message |-> WouldN2],
    [event |-> "Campaign", node |-> "n1", after |-> [role |-> "Candidate", term |-> 1, vote |-> "n1"]],
    [event |-> "Sync", node |-> "n1", disk |-> [term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n1", message |-> RequestN1],
    [event |-> "GrantVote", node |-> "n2", message |-> RequestN1, after |-> [term |-> 1, vote |-> "n1"]],
    [event |-> "Sync", node |-> "n2", disk |-> [term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n2", message |-> VoteN2],
    [event |-> "BecomeLeader", node |-> "n1", after |-> [role |-> "Leader", log |-> <<Opening>>]],
    [event |-> "Send", node |-> "n1", message |-> AppendN1(0, 0, <<Opening>>, 0)],
    [event |-> "AcceptAppend", node |-> "n2", message |-> AppendN1(0, 0, <<Opening>>, 0), after |-> [log |-> <<Opening>>, commit |-> 0]],
    [event |-> "Sync", node |-> "n2", disk |-> [log |-> <<Opening>>]],
    [event |-> "Send", node |-> "n2", message |-> AckOf("n2", 1)],
    [event |-> "Sync", node |-> "n1", disk |-> [log |-> <<Opening>>]],
    [event |-> "AdvanceCommit", node |-> "n1", index |-> 1, after |-> [commit |-> 1]],
    [event |-> "Propose", node |-> "n1", after |-> [log |-> <<Opening, First>>]],
    [event |-> "Send", node |-> "n1", message |-> AppendN1(1, 1, <<First>>, 1)],
    [event |-> "AcceptAppend", node |-> "n2", message |-> AppendN1(1, 1, <<First>>, 1), after |-> [log |-> <<Opening, First>>, commit |-> 1]],
    [event |-> "Restart", node |-> "n2", index |-> 0, after |-> [role |-> "Follower", term |-> 1, vote |-> "n1", log |-> <<Opening>>]],
    [event |-> "Send", node |-> "n1", message |-> AppendN1(0, 0, <<Opening, First>>, 1)],
    [event |-> "AcceptAppend", node |-> "n3", message |-> AppendN1(0, 0, <<Opening, First>>, 1), after |-> [term |-> 1, log |-> <<Opening, First>>, commit |-> 1]],
    [event |-> "Sync", node |-> "n3", disk |-> [term |-> 1, log |-> <<Opening, First>>]],
    [event |-> "Send", node |-> "n3", message |-> AckOf("n3", 2)],
    [event |-> "Sync", node |-> "n1", disk |-> [log |-> <<Opening, First>>]],
    [event |-> "AdvanceCommit", node |-> "n1", index |-> 2, after |-> [commit |-> 2]]
>>
=============================================================================
