//! Sending, receiving and installing snapshots.

use crate::support::*;
use proptest::prelude::*;
use roadstead::{
    applier::{
        Chunk, Failure, Gone, Job, Outcome, RESUME_CHUNKS_MAX, Refusal, StateEpoch, TransferId, VIEW_AGE_MAX, VIEW_IDLE_MAX, VIEWS_MAX,
        Work,
    },
    store::memory::Survivors,
};
use roadstead_spec::EntryId;
use std::time::Duration;

const CHUNK_BYTES: usize = 100;

/// A node whose group 1 has `count` items; three or so fit a chunk.
fn sender(count: u64) -> Node {
    let mut node = Node::with_groups(&[1, 2]);
    let commands: Vec<String> = (0..count).map(|number| format!("put key{number:04} {number:016}")).collect();
    node.applied(group(1), 1, &commands.iter().map(String::as_str).collect::<Vec<_>>());
    node.applied(group(2), 1, &["put foreign x"]);
    node
}

/// A node whose group 1 has older data.
fn receiver() -> Node {
    let mut node = Node::with_groups(&[1, 2]);
    node.applied(group(1), 1, &["put old 1", "put key0001 old"]);
    node
}

fn open_view(node: &mut Node, transfer: TransferId) -> EntryId {
    match node.one(group(1), Work::SnapshotOpen { transfer, chunk_bytes: CHUNK_BYTES }) {
        Outcome::SnapshotOpened { at, .. } => at,
        other => panic!("{other:?}"),
    }
}

fn read_chunk(node: &mut Node, transfer: TransferId, sequence: u64) -> Result<Chunk, Gone> {
    match node.one(group(1), Work::SnapshotRead { transfer, sequence }) {
        Outcome::SnapshotChunk { chunk, .. } => Ok(chunk),
        Outcome::SnapshotGone { why, .. } => Err(why),
        other => panic!("{other:?}"),
    }
}

fn stage(node: &mut Node, transfer: TransferId, chunk: &Chunk) -> Outcome {
    node.one(group(1), Work::StageChunk { transfer, chunk: chunk.clone() })
}

fn wants(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::StageWants { sequence, .. } => *sequence,
        other => panic!("{other:?}"),
    }
}

fn refusal(outcome: &Outcome) -> Refusal {
    match outcome {
        Outcome::StageRefused { why, .. } => *why,
        other => panic!("{other:?}"),
    }
}

/// Sends what is wanted until all is staged.
fn stage_all(from: &mut Node, to: &mut Node, transfer: TransferId, at: EntryId) -> StateEpoch {
    let mut outcome = to.one(group(1), Work::StageBegin { transfer, at });
    loop {
        match outcome {
            Outcome::StageWants { sequence, .. } => {
                let chunk = read_chunk(from, transfer, sequence).unwrap();
                outcome = stage(to, transfer, &chunk);
            }
            Outcome::Staged { at: staged, epoch, .. } => {
                assert_eq!(staged, at);
                return epoch;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn install(node: &mut Node, epoch: StateEpoch) -> EntryId {
    match node.one(group(1), Work::Install { epoch }) {
        Outcome::Installed { epoch: installed, applied } if installed == epoch => applied,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_view_is_the_state_at_its_applied_entry_while_writes_go_on() {
    let (mut from, mut to) = (sender(40), receiver());
    let expected = from.data(group(1), FIRST_EPOCH);
    // The apply of the same turn, before the view, is in it.
    let jobs = vec![
        Job::Group(group(1), apply(41, &["put zz last"])),
        Job::Group(group(1), Work::SnapshotOpen { transfer: transfer(1), chunk_bytes: CHUNK_BYTES }),
        Job::Group(group(1), apply(42, &["put zzz not", "del key0003"])),
    ];
    from.turn(jobs);
    let mut outcome = to.one(group(1), Work::StageBegin { transfer: transfer(1), at: id(1, 41) });
    let mut next = 44;
    let epoch = loop {
        match outcome {
            Outcome::StageWants { sequence, .. } => {
                from.applied(group(1), next, &[&format!("put key{:04} changed", next % 50), "del key0020"]);
                next += 2;
                let chunk = read_chunk(&mut from, transfer(1), sequence).unwrap();
                outcome = stage(&mut to, transfer(1), &chunk);
            }
            Outcome::Staged { epoch, .. } => break epoch,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(to.data(group(1), FIRST_EPOCH).len(), 2, "the old data is in use until the installation");
    assert_eq!(to.answer(group(1), "get old"), "1");
    assert_eq!(install(&mut to, epoch), id(1, 41));
    let mut expected = expected;
    expected.insert("zz".to_owned(), "last".to_owned());
    assert_eq!(to.data(group(1), epoch), expected);
    assert_eq!(to.answer(group(1), "count"), "41", "the machine was opened on the new data");
    assert_eq!(to.applied(group(1), 42, &["put b 1"]), ["42"]);
    to.rest();
    assert_eq!(to.data(group(1), FIRST_EPOCH).len(), 0, "the old data is gone");
    assert_eq!(to.key_count(group(1)), 43, "items and applied record");
}

#[test]
fn an_empty_state_is_one_empty_chunk() {
    let mut from = Node::with_groups(&[1]);
    from.applied(group(1), 1, &["put a 1", "del a"]);
    let mut to = Node::with_groups(&[1]);
    let at = open_view(&mut from, transfer(1));
    let epoch = stage_all(&mut from, &mut to, transfer(1), at);
    assert_eq!(install(&mut to, epoch), id(1, 2));
    assert_eq!(to.applied(group(1), 3, &["put b 1"]), ["1"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A network that loses, repeats, reorders and damages chunks, and connections that break off at any time.
    #[test]
    fn whatever_the_network_does_the_copy_is_whole(faults in prop::collection::vec((0..6u8, any::<u8>()), 0..40)) {
        let (mut from, mut to) = (sender(30), receiver());
        let at = open_view(&mut from, transfer(1));
        let mut wanted = wants(&to.one(group(1), Work::StageBegin { transfer: transfer(1), at }));
        let mut read = 0;
        for (fault, choice) in faults {
            let sequence = match fault {
                0 => u64::from(choice) % (read + 1),
                _ => wanted,
            };
            let mut chunk = read_chunk(&mut from, transfer(1), sequence).unwrap();
            read = read.max(sequence);
            match fault {
                1 => {
                    let mut items = chunk.items.to_vec();
                    let place = usize::from(choice) % items.len();
                    items[place] ^= 1;
                    chunk.items = items.into();
                }
                2 => chunk.sequence += 1 + u64::from(choice % 3),
                3 => chunk.done = !chunk.done,
                4 => {
                    prop_assert_eq!(wants(&to.one(group(1), Work::StageBegin { transfer: transfer(1), at })), wanted, "a reconnect");
                    continue;
                }
                _ => {}
            }
            let good = sequence == wanted && matches!(fault, 0 | 5);
            if good && chunk.done {
                break;
            }
            let answer = wants(&stage(&mut to, transfer(1), &chunk));
            prop_assert_eq!(answer, if good { wanted + 1 } else { wanted });
            wanted = answer;
        }
        let epoch = stage_all(&mut from, &mut to, transfer(1), at);
        install(&mut to, epoch);
        prop_assert_eq!(to.data(group(1), epoch), from.data(group(1), FIRST_EPOCH));
    }
}

#[test]
fn a_chunk_can_be_read_again_within_the_window_and_not_beyond() {
    let count = 3 * (RESUME_CHUNKS_MAX as u64 + 40);
    let mut from = sender(count);
    open_view(&mut from, transfer(1));
    let first = read_chunk(&mut from, transfer(1), 0).unwrap();
    assert_eq!(read_chunk(&mut from, transfer(1), 5).unwrap_err(), Gone::OutOfReach { wanted: 5, next: 1 });
    let mut chunks = vec![first];
    while !chunks.last().unwrap().done {
        chunks.push(read_chunk(&mut from, transfer(1), chunks.len() as u64).unwrap());
    }
    let last = chunks.len() as u64 - 1;
    let oldest = last - RESUME_CHUNKS_MAX as u64;
    for sequence in (oldest..=last).rev() {
        assert_eq!(read_chunk(&mut from, transfer(1), sequence).unwrap(), chunks[sequence as usize], "the same bytes");
    }
    assert_eq!(read_chunk(&mut from, transfer(1), oldest - 1).unwrap_err(), Gone::OutOfReach { wanted: oldest - 1, next: last });
    assert!(matches!(read_chunk(&mut from, transfer(1), last + 1), Err(Gone::OutOfReach { .. })));

    let mut to = receiver();
    let at = open_view(&mut from, transfer(2));
    let epoch = stage_all(&mut from, &mut to, transfer(2), at);
    assert_eq!(to.data(group(1), epoch), from.data(group(1), FIRST_EPOCH), "also where the window has moved");
}

#[test]
fn views_are_bounded_in_number_and_time() {
    let mut from = sender(1000);
    for number in 0..VIEWS_MAX as u64 {
        open_view(&mut from, transfer(number));
    }
    let outcome = from.one(group(1), Work::SnapshotOpen { transfer: transfer(99), chunk_bytes: CHUNK_BYTES });
    assert!(matches!(outcome, Outcome::SnapshotGone { why: Gone::TooMany, .. }), "{outcome:?}");
    from.one(group(1), Work::SnapshotClose { transfer: transfer(0) });
    assert_eq!(read_chunk(&mut from, transfer(0), 0), Err(Gone::Unknown));

    // One of them is read, the others idle.
    let mut sequence = 0;
    for _ in 0..2 {
        from.now += VIEW_IDLE_MAX - Duration::from_secs(1);
        read_chunk(&mut from, transfer(1), sequence).unwrap();
        sequence += 1;
    }
    assert_eq!(read_chunk(&mut from, transfer(2), 0), Err(Gone::Unknown), "given back by a turn's end");
    while from.now + VIEW_IDLE_MAX < VIEW_AGE_MAX {
        from.now += VIEW_IDLE_MAX - Duration::from_secs(1);
        read_chunk(&mut from, transfer(1), sequence).unwrap();
        sequence += 1;
    }
    from.now = VIEW_AGE_MAX;
    assert_eq!(read_chunk(&mut from, transfer(1), sequence), Err(Gone::TooOld(VIEW_AGE_MAX)));
    assert_eq!(from.applier.background_due(), None, "no view is left");
}

/// The story of an installation, ended by a power cut at each of its steps. The log database's commit (here: the test's choice of the epoch to open)
/// decides what the node wakes up with.
#[test]
fn an_installation_survives_a_crash_at_every_step() {
    let old = |node: &Node| assert_eq!(node.data(group(1), FIRST_EPOCH).into_keys().collect::<Vec<_>>(), ["key0001", "old"]);
    for survivors in [Survivors::First(0), Survivors::First(1), Survivors::First(4), Survivors::All] {
        let (mut from, mut to) = (sender(30), receiver());
        to.checkpoint();
        let at = open_view(&mut from, transfer(1));
        let expected = from.data(group(1), FIRST_EPOCH);

        // 1. In the middle of the chunks.
        to.one(group(1), Work::StageBegin { transfer: transfer(1), at });
        for sequence in 0..3 {
            let chunk = read_chunk(&mut from, transfer(1), sequence).unwrap();
            stage(&mut to, transfer(1), &chunk);
        }
        let mut reborn = to.crash(survivors);
        assert!(matches!(reborn.one(group(1), open(FIRST_EPOCH)), Outcome::Opened { applied } if applied == id(1, 2)));
        reborn.rest();
        old(&reborn);
        assert_eq!(reborn.key_count(group(1)), 3, "nothing of the reception is left");

        // 2. Everything is staged, the log database knows nothing of it.
        let epoch = stage_all(&mut from, &mut to, transfer(1), at);
        let mut reborn = to.crash(survivors);
        assert!(matches!(reborn.one(group(1), open(FIRST_EPOCH)), Outcome::Opened { applied } if applied == id(1, 2)));
        // A new reception before the leftovers are gone takes an epoch of its own, which the sweep must not touch.
        open_view(&mut from, transfer(2));
        let again = stage_all(&mut from, &mut reborn, transfer(2), at);
        assert!(again > epoch);
        reborn.rest();
        old(&reborn);
        assert_eq!(reborn.data(group(1), again), expected);
        assert_eq!(reborn.data(group(1), epoch).len(), 0);

        // 3. The log database has recorded the epoch, the machine has not been switched.
        let mut reborn = to.crash(survivors);
        assert!(matches!(reborn.one(group(1), open(epoch)), Outcome::Opened { applied } if applied == at));
        reborn.rest();
        assert_eq!(reborn.data(group(1), epoch), expected);
        assert_eq!(reborn.answer(group(1), "count"), "30");
        assert_eq!(reborn.key_count(group(1)), 31, "the old data is gone");

        // 4. Switched, the old data half deleted.
        install(&mut to, epoch);
        to.turn(Vec::new());
        let mut reborn = to.crash(survivors);
        assert!(matches!(reborn.one(group(1), open(epoch)), Outcome::Opened { applied } if applied == at));
        reborn.rest();
        assert_eq!(reborn.data(group(1), epoch), expected);
        assert_eq!(reborn.key_count(group(1)), 31);
        assert_eq!(reborn.applied(group(1), 31, &["put b 1"]), ["31"]);
    }
}

/// Leftovers of a large reception are deleted in many pieces; a new reception begins long before the last of them.
#[test]
fn a_reception_among_the_leftovers_of_an_earlier_one_is_whole() {
    let (mut from, mut to) = (sender(1000), receiver());
    let at = open_view(&mut from, transfer(1));
    let abandoned = stage_all(&mut from, &mut to, transfer(1), at);
    let mut reborn = to.crash(Survivors::All);
    reborn.one(group(1), open(FIRST_EPOCH));
    open_view(&mut from, transfer(2));
    let epoch = stage_all(&mut from, &mut reborn, transfer(2), at);
    assert!(reborn.data(group(1), abandoned).len() > 500, "the sweep has hardly begun");
    reborn.rest();
    assert_eq!(reborn.data(group(1), abandoned).len(), 0);
    assert_eq!(reborn.data(group(1), epoch), from.data(group(1), FIRST_EPOCH));
    install(&mut reborn, epoch);
    reborn.rest();
    assert_eq!(reborn.key_count(group(1)), 1001);
}

#[test]
fn receptions_are_refused_by_name() {
    let (mut from, mut to) = (sender(30), receiver());
    let at = open_view(&mut from, transfer(1));
    let chunk = read_chunk(&mut from, transfer(1), 0).unwrap();
    assert_eq!(refusal(&stage(&mut to, transfer(1), &chunk)), Refusal::Unknown);
    let stale = to.one(group(1), Work::StageBegin { transfer: transfer(1), at: id(1, 2) });
    assert_eq!(refusal(&stale), Refusal::Stale { at: id(1, 2), applied: id(1, 2) });

    // Another transfer replaces an unfinished one, and must not be continued by its chunks.
    to.one(group(1), Work::StageBegin { transfer: transfer(1), at });
    stage(&mut to, transfer(1), &chunk);
    open_view(&mut from, transfer(2));
    assert_eq!(wants(&to.one(group(1), Work::StageBegin { transfer: transfer(2), at })), 0);
    assert_eq!(refusal(&stage(&mut to, transfer(1), &chunk)), Refusal::Unknown);
    assert_eq!(wants(&stage(&mut to, transfer(2), &chunk)), 0, "the checksum covers the transfer");

    // A complete one stays until it is installed or aborted by name, since the log database may name it at any moment.
    let epoch = stage_all(&mut from, &mut to, transfer(2), at);
    let begun = to.one(group(1), Work::StageBegin { transfer: transfer(3), at: id(1, 99) });
    assert_eq!(refusal(&begun), Refusal::Installing(transfer(2)));
    let again = stage(&mut to, transfer(2), &chunk);
    assert!(matches!(again, Outcome::Staged { epoch: staged, .. } if staged == epoch), "{again:?}");
    assert_eq!(refusal(&to.one(group(1), Work::StageAbort { transfer: transfer(2) })), Refusal::Aborted);
    to.rest();
    assert_eq!(to.key_count(group(1)), 3, "nothing of either reception is left");
    assert_eq!(*failure(&to.one(group(1), Work::Install { epoch })), Failure::NotStaged(epoch));
}

#[test]
fn chunks_that_do_not_decode_end_the_reception() {
    let mut to = receiver();
    for items in [&b"\0\0\0\x09\0\0\0\0short"[..], &[vec![0, 1, 0, 0, 0, 0, 0, 0], vec![b'k'; 65_536]].concat()] {
        to.one(group(1), Work::StageBegin { transfer: transfer(1), at: id(1, 50) });
        let chunk = Chunk::new(transfer(1), 0, items.to_vec().into(), true);
        assert_eq!(refusal(&stage(&mut to, transfer(1), &chunk)), Refusal::Malformed(0));
    }
    to.rest();
    assert_eq!(to.key_count(group(1)), 3);
}

#[test]
fn a_machine_that_refuses_the_snapshots_data_fails_its_group_only() {
    let (mut from, mut to) = (sender(3), receiver());
    from.applied(group(1), 4, &["put poison x"]);
    let at = open_view(&mut from, transfer(1));
    let epoch = stage_all(&mut from, &mut to, transfer(1), at);
    let outcome = to.one(group(1), Work::Install { epoch });
    assert_eq!(*failure(&outcome), Failure::Machine { doing: "open its data", applied: at, text: "poisoned data".to_owned() });
    assert_eq!(to.applied(group(2), 1, &["put a 1"]), ["1"]);
}

/// The story: all chunks of transfer 1 have come and its sync runs; transfer 2 begins, so transfer 1 is thrown away, and begins again; the sync ends.
/// The answer must not say that anything is staged, and neither reception may count as complete.
#[test]
fn a_sync_does_not_complete_a_reception_that_began_after_it() {
    let (mut from, mut to) = (sender(3), receiver());
    let at = open_view(&mut from, transfer(1));
    to.one(group(1), Work::StageBegin { transfer: transfer(1), at });
    let chunk = read_chunk(&mut from, transfer(1), 0).unwrap();
    assert!(chunk.done);
    let mut jobs = vec![Job::Group(group(1), Work::StageChunk { transfer: transfer(1), chunk })];
    assert!(to.applier.turn(to.now, &mut jobs).unwrap().is_empty());
    let ticket = to.applier.sync_wanted().unwrap();
    for number in [2, 1] {
        let mut jobs = vec![Job::Group(group(1), Work::StageBegin { transfer: transfer(number), at })];
        to.applier.turn(to.now, &mut jobs).unwrap();
    }
    match &to.applier.synced(&ticket.sync().unwrap())[..] {
        [roadstead::applier::Done::Group(_, outcome)] => assert_eq!(refusal(outcome), Refusal::Aborted),
        other => panic!("{other:?}"),
    }
    assert_eq!(wants(&to.one(group(1), Work::StageBegin { transfer: transfer(1), at })), 0, "not complete");
}
