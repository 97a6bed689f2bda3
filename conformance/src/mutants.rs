//! `roadstead-conformance mutants`: plants one mistake after the other into what lies around the nodes, and tells whether a run notices it.

use clap::Args;
use roadstead_conformance::sim::{
    bug::Bug,
    hunt::{Hunted, document, hunt},
    planted::{CONTROLS, MUTANTS, Planted},
};
use serde_json::json;
use std::{fs, num::NonZero, panic, path::PathBuf, process::ExitCode, thread, time::Instant};

const AFTER_HELP: &str = "\
A mutant is noticed when a run of its seed breaks, and as what the table says. One that survives shows that the checks are too weak. Controls are no mistakes of
the runtime, or ones that it must stand: nothing may break.

Examples:
  roadstead-conformance mutants                                              all of them: exit code 1 if one survives
  roadstead-conformance mutants VoteLost                                     one, and what its run says
  roadstead-conformance mutants --json                                       an object per mutant
  roadstead-conformance mutants --markdown docs/mutants-of-the-runtime.md    write the document
  roadstead-conformance sim --seeds 1..20 --plant VoteLost                   the same mistake in other runs";

/// What `mutants` is told.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// A mutant or a control; all if left out
    target: Option<String>,
    /// Only list them
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    list: bool,
    /// Print one JSON object per mutant instead of a table
    #[arg(long)]
    json: bool,
    /// Write the document of mutants, with the figures of this run
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    markdown: Option<PathBuf>,
    /// Runs at the same time; default: one per processor
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

/// Runs them: 0 all are noticed and the controls hold, 1 one is not, 2 it cannot be run.
pub(crate) fn run(options: &Options) -> ExitCode {
    let wanted = |bug: Bug| options.target.as_ref().is_none_or(|target| *target == format!("{bug:?}"));
    let mut chosen: Vec<&Planted> = MUTANTS.iter().chain(CONTROLS).filter(|one| wanted(one.bug)).collect();
    if chosen.is_empty() {
        let target = options.target.as_deref().unwrap_or_default();
        eprintln!("error: there is no mutant {target:?}; `roadstead-conformance mutants --list` shows them");
        return ExitCode::from(2);
    }
    if options.list {
        chosen.dedup_by_key(|one| one.bug);
        chosen.iter().for_each(|one| println!("{:<22} {}", format!("{:?}", one.bug), one.bug.words()));
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let threads = options.threads.or(thread::available_parallelism().ok()).map_or(1, NonZero::get);
    // A panic of a node's machine is something that is found, and no news for the terminal.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let hunted = hunt(&chosen, threads, |one| {
        if options.json {
            println!("{}", as_json(one));
        }
    });
    panic::set_hook(hook);
    if !options.json {
        tell(&hunted, begun);
    }
    let is_good = hunted.iter().all(Hunted::is_good);
    if let Some(file) = options.markdown.as_ref().filter(|_| is_good)
        && let Err(error) = fs::write(file, document(&hunted))
    {
        eprintln!("error: {}: {error}", file.display());
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(!is_good))
}

fn tell(hunted: &[Hunted], begun: Instant) {
    println!("{:<22} {:>5} {:>9} {:>9}  noticed as", "mutant", "seed", "after", "records");
    let alone = hunted.len() == 1;
    for one in hunted {
        let after = format!("{:.3} s", one.after as f64 / 1e6);
        println!("{:<22} {:>5} {after:>9} {:>9}  {}", format!("{:?}", one.planted.bug), one.planted.seed, one.records, one.verdict());
        if alone || !one.is_good() {
            println!("  {}\n  {}", one.planted.bug.words(), one.found.as_deref().unwrap_or("nothing is broken"));
        }
    }
    let (mutants, controls): (Vec<_>, Vec<_>) = hunted.iter().partition(|one| one.planted.sign.is_some());
    let good = |all: &[&Hunted]| all.iter().filter(|one| one.is_good()).count();
    println!(
        "mutants: {} of {} noticed, {} of {} controls hold; {:.1} s",
        good(&mutants),
        mutants.len(),
        good(&controls),
        controls.len(),
        begun.elapsed().as_secs_f64()
    );
}

fn as_json(one: &Hunted) -> serde_json::Value {
    json!({
        "mutant": format!("{:?}", one.planted.bug),
        "mechanism": one.planted.bug.words(),
        "rows": one.planted.rows,
        "source": one.planted.source,
        "seed": one.planted.seed,
        "expected": one.planted.sign,
        "found": one.found,
        "good": one.is_good(),
        "simulated_seconds": one.after as f64 / 1e6,
        "records": one.records,
    })
}
