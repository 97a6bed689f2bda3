//! Mistakes that were really made, each put back by overriding one rule: the laws and the random schedules must catch every one. A check that cannot
//! fail shows nothing. (Those that random schedules miss have scripts in
//! `paper_safety.rs`, `paper_snapshots.rs` and `paper_reads.rs`.)

mod world;

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Gate, HardState, Leader, LogShape, Params, Role, Round, Rules, Slice, State, TermAt, step_with},
};
use world::{StepFn, random::run_under};

/// Runs schedules under a mutant until one fails. `laws`: whether the local laws judge too, or only the history.
fn check(name: &str, step: StepFn, voters: u32, laws: bool) {
    for seed in 0..3_000 {
        if let (_, Err(wrong)) = run_under(seed, voters, 400, step, laws) {
            println!("{name}: killed by seed {seed}, laws {laws}: {}", wrong.lines().next().unwrap_or_default());
            return;
        }
    }
    panic!("{name} survives with {voters} voters, laws {laws}: the checks see nothing");
}

macro_rules! mutants {
    ($($(#[doc = $doc:literal])* $test:ident, $mutant:ident, $voters:literal, [$($laws:literal)*] { $($rule:item)* })*) => {$(
        struct $mutant;
        impl Rules for $mutant { $($rule)* }
        $(#[doc = $doc])*
        #[test]
        fn $test() {
            $(check(stringify!($test), step_with::<$mutant>, $voters, $laws);)*
        }
    )*};
}

mutants! {
    /// Stepping down within a term forgets the vote: a second vote. (eliben/raft#27, etcd-io/etcd#2461)
    e01_step_down_forgets_the_vote, StepDownForgetsVote, 3, [true] {
        fn hard_after(_: HardState, seen: Term) -> HardState { HardState { term: seen, vote: None } }
    }
    /// Votes leave before they are durable. (bakwc/PySyncObj#202, ongardie/raft.tla#5)
    e02_vote_before_disk, VoteBeforeDisk, 3, [true false] {
        fn vote_gate() -> Gate { Gate::Now }
    }
    /// Only a log that is behind in both term and index is refused. (openraft@a48a3282 in reverse, markwylde/liferaft#8)
    e06_any_log_is_up_to_date, AnyLogIsUpToDate, 3, [true false] {
        fn is_up_to_date(_: EntryId, _: EntryId) -> bool { true }
    }
    /// Votes of an older election count. (SandTable, Xraft#33)
    e08_old_votes_count, OldVotesCount, 3, [false] {
        fn counts_vote(_: Term, _: Term, granted: bool) -> bool { granted }
    }
    /// A majority is half of an even group. (hashicorp/raft@163a55f)
    e12_half_is_a_majority, HalfIsMajority, 4, [true false] {
        fn quorum(voters: usize) -> usize { voters.div_ceil(2) }
    }
    /// An older term's entry is committed by counting. (figure 8; logcabin#44, PySyncObj#169)
    c01_old_term_committed_by_counting, OldTermByCounting, 3, [true] {
        fn may_commit(log: &LogShape, _: Term, index: Index) -> bool { matches!(log.term_at(index), TermAt::Known(_)) }
    }
    /// A late append truncates a suffix that matches. (openraft@9540c904)
    c03_matching_suffix_truncated, MatchingSuffixTruncated, 3, [true false] {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            let first = slice.prev.index.max(log.base().index).next();
            (first <= slice.last).then_some(first)
        }
    }
    /// The follower's commit index goes back. (PySyncObj#166)
    c04_commit_goes_back, CommitGoesBack, 3, [true] {
        fn follower_commit(_: &State, leader_commit: Index, verified: Index) -> Index { leader_commit.min(verified) }
    }
    /// The follower commits what this message did not verify. (SandTable, WRaft#118.2)
    c05_commit_beyond_the_verified, CommitBeyondVerified, 3, [true false] {
        fn follower_commit(state: &State, leader_commit: Index, _: Index) -> Index { state.commit.max(leader_commit.min(state.log.last())) }
    }
    /// A late acknowledgement takes the match index back. (PySyncObj#167)
    c06_late_acknowledgement_counts, LateAcknowledgementCounts, 3, [true] {
        fn matched_after(_: Index, acknowledged: Index) -> Index { acknowledged }
    }
    /// A leader counts its own copy before it is durable. (etcd-io/etcd#14370, openraft@a9f696a9)
    c09_own_copy_counts_too_early, OwnCopyTooEarly, 3, [false] {
        fn durable_after_append(_: Index, last: Index) -> Index { last }
    }
    /// The same in a group of one.
    c09_own_copy_counts_too_early_alone, OwnCopyTooEarlyAlone, 1, [false] {
        fn durable_after_append(_: Index, last: Index) -> Index { last }
    }
    /// A follower acknowledges what is not durable. (openraft@ee460f37)
    c10_acknowledged_before_disk, AcknowledgedBeforeDisk, 3, [true false] {
        fn append_answer_gate() -> Gate { Gate::Now }
    }
    /// The follower acknowledges its own last index, verified or not. (ResilientDB's Raft branch)
    o01_acknowledges_its_own_last, AcknowledgesOwnLast, 3, [true false] {
        fn verified(log: &LogShape, _: &Slice) -> Index { log.last() }
    }
    /// Reads are answered before the leader knows what is committed. (etcd-io/etcd#7331)
    r01_reads_before_the_opening_entry, ReadsBeforeOpening, 3, [true false] {
        fn may_answer_reads(_: &Leader, _: Index) -> bool { true }
        fn read_index(_: &Leader, read: &roadstead_spec::raft::PendingRead) -> Index { read.index }
    }
    /// A round that began before the read confirms it. (etcd-io/etcd#20418)
    r02_older_round_confirms, OlderRoundConfirms, 3, [true] {
        fn read_round(leader: &Leader) -> Round { leader.round }
    }
    /// Reads are served without a quorum. (deventlab/d-engine#381)
    r03_read_without_a_quorum, ReadWithoutQuorum, 3, [true] {
        fn confirmed_round(_: &Params, leader: &Leader) -> Round { leader.round }
    }
    /// An old snapshot replaces a newer log. (camunda/camunda#6092)
    s02_old_snapshot_installed, OldSnapshotInstalled, 3, [true] {
        fn installs(_: &State, _: EntryId) -> bool { true }
    }
    /// A granted pre-vote counts as a sign of a leader: nobody ever campaigns. (hashicorp/raft#609)
    e16_pre_vote_counts_as_a_leader, PreVoteCountsAsLeader, 3, [true] {
        fn heard_after_pre_vote(_: bool) -> bool { true }
    }
    /// A term opens without an entry: what older leaders left is never known to be committed. (ResilientDB's Raft branch)
    o11_no_opening_entry, NoOpeningEntry, 3, [true false] {
        fn opening_entries() -> u64 { 0 }
    }
    /// A follower that hears a leader grants pre-votes: the leader is disturbed again and again. (dissertation §4.2.3)
    heard_leader_is_disturbed, HeardLeaderIsDisturbed, 3, [true] {
        fn grants_pre_vote(state: &State, from: NodeId, term: Term, last: EntryId) -> bool {
            !matches!(state.role, Role::Leader(_)) && Self::grants_vote(Self::hard_after(state.hard, term), &state.log, from, term, last)
        }
    }
}
