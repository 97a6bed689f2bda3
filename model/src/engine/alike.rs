//! Whether states with one fingerprint behave alike, which every search under symmetry stands on.
//!
//! [`World::fingerprint`] promises that two states with one fingerprint differ in names only. What follows from one of them then follows from the other, too, up
//! to names: the successors have the same set of fingerprints, and the same laws break. A fingerprint that forgets more than names hides whatever only the state
//! that was met second leads to, and nothing in a search tells: it is exhausted, and counts the same every time.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    fmt,
};

use roadstead_spec::invariants::Broken;

use super::{caught, random::mix};
use crate::{Moved, Seen, World};

/// Pairs of different states with one fingerprint that were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike {
    /// How many.
    pub pairs: u64,
}

/// Two states with one fingerprint that behave differently.
#[derive(Clone, Debug)]
pub struct Unlike {
    /// The state that was met first.
    pub first: String,
    /// The other one.
    pub second: String,
    /// An action of one of them whose result has no counterpart among the other's.
    pub only: String,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, only } = self;
        write!(f, "two states have one fingerprint and behave differently: {only}\n\nthe first:\n{first}\n\nthe second:\n{second}")
    }
}

/// Visits up to `states` canonical states in breadth and compares each state that is met with a known fingerprint, once, with the one that was met first.
///
/// # Errors
/// Two of them behave differently.
pub fn alike<W: World>(world: &W, states: usize) -> Result<Alike, Box<Unlike>> {
    let initial = world.initial();
    let mut representatives = HashMap::from([(world.fingerprint(&initial), initial.clone())]);
    let mut twins = HashSet::new();
    let mut frontier = VecDeque::from([initial]);
    while let Some(state) = frontier.pop_front() {
        for (_, result) in results(world, &state) {
            let Ok(next) = result else { continue };
            let known = representatives.len();
            match representatives.entry(world.fingerprint(&next)) {
                Entry::Vacant(free) if known < states => {
                    frontier.push_back(free.insert(next).clone());
                }
                Entry::Vacant(_) => {}
                Entry::Occupied(first) if *first.get() != next && twins.insert(next.clone()) => compare(world, first.get(), &next)?,
                Entry::Occupied(_) => {}
            }
        }
    }
    Ok(Alike { pairs: twins.len() as u64 })
}

fn compare<W: World>(world: &W, first: &W::State, second: &W::State) -> Result<(), Box<Unlike>> {
    let (ones, others) = (outcomes(world, first), outcomes(world, second));
    let missing = |have: &[Outcome<W>], want: &[Outcome<W>]| {
        let prints: HashSet<u64> = have.iter().map(|(_, print)| *print).collect();
        want.iter().find(|(_, print)| !prints.contains(print)).map(|(action, _)| *action)
    };
    let only = match (missing(&others, &ones), missing(&ones, &others)) {
        (None, None) => return Ok(()),
        (Some(action), _) => format!("{action:?} of the first leads where the second cannot go"),
        (None, Some(action)) => format!("{action:?} of the second leads where the first cannot go"),
    };
    Err(Box::new(Unlike { first: format!("{first:#?}"), second: format!("{second:#?}"), only }))
}

type Outcome<W> = (<W as World>::Action, u64);

/// What every action of a state leads to, up to names.
fn outcomes<W: World>(world: &W, state: &W::State) -> Vec<Outcome<W>> {
    let print = |result: Led<W>| match result {
        Ok(next) => world.fingerprint(&next),
        Err(broken) => broken.law.bytes().fold(u64::MAX, |print, byte| mix(print ^ u64::from(byte))),
    };
    results(world, state).into_iter().map(|(action, result)| (action, print(result))).collect()
}

/// A state, or the law that the step to it broke.
type Led<W> = Result<<W as World>::State, Broken>;

fn results<W: World>(world: &W, state: &W::State) -> Vec<(W::Action, Led<W>)> {
    let mut actions = Vec::new();
    world.actions(state, &mut actions);
    let follow = |action| {
        let mut next = state.clone();
        match caught::step(world, &mut next, action, &mut Seen::default()) {
            Ok(Moved::No) => None,
            Ok(Moved::Yes) => Some((action, Ok(next))),
            Err(broken) => Some((action, Err(broken))),
        }
    };
    actions.into_iter().filter_map(follow).collect()
}
