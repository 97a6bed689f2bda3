//! The negotiation's world: two ends with production's `Dialer`, `Acceptor`, frames and correlator, on real bytes.
//!
//! Ends are nodes under every policy, a client, a server of NuRaft; they restart as something else, older or newer. Connections break and are made
//! again while an earlier one is still half alive; bytes arrive in pieces, a bit flips, an answer of an earlier connection comes on a later one. An
//! observer knows where each frame begins and what it says.
//!
//! What it leaves out: time (a handshake that takes too long), TLS, and frames on the answerer's own connection (which is another instance of this world).

mod bounds;
mod bytes;
mod check;
mod decisions;
pub mod mutants;
mod network;
mod session;
mod sight;
mod state;
mod tell;

pub use bounds::register;
pub use bytes::Spot;
pub use decisions::{Decisions, Remembered};
pub use state::{ACCEPTOR, Budget, Conn, DIALER, End, Half, Phase, SERVING_MAX, Said, Sent, Speaks, State, WAITING_MAX, WANTED, Wire};

use crate::world::{Law, Moved, Seen, Sight, World};
use bytes::{CUTS, OTHER_GROUP, cuts};
use network::{boast, remember};
use roadstead_spec::invariants::Broken;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The world and its bounds.
#[derive(Clone, Debug)]
pub struct Negotiation {
    /// What may run at the dialing end.
    pub dialers: &'static [End],
    /// What may run at the accepting end.
    pub acceptors: &'static [End],
    /// What may happen how often.
    pub budget: Budget,
    /// Production's decisions, or with a mistake.
    pub decisions: Decisions,
}

/// One thing that happens. Connections are named by their place among those that live, oldest first; ends by 0 (dials) and 1 (accepts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A process starts at an end, as the n-th of what may run there; one that ran before is gone.
    Start {
        /// Which end.
        end: u8,
        /// As what.
        program: u8,
    },
    /// A connection is made.
    Dial,
    /// Bytes arrive.
    Arrive {
        /// On which connection.
        conn: u8,
        /// At which end.
        end: u8,
        /// How far: a place of the front frame; [`ALL`] everything that is on its way.
        cut: u8,
    },
    /// An end learns that nothing more comes.
    End {
        /// On which connection.
        conn: u8,
        /// Which end.
        end: u8,
    },
    /// The dialer sends a request of a group.
    Request {
        /// On which connection.
        conn: u8,
        /// Of which group.
        group: u8,
    },
    /// The acceptor has the answer to a request of version 0.
    Answer {
        /// On which connection.
        conn: u8,
        /// To which of the requests that it serves.
        at: u8,
    },
    /// A bit flips on the way.
    Flip {
        /// On which connection.
        conn: u8,
        /// On the way to which end.
        end: u8,
        /// Where in the front frame.
        spot: Spot,
    },
    /// The answer of an earlier connection comes instead of this one's.
    Mix {
        /// On which connection.
        conn: u8,
    },
    /// The network breaks a connection; what is on its way is lost.
    Break {
        /// Which.
        conn: u8,
    },
    /// The dialer announces a gigabyte.
    Boast {
        /// On which connection.
        conn: u8,
    },
}

/// Everything that is on its way.
pub const ALL: u8 = CUTS as u8;

impl World for Negotiation {
    type State = State;
    type Action = Action;

    const KINDS: &'static [&'static str] = &["start", "dial", "arrive", "end", "request", "answer", "flip", "mix", "break", "boast"];

    fn initial(&self) -> State {
        State::new(self.budget)
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        if state.budget.starts > 0 {
            for (end, programs) in [self.dialers, self.acceptors].into_iter().enumerate() {
                out.extend((0..programs.len()).map(|program| Action::Start { end: end as u8, program: program as u8 }));
            }
        }
        let ready = state.ends.iter().all(Option::is_some);
        if ready && state.budget.dials > 0 && !state.conns.iter().any(|conn| conn.halves[DIALER].lives()) {
            out.push(Action::Dial);
        }
        for (at, conn) in state.conns.iter().enumerate() {
            self.of_conn(state, at as u8, conn, out);
        }
    }

    fn kind(&self, action: Action) -> usize {
        match action {
            Action::Start { .. } => 0,
            Action::Dial => 1,
            Action::Arrive { .. } => 2,
            Action::End { .. } => 3,
            Action::Request { .. } => 4,
            Action::Answer { .. } => 5,
            Action::Flip { .. } => 6,
            Action::Mix { .. } => 7,
            Action::Break { .. } => 8,
            Action::Boast { .. } => 9,
        }
    }

    fn step(&self, state: &mut State, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        match action {
            Action::Start { end, program } => self.start(state, usize::from(end), usize::from(program)),
            Action::Dial => self.dial(state),
            Action::Arrive { conn, end, cut } => self.arrive(state, usize::from(conn), usize::from(end), usize::from(cut), seen)?,
            Action::End { conn, end } => {
                let (conn, end) = (&mut state.conns[usize::from(conn)], usize::from(end));
                remember(&mut state.last, conn, end);
                session::close(conn, end);
            }
            Action::Request { conn, group } => {
                if !self.request(state, usize::from(conn), group, seen) {
                    return Ok(Moved::No);
                }
            }
            Action::Answer { conn, at } => self.answer(&mut state.conns[usize::from(conn)], usize::from(at), seen),
            Action::Flip { conn, end, spot } => {
                let conn = &mut state.conns[usize::from(conn)];
                conn.faulty = true;
                state.budget.flips -= 1;
                let wire = &mut conn.wires[usize::from(end)];
                let place = wire.sent.first().and_then(|sent| spot.place(sent.said, &wire.bytes));
                if let Some((at, bits)) = place {
                    wire.bytes[at] ^= bits;
                }
            }
            Action::Mix { conn } => self.mix(state, usize::from(conn)),
            Action::Break { conn } => {
                state.budget.breaks -= 1;
                for wire in &mut state.conns[usize::from(conn)].wires {
                    wire.bytes.clear();
                    wire.ended = true;
                }
            }
            Action::Boast { conn } => boast(state, usize::from(conn)),
        }
        state.conns.retain(|conn| conn.halves.iter().any(Half::lives));
        seen.note_if(sight::TWO, state.conns.len() > 1);
        check::stands(state)?;
        Ok(Moved::Yes)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        hasher.finish()
    }

    fn laws(&self) -> &'static [Law] {
        check::LAWS
    }

    fn sights(&self) -> &'static [Sight] {
        sight::SIGHTS
    }

    fn tell(&self, before: &State, action: Action, after: &State) -> String {
        tell::tell(self, before, action, after)
    }
}

impl Negotiation {
    fn of_conn(&self, state: &State, at: u8, conn: &Conn, out: &mut Vec<Action>) {
        for end in [DIALER, ACCEPTOR] {
            let (wire, half) = (&conn.wires[end], &conn.halves[end]);
            let place = end as u8;
            if !wire.bytes.is_empty() {
                if let Some(front) = wire.sent.first().filter(|_| state.budget.cuts > 0) {
                    let (have, all) = (half.buffer.len(), half.buffer.len() + wire.bytes.len());
                    for (cut, position) in cuts(front).into_iter().enumerate() {
                        if position > have && position < all && !cuts(front)[..cut].contains(&position) {
                            out.push(Action::Arrive { conn: at, end: place, cut: cut as u8 });
                        }
                    }
                }
                out.push(Action::Arrive { conn: at, end: place, cut: ALL });
            } else if wire.ended && half.lives() {
                out.push(Action::End { conn: at, end: place });
            }
            if state.budget.flips > 0
                && half.buffer.is_empty()
                && let Some(front) = wire.sent.first().filter(|front| wire.bytes.len() >= front.length as usize)
            {
                let frame = &wire.bytes[..front.length as usize];
                let spots = Spot::ALL.into_iter().filter(|spot| spot.place(front.said, frame).is_some());
                out.extend(spots.map(|spot| Action::Flip { conn: at, end: place, spot }));
            }
        }
        let speaks = match &conn.halves[DIALER].phase {
            Phase::Open(_) => true,
            Phase::Dialing(_) => self.decisions.early,
            Phase::Accepting(_) | Phase::Foreign | Phase::Closed => false,
        };
        if speaks && state.budget.requests > 0 {
            out.extend([0, OTHER_GROUP].map(|group| Action::Request { conn: at, group }));
        }
        if let (Phase::Open(_), true) = (&conn.halves[DIALER].phase, state.budget.boasts > 0) {
            out.push(Action::Boast { conn: at });
        }
        let serving = conn.halves[ACCEPTOR].serving.len() as u8;
        out.extend((0..serving).map(|place| Action::Answer { conn: at, at: place }));
        let answer = conn.wires[DIALER].sent.first();
        if state.budget.mixed > 0
            && answer.is_some_and(|sent| sent.said == Said::Answer && conn.wires[DIALER].bytes.len() == sent.length as usize)
            && state.recorded.as_ref().is_some_and(|(nonce, _)| *nonce != conn.nonce)
        {
            out.push(Action::Mix { conn: at });
        }
        if state.budget.breaks > 0 && conn.halves.iter().all(Half::lives) && !conn.wires[0].ended {
            out.push(Action::Break { conn: at });
        }
    }
}
