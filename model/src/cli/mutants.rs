//! `roadstead-model mutants`: would the checker notice?

use std::{fs, path::PathBuf, time::Duration};

use clap::Args as ClapArgs;

use super::{Machine, bar::Bar, failure::Failure, output::Output};
use crate::{
    catalog::{Catalog, Mutant},
    report::{Hunted, Lines, Origin, Verdict, count, duration, hunt, mutants_document, table},
};

const AFTER_HELP: &str = "\
Each mutant is a mistake of a real system, put back from outside. It is killed when a law that its row names breaks; one that survives shows that the checker is too
weak. Negative controls are changes that are no mistakes, and must stay green.

Examples:
  roadstead-model mutants
  roadstead-model mutants B-C01                           with its counterexample
  roadstead-model mutants --markdown docs/mutants.md";

/// Hunt mistakes of real systems, put back from outside
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A mutant, or a world with all of its mutants; everything if left out
    target: Option<String>,
    /// Write the document of mutants, with every counterexample in words
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    let wants = |one: &&Mutant| args.target.as_ref().is_none_or(|target| target == one.id || target == one.world);
    let mutants: Vec<_> = catalog.mutants().filter(wants).collect();
    if let (true, Some(target)) = (mutants.is_empty(), &args.target)
        && catalog.entry(target).is_none()
    {
        return Err(Failure::unknown(target, catalog));
    }
    let mut hunted = Vec::new();
    for mutant in mutants {
        let bar = Bar::new(mutant.id, "states", None, Duration::from_secs(600));
        let one = hunt(mutant, args.machine.threads, &bar);
        drop(bar);
        output.value(&one)?;
        hunted.push(one);
    }
    output.text(&rows(&hunted))?;
    // All stories at once nobody reads: of one mutant, and of what went wrong.
    let alone = hunted.len() == 1;
    for one in &hunted {
        if let Some(found) = one.counterexample.as_ref().filter(|_| alone || !one.good()) {
            let (world, mutant) = (one.world.to_owned(), Some(one.id.to_owned()));
            let origin = Origin { world, configuration: one.bounds.to_owned(), mutant, hunt: Some(one.hunt) };
            output.counterexample(origin, found, &args.machine.save)?;
        }
    }
    if let Some(file) = &args.markdown {
        fs::write(file, mutants_document(&hunted)).map_err(|error| Failure::of_file(file, &error))?;
    }
    conclude(&hunted, output)
}

fn rows(hunted: &[Hunted]) -> String {
    let mut rows = table(&["mutant", "source", "property", "engine", ">depth", ">searched", ">time", "verdict"]);
    for one in hunted {
        rows.add_row([
            one.id.to_owned(),
            shortened(one.source),
            one.by.clone().unwrap_or_else(|| one.laws.join(", ")),
            one.engine.to_owned(),
            one.depth().map_or("–".to_owned(), |depth| depth.to_string()),
            count(one.searched),
            duration(one.cost.seconds),
            one.verdict_text().to_owned(),
        ]);
    }
    rows.text()
}

/// A source without the further ones: they are in the document.
fn shortened(source: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let first = source.split(';').next().unwrap_or(source);
    if first.chars().count() <= CHARACTERS_MAX { first.to_owned() } else { first.chars().take(CHARACTERS_MAX - 1).chain(['…']).collect() }
}

fn conclude(hunted: &[Hunted], output: Output) -> Result<(), Failure> {
    let of = |verdicts: &[Verdict]| hunted.iter().filter(|one| verdicts.contains(&one.verdict)).count();
    let killed = of(&[Verdict::Killed, Verdict::Blind]);
    let mutants = killed + of(&[Verdict::Survived, Verdict::WrongLaw]);
    let green = of(&[Verdict::Green]);
    let controls = green + of(&[Verdict::Convicted]);
    output.value(&serde_json::json!({ "killed": killed, "mutants": mutants, "green": green, "controls": controls }))?;
    let mut failures: Vec<String> = hunted.iter().filter_map(failure).collect();
    failures.extend(hunted.iter().flat_map(|one| one.remarks.clone()));
    let line = format!("{killed} of {mutants} mutants killed, {green} of {controls} negative controls green");
    if failures.is_empty() {
        output.text(&format!("\n{line}"))
    } else {
        Err(Failure::failed(format!("{line}\n       {}", failures.join("\n       "))))
    }
}

fn failure(one: &Hunted) -> Option<String> {
    let by = one.by.as_deref().unwrap_or_default();
    match one.verdict {
        Verdict::Killed | Verdict::Blind | Verdict::Green => None,
        Verdict::Survived => Some(format!("{}: nothing breaks {}: {}", one.id, one.laws.join(" or "), one.mechanism)),
        Verdict::WrongLaw => Some(format!("{}: {by} breaks, and not {}: {}", one.id, one.laws.join(" or "), one.mechanism)),
        Verdict::Convicted => Some(format!("{}: {by} breaks, though this is no mistake: {}", one.id, one.mechanism)),
    }
}
