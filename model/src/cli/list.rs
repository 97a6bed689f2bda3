//! `roadstead-model list`: what can be searched.

use clap::Args as ClapArgs;
use serde_json::json;

use super::{failure::Failure, output::Output};
use crate::{
    catalog::{Catalog, WorldEntry},
    report::{Lines, count, table},
};

/// Show the worlds, the bounds under which they are searched, and the mutants
#[derive(ClapArgs, Debug)]
#[command(after_help = "Examples:\n  roadstead-model list\n  roadstead-model list raft --laws")]
pub(super) struct Args {
    /// One world only
    world: Option<String>,
    /// Show laws and sights too
    #[arg(long)]
    laws: bool,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    if let Some(world) = &args.world
        && catalog.entry(world).is_none()
    {
        return Err(Failure::unknown(world, catalog));
    }
    for world in catalog.worlds.iter().filter(|world| args.world.as_ref().is_none_or(|name| name == world.name)) {
        output.value(&as_json(world))?;
        output.text(&as_text(world, args.laws))?;
    }
    Ok(())
}

fn as_json(world: &WorldEntry) -> serde_json::Value {
    let configurations: Vec<_> = world
        .configurations
        .iter()
        .map(|one| json!({ "name": one.name, "tier": one.tier, "bounds": one.bounds, "golden": one.golden }))
        .collect();
    let swarms: Vec<_> = world
        .swarms
        .iter()
        .map(|one| json!({ "name": one.name, "tier": one.tier, "bounds": one.bounds, "seed": one.plan.seed, "steps": one.plan.steps }))
        .collect();
    let mutants: Vec<_> = world
        .mutants
        .iter()
        .map(|one| json!({ "id": one.id, "mechanism": one.mechanism, "source": one.source, "laws": one.laws, "control": one.negative_control }))
        .collect();
    json!({ "world": world.name, "summary": world.summary, "configurations": configurations, "swarms": swarms, "mutants": mutants })
}

fn as_text(world: &WorldEntry, laws: bool) -> String {
    let mut text = format!("{}: {}\n", world.name, world.summary);
    let mut bounds = table(&["  name", "run", "search", ">size", "bounds"]);
    for one in &world.configurations {
        let size = one.golden.map_or("unknown".to_owned(), |golden| format!("{} states", count(golden.states)));
        bounds.add_row([format!("  {}", one.name), tier(one.tier), "exhaustive".to_owned(), size, one.bounds.to_owned()]);
    }
    for one in &world.swarms {
        let size = format!("{} steps", count(one.plan.steps));
        bounds.add_row([format!("  {}", one.name), tier(one.tier), "random walks".to_owned(), size, one.bounds.to_owned()]);
    }
    text += &bounds.text();
    if !world.mutants.is_empty() {
        let mut mutants = table(&["  mutant", "laws", "mechanism"]);
        for one in &world.mutants {
            let laws = if one.negative_control { "negative control".to_owned() } else { one.laws.join(", ") };
            mutants.add_row([format!("  {}", one.id), laws, one.mechanism.to_owned()]);
        }
        text += &mutants.text();
    }
    let systems = world.configurations.iter().map(|one| &one.system).chain(world.swarms.iter().map(|one| &one.system));
    if let Some(system) = systems.into_iter().next().filter(|_| laws) {
        let mut rows = table(&["  law", "statement", "seen by"]);
        for law in system.laws() {
            let twins: Vec<_> = system.sights().iter().filter(|sight| sight.twin_of.contains(&law.id)).map(|sight| sight.name).collect();
            rows.add_row([format!("  {}", law.id), law.statement.to_owned(), twins.join("; ")]);
        }
        text += &rows.text();
    }
    text + "\n"
}

fn tier(tier: crate::catalog::Tier) -> String {
    format!("{tier:?}").to_lowercase()
}
