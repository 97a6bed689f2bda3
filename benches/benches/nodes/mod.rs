//! Three whole nodes in one thread, but for sockets, disks and threads: the real shards, sessions, storage machine and applier.
//!
//! Frames go from shard to shard as bytes through the port's sessions: encoded, copied once as a socket would, found, checked and decoded.

use bytes::{Bytes, BytesMut};
use roadstead::{
    applier::{Applier, Done, Job, StateEpoch},
    config,
    port::session::{Remote, Session, SessionLimits},
    shard::{Input, Lifecycle, Millis, OpenGroup, Operation, Outputs, ReplyTo, Request, Response, Shard, ShardOptions},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
    store::{
        Change, Expected, GroupRecord, NewGroup, Protocol, Recovered, Seams, Storage, Store, Submission, Write, memory::MemoryEngine,
        witness_file::MemoryFile,
    },
};
use roadstead_spec::{
    GroupId, Incarnation, NodeId,
    wire::{
        self, ClusterId, StoreId,
        negotiation::{FEATURES, Known, Local, Policy},
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Bytes of a command.
const PAYLOAD_BYTES: usize = 128;
const CLUSTER: u128 = 0xc1;
const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const KNOWN: Known = Known::Peer { store: None };
/// The clock of the nodes runs as if they did a million entries a second, so that heartbeats and checkpoints come as often as they would.
const ENTRIES_PER_MILLISECOND: u64 = 1_000;
const DEADLINE_MS: u64 = 5_000;

/// What makes the log durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Nothing: a write is done when it is submitted.
    Nothing,
    /// The storage machine over a store in memory: entries are packed, summed and inserted, compacted ones deleted.
    Memory,
}

/// The smallest state machine that keeps something: how many commands there were, as one item per batch.
#[derive(Default)]
struct Count(u64);

impl StateMachine for Count {
    fn open(&mut self, state: &dyn StateRead) -> Result<(), StateMachineError> {
        let stored = state.get(b"count")?.and_then(|bytes| <[u8; 8]>::try_from(&bytes[..]).ok());
        self.0 = stored.map_or(0, u64::from_be_bytes);
        Ok(())
    }

    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        self.0 += commands.len() as u64;
        state.put(Bytes::from_static(b"count"), Bytes::copy_from_slice(&self.0.to_be_bytes()));
        answers.extend(commands.iter().map(|_| Bytes::new()));
        Ok(())
    }

    fn query(&self, _: &[u8], _: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        Ok(Bytes::copy_from_slice(&self.0.to_be_bytes()))
    }
}

/// The receiving end of the connection that a peer sends on.
struct Link {
    from: NodeId,
    session: Session,
    buffer: BytesMut,
}

struct Node {
    id: NodeId,
    shard: Shard,
    storage: Option<Storage>,
    applier: Applier,
    links: Vec<Link>,
    inbox: Vec<Input>,
    committed: u64,
}

/// A cluster of three with some groups.
pub(crate) struct Nodes {
    nodes: [Node; 3],
    groups: Vec<GroupId>,
    /// Of each group, in the order of `groups`.
    leaders: Vec<usize>,
    now: Millis,
    entries: u64,
    tokens: u64,
}

impl Nodes {
    /// A cluster whose groups have leaders.
    pub(crate) fn elected(groups: i32, log: Log) -> Self {
        let groups: Vec<GroupId> = (1..=groups).filter_map(GroupId::new).collect();
        let nodes = NODES.map(|id| Node::new(id, &groups, log));
        let mut cluster = Self { nodes, leaders: Vec::new(), groups, now: Millis(0), entries: 0, tokens: 0 };
        let patience = Millis(60_000);
        while cluster.leaders.len() < cluster.groups.len() && cluster.now < patience {
            cluster.now = cluster.now.plus(10);
            cluster.settle(true);
            cluster.leaders = cluster.groups.iter().filter_map(|group| cluster.leader(*group)).collect();
        }
        assert_eq!(cluster.leaders.len(), cluster.groups.len(), "every group has a leader");
        cluster
    }

    fn leader(&self, group: GroupId) -> Option<usize> {
        let leads = |node: &Node| node.shard.status(group).is_some_and(|status| status.leader == Some(node.id.0));
        self.nodes.iter().position(leads)
    }

    /// Proposes so many commands to each group in one turn of its leader, and works until all of them are committed, applied and answered.
    pub(crate) fn commit(&mut self, batch: usize) {
        // One block, as a read of a socket is: the commands are parts of it.
        let block = Bytes::from(vec![7; batch * PAYLOAD_BYTES]);
        let deadline = self.now.plus(DEADLINE_MS);
        let before = self.committed();
        for (group, leader) in self.groups.iter().zip(&self.leaders) {
            let Some(node) = self.nodes.get_mut(*leader) else { continue };
            node.inbox.reserve(batch);
            for number in 0..batch {
                self.tokens += 1;
                let operation = Operation::Write(block.slice(number * PAYLOAD_BYTES..(number + 1) * PAYLOAD_BYTES));
                let request = Request { operation, deadline, reply: ReplyTo::Local(self.tokens) };
                node.inbox.push(Input::Local { group: *group, request });
            }
        }
        let count = (batch * self.groups.len()) as u64;
        self.entries += count;
        self.now = self.now.max(Millis(self.now.0 + self.entries / ENTRIES_PER_MILLISECOND));
        self.entries %= ENTRIES_PER_MILLISECOND;
        self.settle(false);
        assert_eq!(self.committed() - before, count, "the batch is committed and answered when the call returns");
    }

    /// Writes that were acknowledged.
    fn committed(&self) -> u64 {
        self.nodes.iter().map(|node| node.committed).sum()
    }

    /// Turns until nobody has anything to do; `idle` ones too, for their timers.
    fn settle(&mut self, mut idle: bool) {
        loop {
            let mut worked = false;
            for place in 0..self.nodes.len() {
                let Some(node) = self.nodes.get_mut(place) else { continue };
                if !idle && node.inbox.is_empty() && node.shard.next_deadline() > self.now {
                    continue;
                }
                worked = true;
                let outputs = node.turn(self.now);
                let from = node.id;
                for (to, frames) in outputs {
                    self.nodes[to.0 as usize - 1].receive(from, &frames, self.now);
                }
            }
            if !worked {
                return;
            }
            idle = false;
        }
    }
}

impl Node {
    fn new(id: NodeId, groups: &[GroupId], log: Log) -> Self {
        let seams = Seams {
            log: Arc::new(MemoryEngine::new()),
            state: Arc::new(MemoryEngine::new()),
            witness: Box::new(MemoryFile::default()),
            fresh_store: id.0.into(),
        };
        let mut store = Store::open_with(seams, Expected { cluster: CLUSTER, node: id }).expect("a new store");
        let options = ShardOptions {
            node: id,
            boot: store.boot,
            timers: config::Timers::default(),
            limits: config::Limits::default(),
            wire: wire::Limits::default(),
            addresses: BTreeMap::new(),
            traced: false,
        };
        let mut shard = Shard::new(options, id.0.into());
        for group in groups {
            let record = create(&mut store, *group);
            shard.open(Millis(0), opening(record)).expect("a new group");
        }
        let peers = || NODES.into_iter().filter(|peer| *peer != id);
        Self {
            id,
            shard,
            storage: (log == Log::Memory).then_some(store.storage),
            applier: Applier::new(store.state),
            links: peers().map(|peer| Link::between(peer, id)).collect(),
            inbox: peers().map(Input::PeerUp).collect(),
            committed: 0,
        }
    }

    /// One turn, and what disk and state machines say to it; returns the frames for the peers.
    fn turn(&mut self, now: Millis) -> Vec<(NodeId, Vec<u8>)> {
        let Outputs {
            mut submissions,
            peers,
            clients,
            mut jobs,
            log_reads,
            local,
            lifecycle,
            legacy_requests,
            legacy_answers,
            closes,
            trace,
            dump,
        } = self.shard.turn(now, true, &mut self.inbox);
        assert!(clients.is_empty() && log_reads.is_empty(), "all clients are local, all entries that are needed are in memory");
        assert!(trace.is_empty() && dump.is_none(), "nothing is recorded but the last records, and nothing is wrong");
        assert!(legacy_requests.is_empty() && legacy_answers.is_empty() && closes.is_empty(), "all peers speak the extended header");
        assert!(lifecycle.iter().all(|change| !matches!(change, Lifecycle::Failed(..))), "no group fails: {lifecycle:?}");
        if !submissions.is_empty() {
            let completions = self.make_durable(&mut submissions);
            self.inbox.push(Input::Durable(completions));
        }
        if !jobs.is_empty() {
            let done = self.apply(now, &mut jobs);
            self.inbox.push(Input::Done(done));
        }
        for (_, response) in local {
            assert!(matches!(response, Response::Committed { .. }), "{response:?}");
            self.committed += 1;
        }
        peers
    }

    fn make_durable(&mut self, submissions: &mut Vec<Submission>) -> Vec<roadstead::store::Completion> {
        match &mut self.storage {
            Some(storage) => storage.turn(submissions).expect("memory does not fail"),
            None => submissions.drain(..).map(|submission| submission.completion()).collect(),
        }
    }

    fn apply(&mut self, now: Millis, jobs: &mut Vec<Job>) -> Vec<Done> {
        let mut done = self.applier.turn(Duration::from_millis(now.0), jobs).expect("memory does not fail");
        while let Some(ticket) = self.applier.sync_wanted() {
            let synced = ticket.sync().expect("memory does not fail");
            done.extend(self.applier.synced(&synced));
        }
        done
    }

    fn receive(&mut self, from: NodeId, frames: &[u8], now: Millis) {
        let Some(link) = self.links.iter_mut().find(|link| link.from == from) else { return };
        link.buffer.extend_from_slice(frames);
        let turn = link.session.on_bytes(Duration::from_millis(now.0), &mut link.buffer, |_| KNOWN);
        assert!(turn.close.is_none(), "{:?}", turn.close);
        self.inbox.push(Input::PeerFrames { peer: from, frames: turn.frames });
    }
}

impl Link {
    fn between(from: NodeId, to: NodeId) -> Self {
        let long = Duration::from_secs(3_600);
        let limits = SessionLimits { frames: wire::Limits::default(), handshake: long, read: long };
        let local = |node: NodeId| Local {
            node,
            cluster: ClusterId(CLUSTER),
            store: StoreId(node.0.into()),
            boot: 1,
            features: FEATURES,
            policy: Policy::Auto,
        };
        let (mut dialing, offer) = Session::dial(Duration::ZERO, local(from), limits, to, None, 1);
        let mut session = Session::accept(Duration::ZERO, local(to), limits);
        let answer = session.on_bytes(Duration::ZERO, &mut BytesMut::from(&offer.write[..]), |_| KNOWN);
        let agreed = dialing.on_bytes(Duration::ZERO, &mut BytesMut::from(&answer.write[..]), |_| KNOWN);
        let is_extended = matches!(agreed.opened, Some(Remote::Node { version: wire::Version::Extended, .. }));
        assert!(is_extended, "the ends agree on version 1: {agreed:?}");
        Self { from, session, buffer: BytesMut::new() }
    }
}

fn create(store: &mut Store, group: GroupId) -> GroupRecord {
    let new = NewGroup {
        group,
        generation: 1,
        incarnation: Incarnation(group.get().unsigned_abs().into()),
        service: "count".to_owned(),
        protocol: Protocol::Raft,
        members: NODES.to_vec(),
        timers: Vec::new(),
    };
    let (record, change) = store.registry.plan_create(new).expect("a new group");
    register(store, change);
    record
}

fn register(store: &mut Store, change: Change) {
    let local = change.local();
    let submission = Submission { local, incarnation: Incarnation::default(), ticket: 0, write: Write::Registry(change) };
    store.storage.turn(&mut vec![submission]).expect("memory does not fail");
}

fn opening(record: GroupRecord) -> OpenGroup {
    let empty = Recovered { hard: Default::default(), base: Default::default(), runs: Vec::new(), last: Default::default() };
    OpenGroup { record, recovered: Ok(empty), epoch: StateEpoch(1), machine: Ok(Box::<Count>::default()) }
}
