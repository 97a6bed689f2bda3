//! What a group looks like from outside.

use super::{
    Shard,
    replica::Replica,
    slot::{Phase, Slot},
};
use crate::api::types::{Flow, GroupCounts, GroupState, GroupStatus, MemberProgress, Queues, Role};
use roadstead_spec::{
    GroupId,
    raft::{self, LogShape},
};

impl Shard {
    /// The groups of this shard, ascending.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.registry.groups().map(|(group, ..)| group)
    }

    /// One group.
    pub fn status(&self, group: GroupId) -> Option<GroupStatus> {
        let (_, _, local) = self.registry.groups().find(|(other, ..)| *other == group)?;
        let slot = self.slots.get(local.0 as usize)?.as_ref()?;
        Some(self.slot_status(slot))
    }

    /// Every group, ascending.
    pub fn statuses(&self) -> Vec<GroupStatus> {
        let slots = self.registry.groups().filter_map(|(_, _, local)| self.slots.get(local.0 as usize)?.as_ref());
        slots.map(|slot| self.slot_status(slot)).collect()
    }

    /// How many groups are in which state.
    pub fn counts(&self) -> GroupCounts {
        let mut counts = GroupCounts::default();
        for slot in self.slots.iter().flatten() {
            counts.total += 1;
            match &slot.phase {
                Phase::Running(replica) => {
                    counts.leading += u64::from(replica.leads());
                    counts.leaderless += u64::from(replica.state.leader().is_none());
                }
                Phase::Failed(_) => counts.failed += 1,
                Phase::Opening(..) | Phase::Removing => counts.leaderless += 1,
            }
        }
        counts
    }

    /// The shape of a group's log, to page through it.
    pub fn log_shape(&self, group: GroupId) -> Option<(crate::applier::GroupKey, &LogShape, roadstead_spec::Index)> {
        let (_, _, local) = self.registry.groups().find(|(other, ..)| *other == group)?;
        let slot = self.slots.get(local.0 as usize)?.as_ref()?;
        match &slot.phase {
            Phase::Running(replica) => Some((slot.key, &replica.state.log, replica.state.commit)),
            Phase::Opening(..) | Phase::Failed(_) | Phase::Removing => None,
        }
    }

    fn slot_status(&self, slot: &Slot) -> GroupStatus {
        let record = &slot.record;
        let idle_ms = self.registry.last_activity(record.group).map_or(0, |at| self.ctx.now.0.saturating_sub(at));
        let mut status = GroupStatus {
            id: record.group.get(),
            generation: record.generation,
            incarnation: format!("{:016x}", record.incarnation.0),
            service: record.service.clone(),
            consensus_protocol: record.protocol.name().to_owned(),
            members: record.members.iter().map(|member| member.0).collect(),
            state: GroupState::Recovering,
            role: Role::None,
            leader: None,
            epoch: 0,
            first: 0,
            last: 0,
            commit: 0,
            applied: 0,
            snapshot: 0,
            progress: Vec::new(),
            queues: Queues::default(),
            idle_seconds: idle_ms as f64 / 1000.0,
            unavailable: None,
        };
        match &slot.phase {
            Phase::Opening(..) => status.unavailable = Some("the group opens its data; wait".into()),
            Phase::Removing => status.state = GroupState::Removing,
            Phase::Failed(reason) => {
                status.state = GroupState::Failed { reason: reason.clone() };
                status.unavailable = Some(reason.clone());
            }
            Phase::Running(replica) => replica.fill(&mut status, &self.ctx),
        }
        status
    }
}

impl Replica {
    fn fill(&self, status: &mut GroupStatus, ctx: &super::context::Context) {
        let state = &self.state;
        let installing = state.log.base().index > self.apply.applied.index;
        status.state = if installing { GroupState::Recovering } else { GroupState::Running };
        status.role = match &state.role {
            raft::Role::Follower { .. } => Role::Follower,
            raft::Role::PreCandidate { .. } | raft::Role::Candidate { .. } => Role::Candidate,
            raft::Role::Leader(_) => Role::Leader,
        };
        status.leader = state.leader().map(|leader| leader.0);
        status.epoch = state.hard.term.0;
        status.first = state.log.base().index.next().0;
        status.last = state.log.last().0;
        status.commit = state.commit.0;
        status.applied = self.apply.applied.index.0;
        status.snapshot = self.snapshot.index.0;
        status.queues = Queues {
            writes: (self.arrived.len() + self.writes.len()) as u64,
            write_bytes: self.write_bytes as u64,
            reads: self.reads.len() as u64,
            mailbox: self.sends.len() as u64,
            persist: self.outbox.pending() as u64,
            apply: state.commit.0.saturating_sub(self.apply.applied.index.0),
        };
        if let Some(leader) = state.as_leader() {
            status.progress = leader
                .peers
                .iter()
                .map(|(node, progress)| MemberProgress {
                    node: node.0,
                    matched: progress.matched.0,
                    behind: state.log.last().0.saturating_sub(progress.matched.0),
                    flow: match progress.flow {
                        raft::Flow::Probe { .. } => Flow::Probe,
                        raft::Flow::Replicate { .. } => Flow::Replicate,
                        raft::Flow::Snapshot { .. } => Flow::Snapshot,
                    },
                })
                .collect();
        }
        status.unavailable = self.unavailable(ctx);
    }

    /// Why the group takes no writes just now, and what to do.
    fn unavailable(&self, ctx: &super::context::Context) -> Option<String> {
        if self.state.leader().is_some() {
            return self.leads().then(|| self.lacks_space(ctx))?.map(|rejection| rejection.to_string());
        }
        if let Some(rejection) = self.cut_off(ctx) {
            return Some(rejection.to_string());
        }
        let others = self.params.voters().iter().filter(|voter| *voter != ctx.options.node);
        let (reachable, lost): (Vec<_>, Vec<_>) = others.partition(|peer| ctx.reaches(self.group, *peer) && !self.absent_at.contains(peer));
        let quorum = self.params.voters().len() / 2 + 1;
        let lost: Vec<String> = lost
            .iter()
            .map(|peer| if self.absent_at.contains(peer) { format!("{peer} (does not have the group)") } else { peer.to_string() })
            .collect();
        Some(if reachable.len() + 1 < quorum {
            format!("no leader: {quorum} of {} members are needed; not reachable: {}", self.params.voters().len(), lost.join(", "))
        } else {
            "no leader: an election is under way".into()
        })
    }
}
