//! What commands print on stdout.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// How this command prints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// JSON instead of text.
    pub(super) json: bool,
}

impl Output {
    /// Prints a value as JSON on one line, or what `text` makes of it.
    pub(super) fn value<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(value).map_err(|error| Failure::failed(format!("the answer makes no JSON: {error}")))?;
            self.line(&line)
        } else {
            self.line(text(value).trim_end())
        }
    }

    /// Prints bytes of a client as they are, or the JSON that describes them.
    pub(super) fn answer(self, json: impl FnOnce() -> serde_json::Value, text: impl FnOnce() -> Vec<u8>) -> Result<(), Failure> {
        if self.json {
            return self.line(&json().to_string());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&text())?;
        Ok(stdout.flush()?)
    }

    /// Prints a line as it is.
    pub(super) fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }
}

/// An empty table of aligned columns without lines; headings that begin with `>` are of numbers and align to the right.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| Cell::new(heading.trim_start_matches('>'))));
    for (column, heading) in table.column_iter_mut().zip(headings) {
        column.set_padding((0, 2));
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table's lines without the spaces that fill its last column.
pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A duration with the unit that fits it.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}
