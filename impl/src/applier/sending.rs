//! Views of snapshots that are being sent. A view keeps old data from being reclaimed, so their number, age and idle time are bounded.

use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    time::Duration,
};

use super::{
    CHUNK_BYTES_MAX, RESUME_CHUNKS_MAX, VIEW_AGE_MAX, VIEW_IDLE_MAX, VIEWS_MAX,
    chunk::{Chunk, ITEM_HEADER_BYTES, encode_item},
    job::{Gone, TransferId},
    transaction::Keys,
};
use crate::store::{
    engine::{Engine, EngineError, Read, Space},
    prefix::Local,
};

/// All views, over all groups.
#[derive(Default)]
pub(super) struct Views {
    views: BTreeMap<Name, View>,
}

/// A group and a transfer of it.
pub(super) type Name = (Local, TransferId);

struct View {
    read: Box<dyn Read + Send + Sync>,
    keys: Keys,
    chunk_bytes: usize,
    /// Full first keys of consecutive chunks; the front is chunk `front`. The last one has not been read yet, unless the end was.
    starts: VecDeque<Bytes>,
    front: u64,
    ended: bool,
    opened: Duration,
    used: Duration,
}

/// Why a chunk could not be read.
pub(super) enum ReadError {
    Gone(Gone),
    Engine(EngineError),
}

impl Views {
    /// Takes a view of a group's data, which must all be committed. A view of the same name is replaced.
    pub(super) fn open(&mut self, now: Duration, name: Name, keys: Keys, chunk_bytes: usize, engine: &dyn Engine) -> Result<(), Gone> {
        if self.views.len() >= VIEWS_MAX && !self.views.contains_key(&name) {
            return Err(Gone::TooMany);
        }
        let view = View {
            read: engine.snapshot(),
            chunk_bytes: chunk_bytes.clamp(1, CHUNK_BYTES_MAX),
            starts: VecDeque::from([Bytes::copy_from_slice(keys.prefix())]),
            front: 0,
            ended: false,
            opened: now,
            used: now,
            keys,
        };
        self.views.insert(name, view);
        Ok(())
    }

    pub(super) fn read(&mut self, now: Duration, name: Name, sequence: u64) -> Result<Chunk, ReadError> {
        let view = self.views.get_mut(&name).ok_or(ReadError::Gone(Gone::Unknown))?;
        if let Some(gone) = view.expired(now) {
            self.close(name);
            return Err(ReadError::Gone(gone));
        }
        view.used = now;
        view.read_chunk(name.1, sequence)
    }

    pub(super) fn close(&mut self, name: Name) {
        self.views.remove(&name);
    }

    pub(super) fn close_group(&mut self, local: Local) {
        self.views.retain(|(owner, _), _| *owner != local);
    }

    /// Gives back the views that nobody reads any more.
    pub(super) fn expire(&mut self, now: Duration) {
        self.views.retain(|_, view| view.expired(now).is_none());
    }

    /// When [`Views::expire`] has something to do.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.views.values().map(View::expires_at).min()
    }
}

impl View {
    fn expires_at(&self) -> Duration {
        (self.used + VIEW_IDLE_MAX).min(self.opened + VIEW_AGE_MAX)
    }

    fn expired(&self, now: Duration) -> Option<Gone> {
        (now >= self.expires_at()).then(|| Gone::TooOld(now.saturating_sub(self.opened)))
    }

    fn read_chunk(&mut self, transfer: TransferId, sequence: u64) -> Result<Chunk, ReadError> {
        let next = self.front + self.starts.len() as u64 - 1;
        let start = sequence.checked_sub(self.front).and_then(|at| self.starts.get(usize::try_from(at).ok()?));
        let Some(start) = start else {
            return Err(ReadError::Gone(Gone::OutOfReach { wanted: sequence, next }));
        };
        let (items, behind) = self.items_from(start).map_err(ReadError::Engine)?;
        let chunk = Chunk::new(transfer, sequence, items, behind.is_none());
        if sequence == next && !self.ended {
            match behind {
                Some(behind) => self.starts.push_back(behind),
                None => self.ended = true,
            }
            if self.starts.len() > RESUME_CHUNKS_MAX + 1 {
                self.starts.pop_front();
                self.front += 1;
            }
        }
        Ok(chunk)
    }

    /// The items of one chunk and the first key behind it.
    fn items_from(&self, start: &[u8]) -> Result<(Bytes, Option<Bytes>), EngineError> {
        let mut items = Vec::with_capacity(self.chunk_bytes);
        let mut behind = None;
        let prefix_bytes = self.keys.prefix().len();
        self.read.scan(Space::State, start..self.keys.end(), &mut |key, value| {
            let relative = key.get(prefix_bytes..).unwrap_or_default();
            let length = ITEM_HEADER_BYTES + relative.len() + value.len();
            if !items.is_empty() && items.len() + length > self.chunk_bytes {
                behind = Some(Bytes::copy_from_slice(key));
                return ControlFlow::Break(());
            }
            encode_item(relative, &value, &mut items);
            ControlFlow::Continue(())
        })?;
        Ok((items.into(), behind))
    }
}
