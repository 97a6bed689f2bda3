//! What a world is built of: the production functions, or a mistake put back from outside.

use super::Environment;
use roadstead_spec::{
    outbox::{self, Action, Outbox, OutboxRules, Ticket},
    raft::{self, Effect, Event, Params, Rules, State, step_with},
};

/// `spec::raft::step`, or something in its place.
pub type StepFn = fn(&Params, &mut State, Event, &mut Vec<Effect>);
/// `Outbox::accept`, or something in its place. Empties the effects.
pub type AcceptFn = fn(&mut Outbox, &mut Vec<Effect>, &mut Vec<Action>);
/// `Outbox::durable`, or something in its place.
pub type DurableFn = fn(&mut Outbox, Ticket, &mut Vec<Action>);

/// Everything that decides, by function pointers: worlds and engines are compiled once, and production code carries no switch.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The transition function.
    pub step: StepFn,
    /// The outbox takes effects.
    pub accept: AcceptFn,
    /// The outbox hears of the disk.
    pub durable: DurableFn,
    /// The rest of the node.
    pub environment: Environment,
}

impl Build {
    /// What production runs, in an environment that does its duties.
    pub const PAPER: Self = Self::of::<raft::Paper, outbox::Paper>();

    /// Under these rules.
    pub const fn of<R: Rules, O: OutboxRules>() -> Self {
        Self { step: step_with::<R>, accept: accept::<O>, durable: durable::<O>, environment: Environment::DUTIFUL }
    }

    /// With another transition function.
    pub const fn stepping(self, step: StepFn) -> Self {
        Self { step, ..self }
    }

    /// With another environment.
    pub const fn within(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }
}

fn accept<O: OutboxRules>(outbox: &mut Outbox, effects: &mut Vec<Effect>, out: &mut Vec<Action>) {
    outbox.accept_with::<O>(effects.drain(..), out);
}

fn durable<O: OutboxRules>(outbox: &mut Outbox, ticket: Ticket, out: &mut Vec<Action>) {
    outbox.durable_with::<O>(ticket, out);
}
