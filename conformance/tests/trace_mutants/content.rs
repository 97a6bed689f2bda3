//! Damage of bytes (DUTY-4), of what is done once and in order (DUTY-5), and of messages on their way (DUTY-6).

use crate::GROUPS;
use crate::damage::{Mutant, brings_entries, drop_one, edit, other_digest, recovered, repeat, stepped};
use crate::tape::seat;
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    GroupId, Incarnation, Index, NodeId, Term,
    raft::{Event, Message},
    trace::{Digest, Fact, What},
};
use std::collections::BTreeMap;

pub(crate) const MUTANTS: &[Mutant] = &[
    // DUTY-4.
    ("a write has other bytes", &[Rule::Duty4], |tape, share| {
        edit(tape, share, |fact| matches!(fact, Fact::Issued { content, .. } if !content.entries.is_empty()), other_digest)
    }),
    ("a message has other bytes", &[Rule::Duty4], |tape, share| {
        edit(tape, share, |fact| matches!(fact, Fact::Sent { .. }) && brings_entries(fact), other_digest)
    }),
    ("other bytes are applied", &[Rule::Duty4], |tape, share| edit(tape, share, |fact| matches!(fact, Fact::Applied { .. }), other_digest)),
    ("a message loses an entry", &[Rule::Duty4], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Sent { .. }) && brings_entries(fact),
            |fact| {
                if let Fact::Sent { content, .. } = fact {
                    content.entries.pop();
                }
            },
        )
    }),
    ("a write's entries are of another term", &[Rule::Duty4], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Issued { content, .. } if !content.entries.is_empty()),
            |fact| {
                if let Fact::Issued { content, .. } = fact {
                    content.entries[0].0 = Term(1 << 30);
                }
            },
        )
    }),
    ("an entry of another term is applied", &[Rule::Duty4, Rule::Law], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Applied { .. }),
            |fact| {
                if let Fact::Applied { content } = fact {
                    content.entries[0].0 = Term(1 << 30);
                }
            },
        )
    }),
    // DUTY-5.
    ("entries are applied twice", &[Rule::Duty5], |tape, share| repeat(tape, share, |fact| matches!(fact, Fact::Applied { .. }))),
    ("entries are not applied", &[Rule::Duty5], |tape, share| drop_one(tape, share, |fact| matches!(fact, Fact::Applied { .. }))),
    ("more is applied than is committed", &[Rule::Duty5, Rule::Law], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Applied { .. }),
            |fact| {
                if let Fact::Applied { content } = fact {
                    let more = content.entries[0];
                    content.entries.extend([more; 100].map(|(term, _)| (Term(term.0 + (1 << 30)), Digest(7))));
                }
            },
        )
    }),
    ("a released message is neither sent nor dropped", &[Rule::Duty1, Rule::Duty5, Rule::Duty6], |tape, share| {
        drop_one(tape, share, |fact| matches!(fact, Fact::Sent { content, .. } if content.entries.is_empty()))
    }),
    ("a snapshot is taken of what is not applied", &[Rule::Duty5], |tape, share| {
        edit(
            tape,
            share,
            |fact| stepped(fact, |event| matches!(event, Event::SnapshotTaken { .. })),
            |fact| {
                if let Fact::Stepped { event: Event::SnapshotTaken { at }, .. } = fact {
                    at.index.0 += 1_000_000;
                }
            },
        )
    }),
    ("the log is compacted without leave", &[Rule::Duty5], |tape, share| {
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Applied { .. })))?;
        let mut record = tape.records(at)[at.1].clone();
        if let What::Group { fact, .. } = &mut record.what {
            *fact = Fact::Compacted { through: Index(1) };
        }
        tape.records(at).insert(at.1, record);
        tape.renumber();
        Some(())
    }),
    ("the state machine forgets what it has applied durably", &[Rule::Duty5, Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            (state.applied, state.commit) = (Index(0), Index(0));
            Some(())
        })
    }),
    ("the state machine comes up ahead of its time", &[Rule::Duty5, Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            (state.applied.0, state.commit.0) = (state.applied.0 + 1_000_000, state.commit.0 + 1_000_000);
            Some(())
        })
    }),
    // DUTY-6.
    ("a message comes to another group", &[Rule::Duty6], |tape, share| {
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Received { .. })))?;
        let other = |group: GroupId| if group.get() == GROUPS[0] { GROUPS[1] } else { GROUPS[0] };
        let incarnations: BTreeMap<GroupId, Incarnation> = tape.records(at).iter().filter_map(seat).collect();
        if let What::Group { group, incarnation, .. } = &mut tape.records(at)[at.1].what {
            *group = GroupId::new(other(*group)).unwrap();
            *incarnation = *incarnations.get(group)?;
        }
        Some(())
    }),
    ("a message comes to another life of the group", &[Rule::Duty6], |tape, share| {
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Received { .. })))?;
        if let What::Group { incarnation, .. } = &mut tape.records(at)[at.1].what {
            incarnation.0 ^= 1;
        }
        Some(())
    }),
    ("a message comes from another node", &[Rule::Duty6], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Received { .. }),
            |fact| {
                if let Fact::Received { from, .. } = fact {
                    *from = NodeId(from.0 % 3 + 1);
                }
            },
        )
    }),
    ("a message is received twice", &[Rule::Duty6], |tape, share| {
        // Of those whose like is not on its way again.
        let at = share.of(&tape.find(|fact| matches!(fact, Fact::Received { .. }) && brings_entries(fact)))?;
        let step = tape.next(at, |fact| matches!(fact, Fact::Stepped { .. }))?;
        let (received, step) = (tape.records(at)[at.1].clone(), tape.records(at)[step.1].clone());
        tape.records(at).splice(at.1..at.1, [received, step]);
        tape.renumber();
        Some(())
    }),
    ("a message is changed on its way", &[Rule::Duty6], |tape, share| {
        let brings = |fact: &Fact| matches!(fact, Fact::Received { message: Message::AppendEntries { .. }, .. });
        edit(tape, share, brings, |fact| {
            if let Fact::Received { message: Message::AppendEntries { commit, .. }, .. } = fact {
                commit.0 += 1_000_000;
            }
        })
    }),
    ("bytes are changed on their way", &[Rule::Duty6], |tape, share| {
        edit(tape, share, |fact| matches!(fact, Fact::Received { .. }) && brings_entries(fact), other_digest)
    }),
    ("the core hears what did not come", &[Rule::Duty6], |tape, share| drop_one(tape, share, |fact| matches!(fact, Fact::Received { .. }))),
    ("the core hears something else than came", &[Rule::Duty6], |tape, share| {
        edit(
            tape,
            share,
            |fact| stepped(fact, |event| matches!(event, Event::Receive { .. })),
            |fact| {
                if let Fact::Stepped { event: Event::Receive { from, .. }, .. } = fact {
                    *from = NodeId(from.0 % 3 + 1);
                }
            },
        )
    }),
];
