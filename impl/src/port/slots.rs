//! How many accepted connections there may be, by what they turned out to be.

use crate::sync::{Arc, AtomicUsize, Relaxed};

/// What an accepted connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Has not introduced itself yet.
    Stranger,
    /// A native client.
    Client,
    /// HTTP: API, metrics, dashboard.
    Http,
    /// A peer; bounded by the configuration, one connection each.
    Peer,
}

/// Counts connections. Strangers have a quarter of the room to themselves: however many clients there are, a peer can introduce itself.
///
/// Only the port's thread takes places, so that nobody takes one between its look and its taking. Any thread gives them back.
#[derive(Debug)]
pub(crate) struct Slots {
    taken: [AtomicUsize; 4],
    max: usize,
}

/// A connection's place; it is free again when this is dropped. `Send`, since the API may serve its connections elsewhere.
#[derive(Debug)]
pub struct ConnectionSlot {
    slots: Arc<Slots>,
    class: Class,
}

impl Slots {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { taken: Default::default(), max })
    }

    /// A place for a stranger, if there is one.
    pub(crate) fn stranger(self: &Arc<Self>) -> Option<ConnectionSlot> {
        (self.count(Class::Stranger) < self.strangers_max()).then(|| self.take(Class::Stranger))
    }

    pub(crate) fn count(&self, class: Class) -> usize {
        self.of(class).load(Relaxed)
    }

    fn take(self: &Arc<Self>, class: Class) -> ConnectionSlot {
        self.of(class).fetch_add(1, Relaxed);
        ConnectionSlot { slots: Arc::clone(self), class }
    }

    fn strangers_max(&self) -> usize {
        (self.max / 4).max(1)
    }

    const fn of(&self, class: Class) -> &AtomicUsize {
        let [strangers, clients, http, peers] = &self.taken;
        match class {
            Class::Stranger => strangers,
            Class::Client => clients,
            Class::Http => http,
            Class::Peer => peers,
        }
    }
}

impl ConnectionSlot {
    /// The connection introduced itself; `None` if there is no room for one more of its class.
    pub(crate) fn promote(self, class: Class) -> Option<Self> {
        let others = self.slots.count(Class::Client) + self.slots.count(Class::Http);
        let room = class == Class::Peer || others < self.slots.max - self.slots.strangers_max().min(self.slots.max);
        room.then(|| self.slots.take(class))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.of(self.class).fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_room_for_strangers_and_strangers_for_clients() {
        let slots = Slots::new(8);
        let mut clients = Vec::new();
        while let Some(slot) = slots.stranger().and_then(|slot| slot.promote(Class::Client)) {
            clients.push(slot);
        }
        assert_eq!((clients.len(), slots.count(Class::Stranger)), (6, 0));
        let strangers = [slots.stranger(), slots.stranger(), slots.stranger()];
        assert_eq!(strangers.iter().flatten().count(), 2);
        let [first, ..] = strangers;
        let peer = first.and_then(|slot| slot.promote(Class::Peer));
        assert!(peer.is_some(), "peers always get in");
        clients.clear();
        assert_eq!(slots.count(Class::Client), 0);
    }
}
