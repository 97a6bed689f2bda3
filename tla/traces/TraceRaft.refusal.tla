-------------------------------- MODULE Run --------------------------------
(* n1 refuses a pre-vote in term 1 and goes on to term 2 before its disk    *)
(* has either; n2 hears the refusal, and then that of term 2, which n1 has  *)
(* forgotten in a crash.                                                    *)
EXTENDS Naturals, Sequences

RunNodes == {"n1", "n2"}
RunPreVote == TRUE
RunBegin == [n \in RunNodes |-> [term |-> 0, vote |-> "none", log |-> <<>>, base |-> 0, commit |-> 0]]
RunRoles == [n \in RunNodes |-> "Follower"]
RunMessages == {}
RunRequests == 0

Asked(term) == [type |-> "PreVote", term |-> term, from |-> "n1", lastIndex |-> 0, lastTerm |-> 0]
Would(term) == [type |-> "PreVoteGranted", term |-> term, from |-> "n2", to |-> "n1"]

Trace == <<
    [event |-> "AskPreVote", node |-> "n1", after |-> [role |-> "PreCandidate", term |-> 0]],
    [event |-> "Send", node |-> "n1", message |-> Asked(1)],
    [event |-> "GrantPreVote", node |-> "n2", message |-> Asked(1), after |-> [term |-> 0]],
    [event |-> "Send", node |-> "n2", message |-> Would(1)],
    [event |-> "Campaign", node |-> "n1", after |-> [role |-> "Candidate", term |-> 1, vote |-> "n1"]],
    [event |-> "AskPreVote", node |-> "n1", after |-> [role |-> "PreCandidate", term |-> 1]],
    [event |-> "Send", node |-> "n1", message |-> Asked(2)],
    [event |-> "GrantPreVote", node |-> "n2", message |-> Asked(2), after |-> [term |-> 0]],
    [event |-> "Send", node |-> "n2", message |-> Would(2)],
    [event |-> "AskPreVote", node |-> "n2", after |-> [role |-> "PreCandidate", term |-> 0]],
    [event |-> "Campaign", node |-> "n1", after |-> [role |-> "Candidate", term |-> 2, vote |-> "n1"]],
    [event |-> "LearnTerm", node |-> "n2", term |-> 1, of |-> "n1", after |-> [role |-> "Follower", term |-> 1, vote |-> "none"]],
    [event |-> "Restart", node |-> "n1", index |-> 0, after |-> [role |-> "Follower", term |-> 0, vote |-> "none"]],
    [event |-> "LearnTerm", node |-> "n2", term |-> 2, of |-> "n1", after |-> [role |-> "Follower", term |-> 2, vote |-> "none"]],
    [event |-> "Sync", node |-> "n2", disk |-> [term |-> 1, vote |-> "none"]],
    [event |-> "Sync", node |-> "n2", disk |-> [term |-> 2, vote |-> "none"]]
>>
=============================================================================
