//! The same group id, added and removed from many threads at once, through the launcher of an embedding engineer.

use roadstead::{
    GroupId, NodeId,
    launcher::Launcher,
    node::{GroupError, GroupOptions, NodeOptions},
    service::kv::{PutRequest, Request},
    shard::Response,
    store::RegistryError,
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const THREADS: usize = 8;
const ROUNDS: usize = 25;

fn options(generation: u64) -> GroupOptions {
    GroupOptions { generation, ..GroupOptions::raft(GroupId::new(7).unwrap(), "kv", &[NodeId(1)]) }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What all threads together did.
#[derive(Default)]
struct Tally {
    generation: AtomicU64,
    added: Mutex<BTreeSet<u64>>,
    adds: AtomicU64,
    removes: AtomicU64,
    writes: AtomicU64,
}

impl Tally {
    /// Adds, writes and removes, each of which somebody else may have made impossible meanwhile.
    async fn round(&self, launcher: &Launcher) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) / 2 + 1; // two threads try each life
        match launcher.add_group_of_service(options(generation)).await {
            Ok(group) => {
                assert!(self.added.lock().unwrap().insert(generation), "generation {generation} lived twice");
                self.adds.fetch_add(1, Ordering::Relaxed);
                let put = Request::Put(PutRequest::new("key", "value")).encode();
                match group.write(put).await {
                    Response::Committed { .. } => drop(self.writes.fetch_add(1, Ordering::Relaxed)),
                    Response::Rejected(_) | Response::Unknown { .. } => {}
                    Response::Answered { .. } => panic!("a query's answer to a write"),
                }
            }
            Err(GroupError::Registry { reason: RegistryError::Exists(_) | RegistryError::Removed { .. }, .. }) => {}
            Err(error) => panic!("{error}"),
        }
        match launcher.remove_group(options(1).group).await {
            Ok(_) => drop(self.removes.fetch_add(1, Ordering::Relaxed)),
            // It is being opened by another thread, which removes it or leaves it to us.
            Err(GroupError::NoSuchGroup(_) | GroupError::Failed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_same_id_added_and_removed_from_many_threads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let bind = || block_on(Launcher::bind(address, NodeOptions::new(NodeId(1), address, folder.path()))).unwrap();
    let launcher = bind();
    let tally = Tally::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                block_on(async {
                    for _ in 0..ROUNDS {
                        tally.round(&launcher).await;
                    }
                });
            });
        }
    });
    // On a busy machine every life of the race may end before it has a leader: some rounds without a race, in which a write gets through.
    for _ in 0..4 {
        block_on(tally.round(&launcher));
    }
    let (adds, removes) = (tally.adds.load(Ordering::Relaxed), tally.removes.load(Ordering::Relaxed));
    let here = block_on(launcher.groups()).len() as u64;
    assert_eq!(adds - removes, here, "each life ended once: {adds} begun, {removes} ended");
    assert!(adds > 1 && tally.writes.load(Ordering::Relaxed) > 0, "{adds} lives");
    if here == 1 {
        block_on(launcher.remove_group(options(1).group)).unwrap();
    }
    block_on(launcher.shutdown(Duration::from_secs(5))).unwrap();

    let launcher = bind();
    assert!(block_on(launcher.groups()).is_empty());
    for generation in tally.added.into_inner().unwrap() {
        let risen = block_on(launcher.add_group_of_service(options(generation))).unwrap_err();
        assert!(matches!(risen, GroupError::Registry { reason: RegistryError::Removed { .. }, .. }), "{risen}");
    }
    let fresh = block_on(launcher.add_group_of_service(options(u64::from(u32::MAX)))).unwrap();
    let put = Request::Put(PutRequest::new("key", "value")).encode();
    assert!(matches!(block_on(fresh.write(put)), Response::Committed { .. }));
    block_on(launcher.shutdown(Duration::from_secs(5))).unwrap();
}
