//! When each group must be looked at again: one lazy heap, so that resetting an election timer (each heartbeat does) costs one store.

use std::{cmp::Reverse, collections::BinaryHeap};

/// A moment of the node's clock: milliseconds since the node started. The clock never goes back (it is the monotonic one, or the simulation's).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `ms` milliseconds later.
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; 0 if that lies ahead.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// At most one entry per slot. An entry may be earlier than the slot's true deadline (which moved on meanwhile): whoever pops it arms it again.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Millis, u32)>>,
    armed: Vec<Millis>,
}

impl Timers {
    /// Sees to it that `slot` is popped at `deadline` or earlier.
    pub(crate) fn arm(&mut self, slot: u32, deadline: Millis) {
        let place = slot as usize;
        if self.armed.len() <= place {
            self.armed.resize(place + 1, Millis::NEVER);
        }
        if let Some(armed) = self.armed.get_mut(place)
            && deadline < *armed
        {
            *armed = deadline;
            self.heap.push(Reverse((deadline, slot)));
        }
    }

    /// The next slot that is due; it is not armed any more.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<u32> {
        while let Some(&Reverse((deadline, slot))) = self.heap.peek() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            // An entry that a later, earlier-dated `arm` replaced is stale.
            if let Some(armed) = self.armed.get_mut(slot as usize)
                && *armed == deadline
            {
                *armed = Millis::NEVER;
                return Some(slot);
            }
        }
        None
    }

    /// When [`Timers::pop_due`] should be called again.
    pub(crate) fn next(&self) -> Millis {
        self.heap.peek().map_or(Millis::NEVER, |Reverse((deadline, _))| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pops_in_order_and_once() {
        let mut timers = Timers::default();
        timers.arm(3, Millis(30));
        timers.arm(1, Millis(10));
        timers.arm(3, Millis(20));
        timers.arm(1, Millis(40));
        assert_eq!(timers.next(), Millis(10));
        assert_eq!(timers.pop_due(Millis(9)), None);
        assert_eq!(timers.pop_due(Millis(50)), Some(1));
        assert_eq!(timers.pop_due(Millis(50)), Some(3));
        assert_eq!(timers.pop_due(Millis(50)), None, "the entry at 30 was replaced by the one at 20");
        timers.arm(1, Millis(60));
        assert_eq!(timers.pop_due(Millis(60)), Some(1));
        assert_eq!(timers.next(), Millis::NEVER);
    }
}
