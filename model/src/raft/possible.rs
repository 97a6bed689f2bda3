//! Which actions are possible, and what each of them is made of.

use super::{
    Action, Body, Bounds, Group, NOBODY, OUTSIDER, Pace, PreVotes, RaftWorld, Strange,
    group::{Live, id_at, place_of},
    turn::{Sending, Turn},
};
use crate::{Moved, Seen};
use roadstead_spec::{
    EntryId, NodeId, Term,
    invariants::Broken,
    raft::{Event, Flow, INDEX_MAX, Message, Role, Round},
};

/// Appends every possible action: packets first, then members in their order.
pub(super) fn actions(bounds: &Bounds, group: &Group, out: &mut Vec<Action>) {
    let budget = &group.budget;
    for place in group.network.places().take(usize::from(u8::MAX)) {
        let place = place as u8;
        out.push(Action::Deliver(place));
        if budget.duplicates > 0 {
            out.push(Action::Duplicate(place));
        }
        if budget.drops > 0 {
            out.push(Action::Drop(place));
        }
    }
    for (at, member) in group.members.iter().enumerate() {
        match &member.live {
            Some(live) => of_member(bounds, group, at, live, member.disk.snapshot, out),
            None => out.push(Action::Restart(at as u8)),
        }
    }
    if budget.calms > 0 && budget.timeouts == 0 {
        out.push(Action::Calm { without: NOBODY, stalled: false });
        if bounds.voters > 2 {
            out.extend((0..bounds.voters).map(|without| Action::Calm { without, stalled: false }));
            if bounds.disk == Pace::Late {
                out.extend((0..bounds.voters).map(|without| Action::Calm { without, stalled: true }));
            }
        }
    }
}

fn of_member(bounds: &Bounds, group: &Group, at: usize, live: &Live, snapshot: EntryId, out: &mut Vec<Action>) {
    let budget = &group.budget;
    let member = at as u8;
    let leads = live.state.as_leader();
    if !live.jobs.is_empty() && bounds.disk == Pace::Late {
        out.push(Action::Sync(member));
    }
    if !live.applying.is_empty() {
        out.push(Action::Apply(member));
    }
    if budget.timeouts > 0 {
        match (bounds.pre_votes, leads) {
            (PreVotes::AtOnce, None) => out.extend(quorums(bounds.voters, member).map(|with| Action::Campaign { member, with })),
            (PreVotes::Steps, _) | (_, Some(_)) => out.push(Action::ElectionTimeout(member)),
        }
    }
    if bounds.pre_votes == PreVotes::Steps && matches!(live.state.role, Role::Follower { heard: true, .. }) {
        out.push(Action::MinimumTimeout(member));
    }
    if budget.reads > 0 && live.state.leader().is_some() {
        out.push(Action::Read(member));
    }
    if budget.checkpoints > 0 && live.machine > snapshot.index {
        out.push(Action::Checkpoint(member));
    }
    if budget.crashes > 0 {
        out.extend((0..=live.jobs.len()).map(|lost| Action::Crash { member, lost: lost as u8 }));
    }
    if budget.strangers > 0 {
        of_strangers(bounds, member, live, out);
    }
    let Some(leader) = leads else { return };
    if budget.heartbeats > 0 {
        out.push(Action::Heartbeat(member));
    }
    if budget.proposals > 0 {
        out.push(Action::Propose(member));
    }
    if budget.troubles > 0 {
        out.push(Action::DiskStalled(member));
    }
    for (id, progress) in leader.peers.iter() {
        let peer = place_of(id) as u8;
        match progress.flow {
            Flow::Snapshot { .. } if !group.network.carries_snapshot(id_at(at), id) => {
                out.push(Action::SnapshotFailed { member, to: peer })
            }
            Flow::Snapshot { .. } | Flow::Probe { sent: false } => {}
            Flow::Probe { sent: true } | Flow::Replicate { .. } if budget.troubles > 0 => out.push(Action::Unreachable { member, peer }),
            Flow::Probe { sent: true } | Flow::Replicate { .. } => {}
        }
    }
}

fn of_strangers(bounds: &Bounds, to: u8, live: &Live, out: &mut Vec<Action>) {
    let says = match live.state.role {
        Role::Candidate { .. } => Strange::Votes,
        Role::Leader(_) => Strange::Holds,
        Role::Follower { .. } | Role::PreCandidate { .. } => Strange::Asks,
    };
    let members = (0..bounds.voters).filter(|from| *from != to);
    out.extend(members.chain([OUTSIDER]).map(|from| Action::Stranger { to, from, says }));
}

/// Sets of other members that make a quorum with this one, a bit each.
fn quorums(voters: u8, member: u8) -> impl Iterator<Item = u8> {
    let others = u32::from(voters) / 2;
    (0..1_u16 << voters).map(|with| with as u8).filter(move |with| with >> member & 1 == 0 && with.count_ones() == others)
}

/// Takes an action.
pub(super) fn take(world: &RaftWorld, group: &mut Group, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
    spend(group, action);
    let taken = match action {
        Action::Deliver(place) | Action::Drop(place) => group.network.take(place.into()),
        Action::Duplicate(place) => group.network.get(place.into()).cloned(),
        _ => None,
    };
    let crowded = group.network.len() >= world.bounds.crowd.into();
    let mut turn = Turn::new(world, group, seen);
    if crowded {
        turn.sending = Sending::Lost;
    }
    match action {
        Action::Deliver(_) | Action::Duplicate(_) => taken.map_or(Ok(()), |packet| turn.arrive(packet)),
        Action::Drop(_) => Ok(()),
        Action::ElectionTimeout(at) => turn.happen(at.into(), Event::ElectionTimeout),
        Action::MinimumTimeout(at) => turn.happen(at.into(), Event::MinimumTimeout),
        Action::Campaign { member, with } => turn.campaign(member.into(), with),
        Action::Heartbeat(at) => turn.happen(at.into(), Event::HeartbeatTimeout),
        Action::Propose(at) => turn.propose(at.into()),
        Action::Read(at) => turn.read(at.into()),
        Action::Sync(at) => turn.sync_one(at.into()),
        Action::Apply(at) => turn.apply(at.into()).and_then(|through| match through {
            Some(through) => turn.happen(at.into(), Event::Applied { through }),
            None => Ok(()),
        }),
        Action::Crash { member, lost } => turn.crash(member.into(), lost.into()),
        Action::Restart(at) => {
            return turn.restart(at.into()).map(|started| if started { Moved::Yes } else { Moved::No });
        }
        Action::Checkpoint(at) => turn.checkpoint(at.into()),
        Action::SnapshotFailed { member, to } => turn.happen(member.into(), Event::SnapshotFailed { to: id_at(to.into()) }),
        Action::Unreachable { member, peer } => turn.happen(member.into(), Event::Unreachable { peer: id_at(peer.into()) }),
        Action::DiskStalled(at) => turn.happen(at.into(), Event::DiskStalled),
        Action::Stranger { to, from, says } => turn.strange(to.into(), id_at(from.into()), says),
        Action::Calm { without, stalled } => turn.calm(without, stalled),
    }?;
    Ok(Moved::Yes)
}

/// Uses the budget of an action up.
fn spend(group: &mut Group, action: Action) {
    let budget = &mut group.budget;
    let used = match action {
        Action::Duplicate(_) => &mut budget.duplicates,
        Action::Drop(_) => &mut budget.drops,
        Action::ElectionTimeout(_) | Action::Campaign { .. } => &mut budget.timeouts,
        Action::Heartbeat(_) => &mut budget.heartbeats,
        Action::Propose(_) => &mut budget.proposals,
        Action::Read(_) => &mut budget.reads,
        Action::Crash { .. } => &mut budget.crashes,
        Action::Checkpoint(_) => &mut budget.checkpoints,
        Action::Unreachable { .. } | Action::DiskStalled(_) => &mut budget.troubles,
        Action::Stranger { .. } => &mut budget.strangers,
        Action::Calm { .. } => &mut budget.calms,
        Action::Deliver(_)
        | Action::MinimumTimeout(_)
        | Action::Sync(_)
        | Action::Apply(_)
        | Action::Restart(_)
        | Action::SnapshotFailed { .. } => return,
    };
    *used = used.saturating_sub(1);
}

impl Turn<'_> {
    /// An election timeout whose pre-vote is asked and answered at once.
    fn campaign(&mut self, at: usize, with: u8) -> Result<(), Broken> {
        let sending = std::mem::replace(&mut self.sending, Sending::Captured(Vec::new()));
        let reached = |id: NodeId| with >> place_of(id) & 1 == 1;
        for peer in (0..self.group.members.len()).filter(|&peer| reached(id_at(peer))) {
            self.happen(peer, Event::MinimumTimeout)?;
        }
        self.happen(at, Event::ElectionTimeout)?;
        if with == 0 {
            return Ok(());
        }
        let asked = self.captured();
        for packet in asked.into_iter().filter(|packet| reached(packet.to)) {
            self.arrive(packet)?;
        }
        let answers = self.captured();
        self.sending = sending;
        for packet in answers {
            let is_answer = matches!(packet.body, Body::Message(Message::PreVoteResponse { .. }));
            if is_answer && packet.to == id_at(at) {
                self.arrive(packet)?;
            }
        }
        Ok(())
    }

    fn captured(&mut self) -> Vec<super::Packet> {
        match &mut self.sending {
            Sending::Captured(packets) => std::mem::take(packets),
            Sending::Network | Sending::Lost => Vec::new(),
        }
    }

    /// A stranger says the worst that it could.
    fn strange(&mut self, to: usize, from: NodeId, says: Strange) -> Result<(), Broken> {
        let Some(live) = self.group.live(to) else { return Ok(()) };
        let term = live.state.hard.term;
        let message = match says {
            Strange::Votes => Message::RequestVoteResponse { term, granted: true },
            Strange::Asks => Message::RequestVote { term: term.next(), last: EntryId { term: Term(term.0), index: INDEX_MAX } },
            Strange::Holds => Message::AppendEntriesResponse { term, result: Ok(live.state.log.last()), round: Round(u64::MAX) },
        };
        self.stranger(from, id_at(to), message)
    }
}
