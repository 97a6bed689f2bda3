//! The laws of a group as a whole, after each record of one member: what no step of one member shows.

use super::{
    Judge, Seat,
    committed::{Disks, match_is_on_disk},
    member::Member,
};
use crate::verdict::Broken;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Event, Message},
    trace::Fact,
};

/// What a member knew before a record.
pub(super) struct Before {
    leads: Option<Term>,
    commit: Index,
    said: Option<Said>,
}

/// What a step was told about others' logs.
#[derive(Clone, Copy)]
enum Said {
    /// A peer acknowledges.
    Matches(NodeId),
    /// A snapshot is here.
    Snapshot { at: EntryId, from: NodeId },
}

impl Before {
    pub(super) fn of(member: &Member, fact: &Fact) -> Self {
        Self { leads: member.leads(), commit: member.state().commit, said: Said::of(fact) }
    }
}

impl Said {
    const fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Stepped { event: Event::Receive { from, message: Message::AppendEntriesResponse { .. } }, .. } => {
                Some(Self::Matches(*from))
            }
            Fact::Stepped { event: Event::SnapshotReceived { at, from, .. }, .. } => Some(Self::Snapshot { at: *at, from: *from }),
            _ => None,
        }
    }
}

impl Judge {
    /// The laws of the group as a whole, after a record of one member.
    pub(super) fn whole(&mut self, seat: Seat, before: &Before) -> Result<(), Broken> {
        let (node, group, incarnation) = seat;
        let lost = self.members.get_mut(&seat).is_some_and(Member::lost_entries);
        let Some(member) = self.members.get(&seat) else { return Ok(()) };
        let state = member.state();
        let elected = member.leads().filter(|term| before.leads != Some(*term));
        if elected.is_none() && state.commit == before.commit && !lost && before.said.is_none() {
            return Ok(());
        }
        let committed = self.committed.entry((group, incarnation)).or_default();
        if let Some(term) = elected {
            self.histories.entry((group, incarnation)).or_default().leads(term, node)?;
            committed.leads(state)?;
        }
        let disk_of = |voter: NodeId| self.members.get(&(voter, group, incarnation)).map(Member::disk);
        match before.said {
            Some(Said::Snapshot { at, from }) => committed.covers(at, from)?,
            Some(Said::Matches(peer)) => {
                let matched = state.as_leader().and_then(|leader| leader.peers.get(peer)).map(|progress| progress.matched);
                if let (Some(matched), Some(disk)) = (matched, disk_of(peer).filter(|_| committed.is_ordered())) {
                    match_is_on_disk(state, peer, matched, disk)?;
                }
            }
            None => {}
        }
        if state.commit == before.commit && !lost {
            return Ok(());
        }
        let disks: Disks<'_> = member.voters().map(|voter| disk_of(voter).filter(|_| committed.is_ordered())).collect();
        if lost {
            committed.survives(&disks)?;
        }
        if committed.grows(before.commit, state, &disks)? {
            let newer = |other: &&Member| other.leads().is_some_and(|term| term > state.hard.term);
            let others = member.voters().filter_map(|voter| self.members.get(&(voter, group, incarnation)));
            others.filter(newer).try_for_each(|leader| committed.leads(leader.state()))?;
        }
        Ok(())
    }
}
