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
use roadstead_spec::trace::Record;
use std::fmt::Write as _;

/// What a run of a script gave. A script may set up several clusters, one after the other.
#[derive(Debug)]
pub struct Outcome {
    /// The script, with what happened this time as output.
    pub text: String,
    /// Laws that were broken.
    pub broken: Vec<String>,
    /// The trace of the last cluster.
    pub records: Vec<Record>,
    /// What the replay says of all traces.
    pub replayed: Result<(), String>,
}

/// Runs a script. Whatever it recorded before plays no part.
pub fn run(script: &str, build: Build) -> Outcome {
    let mut world = None;
    let mut text = String::new();
    let mut lines = script.lines();
    let mut said = 0;
    let mut worlds: Vec<World> = Vec::new();
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
            line => {
                if line.starts_with("cluster") {
                    worlds.extend(world.take());
                    said = 0;
                }
                command::run(build, &mut world, line);
            }
        }
    }
    worlds.extend(world);
    let replayed = worlds.iter().try_for_each(|world| replay::check(&world.records, build));
    let records = worlds.last_mut().map(|world| std::mem::take(&mut world.records)).unwrap_or_default();
    let broken = worlds.into_iter().flat_map(|world| world.laws.broken).collect();
    Outcome { text: format!("{}\n", text.trim_end()), broken, records, replayed }
}
