//! Client histories: one register that clients write and read, judged by Stateright's linearizability tester (I-L1).
//!
//! Each operation is a client of its own: one that gets no answer may take effect at any later time, or never. A write's value is its client's number, so
//! that no two writes are alike.

use super::{history::Committed, properties::holds};
use roadstead_spec::{EntryId, Index, invariants::Broken};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// A client's number.
pub type Client = u8;

/// What clients did, and what they were told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clients {
    tester: LinearizabilityTester<Client, Register>,
    next: Client,
    /// Whose write an entry is; ascending by entry.
    writes: Vec<(EntryId, Client)>,
}

/// A register of one number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Register(Client);

/// What a client asks of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asks {
    /// Write this.
    Write(Client),
    /// Read.
    Read,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// It is written.
    Written,
    /// This was read.
    Value(Client),
}

impl SequentialSpec for Register {
    type Op = Asks;
    type Ret = Told;

    fn invoke(&mut self, asks: &Asks) -> Told {
        match asks {
            Asks::Write(value) => {
                self.0 = *value;
                Told::Written
            }
            Asks::Read => Told::Value(self.0),
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self { tester: LinearizabilityTester::new(Register::default()), next: 1, writes: Vec::new() }
    }
}

impl Clients {
    /// A client asks for a write, which becomes this entry.
    pub fn writes(&mut self, entry: EntryId) {
        let client = self.enter(Asks::Write);
        self.writes.push((entry, client));
    }

    /// A client asks for a read.
    pub fn reads(&mut self) -> Client {
        self.enter(|_| Asks::Read)
    }

    /// A client hears that its write is done.
    pub fn written(&mut self, entry: EntryId) -> Result<(), Broken> {
        let client = self.writes.iter().find(|(own, _)| *own == entry).map(|(_, client)| *client);
        client.map_or(Ok(()), |client| self.told(client, Told::Written))
    }

    /// A client reads what a state machine holds that has applied entries through `through`.
    pub fn read(&mut self, client: Client, committed: &[Committed], through: Index) -> Result<(), Broken> {
        let held = |entry: EntryId| {
            entry.index <= through && committed.get(entry.index.0 as usize - 1).is_some_and(|first| first.term == entry.term)
        };
        let newest = self.writes.iter().filter(|(entry, _)| held(*entry)).max_by_key(|(entry, _)| entry.index);
        let value = newest.map_or(0, |(_, client)| *client);
        self.told(client, Told::Value(value))
    }

    fn enter(&mut self, asks: impl Fn(Client) -> Asks) -> Client {
        let client = self.next;
        self.next += 1;
        // It fails for a client that is waiting already; this one is new.
        let _ = self.tester.on_invoke(client, asks(client));
        client
    }

    fn told(&mut self, client: Client, told: Told) -> Result<(), Broken> {
        // It fails for a client that does not wait: an answer that comes twice.
        if self.tester.on_return(client, told).is_err() {
            return Ok(());
        }
        holds("I-L1", self.tester.is_consistent(), || format!("no order explains what clients were told: {:?}", self.tester))
    }
}
