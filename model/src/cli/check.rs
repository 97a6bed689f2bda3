//! `roadstead-model check`: exhaustive searches and the walks that belong to them.

use clap::Args as ClapArgs;
use serde_json::json;

use super::{Machine, bar::Bar, failure::Failure, output::Output};
use crate::{
    catalog::{Catalog, Configuration, Swarm, Tier},
    engine::{Stopwatch, breadth::Ended},
    report::{Checked, CrossCheck, Lines, Origin, Strolled, check, count, duration, probability, rate, stroll, table, unseen},
};

const AFTER_HELP: &str = "\
A configuration is exhausted: every state within its bounds is visited. Its count of states is golden: a change of a transition function shows in it. Small
configurations are counted by a second engine too. Walks go where no exhaustive search comes. A sight that no run of a world saw fails `ci` and
`nightly`, since laws may then hold for want of anything to break them.

Examples:
  roadstead-model check --config quick
  roadstead-model check raft --config nightly
  roadstead-model check raft-quick --cross-check --sights";

/// Search everything within bounds
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A world, a configuration or a swarm; everything if left out
    target: Option<String>,
    /// What takes part: a larger run contains the smaller ones
    #[arg(long, default_value = "ci", value_name = "RUN")]
    config: Tier,
    /// Count with the second engine everywhere, not only where it takes seconds
    #[arg(long)]
    cross_check: bool,
    /// Show every sight with the depth at which it was first seen
    #[arg(long)]
    sights: bool,
    #[command(flatten)]
    machine: Machine,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    let (configurations, swarms) = chosen(catalog, args)?;
    let stopwatch = Stopwatch::start();
    let cross = if args.cross_check { CrossCheck::Always } else { CrossCheck::Small };
    let threads = args.machine.threads;
    let mut checked = Vec::new();
    for configuration in configurations {
        let total = configuration.golden.map(|golden| golden.states);
        let bar = Bar::new(configuration.name, "states", total, configuration.limits.time);
        let one = check(configuration, cross, threads, &bar);
        drop(bar);
        output.value(&one)?;
        checked.push(one);
    }
    let mut strolled = Vec::new();
    for swarm in swarms {
        let bar = Bar::new(swarm.name, "steps", Some(swarm.plan.steps), swarm.plan.time);
        let one = stroll(swarm, &swarm.plan, threads, &bar);
        drop(bar);
        output.value(&one)?;
        strolled.push(one);
    }
    output.text(&tables(&checked, &strolled))?;
    if args.sights {
        output.text(&sights(&checked, &strolled))?;
    }
    stories(&checked, &strolled, &args.machine, output)?;
    conclude(catalog, args, &checked, &strolled, stopwatch, output)
}

/// What the target names, as far as it takes part; something named by itself takes part in any run.
fn chosen<'a>(catalog: &'a Catalog, args: &Args) -> Result<(Vec<&'a Configuration>, Vec<&'a Swarm>), Failure> {
    let wants = |world: &str, name: &str, tier: Tier| match &args.target {
        None => tier <= args.config,
        Some(target) if target == world => tier <= args.config,
        Some(target) => target == name,
    };
    let configurations: Vec<_> = catalog.configurations().filter(|one| wants(one.world, one.name, one.tier)).collect();
    let swarms: Vec<_> = catalog.swarms().filter(|one| wants(one.world, one.name, one.tier)).collect();
    match &args.target {
        Some(target) if configurations.is_empty() && swarms.is_empty() && catalog.entry(target).is_none() => {
            Err(Failure::unknown(target, catalog))
        }
        None | Some(_) => Ok((configurations, swarms)),
    }
}

fn tables(checked: &[Checked], strolled: &[Strolled]) -> String {
    let mut text = String::new();
    if !checked.is_empty() {
        let headings =
            ["configuration", ">states", ">depth", "searched", "2nd engine", ">time", ">states/CPU s", ">B/state", ">collision", "verdict"];
        let mut rows = table(&headings);
        for one in checked {
            rows.add_row([
                one.name.to_owned(),
                count(one.states),
                one.depth.to_string(),
                ended(one.ended).to_owned(),
                one.cross_checked.map_or("–", |states| if states == one.states { "agrees" } else { "DISAGREES" }).to_owned(),
                duration(one.cost.seconds),
                rate(one.states_per_cpu_second),
                one.bytes_per_state.map_or("–".to_owned(), |bytes| format!("{bytes:.0}")),
                probability(one.collision_probability),
                verdict(one),
            ]);
        }
        text += &rows.text();
    }
    if !strolled.is_empty() {
        let mut rows = table(&["walks", ">steps", ">walks", ">seed", ">time", ">steps/CPU s", ">sights", "verdict"]);
        for one in strolled {
            let seen = one.sights.iter().filter(|sight| sight.depth.is_some()).count();
            rows.add_row([
                one.name.to_owned(),
                count(one.steps),
                count(one.walks),
                one.seed.to_string(),
                duration(one.cost.seconds),
                rate(one.steps_per_cpu_second),
                format!("{seen}/{}", one.sights.len()),
                one.counterexample.as_ref().map_or("green".to_owned(), |found| format!("{} BROKEN", found.law)),
            ]);
        }
        text = text + "\n" + &rows.text();
    }
    text
}

const fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Exhausted => "exhausted",
        Ended::Broken => "to the break",
        Ended::States => "to a limit of states",
        Ended::Time => "to a limit of time",
        Ended::Memory => "to a limit of memory",
    }
}

fn verdict(one: &Checked) -> String {
    match (&one.counterexample, one.green(), one.golden) {
        (Some(found), ..) => format!("{} BROKEN", found.law),
        (None, false, _) => "FAILED".to_owned(),
        (None, true, Some(_)) => "green".to_owned(),
        (None, true, None) => "green, no golden count".to_owned(),
    }
}

fn sights(checked: &[Checked], strolled: &[Strolled]) -> String {
    let mut rows = table(&["seen in", ">steps", "sight"]);
    let checked = checked.iter().map(|one| (one.name, &one.sights));
    for (name, sights) in checked.chain(strolled.iter().map(|one| (one.name, &one.sights))) {
        for sight in sights {
            let depth = sight.depth.map_or("never".to_owned(), |depth| depth.to_string());
            rows.add_row([name.to_owned(), depth, sight.name.to_owned()]);
        }
    }
    "\n".to_owned() + &rows.text()
}

fn stories(checked: &[Checked], strolled: &[Strolled], machine: &Machine, output: Output) -> Result<(), Failure> {
    let checked = checked.iter().map(|one| (one.world, one.name, one.counterexample.as_ref()));
    for (world, name, found) in checked.chain(strolled.iter().map(|one| (one.world, one.name, one.counterexample.as_ref()))) {
        if let Some(found) = found {
            let origin = Origin { world: world.to_owned(), configuration: name.to_owned(), mutant: None, hunt: None };
            output.counterexample(origin, found, &machine.save)?;
        }
    }
    Ok(())
}

fn conclude(
    catalog: &Catalog,
    args: &Args,
    checked: &[Checked],
    strolled: &[Strolled],
    stopwatch: Stopwatch,
    output: Output,
) -> Result<(), Failure> {
    let mut failures: Vec<String> = checked.iter().flat_map(|one| one.failures.clone()).collect();
    for one in strolled {
        let broken = one.counterexample.as_ref();
        failures.extend(
            broken.map(|found| format!("{}: {} is broken after {} steps: {}", one.name, found.law, found.story.len(), found.values)),
        );
    }
    // What is named by itself is not asked to see everything, nor is the quick run.
    let whole = args.target.as_ref().is_none_or(|target| catalog.entry(target).is_some());
    for world in &catalog.worlds {
        let unseen = unseen(world.name, checked, strolled);
        if !unseen.is_empty() {
            let line = format!("{}: no run saw: {}", world.name, unseen.join("; "));
            if whole && args.config > Tier::Quick {
                failures.push(line);
            } else {
                output.text(&format!("\n{line}"))?;
            }
        }
    }
    let cost = stopwatch.cost();
    let states = checked.iter().map(|one| one.states).sum();
    let steps = strolled.iter().map(|one| one.steps).sum();
    let green = failures.is_empty();
    output.value(&json!({ "green": green, "states": states, "steps": steps, "cost": cost, "failures": failures }))?;
    if !green {
        let hint = Some("a law that breaks is told above; a golden count changes with every change of what is decided".to_owned());
        return Err(Failure::Failed { error: failures.join("\n       "), hint: hint.filter(|_| !output.json) });
    }
    output.text(&format!(
        "\nall green: {} canonical states in {} configurations, {} random steps in {} swarms, {} ({} of CPU); checked up to these bounds",
        count(states),
        checked.len(),
        count(steps),
        strolled.len(),
        duration(cost.seconds),
        duration(cost.cpu_seconds),
    ))
}
