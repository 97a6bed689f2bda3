//! `roadstead-model walk`: random walks for as long as one likes.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::{Machine, bar::Bar, failure::Failure, output::Output};
use crate::{
    catalog::{Catalog, Swarm},
    engine::walk::Plan,
    report::{Lines, Origin, count, duration, rate, stroll, table},
};

const AFTER_HELP: &str = "\
A walk is drawn from the seed and its number, so the same seed walks the same walks everywhere; another seed walks others. A law that a walk breaks is told by the
fewest actions that still break it.

Examples:
  roadstead-model walk raft --seed 7 --minutes 10
  roadstead-model walk raft-swarm --seed 7 --steps 1000000 --length 500";

/// Walk a world at random
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A world, a swarm or a configuration
    target: String,
    /// What the walks are drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Minutes in all
    #[arg(long, default_value_t = 1.0, value_name = "M")]
    minutes: f64,
    /// Steps of each swarm after which it is enough
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_name = "N")]
    steps: u64,
    /// Steps of one walk [default: the swarm's own]
    #[arg(long, value_name = "N")]
    length: Option<u32>,
    #[command(flatten)]
    machine: Machine,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    let swarms = chosen(catalog, &args.target)?;
    let minutes = args.minutes.max(0.0) / swarms.len() as f64;
    let time = Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| Failure::Usage(format!("--minutes: {error}")))?;
    let mut broken = 0;
    let mut rows = table(&["walks", ">steps", ">walks", ">time", ">steps/CPU s", "verdict"]);
    let mut seen = table(&["seen in", ">steps", "sight"]);
    let mut stories = Vec::new();
    for swarm in &swarms {
        let plan = Plan { seed: args.seed, steps: args.steps, length: args.length.unwrap_or(swarm.plan.length), time };
        let bar = Bar::new(swarm.name, "steps", Some(args.steps).filter(|steps| *steps != u64::MAX), time);
        let one = stroll(swarm, &plan, args.machine.threads, &bar);
        drop(bar);
        output.value(&one)?;
        let verdict = match (&one.counterexample, one.found_after) {
            (Some(found), Some(after)) => format!("{} BROKEN, {} of {after} steps matter", found.law, found.story.len()),
            _ => "green".to_owned(),
        };
        rows.add_row([
            one.name.to_owned(),
            count(one.steps),
            count(one.walks),
            duration(one.cost.seconds),
            rate(one.steps_per_cpu_second),
            verdict,
        ]);
        for sight in &one.sights {
            let depth = sight.depth.map_or("never".to_owned(), |depth| depth.to_string());
            seen.add_row([one.name.to_owned(), depth, sight.name.to_owned()]);
        }
        if let Some(found) = one.counterexample {
            broken += 1;
            let origin = Origin { world: one.world.to_owned(), configuration: one.name.to_owned(), mutant: None, hunt: None };
            stories.push((origin, found));
        }
    }
    output.text(&format!("{}\n{}", rows.text(), seen.text()))?;
    for (origin, found) in stories {
        output.counterexample(origin, &found, &args.machine.save)?;
    }
    if broken > 0 {
        Err(Failure::failed(format!("{broken} of {} swarms broke a law, with seed {}", swarms.len(), args.seed)))
    } else {
        Ok(())
    }
}

/// The swarms of a world, or the one of that name; a configuration walks as well.
fn chosen(catalog: &Catalog, target: &str) -> Result<Vec<Swarm>, Failure> {
    let of_swarm = |one: &Swarm| Swarm { system: one.system.clone(), ..*one };
    let mut swarms: Vec<_> = catalog.swarms().filter(|one| one.world == target || one.name == target).map(of_swarm).collect();
    if swarms.is_empty() {
        let configurations = catalog.configurations().filter(|one| one.world == target || one.name == target);
        swarms.extend(configurations.map(|one| Swarm {
            name: one.name,
            world: one.world,
            tier: one.tier,
            bounds: one.bounds,
            plan: Plan::steps(1, u64::MAX),
            system: one.system.clone(),
        }));
    }
    if swarms.is_empty() { Err(Failure::unknown(target, catalog)) } else { Ok(swarms) }
}
