//! Damage of what negotiations came to.

use crate::{
    damage::Mutant,
    tape::{At, Tape},
};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{trace::What, wire::Version};

pub(crate) const MUTANTS: &[Mutant] = &[
    ("one end of a link speaks another version", &[Rule::Link], |tape, share| {
        let at = share.of(&linked(tape))?;
        if let What::Linked(linked) = &mut tape.records(at)[at.1].what {
            linked.version = Version::Legacy;
        }
        Some(())
    }),
    ("all links of a boot are lost", &[Rule::Link], |tape, share| {
        let at = share.of(&linked(tape))?;
        tape.records(at).retain(|record| !matches!(record.what, What::Linked(_)));
        tape.renumber();
        Some(())
    }),
    ("a link is with somebody else", &[Rule::Link], |tape, _| {
        // The first that a node was dialled by: what comes over it is not from whom it seems to be.
        let accepted = |at: &&At| matches!(tape.boots[at.0].records[at.1].what, What::Linked(linked) if !linked.dialled);
        let at = *linked(tape).iter().find(accepted)?;
        if let What::Linked(linked) = &mut tape.records(at)[at.1].what {
            linked.peer.0 += 3;
        }
        Some(())
    }),
];

fn linked(tape: &Tape) -> Vec<At> {
    let all = tape.boots.iter().enumerate().flat_map(|(boot, file)| (0..file.records.len()).map(move |record| (boot, record)));
    all.filter(|at| matches!(tape.boots[at.0].records[at.1].what, What::Linked(_))).collect()
}
