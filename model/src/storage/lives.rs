//! Groups that end and begin.

use super::{
    Storage,
    check::broken,
    disk::{Item, StateItem, States},
    node::{Done, State, Submission},
    sight,
};
use crate::Seen;
use roadstead_spec::invariants::Broken;

impl Storage {
    pub(super) fn remove(&self, state: &mut State, local: u8) {
        let Some(at) = state.members.iter().position(|member| member.local == local) else { return };
        state.budget.removals -= 1;
        let member = state.members.remove(at);
        state.buried.insert((member.group, member.life));
        state.removing.push((local, member.group, member.life));
        let items = vec![Item::Remove { local, tombstone: self.decisions.tombstones }];
        state.queue.push(Submission { items, urgent: false, done: Done::Removed(local) });
        if !self.decisions.destroys_behind {
            state.destroying.push(local);
        }
    }

    /// Plans a group; false if that is refused.
    pub(super) fn create(&self, state: &mut State, group: u8, life: u8, seen: &mut Seen) -> bool {
        if state.buried.contains(&(group, life)) {
            seen.note(sight::BURIED);
            return false;
        }
        let lives = state.members.iter().any(|member| member.group == group) || state.creating.iter().any(|(_, other, _)| *other == group);
        let comes_back = state.removing.iter().any(|(_, other, _)| *other == group);
        // A group that a start could not open does not run, and its place is taken all the same.
        let is_kept = state.disk.log.groups.values().any(|(other, ..)| *other == group);
        if lives || comes_back || is_kept {
            return false;
        }
        state.budget.creations -= 1;
        let in_use = state.members.iter().map(|member| member.local).max().unwrap_or(0);
        let local = (self.decisions.number)(in_use, state.next);
        state.next = state.next.max(local + 1);
        state.creating.push((local, group, life));
        let items = vec![Item::Create { local, group, life }];
        state.queue.push(Submission { items, urgent: false, done: Done::Created(local) });
        true
    }

    pub(super) fn destroy(&self, state: &mut State, local: u8, seen: &mut Seen) -> Result<(), Broken> {
        state.destroying.retain(|other| *other != local);
        let others = |states: &States| {
            states.0.iter().filter(|((other, _), _)| *other != local).map(|(key, data)| (*key, *data)).collect::<Vec<_>>()
        };
        let view = |state: &State| {
            let mut states = state.disk.states.clone();
            state.disk.states_written.iter().for_each(|batch| states.take(batch, self.decisions.destroys));
            states
        };
        let before = others(&view(state));
        state.disk.states_written.push(vec![StateItem::Destroy(local)]);
        seen.note_if(sight::DESTROYED, !before.is_empty());
        let after = others(&view(state));
        if before == after { Ok(()) } else { Err(broken("I-D5", format!("deleting group number {local} left {after:?} of {before:?}"))) }
    }
}
