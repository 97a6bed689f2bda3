//! One run: a calendar of events, executed one after the other. Everything that is drawn comes from the plan's seed, so the same plan gives the same
//! run, event by event and byte by byte.

use super::{
    bug::Bug,
    clients::{Clients, Sent},
    disk::{Disk, Loss},
    evidence::Evidence,
    life::{Birth, Life, NoStart},
    network::{ConnNumber, Network, Side},
    plan::{Fault, Micros, Plan, SECOND},
    spoil::Spoiler,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use roadstead::shard::{Input, Operation, Rejection, ReplyTo, Request, Response};
use roadstead_spec::{GroupId, NodeId, wire::negotiation::Policy};
use std::{collections::BTreeMap, path::PathBuf};

/// How long a client waits for an answer.
const PATIENCE_MS: u64 = 3_000;

/// Requests without a history are numbered from here on, by node.
const PROBES: u64 = 1 << 62;

/// Marks the second request of a client that asks twice: nobody waits for its answer.
const TWICE: u64 = 1 << 61;

/// What happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A node looks at its inbox and its timers.
    Turn {
        node: NodeId,
        life: u64,
    },
    /// Something reaches the end of a connection.
    Arrive {
        conn: ConnNumber,
        to: Side,
    },
    /// A connection may have waited long enough.
    Overdue {
        conn: ConnNumber,
        side: Side,
    },
    /// A node dials a peer.
    Dial {
        node: NodeId,
        life: u64,
        peer: NodeId,
    },
    /// The disk has done its round.
    Disk {
        node: NodeId,
        life: u64,
    },
    /// The applier has time.
    Apply {
        node: NodeId,
        life: u64,
    },
    /// The state database is synced.
    Synced {
        node: NodeId,
        life: u64,
    },
    /// Entries were read from the log.
    Read {
        node: NodeId,
        life: u64,
    },
    /// A client asks.
    Client(usize),
    /// A fault begins, and ends.
    Begin(usize),
    End(usize),
    /// A node is started.
    Start(NodeId),
}

/// A node: its disk, and its process while there is one.
pub(super) struct Node {
    pub(super) disk: Disk,
    pub(super) life: Option<Life>,
    /// It stands still until then.
    pub(super) paused_until: Micros,
    /// Each round of its disk takes so much longer, at most.
    pub(super) disk_slow: Micros,
    /// How the connections of its next life begin.
    pub(super) policy: Policy,
    /// A bit of its disk was flipped: it may refuse to start, or stop groups.
    pub(super) damaged: Option<String>,
    /// Faults that keep it down.
    pub(super) kept_down: usize,
    /// It may not take part any more.
    pub(super) refused: Option<String>,
    /// A copy of its disk as it was at its previous end: kept for a planted mistake.
    backup: Option<Disk>,
}

/// A run.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) now: Micros,
    calendar: BTreeMap<(Micros, u64), Event>,
    events: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) clients: Clients,
    /// Answers to probes.
    pub(super) probed: Vec<(NodeId, Response)>,
    pub(super) evidence: Evidence,
    pub(super) spoiler: Spoiler,
    pub(super) rng: StdRng,
    lives: u64,
    /// Clients ask, faults begin.
    pub(super) busy: bool,
}

impl World {
    pub(super) fn new(plan: Plan, folder: Option<PathBuf>) -> Self {
        let seeded = |salt: u64| StdRng::seed_from_u64(plan.seed ^ salt);
        let node = |_| Node {
            disk: Disk::new(plan.bug),
            life: None,
            paused_until: 0,
            disk_slow: 0,
            policy: Policy::Auto,
            damaged: None,
            kept_down: 0,
            refused: None,
            backup: None,
        };
        let mut world = Self {
            now: 0,
            calendar: BTreeMap::new(),
            events: 0,
            nodes: plan.members().into_iter().map(node).collect(),
            network: Network::new(plan.tuning.network_max, seeded(0x4e45_7457)),
            clients: Clients::new(&plan),
            probed: Vec::new(),
            evidence: Evidence::new(plan.members(), folder),
            spoiler: Spoiler::new(plan.bug),
            rng: seeded(0x0077_0e1d),
            lives: 0,
            busy: true,
            plan,
        };
        for node in world.plan.members() {
            world.at(0, Event::Start(node));
        }
        for client in 0..world.plan.clients {
            world.at(SECOND, Event::Client(client));
        }
        let faults: Vec<Fault> = world.plan.faults.clone();
        for (number, fault) in faults.iter().enumerate() {
            world.at(fault.at, Event::Begin(number));
            world.at(fault.at + fault.lasts, Event::End(number));
        }
        world
    }

    /// Puts an event on the calendar.
    pub(super) fn at(&mut self, moment: Micros, event: Event) {
        self.events += 1;
        self.calendar.insert((moment.max(self.now), self.events), event);
    }

    /// Executes events until `until`, or until something breaks.
    pub(super) fn run(&mut self, until: Micros) {
        while self.evidence.broken.is_none()
            && let Some(entry) = self.calendar.first_entry()
            && entry.key().0 <= until
        {
            let ((moment, _), event) = entry.remove_entry();
            (self.now, self.evidence.now) = (moment, moment);
            self.execute(event);
        }
        let now = self.now.max(until);
        (self.now, self.evidence.now) = (now, now);
    }

    fn execute(&mut self, event: Event) {
        match event {
            Event::Turn { node, life } => self.turn_due(node, life),
            Event::Arrive { conn, to } => self.arrive(conn, to),
            Event::Overdue { conn, side } => self.overdue(conn, side),
            Event::Dial { node, life, peer } => self.dial(node, life, peer),
            Event::Disk { node, life } => self.disk_done(node, life),
            Event::Apply { node, life } => self.apply(node, life),
            Event::Synced { node, life } => self.state_synced(node, life),
            Event::Read { node, life } => self.log_read(node, life),
            Event::Client(client) => self.client(client),
            Event::Begin(number) => self.begin(number),
            Event::End(number) => self.end(number),
            Event::Start(node) => self.start(node),
        }
    }

    pub(super) fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize - 1]
    }

    /// A node's life, if it is still this one.
    pub(super) fn life(&mut self, id: NodeId, life: u64) -> Option<&mut Life> {
        self.node(id).life.as_mut().filter(|current| current.number == life)
    }

    /// If the node stands still, the event happens when it goes on.
    pub(super) fn postponed(&mut self, id: NodeId, event: impl FnOnce() -> Event) -> bool {
        let until = self.node(id).paused_until;
        let stands = until > self.now;
        if stands {
            self.at(until, event());
        }
        stands
    }

    fn client(&mut self, client: usize) {
        if self.busy {
            let sent = self.clients.next(client);
            self.ask(sent);
        }
    }

    /// Puts a request into a node's inbox.
    pub(super) fn ask(&mut self, sent: Sent) {
        let (now, twice) = (self.now, self.plan.bug == Some(Bug::RequestTwice));
        let Sent { token, node, group, asked } = sent;
        let Some(life) = self.node(node).life.as_mut().filter(|life| life.opening.is_empty()) else {
            let refused = Response::Rejected(Rejection::ShuttingDown);
            return self.answer(token, &refused);
        };
        let deadline = life.clock(now).plus(PATIENCE_MS);
        let request = Request { operation: asked, deadline, reply: ReplyTo::Local(token) };
        let number = life.number;
        if twice && matches!(request.operation, Operation::Write(_)) {
            life.inbox.push(Input::Local { group, request: Request { reply: ReplyTo::Local(TWICE | token), ..request.clone() } });
        }
        life.inbox.push(Input::Local { group, request });
        self.wake(node, number);
    }

    /// Asks a node something of which no history is kept; the answer comes into `probed`.
    pub(super) fn probe(&mut self, node: NodeId, group: GroupId, asked: Operation) {
        self.ask(Sent { token: PROBES + u64::from(node.0), node, group, asked });
    }

    /// A client has its answer.
    pub(super) fn answer(&mut self, token: u64, response: &Response) {
        if token >= PROBES {
            self.probed.push((NodeId((token - PROBES) as u32), response.clone()));
            return;
        }
        match self.clients.answer(token, response) {
            Ok(Some(client)) => self.client_goes_on(client),
            Ok(None) => {}
            Err(why) => self.violated(None, why),
        }
    }

    fn client_goes_on(&mut self, client: usize) {
        let pause = self.clients.pause();
        self.at(self.now + pause, Event::Client(client));
    }

    /// Starts a node that is down, if nothing keeps it down.
    pub(super) fn start(&mut self, id: NodeId) {
        let node = self.node(id);
        if node.life.is_some() || node.kept_down > 0 || node.refused.is_some() {
            return;
        }
        self.lives += 1;
        let (number, seed) = (self.lives, self.rng.random());
        let other = NodeId(id.0 % self.plan.nodes + 1);
        let is_other = self.plan.bug == Some(Bug::OtherNodesId) && number > u64::from(self.plan.nodes);
        let birth = Birth { node: if is_other { other } else { id }, number, now: self.now, seed, policy: self.node(id).policy };
        let begun = Life::begin(&self.nodes[id.0 as usize - 1].disk, &self.plan, &birth);
        match begun {
            Ok(life) => {
                let boot = life.boot;
                self.node(id).life = Some(life);
                self.evidence.begin(id, boot);
                self.start_disk(id, number);
                self.wake(id, number);
            }
            Err(_) if self.node(id).disk.power.is_out() => {
                self.crash(id, Loss::Power);
                self.start_soon(id);
            }
            Err(NoStart::Store(error)) if self.node(id).damaged.is_some() => self.node(id).refused = Some(error.to_string()),
            Err(error) => {
                let damage = self.node(id).damaged.clone().unwrap_or_default();
                self.violated(Some(id), format!("node {id} does not start: {error} {damage}"));
            }
        }
    }

    /// Ends a node's process.
    pub(super) fn crash(&mut self, id: NodeId, loss: Loss) {
        let life = self.node(id).life.take();
        if let Some(life) = &life {
            self.drop_connections(id, life.number, loss);
        }
        let disk = self.nodes[id.0 as usize - 1].disk.after(loss, &mut self.rng);
        self.node(id).disk = match self.plan.bug {
            Some(Bug::WipedDisk) => Disk::new(self.plan.bug),
            Some(Bug::OldBackup) => {
                let copy = disk.after(Loss::Process, &mut self.rng);
                self.node(id).backup.replace(copy).unwrap_or(disk)
            }
            _ => disk,
        };
        if life.is_none() {
            return;
        }
        self.evidence.end(id);
        for client in self.clients.forget(id) {
            self.client_goes_on(client);
        }
    }

    /// Hears what a node recorded.
    pub(super) fn record(&mut self, id: NodeId, bytes: &[u8]) {
        if self.plan.bug == Some(Bug::RecordLost) && self.events % 1_000 == 999 {
            return;
        }
        self.evidence.record(id, bytes);
    }

    /// Something is wrong; the first one counts.
    pub(super) fn violated(&mut self, node: Option<NodeId>, what: String) {
        self.evidence.violated(node, what);
    }

    /// Events that were executed or wait.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }
}
