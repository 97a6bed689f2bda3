//! The last records of a node on which something was wrong (`roadstead::trace`), told as a story.
//!
//! A dump begins in the middle: nobody knows what its messages rest on, so it is not judged. What can be done is done: the steps of a group behind a
//! `Recovered` are executed again, and must give the recorded effects. States are not compared, since a dump has no digests.

use crate::{
    files::{BootFile, Unreadable},
    judge::Seat,
    print,
    stream::{End, Next, Stream},
};
use roadstead::trace::{BadFrame, DumpHeader, parse_dump_head};
use roadstead_spec::{
    GroupId,
    raft::{self, Effect, Params, State},
    trace::{Fact, Record, What},
};
use std::{collections::BTreeMap, fmt, fs, path::Path};

/// A dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Whose, and why.
    pub header: DumpHeader,
    /// In order; a record that was too large to be kept is missing.
    pub records: Vec<Record>,
    /// Bytes of a record at the end that the node did not write in full.
    pub torn: u64,
}

/// What executing a group's steps again shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// There is no state to start from: the group came up before the first record, or a record is missing since.
    Middle {
        /// Steps that could not be executed.
        steps: u64,
    },
    /// Every step behind the group's start gives the recorded effects.
    Same {
        /// How many.
        steps: u64,
    },
    /// A step gives other effects.
    Differs {
        /// The record.
        record: u64,
        /// What it gives.
        gives: String,
    },
}

impl Dump {
    /// Reads a dump.
    ///
    /// # Errors
    /// When it is none, or damaged.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let bytes = fs::read(path).map_err(Unreadable::io(path))?;
        let (header, start) = parse_dump_head(&bytes).map_err(|why| Unreadable::NoDump { path: path.to_owned(), why })?;
        let boot = BootFile { path: path.to_owned(), header: header.of.clone(), start: start as u64, bytes: bytes.len() as u64 };
        let mut stream = Stream::new(header.of.node, vec![boot]);
        let (mut records, mut torn) = (Vec::new(), 0);
        while stream.peek()?.is_some() {
            match stream.take() {
                Some(Next::Record(_, record)) => records.push(record),
                Some(Next::Over(End::Torn(bytes))) => torn = bytes,
                Some(Next::Over(End::InOrder | End::Cut)) | None => {}
            }
        }
        Ok(Self { header, records, torn })
    }

    /// The records as lines, those of one group or all.
    pub fn story(&self, group: Option<GroupId>) -> impl Iterator<Item = String> {
        let missing = |pair: &[Record]| match pair {
            [one, next] if next.sequence > one.sequence + 1 => {
                Some(format!("... records {} to {} were too large to be kept", one.sequence + 1, next.sequence - 1))
            }
            _ => None,
        };
        let gaps = std::iter::once(None).chain(self.records.windows(2).map(missing));
        let is_told = move |record: &Record| group.is_none_or(|group| seat(record).is_some_and(|(_, of, _)| of == group));
        gaps.zip(&self.records).flat_map(move |(gap, record)| gap.into_iter().chain(is_told(record).then(|| print::lean(record))))
    }

    /// Executes again what can be, group by group.
    pub fn again(&self) -> BTreeMap<Seat, Again> {
        let mut found = BTreeMap::new();
        let mut states: BTreeMap<Seat, (Params, State)> = BTreeMap::new();
        let mut expected = None;
        for record in &self.records {
            if expected.is_some_and(|expected| expected != record.sequence) {
                states.clear(); // what is missing may have been a step of any of them
            }
            expected = Some(record.sequence + 1);
            let (Some(seat), What::Group { fact, .. }) = (seat(record), &record.what) else { continue };
            match fact {
                Fact::Recovered { params, state } => drop(states.insert(seat, ((**params).clone(), (**state).clone()))),
                Fact::Stepped { event, effects, .. } => {
                    let step = states.get_mut(&seat).map(|(params, state)| {
                        let mut gives = Vec::new();
                        raft::step(params, state, event.clone(), &mut gives);
                        gives
                    });
                    found.entry(seat).or_insert(Again::Same { steps: 0 }).add(record.sequence, effects, step);
                }
                _ => {}
            }
        }
        found
    }
}

impl Again {
    fn add(&mut self, record: u64, recorded: &[Effect], gives: Option<Vec<Effect>>) {
        match (&mut *self, gives) {
            (Self::Differs { .. }, _) => {}
            (Self::Middle { steps }, None) => *steps += 1,
            (Self::Same { .. }, None) => *self = Self::Middle { steps: 1 },
            (_, Some(gives)) if gives != recorded => *self = Self::Differs { record, gives: print::effects(&gives) },
            (Self::Same { steps }, Some(_)) => *steps += 1,
            (Self::Middle { .. }, Some(_)) => *self = Self::Same { steps: 1 },
        }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Middle { steps } => write!(f, "the dump begins in the middle, so {steps} steps cannot be executed again"),
            Self::Same { steps } => write!(f, "{steps} steps executed again, with the recorded effects"),
            Self::Differs { record, gives } => write!(f, "record {record} is WRONG: executed again, it gives [{gives}]"),
        }
    }
}

fn seat(record: &Record) -> Option<Seat> {
    match &record.what {
        What::Group { group, incarnation, .. } => Some((record.node, *group, *incarnation)),
        What::Booted { .. } | What::Ended => None,
    }
}

/// Why a file is no dump.
pub(crate) fn no_dump(why: BadFrame) -> &'static str {
    match why {
        BadFrame::Short => "it ends within its first line",
        BadFrame::Damaged => "its beginning is damaged",
        BadFrame::Foreign => "it is something else, or another release's; traces (*.trace) are for `replay`",
    }
}
