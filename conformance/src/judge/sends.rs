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
    appends: Vec<(NodeId, VecDeque<(Message, Ticket)>)>,
    /// Everything else leaves at once.
    others: VecDeque<(NodeId, Message, Ticket)>,
}

impl Sends {
    pub(super) fn release(&mut self, released: Released) {
        let after = released.after();
        let (to, message) = released.into_parts();
        if brings_entries(&message) {
            match self.appends.iter_mut().find(|(peer, _)| *peer == to) {
                Some((_, queue)) => queue.push_back((message, after)),
                None => self.appends.push((to, VecDeque::from([(message, after)]))),
            }
        } else {
            self.others.push_back((to, message, after));
        }
    }

    /// A message left, or was dropped; a slice may go in parts.
    pub(super) fn gone(&mut self, to: NodeId, message: &Message, after: Ticket) -> Result<(), Broken> {
        let done = if brings_entries(message) { self.append_gone(to, message, after) } else { self.other_gone(to, message, after) };
        ensure(Rule::Duty1, done, || {
            format!(
                "the outbox has not let out {} to node {to} behind write {after}, or not in this order, or it is gone already",
                print::message(message)
            )
        })
    }

    fn other_gone(&mut self, to: NodeId, message: &Message, after: Ticket) -> bool {
        self.others.pop_front_if(|(peer, next, ticket)| (*peer, &*next, *ticket) == (to, message, after)).is_some()
    }

    fn append_gone(&mut self, to: NodeId, message: &Message, after: Ticket) -> bool {
        let Some((_, queue)) = self.appends.iter_mut().find(|(peer, _)| *peer == to) else { return false };
        let Some((next, _)) = queue.front_mut().filter(|(_, ticket)| *ticket == after) else { return false };
        if next == message {
            queue.pop_front();
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

    /// What should have left before the group went on.
    pub(super) fn late(&self) -> Option<String> {
        self.others
            .front()
            .map(|(to, message, _)| format!("{} to node {to} was let out and neither sent nor dropped", print::message(message)))
    }
}

fn brings_entries(message: &Message) -> bool {
    matches!(message, Message::AppendEntries { slice, .. } if !slice.is_empty())
}
