//! What the host of a node's machines does wrong, in runs that show that it would be noticed: see the [`Bug`] of each name. Without a bug nothing here
//! changes anything.

use super::bug::Bug;
use bytes::Bytes;
use roadstead::{
    applier::{Chunk, Done, GroupKey, Job, Outcome, TransferId, Work},
    port::Frame,
    shard::Response,
    store::{Completion, Entry, EntryKind, Submission, Write},
};
use roadstead_spec::{EntryId, GroupId, Index, NodeId, wire::Header};
use std::collections::BTreeMap;

/// The mistake of a run.
#[derive(Debug, Default)]
pub(super) struct Spoiler {
    pub(super) bug: Option<Bug>,
    /// Snapshots that wait to be installed.
    staged: BTreeMap<(NodeId, GroupKey), EntryId>,
    chunks: u64,
    /// Jobs that a life of a node holds back.
    held: BTreeMap<u64, Vec<Job>>,
}

impl Spoiler {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self { bug, ..Self::default() }
    }

    /// Before the disk gets a round. Returns what is reported durable although it is taken out of it.
    pub(super) fn round(&self, due: bool, round: &mut Vec<Submission>) -> Vec<Completion> {
        let Some(bug) = self.bug else { return Vec::new() };
        round.iter_mut().for_each(|submission| write(bug, &mut submission.write));
        match bug {
            Bug::SubmissionsReversed => round.reverse(),
            Bug::SubmissionLost if round.len() > 1 => drop(round.remove(0)),
            Bug::SubmissionTwice => *round = round.drain(..).flat_map(|submission| [submission.clone(), submission]).collect(),
            Bug::CommandsExchanged => exchange_commands(round),
            Bug::ErrorPassedOver if due => return round.drain(..).map(|submission| submission.completion()).collect(),
            Bug::RegistryLost => {
                let is_registry = |submission: &mut Submission| matches!(submission.write, Write::Registry(_));
                return round.extract_if(.., is_registry).map(|submission| submission.completion()).collect();
            }
            _ => {}
        }
        Vec::new()
    }

    /// Between the disk and the event loop.
    pub(super) fn completions(&self, completions: &mut Vec<Completion>) {
        match self.bug {
            Some(Bug::EarlyDurable) => completions.clear(),
            Some(Bug::DurableLost) => drop(completions.pop()),
            Some(Bug::DurableReversed) => completions.reverse(),
            Some(Bug::DurableTwice) => completions.extend(completions.clone()),
            Some(Bug::DurableElsewhere) => {
                let mut whose: Vec<_> = completions.iter().map(|done| (done.local, done.incarnation)).collect();
                whose.reverse();
                completions.iter_mut().zip(whose).for_each(|(done, whose)| (done.local, done.incarnation) = whose);
            }
            _ => {}
        }
    }

    /// Before the applier of a node's life gets jobs. Returns answers to those that are taken out.
    pub(super) fn jobs(&mut self, (id, life): (NodeId, u64), due: bool, jobs: &mut Vec<Job>) -> Vec<Done> {
        let Some(bug) = self.bug else { return Vec::new() };
        match bug {
            Bug::ReadTooEarly => self.answer_reads_first(life, jobs),
            Bug::ApplyTwice => {
                *jobs = jobs.drain(..).flat_map(|job| [applied_again(&job), Some(job)]).flatten().collect();
            }
            Bug::EntriesReversed => jobs.iter_mut().filter_map(applied).for_each(|entries| entries.reverse()),
            Bug::EntrySkipped if due => {
                let first = jobs.iter_mut().filter_map(applied).flatten().find(|entry| entry.kind == EntryKind::Command);
                first.into_iter().for_each(|entry| (entry.kind, entry.payload) = (EntryKind::Noop, Bytes::new()));
            }
            Bug::ChunkDamaged => jobs.iter_mut().for_each(|job| self.damage(job)),
            Bug::InstallOmitted => return self.omit_installs(id, jobs),
            _ => {}
        }
        Vec::new()
    }

    /// What is to be applied waits for the next turn, if somebody asks in this one.
    fn answer_reads_first(&mut self, life: u64, jobs: &mut Vec<Job>) {
        let held = self.held.remove(&life).unwrap_or_default();
        jobs.splice(..0, held);
        let is_query = |job: &Job| matches!(job, Job::Group(_, Work::Query { .. }));
        let is_apply = |job: &mut Job| matches!(job, Job::Group(_, Work::Apply { .. }));
        if jobs.iter().any(is_query) && jobs.iter_mut().all(|job| is_query(job) || is_apply(job)) {
            self.held.insert(life, jobs.extract_if(.., is_apply).collect());
        }
    }

    fn damage(&mut self, job: &mut Job) {
        if let Job::Group(_, Work::StageChunk { chunk, .. }) = job {
            self.chunks += 1;
            if self.chunks.is_multiple_of(3) {
                chunk.items = flipped(&chunk.items, chunk.items.len() / 2);
            }
        }
    }

    fn omit_installs(&self, id: NodeId, jobs: &mut Vec<Job>) -> Vec<Done> {
        let omitted = jobs.extract_if(.., |job| matches!(job, Job::Group(_, Work::Install { .. })));
        let answer = |job| match job {
            Job::Group(key, Work::Install { epoch }) => {
                let applied = self.staged.get(&(id, key)).copied().unwrap_or_default();
                Some(Done::Group(key, Outcome::Installed { epoch, applied }))
            }
            _ => None,
        };
        omitted.filter_map(answer).collect()
    }

    /// Between the applier and the event loop.
    pub(super) fn done(&mut self, id: NodeId, due: bool, done: &mut Vec<Done>) {
        let Some(bug) = self.bug else { return };
        for one in &*done {
            if let Done::Group(key, Outcome::Staged { at, .. }) = one {
                self.staged.insert((id, *key), *at);
            }
        }
        match bug {
            Bug::DoneReversed => done.reverse(),
            Bug::DoneLost if due => drop(done.pop()),
            Bug::ChunkNeverComes => done.retain(|done| !matches!(done, Done::Group(_, Outcome::SnapshotChunk { .. }))),
            _ => done.iter_mut().for_each(|done| Self::outcome(bug, done)),
        }
    }

    fn outcome(bug: Bug, done: &mut Done) {
        match (bug, done) {
            (Bug::CheckpointAhead, Done::Checkpoint { durable }) => durable.iter_mut().for_each(|(_, at)| at.index = at.index.next()),
            (Bug::SnapshotNamedLater, Done::Group(_, Outcome::SnapshotOpened { at, .. })) => at.index = at.index.next(),
            (Bug::AnswersExchanged, Done::Group(_, Outcome::Applied { answers, .. })) => exchange(answers, |(_, answer)| answer),
            (_, Done::Group(_, Outcome::SnapshotChunk { transfer, chunk })) => spoil_chunk(bug, *transfer, chunk),
            _ => {}
        }
    }

    /// Between the event loop and the clients of a node.
    pub(super) fn replies(&self, replies: &mut [(u64, Response)]) {
        if self.bug == Some(Bug::RepliesExchanged) {
            exchange(replies, |(_, response)| response);
        }
    }

    /// Between the log reader and the event loop; false if it is not told at all.
    pub(super) fn read(&self, entries: &mut [Entry]) -> bool {
        if self.bug == Some(Bug::ReadsTorn) {
            entries.iter_mut().for_each(|entry| entry.payload.truncate(entry.payload.len() / 2));
        }
        self.bug != Some(Bug::ReadsLost)
    }

    /// Where the log is read from.
    pub(super) fn read_from(&self, from: Index) -> Index {
        if self.bug == Some(Bug::ReadsShifted) { from.next() } else { from }
    }

    /// Between the port and the event loop.
    pub(super) fn frames(&self, due: bool, groups: &[GroupId], frames: &mut Vec<Frame>) {
        match self.bug {
            Some(Bug::FramesLost) if due => frames.clear(),
            Some(Bug::FrameFlipped) if due => frames.iter_mut().take(1).for_each(flip),
            Some(Bug::FramesElsewhere) if due => frames.iter_mut().for_each(|frame| send_elsewhere(frame, groups)),
            Some(Bug::FramesReversed) => frames.reverse(),
            _ => {}
        }
    }

    /// Between the socket and the port.
    pub(super) fn bytes(&self, due: bool, bytes: &mut [u8]) {
        let middle = bytes.len() / 2;
        if self.bug == Some(Bug::BytesFlipped) && due {
            bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
        }
    }
}

fn write(bug: Bug, write: &mut Write) {
    match (bug, write) {
        (Bug::HardStateLost, Write::Persist { hard, .. }) => *hard = None,
        (Bug::VoteLost, Write::Persist { hard: Some(hard), .. }) => hard.vote = None,
        (Bug::TruncationLost, Write::Persist { truncate_from, .. }) => *truncate_from = None,
        (Bug::SuffixKept, Write::Install { keep_suffix, .. }) => *keep_suffix = true,
        (Bug::CompactedFurther, Write::Compact { through }) => *through = through.next(),
        _ => {}
    }
}

/// The first commands of the first two groups that append in a round.
fn exchange_commands(round: &mut [Submission]) {
    let mut seen = None;
    let mut firsts: Vec<&mut Bytes> = Vec::new();
    for submission in round {
        let Write::Persist { append: Some(append), .. } = &mut submission.write else { continue };
        if seen.replace(submission.local) != Some(submission.local) {
            firsts.extend(append.entries.iter_mut().find(|entry| entry.kind == EntryKind::Command).map(|entry| &mut entry.payload));
        }
    }
    if let [first, second, ..] = &mut firsts[..] {
        std::mem::swap(*first, *second);
    }
}

/// Each gets what the one behind it should have.
fn exchange<T, V>(items: &mut [T], of: impl Fn(&mut T) -> &mut V) {
    for number in 1..items.len() {
        if let [before, one] = &mut items[number - 1..=number] {
            std::mem::swap(of(before), of(one));
        }
    }
}

const fn applied(job: &mut Job) -> Option<&mut Vec<Entry>> {
    match job {
        Job::Group(_, Work::Apply { entries, .. }) => Some(entries),
        _ => None,
    }
}

fn applied_again(job: &Job) -> Option<Job> {
    let Job::Group(key, Work::Apply { first, entries, answers_from }) = job else { return None };
    Some(Job::Group(*key, Work::Apply { first: *first, entries: entries.clone(), answers_from: *answers_from }))
}

fn spoil_chunk(bug: Bug, transfer: TransferId, chunk: &mut Chunk) {
    let Chunk { sequence, items, done, .. } = chunk.clone();
    match bug {
        Bug::ChunkEmpty => *chunk = Chunk::new(transfer, sequence, Bytes::new(), done),
        Bug::ChunkForged => *chunk = Chunk::new(transfer, sequence, flipped(&items, items.len().saturating_sub(1)), done),
        Bug::ChunkSaysLast if sequence == 0 => *chunk = Chunk::new(transfer, sequence, items, true),
        _ => {}
    }
}

/// Flips a bit in the middle of a frame's body.
fn flip(frame: &mut Frame) {
    frame.body = flipped(&frame.body, frame.body.len() / 2);
}

fn flipped(bytes: &[u8], at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
    bytes.into()
}

fn send_elsewhere(frame: &mut Frame, groups: &[GroupId]) {
    if let Header::Extended(header) = &mut frame.header
        && let Some(place) = groups.iter().position(|group| *group == header.group)
    {
        header.group = groups[(place + 1) % groups.len()];
    }
}
