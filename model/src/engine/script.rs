//! Given actions, one after the other: directed scripts, replays and stories.

use std::fmt;

use roadstead_spec::invariants::Broken;

use super::{Counterexample, FirstSeen, Found, caught};
use crate::{Seen, World};

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripted<F> {
    /// The law that was broken, and the way there; what comes behind in the script was not taken.
    pub found: Option<F>,
    /// Actions that were taken.
    pub steps: usize,
    /// What was seen, and after how many steps.
    pub sights: FirstSeen,
}

impl<F> Scripted<F> {
    /// Changes what is found.
    pub fn map<G>(self, change: impl FnOnce(F) -> G) -> Scripted<G> {
        Scripted { found: self.found.map(change), steps: self.steps, sights: self.sights }
    }
}

/// An action of a script that is not possible where the script wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// Its place in the script, from 0.
    pub at: usize,
    /// The action.
    pub action: String,
    /// What is possible instead.
    pub possible: Vec<String>,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "action {} ({}) is not possible there; possible are: {}", self.at + 1, self.action, self.possible.join(", "))
    }
}

impl std::error::Error for Impossible {}

/// Takes actions until one breaks a law.
///
/// # Errors
/// One of them is not possible.
pub fn script<W: World>(world: &W, actions: &[W::Action]) -> Result<Scripted<Found<W::Action>>, Impossible> {
    let mut state = world.initial();
    let mut possible = Vec::new();
    let mut sights = FirstSeen::default();
    for (at, action) in actions.iter().enumerate() {
        possible.clear();
        world.actions(&state, &mut possible);
        if !possible.contains(action) {
            let possible = possible.iter().map(|action| format!("{action:?}")).collect();
            return Err(Impossible { at, action: format!("{action:?}"), possible });
        }
        let mut seen = Seen::default();
        let stepped = caught::step(world, &mut state, *action, &mut seen);
        sights.note(seen, depth(at + 1));
        if let Err(broken) = stepped {
            let found = Found { broken, actions: actions[..=at].to_vec() };
            return Ok(Scripted { found: Some(found), steps: at + 1, sights });
        }
    }
    Ok(Scripted { found: None, steps: actions.len(), sights })
}

/// Takes of the actions those that are possible, until a law is broken: the actions that were taken, and the law.
pub(super) fn replay_possible<W: World>(world: &W, actions: &[W::Action]) -> (Vec<W::Action>, Option<Broken>) {
    let mut state = world.initial();
    let mut possible = Vec::new();
    let mut taken = Vec::with_capacity(actions.len());
    for action in actions {
        possible.clear();
        world.actions(&state, &mut possible);
        if !possible.contains(action) {
            continue;
        }
        taken.push(*action);
        if let Err(broken) = caught::step(world, &mut state, *action, &mut Seen::default()) {
            return (taken, Some(broken));
        }
    }
    (taken, None)
}

/// One sentence for each action.
///
/// # Errors
/// One of them is not possible.
pub fn story<W: World>(world: &W, actions: &[W::Action]) -> Result<Vec<String>, Impossible> {
    Ok(walk_through(world, actions)?.0)
}

/// The place of each action among those that were possible.
///
/// # Errors
/// One of them is not possible.
pub fn choices<W: World>(world: &W, actions: &[W::Action]) -> Result<Vec<usize>, Impossible> {
    Ok(walk_through(world, actions)?.1)
}

/// What was found, for readers and files. The actions are known to be possible: an engine took them.
pub(super) fn counterexample<W: World>(world: &W, found: Found<W::Action>) -> Counterexample {
    let Found { broken, actions } = found;
    let story = story(world, &actions).expect("a world's actions depend on its state alone, in the same order each time");
    let actions = serde_json::to_value(&actions).expect("actions are plain names and numbers");
    Counterexample { law: broken.law, values: broken.values, actions, story }
}

/// The story of a path, and each action's place among those that were possible.
fn walk_through<W: World>(world: &W, actions: &[W::Action]) -> Result<(Vec<String>, Vec<usize>), Impossible> {
    // Said first by `script`, which names what is possible.
    script(world, actions)?;
    let mut state = world.initial();
    let mut possible = Vec::new();
    let mut story = Vec::with_capacity(actions.len());
    let mut choices = Vec::with_capacity(actions.len());
    for action in actions {
        possible.clear();
        world.actions(&state, &mut possible);
        choices.extend(possible.iter().position(|one| one == action));
        let before = state.clone();
        let stepped = caught::step(world, &mut state, *action, &mut Seen::default());
        story.push(caught::tell(world, &before, *action, &state));
        if stepped.is_err() {
            break;
        }
    }
    Ok((story, choices))
}

/// A number of steps as a depth.
fn depth(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX - 1)
}
