//! A world small enough to be counted by hand: members that climb to a top, with a mutex that one of them may forget.
//!
//! Each member is idle, waiting or inside, and counts how often it was inside. At most one is inside, unless the planted bug lets a member in that has been
//! inside `rude_after` times, whoever is there. Members are interchangeable.

#![allow(dead_code, reason = "each test file uses a part")]

use std::hash::{DefaultHasher, Hash, Hasher};

use roadstead_model::{Law, Moved, Seen, Sight, World};
use roadstead_spec::invariants::Broken;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Idle,
    Waiting,
    Inside,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub members: Vec<(Place, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Ask(u8),
    Enter(u8),
    Leave(u8),
    /// Changes nothing.
    Look(u8),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Toy {
    pub members: usize,
    pub visits_max: u8,
    /// Whether states that differ in names only count as one.
    pub symmetric: bool,
    /// Visits after which a member does not care who is inside.
    pub rude_after: Option<u8>,
    /// Whether the second one inside is a panic and no broken law.
    pub panics: bool,
    /// Whether the fingerprint forgets who is inside beside what everyone is called.
    pub forgetful: bool,
}

pub(crate) const HONEST: Toy = Toy { members: 4, visits_max: 3, symmetric: true, rude_after: None, panics: false, forgetful: false };

impl World for Toy {
    type State = State;
    type Action = Action;

    const KINDS: &'static [&'static str] = &["ask", "enter", "leave", "look"];

    fn initial(&self) -> State {
        State { members: vec![(Place::Idle, 0); self.members] }
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        let free = state.members.iter().all(|(place, _)| *place != Place::Inside);
        for ((place, visits), member) in state.members.iter().zip(0..) {
            match place {
                Place::Idle if *visits < self.visits_max => out.extend([Action::Look(member), Action::Ask(member)]),
                Place::Waiting if free || self.rude_after.is_some_and(|after| *visits >= after) => out.push(Action::Enter(member)),
                Place::Idle | Place::Waiting => {}
                Place::Inside => out.push(Action::Leave(member)),
            }
        }
    }

    fn kind(&self, action: Action) -> usize {
        match action {
            Action::Ask(_) => 0,
            Action::Enter(_) => 1,
            Action::Leave(_) => 2,
            Action::Look(_) => 3,
        }
    }

    fn step(&self, state: &mut State, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        match action {
            Action::Look(_) => return Ok(Moved::No),
            Action::Ask(member) => state.members[usize::from(member)].0 = Place::Waiting,
            Action::Enter(member) => state.members[usize::from(member)].0 = Place::Inside,
            Action::Leave(member) => {
                let (place, visits) = &mut state.members[usize::from(member)];
                (*place, *visits) = (Place::Idle, *visits + 1);
            }
        }
        let inside = state.members.iter().filter(|(place, _)| *place == Place::Inside).count();
        seen.note_if(0, inside == 1);
        seen.note_if(1, state.members.iter().all(|(_, visits)| *visits == self.visits_max));
        assert!(!self.panics || inside < 2, "{inside} are inside");
        if inside > 1 { Err(Broken { law: "T-1", values: format!("{inside} are inside") }) } else { Ok(Moved::Yes) }
    }

    fn fingerprint(&self, state: &State) -> u64 {
        let mut members = state.members.clone();
        if self.symmetric {
            members.sort_unstable();
        }
        if self.forgetful {
            members.iter_mut().filter(|(place, _)| *place == Place::Inside).for_each(|(place, _)| *place = Place::Waiting);
        }
        let mut hasher = DefaultHasher::new();
        members.hash(&mut hasher);
        hasher.finish()
    }

    fn laws(&self) -> &'static [Law] {
        &[Law { id: "T-1", statement: "at most one is inside", source: "Dijkstra 1965" }]
    }

    fn sights(&self) -> &'static [Sight] {
        &[
            Sight { name: "someone is inside", twin_of: &["T-1"] },
            Sight { name: "all are done", twin_of: &["T-1"] },
            Sight { name: "pigs fly", twin_of: &[] },
        ]
    }

    fn tell(&self, before: &State, action: Action, after: &State) -> String {
        format!("{action:?}: {:?} becomes {:?}", before.members, after.members)
    }
}
