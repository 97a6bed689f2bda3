//! DUTY-6: what is received was sent, by this sender, to this node, group and incarnation, with this content, and is received once.

use roadstead_spec::{GroupId, Incarnation, NodeId, raft::Message, trace::Content};
use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

/// Messages that may be received behind a later one of the same way: connections follow each other, and each keeps its order. What lies further
/// back is lost.
const OVERTAKEN_MAX: usize = 1024;

/// From node, to node, of a group.
type Way = (NodeId, NodeId, GroupId, Incarnation);

/// A message with its entries, on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    way: Way,
    digest: u64,
}

impl Parcel {
    pub(super) fn new(way: Way, message: &Message, content: &Content) -> Self {
        // The same in every run of this program, and nobody forges.
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        content.first.hash(&mut hasher);
        content.entries.hash(&mut hasher);
        Self { way, digest: hasher.finish() }
    }
}

/// What was sent and not received yet.
#[derive(Debug, Default)]
pub(super) struct Mail {
    ways: HashMap<Way, VecDeque<u64>>,
}

impl Mail {
    pub(super) fn put(&mut self, parcel: &Parcel) {
        self.ways.entry(parcel.way).or_default().push_back(parcel.digest);
    }

    pub(super) fn holds(&self, parcel: &Parcel) -> bool {
        self.place(parcel).is_some()
    }

    /// Takes a parcel out; false if it is not there.
    pub(super) fn take(&mut self, parcel: &Parcel) -> bool {
        let Some(place) = self.place(parcel) else { return false };
        if let Some(way) = self.ways.get_mut(&parcel.way) {
            way.remove(place);
            way.drain(..place.saturating_sub(OVERTAKEN_MAX));
        }
        true
    }

    fn place(&self, parcel: &Parcel) -> Option<usize> {
        self.ways.get(&parcel.way)?.iter().position(|digest| *digest == parcel.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::Term;

    fn parcel(from: u32, number: u64) -> Parcel {
        let message = Message::PreVoteResponse { term: Term(number), granted: true };
        Parcel::new((NodeId(from), NodeId(9), GroupId::DEFAULT, Incarnation(1)), &message, &Content::none())
    }

    #[test]
    fn a_message_is_received_as_often_as_it_was_sent() {
        let mut mail = Mail::default();
        mail.put(&parcel(1, 7));
        mail.put(&parcel(1, 7));
        assert!(!mail.take(&parcel(2, 7)), "somebody else's");
        assert!(mail.take(&parcel(1, 7)) && mail.take(&parcel(1, 7)) && !mail.take(&parcel(1, 7)));
    }

    #[test]
    fn what_is_overtaken_by_far_is_lost() {
        let mut mail = Mail::default();
        (0..OVERTAKEN_MAX as u64 + 10).for_each(|number| mail.put(&parcel(1, number)));
        assert!(mail.take(&parcel(1, OVERTAKEN_MAX as u64 + 5)));
        assert!(!mail.holds(&parcel(1, 4)) && mail.take(&parcel(1, 5)) && mail.holds(&parcel(1, OVERTAKEN_MAX as u64 + 9)));
    }
}
