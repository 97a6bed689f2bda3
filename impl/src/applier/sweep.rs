//! Deletes data that nobody needs any more, in small pieces with pauses, so that the applies of other groups never wait long.

use bytes::{BufMut, Bytes, BytesMut};
use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use super::{SWEEP_KEYS_MAX, SWEEP_PAUSE, data::KeyRange, job::GroupKey};
use crate::store::{
    engine::{Batch, Change, Durability, Engine, EngineError, Space},
    prefix::Local,
};

/// What is still to be deleted, in order.
#[derive(Default)]
pub(super) struct Sweeper {
    ranges: VecDeque<Range>,
    next_at: Duration,
}

struct Range {
    local: Local,
    start: Bytes,
    end: Bytes,
    /// Who waits for the end of this range.
    destroys: Option<GroupKey>,
}

impl Sweeper {
    /// Adds ranges of a group; when the last of them is empty, [`Sweeper::piece`] returns `destroys`.
    pub(super) fn add<const N: usize>(&mut self, local: Local, ranges: [KeyRange; N], destroys: Option<GroupKey>) {
        for (place, (start, end)) in ranges.into_iter().enumerate() {
            let destroys = destroys.filter(|_| place + 1 == N);
            self.ranges.push_back(Range { local, start, end, destroys });
        }
    }

    /// How many ranges of this group are waiting.
    pub(super) fn pending(&self, local: Local) -> usize {
        self.ranges.iter().filter(|range| range.local == local).count()
    }

    /// When the next piece is due.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.ranges.is_empty()).then_some(self.next_at)
    }

    /// Deletes the next piece, if it is due; returns the group of which the last key is gone.
    pub(super) fn piece(&mut self, now: Duration, engine: &dyn Engine) -> Result<Option<GroupKey>, EngineError> {
        if now < self.next_at {
            return Ok(None);
        }
        let Some(range) = self.ranges.front_mut() else { return Ok(None) };
        self.next_at = now + SWEEP_PAUSE;
        let mut batch = Batch::default();
        let scanned = engine.scan(Space::State, &range.start..&range.end, &mut |key, _| {
            batch.delete(Space::State, Bytes::copy_from_slice(key));
            if batch.changes.len() < SWEEP_KEYS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = &scanned {
            // Damaged leftovers harm nobody: better to keep them than to end the process again at every start.
            tracing::warn!(local = range.local.0, %error, "data that is no longer needed cannot be read and stays; check the disk");
        }
        if let Some(Change::Delete(_, last)) = batch.changes.last() {
            // The next piece begins behind the last deleted key, so that it does not step over all the deleted ones again.
            range.start = behind(last);
        }
        let full = batch.changes.len() >= SWEEP_KEYS_MAX;
        if !batch.changes.is_empty() {
            engine.commit(batch, Durability::Buffered)?;
        }
        if full && scanned.is_ok() { Ok(None) } else { Ok(self.ranges.pop_front().and_then(|range| range.destroys)) }
    }
}

/// The first key behind this one.
fn behind(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}
