//! A crash, and the start after it.

use super::{
    Storage,
    check::broken,
    decisions::LAG_MAX,
    disk::{Data, Disk, Image, Witness},
    node::{Member, Staging, State},
    sight,
};
use crate::Seen;
use roadstead_spec::{
    EntryId, Index, NodeId,
    invariants::Broken,
    raft::{LogShape, recover},
};
use std::collections::BTreeMap;

/// What of the unsynced a crash leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survives {
    pub(super) batches: u8,
    pub(super) torn: bool,
    pub(super) states: u8,
    pub(super) slot: u8,
    pub(super) rot: u8,
}

impl Storage {
    pub(super) fn crash(&self, state: &mut State, survives: Survives, seen: &mut Seen) -> Result<(), Broken> {
        state.budget.crashes -= 1;
        self.lose(&mut state.disk, survives, seen);
        if survives.rot > 0 {
            state.budget.rots -= 1;
        }
        let round = state.disk.log.round;
        let newest = state.disk.witness.newest();
        let is_refused = self.decisions.asks_witness && newest.is_none_or(|newest| newest > round);
        if is_refused && survives.rot == 0 {
            return Err(broken("I-N4", format!("a healthy store was refused: it ends at round {round}, the witness remembers {newest:?}")));
        }
        if is_refused {
            seen.note(sight::REFUSED);
            state.down = true;
            // Nobody runs any more: all such nodes are alike.
            (state.members, state.queue, state.round, state.held) = Default::default();
            return Ok(());
        }
        if survives.rot > LAG_MAX {
            return Err(broken("I-S1", format!("{} synced rounds are lost, and nobody noticed", survives.rot)));
        }
        seen.note_if(sight::UNNOTICED, survives.rot > 0);
        self.start(state, survives.rot > 0, seen)?;
        state.lost |= survives.rot > 0;
        Ok(())
    }

    /// What is left on the disk.
    fn lose(&self, disk: &mut Disk, survives: Survives, seen: &mut Seen) {
        let written = std::mem::take(&mut disk.written);
        let whole = usize::from(survives.batches);
        seen.note_if(sight::LOST, !written.is_empty() && whole == 0 && !survives.torn);
        seen.note_if(sight::LEFT, whole > 0);
        written.iter().take(whole).for_each(|batch| disk.log.take(batch));
        let mut some = whole > 0;
        if let (true, Some(torn)) = (survives.torn, written.get(whole)) {
            seen.note(sight::TORN);
            if !self.decisions.cuts_torn {
                disk.log.take(&torn[..torn.len() / 2]);
                some = true;
            }
        }
        disk.log.round += u8::from(some);
        let states = std::mem::take(&mut disk.states_written);
        states.iter().take(usize::from(survives.states)).for_each(|batch| disk.states.take(batch, self.decisions.destroys));
        if let Some((slot, round)) = disk.witness.writing.take() {
            match survives.slot {
                0 => {}
                1 => {
                    seen.note(sight::TORN_SLOT);
                    disk.witness.slots[slot] = None;
                }
                _ => disk.witness.slots[slot] = Some(round),
            }
        }
        if !self.decisions.syncs_names
            && let Some(earlier) = disk.earlier.pop()
        {
            disk.log = earlier; // the file is there, and no name leads to it
        }
        if survives.rot > 0
            && let Some(place) = disk.earlier.len().checked_sub(usize::from(survives.rot))
        {
            disk.log = disk.earlier[place].clone();
            disk.earlier.truncate(place);
        }
    }

    /// Opens what the disk holds.
    fn start(&self, state: &mut State, rotten: bool, seen: &mut Seen) -> Result<(), Broken> {
        let before: BTreeMap<u8, Member> = std::mem::take(&mut state.members).into_iter().map(|member| (member.local, member)).collect();
        if rotten {
            // A removal is no vote: the group is back with all that it told.
            let stones = &state.disk.log.tombstones;
            state.removed.retain(|removed| stones.contains(removed));
        }
        for (group, life) in &state.removed {
            let is_back = state.disk.log.groups.values().any(|(other, its, _)| (other, its) == (group, life));
            let has_stone = state.disk.log.tombstones.contains(&(*group, *life));
            if is_back || !has_stone {
                return Err(broken("I-D3", format!("group {group} life {life} was removed for good, and a start forgot it")));
            }
        }
        seen.note_if(sight::BACK, state.removing.iter().any(|(local, ..)| state.disk.log.groups.contains_key(local)));
        if let Some(lost) = before.keys().find(|local| !state.disk.log.groups.contains_key(local)).filter(|_| !rotten) {
            return Err(broken("I-F4", format!("group number {lost} ran, and is not on the disk")));
        }
        let groups = state.disk.log.groups.clone();
        for (local, (group, life, image)) in groups {
            let old = before.get(&local);
            if let Some(old) = old {
                survived(old, &image, rotten)?;
            }
            let data = state.disk.states.0.get(&(local, image.epoch)).copied().unwrap_or_default();
            if let Some(old) = old {
                seen.note_if(sight::REAPPLIED, data.applied.index < old.applied.index);
                seen.note_if(sight::COMPLETED, matches!(old.staging, Staging::Installing(_)) && image.epoch > old.epoch);
                seen.note_if(sight::UNSTAGED, !matches!(old.staging, Staging::Idle) && image.epoch == old.epoch);
            }
            match open(&image, data) {
                Ok(()) => {}
                Err(_) if rotten || state.lost => continue,
                Err(why) => return Err(why),
            }
            seen.note_if(sight::APPLIED, data.applied.index > Index(0));
            seen.note_if(sight::COMPACTED_START, image.base.index > Index(0));
            let mut member = Member::new((local, group, life), image, data.applied);
            if let Some(old) = old {
                (member.voted, member.acked) = (old.voted, old.acked);
            }
            if rotten {
                member.acked = EntryId::default();
            }
            state.members.push(member);
        }
        self.sweep(state);
        (state.queue, state.round, state.held, state.creating, state.removing, state.destroying) = Default::default();
        state.buried.clone_from(&state.disk.log.tombstones);
        if !self.decisions.tombstones {
            state.buried.clear();
        }
        state.next = state.disk.log.next;
        // Each start writes a round and a slot of its own; numbers begin anew, since only their differences matter.
        state.disk.log.round = 0;
        state.disk.earlier.clear();
        state.disk.witness = Witness { slots: [Some(0), None], writing: None };
        Ok(())
    }

    /// State data that no group names is nobody's.
    fn sweep(&self, state: &mut State) {
        let groups = &state.disk.log.groups;
        state.disk.states.0.retain(|(local, epoch), _| groups.get(local).is_some_and(|(_, _, image)| image.epoch == *epoch));
    }
}

/// What the disk holds is what some prefix of the group's writes made of it, with every one that was synced, and everything that was told.
fn survived(old: &Member, image: &Image, rotten: bool) -> Result<(), Broken> {
    let known = &old.path[usize::from(old.synced)..];
    if !rotten && !known.iter().any(|expected| is_same(image, expected)) {
        let values = format!("group {}: the disk holds {image:?}, and its writes could have left {known:?}", old.group);
        return Err(broken("I-F4", values));
    }
    let law = if rotten { "I-S1" } else { "DUTY-1" };
    if let Some((term, to)) = old.voted
        && (image.hard.term.0 < term || (image.hard.term.0 == term && image.hard.vote != Some(NodeId(to))))
    {
        return Err(broken(law, format!("group {} told its vote for {to} in term {term}, and the disk holds {:?}", old.group, image.hard)));
    }
    if !rotten && !image.covers(old.acked) {
        return Err(broken(law, format!("group {} told that it holds {}, and the disk holds {image:?}", old.group, old.acked)));
    }
    Ok(())
}

/// Compaction may have gone further on the disk than in the write that it is compared with.
fn is_same(image: &Image, expected: &Image) -> bool {
    let base = image.base.index.0 as u8;
    let behind = |of: &Image| (base + 1..=of.last()).map(|index| of.entry(index)).collect::<Vec<_>>();
    !image.damaged
        && (image.hard, image.epoch, image.last()) == (expected.hard, expected.epoch, expected.last())
        && expected.entry(base) == Some(image.base)
        && behind(image) == behind(expected)
}

/// Production's own judgement of what the disk holds of a group.
fn open(image: &Image, data: Data) -> Result<(), Broken> {
    if data.shows != data.applied {
        return Err(broken("DUTY-5", format!("the data shows everything through {}, its record says {}", data.shows, data.applied)));
    }
    let refused = |why: String| broken("I-N4", format!("{image:?} with {data:?} does not open: {why}"));
    if image.damaged {
        return Err(refused("items are missing".to_owned()));
    }
    let shape = LogShape::from_runs(image.base, image.runs(), Index(image.last().into())).map_err(|why| refused(why.to_string()))?;
    let holds = data.applied.index == Index(0) || image.covers(data.applied);
    recover(NodeId(1), image.hard, shape, data.applied.index).map_err(|why| refused(why.to_string()))?;
    if holds { Ok(()) } else { Err(broken("DUTY-5", format!("{} was applied, and the log holds another entry there", data.applied))) }
}
