//! Engines: they search any [`World`](crate::World) and know nothing of what it models.
//!
//! | engine | finds | cannot say |
//! |---|---|---|
//! | [`breadth`] | the *shortest* counterexample under symmetry; that there is none within the bounds | anything about what needs wider bounds |
//! | [`stateright`] | the same number of states by another program; paths for the Explorer | which counterexample is the shortest |
//! | [`walk`] | deep and wide mistakes, millions of steps a second | that there is none |
//! | [`alike`](fn@alike) | two states that symmetry takes for one and that behave differently | anything about laws |
//! | [`script`](mod@script) | whether one known story still ends as it did | anything else |
//!
//! What they report is the same whatever the number of threads, unless a limit of time or memory ended the search.

mod alike;
pub mod breadth;
mod caught;
mod erased;
mod first_seen;
mod found;
mod measure;
mod random;
pub mod script;
pub mod stateright;
pub mod walk;
mod watch;

pub use alike::{Alike, Unlike, alike};
pub use caught::NO_PANIC;
pub use erased::{Search, Unreadable, erase};
pub use first_seen::FirstSeen;
pub use found::{Counterexample, Found};
pub use measure::{Cost, Stopwatch, cores, resident_bytes};
pub use script::{Impossible, Scripted};
pub use watch::{Progress, Unwatched, Watch};
