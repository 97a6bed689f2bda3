//! The judge: hears records one by one, in an order in which every message is heard as sent before it is heard as received.

mod committed;
mod contents;
mod disk;
mod dispatcher;
mod history;
mod links;
mod mail;
mod member;
mod sends;
mod whole;

use crate::{
    coverage::Coverage,
    verdict::{Broken, Rule, ensure},
};
use committed::Committed;
use contents::Contents;
use dispatcher::Dispatcher;
use history::History;
use links::Links;
use mail::{Mail, Parcel};
use member::Member;
use roadstead_model::raft::Build;
use roadstead_spec::{
    GroupId, Incarnation, Index, NodeId,
    invariants::check_pair,
    raft::Message,
    trace::{Content, Fact, Record, What},
};
use std::collections::{BTreeSet, HashMap};
use whole::Before;

/// A group's life on a node.
pub type Seat = (NodeId, GroupId, Incarnation);

/// Whose record it is, if it is a group's.
pub(crate) fn seat(record: &Record) -> Option<Seat> {
    match &record.what {
        What::Group { group, incarnation, .. } => Some((record.node, *group, *incarnation)),
        What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => None,
    }
}

/// What all records have shown so far.
#[derive(Debug)]
pub struct Judge {
    /// What decides when a step is executed again.
    build: Build,
    /// Nodes whose records are here.
    witnesses: BTreeSet<NodeId>,
    members: HashMap<Seat, Member>,
    /// Of each node's newest boot.
    dispatchers: HashMap<NodeId, Dispatcher>,
    links: Links,
    /// Next sequence number of each node's boot.
    expected: HashMap<NodeId, (u64, u64)>,
    contents: HashMap<(GroupId, Incarnation), Contents>,
    histories: HashMap<(GroupId, Incarnation), History>,
    committed: HashMap<(GroupId, Incarnation), Committed>,
    mail: Mail,
    /// What the run made use of.
    pub coverage: Coverage,
    /// Recoveries that were compared with what the boot before left.
    pub recoveries: u64,
    /// Steps that were executed again.
    pub steps: u64,
    /// Received messages whose sender left no records here.
    pub unwitnessed: u64,
    /// Received messages that had been translated.
    pub translated: u64,
}

impl Judge {
    /// A judge of a run of these nodes.
    pub fn new(witnesses: BTreeSet<NodeId>) -> Self {
        Self {
            build: Build::PAPER,
            witnesses,
            members: HashMap::new(),
            dispatchers: HashMap::new(),
            links: Links::default(),
            expected: HashMap::new(),
            contents: HashMap::new(),
            histories: HashMap::new(),
            committed: HashMap::new(),
            mail: Mail::default(),
            coverage: Coverage::default(),
            recoveries: 0,
            steps: 0,
            unwitnessed: 0,
            translated: 0,
        }
    }

    /// With other functions that decide: production's, which count as they do so.
    pub fn deciding(self, build: Build) -> Self {
        Self { build, ..self }
    }

    /// Whether a record can be heard now. A message whose sending was not heard yet must wait for the sender's records.
    pub fn is_ready(&self, record: &Record) -> bool {
        !self.is_next(record) || self.parcel(record).is_none_or(|parcel| self.mail.holds(&parcel))
    }

    /// Whether the record follows the one before it. One that does not waits for nobody: it is rejected for that.
    fn is_next(&self, record: &Record) -> bool {
        let starts = matches!(record.what, What::Booted { .. });
        match self.expected.get(&record.node) {
            None => starts && record.sequence == 0,
            Some((_, expected)) => !starts && record.sequence == *expected,
        }
    }

    /// The node whose records a record waits for.
    pub fn waits_for(record: &Record) -> Option<NodeId> {
        match &record.what {
            What::Group { fact: Fact::Received { from, .. }, .. } => Some(*from),
            _ => None,
        }
    }

    /// What is wrong with a record that waits in vain.
    pub fn nobody_sent(record: &Record) -> Broken {
        let what = match &record.what {
            What::Group { fact: Fact::Received { from, message, .. }, .. } => format!(
                "node {from} sent no such message to this node, group and incarnation, or it was received before: {}",
                crate::print::message(message)
            ),
            _ => "a record that waits for nothing".into(),
        };
        Broken { rule: Rule::Duty6, why: what }
    }

    /// Hears the next record of a node.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn hear(&mut self, record: Record) -> Result<(), Broken> {
        self.follows(&record)?;
        if let Some(parcel) = self.parcel(&record) {
            ensure(Rule::Duty6, self.mail.take(&parcel), || Self::nobody_sent(&record).why)?;
        }
        let Record { node, boot, what, .. } = record;
        match what {
            What::Booted { .. } => {
                self.dispatchers.insert(node, Dispatcher::default());
                self.links.boots(node);
                Ok(())
            }
            What::Ended => Ok(()),
            What::Dispatched(step) => {
                self.coverage.count_dispatched(&step);
                self.dispatchers.entry(node).or_default().hear(&step)
            }
            What::Linked(linked) => {
                self.coverage.count_linked(&linked);
                self.links.hear((node, boot), &linked)
            }
            What::Group { group, incarnation, fact } => {
                self.links.carries(node, &fact)?;
                self.dispatchers.entry(node).or_default().lets(group, incarnation, &fact)?;
                self.coverage.count(&fact);
                self.fact((node, group, incarnation), fact)
            }
        }
    }

    /// A node's boot is over: nothing may be left undone, unless the last record is torn.
    ///
    /// # Errors
    /// What was not done.
    pub fn boot_over(&mut self, node: NodeId, torn: bool) -> Result<(), (Seat, Broken)> {
        let mut undone = Vec::new();
        for (seat, member) in self.members.iter_mut().filter(|((owner, ..), _)| *owner == node) {
            if !torn && member.is_up() {
                undone.extend(member.settled().err().map(|broken| (*seat, broken)));
            }
            member.go_down();
        }
        self.expected.remove(&node);
        undone.sort_by_key(|(seat, _)| *seat);
        undone.into_iter().next().map_or(Ok(()), Err)
    }

    /// All records were heard: the laws of pairs of members, of the states in which the run left them. What it proves is little beside what was compared on
    /// the way; but it looks at whole logs.
    ///
    /// # Errors
    /// The first law that does not hold.
    pub fn finish(&self) -> Result<(), (Seat, Broken)> {
        let mut members: Vec<(&Seat, &Member)> = self.members.iter().collect();
        members.sort_by_key(|((node, group, incarnation), _)| (*group, *incarnation, *node));
        for (place, (seat, one)) in members.iter().enumerate() {
            let others =
                members.iter().skip(place + 1).take_while(|((_, group, incarnation), _)| (*group, *incarnation) == (seat.1, seat.2));
            for ((node, ..), other) in others {
                let broken = |broken| Broken { rule: Rule::Law, why: format!("beside node {node}, at the end of the run: {broken}") };
                check_pair(one.state(), other.state()).map_err(|law| (**seat, broken(law)))?;
            }
        }
        Ok(())
    }

    fn follows(&mut self, record: &Record) -> Result<(), Broken> {
        let (number, is_next) = (record.sequence, self.is_next(record));
        let before = self.expected.insert(record.node, (record.boot, number + 1));
        ensure(Rule::Stream, is_next, || match before {
            None => format!("a boot begins with record {number} instead of the one of its start"),
            Some((_, expected)) => format!("record {expected} is missing, or comes later: this is {number}"),
        })
    }

    fn parcel(&self, record: &Record) -> Option<Parcel> {
        match &record.what {
            What::Group { group, incarnation, fact: Fact::Received { from, message, content, translated: false } }
                if self.witnesses.contains(from) =>
            {
                Some(Parcel::new((*from, record.node, *group, *incarnation), message, content))
            }
            _ => None,
        }
    }

    fn fact(&mut self, seat: Seat, fact: Fact) -> Result<(), Broken> {
        let (node, group, incarnation) = seat;
        if let Some(content) = content_of(&fact) {
            self.contents.entry((group, incarnation)).or_default().see(content)?;
        }
        match &fact {
            Fact::Sent { to, message, content, translated: false, .. } => {
                carries(message, content)?;
                self.mail.put(&Parcel::new((node, *to, group, incarnation), message, content));
            }
            Fact::Received { from, message, content, translated } => {
                carries(message, content)?;
                self.translated += u64::from(*translated);
                if *translated {
                    self.committed.entry((group, incarnation)).or_default().translated();
                }
                self.unwitnessed += u64::from(!self.witnesses.contains(from));
            }
            Fact::Applied { content } => self.histories.entry((group, incarnation)).or_default().applied(content)?,
            Fact::Installed { at } => self.histories.entry((group, incarnation)).or_default().installed(*at)?,
            Fact::Stepped { .. } => self.steps += 1,
            Fact::Recovered { params, state } => {
                return match self.members.get_mut(&seat) {
                    Some(member) => {
                        self.recoveries += 1;
                        member.recover(node, params, state)
                    }
                    None => Member::new(self.build, node, params, state).map(|member| drop(self.members.insert(seat, member))),
                };
            }
            _ => {}
        }
        let up = self.members.get_mut(&seat).filter(|member| member.is_up());
        let member = up.ok_or_else(|| Broken { rule: Rule::Stream, why: "a group acts in a boot in which it did not recover".into() })?;
        let before = Before::of(member, &fact);
        member.hear(fact)?;
        self.whole(seat, &before)
    }
}

fn content_of(fact: &Fact) -> Option<&Content> {
    match fact {
        Fact::Issued { content, .. } | Fact::Sent { content, .. } | Fact::Received { content, .. } | Fact::Applied { content } => {
            Some(content)
        }
        _ => None,
    }
}

/// Whether the entries that travel with a message are the ones that it names.
fn carries(message: &Message, content: &Content) -> Result<(), Broken> {
    let fits = match message {
        Message::AppendEntries { slice, .. } => {
            let place = content.entries.is_empty() || content.first == slice.prev.index.next();
            let terms = (content.first.0..).zip(&content.entries).all(|(index, (term, _))| slice.term_of(Index(index)) == Some(*term));
            place && terms && content.entries.len() as u64 == slice.entries()
        }
        _ => content.entries.is_empty(),
    };
    ensure(Rule::Duty4, fits, || format!("{} travels with {}", crate::print::message(message), crate::print::content(content)))
}
