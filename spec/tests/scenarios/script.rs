//! A script: stanzas of commands with the recorded output below.
//!
//! ```text
//! # a comment, kept
//! timeout 1
//! ----
//! what happened, up to an empty line
//! ```

use crate::command;
use crate::member::Build;
use crate::replay;
use crate::world::World;
use std::fmt::Write as _;

/// What a run of a script gave.
#[derive(Debug)]
pub struct Outcome {
    /// The script, with what happened this time as output.
    pub text: String,
    /// Laws that were broken.
    pub broken: Vec<String>,
}

/// Runs a script. Whatever it recorded before plays no part.
pub fn run(script: &str, build: Build) -> Outcome {
    let mut world = None;
    let mut text = String::new();
    let mut lines = script.lines();
    let mut said = 0;
    while let Some(line) = lines.next() {
        writeln!(text, "{line}").expect("a string takes everything");
        match line.trim() {
            "----" => {
                // The old output is skipped, the new one takes its place.
                lines.by_ref().take_while(|line| !line.trim().is_empty()).for_each(drop);
                let out = world.as_ref().map_or("", |world: &World| world.out.get(said..).unwrap_or_default());
                said += out.len();
                writeln!(text, "{}", if out.is_empty() { "ok\n" } else { out }).expect("a string takes everything");
            }
            "" => {}
            line if line.starts_with('#') => {}
            line => command::run(build, &mut world, line),
        }
    }
    let world = world.expect("a script begins with `cluster`");
    replay::check(&world.records, build);
    Outcome { text: format!("{}\n", text.trim_end()), broken: world.laws.broken }
}
