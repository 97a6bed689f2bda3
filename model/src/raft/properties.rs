//! The laws of whole histories, as named functions: what no state of one member, no step and no pair can show.

use super::{
    disk::Disk,
    group::{Live, Member},
    history::{Committed, History},
};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::Broken,
    raft::{HardState, LogShape, Message, ReadId, State, TermAt},
};

/// Shorthand: the law holds, or these values break it.
pub fn holds(law: &'static str, fact: bool, values: impl FnOnce() -> String) -> Result<(), Broken> {
    if fact { Ok(()) } else { Err(Broken { law, values: values() }) }
}

/// I-R1 over all time, Raft paper fig. 3, Election Safety: at most one member ever led a term.
pub fn one_leader_per_term(history: &mut History, state: &State) -> Result<(), Broken> {
    let first = history.lead(state.hard.term, state.id);
    holds("I-R1", first == state.id, || format!("{first} and {} led term {}", state.id, state.hard.term))
}

/// I-R4, Raft paper fig. 3, Leader Completeness: a leader has every entry that was committed in an earlier term.
pub fn leader_is_complete(committed: &[Committed], leader: &State) -> Result<(), Broken> {
    for (index, entry) in (1..).map(Index).zip(committed) {
        if entry.by < leader.hard.term {
            let id = EntryId { term: entry.term, index };
            holds("I-R4", has(&leader.log, id), || {
                format!("{} leads term {} without entry {id}, committed in term {}", leader.id, leader.hard.term, entry.by)
            })?;
        }
    }
    Ok(())
}

/// I-R5, Raft paper fig. 3, State Machine Safety: what a member takes for committed is what was committed there.
pub fn committed_is_unique(committed: Option<Committed>, entry: EntryId, who: NodeId) -> Result<(), Broken> {
    holds("I-R5", committed.is_none_or(|first| first.term == entry.term), || {
        format!("{who} takes {entry} for committed, but {}@{} was", entry.index, committed.map_or(Term(0), |first| first.term))
    })
}

/// I-R6, Raft paper §5.3: what was committed is on a quorum of disks.
pub fn committed_is_durable(members: &[Member], entry: EntryId) -> Result<(), Broken> {
    let copies = members.iter().filter(|member| member.disk.holds(entry)).count();
    holds("I-R6", 2 * copies > members.len(), || format!("{entry} is committed, and on {copies} of {} disks", members.len()))
}

/// I-R10 and I-R19 against the disk, Raft paper fig. 2: a promise that leaves is kept by the disk of who makes it. As a disk's term and vote never go back,
/// nobody ever votes twice in a term.
pub fn promise_is_on_disk(disk: &Disk, from: NodeId, to: NodeId, message: &Message) -> Result<(), Broken> {
    let voted = |term: Term, whom| disk.hard.term > term || (disk.hard.term == term && disk.hard.vote == Some(whom));
    let (law, fact) = match message {
        Message::RequestVote { term, .. } => ("I-R19", voted(*term, from)),
        Message::RequestVoteResponse { term, granted: true } => ("I-R10", voted(*term, to)),
        Message::RequestVoteResponse { term, granted: false } => ("I-R19", disk.hard.term >= *term),
        Message::AppendEntriesResponse { term, result, .. } => {
            ("I-R19", disk.hard.term >= *term && result.as_ref().is_ok_and(|index| *index <= disk.log.last()) | result.is_err())
        }
        Message::PreVote { .. }
        | Message::PreVoteResponse { .. }
        | Message::AppendEntries { .. }
        | Message::ReadIndex { .. }
        | Message::ReadIndexResponse { .. } => return Ok(()),
    };
    holds(law, fact, || {
        format!("{from} says {message:?} to {to}, but its disk holds {:?} and a log through {}", disk.hard, disk.log.last())
    })
}

/// I-R8 and I-R9 of the disk, Raft paper fig. 2, persistent state: what a disk holds of term and vote is never taken back.
pub fn promises_survive(id: NodeId, before: HardState, after: HardState) -> Result<(), Broken> {
    let values = || format!("the disk of {id} had {before:?}, and has {after:?}");
    holds("I-R8", after.term >= before.term, values)?;
    holds("I-R9", after.term != before.term || before.vote.is_none() || before.vote == after.vote, values)
}

/// I-R12 against disks, Raft paper §5.3: what a leader believes a peer holds is on the peer's disk, unless the peer is in a later term.
pub fn match_is_on_disk(leader: &State, peer: NodeId, matched: Index, disk: &Disk) -> Result<(), Broken> {
    let truthful = disk.hard.term > leader.hard.term || (disk.log.last() >= matched && !part_before(&leader.log, &disk.log, matched));
    holds("I-R12", truthful, || format!("{} believes that {peer} holds {matched}, whose disk has {:?}", leader.id, disk.log))
}

/// I-R17b, Raft paper fig. 2: nothing is applied that the local disk's log could lose.
pub fn applied_is_durable(disk: &Disk, id: NodeId, through: Index) -> Result<(), Broken> {
    holds("I-R17b", through <= disk.log.last(), || format!("{id} applies {through}, and its disk's log ends with {}", disk.log.last()))
}

/// I-L4, dissertation §6.3: every entry is applied once, in order, to data that holds everything before it.
pub fn applied_once(live: &Live) -> Result<(), Broken> {
    holds("I-L4", live.data == live.machine, || {
        format!("{} applies behind {}, but its data holds entries through {}", live.state.id, live.machine, live.data)
    })
}

/// I-L5, dissertation §6.3: a write that a client was told about is committed.
pub fn acknowledged_is_committed(committed: Option<Committed>, entry: EntryId) -> Result<(), Broken> {
    holds("I-L5", committed.is_some_and(|first| first.term == entry.term), || {
        format!("a client was told that {entry} is done; committed is {committed:?}")
    })
}

/// I-L2 over histories, dissertation §6.4: a read sees everything that was committed anywhere when it was asked.
pub fn read_is_current(read: ReadId, began: Index, index: Index) -> Result<(), Broken> {
    holds("I-L2", index >= began, || {
        format!("read {}.{} is served at {index}, but {began} was committed when it was asked", read.node, read.number)
    })
}

/// I-N1, Raft paper §7: a snapshot is a prefix of what was committed.
pub fn snapshot_is_committed(committed: Option<Committed>, at: EntryId, from: NodeId) -> Result<(), Broken> {
    holds("I-N1", committed.is_some_and(|first| first.term == at.term), || {
        format!("{from} streams a snapshot through {at}; committed there is {committed:?}")
    })
}

/// I-N3 against the disk, Raft paper §7: what compaction takes from the log is in a durable snapshot.
pub fn cut_is_covered(disk: &Disk, id: NodeId, through: Index) -> Result<(), Broken> {
    holds("I-N3", through <= disk.snapshot.index, || {
        format!("{id} cuts its log through {through}, its snapshot ends with {}", disk.snapshot)
    })
}

/// I-N4, Raft paper fig. 2, persistent state: a restart begins with exactly what the disk holds.
pub fn restart_is_faithful(disk: &Disk, state: &State) -> Result<(), Broken> {
    let fact = state.hard == disk.hard && state.log == disk.log && state.applied == disk.snapshot.index && state.commit == state.applied;
    holds("I-N4", fact, || format!("{disk:?} was read as {state:?}"))
}

/// Whether a log has this entry, or a snapshot that covers it.
fn has(log: &LogShape, entry: EntryId) -> bool {
    match log.term_at(entry.index) {
        TermAt::Known(term) => term == entry.term,
        TermAt::Compacted => true,
        TermAt::Beyond => false,
    }
}

/// Whether two logs differ somewhere at or before `through`, as far as both know.
fn part_before(one: &LogShape, other: &LogShape, through: Index) -> bool {
    let low = one.base().index.max(other.base().index);
    let starts = one.runs().iter().chain(other.runs()).map(|run| run.first).filter(|first| *first > low);
    let mut looked_at = starts.chain([low]).filter(|index| *index <= through);
    looked_at.any(|index| matches!((one.term_at(index), other.term_at(index)), (TermAt::Known(a), TermAt::Known(b)) if a != b))
}
