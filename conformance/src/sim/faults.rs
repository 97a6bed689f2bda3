//! What each fault does when it begins, and when it ends.

use super::{
    disk::Loss,
    plan::{Fault, FaultKind, MILLI, Micros},
    world::{Event, World},
};
use rand::RngExt;
use roadstead::store::space::Room;
use roadstead_spec::{NodeId, wire::negotiation::Policy};

/// A node takes at least so long to start again.
const START_MIN: Micros = 5 * MILLI;

impl World {
    pub(super) fn begin(&mut self, number: usize) {
        let Some(Fault { node, kind, lasts, .. }) = self.plan.faults.get(number).copied() else { return };
        match kind {
            FaultKind::Kill => {
                self.node(node).kept_down += 1;
                self.crash(node, Loss::Process);
            }
            FaultKind::PowerCut { after } => {
                self.node(node).kept_down += 1;
                self.node(node).disk.power.fail_after(after);
            }
            FaultKind::Restart => {
                self.node(node).kept_down += 1;
                self.stop(node);
            }
            FaultKind::Pause => {
                let until = self.now + lasts;
                self.node(node).paused_until = until.max(self.node(node).paused_until);
            }
            FaultKind::Partition { .. } | FaultKind::Isolated | FaultKind::Mute => {
                for (from, to) in self.ways(node, kind) {
                    self.network.block(from, to);
                }
            }
            FaultKind::Reset => self.reset(node),
            FaultKind::SlowNetwork { by_ms } => drop(self.network.slow.insert(node, by_ms * MILLI)),
            FaultKind::SlowDisk { by_ms } => self.node(node).disk_slow = by_ms * MILLI,
            FaultKind::DiskFull => {
                let room = if self.rng.random_bool(0.5) { Room::Tight } else { Room::Full };
                self.set_room(node, room);
            }
            FaultKind::ClockJump { by_ms } => self.jump(node, by_ms),
            FaultKind::BitFlip => {
                self.node(node).kept_down += 1;
                self.crash(node, Loss::Process);
                let place = self.nodes[node.0 as usize - 1].disk.flip_a_bit(&mut self.rng);
                self.node(node).damaged = Some(place);
            }
            FaultKind::OldRelease => {
                self.node(node).policy = Policy::Legacy;
                self.crash(node, Loss::Process);
                self.start_soon(node);
            }
        }
    }

    pub(super) fn end(&mut self, number: usize) {
        let Some(Fault { node, kind, .. }) = self.plan.faults.get(number).copied() else { return };
        match kind {
            FaultKind::PowerCut { .. } => {
                // It had too little to do for its power to fail before.
                if self.node(node).disk.power.is_limited() {
                    self.crash(node, Loss::Power);
                }
                self.back(node);
            }
            FaultKind::Kill | FaultKind::Restart | FaultKind::BitFlip => self.back(node),
            FaultKind::Partition { .. } | FaultKind::Isolated | FaultKind::Mute => {
                for (from, to) in self.ways(node, kind) {
                    self.network.unblock(from, to);
                }
                self.flow();
            }
            FaultKind::SlowNetwork { .. } => drop(self.network.slow.remove(&node)),
            FaultKind::SlowDisk { .. } => self.node(node).disk_slow = 0,
            FaultKind::DiskFull => self.set_room(node, Room::Enough),
            FaultKind::OldRelease => {
                self.node(node).policy = Policy::Auto;
                self.crash(node, Loss::Process);
                self.start_soon(node);
            }
            FaultKind::Pause | FaultKind::Reset | FaultKind::ClockJump { .. } => {}
        }
    }

    fn back(&mut self, node: NodeId) {
        let kept = &mut self.node(node).kept_down;
        *kept = kept.saturating_sub(1);
        self.start_soon(node);
    }

    /// Starts a node again, unless something keeps it down then.
    pub(super) fn start_soon(&mut self, node: NodeId) {
        let moment = self.now + self.rng.random_range(START_MIN..=20 * START_MIN);
        self.at(moment, Event::Start(node));
    }

    /// The ways that a fault closes.
    fn ways(&self, node: NodeId, kind: FaultKind) -> Vec<(NodeId, NodeId)> {
        let others = self.plan.members().into_iter().filter(|other| *other != node);
        let cut_off = |other: NodeId| match kind {
            FaultKind::Partition { other: only } => only == other,
            _ => true,
        };
        let heard = kind != FaultKind::Mute;
        others.filter(|other| cut_off(*other)).flat_map(|other| [Some((node, other)), heard.then_some((other, node))]).flatten().collect()
    }

    /// What waited at a closed way goes on.
    fn flow(&mut self) {
        for (conn, to) in self.network.waiting() {
            let Some(ends) = self.network.conns.get_mut(&conn) else { continue };
            let (from, at) = (ends.end(to.other()).node, ends.end(to).node);
            if self.network.is_open(from, at) {
                for _ in 0..self.network.count_waiting(conn, to) {
                    self.at(self.now, Event::Arrive { conn, to });
                }
            }
        }
    }

    fn reset(&mut self, node: NodeId) {
        let Some(life) = self.node(node).life.as_ref().map(|life| life.number) else { return };
        for (conn, side) in self.network.of(node, life) {
            self.network.lose(conn);
            self.close(conn, side);
        }
    }

    fn set_room(&mut self, node: NodeId, room: Room) {
        let now = self.now;
        if let Some(life) = &mut self.node(node).life {
            let clock = life.clock(now);
            life.shard.set_room(clock, room);
        }
    }

    fn jump(&mut self, node: NodeId, by_ms: u64) {
        if let Some(life) = &mut self.node(node).life {
            life.jumped += by_ms;
            let number = life.number;
            self.wake(node, number);
        }
    }
}
