//! One member: its core executed again, and what each record of it is in the words of the module.

use super::module::{Begin, Entry, Event, Message, Seen};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    outbox::Ticket,
    raft::{self, Effect, HardState, Message as Wire, Origin, Params, Role, State, TermAt},
    trace::{Content, Digest, Written},
};
use std::collections::{HashMap, VecDeque};

/// Values of entries that are not what was proposed under their index and term: no honest run has one.
const FOREIGN: u64 = 900_000_000;

/// A number for what an entry holds.
#[derive(Debug, Default)]
pub(super) struct Values {
    known: HashMap<(Index, Term), (Option<Digest>, u64)>,
    /// Proposals so far.
    pub(super) requests: u64,
    foreign: u64,
}

impl Values {
    fn opens(&mut self, index: Index, term: Term) -> Entry {
        self.known.insert((index, term), (None, 0));
        Entry { term, value: 0 }
    }

    fn proposed(&mut self, index: Index, term: Term) -> Entry {
        self.requests += 1;
        self.known.insert((index, term), (None, self.requests));
        Entry { term, value: self.requests }
    }

    /// The entry of this index and term, which some leader proposed.
    fn named(&mut self, index: Index, term: Term) -> Entry {
        match self.known.get(&(index, term)) {
            Some((_, value)) => Entry { term, value: *value },
            None => self.proposed(index, term),
        }
    }

    /// The same, by its bytes.
    fn read(&mut self, index: Index, term: Term, digest: Digest) -> Entry {
        let entry = self.named(index, term);
        let known = self.known.entry((index, term)).or_insert((None, entry.value));
        if *known.0.get_or_insert(digest) == digest {
            return entry;
        }
        self.foreign += 1;
        Entry { term, value: FOREIGN + self.foreign }
    }

    fn content(&mut self, content: &Content) -> Vec<Entry> {
        let indices = content.first.0..;
        indices.zip(&content.entries).map(|(index, (term, digest))| self.read(Index(index), *term, *digest)).collect()
    }
}

/// What a message is in the module; `None` for refusals and reads.
pub(super) fn message(values: &mut Values, from: NodeId, to: NodeId, message: &Wire, content: &Content) -> Option<Message> {
    match message {
        Wire::PreVote { term, last } => Some(Message::PreVote { from, term: *term, last: *last }),
        Wire::PreVoteResponse { term, granted } => granted.then_some(Message::PreVoteGranted { from, to, term: *term }),
        Wire::RequestVote { term, last } => Some(Message::RequestVote { from, term: *term, last: *last }),
        Wire::RequestVoteResponse { term, granted } => granted.then_some(Message::Vote { from, to, term: *term }),
        Wire::AppendEntries { term, slice, commit, .. } => {
            Some(Message::Append { from, term: *term, prev: slice.prev, entries: values.content(content), commit: *commit })
        }
        Wire::AppendEntriesResponse { term, result, .. } => {
            let matched = result.as_ref().ok().filter(|matched| **matched > Index(0))?;
            Some(Message::Ack { from, to, term: *term, matched: *matched })
        }
        Wire::ReadIndex { .. } | Wire::ReadIndexResponse { .. } => None,
    }
}

/// A change of the disk.
#[derive(Clone, Debug)]
struct Change {
    hard: Option<HardState>,
    /// The log keeps so many entries, and gets these.
    keep: Option<u64>,
    entries: Vec<Entry>,
}

/// A write under way.
#[derive(Clone, Debug)]
struct Pending {
    ticket: Ticket,
    /// How many writes it is in the module.
    writes: u64,
    change: Change,
}

/// A member of the group.
#[derive(Debug)]
pub(super) struct Member {
    id: NodeId,
    params: Params,
    pub(super) state: State,
    /// All of it, what was compacted included.
    pub(super) log: Vec<Entry>,
    /// As in the module.
    heard: bool,
    disk: (HardState, Vec<Entry>),
    pending: VecDeque<Pending>,
    /// Writes that were decided on and not issued yet: how many they are in the module.
    unissued: VecDeque<u64>,
    unsent: Vec<(NodeId, Wire)>,
    /// The message that came last and was not stepped yet, as the module says it.
    pub(super) received: Option<Message>,
    /// What it has promised, to whom and in which term, since it came up or the window began.
    acknowledged: Option<(NodeId, Term, Index)>,
}

impl Member {
    /// One that comes up for the first time; `None` if its log does not reach back to the beginning.
    pub(super) fn new(values: &mut Values, params: &Params, state: &State) -> Option<Self> {
        if state.log.base() != EntryId::default() {
            return None;
        }
        let log = shape(values, state, &[]);
        Some(Self {
            id: state.id,
            params: params.clone(),
            state: state.clone(),
            disk: (state.hard, log.clone()),
            log,
            heard: false,
            pending: VecDeque::new(),
            unissued: VecDeque::new(),
            unsent: Vec::new(),
            received: None,
            acknowledged: None,
        })
    }

    /// Whether nothing is under way here, to the disk or to the network.
    pub(super) fn is_quiet(&self) -> bool {
        self.pending.is_empty() && self.unissued.is_empty() && self.unsent.is_empty()
    }

    /// A window begins here.
    pub(super) fn begin(&mut self) -> Begin {
        (self.heard, self.acknowledged) = (false, None);
        let HardState { term, vote } = self.state.hard;
        Begin { role: role(&self.state), term, vote, log: Vec::new(), commit: self.state.commit }
    }

    /// What it has been told in the roles that count answers.
    pub(super) fn answers(&self) -> Vec<Message> {
        let (to, term) = (self.id, self.state.hard.term);
        match &self.state.role {
            Role::Follower { .. } => Vec::new(),
            Role::PreCandidate { granted } => {
                granted.iter().filter(|from| *from != to).map(|from| Message::PreVoteGranted { from, to, term: term.next() }).collect()
            }
            Role::Candidate { granted } => granted.iter().filter(|from| *from != to).map(|from| Message::Vote { from, to, term }).collect(),
            Role::Leader(leader) => {
                let matched = leader.peers.iter().filter(|(_, progress)| progress.matched > Index(0));
                matched.map(|(from, progress)| Message::Ack { from, to, term, matched: progress.matched }).collect()
            }
        }
    }

    /// A message, or a part of one, left or was dropped.
    pub(super) fn left(&mut self, to: NodeId, message: &Wire) {
        let place = self.unsent.iter().position(|(other, unsent)| *other == to && (unsent == message || is_part(message, unsent)));
        let Some(place) = place else { return };
        let is_over = match (&self.unsent[place].1, message) {
            (Wire::AppendEntries { slice: all, .. }, Wire::AppendEntries { slice, .. }) => all.last == slice.last,
            _ => true,
        };
        if is_over {
            self.unsent.remove(place);
        }
    }

    pub(super) fn issued(&mut self, values: &mut Values, ticket: Ticket, written: &Written, content: &Content) {
        let entries = values.content(content);
        let change = match written {
            Written::Persist { hard, truncate_from } => {
                let first = (!entries.is_empty()).then_some(content.first);
                Change { hard: *hard, keep: truncate_from.or(first).map(|from| from.prev().0), entries }
            }
            Written::Install { hard, .. } => Change { hard: Some(*hard), keep: Some(0), entries: self.log.clone() },
        };
        let writes = self.unissued.pop_front().unwrap_or(1);
        self.pending.push_back(Pending { ticket, writes, change });
    }

    /// Every write through this one is durable.
    pub(super) fn durable(&mut self, through: Ticket) -> Vec<Event> {
        let count = self.pending.iter().take_while(|pending| pending.ticket <= through).count();
        self.sync(count)
    }

    fn sync(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for Pending { writes, change, .. } in self.pending.drain(..count) {
            apply(&mut self.disk, &change);
            let sync = Event { name: "Sync", node: self.id, ..Event::default() };
            events.extend((1..writes).map(|_| sync.clone()));
            let log = change.keep.map(|_| self.disk.1.clone());
            let disk = Seen { term: Some(self.disk.0.term), vote: Some(self.disk.0.vote), log, ..Seen::default() };
            events.push(Event { disk, ..sync });
        }
        events
    }

    /// It comes up again: what the disk had more than it had said became durable, and the rest is gone.
    pub(super) fn recovered(&mut self, values: &mut Values, params: &Params, state: &State) -> Vec<Event> {
        let mut disk = self.disk.clone();
        let mut survived = holds(&disk, state).then_some(0);
        for (number, pending) in self.pending.iter().enumerate() {
            if survived.is_some() {
                break;
            }
            apply(&mut disk, &pending.change);
            survived = holds(&disk, state).then_some(number + 1);
        }
        let mut events = self.sync(survived.unwrap_or(0));
        self.log = shape(values, state, &self.disk.1);
        self.disk = (state.hard, self.log.clone());
        (self.params, self.state) = (params.clone(), state.clone());
        self.pending.clear();
        self.unissued.clear();
        self.unsent.clear();
        (self.heard, self.received, self.acknowledged) = (false, None, None);
        events.push(Event { index: Some(state.applied), ..self.event("Restart", true) });
        events
    }

    /// An event here, with what is seen of the node now.
    fn event(&self, name: &'static str, with_log: bool) -> Event {
        let HardState { term, vote } = self.state.hard;
        let log = with_log.then(|| self.log.clone());
        let after = Seen { role: Some(role(&self.state)), term: Some(term), vote: Some(vote), commit: Some(self.state.commit), log };
        Event { name, node: self.id, after, ..Event::default() }
    }

    /// A step of the core is executed again; what it is in the module. `snapshot` is what a snapshot covers that the step may install: in the module that is a
    /// message, which no record tells.
    pub(super) fn stepped(&mut self, values: &mut Values, event: &raft::Event, snapshot: &[Entry]) -> Vec<Event> {
        let (hard, commit, was, length) = (self.state.hard, self.state.commit, role(&self.state), self.log.len());
        let received = if matches!(event, raft::Event::Receive { .. }) { self.received.take() } else { None };
        let mut effects = Vec::new();
        raft::step(&self.params, &mut self.state, event.clone(), &mut effects);
        let proposed = self.effects(values, &effects, snapshot);
        let is_new_term = self.state.hard.term > hard.term;
        let is = role(&self.state);
        // A batch is one write of the code, and as many proposals and writes of the module as it has entries.
        if proposed > 0 {
            let mut events = vec![Event { name: "Propose", node: self.id, ..Event::default() }; proposed - 1];
            events.push(self.event("Propose", true));
            return events;
        }
        let name = match event {
            raft::Event::Receive { message: Wire::AppendEntries { .. }, .. } => {
                let changed = (hard, commit, was) != (self.state.hard, self.state.commit, is);
                return self.appended(received, &effects, changed, length);
            }
            raft::Event::Receive { message: Wire::PreVote { .. }, .. } => answer(&effects).then_some("GrantPreVote"),
            raft::Event::Receive { message: Wire::RequestVote { .. }, .. } if answer(&effects) => Some("GrantVote"),
            raft::Event::Receive { from, .. } if is_new_term && is == "Follower" => {
                self.heard = false;
                return vec![Event { term: Some(self.state.hard.term), of: Some(*from), ..self.event("LearnTerm", false) }];
            }
            raft::Event::Receive { message: Wire::PreVoteResponse { .. }, .. } if is_new_term => Some("Campaign"),
            raft::Event::Receive { message: Wire::RequestVoteResponse { .. }, .. } => (is != was).then_some("BecomeLeader"),
            raft::Event::Receive { .. } | raft::Event::Persisted { .. } if self.state.commit > commit => Some("AdvanceCommit"),
            raft::Event::ElectionTimeout if was == "Leader" => (is != was).then_some("StepDown"),
            raft::Event::DiskStalled => (is != was).then_some("StepDown"),
            raft::Event::ElectionTimeout => Some("AskPreVote"),
            raft::Event::MinimumTimeout => self.heard.then_some("LoseLeader"),
            raft::Event::SnapshotReceived { .. } => Some("AcceptSnapshot"),
            _ => None,
        };
        let Some(name) = name else { return Vec::new() };
        let mut events = Vec::new();
        if name == "AskPreVote" && self.heard {
            events.push(Event { name: "LoseLeader", node: self.id, ..Event::default() });
        }
        if matches!(name, "AskPreVote" | "LoseLeader" | "Campaign" | "StepDown") || is_new_term {
            self.heard = false;
        }
        let message = received.filter(|_| name.starts_with("Grant"));
        let index = (name == "AdvanceCommit").then_some(self.state.commit);
        events.push(Event { message, index, ..self.event(name, self.log.len() != length) });
        events
    }

    /// Follows what the effects of a step do to the log; how many entries it proposed.
    fn effects(&mut self, values: &mut Values, effects: &[Effect], snapshot: &[Entry]) -> usize {
        let mut proposed = 0;
        for effect in effects {
            match effect {
                Effect::Persist { truncate_from, append, .. } => {
                    if let Some(from) = truncate_from {
                        self.log.truncate(from.prev().0 as usize);
                    }
                    let Some(append) = append else {
                        self.unissued.push_back(1);
                        continue;
                    };
                    for index in (self.log.len() as u64 + 1..=append.last.0).map(Index) {
                        let Some(run) = append.runs.iter().rev().find(|run| run.first <= index) else { continue };
                        self.log.push(match append.origin {
                            Origin::Noop => values.opens(index, run.term),
                            Origin::Proposed => values.proposed(index, run.term),
                            Origin::Received => values.named(index, run.term),
                        });
                        proposed += usize::from(append.origin == Origin::Proposed);
                    }
                    self.unissued.push_back(proposed.max(1) as u64);
                }
                Effect::InstallSnapshot { keep_suffix, .. } => {
                    let suffix = if *keep_suffix { self.log.split_off(snapshot.len()) } else { Vec::new() };
                    self.log = [snapshot, &suffix].concat();
                    self.unissued.push_back(1);
                }
                Effect::Send { to, message, .. } => self.unsent.push((*to, message.clone())),
                _ => {}
            }
        }
        proposed
    }

    /// An append was answered. One that changes nothing, and whose answer says nothing new, is no step.
    fn appended(&mut self, received: Option<Message>, effects: &[Effect], changed: bool, length: usize) -> Vec<Event> {
        let answer = effects.iter().find_map(|effect| match effect {
            Effect::Send { to, message: Wire::AppendEntriesResponse { term, result, .. }, .. } => Some((*to, *term, result)),
            _ => None,
        });
        let Some((to, term, result)) = answer else { return Vec::new() };
        let Some(Message::Append { term: asked, .. }) = &received else { return Vec::new() };
        if *asked < term {
            return Vec::new();
        }
        let changed = changed || !self.heard || effects.iter().any(|effect| matches!(effect, Effect::Persist { .. }));
        self.heard = true;
        let name = match result {
            Ok(matched) => {
                let before = self.acknowledged.filter(|(leader, in_term, _)| (*leader, *in_term) == (to, term)).map(|(.., index)| index);
                if !changed && before.is_some_and(|before| before >= *matched) {
                    return Vec::new();
                }
                self.acknowledged = Some((to, term, before.map_or(*matched, |before| before.max(*matched))));
                "AcceptAppend"
            }
            Err(_) => "RefuseAppend",
        };
        let with_log = length != self.log.len() || effects.iter().any(|effect| matches!(effect, Effect::Persist { append: Some(_), .. }));
        vec![Event { message: received, ..self.event(name, with_log) }]
    }
}

/// Whether this is the disk that a node has come up from.
fn holds((hard, log): &(HardState, Vec<Entry>), state: &State) -> bool {
    let terms = (1..).zip(log).all(|(index, entry)| match state.log.term_at(Index(index)) {
        TermAt::Known(term) => term == entry.term,
        TermAt::Compacted => true,
        TermAt::Beyond => false,
    });
    *hard == state.hard && log.len() as u64 == state.log.last().0 && terms
}

/// The log that a node has come up with; what it has compacted as it was before.
fn shape(values: &mut Values, state: &State, before: &[Entry]) -> Vec<Entry> {
    let base = state.log.base().index.0;
    let mut log: Vec<Entry> = before.iter().copied().take(base as usize).collect();
    for index in (base + 1..=state.log.last().0).map(Index) {
        if let TermAt::Known(term) = state.log.term_at(index) {
            log.push(values.named(index, term));
        }
    }
    log
}

/// Whether a step gave the vote, or would.
fn answer(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| {
        matches!(
            effect,
            Effect::Send { message: Wire::PreVoteResponse { granted: true, .. } | Wire::RequestVoteResponse { granted: true, .. }, .. }
        )
    })
}

fn is_part(part: &Wire, whole: &Wire) -> bool {
    match (part, whole) {
        (Wire::AppendEntries { term, slice, commit, round }, Wire::AppendEntries { term: t, slice: all, commit: c, round: r }) => {
            (term, commit, round) == (t, c, r) && all.prev.index <= slice.prev.index && slice.last <= all.last && slice.entries() > 0
        }
        _ => false,
    }
}

fn apply(disk: &mut (HardState, Vec<Entry>), change: &Change) {
    if let Some(hard) = change.hard {
        disk.0 = hard;
    }
    if let Some(keep) = change.keep {
        disk.1.truncate(keep as usize);
        disk.1.extend(&change.entries);
    }
}

fn role(state: &State) -> &'static str {
    match state.role {
        Role::Follower { .. } => "Follower",
        Role::PreCandidate { .. } => "PreCandidate",
        Role::Candidate { .. } => "Candidate",
        Role::Leader(_) => "Leader",
    }
}
