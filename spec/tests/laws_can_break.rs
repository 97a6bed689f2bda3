//! Every local law can break: beside what keeps it stands what differs only in what the law is about, and is told apart.
//!
//! The papers' rules never lead to most of these states, so no run of `step` shows whether a law still looks. Each case is one line: what it is, the law, and
//! whether the law holds.

mod world;

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::{ALL, Broken, Check, Transition, check_pair, check_state, check_transition},
    raft::{
        Effect, Event, Flow, Gate, HardState, Leader, Limits, LogShape, Mark, Message, NodeSet, Params, PendingRead, Progress, Role, Round,
        State,
    },
};
use world::{
    entry, id,
    member::{Member, accepted, append, log_of, read_of},
};

const HOLDS: bool = true;
const BROKEN: bool = false;

fn params(voters: u32) -> Params {
    let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
    Params::new(&ids, Limits { reads_max: 2, ..Limits::default() }).expect("valid")
}

fn check_of(law: &str) -> Check {
    ALL.iter().find(|known| known.id == law).unwrap_or_else(|| panic!("no law {law}")).check
}

/// The law alone says what is expected, in its own name; where it is broken, so does the check of all laws.
fn judge(what: &str, law: &str, expected: bool, one: Result<(), Broken>, all: Result<(), Broken>) {
    let told = one.as_ref().map_err(|broken| broken.law).err();
    assert_eq!(told, (!expected).then_some(law), "{law}, {what}: {one:?}");
    if let Err(broken) = one {
        assert!(broken.to_string().starts_with(&format!("{law} is broken: ")), "{broken}");
        assert!(all.is_err(), "{law}, {what}: all laws together hold");
    }
}

/// Changes a copy.
fn but<T: Clone>(value: &T, change: impl FnOnce(&mut T)) -> T {
    let mut value = value.clone();
    change(&mut value);
    value
}

/// Node 1 in a term, a follower of nobody with a log of these terms.
fn follower(term: u64, log: &[u64]) -> State {
    Member::with(3, term, log).state
}

/// Node 1 as a leader that has heard nothing yet.
fn leader_of(voters: u32, term: u64, log: &[u64]) -> State {
    let last = Index(log.len() as u64);
    let unknown = Progress { matched: Index(0), next: last.next(), round: Round(0), heard: false, flow: Flow::Probe { sent: true } };
    let peers: Vec<(NodeId, Progress)> = (2..=voters).map(|peer| (id(peer), unknown)).collect();
    let peers = serde_json::from_value(serde_json::to_value(peers).expect("JSON")).expect("peers");
    let leader = Leader { opened_at: last, durable: last, peers, round: Round(0), reads: [].into() };
    but(&follower(term, log), |state| {
        state.hard.vote = Some(id(1));
        state.role = Role::Leader(Box::new(leader));
    })
}

fn leader(term: u64, log: &[u64]) -> State {
    leader_of(3, term, log)
}

fn lead(state: &State, change: impl FnOnce(&mut Leader)) -> State {
    but(state, |state| match &mut state.role {
        Role::Leader(leader) => change(leader),
        other => panic!("{other:?}"),
    })
}

/// What a leader knows of its first peer, node 2, changed.
fn peer(state: &State, change: impl FnOnce(&mut Progress)) -> State {
    lead(state, |leader| {
        let mut peers: Vec<(NodeId, Progress)> = leader.peers.iter().map(|(peer, progress)| (peer, *progress)).collect();
        change(&mut peers[0].1);
        leader.peers = serde_json::from_value(serde_json::to_value(peers).expect("JSON")).expect("peers");
    })
}

fn with_role(state: &State, role: Role) -> State {
    but(state, |state| state.role = role)
}

fn committed(state: &State, commit: u64) -> State {
    but(state, |state| state.commit = Index(commit))
}

fn nodes(ids: &[u32]) -> NodeSet {
    let mut set = NodeSet::new();
    ids.iter().for_each(|&node| assert!(set.insert(id(node))));
    set
}

fn read(number: u64, index: u64, round: u64) -> PendingRead {
    PendingRead { id: read_of(1, number), index: Index(index), round: Round(round) }
}

/// Goal: each law of a state tells a state that breaks it from its neighbour.
#[test]
fn states_that_break_a_law_are_told() {
    let plain = follower(2, &[1, 1, 2]);
    let order = |applied, commit| but(&plain, |state| (state.applied, state.commit) = (Index(applied), Index(commit)));
    let holed = |last| {
        let mut json = serde_json::to_value(&plain).expect("JSON");
        json["log"]["last"] = serde_json::json!(last);
        serde_json::from_value::<State>(json).expect("a state")
    };
    let voted = |state: &State, vote| but(state, |state| state.hard.vote = Some(id(vote)));
    let candidate = |term, granted: &[u32]| voted(&with_role(&follower(term, &[2]), Role::Candidate { granted: nodes(granted) }), 1);
    let asking = |granted: &[u32]| with_role(&plain, Role::PreCandidate { granted: nodes(granted) });
    let of = |leader| with_role(&plain, Role::Follower { leader: Some(id(leader)), heard: true });
    let led = leader(2, &[1, 2]);
    let reads = |reads: &[PendingRead]| lead(&led, |leader| leader.reads = reads.iter().copied().collect());
    let cases = [
        ("in order", "I-R17", HOLDS, order(1, 2)),
        ("applied beyond commit", "I-R17", BROKEN, order(2, 1)),
        ("commit beyond the log", "I-R17", BROKEN, order(1, 4)),
        ("a log", "I-N3", HOLDS, holed(3)),
        ("ends before its last run", "I-N3", BROKEN, holed(2)),
        ("an entry of its term", "I-R16", HOLDS, plain.clone()),
        ("an entry of a later term", "I-R16", BROKEN, but(&plain, |state| state.hard.term = Term(1))),
        ("a candidate of a new term", "I-R16", HOLDS, candidate(3, &[1])),
        ("a candidate with an entry of its term", "I-R16", BROKEN, candidate(2, &[1])),
        ("voted for itself", "I-R9b", HOLDS, candidate(3, &[1, 2])),
        ("elected by a stranger", "I-R9b", BROKEN, candidate(3, &[1, 9])),
        ("voted for another", "I-R9b", BROKEN, voted(&candidate(3, &[1]), 2)),
        ("asks voters", "I-R9b", HOLDS, asking(&[1, 2])),
        ("asks a stranger", "I-R9b", BROKEN, asking(&[1, 9])),
        ("leads with its own vote", "I-R9b", HOLDS, led.clone()),
        ("leads with another's vote", "I-R9b", BROKEN, voted(&led, 2)),
        ("leads without a term", "I-R9b", BROKEN, leader(0, &[])),
        ("follows another", "I-R9b", HOLDS, of(2)),
        ("follows itself", "I-R9b", BROKEN, of(1)),
        ("voted for a voter", "I-R9c", HOLDS, voted(&plain, 3)),
        ("voted for a stranger", "I-R9c", BROKEN, voted(&plain, 9)),
        ("knows nothing of its peers", "I-R11", HOLDS, led.clone()),
        ("lacks a peer", "I-R11", BROKEN, leader_of(2, 2, &[1, 2])),
        ("next is what matched", "I-R11", BROKEN, peer(&led, |peer| (peer.matched, peer.next) = (Index(1), Index(1)))),
        ("next is behind it", "I-R11", HOLDS, peer(&led, |peer| (peer.matched, peer.next) = (Index(2), Index(3)))),
        ("next is too far", "I-R11", BROKEN, peer(&led, |peer| peer.next = Index(4))),
        ("matched is too far", "I-R11", BROKEN, peer(&led, |peer| (peer.matched, peer.next) = (Index(3), Index(4)))),
        ("a round that never began", "I-R11", BROKEN, peer(&led, |peer| peer.round = Round(1))),
        ("durable beyond the log", "I-R11", BROKEN, lead(&led, |leader| leader.durable = Index(3))),
        ("opened beyond the log", "I-R11", BROKEN, lead(&led, |leader| leader.opened_at = Index(3))),
        ("waiting for the next round", "I-L2b", HOLDS, reads(&[read(1, 0, 0), read(2, 0, 1)])),
        ("waiting for the one after", "I-L2b", BROKEN, reads(&[read(1, 0, 2)])),
        ("out of order", "I-L2b", BROKEN, reads(&[read(1, 0, 1), read(2, 0, 0)])),
        ("too many", "I-L2b", BROKEN, reads(&[read(1, 0, 0); 3])),
    ];
    for (what, law, expected, state) in cases {
        let Check::State(check) = check_of(law) else { panic!("{law} is no law of a state") };
        judge(what, law, expected, check(&params(3), &state), check_state(&params(3), &state));
    }
}

/// Goal: each law of two members tells a pair that breaks it from its neighbour.
#[test]
fn pairs_that_break_a_law_are_told() {
    let other = |state: &State| but(state, |state| state.id = id(2));
    let led = leader(3, &[1, 3]);
    let [second, later] = [3, 4].map(|term| other(&but(&leader(3, &[1, 3]), |state| state.hard.term = Term(term))));
    let logs = |one: &[u64], two: &[u64]| (follower(4, one), other(&follower(4, two)));
    let known = |one: u64, two: u64| (committed(&follower(3, &[1, 2]), one), committed(&other(&follower(3, &[1, 3])), two));
    let believed = peer(&led, |peer| peer.matched = Index(2));
    let holder = |term, log: &[u64]| (believed.clone(), other(&follower(term, log)));
    let cases = [
        ("two leaders of one term", "I-R1", BROKEN, (led.clone(), second)),
        ("leaders of two terms", "I-R1", HOLDS, (led.clone(), later)),
        ("a leader and itself", "I-R1", HOLDS, (led.clone(), led.clone())),
        ("a leader and a follower", "I-R1", HOLDS, (led, other(&follower(3, &[1])))),
        ("agree at the end, not before", "I-R3", BROKEN, logs(&[1, 1, 3], &[1, 2, 3])),
        ("agree in the middle, not before", "I-R3", BROKEN, logs(&[1, 1, 3, 3, 4], &[1, 2, 3])),
        ("differ in the first entry alone", "I-R3", BROKEN, logs(&[1, 3], &[2, 3])),
        ("part for good", "I-R3", HOLDS, logs(&[1, 1, 2], &[1, 1, 3, 4])),
        ("never agreed", "I-R3", HOLDS, logs(&[1, 1], &[2, 2])),
        ("one is the other's prefix", "I-R3", HOLDS, logs(&[1, 2, 2, 3], &[1, 2])),
        ("differ in what both committed", "I-R5", BROKEN, known(2, 2)),
        ("differ in what one committed", "I-R5", HOLDS, known(2, 1)),
        ("holds what is believed", "I-R12", HOLDS, holder(3, &[1, 3])),
        ("holds less", "I-R12", BROKEN, holder(3, &[1])),
        ("holds something else", "I-R12", BROKEN, holder(3, &[1, 2])),
        ("holds less, in a later term", "I-R12", HOLDS, holder(4, &[1])),
        ("holds something else, in an earlier term", "I-R12", BROKEN, holder(2, &[1, 2])),
    ];
    for (what, law, expected, (one, two)) in cases {
        let Check::Pair(check) = check_of(law) else { panic!("{law} is no law of pairs") };
        judge(what, law, expected, check(&one, &two), check_pair(&one, &two));
        judge(what, law, expected, check(&one, &two), check_pair(&two, &one));
    }
}

/// A step as somebody claims it happened.
struct Step {
    voters: u32,
    before: State,
    event: Event,
    after: State,
    effects: Vec<Effect>,
}

fn step(before: &State, event: &Event, after: &State, effects: &[Effect]) -> Step {
    Step { voters: 3, before: before.clone(), event: event.clone(), after: after.clone(), effects: effects.to_vec() }
}

fn check_steps<const N: usize>(cases: [(&str, &str, bool, Step); N]) {
    for (what, law, expected, Step { voters, before, event, after, effects }) in cases {
        let Check::Transition(check) = check_of(law) else { panic!("{law} is no law of steps") };
        let params = params(voters);
        let transition = Transition { params: &params, before: &before, event: &event, after: &after, effects: &effects };
        judge(what, law, expected, check(&transition), check_transition(&transition));
    }
}

fn receive(message: Message) -> Event {
    Event::Receive { from: id(2), message }
}

fn send(to: u32, message: Message) -> Effect {
    Effect::Send { to: id(to), message, gate: Gate::AfterPersist }
}

fn term_is(state: &State, term: u64) -> State {
    but(state, |state| state.hard.term = Term(term))
}

/// Goal: the laws of terms, votes and words tell a step that breaks them from its neighbour.
#[test]
fn steps_that_break_a_law_of_elections_are_told() {
    let tick = Event::HeartbeatTimeout;
    let plain = follower(3, &[1, 2]);
    let grant = |granted| send(2, Message::RequestVoteResponse { term: Term(3), granted });
    let pre_grant = |granted| send(2, Message::PreVoteResponse { term: Term(4), granted });
    let asks = |last: EntryId| receive(Message::RequestVote { term: Term(3), last });
    let pre_asks = |last: EntryId| receive(Message::PreVote { term: Term(4), last });
    let vote = |state: &State, vote: u32| but(state, |state| state.hard.vote = Some(id(vote)));
    let says = |to, message| step(&plain, &tick, &vote(&plain, 2), &[send(to, message)]);
    let heard = with_role(&plain, Role::Follower { leader: Some(id(3)), heard: true });
    let of = |leader| with_role(&plain, Role::Follower { leader: Some(id(leader)), heard: true });
    let word = |term, newest| receive(append(term, entry(1, 1), &[newest], 0));
    let named = |term: u64, newest: u64| match word(newest, newest) {
        Event::Receive { from, message: Message::AppendEntries { slice, commit, round, .. } } => {
            Event::Receive { from, message: Message::AppendEntries { term: Term(term), slice, commit, round } }
        }
        other => other,
    };
    let goes_on = |voters, heard| Step {
        voters,
        ..step(&peer(&leader_of(voters, 3, &[3]), |peer| peer.heard = heard), &Event::ElectionTimeout, &leader_of(voters, 3, &[3]), &[])
    };
    check_steps([
        ("as up-to-date", "I-R4b", HOLDS, step(&plain, &asks(entry(2, 2)), &plain, &[grant(true)])),
        ("behind", "I-R4b", BROKEN, step(&plain, &asks(entry(2, 1)), &plain, &[grant(true)])),
        ("behind and refused", "I-R4b", HOLDS, step(&plain, &asks(entry(2, 1)), &plain, &[grant(false)])),
        ("behind and only asking", "I-R4b", BROKEN, step(&plain, &pre_asks(entry(1, 9)), &plain, &[pre_grant(true)])),
        ("the term grows", "I-R8", HOLDS, step(&plain, &tick, &term_is(&plain, 4), &[])),
        ("the term shrinks", "I-R8", BROKEN, step(&plain, &tick, &term_is(&plain, 2), &[])),
        ("a first vote", "I-R9", HOLDS, step(&plain, &tick, &vote(&plain, 2), &[])),
        ("a second vote", "I-R9", BROKEN, step(&vote(&plain, 3), &tick, &vote(&plain, 2), &[])),
        ("a vote taken back", "I-R9", BROKEN, step(&vote(&plain, 3), &tick, &plain, &[])),
        ("a vote in another term", "I-R9", HOLDS, step(&vote(&plain, 3), &tick, &term_is(&vote(&plain, 2), 4), &[])),
        ("its own term", "I-R18", HOLDS, says(3, Message::RequestVote { term: Term(3), last: entry(2, 2) })),
        ("a later term", "I-R18", BROKEN, says(3, Message::RequestVote { term: Term(4), last: entry(2, 2) })),
        ("a term not yet entered", "I-R18", HOLDS, says(3, Message::PreVote { term: Term(4), last: entry(2, 2) })),
        ("a term not yet entered, granted", "I-R18", HOLDS, says(3, Message::PreVoteResponse { term: Term(4), granted: true })),
        ("a later term, refused", "I-R18", BROKEN, says(3, Message::PreVoteResponse { term: Term(4), granted: false })),
        ("a vote for whom it was given", "I-R18", HOLDS, says(2, Message::RequestVoteResponse { term: Term(3), granted: true })),
        ("a vote for another", "I-R18", BROKEN, says(3, Message::RequestVoteResponse { term: Term(3), granted: true })),
        ("to itself", "I-R18", BROKEN, says(1, Message::RequestVote { term: Term(3), last: entry(2, 2) })),
        ("changes nothing", "I-R20", HOLDS, step(&plain, &pre_asks(entry(2, 2)), &plain, &[])),
        ("changes the term", "I-R20", BROKEN, step(&plain, &pre_asks(entry(2, 2)), &term_is(&plain, 4), &[])),
        ("another event changes it", "I-R20", HOLDS, step(&plain, &asks(entry(2, 2)), &term_is(&plain, 4), &[])),
        ("hears nobody, grants", "I-R21", HOLDS, step(&plain, &pre_asks(entry(2, 2)), &plain, &[pre_grant(true)])),
        ("hears a leader, grants", "I-R21", BROKEN, step(&heard, &pre_asks(entry(2, 2)), &heard, &[pre_grant(true)])),
        ("hears a leader, refuses", "I-R21", HOLDS, step(&heard, &pre_asks(entry(2, 2)), &heard, &[pre_grant(false)])),
        ("leads, grants", "I-R21", BROKEN, step(&leader(3, &[3]), &pre_asks(entry(3, 1)), &leader(3, &[3]), &[pre_grant(true)])),
        ("restarts", "I-R22", HOLDS, step(&plain, &word(3, 3), &of(2), &[Effect::ResetElectionTimer])),
        ("does not", "I-R22", BROKEN, step(&plain, &word(3, 3), &of(2), &[])),
        ("does not, for older entries", "I-R22", BROKEN, step(&plain, &named(3, 2), &of(2), &[])),
        ("a word of an older term", "I-R22", HOLDS, step(&plain, &named(2, 2), &of(2), &[])),
        ("a word with entries of a later term", "I-R22", HOLDS, step(&plain, &named(3, 4), &of(2), &[])),
        ("a word of nobody's leader", "I-R22", HOLDS, step(&plain, &word(3, 3), &of(3), &[])),
        ("heard by two of three", "I-R24", HOLDS, goes_on(3, true)),
        ("heard by one of three", "I-R24", BROKEN, goes_on(3, false)),
        ("heard by two of four", "I-R24", BROKEN, goes_on(4, true)),
    ]);
}

/// Goal: the laws of logs, commit indices and writes tell a step that breaks them from its neighbour.
#[test]
fn steps_that_break_a_law_of_logs_are_told() {
    let tick = Event::HeartbeatTimeout;
    let led = leader(2, &[1, 2]);
    let plain = follower(3, &[1, 2, 2]);
    let with_log = |terms: &[u64]| but(&plain, |state| state.log = log_of(terms));
    let hard = HardState { term: Term(3), vote: None };
    let mark = Mark { term: Term(3), index: Index(3) };
    let matched = |voters, durable: bool, before: u64, commit: u64| Step {
        voters,
        before: committed(&leader_of(voters, 2, &[1, 2]), before),
        event: tick.clone(),
        after: committed(
            &lead(&peer(&leader_of(voters, 2, &[1, 2]), |peer| peer.matched = Index(2)), |leader| {
                leader.durable = if durable { Index(2) } else { Index(0) };
            }),
            commit,
        ),
        effects: vec![],
    };
    let verified = |event: &Event, commit| step(&plain, event, &committed(&plain, commit), &[]);
    let appends = |commit| receive(append(3, entry(1, 1), &[2], commit));
    let installed = Event::SnapshotReceived { from: id(2), term: Term(3), at: entry(2, 2) };
    let cuts = |event: &Event, commit| {
        let effect = Effect::Persist { hard: None, truncate_from: Some(Index(2)), append: None, mark };
        step(&committed(&plain, commit), event, &with_log(&[1]), &[effect])
    };
    let replaces = |term| receive(append(3, entry(1, 1), &[term], 0));
    let writes = |hard, truncate_from| [Effect::Persist { hard, truncate_from, append: None, mark }];
    let promise = |gate| Effect::Send { to: id(2), message: accepted(4, 3), gate };
    let newer = HardState { term: Term(4), vote: None };
    let write_newer = writes(Some(newer), None)[0].clone();
    let later = term_is(&plain, 4);
    let install = |at, keep_suffix| [Effect::InstallSnapshot { hard, at, keep_suffix, mark }];
    let based = |base: EntryId| but(&plain, |state| state.log = LogShape::new(base));
    let applied = |state: &State, applied| but(state, |state| state.applied = Index(applied));
    check_steps([
        ("appends", "I-R2", HOLDS, step(&led, &tick, &leader(2, &[1, 2, 2]), &[])),
        ("deletes", "I-R2", BROKEN, step(&led, &tick, &leader(2, &[1]), &[])),
        ("changes", "I-R2", BROKEN, step(&led, &tick, &leader(2, &[2, 2]), &[])),
        ("leads another term", "I-R2", HOLDS, step(&led, &tick, &leader(3, &[1]), &[])),
        ("commits", "I-R7", HOLDS, step(&committed(&plain, 1), &tick, &committed(&plain, 2), &[])),
        ("takes it back", "I-R7", BROKEN, step(&committed(&plain, 2), &tick, &committed(&plain, 1), &[])),
        ("changes what is committed", "I-R7", BROKEN, step(&committed(&plain, 2), &tick, &committed(&with_log(&[1, 1, 2]), 2), &[])),
        ("changes what is not", "I-R7", HOLDS, step(&committed(&plain, 1), &tick, &committed(&with_log(&[1, 1, 2]), 1), &[])),
        ("grows", "I-R11b", HOLDS, step(&led, &tick, &peer(&led, |peer| peer.matched = Index(1)), &[])),
        ("shrinks", "I-R11b", BROKEN, step(&peer(&led, |peer| peer.matched = Index(1)), &tick, &led, &[])),
        ("less is durable", "I-R11b", BROKEN, step(&led, &tick, &lead(&led, |leader| leader.durable = Index(1)), &[])),
        ("two of three hold it", "I-R13", HOLDS, matched(3, true, 0, 2)),
        ("one of three holds it", "I-R13", BROKEN, matched(3, false, 0, 2)),
        ("two of four hold it", "I-R13", BROKEN, matched(4, true, 0, 2)),
        ("an entry of an older term", "I-R13", BROKEN, matched(3, true, 0, 1)),
        ("an entry of an older term, long since", "I-R13", HOLDS, matched(3, true, 1, 1)),
        ("what was verified", "I-R14", HOLDS, verified(&appends(3), 2)),
        ("more than was verified", "I-R14", BROKEN, verified(&appends(3), 3)),
        ("more than the leader committed", "I-R14", BROKEN, verified(&appends(1), 2)),
        ("a snapshot", "I-R14", HOLDS, verified(&installed, 2)),
        ("more than a snapshot", "I-R14", BROKEN, verified(&installed, 3)),
        ("for no reason", "I-R14", BROKEN, verified(&tick, 1)),
        ("a conflict", "I-R15", HOLDS, cuts(&replaces(3), 1)),
        ("no conflict", "I-R15", BROKEN, cuts(&replaces(2), 1)),
        ("a conflict with what is committed", "I-R15", BROKEN, cuts(&replaces(3), 2)),
        ("nothing takes its place", "I-R15", BROKEN, cuts(&tick, 1)),
        ("a promise behind its write", "I-R19", HOLDS, step(&plain, &tick, &later, &[write_newer.clone(), promise(Gate::AfterPersist)])),
        ("a promise beside its write", "I-R19", BROKEN, step(&plain, &tick, &later, &[write_newer.clone(), promise(Gate::Now)])),
        ("a promise before its write", "I-R19", BROKEN, step(&plain, &tick, &later, &[promise(Gate::AfterPersist), write_newer])),
        ("writes what changed", "I-R19b", HOLDS, step(&plain, &tick, &with_log(&[1]), &writes(None, Some(Index(2))))),
        ("writes no entries", "I-R19b", BROKEN, step(&plain, &tick, &with_log(&[1]), &writes(None, None))),
        ("writes no term", "I-R19b", BROKEN, step(&plain, &tick, &later, &writes(None, None))),
        ("installs news", "I-N2", HOLDS, step(&plain, &tick, &applied(&based(entry(3, 5)), 5), &install(entry(3, 5), false))),
        ("installs what is committed", "I-N2", BROKEN, step(&committed(&plain, 3), &tick, &plain, &install(entry(2, 3), true))),
        ("keeps what conflicts", "I-N2", BROKEN, step(&plain, &tick, &plain, &install(entry(3, 3), true))),
        ("drops what fits", "I-N2", BROKEN, step(&plain, &tick, &plain, &install(entry(2, 3), false))),
        ("applied goes back", "I-N2", BROKEN, step(&applied(&plain, 2), &tick, &plain, &[])),
        ("the base goes back", "I-N2", BROKEN, step(&based(entry(2, 3)), &tick, &plain, &[])),
    ]);
}

/// Goal: the law of reads tells an answer that was not confirmed.
#[test]
fn reads_that_break_their_law_are_told() {
    let waiting = |voters| lead(&committed(&leader_of(voters, 2, &[1, 2]), 2), |leader| leader.reads = [read(1, 2, 1)].into());
    let answered = |voters, round, change: &dyn Fn(&State) -> State, effect: Effect| {
        let after = lead(&waiting(voters), |leader| (leader.round, leader.reads) = (Round(1), [].into()));
        let after = change(&peer(&after, |peer| peer.round = Round(round)));
        Step { voters, ..step(&waiting(voters), &receive(accepted(2, 2)), &after, &[effect]) }
    };
    let ready = |index| Effect::ReadReady { id: read_of(1, 1), index: Index(index) };
    let respond = |index| send(2, Message::ReadIndexResponse { term: Term(2), id: read_of(1, 1), index: Some(Index(index)) });
    let same = State::clone;
    check_steps([
        ("confirmed", "I-L2", HOLDS, answered(3, 1, &same, ready(2))),
        ("confirmed, from afar", "I-L2", HOLDS, answered(3, 1, &same, respond(2))),
        ("by an older round", "I-L2", BROKEN, answered(3, 0, &same, ready(2))),
        ("by an older round, from afar", "I-L2", BROKEN, answered(3, 0, &same, respond(2))),
        ("by two of four", "I-L2", BROKEN, answered(4, 1, &same, ready(2))),
        ("too early an index", "I-L2", BROKEN, answered(3, 1, &same, ready(1))),
        ("before the opening entry is committed", "I-L2", BROKEN, answered(3, 1, &|state| committed(state, 1), ready(2))),
        ("by a follower", "I-L2", BROKEN, answered(3, 1, &|_| follower(2, &[1, 2]), ready(2))),
    ]);
}
