//! The one interpreter of durability gates: effects of one group in, writes and released sends out, [`Outbox::durable`] in between.
//!
//! Durability is position. Each persist of the group gets a [`Ticket`], counted up from 1 in each boot; the disk makes writes durable in ticket
//! order, and a crash loses a suffix of them only. A gated send waits for the last ticket issued *at the moment it was emitted*, also when
//! its own step issued none. What breaks otherwise (`tests/scenarios/duplicate_append.txt`):
//!
//! 1. a follower appends entry 5, its write is ticket 9, and the acknowledgement waits for 9;
//! 2. the network delivers the same append once more: nothing to write, but the answer says "I hold 5" again;
//! 3. the second answer leaves at once, the leader commits 5, the follower crashes before ticket 9: a committed entry lies on a minority.
//!
//! The runtime, the model checker and the simulation all use this file, so none of them has gates of its own. It sits beside
//! [`crate::raft::State`], not in it, so that the state that a model hashes stays small. It never looks at time, and it never fails.
//!
//! Order of what leaves: gated sends keep their order, ungated ones theirs; an ungated send overtakes gated ones that still wait.
//! Source of the idea: dissertation §10.2.1 (the leader writes in parallel with its sends); etcd raft's `MsgStorageAppend` responses.

mod action;
mod rules;
#[cfg(test)]
mod tests;

pub use action::{Action, Released, Ticket, Write};
pub use rules::{OutboxRules, Paper, Tickets};

use crate::raft::{Append, Effect, Mark, Message};
use crate::{EntryId, Index, NodeId};
use alloc::{collections::VecDeque, vec::Vec};
use core::hash::{Hash, Hasher};

/// Most gated sends that wait at one time. One more is dropped, as a network may drop it, and reported as [`Action::Overflow`]. It takes a
/// disk that stalls for minutes to get there: each peer has a bounded number of messages in flight, and heartbeats come once per tick.
pub const HELD_MAX: usize = 1024;

/// Pending writes from which on [`Outbox::is_congested`] is true. Writes cannot be dropped, so the driver feeds no event that may write
/// (it drops peers' frames and answers `Busy` to clients) until the disk has caught up.
pub const PENDING_WRITES_MAX: usize = 1024;

/// Gates of one group in one boot. About 130 bytes when nothing waits.
///
/// Two outboxes are equal when they will behave alike from now on: tickets are compared relative to the newest durable one, so that a
/// model does not tell apart states that differ only in how many writes came before.
///
/// Shape, until a halt: `durable <= issued`, `awaited <= issued`, `issued - durable == pending.len()`, `applying <= committed`.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// Ticket of the newest write.
    issued: Ticket,
    /// Newest ticket that gates wait for: `issued`, unless a rule leaves a write out.
    awaited: Ticket,
    /// Newest durable ticket.
    durable: Ticket,
    /// Writes that are not durable yet; the first has ticket `durable + 1`.
    pending: VecDeque<Pending>,
    /// What waits for a ticket, in order of emission, so also in order of tickets.
    held: VecDeque<Held>,
    /// Entries through this index are committed, as far as the core has said.
    committed: Index,
    /// Last index given to the state machine: applied, or released for applying.
    applying: Index,
    /// No pending write writes entries through this index: as far as they exist, they are durable.
    settled: Index,
    /// A law was broken: nothing leaves any more.
    halted: bool,
}

/// A write on its way to the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    /// What the core wants to hear when it is durable.
    mark: Mark,
    /// The write writes no entry through this index; the greatest index if it writes none at all.
    untouched: Index,
    /// The snapshot that it installs.
    installs: Option<EntryId>,
}

/// Something that leaves when `after` is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    after: Ticket,
    what: Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Waiting {
    Send { to: NodeId, message: Message },
    Compact { through: Index },
}

/// No pending write writes an entry.
const ALL_SETTLED: Index = Index(u64::MAX);

impl Outbox {
    /// The outbox of a group that has just been recovered: all that the disk holds is durable, and the state machine has applied entries
    /// through `applied`.
    pub const fn new(applied: Index) -> Self {
        Self {
            issued: Ticket::NONE,
            awaited: Ticket::NONE,
            durable: Ticket::NONE,
            pending: VecDeque::new(),
            held: VecDeque::new(),
            committed: applied,
            applying: applied,
            settled: ALL_SETTLED,
            halted: false,
        }
    }

    /// Takes the effects of *one* step, in order, and appends what can be done now. Call it once per step, with all its effects.
    pub fn accept(&mut self, effects: impl IntoIterator<Item = Effect>, out: &mut Vec<Action>) {
        self.accept_with::<Paper>(effects, out);
    }

    /// [`Outbox::accept`] under other rules.
    pub fn accept_with<R: OutboxRules>(&mut self, effects: impl IntoIterator<Item = Effect>, out: &mut Vec<Action>) {
        let before_step = self.awaited;
        for effect in effects {
            if self.halted {
                return;
            }
            self.accept_one::<R>(effect, before_step, out);
        }
    }

    /// Every write through `ticket` is durable: appends what waited for it. Several tickets may complete at once. A ticket that is durable
    /// already changes nothing.
    ///
    /// Order: [`Action::Installed`] before any [`Action::Apply`], since those entries belong behind the snapshot; one [`Action::Persisted`]
    /// at the end, with the newest mark. That mark stands for the earlier ones: terms of marks never fall, and within its
    /// term a leader only appends.
    pub fn durable(&mut self, ticket: Ticket, out: &mut Vec<Action>) {
        self.durable_with::<Paper>(ticket, out);
    }

    /// [`Outbox::durable`] under other rules.
    pub fn durable_with<R: OutboxRules>(&mut self, ticket: Ticket, out: &mut Vec<Action>) {
        if self.halted {
            return;
        }
        let mut newest = None;
        while self.durable < ticket {
            let Some(write) = self.pending.pop_front() else {
                break;
            };
            self.durable = self.durable.next();
            newest = Some(write.mark);
            if let Some(at) = write.installs {
                self.applying = self.applying.max(at.index);
                self.committed = self.committed.max(at.index);
                out.push(Action::Installed { at });
            }
        }
        let Some(mark) = newest else { return };
        self.settled = self.pending.iter().map(|write| write.untouched).min().unwrap_or(ALL_SETTLED);
        self.release_held(out);
        self.release_apply::<R>(out);
        out.push(Action::Persisted { mark });
    }

    /// Ticket of the newest write that was issued.
    pub const fn issued(&self) -> Ticket {
        self.issued
    }

    /// Newest durable ticket.
    pub const fn newest_durable(&self) -> Ticket {
        self.durable
    }

    /// Number of writes that are not durable yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Number of gated sends and compactions that wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether so many writes are pending ([`PENDING_WRITES_MAX`]) that the driver should feed no event that may write.
    pub fn is_congested(&self) -> bool {
        self.pending.len() >= PENDING_WRITES_MAX
    }

    /// Gives the memory of the queues back as far as nothing waits in them. For a group that has been quiet for a while; a busy group
    /// keeps its memory, so that it allocates nothing.
    pub fn rest(&mut self) {
        self.pending.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    /// Gated sends that wait, in order of emission: after how many more durable writes each leaves, and to whom. For a model; a driver needs none of it.
    pub fn waiting_sends(&self) -> impl Iterator<Item = (u64, NodeId, &Message)> {
        self.held.iter().filter_map(|held| match &held.what {
            Waiting::Send { to, message } => Some((held.after.since(self.durable), *to, message)),
            Waiting::Compact { .. } => None,
        })
    }

    /// Hashes everything but [`Outbox::waiting_sends`]. Those that wait for the same write leave together, so that a model may forget their order, which
    /// comes from how members are named.
    pub fn hash_without_sends<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
        for (after, what) in self.held_relative() {
            if let Waiting::Compact { through } = what {
                (after, through).hash(state);
            }
        }
    }

    fn accept_one<R: OutboxRules>(&mut self, effect: Effect, before_step: Ticket, out: &mut Vec<Action>) {
        let tickets = Tickets { before_step, awaited: self.awaited, durable: self.durable };
        match effect {
            Effect::Persist { hard, truncate_from, append, mark } => {
                let untouched = untouched(append.as_ref());
                self.issue::<R>(Write::Persist { hard, truncate_from, append }, Pending { mark, untouched, installs: None }, out);
            }
            Effect::InstallSnapshot { hard, at, keep_suffix, mark } => {
                // Nothing is applied until the snapshot is in place: what was committed before it lies within it.
                let pending = Pending { mark, untouched: Index(0), installs: Some(at) };
                self.issue::<R>(Write::InstallSnapshot { hard, at, keep_suffix }, pending, out);
            }
            Effect::Send { to, message, gate } => match R::send_after(gate, tickets) {
                after if after <= self.durable => out.push(Action::Send(Released { to, message, after })),
                _ if self.held.len() >= HELD_MAX => out.push(Action::Overflow { to }),
                after => self.held.push_back(Held { after, what: Waiting::Send { to, message } }),
            },
            Effect::Compact { through } => match R::compact_after(tickets) {
                after if after <= self.durable => out.push(Action::Compact { through }),
                after => self.hold_compact(after, through),
            },
            Effect::Apply { through } => {
                self.committed = self.committed.max(through);
                self.release_apply::<R>(out);
            }
            Effect::ReadReady { id, index } => out.push(Action::ReadReady { id, index }),
            Effect::Refuse { what, leader } => out.push(Action::Refuse { what, leader }),
            Effect::SendSnapshot { to, at } => out.push(Action::SendSnapshot { to, at }),
            Effect::ResetElectionTimer => out.push(Action::ResetElectionTimer),
            Effect::Halt { law } => {
                self.halted = true;
                self.held.clear();
                self.pending.clear();
                out.push(Action::Halt { law });
            }
        }
    }

    fn issue<R: OutboxRules>(&mut self, write: Write, pending: Pending, out: &mut Vec<Action>) {
        self.issued = self.issued.next();
        if R::gates_wait_for(&write) {
            self.awaited = self.issued;
        }
        self.settled = self.settled.min(pending.untouched);
        self.pending.push_back(pending);
        out.push(Action::Write { ticket: self.issued, write });
    }

    /// A compaction that waits is replaced by a later one, which deletes more: at most one is held, so it needs no bound.
    fn hold_compact(&mut self, after: Ticket, through: Index) {
        self.held.retain(|held| !matches!(held.what, Waiting::Compact { .. }));
        self.held.push_back(Held { after, what: Waiting::Compact { through } });
    }

    fn release_held(&mut self, out: &mut Vec<Action>) {
        while let Some(held) = self.held.pop_front_if(|held| held.after <= self.durable) {
            out.push(match held.what {
                Waiting::Send { to, message } => Action::Send(Released { to, message, after: held.after }),
                Waiting::Compact { through } => Action::Compact { through },
            });
        }
    }

    fn release_apply<R: OutboxRules>(&mut self, out: &mut Vec<Action>) {
        let through = R::apply_through(self.committed, self.settled);
        if through > self.applying {
            self.applying = through;
            out.push(Action::Apply { through });
        }
    }

    /// All that decides future behaviour, with tickets counted from the newest durable one.
    fn essence(&self) -> (u64, u64, &VecDeque<Pending>, [Index; 3], bool) {
        let indices = [self.committed, self.applying, self.settled];
        (self.issued.since(self.durable), self.awaited.since(self.durable), &self.pending, indices, self.halted)
    }

    fn held_relative(&self) -> impl Iterator<Item = (u64, &Waiting)> {
        self.held.iter().map(|held| (held.after.since(self.durable), &held.what))
    }
}

impl PartialEq for Outbox {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence() && self.held_relative().eq(other.held_relative())
    }
}

impl Eq for Outbox {}

impl Hash for Outbox {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
        state.write_usize(self.held.len());
        self.held_relative().for_each(|held| held.hash(state));
    }
}

/// The last index in front of everything that a persist writes. What it only deletes does not matter: a deleted entry cannot be applied before
/// a later write has put another one in its place.
fn untouched(append: Option<&Append>) -> Index {
    let first = append.and_then(|append| append.runs.first());
    first.map_or(ALL_SETTLED, |run| run.first.prev())
}
