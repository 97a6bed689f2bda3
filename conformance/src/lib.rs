//! Judges runs of real nodes afterwards.
//!
//! A node that is started with `--trace DIR` records everything that it was told and did (`roadstead_spec::trace`). [`replay()`] reads the records of all nodes and
//! executes them again: every step of the core gives the recorded effects and state, every law holds along it, and what the runtime did is what the outbox
//! allowed it to do: the duties DUTY-1 to DUTY-6.
//!
//! What `spec` decides is executed, not described a second time; what the runtime owes is described here, once, and on purpose in other words than those of
//! `impl` and of the core: [`judge`] keeps a disk, a mail-box and a list of unsent messages of its own.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod coverage;
pub mod dump;
pub mod files;
pub mod judge;
pub mod linear;
pub mod nemesis;
pub mod print;
pub mod replay;
pub mod sim;
pub mod stream;
pub mod tla;
pub mod verdict;

pub use replay::{Options, replay};
