//! What the transition function costs: a step alone, warm and over ten thousand groups, and a whole commit of three members.
//!
//! `mixed`: one node's share of a busy cluster of three. It leads a third of its groups and follows in the others, and every event goes through all groups
//! before the next one does, so that with ten thousand groups no state is in the nearer caches. Per group that it leads: a proposal, an
//! answer, the own disk's completion, the other answer, the state machine's report, then a heartbeat and its two answers. Per group that it follows: an append, the
//! completion, a heartbeat that brings the commit index, the report. Effects are thrown away; time is the mean per step.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roadstead_benches::{
    clock::{ThreadTime, criterion, per_unit},
    members::{Core, IDS, Members, member, params},
};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Effect, Event, Mark, Message, Params, Role, Round, Run, Slice, State, step},
};

const TERM: Term = Term(1);

/// A node's groups. In each of them the term's first entry is committed.
struct Groups {
    params: Params,
    states: Vec<State>,
    effects: Vec<Effect>,
    last: Index,
    steps: u64,
}

impl Groups {
    fn new(count: usize) -> Self {
        let states = vec![member(IDS[0]); count];
        let mut groups = Self { params: params(), states, effects: Vec::new(), last: Index(1), steps: 0 };
        groups.leaders(|_| Event::ElectionTimeout);
        groups.leaders(|_| Event::Receive { from: IDS[1], message: Message::PreVoteResponse { term: TERM, granted: true } });
        groups.leaders(|_| Event::Receive { from: IDS[1], message: Message::RequestVoteResponse { term: TERM, granted: true } });
        groups.leaders(|_| Event::Persisted { mark: Mark { term: TERM, index: Index(1) } });
        groups.leaders(|_| acknowledgement(IDS[1], Index(1)));
        groups.leaders(|_| acknowledgement(IDS[2], Index(1)));
        groups.followers(|_| append(Index(0), Index(1)));
        groups.followers(|_| append(Index(1), Index(1)));
        let leading = |state: &State| state.as_leader().is_some();
        assert!(groups.states.iter().step_by(3).all(leading), "every third group is led by this node");
        assert!(groups.states.iter().all(|state| state.commit == Index(1)), "each has committed its first entry");
        groups
    }

    /// One entry in each group; returns the steps that it took.
    fn round(&mut self) -> u64 {
        let before = self.steps;
        let (prev, last) = (self.last, self.last.next());
        self.last = last;
        let mark = Mark { term: TERM, index: last };
        self.leaders(|_| Event::Propose { count: 1 });
        self.followers(|_| append(prev, last));
        self.leaders(|_| acknowledgement(IDS[1], last));
        self.followers(|_| Event::Persisted { mark });
        self.leaders(|_| Event::Persisted { mark });
        self.leaders(|_| acknowledgement(IDS[2], last));
        self.leaders(|_| Event::Applied { through: last });
        self.leaders(|_| Event::HeartbeatTimeout);
        self.followers(|_| append(last, last));
        self.leaders(|_| acknowledgement(IDS[1], last));
        self.leaders(|_| acknowledgement(IDS[2], last));
        self.followers(|_| Event::Applied { through: last });
        self.steps - before
    }

    fn leaders(&mut self, event: impl Fn(&State) -> Event) {
        self.each(|place| place % 3 == 0, event);
    }

    fn followers(&mut self, event: impl Fn(&State) -> Event) {
        self.each(|place| place % 3 != 0, event);
    }

    fn each(&mut self, is_meant: impl Fn(usize) -> bool, event: impl Fn(&State) -> Event) {
        for (place, state) in self.states.iter_mut().enumerate() {
            if is_meant(place) {
                step(&self.params, state, event(state), &mut self.effects);
                self.effects.clear();
                self.steps += 1;
            }
        }
    }

    fn check(&self) {
        assert!(self.states.iter().all(|state| (state.commit, state.applied) == (self.last, self.last)), "all groups have come along");
        assert!(self.states.iter().all(|state| !matches!(state.role, Role::Candidate { .. })), "nobody stands for election");
    }
}

fn acknowledgement(from: NodeId, matched: Index) -> Event {
    Event::Receive { from, message: Message::AppendEntriesResponse { term: TERM, result: Ok(matched), round: Round(0) } }
}

/// The leader's entries behind `prev` through `last`; everything through `prev` is committed.
fn append(prev: Index, last: Index) -> Event {
    let id = |index: Index| EntryId { term: if index == Index(0) { Term(0) } else { TERM }, index };
    let mut slice = Slice::empty(id(prev));
    if last > prev {
        slice.last = last;
        slice.runs.push(Run { term: TERM, first: prev.next() });
    }
    Event::Receive { from: IDS[1], message: Message::AppendEntries { term: TERM, slice, commit: prev, round: Round(0) } }
}

fn steps(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    // Three groups at least: one that is led and two that are not.
    for count in [3, 9_999] {
        let mut groups = Groups::new(count);
        group.bench_function(BenchmarkId::new("mixed", format!("{count} groups")), |bencher| {
            bencher.iter_custom(|steps| per_unit(steps, || groups.round()));
        });
        groups.round();
        groups.check();
    }
    group.finish();
}

fn commits(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("commit_of_three");
    for batch in [1, 64] {
        group.throughput(Throughput::Elements(batch.into()));
        let mut core = Core::elected();
        assert_eq!(core.commit(batch), Index(1).plus(batch.into()), "the batch is committed when the call returns");
        group.bench_function(BenchmarkId::new("core alone", format!("batches of {batch}")), |bencher| bencher.iter(|| core.commit(batch)));
        let mut members = Members::elected();
        group.bench_function(BenchmarkId::new("core and outbox", format!("batches of {batch}")), |bencher| {
            bencher.iter(|| members.commit(batch));
        });
        let (steps, before) = (members.steps(), members.committed());
        members.commit(batch);
        assert_eq!(members.committed(), before.plus(batch.into()), "the batch is committed when the call returns");
        println!("batches of {batch}: {} steps each", members.steps() - steps);
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = steps, commits }
criterion_main!(benches);
