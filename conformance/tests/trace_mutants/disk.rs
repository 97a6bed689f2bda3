//! Damage that hides a neglected disk: sends before their write (DUTY-1), writes and crashes (DUTY-2), news of the disk (DUTY-3).

use crate::damage::{Mutant, drop_one, edit, gated, recovered, repeat, stepped, with_last, with_log, writes_hard};
use crate::tape::{At, seat};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    outbox::Ticket,
    raft::{Event, Mark, Message, Role},
    trace::{Fact, Written},
};

pub(crate) const MUTANTS: &[Mutant] = &[
    // DUTY-1.
    ("a gated send leaves before its write is durable", &[Rule::Duty1], |tape, share| {
        let held = |at: &At| {
            let Some(Fact::Sent { after, .. }) = tape.fact(*at) else { return None };
            let here = seat(&tape.boots[at.0].records[at.1]);
            (0..at.1).rev().find(|record| {
                let same = seat(&tape.boots[at.0].records[*record]) == here;
                same && matches!(tape.fact((at.0, *record)), Some(Fact::Durable { through }) if through == after)
            })
        };
        let places: Vec<At> = tape.find(gated).into_iter().filter(|at| held(at).is_some()).collect();
        let at = share.of(&places)?;
        let durable = held(&at)?;
        let record = tape.records(at).remove(at.1);
        tape.records(at).insert(durable, record);
        tape.renumber();
        Some(())
    }),
    ("a message is sent twice", &[Rule::Duty1], |tape, share| repeat(tape, share, |fact| matches!(fact, Fact::Sent { .. }))),
    ("a message goes to another node", &[Rule::Duty1], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Sent { .. }),
            |fact| {
                if let Fact::Sent { to, .. } = fact {
                    *to = NodeId(to.0 % 3 + 1);
                }
            },
        )
    }),
    ("a vote is granted that the core refused", &[Rule::Duty1], |tape, share| {
        let answers =
            |fact: &Fact| matches!(fact, Fact::Sent { message: Message::PreVoteResponse { .. } | Message::RequestVoteResponse { .. }, .. });
        edit(tape, share, answers, |fact| {
            if let Fact::Sent { message: Message::PreVoteResponse { granted, .. } | Message::RequestVoteResponse { granted, .. }, .. } =
                fact
            {
                *granted = !*granted;
            }
        })
    }),
    ("an acknowledgement claims more", &[Rule::Duty1], |tape, share| {
        let acknowledges = |fact: &Fact| matches!(fact, Fact::Sent { message: Message::AppendEntriesResponse { result: Ok(_), .. }, .. });
        edit(tape, share, acknowledges, |fact| {
            if let Fact::Sent { message: Message::AppendEntriesResponse { result: Ok(matched), .. }, .. } = fact {
                *matched = matched.next();
            }
        })
    }),
    ("a gated send forgets its ticket", &[Rule::Duty1], |tape, share| {
        edit(tape, share, gated, |fact| {
            if let Fact::Sent { after, .. } = fact {
                *after = Ticket::NONE;
            }
        })
    }),
    // DUTY-2.
    ("a write is not issued", &[Rule::Duty2], |tape, share| drop_one(tape, share, |fact| matches!(fact, Fact::Issued { .. }))),
    ("a write is issued twice", &[Rule::Duty2], |tape, share| repeat(tape, share, |fact| matches!(fact, Fact::Issued { .. }))),
    ("a write loses its term and vote", &[Rule::Duty2], |tape, share| {
        edit(tape, share, writes_hard, |fact| {
            if let Fact::Issued { write: Written::Persist { hard, .. }, .. } = fact {
                *hard = None;
            }
        })
    }),
    ("a write votes for somebody else", &[Rule::Duty2], |tape, share| {
        edit(tape, share, writes_hard, |fact| {
            if let Fact::Issued { write: Written::Persist { hard: Some(hard), .. }, .. } = fact {
                hard.vote = Some(NodeId(hard.vote.map_or(1, |vote| vote.0 % 3 + 1)));
            }
        })
    }),
    ("a truncation is lost", &[Rule::Duty2], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Issued { write: Written::Persist { truncate_from: Some(_), .. }, .. }),
            |fact| {
                if let Fact::Issued { write: Written::Persist { truncate_from, .. }, .. } = fact {
                    *truncate_from = None;
                }
            },
        )
    }),
    ("a truncation is invented", &[Rule::Duty2], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Issued { write: Written::Persist { truncate_from: None, .. }, .. }),
            |fact| {
                if let Fact::Issued { write: Written::Persist { truncate_from, .. }, .. } = fact {
                    *truncate_from = Some(Index(1));
                }
            },
        )
    }),
    ("a write is durable twice", &[Rule::Duty2, Rule::Duty3, Rule::Duty5], |tape, share| {
        repeat(tape, share, |fact| matches!(fact, Fact::Durable { .. }))
    }),
    ("a write is durable that was not issued", &[Rule::Duty2], |tape, share| {
        edit(
            tape,
            share,
            |fact| matches!(fact, Fact::Durable { .. }),
            |fact| {
                if let Fact::Durable { through } = fact {
                    through.0 += 1_000_000;
                }
            },
        )
    }),
    ("a crash takes back a vote", &[Rule::Duty2, Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            state.hard.vote = state.hard.vote.map_or(Some(NodeId(1)), |_| None);
            Some(())
        })
    }),
    ("a crash takes back a term", &[Rule::Duty2, Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            state.hard.term.0 += 1;
            Some(())
        })
    }),
    ("a crash takes back a durable entry", &[Rule::Duty2, Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            let last = state.log.last().0.checked_sub(1)?;
            with_last(state, last)
        })
    }),
    ("a crash brings an entry", &[Rule::Duty2], |tape, share| {
        recovered(tape, share, |state| {
            let last = state.log.last().0 + 1_000;
            with_last(state, last)
        })
    }),
    ("a crash changes an entry's term", &[Rule::Duty2], |tape, share| {
        recovered(tape, share, |state| {
            let (base, last, mut runs) = (state.log.base(), state.log.last(), state.log.runs().to_vec());
            runs.last_mut()?.term = Term(1 << 30);
            with_log(state, base, runs, last)
        })
    }),
    ("a crash takes back the log's beginning", &[Rule::Duty2], |tape, share| {
        recovered(tape, share, |state| {
            let (base, last, mut runs) = (state.log.base(), state.log.last(), state.log.runs().to_vec());
            let base = EntryId { term: base.term, index: base.index.next() };
            runs.first_mut()?.first = base.index.next();
            with_log(state, base, runs, last)
        })
    }),
    ("a killed leader comes up as one", &[Rule::Step], |tape, share| {
        recovered(tape, share, |state| {
            state.role = Role::Follower { leader: Some(state.id), heard: true };
            Some(())
        })
    }),
    // DUTY-3.
    ("a durable write is said to be another", &[Rule::Duty3], |tape, share| {
        edit(
            tape,
            share,
            |fact| stepped(fact, |event| matches!(event, Event::Persisted { .. })),
            |fact| {
                if let Fact::Stepped { event: Event::Persisted { mark }, .. } = fact {
                    *mark = Mark { index: mark.index.next(), ..*mark };
                }
            },
        )
    }),
    ("the core hears twice that a write is durable", &[Rule::Duty3], |tape, share| {
        repeat(tape, share, |fact| stepped(fact, |event| matches!(event, Event::Persisted { .. })))
    }),
    ("the core does not hear that a write is durable", &[Rule::Duty1, Rule::Duty3, Rule::Duty5], |tape, share| {
        drop_one(tape, share, |fact| stepped(fact, |event| matches!(event, Event::Persisted { .. })))
    }),
    ("the disk did not say that a write is durable", &[Rule::Duty1, Rule::Duty3, Rule::Duty5], |tape, share| {
        drop_one(tape, share, |fact| matches!(fact, Fact::Durable { .. }))
    }),
];
