//! The Raft core: one pure transition function over a small state.

mod effect;
mod event;
mod log;
mod message;

pub use effect::{Append, Effect, Gate, HardState, Law, Mark, Origin, Refused};
pub use event::Event;
pub use log::{Run, SLICE_RUNS_MAX, Slice};
pub use message::{BEHIND_RUNS_MAX, Behind, Message, ReadId, Round};
