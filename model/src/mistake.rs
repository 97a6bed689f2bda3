//! A mistake that is put into a world's decisions.

use crate::catalog::{Mutant, WorldEntry};

/// A mistake of the field, or of ours, in the decisions `D` of a world.
#[derive(Clone, Copy, Debug)]
pub struct Mistake<D> {
    /// Its id in reports and documents.
    pub id: &'static str,
    /// What goes wrong, in one line.
    pub mechanism: &'static str,
    /// Where it happened, or where it would.
    pub source: &'static str,
    /// The laws that may convict it; none for a control, which must stay green.
    pub laws: &'static [&'static str],
    /// Puts it in.
    pub put_in: fn(&mut D),
}

/// Enters mistakes as mutants, those without laws as controls, and has `hunt` say how each is hunted.
pub fn register<D>(world: &mut WorldEntry, mistakes: &[Mistake<D>], mut hunt: impl FnMut(&mut Mutant, fn(&mut D))) {
    for mistake in mistakes {
        let Mistake { id, mechanism, source, laws, put_in } = *mistake;
        let mutant = if laws.is_empty() { world.control(id, mechanism, source) } else { world.mutant(id, mechanism, source, laws) };
        hunt(mutant, put_in);
    }
}
