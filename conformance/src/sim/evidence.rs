//! What a run shows: the records of all nodes, judged as they are made, and the first thing that is wrong.

use super::plan::Micros;
use crate::{judge::Judge, print};
use roadstead::trace::{Header, TraceFile, parse_frame, parse_record};
use roadstead_spec::{
    NodeId,
    trace::{Record, What},
};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::PathBuf,
};

/// Records that a violation tells before the one that breaks a rule.
const STORY_MAX: usize = 12;

/// What broke, and what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Micros,
    /// What.
    pub what: String,
    /// The last records of the same node.
    pub story: Vec<String>,
}

/// A start of a node.
struct Boot {
    number: u64,
    /// Where its records are written, too.
    file: Option<TraceFile>,
}

/// Everything that was recorded so far.
pub(super) struct Evidence {
    pub(super) now: Micros,
    pub(super) judge: Judge,
    /// How many.
    pub(super) records: u64,
    pub(super) broken: Option<Violation>,
    digest: DefaultHasher,
    recent: BTreeMap<NodeId, VecDeque<String>>,
    boots: BTreeMap<NodeId, Boot>,
    folder: Option<PathBuf>,
}

impl Evidence {
    /// Of these nodes; with a folder their records are also written there.
    pub(super) fn new(nodes: Vec<NodeId>, folder: Option<PathBuf>) -> Self {
        Self {
            now: 0,
            judge: Judge::new(nodes.into_iter().collect()),
            records: 0,
            broken: None,
            digest: DefaultHasher::new(),
            recent: BTreeMap::new(),
            boots: BTreeMap::new(),
            folder,
        }
    }

    /// A node starts.
    pub(super) fn begin(&mut self, id: NodeId, number: u64) {
        let create = |folder: &PathBuf| TraceFile::create(folder, &Header::new(id, u128::from(id.0), number));
        match self.folder.as_ref().map(create).transpose() {
            Ok(file) => drop(self.boots.insert(id, Boot { number, file })),
            Err(error) => self.not_written(&error),
        }
    }

    /// A node's process is gone.
    pub(super) fn end(&mut self, id: NodeId) {
        self.boots.remove(&id);
        if let Err((seat, broken)) = self.judge.boot_over(id, false) {
            self.violated(Some(id), format!("group {}: {}: {}", seat.1, broken.rule, broken.why));
        }
    }

    /// Hears what a node recorded.
    pub(super) fn record(&mut self, id: NodeId, bytes: &[u8]) {
        id.0.hash(&mut self.digest);
        bytes.hash(&mut self.digest);
        let Some(boot) = self.boots.get_mut(&id) else { return };
        let number = boot.number;
        if let Some(Err(error)) = boot.file.as_mut().map(|file| file.append(bytes)) {
            return self.not_written(&error);
        }
        let mut rest = bytes;
        while !rest.is_empty() && self.broken.is_none() {
            let read = parse_frame(rest).and_then(|(payload, length)| parse_record(payload).map(|record| (record, length)));
            match read {
                Ok(((sequence, what), length)) => {
                    rest = &rest[length..];
                    self.hear(Record { node: id, boot: number, sequence, what });
                }
                Err(error) => return self.violated(Some(id), format!("a record of node {id} cannot be read: {error}")),
            }
        }
    }

    fn hear(&mut self, record: Record) {
        self.records += 1;
        let id = record.node;
        let recent = self.recent.entry(id).or_default();
        if recent.len() == STORY_MAX {
            recent.pop_front();
        }
        recent.push_back(print::record(&record));
        let group = match &record.what {
            What::Group { group, .. } => format!(", group {group}"),
            What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => String::new(),
        };
        if let Err(broken) = self.judge.hear(record) {
            self.violated(Some(id), format!("node {id}{group}: {}: {}", broken.rule, broken.why));
        }
    }

    fn not_written(&mut self, error: &io::Error) {
        self.violated(None, format!("the trace cannot be written: {error}"));
    }

    /// Something is wrong; the first one counts.
    pub(super) fn violated(&mut self, node: Option<NodeId>, what: String) {
        let story = node.and_then(|id| self.recent.get(&id)).map(|recent| recent.iter().cloned().collect()).unwrap_or_default();
        self.broken.get_or_insert(Violation { at: self.now, what, story });
    }

    /// Names everything that was recorded: the same for the same plan.
    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}
