//! Random schedules from a seed: the same seed, the same run.

use super::{StepFn, World, Wrong};
use roadstead_spec::{
    NodeId,
    raft::{Event, Limits},
};

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, and good enough for schedules.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn one_in(&mut self, chance: usize) -> bool {
        chance > 0 && self.below(chance) == 0
    }

    pub fn node(&mut self, world: &World) -> NodeId {
        NodeId(self.below(world.nodes.len()) as u32 + 1)
    }
}

/// How wild a schedule is: each a chance of one in so many, 0 for never. Drawn per seed, so that schedules differ in kind.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub timeouts: usize,
    pub crashes: usize,
    pub drops: usize,
    pub doubles: usize,
    pub reorder: usize,
    pub checkpoints: usize,
    pub lazy_disk: usize,
}

impl Weather {
    pub fn draw(random: &mut Random) -> Self {
        let mut pick = |choices: &[usize]| choices[random.below(choices.len())];
        Self {
            timeouts: pick(&[4, 8, 16, 40]),
            crashes: pick(&[0, 20, 60, 200]),
            drops: pick(&[0, 4, 12, 50]),
            doubles: pick(&[0, 5, 20]),
            reorder: pick(&[0, 2, 8]),
            checkpoints: pick(&[0, 10, 40]),
            lazy_disk: pick(&[1, 2, 5]),
        }
    }
}

/// Small limits, so that windows fill and logs are compacted away within a short run.
pub fn tight_limits(random: &mut Random) -> Limits {
    let keep_entries = random.below(4) as u64;
    Limits {
        inflight_messages_max: 1 + random.below(3) as u16,
        inflight_entries_max: 1 + random.below(6) as u32,
        slice_entries_max: 1 + random.below(3) as u32,
        keep_entries,
        keep_entries_transfer: keep_entries + random.below(10) as u64,
        reads_max: 3,
    }
}

/// A run of `steps` random steps; then the faults stop, and the group must elect, commit and agree.
pub fn run(seed: u64, voters: u32, steps: usize, step: StepFn) -> (World, Result<(), Wrong>) {
    run_under(seed, voters, steps, step, true)
}

/// As [`run`], with or without the local laws: without them only the ghost judges.
pub fn run_under(seed: u64, voters: u32, steps: usize, step: StepFn, local_laws: bool) -> (World, Result<(), Wrong>) {
    let mut random = Random(seed);
    let limits = tight_limits(&mut random);
    let mut world = World::new(voters, limits, step);
    world.local_laws = local_laws;
    let weather = Weather::draw(&mut random);
    let result = chaos(&mut world, &mut random, weather, steps).and_then(|()| calm(&mut world, &mut random));
    (world, result.map_err(|wrong| format!("seed {seed}, {voters} voters, {weather:?}: {wrong}")))
}

/// Anything may happen.
pub fn chaos(world: &mut World, random: &mut Random, weather: Weather, steps: usize) -> Result<(), Wrong> {
    for _ in 0..steps {
        if !world.network.is_empty() && !random.one_in(4) {
            let number = if random.one_in(weather.reorder) { random.below(world.network.len()) } else { 0 };
            if random.one_in(weather.drops) {
                world.drop_packet(number)?;
            } else {
                world.deliver(number, random.one_in(weather.doubles))?;
            }
            continue;
        }
        let id = random.node(world);
        if random.one_in(weather.timeouts) {
            world.event(id, Event::MinimumTimeout, Vec::new())?;
            world.event(id, Event::ElectionTimeout, Vec::new())?;
        } else if random.one_in(weather.crashes) {
            let unsynced = world.node(id).live.as_ref().map_or(0, |live| live.writes.len());
            world.crash(id, random.below(unsynced + 1));
        } else if random.one_in(weather.checkpoints) {
            world.checkpoint(id)?;
        } else if random.one_in(weather.lazy_disk) {
            world.sync_one(id)?;
        } else {
            ordinary(world, random, id)?;
        }
    }
    Ok(())
}

fn ordinary(world: &mut World, random: &mut Random, id: NodeId) -> Result<(), Wrong> {
    let leader = world.leader().filter(|_| !random.one_in(5)).unwrap_or(id);
    match random.below(10) {
        0..=2 => world.propose(leader, 1 + random.below(3) as u32),
        3 => world.event(leader, Event::HeartbeatTimeout, Vec::new()),
        4 => world.read(id),
        5 => world.read(leader),
        6 => world.event(id, Event::MinimumTimeout, Vec::new()),
        7 => world.restart(id),
        8 if random.one_in(4) => world.event(leader, Event::Unreachable { peer: id }, Vec::new()),
        8 if random.one_in(4) => world.event(leader, Event::DiskStalled, Vec::new()),
        _ => world.sync(id),
    }
}

/// Faults stop: within a bounded number of timeouts there is a leader, new entries are committed, and everybody applies the same (V1 to V3).
pub fn calm(world: &mut World, random: &mut Random) -> Result<(), Wrong> {
    let ids: Vec<NodeId> = world.nodes.iter().map(|node| node.id).collect();
    for &id in &ids {
        world.restart(id)?;
    }
    world.settle()?;
    for round in 0..30 {
        for &id in &ids {
            world.event(id, Event::HeartbeatTimeout, Vec::new())?;
        }
        world.settle()?;
        // Timers of different nodes run out at different times; a follower that hears a leader never gets there.
        let heard = |world: &World, id| world.state(id).leader().is_some();
        let leader = world.leader().filter(|leader| ids.iter().all(|&id| world.state(id).leader() == Some(*leader)));
        if let Some(leader) = leader {
            let target = world.state(leader).log.last();
            if ids.iter().all(|&id| world.state(id).applied >= target) {
                return finish(world, leader, &ids);
            }
        }
        let id = ids[random.below(ids.len())];
        if !heard(world, id) || world.leader().is_none() || round % 5 == 4 {
            for &id in &ids {
                world.event(id, Event::MinimumTimeout, Vec::new())?;
            }
            world.event(id, Event::ElectionTimeout, Vec::new())?;
            world.settle()?;
        }
    }
    let states: Vec<String> = ids.iter().map(|&id| format!("{:?}", world.state(id))).collect();
    Err(format!("no progress after the faults stopped: {states:#?}"))
}

fn finish(world: &mut World, leader: NodeId, ids: &[NodeId]) -> Result<(), Wrong> {
    let answered = world.ghost.reads_answered;
    let before = world.state(leader).log.last();
    world.propose(leader, 3)?;
    for &id in ids {
        world.read(id)?;
        world.settle()?;
    }
    world.event(leader, Event::HeartbeatTimeout, Vec::new())?;
    world.settle()?;
    let target = before.plus(3);
    if let Some(&id) = ids.iter().find(|&&id| world.state(id).applied != target) {
        return Err(format!("{id} applied {} instead of {target}: {:?}", world.state(id).applied, world.state(leader).role));
    }
    let reads = world.ghost.reads_answered - answered;
    if reads == ids.len() as u64 { Ok(()) } else { Err(format!("{reads} of {} reads were answered", ids.len())) }
}
