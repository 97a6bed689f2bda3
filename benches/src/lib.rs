//! What the benchmarks in `benches/` share: a clock that other processes do not disturb, and whole groups in one thread.
//!
//! `docs/performance.md` has the figures and the commands.

pub mod clock;
pub mod members;
