//! Every scenario also leaves a trace, as a real node does. It is written as JSON lines, read back and judged as the module documentation of
//! `trace` says: each step and each gate executed again, what was done compared with what was allowed.

use crate::member::Build;
use roadstead_spec::outbox::{Action, Outbox, Ticket};
use roadstead_spec::raft::{Event, Message, Params, State};
use roadstead_spec::trace::{Fact, Record, What};
use roadstead_spec::{EntryId, Index, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// One boot of one member, executed again.
struct Replayed {
    params: Params,
    state: State,
    outbox: Outbox,
    /// Sends that were released and not seen as sent yet, in order.
    released: VecDeque<(NodeId, Message, Ticket)>,
    issued: VecDeque<Ticket>,
    persisted: VecDeque<Event>,
    apply_through: Index,
    applied: Index,
}

/// Panics with the record that contradicts the others.
pub fn check(records: &[Record], build: Build) {
    let mut members: BTreeMap<NodeId, Replayed> = BTreeMap::new();
    let mut digests = BTreeMap::new();
    let mut sent = Vec::new();
    for record in records {
        let line = serde_json::to_string(record).expect("a record is JSON");
        let read: Record = serde_json::from_str(&line).expect("and is read back");
        assert_eq!(&read, record, "JSON keeps everything");
        let What::Group { fact, .. } = read.what else {
            members.remove(&record.node);
            continue;
        };
        if let Fact::Issued { content, .. } | Fact::Sent { content, .. } | Fact::Applied { content } = &fact {
            for (offset, (term, digest)) in content.entries.iter().enumerate() {
                let id = EntryId { term: *term, index: content.first.plus(offset as u64) };
                assert_eq!(digests.entry(id).or_insert(*digest), digest, "DUTY-4: entry {id} has one content: {line}");
            }
        }
        match fact {
            Fact::Recovered { params, state } => {
                let (outbox, applied) = (Outbox::new(state.applied), state.applied);
                let (released, issued, persisted) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
                let member =
                    Replayed { params: *params, state: *state, outbox, released, issued, persisted, apply_through: applied, applied };
                members.insert(record.node, member);
            }
            Fact::Received { from, message, content } => {
                let claimed = (from, record.node, message, content);
                assert!(sent.contains(&claimed), "DUTY-6: nobody sent that: {line}");
            }
            fact => {
                if let Fact::Sent { to, message, content, .. } = &fact {
                    sent.push((record.node, *to, message.clone(), content.clone()));
                }
                members.get_mut(&record.node).expect("a group recovers first").judge(fact, build, &line);
            }
        }
    }
}

impl Replayed {
    fn judge(&mut self, fact: Fact, build: Build, line: &str) {
        let mut actions = Vec::new();
        match fact {
            Fact::Stepped { event, effects } => {
                if matches!(event, Event::Persisted { .. }) {
                    assert_eq!(self.persisted.pop_front(), Some(event.clone()), "DUTY-3: a mark that is durable, once: {line}");
                }
                let mut again = Vec::new();
                (build.step)(&self.params, &mut self.state, event, &mut again);
                assert_eq!(again, effects, "the step gives the same effects again: {line}");
                (build.accept)(&mut self.outbox, effects, &mut actions);
            }
            Fact::Durable { through } => (build.durable)(&mut self.outbox, through, &mut actions),
            Fact::Issued { ticket, .. } => assert_eq!(self.issued.pop_front(), Some(ticket), "DUTY-2: writes in order: {line}"),
            Fact::Sent { to, message, after, .. } => {
                // A send may be lost before it gets a record, never reordered.
                let allowed = self.released.iter().position(|released| *released == (to, message.clone(), after));
                let place = allowed.unwrap_or_else(|| panic!("DUTY-1: not released: {line}"));
                self.released.drain(..=place);
            }
            Fact::Applied { content } => {
                assert_eq!(content.first, self.applied.next(), "DUTY-5: in index order: {line}");
                self.applied = self.applied.plus(content.entries.len() as u64);
                assert!(self.applied <= self.apply_through, "DUTY-5: no further than released: {line}");
            }
            Fact::Recovered { .. } | Fact::Received { .. } => unreachable!("judged by the caller"),
        }
        for action in actions {
            match action {
                Action::Write { ticket, .. } => self.issued.push_back(ticket),
                Action::Send(released) => {
                    let after = released.after();
                    let (to, message) = released.into_parts();
                    self.released.push_back((to, message, after));
                }
                Action::Persisted { mark } => self.persisted.push_back(Event::Persisted { mark }),
                Action::Apply { through } => self.apply_through = through,
                Action::Installed { at } => self.applied = at.index,
                _ => {}
            }
        }
    }
}
