//! Numbers and tables as people read them.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

/// A number with commas between its thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate, to three digits.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 1e7 => format!("{:.0} M", r / 1e6),
        r if r >= 1e6 => format!("{:.1} M", r / 1e6),
        r if r >= 1e4 => format!("{:.0} k", r / 1e3),
        r if r >= 1e3 => format!("{:.1} k", r / 1e3),
        r => format!("{r:.0}"),
    }
}

/// A duration in the unit that fits it.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

/// A small probability.
pub fn probability(p: f64) -> String {
    if p == 0.0 { "0".to_owned() } else { format!("{p:.0e}") }
}

/// An empty table of aligned columns without lines; headings that begin with `>` are of numbers and align to the right.
pub fn table(headings: &[&str]) -> Table {
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

/// A table as text.
pub trait Lines {
    /// Its lines without the spaces that fill its last column.
    fn text(&self) -> String;
}

impl Lines for Table {
    fn text(&self) -> String {
        self.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}
