//! Laws over all members together: what no single state can show. Raft paper fig. 3.

use crate::disk::{Disk, Entry};
use roadstead_spec::raft::{ReadId, State};
use roadstead_spec::{Index, NodeId, Term};
use std::collections::BTreeMap;

/// Everything ever committed or led, as an outside observer sees it.
#[derive(Debug, Default)]
pub struct Laws {
    leaders: BTreeMap<Term, NodeId>,
    committed: BTreeMap<Index, Term>,
    /// Commit index that was looked at last, per member: what lies below was compared when it was committed.
    checked: BTreeMap<NodeId, Index>,
    applied: BTreeMap<Index, Entry>,
    /// What was committed when a read arrived.
    reads: BTreeMap<ReadId, Index>,
    /// Broken laws, in order, each once.
    pub broken: Vec<String>,
}

impl Laws {
    /// Entries that a script puts on disk as committed.
    pub fn assume_committed(&mut self, through: Index, disk: &Disk) {
        for index in (1..=through.0).map(Index) {
            if let Some(id) = disk.log.id_at(index) {
                self.committed.insert(index, id.term);
            }
        }
    }

    /// To be called after each step of a member.
    pub fn observe(&mut self, state: &State, log: &crate::disk::Log, disks: &[&Disk]) {
        self.election_safety(state);
        self.leader_completeness(state, log);
        self.commitment(state, log, disks);
    }

    /// Election Safety: at most one leader can be elected in a given term.
    fn election_safety(&mut self, state: &State) {
        if state.as_leader().is_some() {
            let first = *self.leaders.entry(state.term()).or_insert(state.id);
            if first != state.id {
                self.report(format!("Election Safety: {first} and {} both lead term {}", state.id, state.term()));
            }
        }
    }

    /// Leader Completeness: a committed entry is present in the logs of the leaders of all higher terms.
    fn leader_completeness(&mut self, state: &State, log: &crate::disk::Log) {
        if state.as_leader().is_none() {
            return;
        }
        let missing = self.committed.iter().find(|(index, term)| {
            let holds = **index < log.base.index || log.id_at(**index).is_some_and(|id| id.term == **term);
            **term < state.term() && !holds
        });
        if let Some((index, term)) = missing {
            let text = format!("Leader Completeness: {} leads term {} without committed entry {index}@{term}", state.id, state.term());
            self.report(text);
        }
    }

    /// What is committed stays so, and lies on a quorum of disks when it becomes so.
    fn commitment(&mut self, state: &State, log: &crate::disk::Log, disks: &[&Disk]) {
        let unseen = self.committed.range(..=state.commit).next_back().map_or(Index(1), |(index, _)| index.next());
        for index in (unseen.0..=state.commit.0).map(Index) {
            let Some(id) = log.id_at(index) else { continue };
            let copies = disks.iter().filter(|disk| index < disk.log.base.index || disk.log.id_at(index) == Some(id)).count();
            if copies <= disks.len() / 2 {
                self.report(format!("Durability: {} commits entry {id}, which {copies} of {} disks hold", state.id, disks.len()));
            }
        }
        let checked = self.checked.insert(state.id, state.commit).filter(|checked| *checked <= state.commit);
        for index in (checked.unwrap_or(log.base.index).0..=state.commit.0).map(Index) {
            let Some(id) = log.id_at(index).filter(|id| id.index > Index(0)) else { continue };
            let committed = *self.committed.entry(index).or_insert(id.term);
            if committed != id.term {
                self.report(format!("State Machine Safety: {} commits entry {id}, but {index}@{committed} was committed", state.id));
            }
        }
    }

    /// State Machine Safety: no two members apply different commands for the same index.
    pub fn applied(&mut self, node: NodeId, index: Index, entry: Entry) {
        let first = *self.applied.entry(index).or_insert(entry);
        if first != entry {
            self.report(format!("State Machine Safety: {node} applies {index}@{}, another member {index}@{}", entry.term, first.term));
        }
    }

    /// A client asks; it may have seen the answer to every write that is committed by now.
    pub fn read_arrived(&mut self, read: ReadId) {
        let committed = self.committed.last_key_value().map_or(Index(0), |(index, _)| *index);
        self.reads.insert(read, committed);
    }

    /// Linearizability of reads, dissertation §6.4: a read sees every write that was committed before it was asked.
    pub fn read_ready(&mut self, read: ReadId, index: Index) {
        let committed = self.reads.get(&read).copied().unwrap_or_default();
        if index < committed {
            self.report(format!("Linearizability: read {}.{} sees {index}, but {committed} was committed", read.node, read.number));
        }
    }

    /// Notes a broken law.
    pub fn report(&mut self, text: String) {
        if !self.broken.contains(&text) {
            self.broken.push(text);
        }
    }
}
