//! Who looks on while an engine searches.

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Canonical states, or steps of walks.
    pub done: u64,
    /// Steps from the initial state to where the search is; for walks, their number so far.
    pub depth: u64,
    /// States that are known and not yet left by their actions.
    pub waiting: u64,
}

/// Is told now and then; must be quick.
pub trait Watch: Sync {
    /// The search is here now.
    fn progress(&self, now: Progress);
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&self, _: Progress) {}
}
