//! The words of `tla/TraceRaft.tla`: messages, events, and a window of them as the module `Run`.

use roadstead_spec::{EntryId, GroupId, Index, NodeId, Term};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::{self, Write},
};

/// An entry of a log, and of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Its term.
    pub term: Term,
    /// 0 opens a term; the n-th proposal of the run has n.
    pub value: u64,
}

/// A message of the module. Refusals, rounds and reads are none.
#[expect(missing_docs, reason = "named as in tla/Raft.tla")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    PreVote { from: NodeId, term: Term, last: EntryId },
    PreVoteGranted { from: NodeId, to: NodeId, term: Term },
    RequestVote { from: NodeId, term: Term, last: EntryId },
    Vote { from: NodeId, to: NodeId, term: Term },
    Append { from: NodeId, term: Term, prev: EntryId, entries: Vec<Entry>, commit: Index },
    Ack { from: NodeId, to: NodeId, term: Term, matched: Index },
}

/// What was seen of a node, in memory or on its disk; of its log the part that the window knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in tla/Raft.tla")]
pub struct Seen {
    pub role: Option<&'static str>,
    pub term: Option<Term>,
    pub vote: Option<Option<NodeId>>,
    pub commit: Option<Index>,
    pub log: Option<Vec<Entry>>,
}

/// An event of the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The action's name.
    pub name: &'static str,
    /// Where.
    pub node: NodeId,
    /// What was sent or received.
    pub message: Option<Message>,
    /// Of `AdvanceCommit` and `Restart`.
    pub index: Option<Index>,
    /// Of `LearnTerm`.
    pub term: Option<Term>,
    /// Of `LearnTerm`: whose refusal told it.
    pub of: Option<NodeId>,
    /// What the node had in memory afterwards.
    pub after: Seen,
    /// What its disk held afterwards.
    pub disk: Seen,
}

/// What a node began the window with. Nothing of it was on its way to the disk.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in tla/Raft.tla")]
pub struct Begin {
    pub role: &'static str,
    pub term: Term,
    pub vote: Option<NodeId>,
    pub log: Vec<Entry>,
    pub commit: Index,
}

/// A part of a group's run.
#[derive(Clone, Debug)]
pub struct Window {
    /// The group.
    pub group: GroupId,
    /// How many events of the run came before.
    pub first: u64,
    /// Every member knew this entry to be committed: the snapshot point, and the first entry of all logs; 0 in a window that begins with the run.
    pub floor: Index,
    /// What the members began with.
    pub begin: BTreeMap<NodeId, Begin>,
    /// What had been sent before and matters in it.
    pub messages: BTreeSet<Message>,
    /// Proposals before it.
    pub requests: u64,
    /// What happened.
    pub events: Vec<Event>,
    /// Why it ends.
    pub ended: &'static str,
}

impl Window {
    /// What is taken off every index: in the module the snapshot point has index 1.
    pub fn offset(&self) -> u64 {
        self.floor.0.saturating_sub(1)
    }

    /// The part of a log that the window knows.
    pub fn part(&self, log: &[Entry]) -> Vec<Entry> {
        log.get(self.offset() as usize..).unwrap_or_default().to_vec()
    }

    /// The highest index of the window.
    pub fn last(&self) -> Index {
        Index(self.offset() + self.line().len() as u64)
    }

    /// The file's name.
    pub fn file_name(&self) -> String {
        format!("TraceRaft.group{}-{}.tla", self.group, self.first)
    }

    /// The longest log.
    fn line(&self) -> &[Entry] {
        let seen = self.events.iter().flat_map(|event| [&event.after.log, &event.disk.log]).flatten();
        let logs = self.begin.values().map(|begin| &begin.log).chain(seen);
        logs.max_by_key(|log| log.len()).map_or(&[], Vec::as_slice)
    }
}

/// Writes a window.
struct Writer<'a> {
    window: &'a Window,
    line: &'a [Entry],
    names: HashMap<Message, String>,
    definitions: String,
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer { window: self, line: self.line(), names: HashMap::new(), definitions: String::new() };
        let mut events = Vec::new();
        for event in &self.events {
            events.push(writer.event(event)?);
        }
        let messages = self.messages.iter().map(|message| writer.message(message)).collect::<Result<Vec<_>, _>>()?;
        let line: Vec<String> = writer.line.iter().map(entry).collect();
        let nodes: Vec<String> = self.begin.keys().map(|id| node(*id)).collect();
        writeln!(out, "-------------------------------- MODULE Run --------------------------------")?;
        writeln!(out, "(* Group {}: {} events from number {} on; {}.", self.group, self.events.len(), self.first, self.ended)?;
        writeln!(out, "   Entry 1 here is entry {} of the run. *)", self.offset() + 1)?;
        writeln!(out, "EXTENDS Naturals, Sequences\n")?;
        writeln!(out, "Entry(term, value) == [term |-> term, value |-> value]\nLine == <<{}>>", line.join(", "))?;
        writeln!(out, "Part(first, last) == SubSeq(Line, first, last)\n")?;
        writeln!(out, "RunNodes == {{{}}}\nRunPreVote == TRUE", nodes.join(", "))?;
        let begins: Vec<String> = self.begin.iter().map(|(id, begin)| format!("{} |-> {}", key(*id), writer.begin(begin))).collect();
        writeln!(out, "RunBegin ==\n    [{}]", begins.join(",\n     "))?;
        let roles: Vec<String> = self.begin.iter().map(|(id, begin)| format!("{} |-> \"{}\"", key(*id), begin.role)).collect();
        writeln!(out, "RunRoles == [{}]\nRunRequests == {}\n", roles.join(", "), self.requests)?;
        writeln!(out, "{}", writer.definitions)?;
        writeln!(out, "RunMessages == {{{}}}\n", messages.join(", "))?;
        writeln!(out, "Trace == <<\n    {}\n>>", events.join(",\n    "))?;
        writeln!(out, "=============================================================================")
    }
}

impl Writer<'_> {
    fn index(&self, index: Index) -> u64 {
        index.0.max(self.window.floor.0) - self.window.offset()
    }

    /// Entries from this index of the module on.
    fn entries(&self, first: u64, entries: &[Entry]) -> String {
        let place = (first - 1) as usize;
        if self.line.get(place..place + entries.len()) == Some(entries) {
            return if entries.is_empty() { "<<>>".into() } else { format!("Part({first}, {})", place + entries.len()) };
        }
        let entries: Vec<String> = entries.iter().map(entry).collect();
        format!("<<{}>>", entries.join(", "))
    }

    fn begin(&self, begin: &Begin) -> String {
        format!(
            "[term |-> {}, vote |-> {}, log |-> {}, base |-> {}, commit |-> {}]",
            begin.term,
            vote(begin.vote),
            self.entries(1, &begin.log),
            self.window.floor.0.min(1),
            self.index(begin.commit)
        )
    }

    fn seen(&self, seen: &Seen) -> String {
        let Seen { role, term, vote: voted, commit, log } = seen;
        let fields = [
            role.map(|role| format!("role |-> \"{role}\"")),
            term.map(|term| format!("term |-> {term}")),
            voted.map(|voted| format!("vote |-> {}", vote(voted))),
            commit.map(|commit| format!("commit |-> {}", self.index(commit))),
            log.as_ref().map(|log| format!("log |-> {}", self.entries(1, log))),
        ];
        fields.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn event(&mut self, event: &Event) -> Result<String, fmt::Error> {
        let mut text = format!("[event |-> \"{}\", node |-> {}", event.name, node(event.node));
        if let Some(message) = &event.message {
            write!(text, ", message |-> {}", self.message(message)?)?;
        }
        if let Some(index) = event.index {
            write!(text, ", index |-> {}", self.index(index))?;
        }
        if let Some(term) = event.term {
            write!(text, ", term |-> {term}")?;
        }
        if let Some(of) = event.of {
            write!(text, ", of |-> {}", node(of))?;
        }
        for (name, seen) in [("after", &event.after), ("disk", &event.disk)] {
            if *seen != Seen::default() {
                write!(text, ", {name} |-> [{}]", self.seen(seen))?;
            }
        }
        Ok(text + "]")
    }

    /// The name of a message, which is defined where it comes first.
    fn message(&mut self, message: &Message) -> Result<String, fmt::Error> {
        if let Some(name) = self.names.get(message) {
            return Ok(name.clone());
        }
        let name = format!("{}_{}", kind(message), self.names.len() + 1);
        let text = self.record(message);
        writeln!(self.definitions, "{name} == [type |-> \"{}\", {text}]", kind(message))?;
        self.names.insert(message.clone(), name.clone());
        Ok(name)
    }

    fn record(&self, message: &Message) -> String {
        match message {
            Message::PreVote { from, term, last } | Message::RequestVote { from, term, last } => {
                format!("term |-> {term}, from |-> {}, lastIndex |-> {}, lastTerm |-> {}", node(*from), self.index(last.index), last.term)
            }
            Message::PreVoteGranted { from, to, term } | Message::Vote { from, to, term } => {
                format!("term |-> {term}, from |-> {}, to |-> {}", node(*from), node(*to))
            }
            Message::Append { from, term, prev, entries, commit } => {
                // What lies at or below the snapshot point is there already.
                let below = (self.window.floor.0.saturating_sub(prev.index.0) as usize).min(entries.len());
                let entries = entries.get(below..).unwrap_or_default();
                let prev_index = self.index(prev.index);
                let at_floor = self.line.first().filter(|_| prev.index < self.window.floor);
                format!(
                    "term |-> {term}, from |-> {}, prev |-> {prev_index}, prevTerm |-> {}, entries |-> {}, commit |-> {}",
                    node(*from),
                    at_floor.map_or(prev.term, |entry| entry.term),
                    self.entries(prev_index + 1, entries),
                    self.index(*commit)
                )
            }
            Message::Ack { from, to, term, matched } => {
                format!("term |-> {term}, from |-> {}, to |-> {}, match |-> {}", node(*from), node(*to), self.index(*matched))
            }
        }
    }
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::PreVote { .. } => "PreVote",
        Message::PreVoteGranted { .. } => "PreVoteGranted",
        Message::RequestVote { .. } => "RequestVote",
        Message::Vote { .. } => "Vote",
        Message::Append { .. } => "Append",
        Message::Ack { .. } => "Ack",
    }
}

fn key(node: NodeId) -> String {
    format!("n{node}")
}

fn node(node: NodeId) -> String {
    format!("\"n{node}\"")
}

fn vote(vote: Option<NodeId>) -> String {
    vote.map_or("\"none\"".into(), node)
}

fn entry(entry: &Entry) -> String {
    format!("Entry({}, {})", entry.term, entry.value)
}
