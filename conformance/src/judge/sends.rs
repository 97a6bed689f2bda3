//! DUTY-1 and DUTY-5 of sends: what leaves was released, leaves once, and in its order.

use crate::{
    print,
    verdict::{Broken, Rule, ensure},
};
use roadstead_spec::{
    NodeId,
    outbox::{Released, Ticket},
    raft::Message,
};
use std::collections::VecDeque;

/// Messages that the outbox has let out and that are neither sent nor dropped yet.
#[derive(Debug, Default)]
pub(super) struct Sends {
    /// Appends may wait for the log to be read, and then keep their order per receiver.
    appends: Vec<(NodeId, Appends)>,
    /// Everything else leaves at once.
    others: VecDeque<(NodeId, Message, Ticket)>,
}

/// Appends to one receiver.
#[derive(Debug, Default)]
struct Appends {
    waiting: VecDeque<(Message, Ticket)>,
    /// Those of them that were dropped. Of two that are alike nobody knows which one it was, before it is another one's turn.
    dropped: Vec<(Message, Ticket)>,
}

impl Sends {
    pub(super) fn release(&mut self, released: Released) {
        let after = released.after();
        let (to, message) = released.into_parts();
        if brings_entries(&message) {
            self.appends(to).waiting.push_back((message, after));
        } else {
            self.others.push_back((to, message, after));
        }
    }

    fn appends(&mut self, to: NodeId) -> &mut Appends {
        let place = self.appends.iter().position(|(peer, _)| *peer == to).unwrap_or_else(|| {
            self.appends.push((to, Appends::default()));
            self.appends.len() - 1
        });
        &mut self.appends[place].1
    }

    /// A message left; a slice may go in parts.
    pub(super) fn sent(&mut self, to: NodeId, message: &Message, after: Ticket) -> Result<(), Broken> {
        let done = if brings_entries(message) { self.appends(to).sent(message, after) } else { self.other_gone(to, message, after) };
        ensure(Rule::Duty1, done, || out_of_turn(to, message, after))
    }

    /// A message was dropped, as a network may; so an append need not wait for those before it.
    pub(super) fn dropped(&mut self, to: NodeId, message: &Message, after: Ticket) -> Result<(), Broken> {
        let done = if brings_entries(message) { self.appends(to).drop(message, after) } else { self.other_gone(to, message, after) };
        ensure(Rule::Duty1, done, || out_of_turn(to, message, after))
    }

    fn other_gone(&mut self, to: NodeId, message: &Message, after: Ticket) -> bool {
        self.others.pop_front_if(|(peer, next, ticket)| (*peer, &*next, *ticket) == (to, message, after)).is_some()
    }

    /// What should have left before the group went on.
    pub(super) fn late(&self) -> Option<String> {
        self.others
            .front()
            .map(|(to, message, _)| format!("{} to node {to} was let out and neither sent nor dropped", print::message(message)))
    }
}

impl Appends {
    fn sent(&mut self, message: &Message, after: Ticket) -> bool {
        while !self.take_front(message, after) {
            let Some(front) = self.waiting.pop_front() else { return false };
            let Some(place) = self.dropped.iter().position(|dropped| *dropped == front) else { return false };
            self.dropped.swap_remove(place);
        }
        true
    }

    fn drop(&mut self, message: &Message, after: Ticket) -> bool {
        let alike =
            |list: &mut dyn Iterator<Item = &(Message, Ticket)>| list.filter(|other| (&other.0, other.1) == (message, after)).count();
        if alike(&mut self.waiting.iter()) > alike(&mut self.dropped.iter()) {
            self.dropped.push((message.clone(), after));
            if self.dropped.len() == self.waiting.len() {
                self.dropped.clear();
                self.waiting.clear();
            }
            return true;
        }
        // A part of one.
        self.sent(message, after)
    }

    /// Whether it is the front, or the first part of the front.
    fn take_front(&mut self, message: &Message, after: Ticket) -> bool {
        let Some((next, _)) = self.waiting.front_mut().filter(|(_, ticket)| *ticket == after) else { return false };
        if next == message {
            self.waiting.pop_front();
            return true;
        }
        let Message::AppendEntries { slice: gone, .. } = message else { return false };
        let Message::AppendEntries { term, slice, commit, round } = &*next else { return false };
        let (term, commit, round) = (*term, *commit, *round);
        let Some((front, rest)) = slice.split(gone.last) else { return false };
        let is_front = *message == Message::AppendEntries { term, slice: front, commit, round };
        if is_front {
            *next = Message::AppendEntries { term, slice: rest, commit, round };
        }
        is_front
    }
}

fn out_of_turn(to: NodeId, message: &Message, after: Ticket) -> String {
    format!(
        "the outbox has not let out {} to node {to} behind write {after}, or not in this order, or it is gone already",
        print::message(message)
    )
}

fn brings_entries(message: &Message) -> bool {
    matches!(message, Message::AppendEntries { slice, .. } if !slice.is_empty())
}
