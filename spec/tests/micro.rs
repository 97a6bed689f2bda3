//! What a step costs: time over many groups, and that nothing grows with the number of entries. Figures:
//! `cargo test --release -p roadstead-spec --test micro -- --nocapture --test-threads 1`.

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Effect, Event, HardState, Limits, LogShape, Mark, Message, Params, Round, Run, Slice, State, recover, step},
};
use std::time::{Duration, Instant};

/// Groups of three, all three members of each in one thread; messages are handed over at once, disks answer at once.
struct Groups {
    params: Params,
    states: Vec<[State; 3]>,
    effects: Vec<Effect>,
    inbox: Vec<(NodeId, Event)>,
    steps: u64,
}

impl Groups {
    fn new(groups: usize) -> Self {
        let ids = [NodeId(1), NodeId(2), NodeId(3)];
        let params = Params::new(&ids, Limits::default()).expect("valid");
        let member = |id| recover(id, HardState::default(), LogShape::default(), Index(0)).expect("empty");
        let states = (0..groups).map(|_| ids.map(member)).collect();
        Self { params, states, effects: Vec::new(), inbox: Vec::new(), steps: 0 }
    }

    /// Steps an event, and everything that follows from it.
    fn run(&mut self, group: usize, to: NodeId, event: Event) {
        self.inbox.push((to, event));
        while let Some((to, event)) = self.inbox.pop() {
            let state = &mut self.states[group][to.0 as usize - 1];
            step(&self.params, state, event, &mut self.effects);
            self.steps += 1;
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::Send { to: peer, message, .. } => self.inbox.push((peer, Event::Receive { from: to, message })),
                    Effect::Persist { mark, .. } if state.as_leader().is_some() => self.inbox.push((to, Event::Persisted { mark })),
                    _ => {}
                }
            }
        }
    }
}

fn per_step(name: &str, groups: &mut Groups, mut work: impl FnMut(&mut Groups)) -> Duration {
    let (before, start) = (groups.steps, Instant::now());
    work(groups);
    let (steps, elapsed) = (groups.steps - before, start.elapsed());
    let each = elapsed / u32::try_from(steps).expect("few");
    println!("{name}: {steps} steps, {each:?} each");
    each
}

#[test]
fn a_step_is_cheap() {
    let rounds = if cfg!(debug_assertions) { 3 } else { 100 };
    for count in [1, 10_000] {
        let mut groups = Groups::new(count);
        per_step(&format!("{count} groups, election"), &mut groups, |groups| {
            (0..count).for_each(|group| groups.run(group, NodeId(1), Event::ElectionTimeout));
        });
        let repeat = rounds * 10_000 / count;
        per_step(&format!("{count} groups, one entry at a time"), &mut groups, |groups| {
            for _ in 0..repeat {
                (0..count).for_each(|group| groups.run(group, NodeId(1), Event::Propose { count: 1 }));
            }
        });
        per_step(&format!("{count} groups, heartbeats"), &mut groups, |groups| {
            for _ in 0..repeat {
                (0..count).for_each(|group| groups.run(group, NodeId(1), Event::HeartbeatTimeout));
            }
        });
        for states in &groups.states {
            let leader = &states[0];
            assert_eq!((leader.commit, states[1].log.last()), (Index(repeat as u64 + 1), leader.log.last()));
            assert_eq!(leader.log.runs().len(), 1, "one run for one term, however many entries");
        }
    }
}

/// The steps alone, member by member: events are made beforehand, effects are thrown away.
#[test]
fn a_step_alone_is_cheap() {
    let count = 10_000;
    let repeat: u64 = if cfg!(debug_assertions) { 3 } else { 100 };
    let mut groups = Groups::new(count);
    (0..count).for_each(|group| groups.run(group, NodeId(1), Event::ElectionTimeout));
    let Groups { params, states, effects, .. } = &mut groups;
    let mut each = |member: usize, event: Event| {
        for states in states.iter_mut() {
            step(params, &mut states[member], event.clone(), effects);
            effects.clear();
        }
    };
    let answer = |index: u64| Message::AppendEntriesResponse { term: Term(1), result: Ok(Index(index)), round: Round(0) };
    let start = Instant::now();
    for index in 2..2 + repeat {
        each(0, Event::Propose { count: 1 });
        each(0, Event::Receive { from: NodeId(2), message: answer(index) });
        each(0, Event::Persisted { mark: Mark { term: Term(1), index: Index(index) } });
        each(0, Event::Receive { from: NodeId(3), message: answer(index) });
    }
    println!("leader: {:?} each", start.elapsed() / (4 * repeat as u32 * count as u32));
    let start = Instant::now();
    for index in 2..2 + repeat {
        let mut slice = Slice::empty(EntryId { term: Term(1), index: Index(index - 1) });
        slice.last = Index(index);
        slice.runs.push(Run { term: Term(1), first: Index(index) });
        let append = Message::AppendEntries { term: Term(1), slice: slice.clone(), commit: Index(index - 1), round: Round(0) };
        each(1, Event::Receive { from: NodeId(1), message: append });
        let beat = Message::AppendEntries { term: Term(1), slice: Slice::empty(slice.last_id()), commit: Index(index), round: Round(0) };
        each(1, Event::Receive { from: NodeId(1), message: beat });
    }
    println!("follower: {:?} each", start.elapsed() / (2 * repeat as u32 * count as u32));
    for states in &groups.states {
        assert_eq!((states[0].commit, states[1].commit), (Index(repeat + 1), Index(repeat + 1)));
    }
}

/// A million entries cost what one costs: the same effects, and a shape of one run.
#[test]
fn entries_cost_nothing() {
    let shape_of = |count: u32| {
        let mut groups = Groups::new(1);
        groups.params = Params::new(
            &[NodeId(1), NodeId(2), NodeId(3)],
            Limits { slice_entries_max: u32::MAX, inflight_entries_max: u32::MAX, ..Limits::default() },
        )
        .expect("valid");
        groups.run(0, NodeId(1), Event::ElectionTimeout);
        let before = groups.steps;
        groups.run(0, NodeId(1), Event::Propose { count });
        let states = &groups.states[0];
        assert_eq!(states[0].commit, Index(u64::from(count) + 1));
        (groups.steps - before, states.each_ref().map(|state| state.log.runs().len()))
    };
    assert_eq!(shape_of(1), shape_of(1_000_000));
}

/// Sizes that memory per group and copies per message rest on.
#[test]
fn sizes_stay_small() {
    assert!(size_of::<State>() <= 128, "{}", size_of::<State>());
    assert!(size_of::<Message>() <= 128, "{}", size_of::<Message>());
    assert!(size_of::<Effect>() <= 144, "{}", size_of::<Effect>());
    assert!(size_of::<Event>() <= 144, "{}", size_of::<Event>());
    println!(
        "state {}, message {}, effect {}, event {}",
        size_of::<State>(),
        size_of::<Message>(),
        size_of::<Effect>(),
        size_of::<Event>()
    );
}
