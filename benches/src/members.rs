//! Three members of one group in one thread: the core alone, or with its outbox. Messages arrive at once, disks answer at once.

use roadstead_spec::{
    Index, NodeId,
    outbox::{Action, Outbox},
    raft::{Effect, Event, HardState, Limits, LogShape, Params, State, recover, step},
};
use std::mem;

/// The members' ids; the first is elected.
pub const IDS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// A member as it stands on an empty disk.
pub fn member(id: NodeId) -> State {
    recover(id, HardState::default(), LogShape::default(), Index(0)).expect("an empty disk recovers")
}

/// The group that the benchmarks use.
pub fn params() -> Params {
    Params::new(&IDS, Limits::default()).expect("three voters")
}

/// A group of three without outboxes: nothing but steps. The first member leads.
pub struct Core {
    params: Params,
    states: [State; 3],
    effects: Vec<Effect>,
    inbox: Vec<(NodeId, Event)>,
}

impl Core {
    /// A group whose first member leads.
    pub fn elected() -> Self {
        let mut core = Self { params: params(), states: IDS.map(member), effects: Vec::new(), inbox: Vec::new() };
        core.run(Event::ElectionTimeout);
        core
    }

    /// Appends `count` entries and steps until every member has them and the leader has committed and applied them; returns how many it has committed.
    pub fn commit(&mut self, count: u32) -> Index {
        self.run(Event::Propose { count });
        self.states[0].commit
    }

    fn run(&mut self, event: Event) {
        self.inbox.push((IDS[0], event));
        while let Some((to, event)) = self.inbox.pop() {
            let Some(state) = self.states.get_mut(to.0 as usize - 1) else { continue };
            step(&self.params, state, event, &mut self.effects);
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::Send { to: peer, message, .. } => self.inbox.push((peer, Event::Receive { from: to, message })),
                    Effect::Persist { mark, .. } => self.inbox.push((to, Event::Persisted { mark })),
                    Effect::Apply { through } => self.inbox.push((to, Event::Applied { through })),
                    Effect::ResetElectionTimer => {}
                    other => unreachable!("nothing fails here: {other:?}"),
                }
            }
        }
    }
}

struct Member {
    state: State,
    outbox: Outbox,
    /// What its outbox let out and nobody has carried out yet.
    actions: Vec<Action>,
}

/// A group of three. All buffers are reused, as a driver does.
pub struct Members {
    params: Params,
    members: [Member; 3],
    effects: Vec<Effect>,
    steps: u64,
}

impl Members {
    /// A group whose first member leads.
    pub fn elected() -> Self {
        let member = |id| Member { state: member(id), outbox: Outbox::new(Index(0)), actions: Vec::new() };
        let mut members = Self { params: params(), members: IDS.map(member), effects: Vec::new(), steps: 0 };
        members.run(Event::ElectionTimeout);
        assert!(members.members[0].state.as_leader().is_some(), "the first member leads");
        members
    }

    /// Appends `count` entries, and works until nothing is left to do: the leader has committed and applied them, every member has them durable.
    pub fn commit(&mut self, count: u32) {
        self.run(Event::Propose { count });
    }

    /// How far the leader has committed.
    pub fn committed(&self) -> Index {
        self.members[0].state.commit
    }

    /// Steps until now, over all members.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn run(&mut self, event: Event) {
        self.step(0, event);
        while self.members.iter().any(|member| !member.actions.is_empty()) {
            (0..self.members.len()).for_each(|place| self.carry_out(place));
        }
    }

    fn step(&mut self, place: usize, event: Event) {
        let Some(member) = self.members.get_mut(place) else { return };
        step(&self.params, &mut member.state, event, &mut self.effects);
        self.steps += 1;
        member.outbox.accept(self.effects.drain(..), &mut member.actions);
    }

    /// Steps the receivers of a member's messages, then tells the member what its own disk and state machine say.
    fn carry_out(&mut self, place: usize) {
        let Some(member) = self.members.get_mut(place) else { return };
        let from = member.state.id;
        let mut actions = mem::take(&mut member.actions);
        let (mut written, mut persisted, mut applied) = (None, None, None);
        for action in actions.drain(..) {
            match action {
                Action::Write { ticket, .. } => written = Some(ticket),
                Action::Send(released) => {
                    let (to, message) = released.into_parts();
                    self.step(to.0 as usize - 1, Event::Receive { from, message });
                }
                Action::Persisted { mark } => persisted = Some(mark),
                Action::Apply { through } => applied = Some(through),
                Action::ResetElectionTimer => {}
                other => unreachable!("nothing fails here: {other:?}"),
            }
        }
        let Some(member) = self.members.get_mut(place) else { return };
        // Nobody sends to itself, so nothing has come into the new one meanwhile.
        member.actions = actions;
        if let Some(ticket) = written {
            member.outbox.durable(ticket, &mut member.actions);
        }
        if let Some(mark) = persisted {
            self.step(place, Event::Persisted { mark });
        }
        if let Some(through) = applied {
            self.step(place, Event::Applied { through });
        }
    }
}
