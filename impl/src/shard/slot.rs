//! A group's life on this node: opening, running, failed, being removed.

use super::{
    context::Context,
    io::Lifecycle,
    pending::{PendingReads, PendingWrites},
    replica::{Payloads, Progress, Replica},
    response::Rejection,
    send::Sends,
    tail::Tail,
    timers::Millis,
    transfer::Transfers,
};
use crate::{
    applier::{GroupKey, Outcome, StateEpoch, Work},
    state_machine::StateMachine,
    store::{GroupRecord, Recovered},
};
use roadstead_spec::{
    EntryId, NodeId,
    outbox::Outbox,
    raft::{self, Event, LogShape, Params},
    trace::Fact,
};

/// What a group is opened with.
pub struct OpenGroup {
    /// The group as the store knows it.
    pub record: GroupRecord,
    /// What its log holds, or why it cannot be read.
    pub recovered: Result<Recovered, String>,
    /// Where its state lies.
    pub epoch: StateEpoch,
    /// Its state machine, or why there is none.
    pub machine: Result<Box<dyn StateMachine>, String>,
}

/// Where a group is in its life.
pub(crate) enum Phase {
    /// The applier opens the state machine.
    Opening(Recovered, StateEpoch),
    /// It takes part.
    Running(Box<Replica>),
    /// It stopped for good; the others go on.
    Failed(String),
    /// Its data is being deleted.
    Removing,
}

/// A group on this node.
pub(crate) struct Slot {
    pub(crate) record: GroupRecord,
    pub(crate) key: GroupKey,
    pub(crate) phase: Phase,
}

impl Slot {
    /// Begins to open a group. A group whose data cannot be read starts as failed.
    pub(crate) fn open(ctx: &mut Context, open: OpenGroup) -> Self {
        let OpenGroup { record, recovered, epoch, machine } = open;
        let key = GroupKey { local: record.local, incarnation: record.incarnation };
        let phase = match (recovered, machine) {
            (Ok(recovered), Ok(machine)) => {
                ctx.out.job(key, Work::Open { machine, epoch, log_base: recovered.base.index });
                Phase::Opening(recovered, epoch)
            }
            (Err(reason), _) | (_, Err(reason)) => fail(ctx, &record, reason),
        };
        Self { record, key, phase }
    }

    /// The applier did something for this group.
    pub(crate) fn done(&mut self, ctx: &mut Context, outcome: Outcome) {
        match (&mut self.phase, outcome) {
            (Phase::Opening(..), Outcome::Opened { applied }) => self.start(ctx, applied),
            (Phase::Opening(..) | Phase::Running(_), Outcome::Failed { reason, .. }) => self.fail(ctx, reason.to_string()),
            (Phase::Running(replica), outcome) => replica.done(ctx, outcome),
            // A group that failed or goes away still gets answers to what it asked before.
            (Phase::Opening(..) | Phase::Failed(_) | Phase::Removing, _) => {}
        }
    }

    fn start(&mut self, ctx: &mut Context, applied: EntryId) {
        let Phase::Opening(recovered, epoch) = std::mem::replace(&mut self.phase, Phase::Removing) else { return };
        self.phase = match replica(ctx, &self.record, self.key, recovered, epoch, applied) {
            Ok(replica) => {
                ctx.out.lifecycle.push(Lifecycle::Opened(self.record.group));
                Phase::Running(Box::new(replica))
            }
            Err(reason) => fail(ctx, &self.record, reason),
        };
    }

    /// Stops the group for good.
    pub(crate) fn fail(&mut self, ctx: &mut Context, reason: String) {
        if let Phase::Running(replica) = &mut self.phase {
            ctx.dump(|| format!("group {} stopped: {reason}", self.record.group));
            replica.dismiss(ctx, &Rejection::GroupFailed(reason.clone()));
            replica.release(ctx);
        }
        self.phase = fail(ctx, &self.record, reason);
    }

    /// Removes the group: whoever waits is answered.
    pub(crate) fn remove(&mut self, ctx: &mut Context) {
        if let Phase::Running(replica) = &mut self.phase {
            replica.dismiss(ctx, &Rejection::NoSuchGroup);
            replica.release(ctx);
        }
        self.phase = Phase::Removing;
    }

    /// The running group, if it runs.
    pub(crate) fn replica(&mut self) -> Option<&mut Replica> {
        match &mut self.phase {
            Phase::Running(replica) => Some(replica),
            Phase::Opening(..) | Phase::Failed(_) | Phase::Removing => None,
        }
    }

    /// Why a client's request cannot be served here.
    pub(crate) fn rejection(&self) -> Rejection {
        match &self.phase {
            Phase::Failed(reason) => Rejection::GroupFailed(reason.clone()),
            Phase::Removing => Rejection::NoSuchGroup,
            Phase::Opening(..) | Phase::Running(_) => Rejection::Busy("the group opens its data"),
        }
    }
}

fn fail(ctx: &mut Context, record: &GroupRecord, reason: String) -> Phase {
    tracing::error!(group = %record.group, %reason, "the group has stopped on this node; the others go on");
    ctx.out.lifecycle.push(Lifecycle::Failed(record.group, reason.clone()));
    Phase::Failed(reason)
}

fn replica(
    ctx: &mut Context,
    record: &GroupRecord,
    key: GroupKey,
    recovered: Recovered,
    epoch: StateEpoch,
    applied: EntryId,
) -> Result<Replica, String> {
    let Recovered { hard, base, runs, last } = recovered;
    let params = params(ctx, &record.members)?;
    let log = LogShape::from_runs(base, runs, last).map_err(|error| error.to_string())?;
    let state = raft::recover(ctx.options.node, hard, log, applied.index).map_err(|error| error.to_string())?;
    let alone = record.members.len() == 1;
    let mut replica = Replica {
        group: record.group,
        local: record.local,
        key,
        outbox: Outbox::new(applied.index),
        tail: Tail::behind(state.log.last()),
        apply: Progress { released: applied.index, given: applied.index, applied, ..Progress::default() },
        writes: PendingWrites::default(),
        write_bytes: 0,
        reads: PendingReads::default(),
        arrived: Vec::new(),
        sends: Sends::default(),
        transfers: Transfers::default(),
        epoch,
        durable_state: base,
        snapshot: base,
        minimum_deadline: Millis::NEVER,
        election_deadline: Millis::NEVER,
        waits_for_disk: None,
        broken: None,
        state_kept: 0,
        absent_at: Default::default(),
        params,
        state,
    };
    replica.note_whole(ctx, || Fact::Recovered { params: Box::new(replica.params.clone()), state: Box::new(replica.state.clone()) });
    replica.reset_election_timer(ctx);
    if alone {
        replica.step(ctx, Event::ElectionTimeout, Payloads::None); // nobody else could lead: no need to wait
    }
    Ok(replica)
}

fn params(ctx: &Context, members: &[NodeId]) -> Result<Params, String> {
    let limits = &ctx.options.limits;
    let limits = raft::Limits {
        inflight_messages_max: limits.inflight_messages.try_into().unwrap_or(u16::MAX),
        inflight_entries_max: limits.inflight_entries.try_into().unwrap_or(u32::MAX),
        slice_entries_max: limits.entries_per_message.try_into().unwrap_or(u32::MAX),
        keep_entries: limits.snapshot_keep_entries,
        keep_entries_transfer: limits.snapshot_keep_entries.saturating_mul(TRANSFER_KEEPS_TIMES).max(limits.snapshot_entries),
        reads_max: limits.group_reads.try_into().unwrap_or(u32::MAX),
    };
    Params::new(members, limits).map_err(|error| error.to_string())
}

/// While a follower receives a snapshot, the log keeps this many times as much, so that the follower finds what it needs behind it.
const TRANSFER_KEEPS_TIMES: u64 = 10;

impl Replica {
    fn done(&mut self, ctx: &mut Context, outcome: Outcome) {
        match outcome {
            Outcome::Applied { through, answers, content } => {
                self.note_whole(ctx, || Fact::Applied { content });
                self.applied(ctx, through, answers);
            }
            Outcome::Installed { applied, .. } => self.snapshot_installed(ctx, applied),
            Outcome::SnapshotOpened { transfer, at } => self.snapshot_opened(ctx, transfer, at),
            Outcome::SnapshotChunk { transfer, chunk } => self.snapshot_chunk(ctx, transfer, chunk),
            Outcome::SnapshotGone { transfer, why } => self.snapshot_gone(ctx, transfer, &why),
            Outcome::StageWants { transfer, sequence } => self.stage_wants(ctx, transfer, sequence),
            Outcome::Staged { transfer, at, epoch } => self.staged(ctx, transfer, at, epoch),
            Outcome::StageRefused { transfer, .. } => self.stage_refused(ctx, transfer),
            // Queries are answered by the shard; the others end a life that is over.
            Outcome::Answered { .. }
            | Outcome::Behind { .. }
            | Outcome::Opened { .. }
            | Outcome::Closed
            | Outcome::Destroyed
            | Outcome::Failed { .. } => {}
        }
    }

    /// The log may be compacted behind the state that is durable.
    pub(crate) fn take_snapshot(&mut self, ctx: &mut Context) {
        let at = self.durable_state;
        if at > self.snapshot {
            self.snapshot = at;
            self.step(ctx, Event::SnapshotTaken { at }, Payloads::None);
        }
    }
}
