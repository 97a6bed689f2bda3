//! The storage world: what the store and the state machines' side promise, over an abstract disk, with production's outbox and `recover`.
//!
//! Two groups of one node vote, append, overwrite, commit, apply, compact, receive snapshots, are removed and created. Their writes are gathered into one
//! batch per round for all of them; a sync, and for terms and votes the witness, come before anybody hears of it. A crash at any moment leaves any
//! part of what was not synced. A journal may lose a synced tail in silence; then the node must notice.
//!
//! What it leaves out: bytes (`impl/src/store` checks them with a real disk and one that fails), digests of votes, the reserve, a crash within a start.

mod bounds;
mod check;
mod decisions;
mod disk;
mod groups;
mod lives;
pub mod mutants;
mod node;
mod recovery;
mod rounds;
mod sight;

pub use bounds::register;
pub use decisions::{Applies, Decisions, LAG_MAX};
pub use disk::{Change, Data, Disk, Image, Item, Log, StateItem, States, Witness};
pub use node::{Budget, Done, Member, Staging, State, Submission};

use crate::world::{Law, Moved, Seen, Sight, World};
use groups::acknowledge;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::Broken,
    raft::{Effect, HardState},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Batches of the state database that wait for a sync.
const STATES_WRITTEN_MAX: usize = 3;

/// Whom a vote is for.
const CANDIDATE: NodeId = NodeId(2);

/// The world and its bounds.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Groups that the store begins with: 1 or 2.
    pub groups: u8,
    /// What may happen how often.
    pub budget: Budget,
    /// Production's decisions, or with a mistake.
    pub decisions: Decisions,
}

/// One thing that happens. Groups are named by their number in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A group grants a vote in the next term, and says so when it is durable.
    Vote(u8),
    /// A group gets an entry of its term, and says so when it is durable.
    Append(u8),
    /// A new leader's entry takes the place of a group's last one.
    Overwrite(u8),
    /// A group is asked again for what it has, and says so when it is durable.
    Repeat(u8),
    /// The next entry is committed.
    Commit(u8),
    /// What is committed and durable is applied.
    Apply(u8),
    /// The log is compacted.
    Compact(u8),
    /// The next chunk of a snapshot comes.
    Stage(u8),
    /// A snapshot that is whole is installed.
    Install(u8),
    /// A group is removed for good.
    Remove(u8),
    /// A life of a group is created.
    Create {
        /// The group.
        group: u8,
        /// Which life.
        life: u8,
    },
    /// A removed group's data is deleted.
    Destroy(u8),
    /// The storage thread gathers and writes a round.
    Write,
    /// The round's sync is done.
    Sync,
    /// The round's sync fails.
    SyncFails,
    /// A slot of the witness is written.
    Testify,
    /// The slot's sync is done.
    Testified,
    /// The state database is synced.
    Checkpoint,
    /// The node goes down, and starts again.
    Crash {
        /// Batches of the unsynced round that are on the disk.
        batches: u8,
        /// Whether half of the next one is.
        torn: bool,
        /// Unsynced batches of the state database that are on the disk.
        states: u8,
        /// What became of a slot that was being written: 0 the old one, 1 half of each, 2 the new one.
        slot: u8,
        /// Synced rounds that the journal loses in silence.
        rot: u8,
    },
}

impl World for Storage {
    type State = State;
    type Action = Action;

    const KINDS: &'static [&'static str] = &[
        "vote",
        "append",
        "overwrite",
        "repeat",
        "commit",
        "apply",
        "compact",
        "stage",
        "install",
        "remove",
        "create",
        "destroy",
        "write",
        "sync",
        "sync fails",
        "testify",
        "testified",
        "checkpoint",
        "crash",
    ];

    fn initial(&self) -> State {
        let hard = HardState { term: Term(1), vote: None };
        let image = Image { hard, epoch: 1, ..Image::default() };
        let groups = (1..=self.groups).map(|group| (group, (group, 1, image.clone()))).collect();
        let log = Log { groups, tombstones: BTreeSet::new(), next: self.groups + 1, round: 0 };
        let members = (1..=self.groups).map(|group| Member::new((group, group, 1), image.clone(), EntryId::default())).collect();
        let witness = Witness { slots: [Some(0), None], writing: None };
        let (states, written, earlier) = (States(BTreeMap::new()), Vec::new(), Vec::new());
        State {
            next: log.next,
            disk: Disk { log, written, earlier, states, states_written: Vec::new(), witness },
            members,
            queue: Vec::new(),
            round: Vec::new(),
            held: Vec::new(),
            creating: Vec::new(),
            removing: Vec::new(),
            destroying: Vec::new(),
            buried: BTreeSet::new(),
            removed: BTreeSet::new(),
            lost: false,
            down: false,
            budget: self.budget,
        }
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        if state.down {
            return;
        }
        for member in &state.members {
            self.of_member(state, member, out);
        }
        if state.budget.creations > 0 {
            let lives = [1, 2].into_iter().flat_map(|group| [1, 2].map(|life| Action::Create { group, life }));
            out.extend(lives.filter(|action| matches!(action, Action::Create { group, .. } if *group <= self.groups)));
        }
        if state.disk.states_written.len() < STATES_WRITTEN_MAX {
            out.extend(state.destroying.iter().map(|local| Action::Destroy(*local)));
        }
        let disk = &state.disk;
        let lag = disk.log.round - disk.witness.newest().unwrap_or(0).min(disk.log.round);
        if !state.queue.is_empty() && disk.written.is_empty() && lag < self.decisions.lag_max {
            out.push(Action::Write);
        }
        if !disk.written.is_empty() {
            out.push(Action::Sync);
            if state.budget.failures > 0 && !self.decisions.failure_ends {
                out.push(Action::SyncFails);
            }
        }
        match disk.witness.writing {
            Some(_) => out.push(Action::Testified),
            None if disk.witness.newest() < Some(self.testimony(disk)) => out.push(Action::Testify),
            None => {}
        }
        let waits = state.members.iter().any(|member| member.durable != member.applied || matches!(member.staging, Staging::Whole(_)));
        if state.budget.checkpoints > 0 && (waits || !disk.states_written.is_empty()) {
            out.push(Action::Checkpoint);
        }
        if state.budget.crashes > 0 {
            crashes(state, out);
        }
    }

    fn kind(&self, action: Action) -> usize {
        match action {
            Action::Vote(_) => 0,
            Action::Append(_) => 1,
            Action::Overwrite(_) => 2,
            Action::Repeat(_) => 3,
            Action::Commit(_) => 4,
            Action::Apply(_) => 5,
            Action::Compact(_) => 6,
            Action::Stage(_) => 7,
            Action::Install(_) => 8,
            Action::Remove(_) => 9,
            Action::Create { .. } => 10,
            Action::Destroy(_) => 11,
            Action::Write => 12,
            Action::Sync => 13,
            Action::SyncFails => 14,
            Action::Testify => 15,
            Action::Testified => 16,
            Action::Checkpoint => 17,
            Action::Crash { .. } => 18,
        }
    }

    fn step(&self, state: &mut State, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        match action {
            Action::Vote(local) => self.vote(state, local, seen)?,
            Action::Append(local) => self.append(state, local, seen)?,
            Action::Overwrite(local) => self.overwrite(state, local, seen)?,
            Action::Repeat(local) => {
                state.budget.repeats -= 1;
                let Some(last) = state.member(local).map(|member| member.memory().last_id()) else { return Ok(Moved::No) };
                self.drive(state, local, vec![acknowledge(last)], seen)?;
            }
            Action::Commit(local) => {
                let Some(member) = state.member_mut(local) else { return Ok(Moved::No) };
                member.commit += 1;
                let through = Index(member.commit.into());
                self.drive(state, local, vec![Effect::Apply { through }], seen)?;
            }
            Action::Apply(local) => self.apply(state, local)?,
            Action::Compact(local) => {
                let Some(member) = state.member_mut(local) else { return Ok(Moved::No) };
                member.compacted = (self.decisions.compacts)(member);
                let through = member.compacted.index;
                seen.note(sight::COMPACTED);
                self.drive(state, local, vec![Effect::Compact { through }], seen)?;
            }
            Action::Stage(local) => self.stage(state, local),
            Action::Install(local) => self.install(state, local, seen)?,
            Action::Remove(local) => self.remove(state, local),
            Action::Create { group, life } => {
                if !self.create(state, group, life, seen) {
                    return Ok(Moved::No);
                }
            }
            Action::Destroy(local) => self.destroy(state, local, seen)?,
            Action::Write => self.write(state, seen)?,
            Action::Sync => self.sync(state, seen)?,
            Action::SyncFails => {
                state.budget.failures -= 1;
                state.disk.written.clear();
                let round = std::mem::take(&mut state.round);
                round.into_iter().try_for_each(|(done, _)| self.hear(state, done, seen))?;
            }
            Action::Testify => {
                let round = self.testimony(&state.disk);
                let witness = &mut state.disk.witness;
                witness.writing = Some(((self.decisions.slot)(witness.slots), round));
            }
            Action::Testified => {
                let witness = &mut state.disk.witness;
                if let Some((slot, round)) = witness.writing.take() {
                    witness.slots[slot] = Some(round);
                }
                self.release(state, seen)?;
            }
            Action::Checkpoint => self.checkpoint(state),
            Action::Crash { batches, torn, states, slot, rot } => {
                self.crash(state, recovery::Survives { batches, torn, states, slot, rot }, seen)?;
            }
        }
        Ok(Moved::Yes)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        check::fingerprint(state, self.groups)
    }

    fn laws(&self) -> &'static [Law] {
        check::LAWS
    }

    fn sights(&self) -> &'static [Sight] {
        sight::SIGHTS
    }

    fn tell(&self, before: &State, action: Action, after: &State) -> String {
        check::tell(before, action, after)
    }
}

/// Every way to go down now.
fn crashes(state: &State, out: &mut Vec<Action>) {
    let disk = &state.disk;
    let slots = if disk.witness.writing.is_some() { 3 } else { 1 };
    let rots = if state.budget.rots > 0 { disk.earlier.len() as u8 } else { 0 };
    for batches in 0..=disk.written.len() as u8 {
        for torn in [false, true] {
            if torn && usize::from(batches) == disk.written.len() {
                continue;
            }
            for states in 0..=disk.states_written.len() as u8 {
                for slot in 0..slots {
                    out.push(Action::Crash { batches, torn, states, slot, rot: 0 });
                }
            }
        }
    }
    for rot in 1..=rots {
        out.extend((0..slots).map(|slot| Action::Crash { batches: 0, torn: false, states: 0, slot, rot }));
    }
}

impl Storage {
    fn of_member(&self, state: &State, member: &Member, out: &mut Vec<Action>) {
        let (local, budget) = (member.local, &state.budget);
        let last = member.memory().last();
        let begun = member.memory().hard.term.0 > 0;
        if budget.votes > 0 {
            out.push(Action::Vote(local));
        }
        // What a snapshot covers is committed: no leader of a later term has another entry there.
        let settled = match member.staging {
            Staging::Idle => true,
            Staging::Begun(at) | Staging::Whole(at) | Staging::Ready(at) | Staging::Installing(at) => at.term == member.memory().hard.term,
        };
        if budget.appends > 0 && begun && settled {
            out.push(Action::Append(local));
        }
        if budget.overwrites > 0 && last > member.commit && member.staging == Staging::Idle {
            out.push(Action::Overwrite(local));
        }
        if budget.repeats > 0 && last > 0 {
            out.push(Action::Repeat(local));
        }
        if member.commit < last {
            out.push(Action::Commit(local));
        }
        let room = state.disk.states_written.len() < STATES_WRITTEN_MAX;
        let applies = u64::from(member.released) > member.applied.index.0 || member.late.is_some();
        if applies && room && !matches!(member.staging, Staging::Installing(_)) {
            out.push(Action::Apply(local));
        }
        if (self.decisions.compacts)(member).index > member.compacted.index && !matches!(member.staging, Staging::Installing(_)) {
            out.push(Action::Compact(local));
        }
        match member.staging {
            Staging::Idle if budget.installs > 0 && begun && room => out.push(Action::Stage(local)),
            Staging::Begun(_) if room => out.push(Action::Stage(local)),
            Staging::Ready(_) => out.push(Action::Install(local)),
            Staging::Whole(_) if !self.decisions.stages => out.push(Action::Install(local)),
            Staging::Idle | Staging::Begun(_) | Staging::Whole(_) | Staging::Installing(_) => {}
        }
        if budget.removals > 0 {
            out.push(Action::Remove(local));
        }
    }
}
