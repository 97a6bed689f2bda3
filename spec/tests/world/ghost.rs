//! What nobody in the world knows: who ever led, what was ever committed, what every state machine should be.

use super::{
    Node, Wrong,
    disk::{Entry, Machine},
};
use roadstead_spec::{
    Index, NodeId, Term,
    raft::{Params, State},
};
use std::collections::BTreeMap;

pub struct Ghost {
    /// Whether a commit is judged by the disks that hold it at that moment; off to see whether it is ever lost.
    pub counts_copies: bool,
    leaders: BTreeMap<Term, NodeId>,
    votes: BTreeMap<(NodeId, Term), NodeId>,
    /// By index: the entry, and the lowest term in which it was known to be committed.
    pub committed: BTreeMap<u64, (Entry, Term)>,
    digests: BTreeMap<u64, u64>,
    pub reads_answered: u64,
    pub snapshots_sent: u64,
    pub messages: u64,
    pub elections: u64,
    pub truncations: u64,
}

impl Default for Ghost {
    fn default() -> Self {
        Self {
            counts_copies: true,
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            committed: BTreeMap::new(),
            digests: BTreeMap::new(),
            reads_answered: 0,
            snapshots_sent: 0,
            messages: 0,
            elections: 0,
            truncations: 0,
        }
    }
}

impl Ghost {
    pub fn committed_through(&self) -> Index {
        Index(self.committed.last_key_value().map_or(0, |(index, _)| *index))
    }

    /// I-R10: one vote per voter and term, over all its lives.
    pub fn vote(&mut self, voter: NodeId, term: Term, candidate: NodeId) -> Result<(), Wrong> {
        let first = *self.votes.entry((voter, term)).or_insert(candidate);
        if first == candidate { Ok(()) } else { Err(format!("{voter} votes for {first} and {candidate} in term {term}")) }
    }

    /// I-R5: state machines that applied the same index are the same.
    pub fn applied(&mut self, id: NodeId, machine: &Machine) -> Result<(), Wrong> {
        let first = *self.digests.entry(machine.at.index.0).or_insert(machine.digest);
        if first == machine.digest { Ok(()) } else { Err(format!("{id} applied another history through {}", machine.at)) }
    }

    /// Judges the node that just stepped: election safety over all time, leader completeness, committed entries on a quorum of disks.
    pub fn observe(&mut self, params: &Params, nodes: &[Node], at: usize, before: &State) -> Result<(), Wrong> {
        let Some(live) = &nodes[at].live else { return Ok(()) };
        let state = &live.state;
        if state.as_leader().is_some() && !(before.as_leader().is_some() && before.hard.term == state.hard.term) {
            self.elections += 1;
            let first = *self.leaders.entry(state.hard.term).or_insert(state.id);
            if first != state.id {
                return Err(format!("I-R1: {first} and {} led term {}", state.id, state.hard.term));
            }
            for (&index, (entry, term)) in &self.committed {
                let holds = Index(index) <= state.log.base().index || live.entries.get(&index) == Some(entry);
                if *term < state.hard.term && !holds {
                    return Err(format!(
                        "I-R4: {} leads term {} without committed entry {index} of term {term}",
                        state.id, state.hard.term
                    ));
                }
            }
        }
        if before.log.last() > state.log.last() {
            self.truncations += 1;
        }
        for index in before.commit.0 + 1..=state.commit.0 {
            // What an installed snapshot covers is no longer there to be compared; its digest is.
            let Some(&entry) = live.entries.get(&index) else { continue };
            let (first, term) = *self.committed.entry(index).or_insert((entry, state.hard.term));
            if first != entry {
                return Err(format!("I-R5: entry {index} is committed as {first:?} in term {term}, and as {entry:?} by {}", state.id));
            }
            let copies = nodes.iter().filter(|node| node.disk.holds(Index(index), entry)).count();
            if self.counts_copies && 2 * copies <= params.voters().len() {
                return Err(format!("I-R6: {} takes entry {index} for committed, but it is on {copies} disks", state.id));
            }
        }
        Ok(())
    }
}
