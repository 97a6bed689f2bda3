//! What a node leaves behind when something is wrong with it: its last records, see [`crate::trace`].

use super::event_loop::EventLoop;
use crate::{
    applier::panic_text,
    trace::{Dump, Dumps},
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

impl EventLoop {
    /// Does a part of the loop. A panic in it ends the node, but not before what led to it is in a file.
    ///
    /// Unwind safety: after a panic nothing of the loop is used but the records that are whole, and the unwinding goes on.
    pub(super) fn guarded(&mut self, part: impl FnOnce(&mut Self)) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| part(self))) else { return };
        let reason = format!("the node's thread panicked: {}", panic_text(&*panic));
        let (records, dump) = self.parts.shard.last_records(reason);
        self.write_trace(&records);
        if let (Some(dumps), Some(dump)) = (&self.parts.dumps, dump) {
            write(dumps, &dump); // here and now: the process may end with this thread
        }
        resume_unwind(panic)
    }

    /// A group has failed; the loop goes on, and does not wait for the disk.
    pub(super) fn keep(&self, dump: Dump) {
        if let Some(dumps) = self.parts.dumps.clone() {
            tokio::task::spawn_blocking(move || write(&dumps, &dump));
        }
    }
}

fn write(dumps: &Dumps, dump: &Dump) {
    match dumps.write(dump) {
        Ok(path) => tracing::error!(path = %path.display(), reason = %dump.reason, "the last records are written; keep the file"),
        Err(error) => tracing::error!(%error, reason = %dump.reason, "the last records could not be written"),
    }
}
