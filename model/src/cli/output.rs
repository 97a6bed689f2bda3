//! What commands print on stdout, and counterexamples as files.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::failure::Failure;
use crate::{
    engine::Counterexample,
    report::{Origin, Saved, told},
};

/// How this command prints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// JSON instead of text.
    pub(super) json: bool,
}

impl Output {
    /// Prints a value as JSON on one line, if JSON is wanted.
    pub(super) fn value<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let line = serde_json::to_string(value).map_err(|error| Failure::failed(format!("the answer makes no JSON: {error}")))?;
        line_out(&line)
    }

    /// Prints text, if text is wanted.
    pub(super) fn text(self, text: &str) -> Result<(), Failure> {
        if self.json { Ok(()) } else { line_out(text.trim_end()) }
    }

    /// Saves a counterexample, tells it, and says how to see it again.
    pub(super) fn counterexample(self, origin: Origin, found: &Counterexample, folder: &Path) -> Result<(), Failure> {
        let file = folder.join(origin.file_name());
        let saved = Saved::new(origin, found);
        let text = serde_json::to_string_pretty(&saved).map_err(|error| Failure::of_file(&file, &error))?;
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, text + "\n")).map_err(|error| Failure::of_file(&file, &error))?;
        let file = file.display();
        self.text(&format!(
            "\n{} is broken in {}\n\n{}\nsaved as       {file}\ntell it again: roadstead-model replay {file}\nlook at it:    roadstead-model explore {file}",
            found.law,
            saved.origin.describe(),
            told(&found.story, found.law, &found.values),
        ))
    }
}

fn line_out(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Reads a counterexample.
pub(super) fn read_saved(file: &Path) -> Result<Saved, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::of_file(file, &error))?;
    serde_json::from_str(&text).map_err(|error| Failure::of_file(file, &error))
}
