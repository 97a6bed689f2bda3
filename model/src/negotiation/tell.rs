//! How a step of the negotiation's world is told.

use super::{ALL, Action, Negotiation, Phase, State, Wire};
use std::fmt::Write;

const ENDS: [&str; 2] = ["the dialer", "the acceptor"];

pub(super) fn tell(world: &Negotiation, before: &State, action: Action, after: &State) -> String {
    let nonce = |conn: u8| before.conns.get(usize::from(conn)).map_or(u8::MAX, |conn| conn.nonce);
    let end_of = |end: u8| ENDS[usize::from(end) % 2];
    let mut told = match action {
        Action::Start { end, program } => {
            let programs = [world.dialers, world.acceptors][usize::from(end) % 2];
            format!("{} starts as {:?}", end_of(end), programs.get(usize::from(program)))
        }
        Action::Dial => format!("the dialer makes connection {}", before.dialled),
        Action::Arrive { conn, end, cut } => {
            let wire = before.conns.get(usize::from(conn)).map(|conn| &conn.wires[usize::from(end) % 2]);
            let what = wire.map_or_else(String::new, contents);
            let how = if cut == ALL { "everything" } else { "a part" };
            format!("connection {}: {how} of {what} arrives at {}", nonce(conn), end_of(end))
        }
        Action::End { conn, end } => format!("connection {}: {} learns that it has ended", nonce(conn), end_of(end)),
        Action::Request { conn, group } => format!("connection {}: the dialer sends a request of group {group}", nonce(conn)),
        Action::Answer { conn, at } => format!("connection {}: the acceptor has the answer to its request number {at}", nonce(conn)),
        Action::Flip { conn, end, spot } => format!("connection {}: a bit of the frame to {} flips ({spot:?})", nonce(conn), end_of(end)),
        Action::Mix { conn } => format!("connection {}: an earlier connection's answer comes instead of its own", nonce(conn)),
        Action::Break { conn } => format!("connection {}: the network breaks it", nonce(conn)),
        Action::Boast { conn } => format!("connection {}: the dialer announces a gigabyte", nonce(conn)),
    };
    for conn in &after.conns {
        let was = before.conns.iter().find(|was| was.nonce == conn.nonce);
        for (place, half) in conn.halves.iter().enumerate() {
            let phase = phase(&half.phase);
            if was.map(|was| self::phase(&was.halves[place].phase)) != Some(phase) {
                let _ = write!(told, "; {} {phase}", ENDS[place]);
            }
        }
    }
    told
}

fn contents(wire: &Wire) -> String {
    let frames: Vec<String> = wire.sent.iter().map(|sent| format!("{:?} ({} bytes)", sent.said, sent.length)).collect();
    format!("[{}], {} bytes of it on their way", frames.join(", "), wire.bytes.len())
}

fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Dialing(_) => "has offered",
        Phase::Accepting(_) => "listens",
        Phase::Foreign => "reads as NuRaft does",
        Phase::Open(roadstead_spec::wire::Version::Legacy) => "speaks version 0",
        Phase::Open(roadstead_spec::wire::Version::Extended) => "speaks version 1",
        Phase::Closed => "has closed",
    }
}
