//! Damaged journals, as an operator meets them: the node does not start and says why, `check` says where, `repair` cuts what may be cut.

use crate::{
    cluster::{Cluster, Node, roadstead},
    writers::Load,
};
use std::{fs, path::PathBuf, process::Output, time::Duration};

/// The end of each batch in fjall's journal.
const TRAILER: &[u8] = b"FJL\x03";

/// The journal of the log database, its bytes, and where its last batch ends.
fn journal(node: &Node) -> (PathBuf, Vec<u8>, usize) {
    let files = fs::read_dir(node.data().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).max().unwrap();
    let bytes = fs::read(&file).unwrap();
    let end = bytes.windows(TRAILER.len()).rposition(|window| window == TRAILER).unwrap() + TRAILER.len();
    (file, bytes, end)
}

/// A batch of which the last page reached the disk and one before it did not: whole in length, wrong in content.
fn torn_batch() -> Vec<u8> {
    let mut batch = vec![1]; // start: one item, a sequence number behind all others
    batch.extend_from_slice(&1u32.to_le_bytes());
    batch.extend_from_slice(&(1u64 << 40).to_le_bytes());
    batch.extend_from_slice(&[2, 0, 0]); // item: a value, not compressed, of keyspace 0
    batch.extend_from_slice(&0u64.to_le_bytes());
    batch.extend_from_slice(&1u16.to_le_bytes());
    batch.extend_from_slice(&[4u32.to_le_bytes(), 4u32.to_le_bytes()].concat());
    batch.extend_from_slice(b"k\0\0\0\0");
    batch.push(3); // end: not the checksum of this
    batch.extend_from_slice(&0x00ba_d5ea_u64.to_le_bytes());
    batch.extend_from_slice(TRAILER);
    batch
}

fn on_data(command: &str, node: &Node, more: &[&str]) -> Output {
    let data = node.data();
    roadstead(&[&[command, data.to_str().unwrap()], more].concat())
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[test]
fn a_flipped_bit_in_an_early_record_keeps_the_node_out_and_the_others_go_on() {
    let mut cluster = Cluster::start(&[1], "");
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(50);
    let victim = cluster.follower(1);
    let node = cluster.node(victim);
    node.kill();
    let (file, good, end) = journal(node);
    let place = end / 4;
    let mut bad = good.clone();
    bad[place] ^= 0x10;
    fs::write(&file, &bad).unwrap();

    let (code, log) = node.refused();
    assert_eq!(code, Some(1), "{log}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(log.contains("ERROR") && log.contains(name) && log.contains("is damaged at byte") && log.contains("restore"), "{log}");
    assert_eq!(fs::read(&file).unwrap(), bad, "the evidence stays");
    let check = on_data("check", node, &[]);
    assert_eq!(check.status.code(), Some(1));
    let told: usize = {
        let text = said(&check);
        text.split_once("is damaged at byte ").unwrap().1.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    assert!(told <= place, "the batch that begins at byte {told} holds byte {place}");
    let repair = on_data("repair", node, &["--yes"]);
    assert_eq!(repair.status.code(), Some(1));
    assert!(said(&repair).contains("nothing was changed"), "{}", said(&repair));
    load.acknowledged(20);

    let node = cluster.node(victim);
    fs::write(&file, &good).unwrap();
    node.start();
    node.wait_until_up();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_torn_tail_is_told_checked_and_cut() {
    let mut cluster = Cluster::start(&[1], "");
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(50);
    let victim = cluster.leader(1);
    let node = cluster.node(victim);
    node.kill();
    let (file, mut bytes, end) = journal(node);
    let torn = torn_batch();
    bytes.truncate(end);
    bytes.extend_from_slice(&torn);
    fs::write(&file, &bytes).unwrap();

    let (code, log) = node.refused();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("ERROR") && log.contains(&format!("torn write at byte {end}")) && log.contains("roadstead repair"), "{log}");
    let check = on_data("check", node, &[]);
    assert_eq!(check.status.code(), Some(1));
    assert!(said(&check).contains(&format!("byte {end}")), "{}", said(&check));
    let dry = on_data("repair", node, &[]);
    assert!(dry.status.success() && said(&dry).contains(&format!("would cut {} bytes", torn.len())), "{}", said(&dry));
    assert_eq!(fs::read(&file).unwrap(), bytes, "a dry run changes nothing");
    let cut = on_data("repair", node, &["--yes"]);
    assert!(cut.status.success() && said(&cut).contains("the node can start"), "{}", said(&cut));
    let check = on_data("check", node, &[]);
    assert!(check.status.success(), "{}", said(&check));

    load.acknowledged(20);
    let node = cluster.node(victim);
    node.start();
    node.wait_until_up();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

/// What a power cut usually leaves: the last batch breaks off. It was never acknowledged, and fjall cuts it off by itself.
#[test]
fn a_tail_that_breaks_off_needs_nobody() {
    let mut cluster = Cluster::start(&[1], "");
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(50);
    let victim = cluster.follower(1);
    let node = cluster.node(victim);
    node.kill();
    let (file, mut bytes, end) = journal(node);
    let torn = torn_batch();
    bytes.truncate(end);
    bytes.extend_from_slice(&torn[..torn.len() / 2]);
    fs::write(&file, &bytes).unwrap();
    node.start();
    node.wait_until_up();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}
