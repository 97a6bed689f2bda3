-------------------------------- MODULE Run --------------------------------
\* Written by model/tests/agreement/run.rs: paths of the model's world, each to what it shows.
EXTENDS Naturals, Sequences

RunNodes == {"n1", "n2", "n3"}
RunPreVote == TRUE
RunBegin == [n \in RunNodes |-> [term |-> 0, vote |-> "none", log |-> <<>>, base |-> 0, commit |-> 0]]
RunRoles == [n \in RunNodes |-> "Follower"]
RunMessages == {}
RunRequests == 0
Message1 == [from |-> "n1", lastIndex |-> 0, lastTerm |-> 0, term |-> 1, type |-> "PreVote"]
Message2 == [from |-> "n3", term |-> 1, to |-> "n1", type |-> "PreVoteGranted"]
Message3 == [from |-> "n1", lastIndex |-> 0, lastTerm |-> 0, term |-> 1, type |-> "RequestVote"]
Message4 == [from |-> "n3", term |-> 1, to |-> "n1", type |-> "Vote"]
Message5 == [commit |-> 0, entries |-> <<[term |-> 1, value |-> 0]>>, from |-> "n1", prev |-> 0, prevTerm |-> 0, term |-> 1, type |-> "Append"]
Message6 == [from |-> "n3", match |-> 1, term |-> 1, to |-> "n1", type |-> "Ack"]
Message7 == [commit |-> 1, entries |-> <<>>, from |-> "n1", prev |-> 0, prevTerm |-> 0, term |-> 1, type |-> "Append"]
Message8 == [commit |-> 1, entries |-> <<>>, from |-> "n1", prev |-> 1, prevTerm |-> 1, term |-> 1, type |-> "Append"]
Message9 == [from |-> "n2", term |-> 1, to |-> "n1", type |-> "PreVoteGranted"]
Message10 == [from |-> "n3", lastIndex |-> 1, lastTerm |-> 1, term |-> 2, type |-> "PreVote"]
Message11 == [from |-> "n1", term |-> 2, to |-> "n3", type |-> "PreVoteGranted"]
Message12 == [from |-> "n3", lastIndex |-> 1, lastTerm |-> 1, term |-> 2, type |-> "RequestVote"]
Message13 == [from |-> "n1", term |-> 2, to |-> "n3", type |-> "Vote"]
Message14 == [commit |-> 1, entries |-> <<[term |-> 2, value |-> 0]>>, from |-> "n3", prev |-> 1, prevTerm |-> 1, term |-> 2, type |-> "Append"]
Message15 == [from |-> "n1", match |-> 2, term |-> 2, to |-> "n3", type |-> "Ack"]

Trace == <<
    \* a leader is elected
    [event |-> "AskPreVote", node |-> "n1", after |-> [role |-> "PreCandidate", commit |-> 0, term |-> 0, vote |-> "none"]],
    [event |-> "Send", node |-> "n1", message |-> Message1],
    [event |-> "GrantPreVote", node |-> "n3", message |-> Message1, after |-> [role |-> "Follower", commit |-> 0, term |-> 0, vote |-> "none"]],
    [event |-> "Send", node |-> "n3", message |-> Message2],
    [event |-> "Campaign", node |-> "n1", after |-> [role |-> "Candidate", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "Sync", node |-> "n1", disk |-> [term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n1", message |-> Message3],
    [event |-> "GrantVote", node |-> "n3", message |-> Message3, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "Sync", node |-> "n3", disk |-> [term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n3", message |-> Message4],
    [event |-> "BecomeLeader", node |-> "n1", after |-> [role |-> "Leader", commit |-> 0, term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0]>>]],
    [event |-> "Send", node |-> "n1", message |-> Message5],
    \* an entry is committed
    [event |-> "GrantVote", node |-> "n2", message |-> Message3, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "AcceptAppend", node |-> "n3", message |-> Message5, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0]>>]],
    [event |-> "Sync", node |-> "n1", disk |-> [term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0]>>]],
    [event |-> "Sync", node |-> "n3", disk |-> [term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0]>>]],
    [event |-> "Send", node |-> "n3", message |-> Message6],
    [event |-> "AdvanceCommit", node |-> "n1", index |-> 1, after |-> [role |-> "Leader", commit |-> 1, term |-> 1, vote |-> "n1"]],
    \* a follower learns what is committed
    [event |-> "Send", node |-> "n1", message |-> Message7],
    [event |-> "Send", node |-> "n1", message |-> Message8],
    [event |-> "AcceptAppend", node |-> "n3", message |-> Message8, after |-> [role |-> "Follower", commit |-> 1, term |-> 1, vote |-> "n1"]],
    \* propose
    [event |-> "Propose", node |-> "n1", after |-> [role |-> "Leader", commit |-> 1, term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0], [term |-> 1, value |-> 1]>>]],
    \* a crash loses a write
    [event |-> "Restart", node |-> "n1", index |-> 0, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1", log |-> <<[term |-> 1, value |-> 0]>>]],
    \* election timeout
    [event |-> "AskPreVote", node |-> "n1", after |-> [role |-> "PreCandidate", commit |-> 0, term |-> 1, vote |-> "n1"]],
    \* a pre-vote is granted
    [event |-> "GrantPreVote", node |-> "n2", message |-> Message1, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n2", message |-> Message9],
    \* a vote is granted
    [event |-> "AcceptAppend", node |-> "n2", message |-> Message7, after |-> [role |-> "Follower", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "LoseLeader", node |-> "n3", after |-> [role |-> "Follower", commit |-> 1, term |-> 1, vote |-> "n1"]],
    [event |-> "AskPreVote", node |-> "n3", after |-> [role |-> "PreCandidate", commit |-> 1, term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n3", message |-> Message10],
    [event |-> "GrantPreVote", node |-> "n1", message |-> Message10, after |-> [role |-> "PreCandidate", commit |-> 0, term |-> 1, vote |-> "n1"]],
    [event |-> "Send", node |-> "n1", message |-> Message11],
    [event |-> "Campaign", node |-> "n3", after |-> [role |-> "Candidate", commit |-> 1, term |-> 2, vote |-> "n3"]],
    [event |-> "Sync", node |-> "n3", disk |-> [term |-> 2, vote |-> "n3"]],
    [event |-> "Send", node |-> "n3", message |-> Message12],
    [event |-> "GrantVote", node |-> "n2", message |-> Message12, after |-> [role |-> "Follower", commit |-> 0, term |-> 2, vote |-> "n3"]],
    \* leaders are elected in two terms
    [event |-> "GrantVote", node |-> "n1", message |-> Message12, after |-> [role |-> "Follower", commit |-> 0, term |-> 2, vote |-> "n3"]],
    [event |-> "Sync", node |-> "n1", disk |-> [term |-> 2, vote |-> "n3"]],
    [event |-> "Send", node |-> "n1", message |-> Message13],
    [event |-> "BecomeLeader", node |-> "n3", after |-> [role |-> "Leader", commit |-> 1, term |-> 2, vote |-> "n3", log |-> <<[term |-> 1, value |-> 0], [term |-> 2, value |-> 0]>>]],
    [event |-> "Send", node |-> "n3", message |-> Message14],
    \* entries are committed by leaders of two terms
    [event |-> "AcceptAppend", node |-> "n1", message |-> Message14, after |-> [role |-> "Follower", commit |-> 1, term |-> 2, vote |-> "n3", log |-> <<[term |-> 1, value |-> 0], [term |-> 2, value |-> 0]>>]],
    [event |-> "Sync", node |-> "n1", disk |-> [term |-> 2, vote |-> "n3", log |-> <<[term |-> 1, value |-> 0], [term |-> 2, value |-> 0]>>]],
    [event |-> "Send", node |-> "n1", message |-> Message15],
    [event |-> "Sync", node |-> "n3", disk |-> [term |-> 2, vote |-> "n3", log |-> <<[term |-> 1, value |-> 0], [term |-> 2, value |-> 0]>>]],
    [event |-> "AdvanceCommit", node |-> "n3", index |-> 2, after |-> [role |-> "Leader", commit |-> 2, term |-> 2, vote |-> "n3"]]
>>
=============================================================================
