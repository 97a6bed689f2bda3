//! Damage of the stream itself, and of what a step was told and gave.

use crate::damage::{ANY, Mutant, drop_one, edit, repeat, restarts, stepped, with_two_effects};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    Index,
    raft::{Effect, Event},
    trace::{Fact, What},
};

pub(crate) const MUTANTS: &[Mutant] = &[
    // Of the stream.
    ("a record is lost", &[Rule::Stream], |tape, share| {
        let at = share.of(&tape.find(|_| true))?;
        tape.records(at).remove(at.1);
        Some(())
    }),
    ("a record is there twice", &[Rule::Stream], |tape, share| {
        let at = share.of(&tape.find(|_| true))?;
        let record = tape.records(at)[at.1].clone();
        tape.records(at).insert(at.1, record);
        Some(())
    }),
    ("two records are swapped", &[Rule::Stream], |tape, share| {
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Durable { .. })))?;
        tape.records(at).swap(at.1, at.1 - 1);
        Some(())
    }),
    ("a boot's first record is lost", &[Rule::Stream], |tape, share| {
        let at = share.of(&tape.find(|_| true))?;
        tape.records(at).remove(0);
        tape.renumber();
        Some(())
    }),
    ("a group did not come up", &[Rule::Stream], |tape, share| drop_one(tape, share, |fact| matches!(fact, Fact::Recovered { .. }))),
    ("a group comes up twice", &[Rule::Stream], |tape, share| repeat(tape, share, |fact| matches!(fact, Fact::Recovered { .. }))),
    ("a boot is lost", ANY, |tape, _| {
        let at = *restarts(tape).first()?;
        tape.boots.remove(at.0 - 1);
        Some(())
    }),
    ("the end of a killed boot is lost", ANY, |tape, share| {
        let at = share.of(&restarts(tape))?;
        let killed = tape.boots.get_mut(at.0 - 1)?;
        let kept = killed.records.len() * 4 / 5;
        killed.records.truncate(kept);
        Some(())
    }),
    ("two boots are exchanged", ANY, |tape, share| {
        let at = share.of(&restarts(tape))?;
        let (one, other) = (tape.boots[at.0 - 1].header.clone(), tape.boots[at.0].header.clone());
        (tape.boots[at.0 - 1].header, tape.boots[at.0].header) = (other, one);
        Some(())
    }),
    // Of steps.
    ("two effects are swapped", &[Rule::Step], |tape, share| {
        edit(tape, share, with_two_effects, |fact| {
            if let Fact::Stepped { effects, .. } = fact {
                effects.swap(0, 1);
            }
        })
    }),
    ("an effect is lost", &[Rule::Step], |tape, share| {
        edit(tape, share, with_two_effects, |fact| {
            if let Fact::Stepped { effects, .. } = fact {
                effects.pop();
            }
        })
    }),
    ("an effect is invented", &[Rule::Step], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Stepped { .. }),
            |fact| {
                if let Fact::Stepped { effects, .. } = fact {
                    effects.push(Effect::Apply { through: Index(1 << 40) });
                }
            },
        )
    }),
    ("another state", &[Rule::Step], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Stepped { .. }),
            |fact| {
                if let Fact::Stepped { after, .. } = fact {
                    after.0 ^= 1;
                }
            },
        )
    }),
    ("more entries are proposed", &[Rule::Step], |tape, share| {
        edit(
            tape,
            share,
            |fact| stepped(fact, |event| matches!(event, Event::Propose { .. })),
            |fact| {
                if let Fact::Stepped { event, .. } = fact {
                    *event = Event::Propose { count: 1_000 };
                }
            },
        )
    }),
    ("a proposal is lost", ANY, |tape, share| drop_one(tape, share, |fact| stepped(fact, |event| matches!(event, Event::Propose { .. })))),
    ("a timeout is invented", ANY, |tape, share| {
        let at = share.of(&tape.find(|fact| stepped(fact, |event| matches!(event, Event::Applied { .. }))))?;
        let mut record = tape.records(at)[at.1].clone();
        if let What::Group { fact: Fact::Stepped { event, effects, .. }, .. } = &mut record.what {
            (*event, *effects) = (Event::ElectionTimeout, vec![]);
        }
        tape.records(at).insert(at.1 + 1, record);
        tape.renumber();
        Some(())
    }),
];
