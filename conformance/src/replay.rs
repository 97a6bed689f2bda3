//! Reads the streams of all nodes side by side, in an order in which every message is sent before it is received, and lets the judge hear them.

use crate::{
    files::{self, Unreadable},
    judge::{Judge, Seat, seat},
    print,
    stream::{End, Next, Place, Stream},
    verdict::{Broken, Figures, Rejection, Verdict},
};
use indicatif::ProgressBar;
use roadstead_model::raft::coverage::Tally;
use roadstead_spec::{NodeId, trace::Record};
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    time::Instant,
};

/// Records of one node that are heard before it is another node's turn: what was sent and not received yet stays few.
const BURST: usize = 256;
/// Records of a group that a verdict tells.
const STORY_MAX: usize = 10;

/// How to replay.
#[derive(Debug, Default)]
pub struct Options {
    /// Shows how far it is, in bytes.
    pub progress: Option<ProgressBar>,
    /// Counts how each rule decided, in which role.
    pub outcomes: bool,
}

/// Judges the traces of a folder.
///
/// # Errors
/// When they cannot be read. That the run is rejected is no error: see [`Verdict`].
pub fn replay(folder: &Path, options: &Options) -> Result<Verdict, Unreadable> {
    let run = files::find(folder)?;
    let begun = Instant::now();
    let tally = options.outcomes.then(Tally::begin);
    let judge = Judge::new(run.keys().copied().collect());
    let mut replay = Replay {
        judge: match &tally {
            Some(tally) => judge.deciding(tally.build()),
            None => judge,
        },
        figures: Figures { nodes: run.len(), boots: run.values().map(Vec::len).sum(), ..Figures::default() },
        streams: run.into_iter().map(|(node, boots)| Stream::new(node, boots)).collect(),
        recent: HashMap::new(),
        notes: Vec::new(),
    };
    replay.note_gaps();
    if let Some(progress) = &options.progress {
        progress.set_length(replay.streams.iter().flat_map(|stream| &stream.boots).map(|boot| boot.bytes - boot.start).sum());
    }
    let rejection = replay.run(options)?;
    let Replay { mut judge, mut figures, notes, streams, .. } = replay;
    judge.coverage.outcomes = tally.map_or_else(Vec::new, |tally| tally.outcomes());
    figures.bytes = streams.iter().map(|stream| stream.bytes_read).sum();
    figures.seconds = begun.elapsed().as_secs_f64();
    (figures.steps, figures.recoveries) = (judge.steps, judge.recoveries);
    (figures.unwitnessed, figures.translated) = (judge.unwitnessed, judge.translated);
    Ok(Verdict { conforms: rejection.is_none(), rejection, figures, notes, coverage: judge.coverage })
}

struct Replay {
    judge: Judge,
    streams: Vec<Stream>,
    /// Where the last records of each group lie.
    recent: HashMap<Seat, VecDeque<Place>>,
    figures: Figures,
    notes: Vec<String>,
}

/// What a burst came to.
enum Burst {
    /// It heard something.
    Heard,
    /// The next record waits for another node's.
    Waits,
    /// The node's records are over.
    Over,
    /// A rule is broken.
    Rejected(Rejection),
}

impl Replay {
    fn run(&mut self, options: &Options) -> Result<Option<Rejection>, Unreadable> {
        loop {
            let (mut heard, mut waiting) = (false, Vec::new());
            for number in 0..self.streams.len() {
                match self.burst(number)? {
                    Burst::Heard => heard = true,
                    Burst::Waits => waiting.push(number),
                    Burst::Over => {}
                    Burst::Rejected(rejection) => return Ok(Some(rejection)),
                }
            }
            if let Some(progress) = &options.progress {
                progress.set_position(self.streams.iter().map(|stream| stream.bytes_read).sum());
            }
            if !heard {
                return if waiting.is_empty() { Ok(self.finish()) } else { self.nobody_sent(&waiting) };
            }
        }
    }

    fn burst(&mut self, number: usize) -> Result<Burst, Unreadable> {
        for count in 0..BURST {
            let Some(stream) = self.streams.get_mut(number) else { return Ok(Burst::Over) };
            match stream.peek()? {
                None => return Ok(if count == 0 { Burst::Over } else { Burst::Heard }),
                Some(Next::Record(_, record)) if !self.judge.is_ready(record) => {
                    return Ok(if count == 0 { Burst::Waits } else { Burst::Heard });
                }
                Some(_) => {}
            }
            let rejection = match stream.take() {
                None => None,
                Some(Next::Record(place, record)) => self.hear(number, place, record),
                Some(Next::Over(end)) => self.over(number, end),
            };
            if let Some(rejection) = rejection {
                return Ok(Burst::Rejected(rejection));
            }
        }
        Ok(Burst::Heard)
    }

    fn hear(&mut self, number: usize, place: Place, record: Record) -> Option<Rejection> {
        self.figures.records += 1;
        let seat = seat(&record);
        let sequence = record.sequence;
        if let Some(seat) = seat {
            let recent = self.recent.entry(seat).or_default();
            if recent.len() == STORY_MAX {
                recent.pop_front();
            }
            recent.push_back(place);
        }
        let broken = self.judge.hear(record).err()?;
        Some(self.reject(number, place.boot, sequence, seat, broken))
    }

    fn over(&mut self, number: usize, end: End) -> Option<Rejection> {
        let node = self.streams.get(number)?.node;
        if end != End::InOrder {
            self.figures.killed += 1;
        }
        if let End::Torn(bytes) = end {
            self.notes.push(format!("node {node}: {bytes} bytes of a torn record at the end of a boot are left out"));
        }
        let (seat, broken) = self.judge.boot_over(node, matches!(end, End::Torn(_))).err()?;
        self.reject_last(seat, broken)
    }

    fn finish(&self) -> Option<Rejection> {
        let (seat, broken) = self.judge.finish().err()?;
        self.reject_last(seat, broken)
    }

    /// Rejects what was the group's last record so far.
    fn reject_last(&self, seat: Seat, broken: Broken) -> Option<Rejection> {
        let number = self.streams.iter().position(|stream| stream.node == seat.0)?;
        let place = self.recent.get(&seat).and_then(|recent| recent.back()).copied()?;
        let sequence = self.streams.get(number)?.again(place).map_or(0, |record| record.sequence);
        Some(self.reject(number, place.boot, sequence, Some(seat), broken))
    }

    /// Every stream that is not over waits for a message that nobody will have sent any more. The one to blame waits for a node that has no more to tell;
    /// if they all wait for each other, any.
    fn nobody_sent(&mut self, waiting: &[usize]) -> Result<Option<Rejection>, Unreadable> {
        let over: Vec<NodeId> = {
            let of = |number: usize| self.streams.get(number).map(|stream| stream.node);
            let waits: Vec<NodeId> = waiting.iter().filter_map(|number| of(*number)).collect();
            self.streams.iter().map(|stream| stream.node).filter(|node| !waits.contains(node)).collect()
        };
        let mut candidates = Vec::new();
        for number in waiting {
            if let Some(Next::Record(place, record)) = self.streams.get_mut(*number).map(Stream::peek).transpose()?.flatten() {
                candidates.push((*number, *place, record.clone()));
            }
        }
        let to_blame = |record: &Record| Judge::waits_for(record).is_some_and(|sender| over.contains(&sender));
        let place = candidates.iter().position(|(.., record)| to_blame(record)).unwrap_or(0);
        Ok((place < candidates.len()).then(|| {
            let (number, place, record) = candidates.swap_remove(place);
            let seat = seat(&record);
            if let Some(seat) = seat {
                self.recent.entry(seat).or_default().push_back(place);
            }
            self.reject(number, place.boot, record.sequence, seat, Judge::nobody_sent(&record))
        }))
    }

    fn reject(&self, number: usize, boot: u32, record: u64, seat: Option<Seat>, broken: Broken) -> Rejection {
        let Broken { rule, why } = broken;
        let stream = self.streams.get(number);
        let file = stream.and_then(|stream| stream.boots.get(boot as usize)).map_or(String::new(), files::BootFile::name);
        let places = seat.and_then(|seat| self.recent.get(&seat)).into_iter().flatten();
        let story = places.filter_map(|place| stream?.again(*place)).map(|record| print::record(&record)).collect();
        let group = seat.map(|(_, group, incarnation)| (group, incarnation));
        let node = stream.map_or(NodeId(0), |stream| stream.node);
        Rejection { file, record, node, group, rule, why, story }
    }

    /// A boot without a file: the node ran without --trace, or the file is gone. Its deeds are missing, and what they led to may break a rule.
    fn note_gaps(&mut self) {
        for stream in &self.streams {
            for pair in stream.boots.windows(2) {
                if let [one, next] = pair
                    && next.header.boot != one.header.boot + 1
                {
                    let (first, last) = (one.header.boot + 1, next.header.boot - 1);
                    self.notes.push(format!("node {}: boots {first} to {last} are not in the folder", stream.node));
                }
            }
        }
    }
}
