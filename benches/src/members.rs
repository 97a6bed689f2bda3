//! Three members of one group in one thread: the core and its outbox, nothing else. Messages arrive at once, disks answer at once.

use roadstead_spec::{
    Index, NodeId,
    outbox::{Action, Outbox, Ticket},
    raft::{Effect, Event, HardState, Limits, LogShape, Mark, Params, State, recover, step},
};
use std::collections::VecDeque;

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

struct Member {
    state: State,
    outbox: Outbox,
    /// What its disk is to make durable.
    written: Option<Ticket>,
    /// What its core is to be told.
    persisted: Option<Mark>,
    applied: Option<Index>,
}

/// A group of three. All buffers are reused, as a driver does.
pub struct Members {
    params: Params,
    members: [Member; 3],
    mail: VecDeque<(NodeId, Event)>,
    effects: Vec<Effect>,
    actions: Vec<Action>,
    steps: u64,
}

impl Members {
    /// A group whose first member leads.
    pub fn elected() -> Self {
        let member = |id| Member { state: member(id), outbox: Outbox::new(Index(0)), written: None, persisted: None, applied: None };
        let mut members =
            Self { params: params(), members: IDS.map(member), mail: VecDeque::new(), effects: Vec::new(), actions: Vec::new(), steps: 0 };
        members.run(0, Event::ElectionTimeout);
        assert!(members.members[0].state.as_leader().is_some(), "the first member leads");
        members
    }

    /// Appends `count` entries, and works until nothing is left to do: the leader has committed and applied them, every member has them durable.
    pub fn commit(&mut self, count: u32) {
        self.run(0, Event::Propose { count });
    }

    /// How far the leader has committed.
    pub fn committed(&self) -> Index {
        self.members[0].state.commit
    }

    /// Steps until now, over all members.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn run(&mut self, place: usize, event: Event) {
        self.step(place, event);
        while let Some((to, event)) = self.mail.pop_front() {
            self.step(to.0 as usize - 1, event);
        }
    }

    /// One event, and what the member's own disk and state machine say to it.
    fn step(&mut self, place: usize, event: Event) {
        let Some(member) = self.members.get_mut(place) else { return };
        step(&self.params, &mut member.state, event, &mut self.effects);
        self.steps += 1;
        member.outbox.accept(self.effects.drain(..), &mut self.actions);
        member.carry_out(&mut self.actions, &mut self.mail);
        if let Some(ticket) = member.written.take() {
            member.outbox.durable(ticket, &mut self.actions);
            member.carry_out(&mut self.actions, &mut self.mail);
        }
        if let Some(mark) = member.persisted.take() {
            self.step(place, Event::Persisted { mark });
        } else if let Some(through) = member.applied.take() {
            self.step(place, Event::Applied { through });
        }
    }
}

impl Member {
    fn carry_out(&mut self, actions: &mut Vec<Action>, mail: &mut VecDeque<(NodeId, Event)>) {
        let from = self.state.id;
        for action in actions.drain(..) {
            match action {
                Action::Write { ticket, .. } => self.written = Some(ticket),
                Action::Send(released) => {
                    let (to, message) = released.into_parts();
                    mail.push_back((to, Event::Receive { from, message }));
                }
                Action::Persisted { mark } => self.persisted = Some(mark),
                Action::Apply { through } => self.applied = Some(through),
                Action::ResetElectionTimer => {}
                other => unreachable!("nothing fails here: {other:?}"),
            }
        }
    }
}
