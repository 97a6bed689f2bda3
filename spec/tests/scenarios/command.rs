//! The commands of a script. A command that finds nothing to do says so and goes on, so that one script runs under the papers' rules and under a
//! mutant's, which send different messages.
//!
//! ```text
//! cluster N [keep=K] [slice=K]         start N members with empty disks; entries kept behind a snapshot, entries per message
//! disk N term=T [vote=V] [log=1x3,2] [committed=I]   restart a member with this disk; 1x3: three entries of term 1; 1..9/2: terms 1 3 5 7 9
//! timeout N        the election timeout of N passes       minimum N ..     the minimum election timeout passes
//! heartbeat N      time for heartbeats                    stall N          the disk does not answer
//! propose N K      K writes of clients                    read N           a linearizable read
//! deliver A->B [first|last|K]      packets of a link, all that are on it by default; to a member that is down: lost
//! drop A->B [first|last|K]         the network loses them    duplicate A->B   the newest packet is delivered and stays on the link
//! sync N [K]       the disk completes the oldest K writes, all by default
//! settle           deliver and sync everything until nothing moves
//! elect N with P ..                N campaigns, hears these peers only, and stops as soon as it leads (its opening entry unsynced, its
//!                                  first AppendEntries on the links); says nothing in between
//! crash N [K]      memory is gone, and all unsynced writes but the oldest K      restart N
//! snapshot N       the state machine's data becomes durable
//! cut A-B ..       links lose everything, both ways        heal            no more
//! state            what every member knows                flight          what is on the links
//! refusals A->B    AppendEntries that A refused so far: round trips until the logs' common part was found; more than six break a law
//! must-lead N      breaks a law unless N leads             agree           breaks one unless all that are up follow one leader to the end of its log
//! quietly COMMAND  without recording
//! ```

use crate::disk::{Disk, Log};
use crate::drive;
use crate::member::{Build, Cargo};
use crate::print;
use crate::world::{Link, Packet, World};
use roadstead_spec::raft::{Event, HardState, Limits, Params};
use roadstead_spec::{Index, NodeId, Term};
use std::collections::VecDeque;

/// Round trips that it may cost to find where two logs part, a thousand terms apart or not.
const REFUSALS_MAX: u64 = 6;

/// The words of a command.
struct Words<'a> {
    line: &'a str,
    words: Vec<&'a str>,
}

impl Words<'_> {
    fn at(&self, place: usize) -> &str {
        self.words.get(place).unwrap_or_else(|| panic!("`{}`: word {place} is missing", self.line))
    }

    fn number(&self, place: usize) -> u64 {
        number(self.at(place))
    }

    fn node(&self, place: usize) -> NodeId {
        node(self.at(place))
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.words.iter().map(|word| node(word)).collect()
    }

    /// The nodes behind a word.
    fn nodes_after(&self, word: &str) -> Vec<NodeId> {
        self.words.iter().skip_while(|at| **at != word).skip(1).map(|word| node(word)).collect()
    }

    /// A `key=value` word.
    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn link(&self) -> Link {
        let (from, to) = self.at(0).split_once("->").unwrap_or_else(|| panic!("`{}`: a link is written 1->2", self.line));
        (node(from), node(to))
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word} is no number"))
}

fn node(word: &str) -> NodeId {
    NodeId(u32::try_from(number(word)).expect("a node id"))
}

/// `1x3,4,5..9/2`: the terms of a log's entries.
fn terms(text: &str) -> Vec<u64> {
    let part = |part: &str| -> Vec<u64> {
        if let Some((term, count)) = part.split_once('x') {
            return vec![number(term); number(count) as usize];
        }
        let Some((first, rest)) = part.split_once("..") else { return vec![number(part)] };
        let (last, step) = rest.split_once('/').unwrap_or((rest, "1"));
        (number(first)..=number(last)).step_by(number(step) as usize).collect()
    };
    text.split(',').filter(|text| !text.is_empty()).flat_map(part).collect()
}

/// Runs one line. The first one must be `cluster`.
pub fn run(build: Build, world: &mut Option<World>, line: &str) {
    let mut words = line.split_whitespace();
    let command = words.next().expect("a command is not empty");
    let words = Words { line, words: words.collect() };
    if command == "cluster" {
        *world = Some(cluster(build, &words));
        return;
    }
    let world = world.as_mut().unwrap_or_else(|| panic!("`{line}` before `cluster`"));
    if command == "quietly" {
        let before = world.out.len();
        one(world, words.at(0), &Words { line, words: words.words[1..].to_vec() });
        world.out.truncate(before);
    } else {
        one(world, command, &words);
    }
}

fn one(world: &mut World, command: &str, words: &Words<'_>) {
    match command {
        "disk" => disk(world, words),
        "timeout" => world.step(words.node(0), Event::ElectionTimeout, &Cargo::default()),
        "minimum" => words.nodes().into_iter().for_each(|id| world.step(id, Event::MinimumTimeout, &Cargo::default())),
        "heartbeat" => world.step(words.node(0), Event::HeartbeatTimeout, &Cargo::default()),
        "stall" => world.step(words.node(0), Event::DiskStalled, &Cargo::default()),
        "propose" => {
            let count = u32::try_from(words.number(1)).expect("a count");
            world.step(words.node(0), Event::Propose { count }, &Cargo::default());
        }
        "read" => world.read(words.node(0)),
        "deliver" => take(world, words).into_iter().for_each(|packet| world.receive(words.link(), packet)),
        "drop" => {
            let lost = take(world, words).len();
            world.say(format_args!("{lost} lost"));
        }
        "duplicate" => match world.links.get(&words.link()).and_then(VecDeque::back).cloned() {
            Some(packet) => world.receive(words.link(), packet),
            None => world.say("nothing on the link"),
        },
        "sync" => sync(world, words),
        "settle" => drive::settle(world),
        "elect" => drive::elect(world, words.node(0), &words.nodes_after("with")),
        "must-lead" => drive::must_lead(world, words.node(0)),
        "agree" => drive::agree(world),
        "crash" => {
            let kept = words.words.get(1).map_or(0, |word| number(word) as usize);
            world.member(words.node(0)).crash(kept);
        }
        "restart" => {
            world.start(words.node(0));
            state(world, &[words.node(0)]);
        }
        "snapshot" => world.take_snapshot(words.node(0)),
        "cut" => words.words.iter().for_each(|pair| cut(world, pair)),
        "heal" => world.cut.clear(),
        "state" => state(world, &world.ids()),
        "flight" => flight(world),
        "refusals" => refusals(world, words.link()),
        other => panic!("`{}`: there is no command {other}", words.line),
    }
}

fn cluster(build: Build, words: &Words<'_>) -> World {
    let mut limits = Limits::default();
    if let Some(keep) = words.value("keep") {
        limits.keep_entries = number(keep);
        limits.keep_entries_transfer = number(keep);
    }
    if let Some(slice) = words.value("slice") {
        limits.slice_entries_max = u32::try_from(number(slice)).expect("a small number");
    }
    let voters: Vec<_> = (1..=words.number(0)).map(|id| node(&id.to_string())).collect();
    World::new(build, Params::new(&voters, limits).expect("1 to 7 members"))
}

fn disk(world: &mut World, words: &Words<'_>) {
    let log = Log::of_terms(&terms(words.value("log").unwrap_or_default()));
    let term = Term(words.value("term").map_or(0, number));
    let hard = HardState { term, vote: words.value("vote").map(node) };
    let disk = Disk { hard, log, applied: Index(0), pending: VecDeque::new() };
    if let Some(committed) = words.value("committed") {
        world.laws.assume_committed(Index(number(committed)), &disk);
    }
    let id = words.node(0);
    // Another disk, another story: no crash left this one behind.
    world.records.retain(|record| record.node != id);
    world.member(id).disk = disk;
    world.start(id);
}

/// Takes the packets that a command names from their link.
fn take(world: &mut World, words: &Words<'_>) -> Vec<Packet> {
    let packets = world.links.entry(words.link()).or_default();
    let taken: Vec<_> = match words.words.get(1).copied() {
        None => packets.drain(..).collect(),
        Some("first") => packets.pop_front().into_iter().collect(),
        Some("last") => packets.pop_back().into_iter().collect(),
        Some(count) => packets.drain(..packets.len().min(number(count) as usize)).collect(),
    };
    if taken.is_empty() {
        world.say("nothing on the link");
    }
    taken
}

fn sync(world: &mut World, words: &Words<'_>) {
    let id = words.node(0);
    if world.member(id).disk.pending.is_empty() {
        return world.say("nothing to sync");
    }
    world.sync(id, words.words.get(1).map_or(usize::MAX, |word| number(word) as usize));
}

fn refusals(world: &mut World, link: Link) {
    let refusals = world.refusals.get(&link).copied().unwrap_or_default();
    world.say(format_args!("refused: {refusals}"));
    if refusals > REFUSALS_MAX {
        world.laws.report(format!("Catching up: {refusals} round trips until {} found where its log and that of {} part", link.1, link.0));
    }
}

fn cut(world: &mut World, pair: &str) {
    let (a, b) = pair.split_once('-').expect("a cut is written 1-2");
    for link in [(node(a), node(b)), (node(b), node(a))] {
        world.cut.insert(link);
        world.links.remove(&link);
    }
}

fn state(world: &mut World, ids: &[NodeId]) {
    for id in ids {
        let member = world.member(*id);
        let line = match &member.memory {
            None => format!("{id} is down, disk: term={} log={}", member.disk.hard.term, member.disk.log.describe()),
            Some(memory) => {
                let waiting = member.disk.pending.len();
                let unsynced = if waiting == 0 { String::new() } else { format!(" unsynced={waiting}") };
                let (state, log) = (&memory.state, memory.log.describe());
                let vote = state.hard.vote.map_or(String::new(), |vote| format!(" vote={vote}"));
                let places = format!("commit={} applied={}", state.commit, memory.applied);
                format!("{id} {} term={}{vote} log={log} {places}{unsynced}", print::role(state), state.term())
            }
        };
        world.say(line);
    }
}

fn flight(world: &mut World) {
    let mut lines = Vec::new();
    for ((from, to), packets) in &world.links {
        lines.extend(packets.iter().map(|packet| match packet {
            Packet::Message { message, .. } => format!("{from}->{to} {}", print::message(message)),
            Packet::Snapshot { term, at } => format!("{from}->{to} snapshot {at} term={term}"),
        }));
    }
    lines.into_iter().for_each(|line| world.say(line));
}
