//! The negotiation's world as a run of `tla/TraceNegotiation.tla`.
//!
//! The grain: bytes that arrive are no event; what an end makes of them is. The module's dialer that does not offer opens with a ping, production's with its first
//! request: the acceptor then reads both at once. What has no word there is left out: clients and strangers, damage, answers of version 0, and restarts as the same
//! program.

use super::written::{
    Event, Run,
    path::{Teller, Way, past},
    text,
};
use roadstead_model::{
    Moved,
    negotiation::{ACCEPTOR, Action, Budget, Conn, DIALER, Decisions, End, Negotiation, Phase, Said, Speaks, State},
};
use roadstead_spec::wire::{
    Version,
    negotiation::Policy::{self, Auto, Extended, Legacy},
};

const PROGRAMS: [Speaks; 4] = [Speaks::NuRaft, Speaks::Ours(Legacy), Speaks::Ours(Auto), Speaks::Ours(Extended)];

const fn end(place: usize, speaks: Speaks) -> End {
    End::of(place, speaks)
}

const fn ours(place: usize, policy: Policy) -> End {
    end(place, Speaks::Ours(policy))
}

const WORLD: Negotiation = Negotiation {
    dialers: &[ours(DIALER, Auto), ours(DIALER, Legacy), ours(DIALER, Extended)],
    acceptors: &[end(ACCEPTOR, Speaks::NuRaft), ours(ACCEPTOR, Auto), ours(ACCEPTOR, Legacy), ours(ACCEPTOR, Extended)],
    budget: Budget { starts: 10, dials: 8, cuts: 2, requests: 8, flips: 0, mixed: 0, breaks: 1, boasts: 0 },
    decisions: Decisions::PRODUCTION,
};

/// What the run passes, in this order.
const SIGHTS: &[&str] = &[
    "NuRaft answered an offer",
    "a request of the default group arrived",
    "a hello was cut",
    "version 1 was agreed",
    "a request of another group arrived",
    "break",
    "end",
    "end",
    "two connections lived at once",
    "ends without a common version parted",
    "a second answer of version 0 arrived",
];

/// Connections on which NuRaft has read its first frame; who the run began with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Ends {
    answered: Vec<u8>,
    begin: [Option<&'static str>; 2],
    dialled: u8,
}

pub(crate) fn run() -> Run {
    let Way { teller, legs, .. } = past(WORLD, Ends::default(), SIGHTS);
    let kinds: Vec<String> = PROGRAMS.iter().filter_map(|speaks| kind(*speaks)).map(text).collect();
    let [dialer, acceptor] = teller.begin.map(|kind| text(kind.expect("both ends start")));
    let begin = [
        ("RunKinds", format!("{{{}}}", kinds.join(", "))),
        ("RunDialer", dialer),
        ("RunAcceptor", acceptor),
        ("RunConnections", teller.dialled.to_string()),
    ];
    let begin = begin.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Run { file: "TraceNegotiation.world", by: "model/tests/runs/negotiation.rs", begin, legs }
}

impl Teller<Negotiation> for Ends {
    fn tell(&mut self, before: &State, action: Action, after: &State, moved: Moved) -> Option<Vec<Event>> {
        if moved == Moved::No {
            return None;
        }
        let conn = |conn: u8| &before.conns[usize::from(conn)];
        match action {
            Action::Start { end, .. } => self.starts(before, usize::from(end), after),
            Action::Dial => {
                self.dialled = after.dialled;
                let dialled = after.conns.last()?;
                Some(vec![on("Dial", dialled).with("state", state(&dialled.halves[DIALER].phase))])
            }
            Action::Arrive { conn: at, end, .. } => {
                let (was, is) = (conn(at), after.conns.iter().find(|is| is.nonce == conn(at).nonce));
                if usize::from(end) == ACCEPTOR { self.accepts(was, is) } else { dials(was, is) }
            }
            Action::End { conn: at, end } if usize::from(end) == DIALER => {
                Some(vec![on("DialerNotices", conn(at)).with("state", text("over"))])
            }
            Action::End { conn: at, .. } => {
                // The module's dialer has sent a ping, which is read first.
                let is_unread = self.waits(conn(at)) && !offers(conn(at));
                (!is_unread).then(|| vec![on("AcceptorNotices", conn(at)).with("state", text("over"))])
            }
            // What is written to a connection that has ended goes nowhere; in the module it is not written.
            Action::Request { conn: at, .. } if conn(at).wires[ACCEPTOR].ended => None,
            Action::Request { conn: at, group } => Some(vec![on("Send", conn(at)).with("group", module_group(group))]),
            Action::Answer { .. } => Some(Vec::new()),
            Action::Break { conn: at } => Some(vec![on("Break", conn(at))]),
            Action::Flip { .. } | Action::Mix { .. } | Action::Boast { .. } => None,
        }
    }
}

impl Ends {
    fn starts(&mut self, before: &State, end: usize, after: &State) -> Option<Vec<Event>> {
        let now = kind(after.ends[end]?.0.speaks)?;
        match before.ends[end] {
            None => {
                self.begin[end] = Some(now);
                Some(Vec::new())
            }
            Some((was, _)) if kind(was.speaks) == Some(now) => None,
            Some(_) => {
                let end = if end == DIALER { "dialer" } else { "acceptor" };
                Some(vec![Event::new("Change").with("end", text(end)).with("kind", text(now))])
            }
        }
    }

    /// Whether the acceptor has not read its first frame.
    fn waits(&self, conn: &Conn) -> bool {
        match conn.halves[ACCEPTOR].phase {
            Phase::Accepting(_) => true,
            Phase::Foreign => !self.answered.contains(&conn.nonce),
            Phase::Dialing(_) | Phase::Open(_) | Phase::Closed => false,
        }
    }

    /// What the acceptor makes of bytes.
    fn accepts(&mut self, was: &Conn, is: Option<&Conn>) -> Option<Vec<Event>> {
        let waits = self.waits(was);
        let first = |state: String| on("ReadFirst", was).with("state", state);
        let Some(is) = is.filter(|is| is.halves[ACCEPTOR].lives()) else {
            // One that is open closes for want of room only.
            let at_once = offers(was) || was.ends[ACCEPTOR].0.speaks == Speaks::Ours(Extended);
            return (waits && at_once).then(|| vec![first(text("over"))]);
        };
        let sent = &was.wires[ACCEPTOR].sent;
        let read = &sent[..sent.len() - is.wires[ACCEPTOR].sent.len()];
        let phase = &is.halves[ACCEPTOR].phase;
        let mut events = Vec::new();
        if waits && (matches!(phase, Phase::Open(_)) || !read.is_empty()) {
            self.answered.push(was.nonce);
            events.push(first(state(phase)));
        }
        for sent in read {
            if let Said::Request { group, number } = sent.said {
                let message = format!("[group |-> {}, id |-> {}]", module_group(group), number + 1);
                events.push(on("ReadData", was).with("state", state(phase)).with("message", message));
            }
        }
        Some(events)
    }
}

/// What the dialer makes of bytes. Answers of version 0 are none of the module's.
fn dials(was: &Conn, is: Option<&Conn>) -> Option<Vec<Event>> {
    let phase = is.map_or(&Phase::Closed, |is| &is.halves[DIALER].phase);
    match (&was.halves[DIALER].phase, phase) {
        (Phase::Dialing(_), Phase::Dialing(_)) | (Phase::Open(_), Phase::Open(_)) => Some(Vec::new()),
        (Phase::Dialing(_), _) => Some(vec![on("ReadAnswer", was).with("state", state(phase))]),
        _ => None,
    }
}

fn on(name: &str, conn: &Conn) -> Event {
    Event::new(name).with("connection", conn.nonce + 1)
}

fn offers(conn: &Conn) -> bool {
    conn.ends[DIALER].0.speaks != Speaks::Ours(Legacy)
}

fn kind(speaks: Speaks) -> Option<&'static str> {
    match speaks {
        Speaks::NuRaft => Some("nuraft"),
        Speaks::Ours(Legacy) => Some("legacy"),
        Speaks::Ours(Auto) => Some("auto1"),
        Speaks::Ours(Extended) => Some("extended1"),
        Speaks::Client | Speaks::Hostile => None,
    }
}

fn state(phase: &Phase) -> String {
    text(match phase {
        Phase::Dialing(_) => "offered",
        Phase::Accepting(_) => "waiting",
        Phase::Open(Version::Legacy) | Phase::Foreign => "v0",
        Phase::Open(Version::Extended) => "v1",
        Phase::Closed => "over",
    })
}

/// The module has two groups.
fn module_group(group: u8) -> u8 {
    group.min(1)
}
