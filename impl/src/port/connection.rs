//! The sending half of a connection: written to at once when nothing waits, by its task otherwise.

use super::close::{CloseReason, NotSent};
use super::event::ConnId;
use super::queue::{SLICES_MAX, WriteQueue};
use bytes::{Buf, Bytes};
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::time::Duration;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What went through a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read.
    pub bytes_in: u64,
    /// Frames read and delivered.
    pub frames_in: u64,
    /// Bytes taken for sending.
    pub bytes_out: u64,
    /// Buffers dropped whole because the queue was full.
    pub buffers_dropped: u64,
    /// Bytes in them.
    pub bytes_dropped: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.frames_in += other.frames_in;
        self.bytes_out += other.bytes_out;
        self.buffers_dropped += other.buffers_dropped;
        self.bytes_dropped += other.bytes_dropped;
    }
}

/// The sending half of one connection, shared by its task and by the port.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    socket: OwnedWriteHalf,
    queue: RefCell<WriteQueue>,
    /// Something waits in the queue.
    queued: Notify,
    close: RefCell<Option<CloseReason>>,
    closing: Notify,
    /// Requests that were delivered and not answered.
    unanswered: Cell<usize>,
    answered: Notify,
    pub(crate) traffic: Cell<Traffic>,
}

impl Connection {
    pub(crate) fn new(id: ConnId, socket: OwnedWriteHalf, queue_bytes_max: usize) -> Self {
        Self {
            id,
            socket,
            queue: RefCell::new(WriteQueue::new(queue_bytes_max)),
            queued: Notify::new(),
            close: RefCell::new(None),
            closing: Notify::new(),
            unanswered: Cell::new(0),
            answered: Notify::new(),
            traffic: Cell::new(Traffic::default()),
        }
    }

    /// Sends a buffer of whole frames: all of it or nothing, never blocking. An empty queue costs one system call and no wake-up.
    pub(crate) fn send(&self, mut buffer: Bytes) -> Result<(), NotSent> {
        if self.close.borrow().is_some() {
            return Err(NotSent::Down);
        }
        let mut queue = self.queue.borrow_mut();
        if !queue.has_room() {
            self.count(|traffic| {
                traffic.buffers_dropped += 1;
                traffic.bytes_dropped += buffer.len() as u64;
            });
            return Err(NotSent::QueueFull);
        }
        self.count(|traffic| traffic.bytes_out += buffer.len() as u64);
        if queue.is_empty() {
            match self.socket.try_write(&buffer) {
                Ok(written) => buffer.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.close(error.into());
                    return Err(NotSent::Down);
                }
            }
        }
        if !buffer.is_empty() {
            // Half written or not, the rest is taken: a frame is never torn.
            queue.push(buffer);
            self.queued.notify_one();
        }
        Ok(())
    }

    /// Bytes that wait.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.borrow().bytes()
    }

    /// Ends the connection; the first reason stays.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.close.borrow_mut().get_or_insert(reason);
        self.closing.notify_one();
    }

    /// Waits for [`Self::close`].
    pub(crate) async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.close.borrow().as_ref() {
                return reason.clone();
            }
            self.closing.notified().await;
        }
    }

    /// Writes whatever is queued, for as long as the connection lives.
    pub(crate) async fn write_queued(&self, stall: Duration) -> CloseReason {
        loop {
            if let Err(reason) = self.drain(stall).await {
                return reason;
            }
            self.queued.notified().await;
        }
    }

    /// Writes until nothing waits.
    pub(crate) async fn drain(&self, stall: Duration) -> Result<(), CloseReason> {
        while !self.queue.borrow().is_empty() {
            match timeout(stall, self.socket.writable()).await {
                Ok(ready) => ready?,
                Err(_) => return Err(CloseReason::WriteTimeout),
            }
            self.write_some()?;
        }
        Ok(())
    }

    /// Tells the other end that nothing more comes.
    pub(crate) fn end_of_stream(&self) -> io::Result<()> {
        socket2::SockRef::from(self.socket.as_ref()).shutdown(std::net::Shutdown::Write)
    }

    /// One vectored write of several buffers.
    fn write_some(&self) -> Result<(), CloseReason> {
        let mut queue = self.queue.borrow_mut();
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = queue.slices(&mut slices);
        match self.socket.try_write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => Err(CloseReason::Ended),
            Ok(written) => {
                queue.advance(written);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// `count` requests were delivered.
    pub(crate) fn requested(&self, count: usize) {
        self.unanswered.set(self.unanswered.get().saturating_add(count));
    }

    /// `count` requests were answered.
    pub(crate) fn answered(&self, count: usize) {
        self.unanswered.set(self.unanswered.get().saturating_sub(count));
        self.answered.notify_one();
    }

    /// Waits until fewer than `max` requests have no answer.
    pub(crate) async fn wait_for_answers(&self, max: usize) {
        while self.unanswered.get() >= max {
            self.answered.notified().await;
        }
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Traffic)) {
        let mut traffic = self.traffic.get();
        change(&mut traffic);
        self.traffic.set(traffic);
    }
}
