//! What `roadstead check DATA` does: looks at everything, changes nothing that a start would not change, and says what it found.

use super::{
    fjall_engine::{FjallEngine, Kind},
    format::{self, FolderLock, FormatError, Identity},
    journal::{self, Journal},
    meta,
    open::{self, Folder, OpenError},
    recover,
    witness::Mark,
};
use roadstead_spec::{EntryId, GroupId, Index, raft::HardState};
use std::path::Path;

/// What a data folder holds.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose folder it is.
    pub identity: Identity,
    /// How far the log database had come, by the witness.
    pub witness: Mark,
    /// Its journal.
    pub journal: Journal,
    /// How far it has come, by its own word; `None` if it was not opened, because a problem was found before.
    pub database: Option<Mark>,
    /// Its groups; empty if it was not opened.
    pub groups: Vec<GroupReport>,
    /// What an operator must look at, each in a sentence that says what to do. Empty: the folder is sound.
    pub problems: Vec<String>,
}

/// One group of a folder.
#[derive(Clone, Debug)]
pub struct GroupReport {
    /// Its number.
    pub group: GroupId,
    /// The number that its keys carry.
    pub local: super::prefix::Local,
    /// Which service it is.
    pub service: String,
    /// What its log verifies to.
    pub log: Option<LogReport>,
}

/// A log that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Term and vote.
    pub hard: HardState,
    /// The entry before the first one.
    pub base: EntryId,
    /// Index of the last entry.
    pub last: Index,
    /// Items on disk.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Checks a data folder that no process uses.
///
/// # Errors
/// When it cannot be looked at: in use, unreadable, or no data folder. Damage is not an error but a problem in the report.
pub fn check(dir: &Path) -> Result<Report, OpenError> {
    let folder = Folder(dir);
    let identity = format::read_identity(dir)?.ok_or_else(|| FormatError::Missing { dir: dir.to_owned() })?;
    let _lock = FolderLock::take(dir)?;
    let witness = folder.open_witness(identity.store)?;
    let newest = witness.newest();
    let journal = journal::scan(&folder.log())?;
    let mut report = Report { identity, witness: newest, journal, database: None, groups: Vec::new(), problems: Vec::new() };
    // What fjall would cut off or refuse it must not see.
    if let Some(Err(error)) = report.journal.damage.clone().map(|damage| damage.judge(newest.batch, dir)) {
        report.problems.push(error.to_string());
        return Ok(report);
    }
    let log = FjallEngine::open(&folder.log(), Kind::Log)?;
    match open::question(&log, &identity, &witness) {
        Ok(mark) => report.database = Some(mark),
        Err(error) => {
            report.problems.push(error.to_string());
            return Ok(report);
        }
    }
    let (records, _) = meta::get_registry(&log)?;
    let found = recover::recover(&log, records)?;
    if found.digest.zip(report.database).is_some_and(|(digest, mark)| digest != mark.digest) {
        report.problems.push(OpenError::OtherVotes { who: "the last batch", batch: newest.batch }.to_string());
    }
    for group in found.opened {
        let healthy = found.healthy.get(&group.record.local).map(|healthy| (healthy.log.items() as u64, healthy.log.bytes()));
        let log = match group.log {
            Ok(log) => healthy.map(|(items, bytes)| LogReport { hard: log.hard, base: log.base, last: log.last, items, bytes }),
            Err(damage) => {
                report.problems.push(damage.to_string());
                None
            }
        };
        report.groups.push(GroupReport { group: group.record.group, local: group.record.local, service: group.record.service, log });
    }
    Ok(report)
}
