//! Every transition of a small world, each told as steps of the module and judged.

use super::{
    follow::{Start, follow},
    judge::{Judge, Refusal},
    project::{Values, module},
    record,
    vector::Vector,
};
use roadstead_model::{
    Moved, Seen, World,
    raft::{self, Bounds, Build, RaftWorld},
};
use roadstead_spec::Term;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// What was gone through, up to names of members.
#[derive(Debug, Default)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    /// Transitions that change nothing of the module.
    pub(crate) stutters: usize,
    pub(crate) vectors: BTreeSet<Vector>,
}

/// A transition that the module does not allow.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What happened in the world.
    pub(crate) told: String,
    /// What is wrong with it.
    pub(crate) why: String,
    /// If a step is: which conjunct of which action.
    pub(crate) refusal: Option<Refusal>,
}

/// Takes every transition that begins in a state whose terms are no higher than `term_max` and in which no leader has stepped down by itself, and has each judged.
pub(crate) fn explore(bounds: Bounds, term_max: Term, build: Build, judge: &mut Judge<'_>) -> Result<Explored, Refused> {
    // Mistakes are to be seen by the module, not by the laws of single steps.
    let world = RaftWorld::of(bounds, record::recorded(build)).judged_by(raft::Judge::History);
    let initial = world.initial();
    assert!(judge.begins(&module(&bounds, &initial, Term(0), &Values::of(&initial))), "the module begins as the world does");
    let mut explored = Explored::default();
    let mut visited = HashSet::from([(world.fingerprint(&initial), Term(0))]);
    let mut open = VecDeque::from([(initial, Term(0))]);
    let mut actions = Vec::new();
    while let Some((group, highest)) = open.pop_front() {
        explored.states += 1;
        explored.vectors.insert(Vector::of(&group));
        actions.clear();
        world.actions(&group, &mut actions);
        let start = Start::new(&bounds, &group, highest);
        for action in &actions {
            let mut next = group.clone();
            record::notes();
            let mut broken_law = None;
            match world.step(&mut next, *action, &mut Seen::default()) {
                Ok(Moved::Yes) => {}
                Ok(Moved::No) => continue,
                Err(broken) => broken_law = Some(broken),
            }
            let refused = |why: String, refusal| Refused { told: world.tell(&group, *action, &next), why, refusal };
            if let Some(broken) = broken_law {
                return Err(refused(format!("a law is broken: {broken}"), None));
            }
            let steps = follow(&start, *action, record::notes(), &bounds, &next).map_err(|why| refused(why, None))?;
            explored.transitions += 1;
            explored.stutters += usize::from(steps.is_empty());
            let mut is_within = true;
            for step in &steps {
                let action = judge.judge(step).map_err(|refusal| refused(refusal.to_string(), Some(refusal)))?;
                is_within &= match action {
                    "StepDown" => false,
                    "AskPreVote" => step.from.nodes[&step.node].image.term < term_max,
                    _ => true,
                };
            }
            let highest = steps.last().map_or(highest, |step| step.to.history.highest);
            if is_within && visited.insert((world.fingerprint(&next), highest)) {
                open.push_back((next, highest));
            }
        }
    }
    Ok(explored)
}
