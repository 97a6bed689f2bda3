//! The last records of a node on which something was wrong (`roadstead::trace`), told as a story.
//!
//! A dump begins in the middle: nobody knows what its messages rest on, so it is not judged. It holds the events of steps, and not what they gave. But the
//! state of a group is among its records, as a rule once in each half, and from there on its steps are executed again: that tells the effects, and gives the
//! state that the next such record must show.

use crate::{
    files::{BootFile, Unreadable},
    judge::{Seat, seat},
    print,
    stream::{End, Next, Stream},
};
use roadstead::trace::{BadFrame, DumpHeader, parse_dump_head};
use roadstead_spec::{
    GroupId,
    raft::{self, Params, State},
    trace::{Digest, Fact, Record, What},
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Steps that were executed again, from a state on.
    pub steps: u64,
    /// Steps before the first state: nothing is known but their events.
    pub before: u64,
    /// States that were compared with what the steps give.
    pub compared: u64,
    /// The first record with another state than the steps give.
    pub differs: Option<u64>,
}

/// A dump, executed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Each record; a step has the effects that executing it gives, if that is possible.
    pub records: Vec<Record>,
    /// Group by group.
    pub groups: BTreeMap<Seat, Again>,
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

    /// Executes again what can be.
    pub fn tell(&self) -> Told {
        let mut told = Told { records: Vec::with_capacity(self.records.len()), groups: BTreeMap::new() };
        let mut states = BTreeMap::new();
        let mut expected = None;
        for record in &self.records {
            if expected.is_some_and(|expected| expected != record.sequence) {
                states.clear(); // what is missing may have been a step of any of them
            }
            expected = Some(record.sequence + 1);
            let mut record = record.clone();
            if let (Some(seat), What::Group { fact, .. }) = (seat(&record), &mut record.what) {
                told.groups.entry(seat).or_default().hear(record.sequence, fact, &mut states, seat);
            }
            told.records.push(record);
        }
        told
    }
}

type States = BTreeMap<Seat, (Params, State)>;

impl Again {
    fn hear(&mut self, record: u64, fact: &mut Fact, states: &mut States, seat: Seat) {
        match fact {
            Fact::Recovered { params, state } => {
                let before = states.insert(seat, ((**params).clone(), (**state).clone()));
                if let Some((_, before)) = before {
                    self.compared += 1;
                    self.differs = self.differs.or((before != **state).then_some(record));
                }
            }
            Fact::Stepped { event, effects, after } => match states.get_mut(&seat) {
                Some((params, state)) => {
                    self.steps += 1;
                    raft::step(params, state, event.clone(), effects);
                    *after = Digest::of_state(state);
                }
                None => self.before += 1,
            },
            _ => {}
        }
    }
}

impl Told {
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
        gaps.zip(&self.records).flat_map(move |(gap, record)| gap.into_iter().chain(is_told(record).then(|| print::kept(record))))
    }

    /// Whether no state is another one than the steps before it give.
    pub fn is_sound(&self) -> bool {
        self.groups.values().all(|again| again.differs.is_none())
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps executed again, {} states compared", self.steps, self.compared)?;
        if self.before > 0 {
            write!(f, "; of {} steps before the first state only the events are known", self.before)?;
        }
        match self.differs {
            Some(record) => write!(f, "; the state at record {record} is WRONG: the steps before it give another one"),
            None => Ok(()),
        }
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
