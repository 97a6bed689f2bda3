//! A window of a recorded run as a TLA+ module, for `tla/TraceRaft.tla` to judge.
//!
//! The judge of this crate executes what `spec` decides; so both can be wrong in the same way. The module was written from the papers. What is told here, and
//! what is not, is in `docs/tla.md`.

mod member;
pub mod module;

use crate::{
    files::{self, Unreadable},
    judge::Judge,
    stream::{End, Next, Stream},
    verdict::Broken,
};
use member::{Member, Values, message};
use module::{Event, Message, Window};
use roadstead_spec::{
    GroupId, Incarnation, Index, NodeId, Term,
    raft::{self, Message as Wire, Params, State},
    trace::{Content, Fact, Record, What},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::Path,
};

/// Most entries of a log in a window: what TLC takes for a step grows with them.
pub const ENTRIES_MAX: u64 = 64;

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum NoModule {
    /// The files.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A run that is none is not worth a second opinion.
    #[error("node {node}, record {record}: the run is rejected: {}: {}; `replay` tells more", .broken.rule, .broken.why)]
    Rejected {
        /// Whose record.
        node: NodeId,
        /// Its number.
        record: u64,
        /// Why.
        broken: Broken,
    },
    /// Something of the group is not here, or has no word in the module.
    #[error("group {0}: {1}")]
    Group(GroupId, String),
}

/// Which part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The group; if it had several lives, the first that is met.
    pub group: GroupId,
    /// So many events are left out before it begins: at the first moment from then on at which nothing is under way to any member's disk.
    pub from: u64,
    /// Most events.
    pub events: usize,
}

/// Reads the traces of a folder up to the end of a window.
///
/// # Errors
/// When there is no such window.
pub fn window(folder: &Path, part: Part) -> Result<Window, NoModule> {
    let run = files::find(folder)?;
    let mut reader = Reader {
        judge: Judge::new(run.keys().copied().collect()),
        streams: run.into_iter().map(|(node, boots)| Stream::new(node, boots)).collect(),
        teller: Teller::new(part),
    };
    reader.run()?;
    reader.teller.finish()
}

/// Reads the streams in an order in which every message is sent before it is received; one record of each node at a time, so that they stay close to each
/// other.
struct Reader {
    judge: Judge,
    streams: Vec<Stream>,
    teller: Teller,
}

impl Reader {
    fn run(&mut self) -> Result<(), NoModule> {
        while !self.teller.is_done() {
            // Who has not come up yet goes first: the window begins with all of them.
            let is_late = |stream: &Stream| !self.teller.members.contains_key(&stream.node);
            let late: Vec<usize> = (0..self.streams.len()).filter(|number| is_late(&self.streams[*number])).collect();
            let mut heard = false;
            for number in late {
                heard |= self.advance(number)?;
            }
            if heard {
                continue;
            }
            for number in 0..self.streams.len() {
                heard |= self.advance(number)?;
            }
            if !heard {
                return self.waits_in_vain();
            }
        }
        Ok(())
    }

    fn advance(&mut self, number: usize) -> Result<bool, NoModule> {
        let stream = &mut self.streams[number];
        let node = stream.node;
        match stream.peek()? {
            None => return Ok(false),
            Some(Next::Record(_, record)) if !self.judge.is_ready(record) => return Ok(false),
            Some(_) => {}
        }
        match stream.take() {
            Some(Next::Record(_, record)) => {
                let number = record.sequence;
                self.judge.hear(record.clone()).map_err(|broken| NoModule::Rejected { node, record: number, broken })?;
                self.teller.hear(record)?;
            }
            Some(Next::Over(end)) => {
                let over = self.judge.boot_over(node, matches!(end, End::Torn(_)));
                over.map_err(|(_, broken)| NoModule::Rejected { node, record: 0, broken })?;
            }
            None => {}
        }
        Ok(true)
    }

    fn waits_in_vain(&mut self) -> Result<(), NoModule> {
        for stream in &mut self.streams {
            if let Some(Next::Record(_, record)) = stream.peek()? {
                return Err(NoModule::Rejected { node: record.node, record: record.sequence, broken: Judge::nobody_sent(record) });
            }
        }
        Ok(())
    }
}

/// Tells one group's run as events of the module.
struct Teller {
    part: Part,
    incarnation: Option<Incarnation>,
    params: Option<Params>,
    members: BTreeMap<NodeId, Member>,
    values: Values,
    /// Messages that were sent and not received yet, and whether the window had begun.
    in_flight: HashMap<(NodeId, NodeId, Message), VecDeque<bool>>,
    /// Events before the window.
    before: u64,
    window: Option<Window>,
    sent: HashSet<Message>,
    /// Terms that a message told which TraceRaft knows to be sent.
    terms: HashSet<Term>,
    /// Highest acknowledgement that was sent in the window: from, to, term.
    acknowledged: HashMap<(NodeId, NodeId, Term), Index>,
}

impl Teller {
    fn new(part: Part) -> Self {
        Self {
            part,
            incarnation: None,
            params: None,
            members: BTreeMap::new(),
            values: Values::default(),
            in_flight: HashMap::new(),
            before: 0,
            window: None,
            sent: HashSet::new(),
            terms: HashSet::new(),
            acknowledged: HashMap::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.window.as_ref().is_some_and(|window| !window.ended.is_empty())
    }

    fn fail<T>(&self, why: impl Into<String>) -> Result<T, NoModule> {
        Err(NoModule::Group(self.part.group, why.into()))
    }

    fn finish(mut self) -> Result<Window, NoModule> {
        let Some(mut window) = self.window.take() else {
            let voters = self.params.as_ref().map(|params| params.voters().iter().collect::<Vec<_>>()).unwrap_or_default();
            if let Some(missing) = voters.iter().find(|voter| !self.members.contains_key(voter)) {
                return self.fail(format!("member {missing} left no records here"));
            }
            if voters.is_empty() {
                return self.fail("no records of it are here");
            }
            return self.fail(format!(
                "no window begins behind event {}: the run has {}; one begins where nothing is under way to a disk, and where no member lacks more than {ENTRIES_MAX} \
                 entries",
                self.part.from, self.before
            ));
        };
        if window.ended.is_empty() {
            window.ended = "then the run is over";
        }
        Ok(window)
    }

    fn hear(&mut self, record: Record) -> Result<(), NoModule> {
        let What::Group { group, incarnation, fact } = record.what else { return Ok(()) };
        if group != self.part.group || *self.incarnation.get_or_insert(incarnation) != incarnation {
            return Ok(());
        }
        let node = record.node;
        self.begin();
        if let Fact::Recovered { params, state } = &fact {
            return self.recovered(node, params, state);
        }
        let mut snapshot = Vec::new();
        if let Fact::Stepped { event: raft::Event::SnapshotReceived { at, .. }, .. } = &fact {
            // No record tells the entries of a snapshot, nor that it was sent: no window goes beyond.
            if let Some(window) = &mut self.window {
                window.ended = "then a snapshot was received, which cannot be told";
                return Ok(());
            }
            let mut logs = self.members.values().filter_map(|member| member.log.get(..at.index.0 as usize));
            let Some(covered) = logs.find(|log| log.last().is_none_or(|entry| entry.term == at.term)) else {
                return self.fail(format!("node {node} was sent a snapshot whose entries no member has shown"));
            };
            snapshot = covered.to_vec();
        }
        let Some(member) = self.members.get_mut(&node) else { return Ok(()) };
        let events = match fact {
            Fact::Stepped { event, .. } => member.stepped(&mut self.values, &event, &snapshot),
            Fact::Issued { ticket, write, content } => {
                member.issued(&mut self.values, ticket, &write, &content);
                Vec::new()
            }
            Fact::Durable { through } => member.durable(through),
            Fact::Sent { translated: true, .. } | Fact::Received { translated: true, .. } => {
                return self.fail("its messages were translated to the legacy header's bodies, which do not carry all of them");
            }
            Fact::Sent { to, message: wire, content, .. } => {
                member.left(to, &wire);
                return self.sends(node, to, &wire, &content);
            }
            Fact::Dropped { to, message, .. } => {
                member.left(to, &message);
                Vec::new()
            }
            Fact::Received { from, message: wire, content, .. } => {
                let message = message(&mut self.values, from, node, &wire, &content);
                member.received.clone_from(&message);
                if let Some(message) = message {
                    self.receives(from, node, message);
                }
                Vec::new()
            }
            Fact::Recovered { .. } | Fact::Compacted { .. } | Fact::Applied { .. } | Fact::Installed { .. } => Vec::new(),
        };
        events.into_iter().for_each(|event| self.tell(event));
        Ok(())
    }

    fn recovered(&mut self, node: NodeId, params: &Params, state: &State) -> Result<(), NoModule> {
        if params.voters().len() < 2 {
            return self.fail("a group of one leads before its own vote is durable; the module has none");
        }
        self.params.get_or_insert_with(|| params.clone());
        let events = match self.members.get_mut(&node) {
            Some(member) => member.recovered(&mut self.values, params, state),
            None => {
                let Some(member) = Member::new(&mut self.values, params, state) else {
                    return self.fail(format!("the records of node {node} do not begin with its first boot: older entries are missing"));
                };
                self.members.insert(node, member);
                Vec::new()
            }
        };
        events.into_iter().for_each(|event| self.tell(event));
        Ok(())
    }

    /// Begins the window if it is time.
    fn begin(&mut self) {
        let Some(params) = &self.params else { return };
        let is_quiet = |voter| self.members.get(&voter).is_some_and(Member::is_quiet);
        if self.window.is_some() || self.before < self.part.from || !params.voters().iter().all(is_quiet) {
            return;
        }
        let floor = self.members.values().map(|member| member.state.commit).min().unwrap_or_default();
        if self.members.values().any(|member| member.log.len() as u64 - floor.0 >= ENTRIES_MAX) {
            return;
        }
        let mut window = Window {
            group: self.part.group,
            first: self.before,
            floor,
            begin: BTreeMap::new(),
            messages: self.members.values().flat_map(Member::answers).collect(),
            requests: self.values.requests,
            events: Vec::new(),
            ended: "",
        };
        for (id, member) in &mut self.members {
            window.messages.extend(member.received.clone());
            let mut begin = member.begin();
            begin.log = window.part(&member.log);
            window.begin.insert(*id, begin);
        }
        self.terms.extend(window.messages.iter().filter_map(told));
        self.window = Some(window);
    }

    fn sends(&mut self, from: NodeId, to: NodeId, wire: &Wire, content: &Content) -> Result<(), NoModule> {
        let Some(message) = message(&mut self.values, from, to, wire, content) else { return Ok(()) };
        self.in_flight.entry((from, to, message.clone())).or_default().push_back(self.window.is_some());
        let is_news = match &message {
            Message::Ack { from, to, term, matched } => {
                let highest = self.acknowledged.entry((*from, *to, *term)).or_default();
                let is_news = matched > highest;
                *highest = (*highest).max(*matched);
                is_news
            }
            _ => !self.sent.contains(&message),
        };
        if self.window.is_some() {
            self.sent.insert(message.clone());
            self.terms.extend(told(&message));
        } else {
            self.acknowledged.clear();
        }
        if is_news {
            self.tell(Event { name: "Send", node: from, message: Some(message), ..Event::default() });
        }
        Ok(())
    }

    /// What is received in the window may have been sent before it.
    fn receives(&mut self, from: NodeId, to: NodeId, message: Message) {
        let key = (from, to, message);
        let Some(sent_within) = self.in_flight.get_mut(&key).and_then(VecDeque::pop_front) else { return };
        if self.in_flight.get(&key).is_some_and(VecDeque::is_empty) {
            self.in_flight.remove(&key);
        }
        let (.., message) = key;
        if let Some(window) = self.window.as_mut().filter(|_| !sent_within && !self.sent.contains(&message)) {
            self.terms.extend(told(&message));
            window.messages.insert(message);
        }
    }

    fn tell(&mut self, mut event: Event) {
        let Some(window) = self.window.as_mut() else {
            self.before += 1;
            return;
        };
        if !window.ended.is_empty() {
            return;
        }
        // A refusal is no message of the module; its term is learnt of any other message that tells it.
        if event.term.is_some_and(|term| self.terms.contains(&term)) {
            event.of = None;
        }
        for seen in [&mut event.after, &mut event.disk] {
            seen.log = seen.log.as_ref().map(|log| window.part(log));
        }
        let length = event.after.log.as_ref().map_or(0, Vec::len);
        if length as u64 > ENTRIES_MAX {
            window.ended = "then a log is full";
            return;
        }
        window.events.push(event);
        if window.events.len() >= self.part.events {
            window.ended = "then there are more";
        }
    }
}

/// The term that a receiver of a message learns of it.
fn told(message: &Message) -> Option<Term> {
    match message {
        Message::PreVote { .. } | Message::PreVoteGranted { .. } => None,
        Message::RequestVote { term, .. } | Message::Vote { term, .. } | Message::Append { term, .. } | Message::Ack { term, .. } => {
            Some(*term)
        }
    }
}
