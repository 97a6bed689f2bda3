//! The negotiation's laws.

use super::state::{ACCEPTOR, Conn, DIALER, End, Phase, Speaks, State, WANTED, features};
use crate::world::Law;
use roadstead_spec::{
    invariants::Broken,
    wire::{
        Version,
        negotiation::{Link, Policy},
    },
};

pub(super) const LAWS: &[Law] = &[
    Law {
        id: "I-W1",
        statement: "two ends that are open speak the same version and know each other's features",
        source: "docs/wire.md, negotiation",
    },
    Law {
        id: "I-W2",
        statement: "an undamaged negotiation between the right ends settles on the highest version that both take, or on none if there is none",
        source: "docs/wire.md, negotiation",
    },
    Law { id: "I-W3", statement: "over version 0 only the default group is spoken", source: "docs/wire.md, version 0" },
    Law {
        id: "I-W4",
        statement: "every frame is read from its first byte to its last, in the layout in which it was written, however bytes are cut",
        source: "docs/wire.md, negotiation",
    },
    Law { id: "I-W5", statement: "over version 0 the k-th answer is taken for the k-th request's", source: "docs/wire.md, version 0" },
    Law { id: "I-W6", statement: "what is read is what was written", source: "docs/wire.md, version 1" },
    Law { id: "I-W7", statement: "no more room is made for a frame than the largest one takes", source: "docs/wire.md, limits" },
    Law {
        id: "I-W8",
        statement: "version 1 is agreed with the node that was meant, of the same cluster and with the data folder that it always had",
        source: "docs/wire.md, negotiation",
    },
    Law {
        id: "I-W9",
        statement: "nothing that carries a nonce is taken for another connection's; what carries none costs the connection at most",
        source: "docs/wire.md, negotiation",
    },
    Law { id: "I-W10", statement: "a negotiation whose bytes have all arrived is over at both ends", source: "docs/wire.md, negotiation" },
];

pub(super) fn broken(law: &'static str, values: String) -> Broken {
    Broken { law, values }
}

/// What an end should make of an undamaged connection; `None`: nothing.
pub(super) fn expected(state: &State, conn: &Conn, place: usize) -> Option<Version> {
    let (dialer, acceptor) = (conn.ends[DIALER].0, conn.ends[ACCEPTOR].0);
    match (dialer.speaks, acceptor.speaks) {
        (Speaks::Hostile, _) => None,
        (Speaks::Ours(Policy::Legacy) | Speaks::NuRaft, Speaks::Ours(Policy::Extended)) => (place == DIALER).then_some(Version::Legacy),
        (Speaks::Ours(Policy::Legacy) | Speaks::NuRaft, _) => Some(Version::Legacy),
        (Speaks::Ours(Policy::Extended) | Speaks::Client, Speaks::NuRaft) => None,
        (Speaks::Ours(Policy::Extended), Speaks::Ours(Policy::Legacy)) => None,
        (Speaks::Ours(Policy::Auto), Speaks::Ours(Policy::Legacy) | Speaks::NuRaft) => {
            (place == ACCEPTOR || acceptor.node == WANTED).then_some(Version::Legacy)
        }
        (Speaks::Ours(_) | Speaks::Client, Speaks::Ours(_) | Speaks::Client | Speaks::Hostile) => {
            is_right(state, (dialer, acceptor), place).then_some(Version::Extended)
        }
    }
}

/// Whether version 1 may be agreed, as far as this end can know. The acceptor cannot know that its own data folder is not the one that the dialer remembers.
fn is_right(state: &State, (dialer, acceptor): (End, End), place: usize) -> bool {
    let same = |met: Option<u8>, store: u8| met.is_none_or(|met| met == store);
    let is_client = dialer.speaks == Speaks::Client;
    dialer.cluster == acceptor.cluster
        && acceptor.node == WANTED
        && (is_client || dialer.node == 1)
        && (is_client || same(state.met[ACCEPTOR], dialer.store))
        && (place == ACCEPTOR || is_client || same(state.met[DIALER], acceptor.store))
}

/// An end has agreed to a link: might it?
pub(super) fn agreed(state: &State, conn: &Conn, place: usize, link: &Link) -> Result<(), Broken> {
    let (dialer, acceptor) = (conn.ends[DIALER].0, conn.ends[ACCEPTOR].0);
    let whom = || format!("{dialer:?} and {acceptor:?} agreed on {link:?} (end {place})");
    let is_open = expected(state, conn, place);
    if !is_right(state, (dialer, acceptor), place) && link.version() == Version::Extended {
        return Err(broken("I-W8", whom()));
    }
    if link.version() == Version::Legacy
        && place == DIALER
        && acceptor.node != WANTED
        && !matches!(dialer.speaks, Speaks::Ours(Policy::Legacy))
    {
        return Err(broken("I-W8", whom()));
    }
    if !conn.faulty && is_open != Some(link.version()) {
        return Err(broken("I-W2", format!("{}, expected {is_open:?}", whom())));
    }
    let other = conn.ends[1 - place];
    if let Link::Node(identity) = link
        && (identity.node.0, identity.store.0) != (other.0.node.into(), other.0.store.into())
    {
        return Err(broken("I-W8", whom()));
    }
    let known = match link {
        Link::Legacy => true,
        Link::Node(identity) => identity.features == features(other.0.node) && identity.boot == u64::from(other.1),
        Link::Client { features: found, .. } => *found == features(0),
    };
    if known { Ok(()) } else { Err(broken("I-W1", whom())) }
}

/// An end has refused: might it?
pub(super) fn refused(state: &State, conn: &Conn, place: usize, why: &str) -> Result<(), Broken> {
    // What the other end may not agree to, this end may hear of.
    let either = expected(state, conn, place).and(expected(state, conn, 1 - place));
    match either {
        Some(version) if !conn.faulty => {
            let values = format!("{:?} and {:?} could speak {version:?}, and end {place} refused: {why}", conn.ends[0].0, conn.ends[1].0);
            Err(broken("I-W2", values))
        }
        _ => Ok(()),
    }
}

/// Laws of the connections as they stand.
pub(super) fn stands(state: &State) -> Result<(), Broken> {
    for conn in &state.conns {
        let [dialer, acceptor] = &conn.halves;
        if let (Phase::Open(one), Phase::Open(other)) = (&dialer.phase, &acceptor.phase)
            && one != other
            && !conn.nonceless
        {
            return Err(broken("I-W1", format!("connection {}: the dialer speaks {one:?}, the acceptor {other:?}", conn.nonce)));
        }
        if let (Phase::Open(Version::Extended), Phase::Accepting(_)) = (&dialer.phase, &acceptor.phase) {
            return Err(broken("I-W1", format!("connection {}: the dialer is open and the acceptor has not agreed", conn.nonce)));
        }
        let quiet = conn.wires.iter().all(|wire| wire.bytes.is_empty() && !wire.ended);
        let waits = matches!(dialer.phase, Phase::Dialing(_));
        if quiet && waits && !conn.faulty {
            return Err(broken("I-W10", format!("connection {}: everything has arrived, and the dialer waits for ever", conn.nonce)));
        }
    }
    Ok(())
}
