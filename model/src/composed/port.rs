//! What a node of many groups does with inputs, writes and connections.

use super::{
    Composed,
    decisions::group_id,
    sight,
    state::{Frame, GROUPS, Input, NODES, State, incarnation, node_id, place},
};
use crate::Seen;
use roadstead_spec::{raft::Event, wire::Version};

impl Composed {
    /// Gives a member an input, and queues what it sends.
    pub(super) fn input(&self, state: &mut State, node: u8, group: u8, input: Input) {
        let (from, at) = (usize::from(node), usize::from(group));
        let mut sends = Vec::new();
        let members = &mut state.nodes[from].members;
        members[at].take(&self.params, input, &mut sends);
        if self.decisions.shares_term {
            let term = members[at].raft.hard.term;
            members.iter_mut().for_each(|member| member.raft.hard.term = member.raft.hard.term.max(term));
        }
        for (to, message) in sends {
            if self.reachable >> place(to) & 1 == 1 {
                state.conns[from * NODES + place(to)].waits.push((group, message));
            }
        }
    }

    pub(super) fn sync(&self, state: &mut State, node: u8, seen: &mut Seen) {
        let wrote = state.wrote(usize::from(node));
        seen.note_if(sight::ONE_SYNC, wrote.iter().all(|wrote| *wrote));
        for (group, hears) in (self.decisions.hears)(wrote).into_iter().enumerate() {
            if hears {
                self.input(state, node, group as u8, Input::Durable);
            }
        }
    }

    pub(super) fn flush(&self, state: &mut State, at: usize, seen: &mut Seen) {
        let conn = &mut state.conns[at];
        let version = conn.version;
        let frames = std::mem::take(&mut conn.waits).into_iter().filter_map(|(group, message)| {
            let Some(names) = (self.decisions.names)(version, group) else {
                seen.note(sight::REFUSED);
                return None;
            };
            let life = (version == Version::Extended).then(|| incarnation(group));
            Some(Frame { names, life, group, message })
        });
        let frames = (self.decisions.coalesces)(frames.collect());
        seen.note_if(sight::COALESCED, frames.iter().any(|frame| frame.group != frames[0].group));
        if !frames.is_empty() {
            conn.writes.push(frames);
        }
    }

    pub(super) fn deliver(&self, state: &mut State, from: usize, to: usize, seen: &mut Seen) {
        let conn = &mut state.conns[from * NODES + to];
        let version = conn.version;
        for frame in conn.writes.remove(0) {
            let Some(mailbox) = (self.decisions.route)(&mut state.nodes[to], version, &frame) else {
                seen.note(sight::STOPPED);
                continue;
            };
            seen.note_if(sight::LEGACY, version == Version::Legacy);
            let other = 1 - usize::from(mailbox).min(1);
            seen.note_if(sight::WENT_ON, usize::from(self.groups) > other && !state.runs(to, other));
            let event = Event::Receive { from: node_id(from), message: frame.message };
            self.input(state, to as u8, mailbox, Input::Event(event));
        }
    }

    pub(super) fn cut(&self, state: &mut State, from: usize, to: usize, legacy: bool, seen: &mut Seen) {
        state.budget.breaks -= 1;
        let conn = &mut state.conns[from * NODES + to];
        let of = |group: u8| conn.writes.iter().flatten().any(|frame| frame.group == group);
        seen.note_if(sight::BROKE, of(0) && of(1));
        conn.version = if legacy { Version::Legacy } else { Version::Extended };
        conn.writes.clear();
        conn.waits.clear();
        for group in (0..self.groups).filter(|group| state.runs(from, usize::from(*group))).collect::<Vec<_>>() {
            self.input(state, from as u8, group, Input::Event(Event::Unreachable { peer: node_id(to) }));
        }
    }

    pub(super) fn stop(&self, state: &mut State, node: usize, group: u8) {
        state.budget.stops -= 1;
        for (other, stops) in (self.decisions.stops)(group).into_iter().enumerate() {
            if stops && other < usize::from(self.groups) {
                let _ = state.nodes[node].registry.deregister(group_id(other as u8));
            }
        }
        state.runs &= !(1 << (node * GROUPS + usize::from(group)));
    }
}
