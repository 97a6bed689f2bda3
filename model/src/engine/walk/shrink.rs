//! A walk that broke a law, without what did not matter.

use crate::{
    World,
    engine::{Found, script::replay_possible},
};

/// Steps that may be taken to make one path shorter.
const STEPS_MAX: usize = 20_000_000;

/// Leaves out pieces of the path as long as the rest still breaks the same law, first halves, at the end single actions (Zeller and Hildebrandt: Simplifying and
/// Isolating Failure-Inducing Input, 2002). An action that is no longer possible after what was left out is left out too.
pub(super) fn shrink<W: World>(world: &W, found: Found<W::Action>) -> Found<W::Action> {
    let mut best = found;
    let mut steps = 0;
    let mut piece = best.actions.len().div_ceil(2).max(1);
    loop {
        let mut shorter = false;
        let mut at = 0;
        while at < best.actions.len() && steps < STEPS_MAX {
            let mut without = best.actions.clone();
            without.drain(at..(at + piece).min(without.len()));
            steps += without.len();
            match replay_possible(world, &without) {
                (actions, Some(broken)) if broken.law == best.broken.law => {
                    best = Found { broken, actions };
                    shorter = true;
                }
                _ => at += piece,
            }
        }
        // Once more with single actions as long as that helps: one may have needed another that is gone now.
        if piece == 1 && !shorter || steps >= STEPS_MAX {
            return best;
        }
        piece = (piece / 2).max(1);
    }
}
