//! Opening a data folder: whose it is, who uses it, which groups and peers it remembers.

mod store_common;

use bytes::Bytes;
use roadstead::store::{
    Expected, RegistryError, Store,
    engine::{Batch, Durability, Engine, Read, Space},
    format::FormatError,
    memory::Survivors,
    open::OpenError,
};
use roadstead_spec::{GroupId, NodeId};
use std::{fs, path::Path};
use store_common::*;

#[test]
fn another_nodes_or_clusters_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), EXPECTED).unwrap();
    assert_eq!((store.boot, store.identity.node, store.identity.cluster), (1, NodeId(1), 0xc1));
    let id = store.identity.store;
    drop(store);

    let node = Store::open(dir.path(), Expected { node: NodeId(2), ..EXPECTED }).unwrap_err();
    assert!(matches!(node, OpenError::Format(FormatError::OtherNode { found: NodeId(1), expected: NodeId(2), .. })));
    assert!(node.to_string().contains("correct the node id"), "{node}");
    let cluster = Store::open(dir.path(), Expected { cluster: 9, ..EXPECTED }).unwrap_err();
    assert!(matches!(cluster, OpenError::Format(FormatError::OtherCluster { found: 0xc1, expected: 9, .. })));
    assert_eq!((node.exit_code(), cluster.exit_code()), (2, 2));

    let store = Store::open(dir.path(), EXPECTED).unwrap();
    assert_eq!((store.boot, store.identity.store), (2, id), "a refused start is no boot");
    let other = tempfile::tempdir().unwrap();
    assert_ne!(Store::open(other.path(), EXPECTED).unwrap().identity.store, id, "every folder mints its own id");
}

#[test]
fn a_folder_in_use_is_refused_and_names_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), EXPECTED).unwrap();
    let error = Store::open(dir.path(), EXPECTED).unwrap_err();
    let OpenError::Format(FormatError::InUse { holder, .. }) = &error else { panic!("{error}") };
    assert_eq!(*holder, std::process::id().to_string());
    assert!(error.to_string().contains("in use by process"), "{error}");
    drop(store);
    Store::open(dir.path(), EXPECTED).unwrap();
}

/// A creation that broke off is done again; a used folder without its identity is not silently made new.
#[test]
fn a_lost_identity_is_refused_and_an_interrupted_creation_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let identity = dir.path().join("identity");
    drop(Store::open(dir.path(), EXPECTED).unwrap());
    let text = fs::read_to_string(&identity).unwrap();
    fs::remove_file(&identity).unwrap();
    let error = Store::open(dir.path(), EXPECTED).unwrap_err();
    assert!(matches!(error, OpenError::Format(FormatError::Missing { .. })), "{error}");

    for edited in
        [text.replace("node = 1", "node = 2"), text.replace("format = 1", "format = 3"), text[..40].to_owned(), "\u{fe}".to_owned()]
    {
        fs::write(&identity, &edited).unwrap();
        let error = Store::open(dir.path(), EXPECTED).unwrap_err();
        assert!(matches!(error, OpenError::Format(FormatError::Damaged { .. })), "{edited}: {error}");
    }
    fs::write(&identity, [0xff, 0xfe]).unwrap();
    assert!(matches!(Store::open(dir.path(), EXPECTED).unwrap_err(), OpenError::Format(FormatError::Damaged { .. })));
    fs::write(&identity, &text).unwrap();
    assert_eq!(Store::open(dir.path(), EXPECTED).unwrap().boot, 2);

    let fresh = tempfile::tempdir().unwrap();
    fs::create_dir_all(fresh.path().join("log/keyspaces")).unwrap();
    fs::write(fresh.path().join("log/0.jnl"), b"half").unwrap();
    assert_eq!(Store::open(fresh.path(), EXPECTED).unwrap().boot, 1);
}

/// The log database or the witness of another folder is noticed.
#[test]
fn parts_of_another_folder_are_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        drop(Store::open(dir.path(), EXPECTED).unwrap());
    }
    let swap = |part: &str| {
        fs::rename(one.path().join(part), one.path().join("aside")).unwrap();
        fs::rename(two.path().join(part), one.path().join(part)).unwrap();
        fs::rename(one.path().join("aside"), two.path().join(part)).unwrap();
    };
    swap("witness");
    assert!(matches!(Store::open(one.path(), EXPECTED).unwrap_err(), OpenError::Witness(_)));
    swap("log");
    swap("witness");
    assert!(matches!(Store::open(one.path(), EXPECTED).unwrap_err(), OpenError::OtherDatabase { .. }));
    swap("log");
    drop(Store::open(one.path(), EXPECTED).unwrap());
    fs::remove_dir_all(one.path().join("log")).unwrap();
    let error = Store::open(one.path(), EXPECTED).unwrap_err();
    assert!(!matches!(error, OpenError::Meta(_)), "{error}");
    assert!(Path::new(&one.path().join("witness")).exists());
}

fn groups_and_peers(world: &World) {
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    let second = create(&mut store, 0);
    assert_ne!(record.local, second.local);
    let again = store.registry.plan_create(new_group(5, 2));
    assert_eq!(again.unwrap_err(), RegistryError::Exists(record.group));
    store.storage.turn(&mut vec![submit(&record, 1, vote(3, 2)), submit(&record, 2, append(1, vec![entry(3, "x")]))]).unwrap();
    let timers = store.registry.plan_update(record.group, vec![9]).unwrap();
    let peer = store.registry.plan_peer(NodeId(2), 0xabc).unwrap().unwrap();
    store.storage.turn(&mut vec![registry(timers), registry(peer)]).unwrap();
    drop(store);

    let mut store = world.open().unwrap();
    assert_eq!(store.registry.group(record.group).unwrap().timers, [9]);
    assert_eq!(store.registry.groups().count(), 2);
    assert_eq!(store.registry.plan_peer(NodeId(2), 0xabc), Ok(None));
    let other = store.registry.plan_peer(NodeId(2), 0xdef).unwrap_err();
    assert!(other.to_string().contains("may have forgotten votes"), "{other}");

    // Removed in the middle of a round: nothing before or behind it survives, and its completions do not come.
    let (_, remove) = store.registry.plan_remove(record.group).unwrap();
    let mut round = vec![submit(&record, 3, append(2, vec![entry(3, "y")])), registry(remove), submit(&record, 4, vote(9, 1))];
    let tickets: Vec<_> = store.storage.turn(&mut round).unwrap().iter().map(|done| done.ticket).collect();
    assert_eq!(tickets, [3, 0]);
    let removed = store.registry.plan_create(new_group(5, 1)).unwrap_err();
    assert!(matches!(&removed, RegistryError::Removed { .. }) && removed.to_string().contains("raise `generation`"), "{removed}");
    assert_eq!(store.registry.plan_remove(record.group).unwrap_err(), RegistryError::Unknown(record.group));
    drop(store);

    let mut store = world.open().unwrap();
    assert_eq!(store.groups.iter().map(|group| group.record.group).collect::<Vec<_>>(), [GroupId::DEFAULT]);
    assert!(matches!(store.registry.plan_create(new_group(5, 1)), Err(RegistryError::Removed { .. })), "also after a restart");
    let (fresh, change) = store.registry.plan_create(new_group(5, 2)).unwrap();
    store.storage.turn(&mut vec![registry(change)]).unwrap();
    assert!(fresh.local > second.local, "local numbers are never reused");
    drop(store);
    let store = world.open().unwrap();
    let group = store.groups.iter().find(|group| group.record == fresh).unwrap();
    assert_eq!(group.log.as_ref().unwrap().hard, Default::default(), "nothing of the predecessor");
}

#[test]
fn groups_and_peers_in_memory() {
    groups_and_peers(&World::memory());
}

#[test]
fn groups_and_peers_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    groups_and_peers(&World::Disk(dir.path().to_owned()));
}

/// A database put back to an earlier day, a vote put back to an earlier one, a vote that is gone: none of them votes again.
#[test]
fn what_was_put_back_is_refused() {
    let World::Memory { log, state, witness } = World::memory() else { unreachable!() };
    let world = World::Memory { log: log.clone(), state: state.clone(), witness: witness.clone() };
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    store.storage.turn(&mut vec![submit(&record, 1, vote(3, 2))]).unwrap();
    let earlier = log.crash(Survivors::All);
    let key = [&[0x04][..], &record.local.0.to_be_bytes()].concat();
    let old_vote = log.get(Space::Meta, &key).unwrap().unwrap();
    store.storage.turn(&mut vec![submit(&record, 2, vote(4, 3))]).unwrap();
    drop(store);

    let put_back = World::Memory { log: earlier, state, witness };
    let error = put_back.open().unwrap_err();
    assert!(matches!(error, OpenError::Behind { found: 3, witnessed: 4 }), "{error}");

    let new_vote = log.get(Space::Meta, &key).unwrap().unwrap();
    let change = |value: Option<Bytes>| {
        let mut batch = Batch::default();
        match value {
            Some(value) => batch.put(Space::Meta, key.clone(), value),
            None => batch.delete(Space::Meta, key.clone()),
        }
        log.commit(batch, Durability::Synced).unwrap();
    };
    change(Some(old_vote));
    let error = world.open().unwrap_err();
    assert!(matches!(error, OpenError::OtherVotes { .. }) && error.to_string().contains("not the ones that were synced"), "{error}");
    change(None);
    let store = world.open().unwrap();
    let why = store.groups[0].log.as_ref().unwrap_err().to_string();
    assert!(why.contains("term and vote of group 5 is missing"), "{why}");
    drop(store);
    // Damage that was mended by hand is not believed: the digest of the boot in between did not count the group.
    change(Some(new_vote));
    assert!(matches!(world.open().unwrap_err(), OpenError::OtherVotes { .. }));
}
