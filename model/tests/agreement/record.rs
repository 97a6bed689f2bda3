//! Production's functions, noting what they are told and what they answer: one action of the world may be several steps of `spec`.
//!
//! A build is three plain functions, which carry nothing; so the build that is recorded and the notes are the thread's.

use roadstead_model::raft::Build;
use roadstead_spec::{
    NodeId,
    outbox::{Action, Outbox, Ticket, Write},
    raft::{Effect, Event, Message, Params, State},
};
use std::cell::{Cell, RefCell};

/// What happened within an action of the world, in order.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// A step of the core.
    Stepped { before: Box<State>, event: Event, after: Box<State> },
    /// The outbox took its effects.
    Accepted(Released),
    /// The oldest write became durable, at the member whose core steps next.
    Durable(Released),
}

/// What an outbox said is to be done, and how it was afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Released {
    pub(crate) writes: Vec<Write>,
    pub(crate) sends: Vec<(NodeId, Message)>,
    pub(crate) outbox: Box<Outbox>,
}

impl Released {
    fn new(actions: &[Action], outbox: &Outbox) -> Self {
        let (mut writes, mut sends) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Write { write, .. } => writes.push(write.clone()),
                Action::Send(released) => sends.push((released.to(), released.message().clone())),
                Action::Persisted { .. }
                | Action::Installed { .. }
                | Action::Apply { .. }
                | Action::Compact { .. }
                | Action::ReadReady { .. }
                | Action::Refuse { .. }
                | Action::SendSnapshot { .. }
                | Action::ResetElectionTimer
                | Action::Overflow { .. }
                | Action::Halt { .. } => {}
            }
        }
        Self { writes, sends, outbox: Box::new(outbox.clone()) }
    }
}

thread_local! {
    static RECORDED: Cell<Build> = const { Cell::new(Build::PAPER) };
    static NOTES: RefCell<Vec<Note>> = const { RefCell::new(Vec::new()) };
}

/// The same build, noting what it does on this thread. One at a time.
pub(crate) fn recorded(build: Build) -> Build {
    RECORDED.set(build);
    Build { step, accept, durable, ..build }
}

/// What was noted since the last call.
pub(crate) fn notes() -> Vec<Note> {
    NOTES.take()
}

fn note(note: Note) {
    NOTES.with_borrow_mut(|notes| notes.push(note));
}

fn step(params: &Params, state: &mut State, event: Event, effects: &mut Vec<Effect>) {
    let before = Box::new(state.clone());
    (RECORDED.get().step)(params, state, event.clone(), effects);
    note(Note::Stepped { before, event, after: Box::new(state.clone()) });
}

fn accept(outbox: &mut Outbox, effects: &mut Vec<Effect>, out: &mut Vec<Action>) {
    let first = out.len();
    (RECORDED.get().accept)(outbox, effects, out);
    note(Note::Accepted(Released::new(&out[first..], outbox)));
}

fn durable(outbox: &mut Outbox, ticket: Ticket, out: &mut Vec<Action>) {
    let first = out.len();
    (RECORDED.get().durable)(outbox, ticket, out);
    note(Note::Durable(Released::new(&out[first..], outbox)));
}
