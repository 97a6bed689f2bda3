//! Laws of one transition.

use super::{Broken, Transition, holds, pair::named_term};
use crate::{
    Index,
    raft::{Effect, Event, Gate, LogShape, Message, Role, State, TermAt},
};
use alloc::{format, vec::Vec};

/// I-R2, Raft paper fig. 3, Leader Append-Only: a leader never changes or deletes entries of its log.
pub fn leader_append_only(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, .. } = transition;
    let leads = before.as_leader().is_some() && after.as_leader().is_some() && before.hard.term == after.hard.term;
    holds("I-R2", !leads || is_prefix(before, after, before.log.last()), || format!("{:?} became {:?}", before.log, after.log))
}

/// I-R4b, Raft paper §5.4.1: a vote or pre-vote is granted only to a log that is at least as up-to-date.
pub fn votes_follow_the_log(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, event, effects, .. } = transition;
    let Event::Receive { message: Message::RequestVote { last, .. } | Message::PreVote { last, .. }, .. } = event else { return Ok(()) };
    let granted = effects.iter().any(|effect| match effect {
        Effect::Send { message, .. } => {
            matches!(message, Message::RequestVoteResponse { granted: true, .. } | Message::PreVoteResponse { granted: true, .. })
        }
        _ => false,
    });
    holds("I-R4b", !granted || *last >= before.log.last_id(), || {
        format!("granted to a log through {last} by one through {}", before.log.last_id())
    })
}

/// I-R7, Raft paper fig. 2 and 3: the commit index never decreases, and entries up to it never change.
pub fn committed_survives(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, .. } = transition;
    let fact = after.commit >= before.commit && is_prefix(before, after, before.commit);
    holds("I-R7", fact, || format!("commit {} of {:?} became {} of {:?}", before.commit, before.log, after.commit, after.log))
}

/// I-R8, Raft paper fig. 2: the term never decreases.
pub fn term_is_monotonic(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, .. } = transition;
    holds("I-R8", after.hard.term >= before.hard.term, || format!("{:?} became {:?}", before.hard, after.hard))
}

/// I-R9, Raft paper §5.2: within a term a vote, once given, is neither changed nor taken back.
pub fn vote_is_kept(transition: &Transition<'_>) -> Result<(), Broken> {
    let (before, after) = (transition.before.hard, transition.after.hard);
    let fact = before.term != after.term || before.vote.is_none() || before.vote == after.vote;
    holds("I-R9", fact, || format!("{before:?} became {after:?}"))
}

/// I-R11b, Raft paper fig. 2: while a term is led, match indices, confirmed rounds and the durable index never decrease.
pub fn matches_grow(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, .. } = transition;
    let (Some(old), Some(new)) = (before.as_leader(), after.as_leader()) else { return Ok(()) };
    let peers = old.peers.iter().zip(new.peers.iter());
    let grow = peers.into_iter().all(|((_, old), (_, new))| old.matched <= new.matched && old.round <= new.round);
    let fact = before.hard.term != after.hard.term || (grow && old.durable <= new.durable && old.round <= new.round);
    holds("I-R11b", fact, || format!("{old:?} became {new:?}"))
}

/// I-R13, Raft paper §5.4.2: a leader commits an entry of its own term that a quorum holds durably.
pub fn commit_only_own_term_by_quorum(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { params, before, after, .. } = transition;
    let Some(leader) = after.as_leader().filter(|_| after.commit > before.commit) else { return Ok(()) };
    let peers = leader.peers.iter().filter(|(_, peer)| peer.matched >= after.commit).count();
    let copies = peers + usize::from(leader.durable >= after.commit);
    let own_term = after.log.term_at(after.commit) == TermAt::Known(after.hard.term);
    holds("I-R13", own_term && 2 * copies > params.voters().len(), || {
        format!("commit {} in term {} with {copies} copies: {:?}", after.commit, after.hard.term, after.log)
    })
}

/// I-R14, Raft paper fig. 2, AppendEntries 5: a follower commits at most what the leader committed and this message verified.
pub fn follower_commits_only_verified(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, event, after, .. } = transition;
    if after.commit <= before.commit || after.as_leader().is_some() {
        return Ok(());
    }
    let bound = match event {
        Event::Receive { message: Message::AppendEntries { slice, commit, .. }, .. } => slice.last.min(*commit),
        Event::SnapshotReceived { at, .. } => at.index,
        _ => Index(0),
    };
    holds("I-R14", after.commit <= bound, || format!("commit {} became {} by {event:?}", before.commit, after.commit))
}

/// I-R15, Raft paper fig. 2, AppendEntries 3: entries are deleted only where a leader's entry of another term takes their place.
pub fn truncates_only_on_conflict(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, event, effects, .. } = transition;
    for effect in *effects {
        let Effect::Persist { truncate_from: Some(from), .. } = effect else { continue };
        let slice = match event {
            Event::Receive { message: Message::AppendEntries { slice, .. }, .. } => Some(slice),
            _ => None,
        };
        let new = slice.and_then(|slice| slice.term_of(*from));
        let conflicts = matches!((before.log.term_at(*from), new), (TermAt::Known(old), Some(new)) if old != new);
        holds("I-R15", conflicts && *from > before.commit, || {
            format!("from {from} of {:?}, commit {}, by {slice:?}", before.log, before.commit)
        })?;
    }
    Ok(())
}

/// I-R18, Raft paper fig. 2: no message names a term later than its sender's; a vote goes to whom it was given.
pub fn messages_are_of_the_past(transition: &Transition<'_>) -> Result<(), Broken> {
    let after = transition.after;
    for effect in transition.effects {
        let Effect::Send { to, message, .. } = effect else { continue };
        let past = named_term(message).is_none_or(|term| term <= after.hard.term);
        let voted = !matches!(message, Message::RequestVoteResponse { granted: true, .. }) || after.hard.vote == Some(*to);
        holds("I-R18", past && voted && *to != after.id, || format!("{message:?} to {to} from {:?}", after.hard))?;
    }
    Ok(())
}

/// I-R19, Raft paper fig. 2: votes, requests for votes and acknowledgements leave only behind the write that they rest on.
pub fn gates_are_kept(transition: &Transition<'_>) -> Result<(), Broken> {
    let mut written = Some(transition.before.hard);
    for effect in transition.effects {
        match effect {
            Effect::Persist { hard, .. } => written = hard.or(written),
            Effect::InstallSnapshot { hard, .. } => written = Some(*hard),
            Effect::Send { message, gate, .. } => {
                let promises = match message {
                    Message::RequestVote { .. } | Message::RequestVoteResponse { .. } | Message::AppendEntriesResponse { .. } => true,
                    Message::PreVote { .. }
                    | Message::PreVoteResponse { .. }
                    | Message::AppendEntries { .. }
                    | Message::ReadIndex { .. }
                    | Message::ReadIndexResponse { .. } => false,
                };
                let behind = *gate == Gate::AfterPersist && written == Some(transition.after.hard);
                holds("I-R19", !promises || behind, || format!("{message:?} with gate {gate:?} behind {written:?}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// I-R19b, Raft paper fig. 2, persistent state: what is written is exactly what changed.
pub fn disk_follows_state(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, effects, .. } = transition;
    let mut hard = before.hard;
    let mut log = Vec::from(before.log.runs());
    let (mut base, mut last) = (before.log.base(), before.log.last());
    for effect in *effects {
        match effect {
            Effect::Persist { hard: new, truncate_from, append, .. } => {
                hard = new.unwrap_or(hard);
                if let Some(from) = truncate_from {
                    log.retain(|run| run.first < *from);
                    last = from.prev();
                }
                if let Some(append) = append {
                    log.extend(
                        append
                            .runs
                            .iter()
                            .copied()
                            .filter(|run| log.last().is_none_or(|newest| newest.term < run.term))
                            .collect::<Vec<_>>(),
                    );
                    last = append.last;
                }
            }
            Effect::InstallSnapshot { hard: new, at, keep_suffix, .. } => {
                hard = *new;
                base = *at;
                if !keep_suffix {
                    log.clear();
                    last = at.index;
                }
            }
            Effect::Compact { through } => base = crate::EntryId { term: after.log.base().term, index: *through },
            _ => {}
        }
    }
    let gone = log.iter().rposition(|run| run.first <= base.index.next()).unwrap_or(0);
    log.drain(..gone);
    if last == base.index {
        log.clear();
    } else if let Some(first) = log.first_mut() {
        first.first = first.first.max(base.index.next());
    }
    let written = LogShape::from_runs(base, log, last);
    holds("I-R19b", hard == after.hard && written.as_ref() == Ok(&after.log), || {
        format!("written {hard:?} {written:?}, state {:?} {:?}", after.hard, after.log)
    })
}

/// I-R20, dissertation §9.6: a pre-vote request changes nothing at its receiver.
pub fn pre_vote_is_pure(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, event, after, .. } = transition;
    let asks = matches!(event, Event::Receive { message: Message::PreVote { .. }, .. });
    holds("I-R20", !asks || before == after, || format!("{before:?} became {after:?}"))
}

/// I-R21, dissertation §4.2.3: a follower that hears a leader, and a leader, grant no pre-vote.
pub fn leader_with_followers_is_not_disrupted(transition: &Transition<'_>) -> Result<(), Broken> {
    let served = matches!(&transition.before.role, Role::Follower { heard: true, .. } | Role::Leader(_));
    let grants = transition
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Send { message: Message::PreVoteResponse { granted: true, .. }, .. }));
    holds("I-R21", !(served && grants), || format!("granted by {:?}", transition.before.role))
}

/// I-R22, Raft paper §5.2: a word of the current leader restarts the election timer, whether or not its entries fit.
pub fn leader_restarts_the_timer(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { params, event, after, effects, .. } = transition;
    let follows = match (event, &after.role) {
        (Event::Receive { from, message: Message::AppendEntries { term, slice, .. } }, Role::Follower { leader, .. }) => {
            let is_word = *term == after.hard.term && slice.is_valid() && slice.last_id().term <= *term;
            is_word && *leader == Some(*from) && params.voters().contains(*from)
        }
        _ => false,
    };
    holds("I-R22", !follows || effects.contains(&Effect::ResetElectionTimer), || format!("{event:?} restarts no timer: {effects:?}"))
}

/// I-R24, dissertation §6.2: a leader goes on after an election timeout only if it heard a quorum.
pub fn leader_hears_a_quorum(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { params, before, event, after, .. } = transition;
    let (Event::ElectionTimeout, Some(leader), true) = (event, before.as_leader(), after.as_leader().is_some()) else { return Ok(()) };
    let heard = 1 + leader.peers.iter().filter(|(_, peer)| peer.heard).count();
    holds("I-R24", 2 * heard > params.voters().len(), || format!("{} goes on with {heard} of {} voters", after.id, params.voters().len()))
}

/// I-N2, Raft paper §7: installing a snapshot never moves commit or applied index back, and happens only for news.
pub fn install_never_rewinds(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { before, after, effects, .. } = transition;
    let rewinds = after.applied < before.applied || after.log.base().index < before.log.base().index;
    let old = effects.iter().any(|effect| matches!(effect, Effect::InstallSnapshot { at, .. } if at.index <= before.commit));
    let conflicts = effects
        .iter()
        .any(|effect| matches!(effect, Effect::InstallSnapshot { at, keep_suffix, .. } if *keep_suffix != before.log.holds(*at)));
    holds("I-N2", !rewinds && !old && !conflicts, || format!("{before:?} became {after:?} by {effects:?}"))
}

/// I-L2, dissertation §6.4: a leader's read is answered once its commit index covers the opening entry of its term, and a quorum confirmed a round
/// that began after the read arrived.
pub fn reads_are_confirmed(transition: &Transition<'_>) -> Result<(), Broken> {
    let Transition { params, before, event, after, effects } = transition;
    if matches!(event, Event::Receive { message: Message::ReadIndexResponse { .. }, .. }) {
        return Ok(());
    }
    for effect in *effects {
        let (id, index) = match effect {
            Effect::ReadReady { id, index } => (*id, *index),
            Effect::Send { message: Message::ReadIndexResponse { id, index: Some(index), .. }, .. } => (*id, *index),
            _ => continue,
        };
        let fact = after.as_leader().is_some_and(|leader| {
            let waited = before.as_leader().and_then(|leader| leader.reads.iter().find(|read| read.id == id));
            // A read that just arrived waits for a round after those that had been started before it.
            let round = waited.map_or(before.as_leader().map_or(0, |leader| leader.round.0) + 1, |read| read.round.0);
            let confirmed = 1 + leader.peers.iter().filter(|(_, peer)| peer.round.0 >= round).count();
            let arrived = waited.map_or(before.commit, |read| read.index);
            2 * confirmed > params.voters().len() && after.commit >= leader.opened_at && index >= arrived.max(leader.opened_at)
        });
        holds("I-L2", fact, || format!("{id:?} answered with {index} by {:?}, commit {}", after.role, after.commit))?;
    }
    Ok(())
}

/// Whether `after` holds what `before` held through an index, as far as both know the terms.
fn is_prefix(before: &State, after: &State, through: Index) -> bool {
    if after.log.last() < through {
        return false;
    }
    let low = before.log.base().index.max(after.log.base().index);
    let starts = before.log.runs().iter().chain(after.log.runs()).map(|run| run.first);
    starts
        .chain([low, through])
        .filter(|index| *index >= low && *index <= through)
        .all(|index| before.log.term_at(index) == after.log.term_at(index))
}
