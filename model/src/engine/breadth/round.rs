//! One round: some blocks of the frontier are expanded in parallel, then what is new is taken over in order.
//!
//! Two threads may meet the same state at the same time. Who keeps it decides which path is remembered, so the race must not decide it: the first half only
//! reads the set of visited states, and the second gives each thread its own part of the set and shows it all successors in the order of the frontier.
//! So the frontier, the paths and all counts are the same for any number of threads, and no lock is taken.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    expand::{BLOCK, Expansion, expand},
    visited::Visited,
};
use crate::World;

/// Blocks of a round. Its successors are in memory at once, those that are met twice in it even twice.
pub(super) const ROUND: usize = 32;

/// Expands blocks, the first state of which has the number `first`. What lies behind the first broken law is left out.
pub(super) fn expand_all<W: World>(
    world: &W,
    blocks: &[Vec<W::State>],
    first: u32,
    visited: &Visited,
    threads: usize,
) -> Vec<Expansion<W::State>> {
    // All blocks but the last one of a level are full.
    let one = |number: usize| expand(world, &blocks[number], first + (number * BLOCK) as u32, visited);
    let mut expansions = if threads == 1 || blocks.len() == 1 {
        let mut expansions = Vec::with_capacity(blocks.len());
        for number in 0..blocks.len() {
            expansions.push(one(number));
            if expansions.last().is_some_and(|last| last.broken.is_some()) {
                break;
            }
        }
        expansions
    } else {
        in_parallel(blocks.len(), threads, one)
    };
    if let Some(last) = expansions.iter().position(|expansion| expansion.broken.is_some()) {
        expansions.truncate(last + 1);
    }
    expansions
}

fn in_parallel<S: Send>(blocks: usize, threads: usize, one: impl Fn(usize) -> Expansion<S> + Sync) -> Vec<Expansion<S>> {
    let next = AtomicUsize::new(0);
    let broken = AtomicUsize::new(usize::MAX);
    let work = || {
        let mut mine = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            // Blocks behind a broken law are not needed; those before it are, since they may break one earlier.
            if number >= blocks || number > broken.load(Ordering::Relaxed) {
                return mine;
            }
            let expansion = one(number);
            if expansion.broken.is_some() {
                broken.fetch_min(number, Ordering::Relaxed);
            }
            mine.push((number, expansion));
        }
    };
    let mut expansions: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(blocks)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a world does not panic")).collect()
    });
    expansions.sort_unstable_by_key(|(number, _)| *number);
    // Without gaps up to the first broken law: numbers are handed out in order.
    expansions.into_iter().map(|(_, expansion)| expansion).collect()
}

/// Adds all successors to the set and says which of them are new: for each expansion, the places of the new ones, in order.
pub(super) fn keep_new<S: Send>(visited: &mut Visited, expansions: &[Expansion<S>], threads: usize) -> Vec<Vec<u32>> {
    let successors: usize = expansions.iter().map(|expansion| expansion.fingerprints.len()).sum();
    // A thread costs as much as some hundred insertions.
    let threads = if successors < 2_048 { 1 } else { threads };
    let prints: Vec<&[u64]> = expansions.iter().map(|expansion| expansion.fingerprints.as_slice()).collect();
    let mut shares: Vec<_> = visited.share(threads).collect();
    if let [share] = shares.as_mut_slice() {
        return new_of(|fingerprint| share.insert(fingerprint), &prints);
    }
    let parts: Vec<Vec<Vec<u32>>> = thread::scope(|scope| {
        let prints = &prints;
        let workers: Vec<_> =
            shares.into_iter().map(|mut share| scope.spawn(move || new_of(|fingerprint| share.insert(fingerprint), prints))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a set does not panic")).collect()
    });
    let mut kept = vec![Vec::new(); expansions.len()];
    for part in parts {
        for (all, mine) in kept.iter_mut().zip(part) {
            all.extend(mine);
        }
    }
    for places in &mut kept {
        places.sort_unstable();
    }
    kept
}

fn new_of(mut insert: impl FnMut(u64) -> bool, prints: &[&[u64]]) -> Vec<Vec<u32>> {
    let places = |prints: &&[u64]| prints.iter().zip(0..).filter(|(print, _)| insert(**print)).map(|(_, place)| place).collect();
    prints.iter().map(places).collect()
}
