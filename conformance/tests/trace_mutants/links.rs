//! Damage of what negotiations came to. It is done where it must be seen: to links whose other end has records, and which carry something.

use crate::{
    damage::Mutant,
    tape::{At, Tape},
};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    NodeId,
    trace::{Fact, Linked, Record, What},
    wire::Version,
};

pub(crate) const MUTANTS: &[Mutant] = &[
    ("one end of a link speaks another version", &[Rule::Link], |tape, share| {
        let at = share.of(&links(tape, has_other_end))?;
        change(tape, at, |linked| linked.version = Version::Legacy);
        Some(())
    }),
    ("all links of a boot are lost", &[Rule::Link], |tape, share| {
        let at = share.of(&links(tape, |tape, at, link| hears(&tape.boots[at.0].records[at.1..], link.peer)))?;
        tape.records(at).retain(|record| !matches!(record.what, What::Linked(_)));
        tape.renumber();
        Some(())
    }),
    ("a link is with somebody else", &[Rule::Link], |tape, share| {
        let at = share.of(&links(tape, is_the_only_one))?;
        change(tape, at, |linked| linked.peer.0 += 3);
        Some(())
    }),
];

fn links(tape: &Tape, fits: impl Fn(&Tape, At, &Linked) -> bool) -> Vec<At> {
    tape.find_records(|at| linked(&tape.boots[at.0].records[at.1]).is_some_and(|linked| fits(tape, at, linked)))
}

fn change(tape: &mut Tape, at: At, change: impl FnOnce(&mut Linked)) {
    if let What::Linked(linked) = &mut tape.records(at)[at.1].what {
        change(linked);
    }
}

const fn linked(record: &Record) -> Option<&Linked> {
    match &record.what {
        What::Linked(linked) => Some(linked),
        _ => None,
    }
}

/// Whether the peer has recorded a link of these two boots, too.
fn has_other_end(tape: &Tape, at: At, link: &Linked) -> bool {
    let own = &tape.boots[at.0].header;
    let peer = tape.boots.iter().find(|boot| boot.header.node == link.peer && Some(boot.header.boot) == link.boot);
    let is_it = |other: &Linked| (other.peer, other.boot, other.dialled) == (own.node, Some(own.boot), !link.dialled);
    peer.is_some_and(|boot| boot.records.iter().filter_map(linked).any(is_it))
}

/// Whether a message of this peer is among the records.
fn hears(records: &[Record], peer: NodeId) -> bool {
    records.iter().any(|record| matches!(&record.what, What::Group { fact: Fact::Received { from, .. }, .. } if *from == peer))
}

/// Whether something comes over it before the boot has another link with this peer.
fn is_the_only_one(tape: &Tape, (boot, record): At, link: &Linked) -> bool {
    let (before, after) = tape.boots[boot].records.split_at(record);
    let is_another = |record: &Record| linked(record).is_some_and(|other| other.peer == link.peer);
    let until_next = after[1..].iter().position(is_another).map_or(after.len(), |place| place + 1);
    !before.iter().any(is_another) && hears(&after[..until_next], link.peer)
}
