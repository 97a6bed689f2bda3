//! A state of `tla/Raft.tla` as data, and as a value that the evaluator takes.
//!
//! Reads, snapshots and compaction are not in the configurations that are compared: `read` is None, `base` is 0.

use roadstead_spec::{EntryId, Index, NodeId, Term, raft::HardState};
use std::collections::{BTreeMap, BTreeSet};
use tla_eval::{State, Value};

/// Entries of one AppendEntries at most: `MaxBatch`, and the limit of the worlds that are compared.
pub(crate) const BATCH_MAX: usize = 1;

/// An entry: 0 opens a term, the n-th proposal has n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) term: Term,
    pub(crate) value: u64,
}

/// A message of the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    PreVote { from: NodeId, term: Term, last: EntryId },
    PreVoteGranted { from: NodeId, to: NodeId, term: Term },
    RequestVote { from: NodeId, term: Term, last: EntryId },
    Vote { from: NodeId, to: NodeId, term: Term },
    Append { from: NodeId, term: Term, prev: EntryId, entries: Vec<Entry>, commit: Index },
    Ack { from: NodeId, to: NodeId, term: Term, matched: Index },
}

impl Message {
    /// The term that whoever hears it learns; a pre-vote and its grant name one that nobody may be in.
    pub(crate) fn tells(&self) -> Option<Term> {
        match self {
            Self::PreVote { .. } | Self::PreVoteGranted { .. } => None,
            Self::RequestVote { term, .. } | Self::Vote { term, .. } | Self::Append { term, .. } | Self::Ack { term, .. } => Some(*term),
        }
    }

    /// Whether `other` is an acknowledgement of the same member in the same term that says more.
    fn is_outdone_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ack { from, to, term, matched }, Self::Ack { from: other_from, to: other_to, term: other_term, matched: more }) => {
                (from, to, term) == (other_from, other_to, other_term) && more > matched
            }
            _ => false,
        }
    }
}

/// What a node knows, in memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    pub(crate) image: Image,
    pub(crate) role: &'static str,
    pub(crate) commit: Index,
    pub(crate) heard: bool,
}

/// What is to survive: in memory, on a disk, or on its way there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Image {
    pub(crate) term: Term,
    pub(crate) vote: Option<NodeId>,
    pub(crate) log: Vec<Entry>,
}

impl Image {
    pub(crate) fn new(hard: HardState, log: Vec<Entry>) -> Self {
        Self { term: hard.term, vote: hard.vote, log }
    }
}

/// A write under way, and what waits for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Write {
    pub(crate) image: Image,
    pub(crate) gated: BTreeSet<Message>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Disk {
    pub(crate) stable: Image,
    pub(crate) pending: Vec<Write>,
}

/// What no member knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct History {
    pub(crate) elected: BTreeSet<(Term, NodeId)>,
    /// By index: what was committed, and in which term.
    pub(crate) committed: Vec<(Entry, Term)>,
    /// The highest term that anybody was ever in.
    pub(crate) highest: Term,
    pub(crate) requests: u64,
    pub(crate) crashes: u64,
    pub(crate) step_downs: u64,
}

/// The variables of the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Module {
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) disks: BTreeMap<NodeId, Disk>,
    pub(crate) messages: BTreeSet<Message>,
    pub(crate) history: History,
}

impl Module {
    /// What was sent grows by these, as `Sent` of the module has it: of one member's acknowledgements in a term only the highest stays.
    pub(crate) fn send(&mut self, sent: impl IntoIterator<Item = Message>) {
        for message in sent {
            if !self.has_sent(&message) {
                self.messages.retain(|other| !other.is_outdone_by(&message));
                self.messages.insert(message);
            }
        }
    }

    /// Whether this may be received: it was sent, or something that says more.
    pub(crate) fn has_sent(&self, message: &Message) -> bool {
        self.messages.contains(message) || self.messages.iter().any(|other| message.is_outdone_by(other))
    }

    /// All that a leader could send now: `Appends` of the module.
    pub(crate) fn appends(&self, from: NodeId) -> Vec<Message> {
        let Node { image: Image { term, log, .. }, commit, .. } = &self.nodes[&from];
        let slice = |prev: usize, count: usize| Message::Append {
            from,
            term: *term,
            prev: EntryId { term: prev.checked_sub(1).map_or(Term(0), |place| log[place].term), index: Index(prev as u64) },
            entries: log[prev..log.len().min(prev + count)].to_vec(),
            commit: *commit,
        };
        (0..=log.len()).flat_map(|prev| (0..=BATCH_MAX).map(move |count| slice(prev, count))).collect()
    }

    /// As the evaluator takes it.
    pub(crate) fn state(&self) -> State {
        let by_node = |(id, value): (&NodeId, Value)| (name(*id), value);
        let nodes = self.nodes.iter().map(|(id, node)| by_node((id, node.value())));
        let disks = self.disks.iter().map(|(id, disk)| by_node((id, disk.value())));
        let variables = [
            ("node", Value::record(nodes)),
            ("disk", Value::record(disks)),
            ("messages", Value::set(self.messages.iter().map(Message::value))),
            ("history", self.history.value()),
        ];
        variables.into_iter().map(|(variable, value)| (variable.to_owned(), value)).collect()
    }
}

/// What a node is called there.
pub(crate) fn name(id: NodeId) -> String {
    format!("n{id}")
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).expect("small numbers"))
}

fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::record(fields.map(|(field, value)| (field.to_owned(), value)))
}

pub(crate) fn vote(vote: Option<NodeId>) -> Value {
    Value::string(vote.map_or("none".to_owned(), name))
}

pub(crate) fn log(entries: &[Entry]) -> Value {
    Value::Seq(entries.iter().map(|entry| entry.value()).collect())
}

impl Entry {
    fn value(self) -> Value {
        record([("term", number(self.term.0)), ("value", number(self.value))])
    }
}

impl Node {
    fn value(&self) -> Value {
        let Image { term, vote: voted, log: entries } = &self.image;
        record([
            ("term", number(term.0)),
            ("vote", vote(*voted)),
            ("log", log(entries)),
            ("base", number(0)),
            ("role", Value::string(self.role)),
            ("commit", number(self.commit.0)),
            ("heard", Value::Bool(self.heard)),
            ("read", Value::string("none")),
        ])
    }
}

impl Image {
    fn value(&self) -> Value {
        record([("term", number(self.term.0)), ("vote", vote(self.vote)), ("log", log(&self.log)), ("base", number(0))])
    }
}

impl Disk {
    fn value(&self) -> Value {
        let write = |write: &Write| record([("image", write.image.value()), ("gated", Value::set(write.gated.iter().map(Message::value)))]);
        record([("stable", self.stable.value()), ("pending", Value::Seq(self.pending.iter().map(write).collect()))])
    }
}

impl History {
    fn value(&self) -> Value {
        let elected = self.elected.iter().map(|(term, leader)| Value::Seq(vec![number(term.0), Value::string(name(*leader))]));
        let committed = self.committed.iter().map(|(entry, term)| record([("entry", entry.value()), ("term", number(term.0))]));
        record([
            ("elected", Value::set(elected)),
            ("committed", Value::Seq(committed.collect())),
            ("answered", Value::set([])),
            ("highest", number(self.highest.0)),
            ("requests", number(self.requests)),
            ("crashes", number(self.crashes)),
            ("stepDowns", number(self.step_downs)),
            ("compactions", number(0)),
            ("reads", number(0)),
        ])
    }
}

impl Message {
    pub(crate) fn value(&self) -> Value {
        let of = |kind: &str, term: &Term| [("type", Value::string(kind)), ("term", number(term.0))];
        let ask = |kind: &str, from: &NodeId, term: &Term, last: &EntryId| {
            let [kind, term] = of(kind, term);
            let from = ("from", Value::string(name(*from)));
            record([kind, term, from, ("lastIndex", number(last.index.0)), ("lastTerm", number(last.term.0))])
        };
        let answer = |kind: &str, from: &NodeId, to: &NodeId, term: &Term| {
            let [kind, term] = of(kind, term);
            [kind, term, ("from", Value::string(name(*from))), ("to", Value::string(name(*to)))]
        };
        match self {
            Self::PreVote { from, term, last } => ask("PreVote", from, term, last),
            Self::RequestVote { from, term, last } => ask("RequestVote", from, term, last),
            Self::PreVoteGranted { from, to, term } => record(answer("PreVoteGranted", from, to, term)),
            Self::Vote { from, to, term } => record(answer("Vote", from, to, term)),
            Self::Ack { from, to, term, matched } => {
                let [kind, term, from, to] = answer("Ack", from, to, term);
                record([kind, term, from, to, ("match", number(matched.0))])
            }
            Self::Append { from, term, prev, entries, commit } => {
                let [kind, term] = of("Append", term);
                let from = ("from", Value::string(name(*from)));
                let prev = [("prev", number(prev.index.0)), ("prevTerm", number(prev.term.0))];
                let [index, prev_term] = prev;
                record([kind, term, from, index, prev_term, ("entries", log(entries)), ("commit", number(commit.0))])
            }
        }
    }
}
