//! What a replay must see: damage of more than forty kinds, done to the records of a real run, each rejected for a stated reason.
//!
//! Each kind is done in three places: early, in the middle and late.

mod content;
mod damage;
mod disk;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tape;

use damage::Share;
use roadstead_conformance::{Options, files::Unreadable, replay, verdict::Rule};
use std::{collections::BTreeMap, fs};
use support::Cluster;
use tape::Tape;

const GROUPS: [i32; 2] = [1, 7];

fn recorded() -> Tape {
    let mut cluster = Cluster::start(&GROUPS);
    cluster.write(&GROUPS, 150, 40);
    for group in GROUPS {
        let leader = cluster.leader(group);
        cluster.kill(leader);
        cluster.write(&GROUPS, 60, 40);
        cluster.start_node(leader);
        cluster.write(&GROUPS, 60, 40);
        cluster.read(&GROUPS);
    }
    cluster.stop();
    Tape::read(&cluster.trace())
}

fn judge(tape: &Tape) -> Result<roadstead_conformance::verdict::Verdict, Unreadable> {
    let folder = tempfile::tempdir().unwrap();
    tape.write(folder.path());
    replay(folder.path(), &Options::default())
}

#[test]
fn every_damage_is_rejected_for_its_reason() {
    let tape = recorded();
    let untouched = judge(&tape).unwrap();
    if let Some(rejection) = untouched.rejection {
        let folder = tempfile::tempdir().unwrap();
        tape.write(folder.path());
        panic!("rejected; the trace is kept in {}\n{rejection}", support::keep(folder.path(), "untouched").display());
    }
    println!("{} records", untouched.figures.records);
    let (mut survivors, mut unseen, mut killed): (Vec<String>, Vec<&str>, BTreeMap<Rule, usize>) = Default::default();
    let mut kinds = 0;
    for (name, rules, damage) in [stream::MUTANTS, disk::MUTANTS, content::MUTANTS].concat() {
        let mut done = 0;
        for share in [10, 50, 90].map(Share) {
            let mut mutant = tape.clone();
            if damage(&mut mutant, share).is_none() {
                continue;
            }
            done += 1;
            let verdict = judge(&mutant).unwrap();
            match verdict.rejection {
                Some(rejection) if rules.contains(&rejection.rule) => *killed.entry(rejection.rule).or_default() += 1,
                Some(rejection) => survivors.push(format!("{name} at {} %: for another reason: {rejection}", share.0)),
                None => survivors.push(format!("{name} at {} %", share.0)),
            }
        }
        kinds += usize::from(done > 0);
        if done == 0 {
            unseen.push(name);
        }
    }
    println!("{kinds} kinds of damage; by rule: {killed:?}; nothing to damage for: {unseen:?}");
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
    assert!(kinds >= 40, "only {kinds}");
}

/// Goal: a file that was damaged after it was written is no evidence, neither for nor against.
#[test]
fn a_flipped_bit_is_unreadable_and_a_torn_end_is_left_out() {
    let mut cluster = Cluster::start(&GROUPS);
    cluster.write(&GROUPS, 20, 40);
    cluster.stop();
    let folder = cluster.trace();
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    fs::write(&file, &flipped).unwrap();
    assert!(matches!(replay(&folder, &Options::default()), Err(Unreadable::Damaged { .. })));
    // What SIGKILL leaves of a last write: here of the record of an end in order, which takes ten bytes.
    fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    let verdict = replay(&folder, &Options::default()).unwrap();
    assert!(verdict.conforms && verdict.notes.len() == 1 && verdict.figures.killed == 1, "{verdict:?}");
    fs::write(&file, [&bytes[..], &[0; 4096]].concat()).unwrap();
    assert!(replay(&folder, &Options::default()).unwrap().conforms, "zeros that a file system left");
}
