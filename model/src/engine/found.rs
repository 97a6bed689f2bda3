//! What a search found: a law that does not hold, and the way there.

use serde::Serialize;

use roadstead_spec::invariants::Broken;

/// A broken law with the actions that lead there from the initial state; the last one breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<A> {
    /// The law and the values that break it.
    pub broken: Broken,
    /// The way.
    pub actions: Vec<A>,
}

/// A [`Found`] that has forgotten its world, for reports and files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counterexample {
    /// The law's id.
    pub law: &'static str,
    /// The values that break it.
    pub values: String,
    /// The actions as a JSON array.
    pub actions: serde_json::Value,
    /// One sentence for each action.
    pub story: Vec<String>,
}
