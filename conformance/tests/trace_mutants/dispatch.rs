//! Damage of what the dispatcher did.

use crate::{
    damage::{Mutant, Share},
    tape::{At, Tape, seat},
};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    Incarnation, NodeId,
    dispatch::{NotRegistered, Unroutable},
    trace::{Dispatched, Fact, What},
};

pub(crate) const MUTANTS: &[Mutant] = &[
    ("a registration is lost", &[Rule::Dispatch], |tape, share| {
        let at = one(tape, share, |step| matches!(step, Dispatched::Register { .. }))?;
        tape.records(at).remove(at.1);
        tape.renumber();
        Some(())
    }),
    ("a group is registered twice", &[Rule::Dispatch], |tape, share| {
        let at = one(tape, share, |step| matches!(step, Dispatched::Register { .. }))?;
        let record = tape.records(at)[at.1].clone();
        tape.records(at).insert(at.1 + 1, record);
        tape.renumber();
        Some(())
    }),
    ("a registration counts as refused", &[Rule::Dispatch], |tape, share| {
        edit(tape, share, |step| {
            if let Dispatched::Register { group, incarnation, refused } = step {
                *refused = Some(NotRegistered::AlreadyRegistered { group: *group, incarnation: *incarnation });
            }
        })
    }),
    ("a registered group is refused", &[Rule::Dispatch], |tape, share| {
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Received { .. })))?;
        let mut record = tape.records(at)[at.1].clone();
        let (group, incarnation) = seat(&record)?;
        record.what = What::Dispatched(Dispatched::Refuse { from: NodeId(1), group, incarnation, why: Unroutable::NoSuchGroup(group) });
        tape.records(at).insert(at.1, record);
        tape.renumber();
        Some(())
    }),
    ("a group is removed too early", &[Rule::Dispatch], |tape, share| {
        let mut received = tape.find(|fact| matches!(fact, Fact::Received { .. }));
        received.retain(|at| tape.next(*at, |fact| matches!(fact, Fact::Stepped { .. })).is_some());
        let at = share.of(&received)?;
        let mut record = tape.records(at)[at.1].clone();
        let (group, incarnation) = seat(&record)?;
        record.what = What::Dispatched(Dispatched::Remove { group, incarnation });
        tape.records(at).insert(at.1 + 1, record);
        tape.renumber();
        Some(())
    }),
    ("another life is removed", &[Rule::Dispatch], |tape, share| {
        edit(tape, share, |step| {
            if let Dispatched::Remove { incarnation, .. } = step {
                *incarnation = Incarnation(incarnation.0 ^ 1);
            }
        })
    }),
    ("a removal is lost", &[Rule::Dispatch], |tape, share| {
        let at = one(tape, share, |step| matches!(step, Dispatched::Remove { .. }))?;
        tape.records(at).remove(at.1);
        tape.renumber();
        Some(())
    }),
    ("a refusal has another reason", &[Rule::Dispatch], |tape, share| {
        edit(tape, share, |step| {
            if let Dispatched::Refuse { group, incarnation, why, .. } = step {
                *why = Unroutable::WrongIncarnation { group: *group, registered: *incarnation };
            }
        })
    }),
];

fn one(tape: &Tape, share: Share, is_it: impl Fn(&Dispatched) -> bool) -> Option<At> {
    share.of(&tape.find_records(|(boot, record)| matches!(&tape.boots[boot].records[record].what, What::Dispatched(step) if is_it(step))))
}

/// Changes one step; `None` if `change` leaves all of them alone.
fn edit(tape: &mut Tape, share: Share, change: fn(&mut Dispatched)) -> Option<()> {
    let changes = |step: &Dispatched| {
        let mut changed = *step;
        change(&mut changed);
        changed != *step
    };
    let at = one(tape, share, changes)?;
    if let What::Dispatched(step) = &mut tape.records(at)[at.1].what {
        change(step);
    }
    Some(())
}
