//! Reads of log entries by others than the storage machine: for slow peers, after a restart, for `log show`.

use super::{
    engine::{Engine, Space},
    entry::Entry,
    item::{self, Item},
    log_error::LogError,
    prefix::{self, Local},
};
use bytes::Bytes;
use roadstead_spec::Index;
use std::{ops::ControlFlow, sync::Arc};

/// Reads logs from any thread; clones share the engine. It takes no lock and shares no memory with the storage machine: each read is of one
/// consistent moment, which may have passed when it returns. Entries carry their terms; the caller compares them with what it knows then.
/// It may wait for the disk, so it is not for the event loop.
#[derive(Clone, Debug)]
pub struct LogReader {
    engine: Arc<dyn Engine>,
}

impl LogReader {
    /// Over the log database.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// Entries from index `from` on: at most `max_entries`, and as many as fit in `max_bytes` of payload, but at least one if it is there.
    /// Empty if the entry is not there: compacted, truncated, or never written.
    ///
    /// # Errors
    /// When the item does not verify, or the store fails.
    pub fn read(&self, local: Local, from: Index, max_entries: usize, max_bytes: usize) -> Result<Vec<Entry>, LogError> {
        let mut gather = Gather { local, next: from, entries: Vec::new(), max_entries, room: max_bytes };
        let view = self.engine.snapshot();
        let (begin, end) = prefix::log(local).range();
        let behind = item::key(local, from.next());
        // The item that holds `from` is the last one that begins at or before it.
        let mut start = None;
        view.scan_back(Space::Log, &begin..&behind, &mut |key, _| {
            start = Some(Bytes::copy_from_slice(key));
            ControlFlow::Break(())
        })?;
        let Some(start) = start else { return Ok(Vec::new()) };
        let mut result = Ok(());
        view.scan(Space::Log, &start..&end, &mut |key, value| match gather.take(key, value) {
            Ok(flow) => flow,
            Err(error) => {
                result = Err(error);
                ControlFlow::Break(())
            }
        })?;
        result.map(|()| gather.entries)
    }
}

struct Gather {
    local: Local,
    next: Index,
    entries: Vec<Entry>,
    max_entries: usize,
    room: usize,
}

impl Gather {
    /// Takes what is wanted of an item; `Break` when nothing more is.
    fn take(&mut self, key: &[u8], value: Bytes) -> Result<ControlFlow<()>, LogError> {
        let local = self.local;
        let Some(first) = item::first_index(local, key) else { return Ok(ControlFlow::Break(())) };
        let damaged = |source| LogError::Damaged { local, first, source };
        let item = Item::parse(key, value).map_err(damaged)?;
        let end = first.plus(item.len() as u64);
        if self.next < first {
            return Err(LogError::Gap { local, expected: self.next, found: first });
        }
        if self.next >= end {
            return Ok(ControlFlow::Break(()));
        }
        let skip = usize::try_from(self.next.0 - first.0).unwrap_or(usize::MAX);
        for entry in item.entries(skip) {
            let entry = entry.map_err(damaged)?;
            let full = self.entries.len() >= self.max_entries || (entry.payload.len() > self.room && !self.entries.is_empty());
            if full {
                return Ok(ControlFlow::Break(()));
            }
            self.room = self.room.saturating_sub(entry.payload.len());
            self.entries.push(entry);
        }
        self.next = end;
        Ok(ControlFlow::Continue(()))
    }
}
