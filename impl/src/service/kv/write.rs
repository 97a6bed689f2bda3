//! Writes: all changes of one command, under one main revision.

use bytes::Bytes;

use super::{
    command::{DeleteRangeRequest, PutRequest},
    index::{Index, Span},
    item::{Change, Item, Revision},
    response::{DeleteRangeResponse, KvError, PutResponse},
    view::{Failure, View, signed},
};
use crate::state_machine::{StateMachineError, StateWrite};

/// A command that may write. Revisions: `current` before it, `current + 1` from its first change on.
pub(super) struct Writer<'a> {
    index: &'a mut Index,
    state: &'a mut dyn StateWrite,
    current: i64,
    compacted: i64,
    /// Changes so far; the next one's sub-revision.
    changes: u32,
}

impl<'a> Writer<'a> {
    pub(super) fn new(index: &'a mut Index, state: &'a mut dyn StateWrite, current: i64, compacted: i64) -> Self {
        Self { index, state, current, compacted, changes: 0 }
    }

    /// The data with this command's writes.
    pub(super) fn view(&self) -> View<'_> {
        View { index: self.index, state: self.state, current: self.revision(), compacted: self.compacted, room: None }
    }

    /// The newest revision, this command's writes included: a command that changes nothing makes none.
    pub(super) fn revision(&self) -> i64 {
        if self.changes == 0 { self.current } else { self.current + 1 }
    }

    /// Refuses what a put needs and does not find. No lease exists, as there is no way yet to grant one.
    pub(super) fn check_put(&self, request: &PutRequest<&[u8]>) -> Result<(), KvError> {
        if (request.ignore_value || request.ignore_lease) && self.index.live(request.key).is_none() {
            return Err(KvError::KeyNotFound);
        }
        if request.lease != 0 { Err(KvError::LeaseNotFound) } else { Ok(()) }
    }

    /// Sets a key. [`Self::check_put`] has passed.
    pub(super) fn put(&mut self, request: &PutRequest<&[u8]>) -> Result<PutResponse, Failure> {
        let needs_prev = request.prev_kv || request.ignore_value || request.ignore_lease;
        let prev = if needs_prev { self.view().get(request.key)? } else { None };
        let value = prev.as_ref().filter(|_| request.ignore_value).map_or(request.value, |prev| &prev.value);
        let lease = prev.as_ref().filter(|_| request.ignore_lease).map_or(request.lease, |prev| prev.lease);

        let revision = Revision { main: self.current + 1, sub: self.changes };
        let life = self.index.put(request.key, revision);
        let change = Change::Put { create: life.create, version: life.version, lease, value };
        store(self.state, revision, &Item { key: request.key, change })?;
        self.changes += 1;
        Ok(PutResponse { revision: revision.main, prev_kv: prev.filter(|_| request.prev_kv) })
    }

    /// Deletes a range.
    pub(super) fn delete_range(&mut self, request: &DeleteRangeRequest<&[u8]>) -> Result<DeleteRangeResponse, Failure> {
        let span = Span::new(request.key, request.range_end);
        let prev_kvs = if request.prev_kv { self.view().newest(span)? } else { Vec::new() };
        let before = self.changes;
        self.index.delete(span, |key| {
            let revision = Revision { main: self.current + 1, sub: self.changes };
            self.changes += 1;
            store(self.state, revision, &Item { key, change: Change::Tombstone }).map(|()| revision)
        })?;
        let deleted = signed((self.changes - before) as usize);
        Ok(DeleteRangeResponse { revision: self.revision(), deleted, prev_kvs })
    }
}

fn store(state: &mut dyn StateWrite, revision: Revision, item: &Item<'_>) -> Result<(), StateMachineError> {
    state.put(Bytes::copy_from_slice(&revision.key()), item.encode()?);
    Ok(())
}
