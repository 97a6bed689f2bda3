//! A mutant with how its hunt ended.

use serde::Serialize;

use super::sights;
use crate::{
    catalog::{Hunt, Mutant, Way},
    engine::{Cost, Counterexample, FirstSeen, Stopwatch, Watch},
};

/// How a mutant fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Convicted by a law that its row names.
    Killed,
    /// Convicted because what it must make possible was never seen.
    Blind,
    /// No hunt noticed it: the checker is too weak.
    Survived,
    /// A law broke that its row does not name: the mutant or the row is not what its author thinks.
    WrongLaw,
    /// A negative control, and no law broke.
    Green,
    /// A negative control, and a law broke.
    Convicted,
}

/// What hunting a mutant showed.
#[derive(Clone, Debug, Serialize)]
pub struct Hunted {
    /// The mutant.
    pub id: &'static str,
    /// Its world.
    pub world: &'static str,
    /// What it does wrong.
    pub mechanism: &'static str,
    /// Who made the mistake.
    pub source: &'static str,
    /// The laws that may convict it.
    pub laws: &'static [&'static str],
    /// How it fared.
    pub verdict: Verdict,
    /// The law that broke, or the sight that was not seen.
    pub by: Option<String>,
    /// The engine of the decisive hunt; of the last one if none was.
    pub engine: &'static str,
    /// The bounds of that hunt.
    pub bounds: &'static str,
    /// Its number among the mutant's hunts.
    pub hunt: usize,
    /// What that engine searched: states or steps.
    pub searched: u64,
    /// Time of all hunts.
    pub cost: Cost,
    /// The counterexample.
    pub counterexample: Option<Counterexample>,
    /// What else is to be said, as sentences.
    pub remarks: Vec<String>,
}

impl Hunted {
    /// Whether all is as it must be.
    pub fn good(&self) -> bool {
        matches!(self.verdict, Verdict::Killed | Verdict::Blind | Verdict::Green)
    }

    /// The verdict in words.
    pub const fn verdict_text(&self) -> &'static str {
        match self.verdict {
            Verdict::Killed | Verdict::Blind => "killed",
            Verdict::Survived => "SURVIVED",
            Verdict::WrongLaw => "WRONG LAW",
            Verdict::Green => "green",
            Verdict::Convicted => "CONVICTED",
        }
    }

    /// Steps of the counterexample.
    pub fn depth(&self) -> Option<usize> {
        self.counterexample.as_ref().map(|found| found.story.len())
    }
}

/// What one hunt brought.
struct Catch {
    searched: u64,
    sights: FirstSeen,
    /// Whether a sight that is not among `sights` may be called impossible.
    complete: bool,
    counterexample: Option<Counterexample>,
    remark: Option<String>,
}

/// Hunts a mutant until it is convicted.
pub fn hunt(mutant: &Mutant, threads: usize, watch: &dyn Watch) -> Hunted {
    let stopwatch = Stopwatch::start();
    let mut hunted = Hunted {
        id: mutant.id,
        world: mutant.world,
        mechanism: mutant.mechanism,
        source: mutant.source,
        laws: mutant.laws,
        verdict: if mutant.negative_control { Verdict::Green } else { Verdict::Survived },
        by: None,
        engine: "none",
        bounds: "",
        hunt: 0,
        searched: 0,
        cost: Cost::default(),
        counterexample: None,
        remarks: Vec::new(),
    };
    for (number, way) in mutant.hunts.iter().enumerate() {
        let caught = one(way, threads, watch);
        hunted.remarks.extend(caught.remark.map(|remark| format!("{}, {}: {remark}", mutant.id, way.bounds)));
        let Some((verdict, by)) = judge(mutant, way, &caught.sights, caught.complete, caught.counterexample.as_ref()) else {
            if hunted.verdict != Verdict::WrongLaw {
                (hunted.engine, hunted.bounds, hunted.hunt, hunted.searched) = (engine(&way.way), way.bounds, number, caught.searched);
            }
            continue;
        };
        (hunted.engine, hunted.bounds, hunted.hunt, hunted.searched) = (engine(&way.way), way.bounds, number, caught.searched);
        (hunted.verdict, hunted.by, hunted.counterexample) = (verdict, Some(by), caught.counterexample);
        // Another way may still show what the row says; a conviction, right or of an innocent, is final.
        if hunted.verdict != Verdict::WrongLaw {
            break;
        }
    }
    hunted.cost = stopwatch.cost();
    hunted
}

fn one(hunt: &Hunt, threads: usize, watch: &dyn Watch) -> Catch {
    match &hunt.way {
        Way::Breadth(limits) => {
            let found = hunt.system.breadth(limits, threads, watch);
            let complete = found.exhausted();
            Catch { searched: found.states, sights: found.sights, complete, counterexample: found.found, remark: None }
        }
        Way::Walks(plan) => {
            let walked = hunt.system.walk(plan, threads, watch);
            Catch { searched: walked.steps, sights: walked.sights, complete: true, counterexample: walked.found, remark: None }
        }
        Way::Script(actions) => match hunt.system.script(actions) {
            Ok(scripted) => Catch {
                searched: scripted.steps as u64,
                sights: scripted.sights,
                complete: false,
                counterexample: scripted.found,
                remark: None,
            },
            Err(error) => {
                Catch { searched: 0, sights: FirstSeen::default(), complete: false, counterexample: None, remark: Some(error.to_string()) }
            }
        },
    }
}

fn judge(
    mutant: &Mutant,
    hunt: &Hunt,
    first: &FirstSeen,
    complete: bool,
    counterexample: Option<&Counterexample>,
) -> Option<(Verdict, String)> {
    if let Some(found) = counterexample {
        let verdict = match (mutant.negative_control, mutant.laws.contains(&found.law)) {
            (true, _) => Verdict::Convicted,
            (false, true) => Verdict::Killed,
            (false, false) => Verdict::WrongLaw,
        };
        return Some((verdict, found.law.to_owned()));
    }
    let blind = |sight: &super::SightSeen| mutant.blinds.contains(&sight.name) && sight.depth.is_none();
    let missing = sights(&*hunt.system, first).into_iter().find(blind).filter(|_| complete)?;
    Some((Verdict::Blind, format!("never: {}", missing.name)))
}

const fn engine(way: &Way) -> &'static str {
    match way {
        Way::Breadth(_) => "breadth-first",
        Way::Walks(_) => "random walk",
        Way::Script(_) => "script",
    }
}
