//! The store's laws, and how its steps are told.

use super::{
    Storage,
    disk::{Change, Data, Disk, Image, Item, Log, StateItem},
    node::{Done, Member, State, Submission},
    sight,
};
use crate::{Seen, world::Law};
use roadstead_spec::{EntryId, NodeId, invariants::Broken, raft::Message};
use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

pub(super) const LAWS: &[Law] = &[
    Law {
        id: "I-F4",
        statement: "after a crash the disk holds a prefix of each group's writes with every one that was synced, whole",
        source: "docs/invariants.md, duties of the runtime",
    },
    Law {
        id: "DUTY-1",
        statement: "nothing is told before it is durable, and what was told is still there after a crash",
        source: "Raft paper fig. 2, \"updated on stable storage before responding\"",
    },
    Law { id: "DUTY-3", statement: "a group hears only of writes that were synced", source: "impl/src/store/storage.rs, turn" },
    Law {
        id: "DUTY-5",
        statement: "data and the record of the applied entry say the same, and the log holds that entry",
        source: "impl/src/applier/data.rs",
    },
    Law { id: "I-N2", statement: "neither a snapshot nor an apply moves the applied entry back", source: "Raft paper §7" },
    Law {
        id: "I-N4",
        statement: "a store that lost nothing synced opens, with what its writes left",
        source: "impl/src/store/recover.rs; spec/src/raft/recover.rs",
    },
    Law { id: "I-D3", statement: "a life that was removed for good is never there again", source: "impl/src/store/registry.rs" },
    Law {
        id: "I-D5",
        statement: "a life begins with nothing, and the end of one leaves every other as it is",
        source: "impl/src/store/ledger.rs; impl/src/store/prefix.rs",
    },
    Law {
        id: "I-S1",
        statement: "a journal that loses synced rounds is noticed, but for so many that the witness may lag behind, and for no vote that was told",
        source: "docs/decisions/0007-witness.md",
    },
];

pub(super) fn broken(law: &'static str, values: String) -> Broken {
    Broken { law, values }
}

/// A group tells something to others: it must be durable.
pub(super) fn told(member: &mut Member, to: NodeId, message: &Message, seen: &mut Seen) -> Result<(), Broken> {
    let image = member.durable_image();
    match message {
        Message::RequestVoteResponse { term, granted: true } => {
            let durable = image.hard.term > *term || (image.hard.term == *term && image.hard.vote == Some(to));
            if !durable {
                return Err(broken("DUTY-1", format!("the vote for {to} in term {term} is told, and {:?} is durable", image.hard)));
            }
            seen.note(sight::VOTED);
            member.voted = Some((term.0, to.0));
        }
        Message::AppendEntriesResponse { result: Ok(index), round, .. } => {
            let entry = EntryId { term: roadstead_spec::Term(round.0), index: *index };
            let replaced = |image: &Image| image.entry(index.0 as u8).is_some_and(|other| other.term > entry.term);
            if member.path.iter().any(replaced) {
                return Ok(()); // overwritten meanwhile: its new leader does not count on it
            }
            if !image.covers(entry) {
                return Err(broken(
                    "DUTY-1",
                    format!("entry {entry} is told to be durable, and the disk has {:?} behind {}", image.terms, image.base),
                ));
            }
            seen.note(sight::ACKED);
            member.acked = member.acked.max(entry);
        }
        _ => {}
    }
    Ok(())
}

/// A group hears that its next write is durable: is it?
pub(super) fn heard(member: &Member) -> Result<(), Broken> {
    let true_of = member.synced > 0 && member.path.len() > 1;
    if true_of { Ok(()) } else { Err(broken("DUTY-3", format!("group {} hears of a sync that did not happen", member.group))) }
}

/// A life begins: nothing of another one may be there. Returns the applied entry that it finds.
pub(super) fn fresh(world: &Storage, state: &State, (local, group, life): (u8, u8, u8)) -> Result<EntryId, Broken> {
    let image = state.disk.log.groups.get(&local).map(|(_, _, image)| image);
    let mut states = state.disk.states.clone();
    state.disk.states_written.iter().for_each(|batch| states.take(batch, world.decisions.destroys));
    let left = states.0.iter().find(|((other, _), _)| *other == local);
    if image != Some(&Image::default()) || left.is_some() {
        return Err(broken("I-D5", format!("group {group} life {life} (number {local}) begins, and finds {image:?} and {left:?}")));
    }
    if state.removed.contains(&(group, life)) {
        return Err(broken("I-D3", format!("group {group} life {life} was removed for good, and begins again")));
    }
    Ok(EntryId::default())
}

/// A removal is answered.
pub(super) fn removed(state: &mut State, (local, group, life): (u8, u8, u8)) -> Result<(), Broken> {
    if state.disk.log.groups.contains_key(&local) {
        return Err(broken("DUTY-3", format!("the removal of group number {local} is answered and not durable")));
    }
    state.removed.insert((group, life));
    Ok(())
}

/// The hash of a state, or of the same one with the names of both groups changed: of the one in which the first group has the smaller hash; the smaller of
/// both where that does not tell.
pub(super) fn fingerprint(state: &State, groups: u8) -> u64 {
    let of = |group: u8| state.members.iter().find(|member| member.group == group).map(nameless);
    match of(1).cmp(&of(2)) {
        _ if groups < 2 => hash(state),
        Ordering::Less => hash(state),
        Ordering::Greater => hash(&swapped(state)),
        Ordering::Equal => hash(state).min(hash(&swapped(state))),
    }
}

/// A member's hash without its names.
fn nameless(member: &Member) -> u64 {
    let Member {
        local: _,
        group: _,
        life,
        outbox,
        path,
        synced,
        commit,
        released,
        applied,
        epoch,
        durable,
        staging,
        compacted,
        late,
        voted,
        acked,
    } = member;
    let mut hasher = DefaultHasher::new();
    (life, outbox, path, synced, commit, released, applied).hash(&mut hasher);
    (epoch, durable, staging, compacted, late, voted, acked).hash(&mut hasher);
    hasher.finish()
}

fn hash(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

const fn other(name: u8) -> u8 {
    match name {
        1 => 2,
        2 => 1,
        name => name,
    }
}

fn swapped(state: &State) -> State {
    let mut state = state.clone();
    let Disk { log, written, earlier, states, states_written, witness: _ } = &mut state.disk;
    swap_log(log);
    earlier.iter_mut().for_each(swap_log);
    written.iter_mut().flatten().for_each(swap_item);
    states.0 =
        std::mem::take(&mut states.0).into_iter().map(|((local, epoch), data): ((u8, u8), Data)| ((other(local), epoch), data)).collect();
    for item in states_written.iter_mut().flatten() {
        match item {
            StateItem::Data((local, _), _)
            | StateItem::Applied((local, _), _)
            | StateItem::Sweep((local, _))
            | StateItem::Destroy(local) => {
                *local = other(*local);
            }
        }
    }
    for member in &mut state.members {
        (member.local, member.group) = (other(member.local), other(member.group));
    }
    state.members.sort_by_key(|member| member.local);
    for Submission { items, done, .. } in &mut state.queue {
        items.iter_mut().for_each(swap_item);
        swap_done(done);
    }
    state.round.iter_mut().for_each(|(done, _)| swap_done(done));
    state.held.iter_mut().for_each(|(_, done)| swap_done(done));
    for (local, group, _) in state.creating.iter_mut().chain(&mut state.removing) {
        (*local, *group) = (other(*local), other(*group));
    }
    state.destroying.iter_mut().for_each(|local| *local = other(*local));
    for lives in [&mut state.buried, &mut state.removed] {
        *lives = std::mem::take(lives).into_iter().map(|(group, life)| (other(group), life)).collect();
    }
    state
}

fn swap_log(log: &mut Log) {
    let groups: BTreeMap<u8, (u8, u8, Image)> = std::mem::take(&mut log.groups);
    log.groups = groups.into_iter().map(|(local, (group, life, image))| (other(local), (other(group), life, image))).collect();
    log.tombstones = std::mem::take(&mut log.tombstones).into_iter().map(|(group, life)| (other(group), life)).collect();
}

fn swap_item(item: &mut Item) {
    match item {
        Item::Group { local, .. } | Item::Remove { local, .. } => *local = other(*local),
        Item::Create { local, group, .. } => (*local, *group) = (other(*local), other(*group)),
    }
}

fn swap_done(done: &mut Done) {
    match done {
        Done::Write { local, .. } | Done::Created(local) | Done::Removed(local) => *local = other(*local),
        Done::Compacted => {}
    }
}

/// An action, and what came of it.
pub(super) fn tell(before: &State, action: super::Action, after: &State) -> String {
    let mut told = match action {
        super::Action::Vote(local) => format!("group number {local} grants a vote in its next term"),
        super::Action::Append(local) => format!("group number {local} gets an entry"),
        super::Action::Overwrite(local) => format!("a new leader's entry takes the place of the last one of group number {local}"),
        super::Action::Repeat(local) => format!("group number {local} is asked again for what it has"),
        super::Action::Commit(local) => format!("the next entry of group number {local} is committed"),
        super::Action::Apply(local) => format!("group number {local} applies"),
        super::Action::Compact(local) => format!("group number {local} compacts its log"),
        super::Action::Stage(local) => format!("a chunk of a snapshot comes for group number {local}"),
        super::Action::Install(local) => format!("group number {local} installs its snapshot"),
        super::Action::Remove(local) => format!("group number {local} is removed for good"),
        super::Action::Create { group, life } => format!("life {life} of group {group} is created"),
        super::Action::Destroy(local) => format!("the data of group number {local} is deleted"),
        super::Action::Write => format!("the storage thread writes a round of {} steps", before.queue.len()),
        super::Action::Sync => "the round is synced".to_owned(),
        super::Action::SyncFails => "the sync fails".to_owned(),
        super::Action::Testify => "a slot of the witness is written".to_owned(),
        super::Action::Testified => "the slot is synced".to_owned(),
        super::Action::Checkpoint => "the state database is synced".to_owned(),
        super::Action::Crash { batches, torn, states, slot, rot } => format!(
            "the node goes down and starts again; on the disk are {batches} of {} unsynced batches{}, {states} of {} of the state database{}{}",
            before.disk.written.len(),
            if torn { " and half of the next one" } else { "" },
            before.disk.states_written.len(),
            if before.disk.witness.writing.is_some() {
                format!(", of the slot {}", ["nothing", "half", "all"][usize::from(slot % 3)])
            } else {
                String::new()
            },
            if rot > 0 { format!("; the journal has lost {rot} synced rounds") } else { String::new() },
        ),
    };
    for member in &after.members {
        let was = before.member(member.local);
        if was.map(|was| (was.voted, was.acked)) != Some((member.voted, member.acked)) {
            let _ = write!(told, "; group {} has told vote {:?}, entry {}", member.group, member.voted, member.acked);
        }
    }
    if after.down {
        told.push_str("; it does not start any more");
    }
    told
}

/// What a change is for, in a story.
impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hard(hard) => write!(f, "term {} vote {:?}", hard.term, hard.vote),
            Self::Truncate(from) => write!(f, "entries from {from} go"),
            Self::Append { first, terms } => write!(f, "entries from {first} of terms {terms:?}"),
            Self::Drop(through) => write!(f, "entries through {through} are deleted"),
            Self::Base { at, .. } => write!(f, "the log begins behind {at}"),
            Self::Epoch(epoch) => write!(f, "epoch {epoch}"),
        }
    }
}
