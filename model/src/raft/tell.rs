//! A step in words: who, what happened, what changed.

use super::{
    Action, Body, Group, NOBODY, OUTSIDER, Packet,
    group::{Live, Member, id_at},
};
use roadstead_spec::{
    EntryId,
    raft::{LogShape, Message, Role, Slice},
};

/// One sentence about the action, then what changed at each member and what was sent.
pub(super) fn tell(before: &Group, action: Action, after: &Group) -> String {
    let mut parts = vec![said(before, action)];
    for (at, (old, new)) in before.members.iter().zip(&after.members).enumerate() {
        let changes = changes(old, new);
        if !changes.is_empty() {
            parts.push(format!("{}: {}", id_at(at), changes.join(", ")));
        }
    }
    let mut old: Vec<&Packet> = before.network.iter().collect();
    for packet in after.network.iter() {
        match old.iter().position(|other| *other == packet) {
            Some(place) => drop(old.swap_remove(place)),
            None => parts.push(format!("sends {}", packet_text(packet))),
        }
    }
    if after.history.committed.len() > before.history.committed.len() {
        parts.push(format!("entries through {} are now committed", after.history.committed.len()));
    }
    parts.join("; ")
}

fn said(before: &Group, action: Action) -> String {
    let id = |at: u8| id_at(at.into());
    let packet = |place: u8| before.network.get(place.into()).map_or_else(|| "nothing".to_owned(), packet_text);
    match action {
        Action::Deliver(place) => format!("arrives {}", packet(place)),
        Action::Duplicate(place) => format!("arrives, and stays in flight, {}", packet(place)),
        Action::Drop(place) => format!("is lost {}", packet(place)),
        Action::ElectionTimeout(at) => format!("{}'s election timer runs out", id(at)),
        Action::MinimumTimeout(at) => format!("{} has not heard a leader for the minimum timeout", id(at)),
        Action::Campaign { member, with } => {
            let asked: Vec<String> = (0..8).filter(|at| with >> at & 1 == 1).map(|at| id(at).to_string()).collect();
            format!("{}'s election timer runs out, and it asks {} for a pre-vote", id(member), asked.join(" and "))
        }
        Action::Heartbeat(at) => format!("{} sends heartbeats", id(at)),
        Action::Propose(at) => format!("a client writes at {}", id(at)),
        Action::Read(at) => format!("a client reads at {}", id(at)),
        Action::Sync(at) => format!("{}'s oldest write becomes durable", id(at)),
        Action::Apply(at) => format!("{}'s state machine has applied", id(at)),
        Action::Crash { member, lost: 0 } => format!("{} crashes; its disk has everything", id(member)),
        Action::Crash { member, lost } => format!("{} crashes and loses its last {lost} unsynced changes", id(member)),
        Action::Restart(at) => format!("{} starts from its disk", id(at)),
        Action::Checkpoint(at) => format!("{}'s state machine becomes durable", id(at)),
        Action::SnapshotFailed { member, to } => format!("{} hears that its snapshot did not reach {}", id(member), id(to)),
        Action::Unreachable { member, peer } => format!("{}'s connection to {} breaks", id(member), id(peer)),
        Action::DiskStalled(at) => format!("{}'s disk does not answer", id(at)),
        Action::Stranger { to, from: OUTSIDER, says } => format!("a node outside of the group says to {}: {says:?}", id(to)),
        Action::Stranger { to, from, says } => format!("another incarnation's {} says to {}: {says:?}", id(from), id(to)),
        Action::Calm { without: NOBODY, .. } => "all faults stop".to_owned(),
        Action::Calm { without, stalled: true } => format!("all faults stop, but {}'s disk does not answer", id(without)),
        Action::Calm { without, stalled: false } => format!("all faults stop, but {} is not heard of", id(without)),
    }
}

fn changes(old: &Member, new: &Member) -> Vec<String> {
    let mut changes = Vec::new();
    match (&old.live, &new.live) {
        (Some(old), Some(new)) => of_life(old, new, &mut changes),
        (Some(_), None) => changes.push("is down".to_owned()),
        (None, Some(live)) => changes.push(format!("is up, {}", life_text(live))),
        (None, None) => {}
    }
    if new.boot != old.boot {
        changes.extend(new.live.as_deref().map(|live| format!("starts anew: {}", life_text(live))));
    }
    if old.disk != new.disk {
        let vote = new.disk.hard.vote.map_or_else(String::new, |vote| format!(" vote {vote}"));
        let snapshot = if old.disk.snapshot == new.disk.snapshot { String::new() } else { format!(", snapshot {}", new.disk.snapshot) };
        changes.push(format!("disk now term {}{vote}, log {}{snapshot}", new.disk.hard.term, log_text(&new.disk.log)));
    }
    changes
}

fn of_life(old: &Live, new: &Live, changes: &mut Vec<String>) {
    let (was, is) = (&old.state, &new.state);
    if was.hard != is.hard {
        let vote = is.hard.vote.map_or_else(String::new, |vote| format!(", votes for {vote}"));
        changes.push(format!("enters term {}{vote}", is.hard.term));
    }
    if role_text(&was.role) != role_text(&is.role) {
        changes.push(role_text(&is.role));
    }
    if was.log != is.log {
        changes.push(format!("log {}", log_text(&is.log)));
    }
    if was.commit != is.commit {
        changes.push(format!("commit {} -> {}", was.commit, is.commit));
    }
    if old.machine != new.machine {
        changes.push(format!("applied {}", new.machine));
    }
    if new.jobs.len() > old.jobs.len() {
        changes.push(format!("{} unsynced", new.jobs.len()));
    }
}

fn life_text(live: &Live) -> String {
    format!("term {}, log {}, commit {}", live.state.hard.term, log_text(&live.state.log), live.state.commit)
}

fn role_text(role: &Role) -> String {
    match role {
        Role::Follower { leader: Some(leader), .. } => format!("follows {leader}"),
        Role::Follower { leader: None, .. } => "follows nobody".to_owned(),
        Role::PreCandidate { granted } => format!("asks for pre-votes, has {}", granted.len()),
        Role::Candidate { granted } => format!("campaigns, has {} votes", granted.len()),
        Role::Leader(_) => "leads".to_owned(),
    }
}

/// Entries as `index@term`, runs as `first..last@term`.
fn log_text(log: &LogShape) -> String {
    let mut parts = Vec::new();
    if log.base() != EntryId::default() {
        parts.push(format!("snapshot {}", log.base()));
    }
    let ends = log.runs().iter().skip(1).map(|run| run.first.prev()).chain([log.last()]);
    for (run, end) in log.runs().iter().zip(ends) {
        parts.push(if run.first == end { format!("{end}@{}", run.term) } else { format!("{}..{end}@{}", run.first, run.term) });
    }
    if parts.is_empty() { "empty".to_owned() } else { parts.join(" ") }
}

fn slice_text(slice: &Slice) -> String {
    let ends = slice.runs.iter().skip(1).map(|run| run.first.prev()).chain([slice.last]);
    let runs: Vec<String> = slice.runs.iter().zip(ends).map(|(run, end)| format!("{}..{end}@{}", run.first, run.term)).collect();
    let entries = if runs.is_empty() { "no entries".to_owned() } else { runs.join(" ") };
    format!("{entries} behind {}", slice.prev)
}

fn packet_text(packet: &Packet) -> String {
    let Packet { from, to, body, .. } = packet;
    let text = match body {
        Body::Snapshot { term, at } => format!("a snapshot through {at}, term {term}"),
        Body::Message(message) => match message {
            Message::PreVote { term, last } => format!("PreVote of term {term}, last {last}"),
            Message::PreVoteResponse { term, granted } => format!("PreVoteResponse of term {term}, granted {granted}"),
            Message::RequestVote { term, last } => format!("RequestVote of term {term}, last {last}"),
            Message::RequestVoteResponse { term, granted: true } => format!("a vote in term {term}"),
            Message::RequestVoteResponse { term, granted: false } => format!("a refused vote, term {term}"),
            Message::AppendEntries { term, slice, commit, .. } => {
                format!("AppendEntries of term {term}, {}, commit {commit}", slice_text(slice))
            }
            Message::AppendEntriesResponse { term, result: Ok(index), .. } => format!("\"I hold {index}\", term {term}"),
            Message::AppendEntriesResponse { term, result: Err(behind), .. } => {
                format!("\"I lack that; I end with {}\", term {term}", behind.last)
            }
            Message::ReadIndex { term, id } => format!("ReadIndex {}.{} of term {term}", id.node, id.number),
            Message::ReadIndexResponse { id, index: Some(index), .. } => format!("\"read {}.{} at {index}\"", id.node, id.number),
            Message::ReadIndexResponse { id, index: None, .. } => format!("\"read {}.{} is refused\"", id.node, id.number),
        },
    };
    format!("{from}->{to} {text}")
}
