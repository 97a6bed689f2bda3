//! Random walks over the same world: what no script thought of. All laws hold after each step, every trace replays, and when faults stop the members
//! agree. `ROADSTEAD_SEED=N` walks one seed and prints its story; `ROADSTEAD_WALKS=N` walks that many.

use crate::drive;
use crate::member::{Build, Cargo};
use crate::mutants;
use crate::replay;
use crate::world::World;
use roadstead_spec::NodeId;
use roadstead_spec::outbox::{self, Ticket};
use roadstead_spec::raft::{self, Effect, Event, Limits, Message, Origin, Params, Refused};
use roadstead_spec::trace::{Fact, Record, What};

/// Walks that every test run takes.
const WALKS: u64 = 100;

/// Walks within which a mutant must be caught.
const MUTANT_WALKS: u64 = 2_000;

/// Moves of one walk.
const MOVES: u64 = 400;

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(usize::try_from(self.roll(from.len().max(1) as u64)).ok()?).copied()
    }
}

/// How likely each kind of move is in this walk: each walk leaves some of them rare, so that others go deep (swarm testing).
struct Weights([u64; 9]);

impl Weights {
    const USUAL: [u64; 9] = [80, 40, 4, 2, 8, 12, 2, 6, 2];

    fn of(dice: &mut Dice) -> Self {
        Self(Self::USUAL.map(|weight| match dice.roll(4) {
            0 => 1,
            1 => weight * 2,
            _ => weight,
        }))
    }

    fn choose(&self, dice: &mut Dice) -> usize {
        let mut rest = dice.roll(self.0.iter().sum());
        self.0.iter().position(|weight| rest.checked_sub(*weight).map(|left| rest = left).is_none()).unwrap_or(0)
    }
}

/// One walk; the world at its end.
fn walk(seed: u64, build: Build) -> World {
    let mut dice = Dice(seed);
    let size = dice.pick(&[2, 3, 3, 3, 5]).unwrap_or(3);
    let keep_entries = dice.roll(3);
    let limits = Limits {
        keep_entries,
        keep_entries_transfer: keep_entries + dice.roll(3),
        slice_entries_max: 1 + u32::try_from(dice.roll(3)).unwrap_or(0),
        inflight_messages_max: 1 + u16::try_from(dice.roll(3)).unwrap_or(0),
        ..Limits::default()
    };
    let voters: Vec<NodeId> = (1..=size).map(NodeId).collect();
    let mut world = World::new(build, Params::new(&voters, limits).expect("a small group"));
    let weights = Weights::of(&mut dice);
    for _ in 0..MOVES {
        let kind = weights.choose(&mut dice);
        one_move(&mut world, kind, &voters, &mut dice);
        if !world.laws.broken.is_empty() {
            break;
        }
    }
    world
}

fn one_move(world: &mut World, kind: usize, voters: &[NodeId], dice: &mut Dice) {
    let none = Cargo::default();
    let id = dice.pick(voters).expect("there are voters");
    let count = 1 + dice.roll(3);
    match kind {
        0 => deliver(world, dice),
        1 => world.sync(id, count as usize),
        2 => {
            voters.iter().for_each(|voter| world.step(*voter, Event::MinimumTimeout, &none));
            world.step(id, Event::ElectionTimeout, &none);
        }
        3 => world.step(id, Event::ElectionTimeout, &none),
        4 => world.step(id, Event::HeartbeatTimeout, &none),
        5 => {
            // Mostly to somebody who can do it: proposals to others are only refused.
            let leads = |id: &&NodeId| world.members.get(id).and_then(|m| m.memory.as_ref()).is_some_and(|m| m.state.as_leader().is_some());
            let leader = voters.iter().filter(leads).copied().next_back().unwrap_or(id);
            world.step(leader, Event::Propose { count: u32::try_from(count).unwrap_or(1) }, &none);
            if count == 1 {
                world.read(id);
            }
        }
        6 => {
            let kept = dice.roll(3) as usize;
            world.member(id).crash(kept);
        }
        7 => {
            let down: Vec<NodeId> = world.members.values().filter(|member| member.memory.is_none()).map(|member| member.id).collect();
            match dice.pick(&down) {
                Some(id) => world.start(id),
                None => world.take_snapshot(id),
            }
        }
        _ => fault(world, id, dice.pick(voters).expect("there are voters"), dice),
    }
}

fn deliver(world: &mut World, dice: &mut Dice) {
    let full: Vec<_> = world.links.iter().filter(|(_, packets)| !packets.is_empty()).map(|(link, _)| *link).collect();
    let Some(link) = dice.pick(&full) else { return };
    let Some(packets) = world.links.get_mut(&link) else { return };
    let place = match dice.roll(4) {
        0 => usize::try_from(dice.roll(packets.len() as u64)).unwrap_or(0),
        _ => 0,
    };
    let packet = match dice.roll(10) {
        0 => packets.get(place).cloned(),
        1 => return drop(packets.remove(place)),
        _ => packets.remove(place),
    };
    packet.into_iter().for_each(|packet| world.receive(link, packet));
}

fn fault(world: &mut World, id: NodeId, peer: NodeId, dice: &mut Dice) {
    let event = match dice.roll(3) {
        0 => Event::Unreachable { peer },
        1 => Event::SnapshotFailed { to: peer },
        _ => Event::DiskStalled,
    };
    world.step(id, event, &Cargo::default());
}

/// Faults stop: everybody is up, lost transfers are noticed, and if nobody leads, the member with the best log campaigns. Then all must agree.
fn come_together(world: &mut World) {
    let ids = world.ids();
    for id in &ids {
        if world.member(*id).memory.is_none() {
            world.start(*id);
        }
    }
    drive::settle(world);
    for id in &ids {
        ids.iter().for_each(|to| world.step(*id, Event::SnapshotFailed { to: *to }, &Cargo::default()));
    }
    for _ in 0..4 {
        let leads = |id: &NodeId| world.members.get(id).and_then(|m| m.memory.as_ref()).is_some_and(|m| m.state.as_leader().is_some());
        if !ids.iter().any(leads) {
            let best = ids.iter().copied().max_by_key(|id| world.member(*id).memory.as_ref().map(|memory| memory.state.log.last_id()));
            let best = best.expect("there are members");
            let others: Vec<_> = ids.iter().copied().filter(|id| *id != best).collect();
            drive::elect(world, best, &others);
        }
        ids.iter().for_each(|id| world.step(*id, Event::HeartbeatTimeout, &Cargo::default()));
        drive::settle(world);
    }
    drive::agree(world);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn every_law_holds_on_random_walks() {
    let one = number("ROADSTEAD_SEED");
    let seeds = one.map_or(0..number("ROADSTEAD_WALKS").unwrap_or(WALKS), |seed| seed..seed + 1);
    let build = Build::of::<raft::Paper, outbox::Paper>();
    let mut coverage = Coverage::default();
    for seed in seeds {
        let mut world = walk(seed, build);
        if world.laws.broken.is_empty() {
            come_together(&mut world);
        }
        assert!(world.laws.broken.is_empty(), "ROADSTEAD_SEED={seed}:\n{}\n{:#?}", world.out, world.laws.broken);
        if one.is_some() {
            println!("{}", world.out);
        }
        assert_eq!(replay::check(&world.records, build), Ok(()), "ROADSTEAD_SEED={seed}");
        coverage.count(&world.records);
    }
    println!("{coverage:#?}");
    assert!(one.is_some() || coverage.is_full(), "walks that do not get there prove nothing: {coverage:#?}");
}

/// How often the walks got to what they are to judge.
#[derive(Debug, Default)]
struct Coverage {
    applied: u64,
    elections: u64,
    truncations: u64,
    installs: u64,
    /// Rare: `snapshot_keeps_suffix.txt` is sure to get there.
    kept_suffixes: u64,
    compactions: u64,
    snapshots_sent: u64,
    reads_served: u64,
    reads_refused: u64,
    proposals_refused: u64,
    refused_appends: u64,
    waited: u64,
}

impl Coverage {
    fn count(&mut self, records: &[Record]) {
        for record in records {
            let What::Group { fact, .. } = &record.what else { continue };
            match fact {
                Fact::Applied { content } => self.applied += content.entries.len() as u64,
                Fact::Sent { after, .. } => self.waited += u64::from(*after > Ticket::NONE),
                Fact::Stepped { effects, .. } => effects.iter().for_each(|effect| self.count_effect(effect)),
                Fact::Recovered { .. }
                | Fact::Issued { .. }
                | Fact::Compacted { .. }
                | Fact::Durable { .. }
                | Fact::Dropped { .. }
                | Fact::Received { .. }
                | Fact::Installed { .. } => {}
            }
        }
    }

    fn count_effect(&mut self, effect: &Effect) {
        let counter = match effect {
            Effect::Persist { append: Some(append), .. } if append.origin == Origin::Noop => &mut self.elections,
            Effect::Persist { truncate_from: Some(_), .. } => &mut self.truncations,
            Effect::InstallSnapshot { keep_suffix: true, .. } => &mut self.kept_suffixes,
            Effect::InstallSnapshot { .. } => &mut self.installs,
            Effect::Send { message: Message::AppendEntriesResponse { result: Err(_), .. }, .. } => &mut self.refused_appends,
            Effect::ReadReady { .. } => &mut self.reads_served,
            Effect::Refuse { what: Refused::Propose, .. } => &mut self.proposals_refused,
            Effect::Refuse { what: Refused::Read(_), .. } => &mut self.reads_refused,
            Effect::SendSnapshot { .. } => &mut self.snapshots_sent,
            Effect::Compact { .. } => &mut self.compactions,
            Effect::Persist { .. } | Effect::Send { .. } | Effect::Apply { .. } | Effect::ResetElectionTimer | Effect::Halt { .. } => {
                return;
            }
        };
        *counter += 1;
    }

    fn is_full(&self) -> bool {
        let counters = [
            self.applied,
            self.elections,
            self.truncations,
            self.installs,
            self.compactions,
            self.snapshots_sent,
            self.reads_served,
            self.reads_refused,
            self.proposals_refused,
            self.refused_appends,
            self.waited,
        ];
        counters.iter().all(|counter| *counter > 0)
    }
}

/// A walk finds these mistakes without being told how.
#[test]
fn random_walks_catch_mutants() {
    for (name, build) in mutants::FOR_WALKS {
        let caught = (0..MUTANT_WALKS).find_map(|seed| walk(seed, *build).laws.broken.pop().map(|law| (seed, law)));
        let (seed, law) = caught.unwrap_or_else(|| panic!("{name} was not caught in {MUTANT_WALKS} walks"));
        println!("{name}: seed {seed}: {law}");
    }
}
