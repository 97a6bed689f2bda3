//! The first half of a round: the successors of some states of the frontier, without touching anything shared.

use roadstead_spec::invariants::Broken;

use super::visited::{Visited, spread};
use crate::{Moved, Seen, World, engine::caught};

/// States of the frontier that one thread takes at a time.
pub(super) const BLOCK: usize = 256;

/// What the states of a block lead to.
pub(super) struct Expansion<S> {
    /// Spread fingerprints of `successors`, apart because the second half reads all of them and few of the states.
    pub(super) fingerprints: Vec<u64>,
    /// States that no earlier round met, in the order of their parents and actions. One state may be among them twice.
    pub(super) successors: Vec<Successor<S>>,
    /// Actions that led to another state, known or not.
    pub(super) transitions: u64,
    /// What was seen on the way.
    pub(super) seen: Seen,
    /// The first action that broke a law; nothing behind it was looked at.
    pub(super) broken: Option<(Link, Broken)>,
}

/// A state with where it comes from.
pub(super) struct Successor<S> {
    pub(super) state: S,
    pub(super) link: Link,
}

/// One step back: 6 bytes when stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The number of the state before.
    pub(super) parent: u32,
    /// The place of the action among those that were possible there.
    pub(super) choice: u16,
}

/// Takes every action of every state of a block whose first state has the number `first`.
pub(super) fn expand<W: World>(world: &W, block: &[W::State], first: u32, visited: &Visited) -> Expansion<W::State> {
    let mut expansion = Expansion { fingerprints: Vec::new(), successors: Vec::new(), transitions: 0, seen: Seen::default(), broken: None };
    let mut actions = Vec::new();
    // A successor that turned out to be known: the next one is cloned into its memory.
    let mut spare: Option<W::State> = None;
    for (state, parent) in block.iter().zip(first..) {
        actions.clear();
        world.actions(state, &mut actions);
        for (place, action) in actions.iter().enumerate() {
            let link = Link { parent, choice: u16::try_from(place).expect("a state has fewer than 65,536 actions") };
            let mut next = match spare.take() {
                Some(mut spare) => {
                    spare.clone_from(state);
                    spare
                }
                None => state.clone(),
            };
            match caught::step(world, &mut next, *action, &mut expansion.seen) {
                Ok(Moved::Yes) => expansion.transitions += 1,
                Ok(Moved::No) => {
                    spare = Some(next);
                    continue;
                }
                Err(broken) => {
                    expansion.broken = Some((link, broken));
                    return expansion;
                }
            }
            let fingerprint = spread(world.fingerprint(&next));
            if visited.contains(fingerprint) {
                spare = Some(next);
            } else {
                expansion.fingerprints.push(fingerprint);
                expansion.successors.push(Successor { state: next, link });
            }
        }
    }
    expansion
}
