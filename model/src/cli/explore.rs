//! `roadstead-model explore`: Stateright's Explorer over a world.

use std::{net::SocketAddr, path::Path, sync::Arc};

use clap::Args as ClapArgs;

use super::{
    failure::Failure,
    output::{Output, read_saved},
};
use crate::{catalog::Catalog, engine::Search, report::Saved};

const AFTER_HELP: &str = "\
The Explorer is a page on this machine alone; end it with Ctrl-C. A law is an \"Always\", a sight a \"Sometimes\". Opened with a counterexample, the page that is
named shows its last step, with the way there on the left.

Examples:
  roadstead-model explore raft --port 3000
  roadstead-model explore B-C01
  roadstead-model explore target/model/raft-quick.json";

/// Look at states and actions in a browser
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A world, a configuration, a swarm, a mutant, or the file of a counterexample
    target: String,
    /// Port of this machine
    #[arg(long, default_value_t = 3000, value_name = "P")]
    port: u16,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    let file = Path::new(&args.target);
    let (system, page) = if file.is_file() {
        let saved = read_saved(file)?;
        let system = saved.origin.system(catalog).ok_or_else(|| Failure::unknown(&saved.origin.describe(), catalog))?;
        (Arc::clone(system), page(&**system, &saved)?)
    } else {
        (named(catalog, &args.target).ok_or_else(|| Failure::unknown(&args.target, catalog))?, String::new())
    };
    let address = SocketAddr::from(([127, 0, 0, 1], args.port));
    let url = format!("http://{address}/{page}");
    output.value(&serde_json::json!({ "url": url }))?;
    output.text(&format!("open {url}"))?;
    system.explore(address).map_err(|error| Failure::failed(format!("{address}: {error}; choose another --port")))
}

/// The page of a path: the initial state, then the place of each action among those that were possible.
fn page(system: &dyn Search, saved: &Saved) -> Result<String, Failure> {
    let choices = system.choices(&saved.actions).map_err(|error| Failure::failed(error.to_string()))?;
    let choices: String = choices.iter().map(|choice| format!("/{choice}")).collect();
    Ok(format!("#/steps/0{choices}"))
}

fn named(catalog: &Catalog, name: &str) -> Option<Arc<dyn Search>> {
    let configurations = || catalog.configurations().map(|one| (one.name, one.world, &one.system));
    let swarms = || catalog.swarms().map(|one| (one.name, one.world, &one.system));
    let mutants = catalog.mutants().flat_map(|one| one.hunts.iter().map(|hunt| (one.id, one.id, &hunt.system)));
    let all: Vec<_> = configurations().chain(swarms()).chain(mutants).collect();
    let by_name = all.iter().find(|(own, ..)| *own == name);
    by_name.or_else(|| all.iter().find(|(_, world, _)| *world == name)).map(|(.., system)| Arc::clone(system))
}
