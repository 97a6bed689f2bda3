//! Bounded liveness: faults stop, and within so many rounds the group must lead, commit and apply (V1 to V3).
//!
//! `eventually` of a model checker without fairness says little; this says more: from *this* state, under a schedule that any timely network would follow,
//! there is a leader that everybody follows and whom nobody disturbs any more, a write is committed, and everybody applies it.
//!
//! One round: every disk syncs, every state machine applies, everything in flight arrives, leaders send heartbeats. A member whose election timer was not
//! started anew for a while times out; how long is drawn anew each time. Snapshots are slow: they take a few rounds.

use super::{
    Group, NOBODY, Packet,
    fingerprint::MEMBERS_MAX,
    group::{id_at, place_of},
    names::mix,
    properties::holds,
    sights::Sighted,
    turn::{Sending, Turn},
};
use roadstead_spec::{
    Index,
    invariants::Broken,
    raft::{Event, Flow, Role},
};

/// Rounds within which the group must have recovered.
const ROUNDS_MAX: u32 = 120;
/// Most packets that one round may cost; more is a storm that feeds itself.
const PACKETS_MAX: u32 = 2_000;
/// Rounds without a leader's word after which the minimum election timeout is over.
const MINIMUM_ROUNDS: u32 = 2;
/// A snapshot arrives in every so manyth round.
const SNAPSHOT_ROUNDS: u32 = 4;
/// A leader checks its quorum in every so manyth round.
const CHECK_ROUNDS: u32 = 3;
/// A leader hears that a snapshot failed in every so manyth round.
const FAILURE_ROUNDS: u32 = 16;

/// Who takes part, and how long each has not heard a leader.
struct Quiet {
    /// Whose packets arrive.
    present: u8,
    /// Whose disk answers, too: they must recover.
    judged: u8,
    rounds: [u32; MEMBERS_MAX],
    /// After how many such rounds its election timer runs out.
    patience: [u32; MEMBERS_MAX],
    /// Everybody followed one leader once: from then on nobody's timer may run out.
    settled: bool,
}

impl Turn<'_> {
    /// Faults stop, but for `without`, which is not heard of.
    pub(super) fn calm(&mut self, without: u8, stalled: bool) -> Result<(), Broken> {
        let count = self.group.members.len();
        let everybody = (1_u16 << count) as u8 - 1;
        let judged = if without == NOBODY { everybody } else { everybody & !(1 << without) };
        let present = if stalled { everybody } else { judged };
        let mut quiet = Quiet { present, judged, rounds: [0; MEMBERS_MAX], patience: [0; MEMBERS_MAX], settled: false };
        (0..count).for_each(|at| quiet.patience[at] = patience(0, at, count));
        self.sending = Sending::Network;
        for at in members(present) {
            if self.group.live(at).is_none() && !self.restart(at)? {
                return Ok(());
            }
        }
        let mut target: Option<Index> = None;
        for round in 0..ROUNDS_MAX {
            self.round(&mut quiet, round)?;
            let leader = self.undisputed(judged);
            quiet.settled |= leader.is_some();
            match (leader, target) {
                (Some(leader), None) => {
                    self.happen(leader, Event::Propose { count: 1 })?;
                    target = self.group.live(leader).map(|live| live.state.log.last());
                }
                (Some(_), Some(last)) if members(judged).all(|at| self.group.live(at).is_some_and(|live| live.machine >= last)) => {
                    Sighted::Calmed.note_if(self.seen, without == NOBODY);
                    Sighted::CalmedWithout.note_if(self.seen, without != NOBODY);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.verdict(judged, target)
    }

    /// Which of the promises was not kept.
    fn verdict(&self, judged: u8, target: Option<Index>) -> Result<(), Broken> {
        let states = || format!("after {ROUNDS_MAX} rounds: {}", describe(self.group, judged));
        holds("I-V1", self.undisputed(judged).is_some(), states)?;
        let committed =
            members(judged).any(|at| self.group.live(at).is_some_and(|live| target.is_some_and(|last| live.state.commit >= last)));
        holds("I-V2", committed, states)?;
        holds("I-V3", false, states)
    }

    fn round(&mut self, quiet: &mut Quiet, round: u32) -> Result<(), Broken> {
        self.timers = 0;
        for at in members(quiet.present & !quiet.judged) {
            self.happen(at, Event::DiskStalled)?;
        }
        self.quiesce(quiet, round)?;
        for at in members(quiet.present) {
            let Some(leader) = self.group.live(at).and_then(|live| live.state.as_leader()) else { continue };
            let failed: Vec<_> =
                leader.peers.iter().filter(|(_, peer)| matches!(peer.flow, Flow::Snapshot { .. })).map(|(id, _)| id).collect();
            if round % CHECK_ROUNDS == CHECK_ROUNDS - 1 {
                self.happen(at, Event::ElectionTimeout)?;
            }
            for to in failed {
                if round % FAILURE_ROUNDS == FAILURE_ROUNDS - 1 && !self.group.network.carries_snapshot(id_at(at), to) {
                    self.happen(at, Event::SnapshotFailed { to })?;
                }
            }
            self.happen(at, Event::HeartbeatTimeout)?;
        }
        self.quiesce(quiet, round)?;
        self.run_out(quiet, round)
    }

    /// Timers of those who heard nobody run out.
    fn run_out(&mut self, quiet: &mut Quiet, round: u32) -> Result<(), Broken> {
        let count = self.group.members.len();
        for at in members(quiet.present) {
            let started = self.timers >> at & 1 == 1;
            quiet.rounds[at] = if started { 0 } else { quiet.rounds[at] + 1 };
            if self.group.live(at).is_none_or(|live| live.state.as_leader().is_some()) {
                continue;
            }
            if quiet.rounds[at] == MINIMUM_ROUNDS {
                self.happen(at, Event::MinimumTimeout)?;
            }
            if quiet.rounds[at] >= quiet.patience[at] {
                quiet.rounds[at] = 0;
                quiet.patience[at] = patience(round, at, count);
                let disturbed = quiet.settled && quiet.judged >> at & 1 == 1;
                holds("I-V1", !disturbed, || {
                    format!("{}'s timer runs out under a leader: {}", id_at(at), describe(self.group, quiet.judged))
                })?;
                self.happen(at, Event::ElectionTimeout)?;
            }
        }
        Ok(())
    }

    /// Disks sync, state machines apply, packets arrive, until nothing moves. Only snapshots take longer.
    fn quiesce(&mut self, quiet: &Quiet, round: u32) -> Result<(), Broken> {
        let is_present = |place: usize| quiet.present >> place & 1 == 1;
        for _ in 0..PACKETS_MAX {
            for at in members(quiet.judged) {
                self.work(at)?;
            }
            self.group.network.retain(|packet| is_present(place_of(packet.from)) && is_present(place_of(packet.to)));
            // Those that were on their way before are there with the first round.
            let snapshots_arrive = round == 0 || round % SNAPSHOT_ROUNDS == SNAPSHOT_ROUNDS - 1;
            let arrives = |packet: &Packet| snapshots_arrive || !packet.is_snapshot();
            let Some(place) = self.group.network.iter().position(arrives) else { return Ok(()) };
            if let Some(packet) = self.group.network.take(place) {
                self.arrive(packet)?;
            }
        }
        Err(Broken { law: "I-V9", values: format!("{PACKETS_MAX} packets in one round: {}", describe(self.group, quiet.present)) })
    }

    fn work(&mut self, at: usize) -> Result<(), Broken> {
        while self.group.live(at).is_some_and(|live| !live.jobs.is_empty()) {
            self.sync_one(at)?;
        }
        while self.group.live(at).is_some_and(|live| !live.applying.is_empty()) {
            if let Some(through) = self.apply(at)? {
                self.happen(at, Event::Applied { through })?;
            }
        }
        Ok(())
    }

    /// The leader whom everybody follows.
    fn undisputed(&self, present: u8) -> Option<usize> {
        let leads = |at: &usize| self.group.live(*at).is_some_and(|live| live.state.as_leader().is_some());
        let leader = members(present).find(leads)?;
        let follows = |at: usize| match self.group.live(at).map(|live| &live.state.role) {
            Some(Role::Follower { leader: Some(followed), heard: true }) => *followed == id_at(leader),
            Some(Role::Leader(_)) => at == leader,
            _ => false,
        };
        members(present).all(follows).then_some(leader)
    }
}

/// A random election timer: the same on every machine, another one in each round and for each member.
fn patience(round: u32, at: usize, members: usize) -> u32 {
    let spread = 3 * members as u64;
    MINIMUM_ROUNDS + 1 + (mix(u64::from(round), at as u64 + 1) % spread) as u32
}

fn members(present: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |at| present >> at & 1 == 1)
}

fn describe(group: &Group, present: u8) -> String {
    let one = |at| match group.live(at) {
        Some(live) => {
            let role = match &live.state.role {
                Role::Follower { leader, .. } => format!("follows {leader:?}"),
                Role::PreCandidate { .. } => "asks for pre-votes".to_owned(),
                Role::Candidate { .. } => "campaigns".to_owned(),
                Role::Leader(_) => "leads".to_owned(),
            };
            let state = &live.state;
            format!(
                "{} {role} in term {}, log {}, commit {}, applied {}",
                id_at(at),
                state.hard.term,
                state.log.last_id(),
                state.commit,
                live.machine
            )
        }
        None => format!("{} is down", id_at(at)),
    };
    members(present).map(one).collect::<Vec<_>>().join("; ")
}
