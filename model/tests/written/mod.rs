//! Runs for `tla/check traces` out of worlds: a path that Stateright finds, told as events of a trace specification, in a file of `tla/traces`.
//!
//! The files are committed, so that TLC judges them without this package; `ROADSTEAD_REWRITE=1` writes them anew.

pub(crate) mod path;

use std::{env, fmt, fs, path::PathBuf};

/// An event: the action's name, and its fields as the module writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Event(Vec<(&'static str, String)>);

impl Event {
    pub(crate) fn new(name: &str) -> Self {
        Self(vec![("event", text(name))])
    }

    pub(crate) fn with(mut self, field: &'static str, value: impl fmt::Display) -> Self {
        self.0.push((field, value.to_string()));
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> = self.0.iter().map(|(field, value)| format!("{field} |-> {value}")).collect();
        write!(out, "[{}]", fields.join(", "))
    }
}

/// A text of TLA+.
pub(crate) fn text(text: &str) -> String {
    format!("\"{text}\"")
}

/// A part of a run, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) shows: &'static str,
    pub(crate) events: Vec<Event>,
}

/// A run as the module `Run`.
#[derive(Debug)]
pub(crate) struct Run {
    /// `tla/traces/FILE.tla`.
    pub(crate) file: &'static str,
    /// The test that writes it.
    pub(crate) by: &'static str,
    /// What the specification asks of a run, but its events.
    pub(crate) begin: Vec<(String, String)>,
    pub(crate) legs: Vec<Leg>,
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "-------------------------------- MODULE Run --------------------------------")?;
        writeln!(out, "\\* Written by {}: paths of the model's world, each to what it shows.", self.by)?;
        writeln!(out, "EXTENDS Naturals, Sequences\n")?;
        for (name, value) in &self.begin {
            writeln!(out, "{name} == {value}")?;
        }
        writeln!(out, "\nTrace == <<")?;
        for (place, leg) in self.legs.iter().enumerate() {
            writeln!(out, "    \\* {}", leg.shows)?;
            for (number, event) in leg.events.iter().enumerate() {
                let is_last = place + 1 == self.legs.len() && number + 1 == leg.events.len();
                writeln!(out, "    {event}{}", if is_last { "" } else { "," })?;
            }
        }
        writeln!(out, ">>\n=============================================================================")
    }
}

impl Run {
    /// Panics unless the committed file is this run.
    pub(crate) fn is_committed(&self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tla/traces").join(self.file).with_added_extension("tla");
        if env::var_os("ROADSTEAD_REWRITE").is_some() {
            fs::write(&path, self.to_string()).expect("the run can be written");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, self.to_string(), "{} is stale; ROADSTEAD_REWRITE=1 writes it anew", path.display());
    }
}
