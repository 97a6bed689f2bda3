//! Reads one table of a TOML file. Every key is asked for by name and type; what nobody may ask for is an error.

use std::{fmt::Display, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{ConfigError, Invalid, Problem};

/// The file that is being read: turns byte positions into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) file: &'s Path,
    pub(super) text: &'s str,
}

impl Source<'_> {
    /// The line of a byte position, from 1.
    pub(super) fn line(&self, position: usize) -> usize {
        1 + self.text.bytes().take(position).filter(|&byte| byte == b'\n').count()
    }

    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let line = self.line(error.span().map_or(0, |span| span.start));
        ConfigError::Syntax { file: self.file.to_owned(), line, message: error.message().to_owned() }
    }

    fn invalid(&self, position: usize, key: String, problem: Problem) -> ConfigError {
        ConfigError::Invalid { file: self.file.to_owned(), line: self.line(position), invalid: Invalid { key, problem } }
    }
}

/// One table and the keys that it may have.
pub(super) struct Section<'s> {
    source: Source<'s>,
    /// How errors call it: empty for the top, `timers.`, `group 3: `.
    label: String,
    start: usize,
    table: Option<&'s DeTable<'s>>,
}

impl<'s> Section<'s> {
    /// A table; unknown keys are refused here, before any key is read.
    pub(super) fn new(source: Source<'s>, label: String, table: &'s DeTable<'s>, start: usize, keys: &[&str]) -> Result<Self, ConfigError> {
        let unknown = table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())).min_by_key(|key| key.span().start);
        if let Some(key) = unknown {
            let allowed = keys.join(", ");
            return Err(source.invalid(key.span().start, format!("{label}{}", key.get_ref()), Problem::UnknownKey { allowed }));
        }
        Ok(Self { source, label, start, table: Some(table) })
    }

    /// The table under `key`; an absent one reads as empty.
    pub(super) fn table(&self, key: &str, keys: &[&str]) -> Result<Self, ConfigError> {
        let label = format!("{key}.");
        let Some((start, value)) = self.entry(key) else {
            return Ok(Self { source: self.source, label, start: self.start, table: None });
        };
        match value.get_ref() {
            DeValue::Table(table) => Self::new(self.source, label, table, start, keys),
            other => Err(self.wrong_type(key, start, other, &format!("a table [{key}]"))),
        }
    }

    /// The tables under `[[key]]`, in file order, with labels that count from 1; an absent array is empty.
    pub(super) fn tables(&self, key: &str, keys: &[&str]) -> Result<Vec<Self>, ConfigError> {
        let Some((start, value)) = self.entry(key) else { return Ok(Vec::new()) };
        let wanted = format!("tables [[{key}]]");
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, start, value.get_ref(), &wanted));
        };
        let mut sections = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                return Err(self.wrong_type(key, item.span().start, item.get_ref(), &wanted));
            };
            sections.push(Self::new(self.source, format!("[[{key}]] {}: ", place + 1), table, item.span().start, keys)?);
        }
        Ok(sections)
    }

    /// How errors call this table from now on.
    pub(super) fn relabel(&mut self, label: String) {
        self.label = label;
    }

    /// A whole number within `min..=max`.
    pub(super) fn integer(&self, key: &str, min: u64, max: u64) -> Result<Option<u64>, ConfigError> {
        let Some((start, value)) = self.entry(key) else { return Ok(None) };
        let allowed = format!("a whole number, {min} to {max}");
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.wrong_type(key, start, value.get_ref(), &allowed));
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) if (min..=max).contains(&value) => Ok(Some(value)),
            _ => Err(self.refuse(key, Problem::OutOfRange { value: number.to_string(), allowed })),
        }
    }

    /// A string.
    pub(super) fn string(&self, key: &str, allowed: &str) -> Result<Option<&'s str>, ConfigError> {
        let Some((start, value)) = self.entry(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) => Ok(Some(text.as_ref())),
            other => Err(self.wrong_type(key, start, other, allowed)),
        }
    }

    /// A string that `parse` understands.
    pub(super) fn parsed<T>(&self, key: &str, allowed: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.string(key, allowed)? else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.refuse(key, Problem::OutOfRange { value: format!("{text:?}"), allowed: allowed.to_owned() })),
        }
    }

    /// A list of whole numbers within `min..=max`.
    pub(super) fn integers(&self, key: &str, min: u64, max: u64) -> Result<Option<Vec<u64>>, ConfigError> {
        let Some((start, value)) = self.entry(key) else { return Ok(None) };
        let allowed = format!("a list of whole numbers, {min} to {max}");
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, start, value.get_ref(), &allowed));
        };
        let mut numbers = Vec::with_capacity(items.len());
        for item in items {
            let DeValue::Integer(number) = item.get_ref() else {
                return Err(self.wrong_type(key, item.span().start, item.get_ref(), &allowed));
            };
            match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(value) if (min..=max).contains(&value) => numbers.push(value),
                _ => return Err(self.refuse(key, Problem::OutOfRange { value: number.to_string(), allowed })),
            }
        }
        Ok(Some(numbers))
    }

    /// The value, or an error that shows a line which would be right.
    pub(super) fn required<T>(&self, key: &str, example: impl Display, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or_else(|| self.refuse(key, Problem::Missing { allowed: format!("for example: {key} = {example}") }))
    }

    /// An error at this key's line, or at the table's line when the key is absent.
    pub(super) fn refuse(&self, key: &str, problem: Problem) -> ConfigError {
        let position = self.entry(key).map_or(self.start, |(start, _)| start);
        self.source.invalid(position, format!("{}{key}", self.label), problem)
    }

    /// The key's position and value.
    fn entry(&self, key: &str) -> Option<(usize, &'s Spanned<DeValue<'s>>)> {
        let (name, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((name.span().start, value))
    }

    fn wrong_type(&self, key: &str, position: usize, found: &DeValue<'_>, allowed: &str) -> ConfigError {
        let found = match found {
            DeValue::String(text) => format!("the string {text:?}"),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(value) => format!("{value}"),
            DeValue::Datetime(value) => format!("the date {value}"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.source.invalid(position, format!("{}{key}", self.label), Problem::WrongType { found, allowed: allowed.to_owned() })
    }
}
