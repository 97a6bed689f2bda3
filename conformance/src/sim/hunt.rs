//! Runs what is planted, and writes the document of it.

use super::{
    plan::{Micros, Plan},
    planted::Planted,
    run,
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunted {
    /// Which.
    pub planted: Planted,
    /// What broke.
    pub found: Option<String>,
    /// Simulated time until then, or of the whole run.
    pub after: Micros,
    /// Records that were judged until then.
    pub records: u64,
}

impl Hunted {
    /// Runs one.
    pub fn of(planted: Planted) -> Self {
        let report = run(&Plan { bug: Some(planted.bug), ..Plan::new(planted.seed) }, None);
        let after = report.violation.as_ref().map_or(report.lasted, |violation| violation.at);
        Self { planted, found: report.violation.map(|violation| violation.what), after, records: report.records }
    }

    /// Whether it was noticed as what it is; of a control, whether nothing was.
    pub fn is_good(&self) -> bool {
        match (self.planted.sign, &self.found) {
            (Some(sign), Some(found)) => found.contains(sign),
            (None, None) => true,
            _ => false,
        }
    }

    /// In a word or two.
    pub fn verdict(&self) -> &'static str {
        match (self.planted.sign, &self.found) {
            (Some(sign), Some(found)) if found.contains(sign) => sign,
            (Some(_), Some(_)) => "SOMETHING ELSE",
            (Some(_), None) => "SURVIVED",
            (None, Some(_)) => "VIOLATED",
            (None, None) => "nothing: it holds",
        }
    }
}

/// Runs them, some at a time, and tells of each as soon as it is done. Returns them in their order.
pub fn hunt(all: &[&Planted], threads: usize, tell: impl Fn(&Hunted) + Sync) -> Vec<Hunted> {
    let (next, hunted) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    let Some(planted) = all.get(number) else { break };
                    let one = Hunted::of(**planted);
                    tell(&one);
                    hunted.lock().unwrap_or_else(PoisonError::into_inner).push((number, one));
                }
            });
        }
    });
    let mut hunted = hunted.into_inner().unwrap_or_else(PoisonError::into_inner);
    hunted.sort_by_key(|(number, _)| *number);
    hunted.into_iter().map(|(_, one)| one).collect()
}

const HEAD: &str = "\
# Mutants of the runtime: mistakes around the core, and who notices them

Written by `cargo run --release -p roadstead-conformance -- mutants --markdown docs/mutants-of-the-runtime.md`; do not edit.

The [mutants of the model](mutants.md) put mistakes of real systems back into the functions that decide. These lie where no function of the core is: on the
disk, in the host that carries effects out, in the port, with the clients. Each is planted into the [simulation](simulation.md) of whole nodes, one at a time,
and must be found as what it is; the seed alone, without the mistake, holds. `roadstead-conformance sim --seeds N --plant MUTANT` repeats a run, and tells it
with as few faults as are needed. Rows are numbered as those of the model; a row that stands there, too, is a mistake that both notice. Controls are no mistakes of
the runtime, or ones that it must stand: nothing may break.
";

/// The document. A seed is one run for ever, so it holds nothing that differs from run to run: its diff is what has changed.
pub fn document(hunted: &[Hunted]) -> String {
    let (mutants, controls): (Vec<_>, Vec<_>) = hunted.iter().partition(|one| one.planted.sign.is_some());
    let good = |all: &[&Hunted]| all.iter().filter(|one| one.is_good()).count();
    let kinds: BTreeSet<String> = mutants.iter().map(|one| format!("{:?}", one.planted.bug)).collect();
    let mut text = HEAD.to_owned();
    text += &format!(
        "\n{} of {} runs with {} mutants are noticed, {} of {} controls hold.\n\n",
        good(&mutants),
        mutants.len(),
        kinds.len(),
        good(&controls),
        controls.len()
    );
    text += "| mutant | mechanism | row | source | noticed as | seed | after | records |\n|---|---|---|---|---|---:|---:|---:|\n";
    mutants.iter().for_each(|one| text += &row(one));
    text += "\n## Controls\n\n| control | mechanism | row | source | verdict | seed | lasted | records |\n|---|---|---|---|---|---:|---:|---:|\n";
    controls.iter().for_each(|one| text += &row(one));
    text
}

fn row(one: &Hunted) -> String {
    let after = format!("{:.1} s", one.after as f64 / 1e6);
    format!("{} {} | {} | {after} | {} |\n", words(&one.planted), one.verdict(), one.planted.seed, one.records)
}

/// The beginning of its row: all that is not a figure.
pub fn words(planted: &Planted) -> String {
    let Planted { bug, rows, source, .. } = planted;
    let named = |text: &'static str| if text.is_empty() { "–" } else { text };
    format!("| {bug:?} | {} | {} | {} |", bug.words(), named(rows), named(source))
}
