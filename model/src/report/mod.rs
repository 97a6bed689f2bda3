//! What runs of the catalog mean: verdicts, tables, stories, documents. Nothing here prints.

mod checked;
mod hunted;
mod markdown;
mod order;
mod story;
mod text;
mod walked;

pub use checked::{CROSS_CHECK_STATES_MAX, Checked, CrossCheck, check};
pub use hunted::{Hunted, Verdict, hunt};
pub use markdown::mutants_document;
pub use order::disorder;
pub use story::{Origin, Saved, told};
pub use text::{Lines, count, duration, probability, rate, table};
pub use walked::{Strolled, stroll};

use serde::Serialize;

use crate::engine::{FirstSeen, Search};

/// A sight and the least number of steps after which it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SightSeen {
    /// The sight.
    pub name: &'static str,
    /// After how many steps; none if it was not seen.
    pub depth: Option<u32>,
}

/// All sights of a world with when they were seen.
fn sights(system: &dyn Search, first: &FirstSeen) -> Vec<SightSeen> {
    system.sights().iter().enumerate().map(|(number, sight)| SightSeen { name: sight.name, depth: first.depth(number) }).collect()
}

/// The sights of a world that none of its runs saw: laws that are their twins hold for want of anything to break them.
pub fn unseen<'a>(world: &str, checked: &'a [Checked], strolled: &'a [Strolled]) -> Vec<&'static str> {
    let runs = || {
        let checked = checked.iter().filter(|run| run.world == world).map(|run| &run.sights);
        checked.chain(strolled.iter().filter(|run| run.world == world).map(|run| &run.sights))
    };
    let mut unseen: Vec<&'static str> = Vec::new();
    for sight in runs().flatten() {
        let seen = runs().flatten().any(|other| other.name == sight.name && other.depth.is_some());
        if !seen && !unseen.contains(&sight.name) {
            unseen.push(sight.name);
        }
    }
    unseen
}
