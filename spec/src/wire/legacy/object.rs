//! Version 0 objects: servers, configurations, snapshots.

use super::LegacyError;
use crate::wire::bytes::{Reader, put_block};
use alloc::vec::Vec;

/// Text as NuRaft writes it, ended by a NUL that is not part of it. Mostly UTF-8; nothing checks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NulFree<'a>(&'a [u8]);

impl<'a> NulFree<'a> {
    /// The text, or `None` if a NUL stands in it.
    pub fn new(text: &'a [u8]) -> Option<Self> {
        if text.contains(&0) { None } else { Some(Self(text)) }
    }

    /// The bytes, without the NUL.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        let end = reader.rest().iter().position(|&byte| byte == 0).ok_or(LegacyError::NoNul)?;
        let text = reader.take(end)?;
        reader.u8()?;
        Ok(Self(text))
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
        out.push(0);
    }
}

/// Bits of [`Server::server_type`].
pub mod server_type {
    /// Gets entries, never votes.
    pub const LEARNER: u8 = 0x1;
    /// Not yet a regular member.
    pub const NEW_JOINER: u8 = 0x2;
}

/// One server (`srv_config`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its id.
    pub id: i32,
    /// Its data centre.
    pub dc_id: i32,
    /// `host:port`.
    pub endpoint: NulFree<'a>,
    /// Whatever the application keeps with it.
    pub aux: NulFree<'a>,
    /// Bits of [`server_type`].
    pub server_type: u8,
    /// Election priority; 0 never leads.
    pub priority: i32,
}

impl<'a> Server<'a> {
    /// Least bytes of one: what bounds a count before anything is allocated.
    const BYTES_MIN: usize = 15;

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        Ok(Self {
            id: reader.i32()?,
            dc_id: reader.i32()?,
            endpoint: NulFree::decode(reader)?,
            aux: NulFree::decode(reader)?,
            server_type: reader.u8()?,
            priority: reader.i32()?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.dc_id.to_le_bytes());
        self.endpoint.encode(out);
        self.aux.encode(out);
        out.push(self.server_type);
        out.extend_from_slice(&self.priority.to_le_bytes());
    }
}

/// A configuration (`cluster_config`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterConfig<'a> {
    /// Its own index in the log.
    pub log_index: u64,
    /// The index of the one before.
    pub prev_log_index: u64,
    /// Not 0: the leader answers before a quorum has the entry.
    pub async_replication: u8,
    /// Whatever the application keeps with it.
    pub user_context: &'a [u8],
    /// The members.
    pub servers: Vec<Server<'a>>,
}

impl<'a> ClusterConfig<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        let log_index = reader.u64()?;
        let prev_log_index = reader.u64()?;
        let async_replication = reader.u8()?;
        let user_context = reader.u32()?;
        let user_context = reader.take(user_context as usize)?;
        let count = reader.i32()?;
        let servers_max = reader.left() / Server::BYTES_MIN;
        let count = usize::try_from(count).ok().filter(|&count| count <= servers_max).ok_or(LegacyError::Length(count.into()))?;
        let servers = (0..count).map(|_| Server::decode(reader)).collect::<Result<_, _>>()?;
        Ok(Self { log_index, prev_log_index, async_replication, user_context, servers })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.log_index.to_le_bytes());
        out.extend_from_slice(&self.prev_log_index.to_le_bytes());
        out.push(self.async_replication);
        put_block(out, self.user_context);
        out.extend_from_slice(&(self.servers.len() as i32).to_le_bytes());
        self.servers.iter().for_each(|server| server.encode(out));
    }
}

/// What a snapshot covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// 1 raw binary (deprecated), 2 logical objects.
    pub snapshot_type: u8,
    /// Last index that it covers.
    pub last_log_index: u64,
    /// Term of that entry.
    pub last_log_term: u64,
    /// Bytes of a raw one; 0 for logical objects.
    pub size: u64,
    /// The configuration at that index.
    pub config: ClusterConfig<'a>,
}

/// One object of a snapshot (`snp_sync_req`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSync<'a> {
    /// The snapshot.
    pub snapshot: Snapshot<'a>,
    /// Logical: which object; raw: the byte offset.
    pub object_id: u64,
    /// 1: the last one.
    pub done: u8,
    /// The application's bytes, to the end of the value.
    pub data: &'a [u8],
}

impl<'a> SnapshotSync<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        let snapshot = Snapshot {
            snapshot_type: reader.u8()?,
            last_log_index: reader.u64()?,
            last_log_term: reader.u64()?,
            size: reader.u64()?,
            config: ClusterConfig::decode(reader)?,
        };
        let object_id = reader.u64()?;
        let done = reader.u8()?;
        let data = reader.take(reader.left())?;
        Ok(Self { snapshot, object_id, done, data })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let Snapshot { snapshot_type, last_log_index, last_log_term, size, config } = &self.snapshot;
        out.push(*snapshot_type);
        out.extend_from_slice(&last_log_index.to_le_bytes());
        out.extend_from_slice(&last_log_term.to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
        config.encode(out);
        out.extend_from_slice(&self.object_id.to_le_bytes());
        out.push(self.done);
        out.extend_from_slice(self.data);
    }
}
