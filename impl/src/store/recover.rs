//! Rebuilds what the storage machine keeps in memory: one pass over the records, one over the log items.

use super::{
    engine::{Engine, EngineError, Space},
    item::{self, Item},
    log::GroupLog,
    log_error::LogError,
    meta::{self, SnapshotMeta},
    prefix::{Local, Prefix, Purpose},
    registry::{FIRST_EPOCH, GroupRecord},
    rounds::Group,
};
use bytes::Bytes;
use roadstead_spec::{EntryId, Index, raft::HardState, raft::Run};
use std::{collections::BTreeMap, ops::ControlFlow};

/// A group as the disk holds it.
#[derive(Debug)]
pub struct OpenedGroup {
    /// Its record.
    pub record: GroupRecord,
    /// Epoch of the state database under which its data lies.
    pub state_epoch: u64,
    /// Its log, or why it does not verify: then the group starts as failed and says so, and the others run.
    pub log: Result<Recovered, GroupDamage>,
}

/// Term, vote and shape of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Term and vote.
    pub hard: HardState,
    /// The entry before the first one.
    pub base: EntryId,
    /// Terms of the entries; the first run begins at `base.index + 1`.
    pub runs: Vec<Run>,
    /// Index of the last entry, `base.index` if there is none.
    pub last: Index,
}

/// What is wrong with one group's data.
#[derive(Debug, thiserror::Error)]
#[error(
    "group {group}: {why}; the other groups are not affected. Run `roadstead check` on the data folder, then remove the group from this node and add it \
     with a higher `generation` on all members, or restore the node from its peers"
)]
pub struct GroupDamage {
    /// The group.
    pub group: roadstead_spec::GroupId,
    /// What was found.
    pub why: String,
}

/// All that recovery found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) opened: Vec<OpenedGroup>,
    pub(crate) healthy: BTreeMap<Local, Group>,
    /// Fingerprints of groups whose log does not verify, but whose term and vote do.
    pub(crate) failed: BTreeMap<Local, u64>,
    /// Items that belong to no group.
    pub(crate) removed: Vec<GroupLog>,
    /// Sum of the fingerprints of all terms and votes that were read.
    pub(crate) sum: u64,
    /// The same, if all could be read: what the last batch must say.
    pub(crate) digest: Option<u64>,
}

/// A group while its items are read.
struct Reading {
    record: GroupRecord,
    hard: Result<HardState, String>,
    snapshot: Result<SnapshotMeta, String>,
    log: Result<GroupLog, String>,
}

/// Reads records and items of all groups.
pub(crate) fn recover(engine: &dyn Engine, records: Vec<GroupRecord>) -> Result<Found, EngineError> {
    let mut groups: BTreeMap<Local, Reading> = records.into_iter().map(|record| (record.local, Reading::begin(engine, record))).collect();
    let mut found = Found::default();
    read_items(engine, &mut groups, &mut found.removed)?;
    let mut complete = true;
    for (local, reading) in groups {
        let Reading { record, hard, snapshot, log } = reading;
        let state_epoch = snapshot.as_ref().map_or(FIRST_EPOCH, |snapshot| snapshot.state_epoch);
        let log = log.and_then(|log| log.recover_end().map(|()| log).map_err(|error| error.to_string()));
        if let Ok(hard) = hard {
            let fingerprint = meta::fingerprint(local, record.incarnation, hard);
            found.sum = found.sum.wrapping_add(fingerprint);
            if log.is_err() {
                found.failed.insert(local, fingerprint);
            }
        }
        complete &= hard.is_ok();
        let log = match (hard, log) {
            (Ok(hard), Ok(log)) => {
                let recovered = Recovered { hard, base: log.base(), runs: log.runs().to_vec(), last: log.last() };
                found.healthy.insert(local, Group::new(record.incarnation, hard, state_epoch, log));
                Ok(recovered)
            }
            (Err(why), _) | (_, Err(why)) => Err(GroupDamage { group: record.group, why }),
        };
        found.opened.push(OpenedGroup { record, state_epoch, log });
    }
    found.digest = complete.then_some(found.sum);
    Ok(found)
}

impl Reading {
    fn begin(engine: &dyn Engine, record: GroupRecord) -> Self {
        let hard = meta::get_hard(engine, &record).map_err(|error| error.to_string());
        let snapshot = meta::get_snapshot(engine, &record).map_err(|error| error.to_string());
        let log = snapshot.clone().map(|snapshot| GroupLog::new(record.local, snapshot.base));
        Self { record, hard, snapshot, log }
    }

    /// Takes the next item; after an error the rest of the group's items are passed over.
    fn take(&mut self, key: &[u8], first: Index, value: Bytes) {
        let Ok(log) = &mut self.log else { return };
        let length = value.len();
        let local = self.record.local;
        let taken = Item::parse(key, value).map_err(|source| LogError::Damaged { local, first, source });
        if let Err(error) = taken.and_then(|item| log.recover_item(first, &item, length)) {
            self.log = Err(error.to_string());
        }
    }
}

/// One pass over all items; they are sorted by group and index.
fn read_items(engine: &dyn Engine, groups: &mut BTreeMap<Local, Reading>, removed: &mut Vec<GroupLog>) -> Result<(), EngineError> {
    let space = [Purpose::Log as u8]..[Purpose::Log as u8 + 1];
    // The group of the item before, so that a million items cost no million look-ups.
    let mut current: Option<&mut Reading> = None;
    let mut rest = groups.iter_mut();
    engine.scan(Space::Log, &space.start..&space.end, &mut |key, value| {
        let Some(local) = Prefix::of_key(key).map(|prefix| prefix.local()) else { return ControlFlow::Continue(()) };
        let Some(first) = item::first_index(local, key) else { return ControlFlow::Continue(()) };
        while current.as_ref().is_none_or(|reading| reading.record.local < local) {
            let Some((_, next)) = rest.next() else { break };
            current = Some(next);
        }
        match &mut current {
            Some(reading) if reading.record.local == local => reading.take(key, first, value),
            _ => GroupLog::adopt(removed, local, first),
        }
        ControlFlow::Continue(())
    })
}
