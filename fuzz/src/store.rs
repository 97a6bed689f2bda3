//! What a data folder may hold: items of the log database, the witness, pieces of snapshots, records of a trace. Input: a list of changes to a store that is in order.
//!
//! However it is damaged, opening it ends with an answer; and what opens can be read and closed, and opens again.

use super::{byte, number};
use bytes::Bytes;
use roadstead::{
    applier::{Chunk, TransferId},
    store::{
        Append, Expected, NewGroup, OpenError, Protocol, Seams, Store, Submission, Write,
        engine::{Batch, Durability, Engine, Read, Space},
        entry::{Entry, EntryKind},
        memory::MemoryEngine,
        witness_file::{MemoryFile, WitnessFile},
    },
    trace::{parse_dump_head, parse_frame, parse_head, parse_record},
};
use roadstead_spec::{GroupId, Incarnation, Index, NodeId, Term, raft::HardState};
use std::{ops::ControlFlow, sync::Arc};

pub(crate) fn target(mut data: &[u8]) {
    let choice = byte(&mut data);
    match choice % 3 {
        0 => damaged_store(data),
        1 => chunk(data),
        _ => trace(data),
    }
}

const EXPECTED: Expected = Expected { cluster: 7, node: NodeId(1) };

/// What lies below a store.
struct Disk {
    log: MemoryEngine,
    state: MemoryEngine,
    witness: MemoryFile,
}

impl Disk {
    fn open(&self) -> Result<Store, OpenError> {
        let seams = Seams {
            log: Arc::new(self.log.clone()),
            state: Arc::new(self.state.clone()),
            witness: Box::new(self.witness.clone()),
            fresh_store: 9,
        };
        Store::open_with(seams, EXPECTED)
    }

    /// A store with one group, which has a vote and entries of two terms in two items.
    fn used() -> Self {
        let disk = Self { log: MemoryEngine::without_crashes(), state: MemoryEngine::without_crashes(), witness: MemoryFile::default() };
        let mut store = disk.open().expect("a new store");
        let group = NewGroup {
            group: GroupId::DEFAULT,
            generation: 1,
            incarnation: Incarnation(3),
            service: "kv".to_owned(),
            protocol: Protocol::Raft,
            members: vec![NodeId(1)],
            timers: Vec::new(),
        };
        let (record, change) = store.registry.plan_create(group).expect("a new group");
        let entry = |term, text: &'static [u8]| Entry { term: Term(term), kind: EntryKind::Command, payload: Bytes::from_static(text) };
        let hard = Some(HardState { term: Term(2), vote: Some(NodeId(1)) });
        let appends = [(1, vec![entry(1, b"one"), entry(1, b"two")]), (3, vec![entry(2, b"three")])];
        let persists = appends.map(|(first, entries)| Write::Persist {
            hard,
            truncate_from: None,
            append: Some(Append { first: Index(first), entries }),
        });
        for write in std::iter::once(Write::Registry(change)).chain(persists) {
            let submission = Submission { local: record.local, incarnation: record.incarnation, ticket: 1, write };
            store.storage.turn(&mut vec![submission]).expect("it is in memory");
        }
        disk
    }

    /// Everything that the log database holds.
    fn items(&self) -> Vec<(Space, Vec<u8>, Vec<u8>)> {
        let mut items = Vec::new();
        for space in [Space::Meta, Space::Log] {
            let mut visit = |key: &[u8], value: Bytes| {
                items.push((space, key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            };
            self.log.scan(space, &[][..]..&[u8::MAX; 32][..], &mut visit).expect("it is in memory");
        }
        items
    }

    /// Takes one change off the input.
    fn change(&mut self, data: &mut &[u8]) {
        let (what, which, at, length) = (byte(data), usize::from(byte(data)), usize::from(byte(data)), usize::from(byte(data) % 64));
        let (bytes, rest) = data.split_at(length.min(data.len()));
        *data = rest;
        let items = self.items();
        let mut batch = Batch::default();
        match items.get(which % items.len().max(1)) {
            _ if what % 8 == 7 => self.witness.write_at(at as u64, bytes).expect("it is in memory"),
            None => {}
            Some((space, key, _)) if what % 8 == 6 => batch.delete(*space, key.clone()),
            Some((space, key, value)) => {
                let (mut key, mut value) = (key.clone(), value.clone());
                // Over the key, over the content, or in the place of all of it.
                let place = if what % 8 == 5 { &mut key } else { &mut value };
                if what % 8 == 4 {
                    place.truncate(4);
                    place.extend_from_slice(bytes);
                } else {
                    place.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
                }
                if what & 8 != 0 {
                    seal(&key, &mut value);
                }
                batch.put(*space, key, value);
            }
        }
        self.log.commit(batch, Durability::Synced).expect("it is in memory");
    }
}

/// The checksum that records and log items begin with, which no fuzzer guesses.
fn seal(key: &[u8], value: &mut [u8]) {
    let Some((head, content)) = value.split_first_chunk_mut::<4>() else { return };
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(content);
    *head = crc.finalize().to_le_bytes();
}

fn damaged_store(mut data: &[u8]) {
    let mut disk = Disk::used();
    while !data.is_empty() {
        disk.change(&mut data);
    }
    let Ok(store) = disk.open() else { return };
    for group in &store.groups {
        for from in [0, 1, 2, 3, u64::MAX] {
            let _ = store.reader.read(group.record.local, Index(from), 16, 1 << 16);
        }
    }
    let (boot, groups) = (store.boot, store.groups.len());
    drop(store);
    let again = disk.open().expect("what was opened opens again");
    assert_eq!((again.boot, again.groups.len()), (boot + 1, groups));
}

fn chunk(mut data: &[u8]) {
    let (transfer, sequence) = (TransferId { sender: NodeId(1), number: number(&mut data) }, number(&mut data));
    let chunk = Chunk::new(transfer, sequence, Bytes::copy_from_slice(data), true);
    assert!(chunk.is_intact(transfer));
    let items: Vec<_> = chunk.decode().collect();
    assert!(items.len() <= data.len() + 1, "each item takes bytes");
    assert!(items.iter().rev().skip(1).all(Option::is_some), "nothing is read behind what makes no sense");
}

fn trace(data: &[u8]) {
    let _ = parse_head(data);
    let _ = parse_dump_head(data);
    let _ = parse_record(data);
    let mut rest = data;
    while let Ok((payload, length)) = parse_frame(rest) {
        let _ = parse_record(payload);
        rest = &rest[length..];
    }
}
