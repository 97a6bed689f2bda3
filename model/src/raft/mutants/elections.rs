//! Elections, votes, terms.

use super::{Hunt, Mistake, core, rules};
use crate::raft::{Build, scopes::*, script};
use roadstead_spec::{
    EntryId, NodeId, Term,
    raft::{Effect, Event, Gate, HardState, Leader, LogShape, Message, NodeSet, Paper, Params, Role, State, step},
};

rules! {
    StepDownForgetsVote {
        fn hard_after(_: HardState, seen: Term) -> HardState { HardState { term: seen, vote: None } }
    }
    VoteBeforeDisk {
        fn vote_gate() -> Gate { Gate::Now }
    }
    AsksBeforeDisk {
        fn request_vote_gate() -> Gate { Gate::Now }
    }
    BothMustBeAhead {
        fn is_up_to_date(candidate: EntryId, own: EntryId) -> bool { candidate.term >= own.term && candidate.index >= own.index }
    }
    OneAheadSuffices {
        fn is_up_to_date(candidate: EntryId, own: EntryId) -> bool { !(own.term > candidate.term && own.index > candidate.index) }
    }
    OldVotesCount {
        fn counts_vote(_: Term, _: Term, granted: bool) -> bool { granted }
    }
    VotesAgain {
        fn grants_vote(hard: HardState, log: &LogShape, _: NodeId, term: Term, last: EntryId) -> bool {
            term == hard.term && Self::is_up_to_date(last, log.last_id())
        }
    }
    HalfIsMajority {
        fn quorum(voters: usize) -> usize { voters.div_ceil(2) }
    }
    AnybodyVotes {
        fn hears(_: &Params, id: NodeId, from: NodeId) -> bool { from != id }
        fn elects(params: &Params, granted: &NodeSet) -> bool { granted.len() >= Self::quorum(params.voters().len()) }
    }
    AnybodyMayAsk {
        fn hears(_: &Params, id: NodeId, from: NodeId) -> bool { from != id }
    }
    RefusalTeachesNothing {
        fn term_of(message: &Message) -> Option<Term> {
            if matches!(message, Message::PreVoteResponse { .. }) { None } else { Paper::term_of(message) }
        }
    }
    FormerLeaderIsRefused {
        fn grants_pre_vote(state: &State, from: NodeId, term: Term, last: EntryId) -> bool {
            state.hard.vote != Some(from) && Paper::grants_pre_vote(state, from, term, last)
        }
    }
    PreVoteCountsAsLeader {
        fn heard_after_pre_vote(_: bool) -> bool { true }
    }
    PreVoteIgnoresLog {
        fn grants_pre_vote(state: &State, _: NodeId, term: Term, _: EntryId) -> bool {
            term > state.hard.term && !matches!(state.role, Role::Follower { heard: true, .. } | Role::Leader(_))
        }
    }
    OnlyMatchesRestartTheTimer {
        fn restarts_election_timer(matches: bool) -> bool { matches }
    }
    LeadsWithoutQuorum {
        fn still_leads(_: &Params, _: &Leader) -> bool { true }
    }
    LeadsWithoutDisk {
        fn leads_on_stalled_disk() -> bool { true }
    }
    NoPreVote {
        fn grants_pre_vote(state: &State, _: NodeId, term: Term, last: EntryId) -> bool {
            term > state.hard.term && last >= state.log.last_id()
        }
    }
    NeedsAnAnswer {
        fn elects(params: &Params, granted: &NodeSet) -> bool { granted.len() >= Self::quorum(params.voters().len()).max(2) }
    }
    TermsOf32Bits {
        fn grants_pre_vote(state: &State, from: NodeId, term: Term, last: EntryId) -> bool {
            Paper::grants_pre_vote(state, from, term, last)
        }
        fn hard_after(hard: HardState, seen: Term) -> HardState {
            if seen > hard.term { HardState { term: Term(u64::from(seen.0 as u32)), vote: None } } else { hard }
        }
    }
}

/// The answer to a vote request names the voter's term before it heard of the request.
fn answers_in_the_old_term(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let before = state.hard.term;
    step(params, state, event, out);
    for effect in out {
        if let Effect::Send { message: Message::RequestVoteResponse { term, .. }, .. } = effect {
            *term = before;
        }
    }
}

/// A request sets the receiver's term, even to a lower one.
fn takes_any_term(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    if let Event::Receive { message: Message::AppendEntries { term, .. }, .. } = &event
        && *term < state.hard.term
    {
        state.hard = HardState { term: *term, vote: None };
        state.role = Role::Follower { leader: None, heard: false };
    }
    step(params, state, event, out);
}

/// What was done wrong in elections.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        id: "B-E01",
        mechanism: "stepping down within a term forgets the vote, so that a second one is given",
        source: "eliben/raft#27; microsoft/CCF#8094; etcd-io/etcd#2461",
        laws: &["I-R9"],
        build: core::<StepDownForgetsVote>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-E02.raft",
        mechanism: "a vote leaves before it is durable; a voter that crashes votes again",
        source: "NodeDB-Lab/nodedb#161; bakwc/PySyncObj#202; ongardie/raft.tla#5",
        laws: &["I-R1", "I-R4"],
        build: core::<VoteBeforeDisk>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E02b",
        mechanism: "a candidate asks for votes before its own term and vote are durable, leads, crashes, and votes again in the same term",
        source: "dissertation §3.8, read too kindly; the same class as bakwc/PySyncObj#202",
        laws: &["I-R1", "I-R4"],
        build: core::<AsksBeforeDisk>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000), Hunt::Told(script::ASKS_TOO_EARLY)],
    },
    Mistake {
        id: "B-E05",
        mechanism: "a log counts as up-to-date only if both its last term and its last index are, so that nobody can be elected",
        source: "openraft@a48a3282; dotnet/dotNext#298",
        laws: &["I-V1"],
        build: core::<BothMustBeAhead>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E06",
        mechanism: "a vote is refused only if the voter is ahead in both term and index",
        source: "markwylde/liferaft#8",
        laws: &["I-R4"],
        build: core::<OneAheadSuffices>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E08",
        mechanism: "a candidate counts answers of an older term",
        source: "SandTable, Xraft#33",
        laws: &["I-R1", "I-R4"],
        build: core::<OldVotesCount>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E09",
        mechanism: "two vote requests race between check and set: both are granted",
        source: "jgroups-extras/jgroups-raft#254; camunda/camunda#5356",
        laws: &["I-R1"],
        build: core::<VotesAgain>(),
        hunts: &[Hunt::Harm(WIDE_4, 1, 20_000)],
    },
    Mistake {
        id: "B-E12",
        mechanism: "half of an even group is a majority",
        source: "hashicorp/raft@163a55f; openraft@d60f1e85",
        laws: &["I-R1", "I-R4", "I-R5"],
        build: core::<HalfIsMajority>(),
        hunts: &[Hunt::Harm(WIDE_4, 1, 20_000)],
    },
    Mistake {
        id: "B-E13",
        mechanism: "votes of nodes that are no voters are counted",
        source: "etcd-io/raft@db54973; hashicorp/raft#398; ktoso/akka-raft#49",
        laws: &["I-R9b", "I-R9c"],
        build: core::<AnybodyVotes>(),
        hunts: &[Hunt::Breadth(STRANGERS, 1_000)],
    },
    Mistake {
        id: "B-E14",
        mechanism: "a refused pre-vote does not teach its term: a short log in a high term and a long log in a low one refuse each other for ever",
        source: "openraft#1796; etcd-io/etcd#8501, #8243; canonical/raft#279; rabbitmq/ra#439",
        laws: &["I-V1"],
        build: core::<RefusalTeachesNothing>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 50_000)],
    },
    Mistake {
        id: "B-E15",
        mechanism: "whom a node voted for counts as its leader, so that the former leader's pre-votes are always refused",
        source: "hashicorp/raft#605/#606",
        laws: &["I-V1"],
        build: core::<FormerLeaderIsRefused>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 50_000)],
    },
    Mistake {
        id: "B-E16",
        mechanism: "a pre-vote counts as a sign of a leader, so that nobody ever campaigns",
        source: "hashicorp/raft#609",
        laws: &["I-R20"],
        build: core::<PreVoteCountsAsLeader>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-E17",
        mechanism: "a pre-vote is granted without a look at the log: a hopeless member deposes leaders again and again",
        source: "ClickHouse/ClickHouse#121252",
        laws: &["I-R4b"],
        build: core::<PreVoteIgnoresLog>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-E19",
        mechanism: "an append that does not fit leaves the election timer running, so that a follower that catches up campaigns",
        source: "redpanda-data/redpanda#30817; baidu/braft#465",
        laws: &["I-R22"],
        build: core::<OnlyMatchesRestartTheTimer>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-E23",
        mechanism: "a leader that hears no quorum goes on, and its heartbeats suppress every election",
        source: "openraft#2079/#2080; signalapp/SecureValueRecovery#4",
        laws: &["I-R24"],
        build: core::<LeadsWithoutQuorum>(),
        hunts: &[Hunt::Walks(WIDE_5, 1, 1_000)],
    },
    Mistake {
        id: "B-Q09",
        mechanism: "a leader whose disk is stalled goes on sending heartbeats: it answers nobody, and nobody else is elected",
        source: "hashicorp/raft#503, #666",
        laws: &["I-V1"],
        build: core::<LeadsWithoutDisk>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F14",
        mechanism: "a vote names the voter's term before it adopted the candidate's, so that the candidate discards it",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-V1"],
        build: Build::PAPER.stepping(answers_in_the_old_term),
        hunts: &[Hunt::Walks(CALM_3, 1, 5_000)],
    },
    Mistake {
        id: "B-F27",
        mechanism: "the quorum is tested only when an answer arrives: a group of one never has a leader",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-V1"],
        build: core::<NeedsAnAnswer>(),
        hunts: &[Hunt::Breadth(ALONE, 100)],
    },
    Mistake {
        id: "B-F28.raft",
        mechanism: "who answers is not compared with who was asked: unknown nodes count as votes",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R1", "I-R4"],
        build: core::<AnybodyVotes>(),
        hunts: &[Hunt::Harm(STRANGERS, 1, 20_000), Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F35.raft",
        mechanism: "terms are cut to 32 bits on their way",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R8"],
        build: core::<TermsOf32Bits>(),
        hunts: &[Hunt::Breadth(LATE_TERMS, 500)],
    },
    Mistake {
        id: "B-F37",
        mechanism: "no pre-vote: whoever times out disturbs a leader that everybody hears",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R21"],
        build: core::<NoPreVote>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000), Hunt::Walks(STEPS_3, 1, 5_000)],
    },
    Mistake {
        id: "B-N3",
        mechanism: "a pre-vote ignores the candidate's log",
        source: "NuRaft, reproduced",
        laws: &["I-R4b"],
        build: core::<PreVoteIgnoresLog>(),
        hunts: &[Hunt::Breadth(PRE_VOTES, 1_000), Hunt::Walks(STEPS_3, 1, 5_000)],
    },
    Mistake {
        id: "B-N4",
        mechanism: "a request sets the receiver's term, even downward",
        source: "NuRaft, reproduced",
        laws: &["I-R8"],
        build: Build::PAPER.stepping(takes_any_term),
        hunts: &[Hunt::Breadth(CONFLICTS, 1_000)],
    },
    Mistake {
        id: "B-N5.raft",
        mechanism: "a vote is given to a node that is in no configuration",
        source: "NuRaft, reproduced",
        laws: &["I-R9c"],
        build: core::<AnybodyMayAsk>(),
        hunts: &[Hunt::Breadth(STRANGERS, 1_000)],
    },
];
