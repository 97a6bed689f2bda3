//! One batch and one sync for all groups: the part of the storage machine that writes the log database.

use super::{
    engine::{Batch, Durability, Engine},
    log::GroupLog,
    log_error::Misuse,
    meta,
    prefix::Local,
    registry::Change,
    stats::StorageStats,
    storage::StorageError,
    submission::{Completion, Submission, Write},
    witness::Mark,
};
use roadstead_spec::{EntryId, Incarnation, raft::HardState};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

/// A group as the storage machine sees it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) incarnation: Incarnation,
    pub(crate) hard: HardState,
    pub(crate) state_epoch: u64,
    pub(crate) log: GroupLog,
    dirty: Dirty,
}

/// What of a group the round changed, besides its entries.
#[derive(Clone, Copy, Debug, Default)]
struct Dirty {
    /// Already in the list of this round's groups.
    listed: bool,
    hard: bool,
    snapshot_meta: bool,
}

/// What a committed round comes to.
#[derive(Debug)]
pub(crate) struct Committed {
    /// In the order of the submissions.
    pub(crate) completions: Vec<Completion>,
    /// What the witness is to remember.
    pub(crate) mark: Mark,
    /// Whether the round carried a term or a vote.
    pub(crate) urgent: bool,
}

/// The writer of the log database.
#[derive(Debug)]
pub(crate) struct Rounds {
    engine: Arc<dyn Engine>,
    groups: BTreeMap<Local, Group>,
    mark: Mark,
    /// Groups of this round, in the order in which they were met.
    listed: Vec<Local>,
    /// Groups whose compacted items wait to be deleted.
    leftovers: BTreeSet<Local>,
    /// Logs of removed groups, deleted some items per round.
    removed: Vec<GroupLog>,
    /// Fingerprints of groups whose log does not verify: they can be removed, nothing else.
    failed: BTreeMap<Local, u64>,
    stats: Arc<StorageStats>,
}

impl Group {
    pub(crate) fn new(incarnation: Incarnation, hard: HardState, state_epoch: u64, log: GroupLog) -> Self {
        Self { incarnation, hard, state_epoch, log, dirty: Dirty::default() }
    }
}

impl Rounds {
    /// `removed` are logs whose group is gone and whose items are not.
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        groups: BTreeMap<Local, Group>,
        failed: BTreeMap<Local, u64>,
        removed: Vec<GroupLog>,
        mark: Mark,
    ) -> Self {
        let leftovers = groups.iter().filter(|(_, group)| group.log.has_leftovers()).map(|(local, _)| *local).collect();
        Self { engine, groups, mark, listed: Vec::new(), leftovers, removed, failed, stats: Arc::default() }
    }

    pub(crate) fn stats(&self) -> &Arc<StorageStats> {
        &self.stats
    }

    /// Makes all submissions durable together. After an error nothing may be written any more.
    pub(crate) fn commit(&mut self, submissions: &mut Vec<Submission>) -> Result<Committed, StorageError> {
        let mut batch = Batch::default();
        let mut completions = Vec::with_capacity(submissions.len());
        let mut urgent = false;
        for submission in submissions.drain(..) {
            let completion = submission.completion();
            urgent |= submission.carries_hard_state();
            if self.take(submission, &mut batch)? {
                completions.push(completion);
            }
        }
        self.gather(&mut batch)?;
        self.mark.batch += 1;
        meta::put_mark(&mut batch, self.mark)?;
        let begin = Instant::now();
        self.engine.commit(batch, Durability::Synced)?;
        self.stats.synced(begin.elapsed());
        StorageStats::add(&self.stats.submissions, completions.len() as u64);
        Ok(Committed { completions, mark: self.mark, urgent })
    }

    /// Takes one submission into the round; false if its group's life has ended.
    fn take(&mut self, submission: Submission, batch: &mut Batch) -> Result<bool, StorageError> {
        let Submission { local, incarnation, ticket, write } = submission;
        if let Write::Registry(change) = write {
            self.change_registry(change, batch)?;
            return Ok(true);
        }
        let Some(group) = self.groups.get_mut(&local).filter(|group| group.incarnation == incarnation) else {
            // What the event loop had under way when the group was removed.
            return Ok(false);
        };
        if !group.dirty.listed {
            group.dirty.listed = true;
            self.listed.push(local);
        }
        let before = group.hard;
        let misuse = |why| StorageError::Misuse { local, ticket, why };
        match write {
            Write::Persist { hard, truncate_from, append } => {
                truncate_from.map_or(Ok(()), |from| group.log.truncate(from)).map_err(misuse)?;
                append.map_or(Ok(()), |append| group.log.append(append.first, append.entries)).map_err(misuse)?;
                group.set_hard(hard);
            }
            Write::Install { hard, at, keep_suffix, state_epoch } => {
                if state_epoch <= group.state_epoch {
                    return Err(misuse(Misuse::Epoch { epoch: state_epoch, current: group.state_epoch }));
                }
                group.log.install(at, keep_suffix).map_err(misuse)?;
                group.state_epoch = state_epoch;
                group.dirty.snapshot_meta = true;
                group.set_hard(Some(hard));
            }
            Write::Compact { through } => {
                group.log.compact(through).map_err(misuse)?;
                group.dirty.snapshot_meta = true;
            }
            Write::Registry(_) => {}
        }
        let change = meta::fingerprint(local, incarnation, group.hard).wrapping_sub(meta::fingerprint(local, incarnation, before));
        self.mark.digest = self.mark.digest.wrapping_add(change);
        Ok(true)
    }

    fn change_registry(&mut self, change: Change, batch: &mut Batch) -> Result<(), StorageError> {
        meta::put_change(batch, &change)?;
        match change {
            Change::Create(record) => {
                let hard = HardState::default();
                let log = GroupLog::new(record.local, EntryId::default());
                let group = Group::new(record.incarnation, hard, super::registry::FIRST_EPOCH, log);
                self.mark.digest = self.mark.digest.wrapping_add(meta::fingerprint(record.local, record.incarnation, hard));
                self.groups.insert(record.local, group);
            }
            Change::Remove { local, .. } => {
                if let Some(group) = self.groups.remove(&local) {
                    self.mark.digest = self.mark.digest.wrapping_sub(meta::fingerprint(local, group.incarnation, group.hard));
                    self.removed.push(group.log);
                } else if let Some(fingerprint) = self.failed.remove(&local) {
                    // Its items are found without an owner at the next start, and deleted then.
                    self.mark.digest = self.mark.digest.wrapping_sub(fingerprint);
                }
            }
            Change::Update(_) | Change::Peer { .. } => {}
        }
        Ok(())
    }

    /// Puts what the round's groups come to into the batch.
    fn gather(&mut self, batch: &mut Batch) -> Result<(), StorageError> {
        let waiting = std::mem::take(&mut self.leftovers);
        let mut listed = std::mem::take(&mut self.listed);
        for local in listed.drain(..).chain(waiting) {
            let Some(group) = self.groups.get_mut(&local) else { continue };
            let dirty = std::mem::take(&mut group.dirty);
            let flushed = group.log.flush(&*self.engine, batch)?;
            StorageStats::add(&self.stats.items, flushed.items);
            StorageStats::add(&self.stats.entries, flushed.entries);
            StorageStats::add(&self.stats.bytes, flushed.bytes);
            if dirty.hard {
                meta::put_hard(batch, local, group.hard)?;
            }
            if dirty.snapshot_meta {
                let snapshot = meta::SnapshotMeta { base: group.log.base(), state_epoch: group.state_epoch };
                meta::put_snapshot(batch, local, snapshot)?;
            }
            if group.log.has_leftovers() {
                self.leftovers.insert(local);
            }
        }
        self.listed = listed;
        self.removed.retain_mut(|log| !log.delete_some(batch));
        Ok(())
    }
}

impl Group {
    fn set_hard(&mut self, hard: Option<HardState>) {
        if let Some(hard) = hard {
            self.dirty.hard |= hard != self.hard;
            self.hard = hard;
        }
    }
}
