//! The document of mutants.

use std::fmt::Write;

use super::{Hunted, Verdict, text::count};

const HEAD: &str = "\
# Mutants: mistakes of real systems, and who catches them

Written by `cargo run --release -p roadstead-model -- mutants --markdown docs/mutants.md`; do not edit.

Each row is a mistake that a real system made, put back into the functions that production runs, from outside. A mutant is killed when a search finds a
way to break a law that its row names. Breadth-first search gives the shortest way; a random walk's is reduced until nothing can be left out; a
script is a story that search does not find within its budget. Negative controls are changes that are no mistakes: nothing may convict them.

Mistakes of the disk, the host, the port and the clients have [a document of their own](mutants-of-the-runtime.md).
";

/// A story of so many sentences is shown whole; of a longer one, the beginning and the end.
const SENTENCES_MAX: usize = 24;

/// Sentences that a longer story shows of its beginning.
const SENTENCES_FIRST: usize = 8;

/// Sentences that a longer story shows of its end.
const SENTENCES_LAST: usize = 12;

/// The document. It holds nothing that differs from run to run: its diff is what has changed.
pub fn mutants_document(hunted: &[Hunted]) -> String {
    let (controls, mutants): (Vec<_>, Vec<_>) = hunted.iter().partition(|one| matches!(one.verdict, Verdict::Green | Verdict::Convicted));
    let killed = mutants.iter().filter(|one| one.good()).count();
    let green = controls.iter().filter(|one| one.good()).count();
    let mut text = HEAD.to_owned();
    text += &format!("\n{killed} of {} mutants are killed, {green} of {} negative controls are green.\n\n", mutants.len(), controls.len());
    text += "| mutant | mechanism | source | world | killed by | engine | steps | searched |\n|---|---|---|---|---|---|---:|---:|\n";
    for one in &mutants {
        let steps = one.depth().map_or("–".to_owned(), |depth| depth.to_string());
        let by = if one.good() { one.by.clone().unwrap_or_default() } else { format!("**{}**", one.verdict_text()) };
        let cells = [one.id, one.mechanism, one.source, one.world, &by, one.engine, &steps, &searched(one)];
        text += &row(&cells);
    }
    if !controls.is_empty() {
        text += "\n## Negative controls\n\n| control | mechanism | source | world | verdict | searched |\n|---|---|---|---|---|---:|\n";
        for one in &controls {
            text += &row(&[one.id, one.mechanism, one.source, one.world, one.verdict_text(), &searched(one)]);
        }
    }
    text += "\n## Counterexamples in words\n";
    for one in mutants.iter().filter(|one| one.counterexample.is_some()) {
        counterexample(one, &mut text);
    }
    text
}

fn searched(one: &Hunted) -> String {
    let unit = if one.engine == "breadth-first" { "states" } else { "steps" };
    format!("{} {unit}", count(one.searched))
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn counterexample(one: &Hunted, text: &mut String) {
    let Some(found) = &one.counterexample else { return };
    // A string takes whatever is written.
    let _ = write!(text, "\n### {}: {}\n\n{} ({}).\n\n", one.id, one.mechanism, one.bounds, one.engine);
    let all = found.story.len();
    for (sentence, number) in found.story.iter().zip(1..) {
        let is_shown = all <= SENTENCES_MAX || number <= SENTENCES_FIRST || number > all - SENTENCES_LAST;
        if is_shown {
            let _ = writeln!(text, "{number}. {}", sentence.lines().map(str::trim).collect::<Vec<_>>().join("; "));
        } else if number == SENTENCES_FIRST + 1 {
            // A paragraph between two lists, so that the second one begins with its own number.
            let _ = writeln!(text, "\n… {} more …\n", all - SENTENCES_FIRST - SENTENCES_LAST);
        }
    }
    let _ = writeln!(text, "\n**{}** is broken: {}", found.law, found.values);
}
