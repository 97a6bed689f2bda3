//! The node above the disk: groups with production's outbox, the storage thread's queue, and what an observer remembers.

use super::disk::{Disk, Image};
use roadstead_spec::{EntryId, outbox::Outbox};
use std::collections::BTreeSet;

/// A snapshot that is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Staging {
    /// None is.
    Idle,
    /// Its first chunk is written, under the next epoch.
    Begun(EntryId),
    /// All of it is written, with the record of the applied entry.
    Whole(EntryId),
    /// All of it is durable.
    Ready(EntryId),
    /// The log database is told.
    Installing(EntryId),
}

/// A group that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its number in this store.
    pub local: u8,
    /// The group.
    pub group: u8,
    /// Which life of it.
    pub life: u8,
    /// Production's gates.
    pub outbox: Outbox,
    /// What its writes make of the disk: the last one that it heard of as durable, then one more for each that is pending. The last is its memory.
    pub path: Vec<Image>,
    /// How many of the pending ones are durable in truth, so that the group may hear of them.
    pub synced: u8,
    /// Committed through here.
    pub commit: u8,
    /// May be applied through here.
    pub released: u8,
    /// Applied, in memory.
    pub applied: EntryId,
    /// The epoch that it applies under.
    pub epoch: u8,
    /// Applied, and durable in the state database.
    pub durable: EntryId,
    /// A snapshot on its way.
    pub staging: Staging,
    /// The log begins behind this entry, as the node knows; the disk may not yet.
    pub compacted: EntryId,
    /// An apply that a snapshot overtook. (Only a mistake leaves one.)
    pub late: Option<EntryId>,
    /// What was told to others: the newest vote (term and for whom).
    pub voted: Option<(u64, u32)>,
    /// What was told to others: the newest entry that is durable here.
    pub acked: EntryId,
}

impl Member {
    /// A group as the disk holds it.
    pub(super) fn new((local, group, life): (u8, u8, u8), image: Image, applied: EntryId) -> Self {
        let index = applied.index.0 as u8;
        Self {
            local,
            group,
            life,
            outbox: Outbox::new(applied.index),
            epoch: image.epoch,
            compacted: image.base,
            late: None,
            path: vec![image],
            synced: 0,
            commit: index,
            released: index,
            applied,
            durable: applied,
            staging: Staging::Idle,
            voted: None,
            acked: EntryId::default(),
        }
    }

    /// What it has in memory.
    pub fn memory(&self) -> &Image {
        &self.path[self.path.len() - 1]
    }

    /// What a crash now would leave at least.
    pub fn durable_image(&self) -> &Image {
        &self.path[usize::from(self.synced)]
    }
}

/// What a completion means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    /// A group's next write is durable.
    Write {
        /// The group's number.
        local: u8,
        /// Which life asked.
        life: u8,
    },
    /// Entries of a log may have gone.
    Compacted,
    /// A group has begun.
    Created(u8),
    /// A group has ended.
    Removed(u8),
}

/// One step that is to be made durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Submission {
    /// What changes.
    pub items: Vec<super::disk::Item>,
    /// Whether a term or a vote is among it: its completion waits for the witness.
    pub urgent: bool,
    /// What the completion says.
    pub done: Done,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Votes.
    pub votes: u8,
    /// Entries.
    pub appends: u8,
    /// Entries of a new leader in another one's place.
    pub overwrites: u8,
    /// Acknowledgements of what is there already.
    pub repeats: u8,
    /// Snapshots that are received.
    pub installs: u8,
    /// Syncs of the state database.
    pub checkpoints: u8,
    /// Groups that are removed.
    pub removals: u8,
    /// Groups that are created.
    pub creations: u8,
    /// Crashes.
    pub crashes: u8,
    /// Journals that lose a synced tail in silence.
    pub rots: u8,
    /// Syncs that fail.
    pub failures: u8,
}

/// The node, its disk, and what an observer knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The disk.
    pub disk: Disk,
    /// Groups that run, by number.
    pub members: Vec<Member>,
    /// What waits for the storage thread.
    pub queue: Vec<Submission>,
    /// Completions of the round that is written.
    pub round: Vec<(Done, bool)>,
    /// Completions that wait for the witness, with the round that it must remember.
    pub held: Vec<(u8, Done)>,
    /// Groups that are being created: number, group, life.
    pub creating: Vec<(u8, u8, u8)>,
    /// Groups that are being removed: number, group, life.
    pub removing: Vec<(u8, u8, u8)>,
    /// Removed groups whose data is still there.
    pub destroying: Vec<u8>,
    /// Lives that are removed for good, as the node knows.
    pub buried: BTreeSet<(u8, u8)>,
    /// Lives whose removal was answered, as an observer knows.
    pub removed: BTreeSet<(u8, u8)>,
    /// The next number.
    pub next: u8,
    /// A journal has lost synced rounds that the witness did not remember yet: a group may have to be given up.
    pub lost: bool,
    /// The node will not start any more.
    pub down: bool,
    /// What may still happen.
    pub budget: Budget,
}

impl State {
    /// The member of this number.
    pub fn member(&self, local: u8) -> Option<&Member> {
        self.members.iter().find(|member| member.local == local)
    }

    pub(super) fn member_mut(&mut self, local: u8) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.local == local)
    }
}
