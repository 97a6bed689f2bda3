//! Every scenario also leaves a trace, as a real node does. It is written as JSON lines, read back, and judged as the module documentation of
//! `trace` says: each step and each gate executed again, what was done compared with what was allowed.

use crate::disk::{Disk, Entry, Job, Log};
use crate::member::Build;
use roadstead_spec::outbox::{Action, Outbox, Ticket, Write};
use roadstead_spec::raft::{Event, Message, Params, State};
use roadstead_spec::trace::{Content, Digest, Fact, Record, What, Written};
use roadstead_spec::{EntryId, Index, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// A send as the receiver should see it: from, to, message, entries.
type Parcel = (NodeId, NodeId, Message, Content);

/// What all streams have shown so far.
#[derive(Default)]
struct Judge {
    members: BTreeMap<NodeId, Replayed>,
    sequences: BTreeMap<NodeId, (u64, u64)>,
    digests: BTreeMap<EntryId, Digest>,
    sent: Vec<Parcel>,
}

/// One boot of one member, executed again.
struct Replayed {
    params: Params,
    state: State,
    outbox: Outbox,
    /// Sends that were released and not seen as sent yet, in order.
    released: VecDeque<(NodeId, Message, Ticket)>,
    /// Writes that the outbox let out and that did not go to the disk yet.
    writes: VecDeque<(Ticket, Write)>,
    /// What the disk holds, as far as it said so, and what is on its way there.
    disk: Disk,
    persisted: VecDeque<Event>,
    apply_through: Index,
    applied: Index,
}

/// Judges a merged trace, after a round trip through JSON lines.
///
/// # Errors
/// The first duty that is broken, and by which line.
pub fn check(records: &[Record], build: Build) -> Result<(), String> {
    let mut judge = Judge::default();
    records.iter().try_for_each(|record| {
        let line = serde_json::to_string(record).map_err(|error| error.to_string())?;
        let read: Record = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        ensure(&read == record, "JSON loses something")?;
        judge.hear(read, build).map_err(|broken| format!("{broken}: {line}"))
    })
}

fn ensure(holds: bool, law: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(law.into()) }
}

impl Judge {
    fn hear(&mut self, record: Record, build: Build) -> Result<(), String> {
        let next = (record.boot, record.sequence);
        let last = self.sequences.insert(record.node, next);
        let follows = last.is_some_and(|(boot, sequence)| next == (boot, sequence + 1));
        match record.what {
            What::Booted { .. } => ensure(record.sequence == 0, "a boot begins with record 0"),
            What::Ended | What::Dispatched(_) | What::Linked(_) => ensure(follows, "a record is missing or out of order"),
            What::Group { fact, .. } => {
                ensure(follows, "a record is missing or out of order")?;
                self.judge(record.node, fact, build)
            }
        }
    }

    fn judge(&mut self, node: NodeId, fact: Fact, build: Build) -> Result<(), String> {
        if let Fact::Issued { content, .. } | Fact::Sent { content, .. } | Fact::Applied { content } = &fact {
            self.one_content_each(content)?;
        }
        match fact {
            Fact::Recovered { params, state } => {
                let before = self.members.insert(node, Replayed::new(*params, (*state).clone()));
                let possible = before.is_none_or(|before| before.may_leave_behind(&state));
                ensure(possible, "DUTY-2: a crash cannot leave that behind")
            }
            Fact::Received { from, message, content, .. } => {
                ensure(self.sent.contains(&(from, node, message, content)), "DUTY-6: nobody sent that")
            }
            fact => {
                if let Fact::Sent { to, message, content, .. } = &fact {
                    self.sent.push((node, *to, message.clone(), content.clone()));
                }
                self.members.get_mut(&node).ok_or("a group recovers first")?.judge(fact, build)
            }
        }
    }

    fn one_content_each(&mut self, content: &Content) -> Result<(), String> {
        content.entries.iter().enumerate().try_for_each(|(offset, (term, digest))| {
            let id = EntryId { term: *term, index: content.first.plus(offset as u64) };
            ensure(self.digests.entry(id).or_insert(*digest) == digest, "DUTY-4: an entry has two contents")
        })
    }
}

impl Replayed {
    fn new(params: Params, state: State) -> Self {
        let (outbox, applied) = (Outbox::new(state.applied), state.applied);
        let disk = Disk { hard: state.hard, log: Log::of_shape(&state.log), applied, pending: VecDeque::new() };
        let (released, writes, persisted) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { params, state, outbox, released, writes, disk, persisted, apply_through: applied, applied }
    }

    /// Whether the next boot may find this: all that the disk said is durable, and any number of the writes behind it.
    fn may_leave_behind(&self, next: &State) -> bool {
        (0..=self.disk.pending.len()).any(|kept| {
            let mut disk = self.disk.clone();
            disk.crash(kept);
            disk.hard == next.hard && disk.log.shape().last_id() == next.log.last_id()
        })
    }

    fn judge(&mut self, fact: Fact, build: Build) -> Result<(), String> {
        let mut actions = Vec::new();
        match fact {
            Fact::Stepped { event, effects, after } => {
                if matches!(event, Event::Persisted { .. }) {
                    ensure(self.persisted.pop_front().as_ref() == Some(&event), "DUTY-3: that mark is not durable, or was reported")?;
                }
                let mut again = Vec::new();
                (build.step)(&self.params, &mut self.state, event, &mut again);
                ensure(again == effects, "the step gives other effects")?;
                ensure(Digest::of_state(&self.state) == after, "the step gives another state")?;
                (build.accept)(&mut self.outbox, effects, &mut actions);
            }
            Fact::Durable { through } => {
                ensure(self.writes.is_empty() && through <= self.outbox.issued(), "DUTY-2: durable before it was issued")?;
                ensure(through > self.outbox.newest_durable(), "DUTY-2: durable once only, in order")?;
                (build.durable)(&mut self.outbox, through, &mut actions);
                self.disk.sync(self.disk.pending.iter().filter(|job| job.ticket <= through).count());
            }
            Fact::Issued { ticket, write: written, content } => {
                let (_, write) = self.writes.pop_front().filter(|(next, _)| *next == ticket).ok_or("DUTY-2: not issued in order")?;
                ensure(Written::from(&write) == written, "DUTY-2: another write than the one that was released")?;
                let entries = content.entries.iter().map(|(term, digest)| Entry { term: *term, payload: digest.0 }).collect();
                self.disk.pending.push_back(Job { ticket, write, entries });
            }
            Fact::Sent { to, message, after, .. } | Fact::Dropped { to, message, after } => {
                // A send that overflowed the outbox has no record; none is reordered.
                let sent = (to, message, after);
                let place = self.released.iter().position(|released| *released == sent).ok_or("DUTY-1: that was not released")?;
                self.released.drain(..=place);
            }
            Fact::Applied { content } => {
                ensure(content.first == self.applied.next(), "DUTY-5: not in index order")?;
                self.applied = self.applied.plus(content.entries.len() as u64);
                ensure(self.applied <= self.apply_through, "DUTY-5: further than released")?;
            }
            Fact::Installed { at } => ensure(self.applied == at.index, "DUTY-5: a snapshot that was not installed")?,
            Fact::Recovered { .. } | Fact::Received { .. } | Fact::Compacted { .. } => {}
        }
        actions.into_iter().for_each(|action| self.allow(action));
        Ok(())
    }

    fn allow(&mut self, action: Action) {
        match action {
            Action::Write { ticket, write } => self.writes.push_back((ticket, write)),
            Action::Send(released) => {
                let after = released.after();
                let (to, message) = released.into_parts();
                self.released.push_back((to, message, after));
            }
            Action::Persisted { mark } => self.persisted.push_back(Event::Persisted { mark }),
            Action::Apply { through } => self.apply_through = through,
            Action::Installed { at } => self.applied = at.index,
            Action::Compact { through } => self.disk.log.compact(through),
            Action::ReadReady { .. }
            | Action::Refuse { .. }
            | Action::SendSnapshot { .. }
            | Action::ResetElectionTimer
            | Action::Overflow { .. }
            | Action::Halt { .. } => {}
        }
    }
}
