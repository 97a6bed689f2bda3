//! What can be reached: each outcome of each rule, in each role; and what cannot, or is not, each with its reason.

macro_rules! points {
    ($($name:ident: $rule:literal, $outcome:literal $(, not as [$($role:literal)*]: $reason:ident)*;)*) => {
        /// An outcome of a rule.
        #[derive(Clone, Copy)]
        pub(super) enum Point { $($name,)* }
        /// Rules, their outcomes, and the roles (`f`, `p`, `c`, `l`) in which they are not reached.
        pub(super) const POINTS: &[(&str, &str, &[(&[char], &str)])] = &[$(($rule, $outcome, &[$((&[$($role),*], $reason)),*]),)*];
    };
}

const ONLY_A_LEADER: &str = "only a leader asks";
const ONLY_A_FOLLOWER: &str = "only a follower remembers whether it heard a leader";
const ONLY_WHO_ASKS: &str = "only who asked for votes counts them";
const ONLY_A_PRE_CANDIDATE: &str = "who campaigns was a pre-candidate, or is alone and asks nobody";
const LEADS_ALREADY: &str = "it leads already";
const NOT_AT_ONCE: &str = "a pre-candidate has others to ask, so it is a candidate before it leads";
const A_LEADER_GRANTS_NONE: &str = "a leader grants none";
const UNREACHED_SO_FAR: &str =
    "it can be: after an error a leader goes back this far for who has not answered in its term; no walk of this length comes there";
const OVERTAKEN_AND_ELECTED: &str =
    "it can be: a snapshot overtakes applying, and an election comes before that applying ends; no walk of this length comes there";

points! {
    Hears: "hears", "yes";
    HearsNot: "hears", "no";
    TermOf: "term_of", "a term";
    TermOfNone: "term_of", "none";
    HardNewer: "hard_after", "a newer term";
    HardSame: "hard_after", "the same term";
    UpToDate: "is_up_to_date", "yes";
    NotUpToDate: "is_up_to_date", "no";
    PreVoteGranted: "grants_pre_vote", "yes", not as ['l']: A_LEADER_GRANTS_NONE;
    PreVoteRefused: "grants_pre_vote", "no";
    HeardStays: "heard_after_pre_vote", "stays", not as ['p' 'c' 'l']: ONLY_A_FOLLOWER;
    VoteGranted: "grants_vote", "yes";
    VoteRefused: "grants_vote", "no";
    VoteCounted: "counts_vote", "yes", not as ['f' 'l']: ONLY_WHO_ASKS;
    VoteNotCounted: "counts_vote", "no", not as ['f' 'l']: ONLY_WHO_ASKS;
    Elected: "elects", "yes", not as ['l']: LEADS_ALREADY;
    NotElected: "elects", "no", not as ['l']: LEADS_ALREADY;
    AsksGated: "request_vote_gate", "after persist", not as ['f' 'c' 'l']: ONLY_A_PRE_CANDIDATE;
    VoteGated: "vote_gate", "after persist";
    StillLeads: "still_leads", "yes", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    LeadsNoMore: "still_leads", "no", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Stalled: "leads_on_stalled_disk", "no", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Opening: "opening_entries", "one", not as ['p']: NOT_AT_ONCE, not as ['l']: LEADS_ALREADY;
    PrevKnown: "prev_matches", "known, the same term";
    PrevOther: "prev_matches", "known, another term";
    PrevCompacted: "prev_matches", "compacted", not as ['c' 'l']: UNREACHED_SO_FAR;
    PrevBeyond: "prev_matches", "beyond";
    TimerMatches: "restarts_election_timer", "entries fit";
    TimerRefused: "restarts_election_timer", "entries do not fit";
    NothingMissing: "first_missing", "nothing";
    AppendsBehind: "first_missing", "behind the end";
    Truncates: "first_missing", "within the log";
    Verified: "verified", "the slice's last";
    FollowerCommits: "follower_commit", "raised";
    FollowerKeeps: "follower_commit", "kept";
    AppendGated: "append_answer_gate", "after persist";
    DurableAtStart: "durable_at_start", "nothing", not as ['p']: NOT_AT_ONCE, not as ['l']: LEADS_ALREADY;
    DurableAppended: "durable_after_append", "unchanged", not as ['p']: NOT_AT_ONCE;
    DurableRaised: "durable_after", "raised", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    DurableOldTerm: "durable_after", "of an older term", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    MatchedRaised: "matched_after", "raised", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    MatchedKept: "matched_after", "kept", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    QuorumIndex: "quorum_index", "asked", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Commits: "may_commit", "yes", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    CommitsNot: "may_commit", "no", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Retries: "retry_at", "within the log", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    RetriesBelow: "retry_at", "below the log", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Beats: "beats_during_snapshot", "yes", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    ReadNext: "read_round", "the next", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    RoundConfirmed: "confirmed_round", "the newest", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    RoundOpen: "confirmed_round", "an older one", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    ReadsMay: "may_answer_reads", "yes", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    ReadsMayNot: "may_answer_reads", "no", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    ReadAtCommit: "read_index", "when it arrived", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    ReadAtOpening: "read_index", "the opening entry", not as ['f' 'p' 'c']: ONLY_A_LEADER;
    Installs: "installs", "yes", not as ['l']: UNREACHED_SO_FAR;
    InstallsNot: "installs", "no", not as ['c' 'l']: UNREACHED_SO_FAR;
    KeepsSuffix: "keeps_suffix", "yes", not as ['c' 'l']: UNREACHED_SO_FAR;
    KeepsNothing: "keeps_suffix", "no", not as ['l']: UNREACHED_SO_FAR;
    AppliedRaised: "applied_after", "raised";
    AppliedLate: "applied_after", "late", not as ['c' 'l']: OVERTAKEN_AND_ELECTED;
    Compacts: "compact_through", "something";
    CompactsNothing: "compact_through", "nothing";
    SendsNow: "outbox send_after", "at once";
    SendsLater: "outbox send_after", "behind a write";
    SendsDurable: "outbox send_after", "behind a durable write";
    WaitsPersist: "outbox gates_wait_for", "a persist";
    WaitsInstall: "outbox gates_wait_for", "a snapshot", not as ['l']: UNREACHED_SO_FAR;
    AppliesAll: "outbox apply_through", "all that is committed";
    AppliesLess: "outbox apply_through", "what is durable";
    CompactsLater: "outbox compact_after", "behind a write";
    CompactsNow: "outbox compact_after", "behind a durable write";
}
