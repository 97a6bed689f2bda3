//! What a replay must see: damage of more than seventy kinds, done to the records of a real run, each rejected for a stated reason.
//!
//! Each kind is done in three places: early, in the middle and late.

mod content;
mod damage;
mod disk;
mod dispatch;
mod links;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tape;

use damage::Share;
use roadstead::trace::{parse_frame, parse_head};
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
    // One node removes a group that the others go on with, and refuses what they send.
    cluster.remove_group(3, GROUPS[1]);
    cluster.write(&GROUPS, 20, 40);
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
    for (name, rules, damage) in [stream::MUTANTS, disk::MUTANTS, content::MUTANTS, dispatch::MUTANTS, links::MUTANTS].concat() {
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
    assert!(kinds >= 65, "only {kinds}");
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
    let middle = a_record_at(&bytes, bytes.len() / 2);
    // Every byte of its length and checksums, and the first of what it says.
    for at in middle..=middle + 12 {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        fs::write(&file, &flipped).unwrap();
        let read = replay(&folder, &Options::default());
        assert!(matches!(read, Err(Unreadable::Damaged { offset, .. }) if offset == middle as u64), "byte {at} of {}", bytes.len());
    }
    // What SIGKILL leaves of a last write: here of the record of an end in order, whose payload takes two bytes or more.
    fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
    let verdict = replay(&folder, &Options::default()).unwrap();
    assert!(verdict.conforms && verdict.notes.len() == 1 && verdict.figures.killed == 1, "{verdict:?}");
    fs::write(&file, [&bytes[..], &[0; 4096]].concat()).unwrap();
    assert!(replay(&folder, &Options::default()).unwrap().conforms, "zeros that a file system left");
}

/// Where the first record at or after `from` begins.
fn a_record_at(bytes: &[u8], from: usize) -> usize {
    let (_, mut at) = parse_head(bytes).unwrap();
    while at < from {
        at += parse_frame(&bytes[at..]).unwrap().1;
    }
    at
}
