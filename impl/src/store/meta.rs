//! The records of the Meta keyspace: what they are and under which keys they lie.

use super::{
    engine::{Batch, EngineError, Read, Space},
    format::Identity,
    prefix::{self, Local, Prefix},
    record::{self, RecordError},
    registry::{Change, FIRST_EPOCH, GroupRecord, Stored},
    witness::Mark,
};
use bytes::Bytes;
use roadstead_spec::{EntryId, GroupId, Incarnation, NodeId, raft::HardState};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::ControlFlow;

/// Where a group's log begins and under which epoch its state data lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    /// The entry before the log's first.
    pub(crate) base: EntryId,
    /// Raised by every installed snapshot.
    pub(crate) state_epoch: u64,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It is there, but damaged.
    #[error("{what}: {source}")]
    Damaged {
        /// Which record.
        what: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// It must be there.
    #[error(
        "{what} is missing: the log database lost data; run `roadstead check` on the folder, and restore this node from its peers if that confirms it"
    )]
    Missing {
        /// Which record.
        what: String,
    },
}

fn identity_key() -> Bytes {
    prefix::NODE.key(b"identity")
}

/// The batch number's key; `roadstead check` looks for it in the journal.
pub(crate) fn mark_key() -> Bytes {
    prefix::NODE.key(b"mark")
}

fn last_local_key() -> Bytes {
    prefix::NODE.key(b"last-local")
}

fn record_key(local: Local) -> Bytes {
    prefix::REGISTRY.key(&local.0.to_be_bytes())
}

fn tombstone_key(group: GroupId, incarnation: Incarnation) -> Bytes {
    let mut suffix = [0; 12];
    let bytes = group.get().to_be_bytes().into_iter().chain(incarnation.0.to_be_bytes());
    suffix.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    prefix::TOMBSTONES.key(&suffix)
}

fn peer_key(node: NodeId) -> Bytes {
    prefix::PEERS.key(&node.0.to_be_bytes())
}

fn put(batch: &mut Batch, key: Bytes, record: &impl Serialize) -> Result<(), RecordError> {
    let value = record::encode(&key, record)?;
    batch.put(Space::Meta, key, value);
    Ok(())
}

fn key_of(prefix: Prefix) -> Bytes {
    prefix.key(&[])
}

pub(crate) fn put_identity(batch: &mut Batch, identity: &Identity) -> Result<(), RecordError> {
    put(batch, identity_key(), identity)?;
    put(batch, last_local_key(), &0u32)
}

pub(crate) fn put_mark(batch: &mut Batch, mark: Mark) -> Result<(), RecordError> {
    put(batch, mark_key(), &mark)
}

pub(crate) fn put_hard(batch: &mut Batch, local: Local, hard: HardState) -> Result<(), RecordError> {
    put(batch, key_of(prefix::hard_state(local)), &hard)
}

pub(crate) fn put_snapshot(batch: &mut Batch, local: Local, snapshot: SnapshotMeta) -> Result<(), RecordError> {
    put(batch, key_of(prefix::snapshot_meta(local)), &snapshot)
}

/// Writes a change of the registry.
pub(crate) fn put_change(batch: &mut Batch, change: &Change) -> Result<(), RecordError> {
    match change {
        Change::Create(record) => {
            put(batch, record_key(record.local), record)?;
            put(batch, last_local_key(), &record.local.0)?;
            // Written although nothing happened yet: at recovery a missing record is a loss, never "nothing yet".
            put_hard(batch, record.local, HardState::default())?;
            put_snapshot(batch, record.local, SnapshotMeta { base: EntryId::default(), state_epoch: FIRST_EPOCH })
        }
        Change::Update(record) => put(batch, record_key(record.local), record),
        Change::Remove { local, group, incarnation } => {
            put(batch, tombstone_key(*group, *incarnation), &())?;
            batch.delete(Space::Meta, record_key(*local));
            batch.delete(Space::Meta, key_of(prefix::hard_state(*local)));
            batch.delete(Space::Meta, key_of(prefix::snapshot_meta(*local)));
            Ok(())
        }
        Change::Peer { node, store } => put(batch, peer_key(*node), store),
    }
}

fn get<T: DeserializeOwned>(read: &dyn Read, key: &[u8], what: impl FnOnce() -> String) -> Result<T, MetaError> {
    match read.get(Space::Meta, key)? {
        None => Err(MetaError::Missing { what: what() }),
        Some(value) => record::decode(key, &value).map_err(|source| MetaError::Damaged { what: what(), source }),
    }
}

pub(crate) fn get_identity(read: &dyn Read) -> Result<Identity, MetaError> {
    get(read, &identity_key(), || "the store's identity".to_owned())
}

pub(crate) fn get_mark(read: &dyn Read) -> Result<Mark, MetaError> {
    get(read, &mark_key(), || "the number of the last batch".to_owned())
}

pub(crate) fn get_hard(read: &dyn Read, record: &GroupRecord) -> Result<HardState, MetaError> {
    get(read, prefix::hard_state(record.local).as_slice(), || format!("term and vote of group {}", record.group))
}

pub(crate) fn get_snapshot(read: &dyn Read, record: &GroupRecord) -> Result<SnapshotMeta, MetaError> {
    get(read, prefix::snapshot_meta(record.local).as_slice(), || format!("snapshot record of group {}", record.group))
}

/// Groups without their epochs, tombstones, peers and the last local number.
pub(crate) fn get_registry(read: &dyn Read) -> Result<(Vec<GroupRecord>, Stored), MetaError> {
    let mut stored = Stored { last_local: get(read, &last_local_key(), || "the last local number".to_owned())?, ..Stored::default() };
    let mut records: Vec<GroupRecord> = Vec::new();
    each(read, prefix::REGISTRY, "a group record", |_, record| {
        records.push(record);
        true
    })?;
    each(read, prefix::TOMBSTONES, "a tombstone", |rest, ()| {
        let Some((group, incarnation)) = rest.split_first_chunk::<4>() else { return false };
        let (Some(group), Ok(incarnation)) = (GroupId::new(i32::from_be_bytes(*group)), incarnation.try_into()) else { return false };
        stored.tombstones.insert((group, Incarnation(u64::from_be_bytes(incarnation))));
        true
    })?;
    each(read, prefix::PEERS, "a peer's store id", |rest, store: u128| {
        let Ok(node) = rest.try_into() else { return false };
        stored.peers.insert(NodeId(u32::from_be_bytes(node)), store);
        true
    })?;
    Ok((records, stored))
}

/// Decodes all records under a prefix; `take` says whether the rest of the key made sense.
fn each<T: DeserializeOwned>(read: &dyn Read, prefix: Prefix, what: &str, mut take: impl FnMut(&[u8], T) -> bool) -> Result<(), MetaError> {
    let (begin, end) = prefix.range();
    let mut result = Ok(());
    read.scan(Space::Meta, &begin..&end, &mut |key, value| {
        let decoded = record::decode(key, &value).and_then(|record| {
            let rest = prefix.strip(key).unwrap_or_default();
            if take(rest, record) { Ok(()) } else { Err(RecordError::Content) }
        });
        match decoded {
            Ok(()) => ControlFlow::Continue(()),
            Err(source) => {
                result = Err(MetaError::Damaged { what: what.to_owned(), source });
                ControlFlow::Break(())
            }
        }
    })?;
    result
}

/// Hash of one group's term and vote. The digest of a store is the wrapping sum over its groups, so a round updates it without visiting the others.
pub(crate) fn fingerprint(local: Local, incarnation: Incarnation, hard: HardState) -> u64 {
    let vote = hard.vote.map_or(0, |node| u64::from(node.0) + 1);
    [u64::from(local.0), incarnation.0, hard.term.0, vote].into_iter().fold(0x9e37_79b9_7f4a_7c15, |hash, word| mix(hash ^ word))
}

/// The finaliser of splitmix64: every input bit reaches every output bit.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31)).wrapping_add(0x9e37_79b9_7f4a_7c15)
}
