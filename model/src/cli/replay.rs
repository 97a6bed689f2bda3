//! `roadstead-model replay`: a saved counterexample, told again.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::{
    failure::Failure,
    output::{Output, read_saved},
};
use crate::{catalog::Catalog, report::told};

const AFTER_HELP: &str = "\
The actions are taken by what is built now. Exit code 1: the law still breaks, or the actions are not possible any more; 0: they are, and nothing breaks.

Examples:
  roadstead-model replay target/model/raft-quick.json";

/// Take the actions of a counterexample again
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// What `check`, `walk` or `mutants` saved
    file: PathBuf,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    let saved = read_saved(&args.file)?;
    let origin = saved.origin.describe();
    let system = saved.origin.system(catalog).ok_or_else(|| Failure::unknown(&origin, catalog))?;
    let hint = Some("the world has changed since; search again".to_owned());
    let scripted = system.script(&saved.actions).map_err(|error| Failure::Failed { error: error.to_string(), hint })?;
    output.value(&json!({ "origin": saved.origin, "steps": scripted.steps, "counterexample": scripted.found }))?;
    let Some(found) = scripted.found else {
        let story = system.story(&saved.actions).map_err(|error| Failure::failed(error.to_string()))?;
        let lines: String = story.iter().zip(1..).map(|(sentence, number)| format!("{number:>4}  {sentence}\n")).collect();
        return output.text(&format!("{origin}\n\n{lines}\n{} is not broken any more", saved.law));
    };
    output.text(&format!("{origin}\n\n{}", told(&found.story, found.law, &found.values)))?;
    Err(Failure::failed(format!("{} is broken after {} steps", found.law, found.story.len())))
}
