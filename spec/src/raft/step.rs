//! The transition function.

use super::{Effect, Event, Paper, Params, Rules, State};
use alloc::vec::Vec;

/// The only way a [`State`] changes. Deterministic, total, never fails, never blocks.
/// Appends to `out` in order; the order is part of the meaning (see [`super::Gate`]).
pub fn step(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    step_with::<Paper>(params, state, event, out);
}

/// [`step`] under other rules: for mutants and for counting.
pub fn step_with<R: Rules>(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let _ = (params, state, event, out);
}
