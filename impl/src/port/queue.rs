//! Bytes that wait for a socket: whole buffers, in order, bounded.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Buffers that leave in one vectored write at most. Linux takes 1,024; beyond some tens the gain is gone.
pub(crate) const SLICES_MAX: usize = 64;

/// Buffers that wait to be written. A buffer is taken whole or not at all, and one that is taken is written whole or dies with its connection:
/// so frames are never torn apart.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    buffers: VecDeque<Bytes>,
    bytes: usize,
    bytes_max: usize,
}

impl WriteQueue {
    /// A queue that takes buffers while fewer than `bytes_max` bytes wait, so at most that and one buffer.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { buffers: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Whether the next buffer is taken.
    pub(crate) const fn has_room(&self) -> bool {
        self.bytes < self.bytes_max
    }

    /// Bytes that wait.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a buffer; the caller has asked [`Self::has_room`], or must append it because it is half written.
    pub(crate) fn push(&mut self, buffer: Bytes) {
        if !buffer.is_empty() {
            self.bytes += buffer.len();
            self.buffers.push_back(buffer);
        }
    }

    /// Fills `slices` with what comes next and returns how many are filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        for (slot, buffer) in slices.iter_mut().zip(&self.buffers) {
            *slot = IoSlice::new(buffer);
            count += 1;
        }
        count
    }

    /// Forgets the first `written` bytes.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(front) = self.buffers.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.buffers.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(queue: &WriteQueue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = queue.slices(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn it_holds_its_bound_and_one_buffer() {
        let mut queue = WriteQueue::new(10);
        let mut taken = 0;
        while queue.has_room() {
            queue.push(Bytes::from_static(b"1234567"));
            taken += 1;
        }
        assert_eq!((taken, queue.bytes()), (2, 14));
        queue.advance(5);
        assert!(queue.has_room(), "9 of 10 bytes wait");
    }

    proptest! {
        /// Whatever the sizes and wherever the socket stops, the bytes come out whole and in order.
        #[test]
        fn bytes_leave_in_order(buffers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..90), step in 1_usize..70) {
            let mut queue = WriteQueue::new(usize::MAX);
            for buffer in &buffers {
                queue.push(Bytes::copy_from_slice(buffer));
            }
            let mut out = Vec::new();
            while !queue.is_empty() {
                let next = waiting(&queue);
                let written = step.min(next.len());
                prop_assert!(written > 0);
                out.extend_from_slice(&next[..written]);
                queue.advance(written);
            }
            prop_assert_eq!(out, buffers.concat());
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
