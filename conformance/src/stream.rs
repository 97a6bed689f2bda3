//! One node's records, boot after boot, in bounded memory.

use crate::files::{BootFile, Unreadable};
use roadstead::trace::{BadFrame, parse_frame, parse_record};
use roadstead_spec::{
    NodeId,
    trace::{Record, What},
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the boot among the node's files.
    pub boot: u32,
    /// Byte in the file.
    pub offset: u64,
}

/// How a boot's file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the record of an end in order.
    InOrder,
    /// Behind a whole record: the process was killed, or still runs.
    Cut,
    /// In the middle of a record, with so many bytes of it: the process was killed while it wrote.
    Torn(u64),
}

/// What comes next.
#[expect(clippy::large_enum_variant, reason = "all but one in a boot are records; a box for each would cost more than the room")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A record.
    Record(Place, Record),
    /// A boot is over.
    Over(End),
}

/// Reads the boots of one node.
#[derive(Debug)]
pub struct Stream {
    /// Whose.
    pub node: NodeId,
    /// All of them.
    pub boots: Vec<BootFile>,
    /// Bytes that were read so far, of all.
    pub bytes_read: u64,
    current: u32,
    open: Option<Frames>,
    next: VecDeque<Next>,
}

/// The frames of one file.
#[derive(Debug)]
struct Frames {
    file: File,
    buffer: Vec<u8>,
    at: usize,
    /// Offset of `buffer[at]` in the file.
    offset: u64,
    ended: bool,
    in_order: bool,
}

impl Stream {
    /// The node's records from the beginning.
    pub fn new(node: NodeId, boots: Vec<BootFile>) -> Self {
        Self { node, boots, bytes_read: 0, current: 0, open: None, next: VecDeque::new() }
    }

    /// What comes next, without taking it; `None` at the end of the last boot.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn peek(&mut self) -> Result<Option<&Next>, Unreadable> {
        if self.next.is_empty()
            && let Some(next) = self.read()?
        {
            self.next.push_back(next);
        }
        Ok(self.next.front())
    }

    /// Takes what [`Stream::peek`] showed.
    pub fn take(&mut self) -> Option<Next> {
        self.next.pop_front()
    }

    /// The boot that is being read, or the last one.
    pub fn boot(&self) -> Option<&BootFile> {
        self.boots.get(self.current as usize).or(self.boots.last())
    }

    /// Reads one record again.
    pub fn again(&self, place: Place) -> Option<Record> {
        let boot = self.boots.get(place.boot as usize)?;
        let mut frames = Frames::open(boot, place.offset).ok()?;
        frames.next(boot).ok()?.ok().map(|(_, record)| record)
    }

    fn read(&mut self) -> Result<Option<Next>, Unreadable> {
        let Some(boot) = self.boots.get(self.current as usize) else { return Ok(None) };
        let frames = match &mut self.open {
            Some(frames) => frames,
            None => self.open.insert(Frames::open(boot, boot.start)?),
        };
        let before = frames.offset;
        match frames.next(boot)? {
            Ok((offset, record)) => {
                self.bytes_read += frames.offset - before;
                frames.in_order = record.what == What::Ended;
                Ok(Some(Next::Record(Place { boot: self.current, offset }, record)))
            }
            Err(left) => {
                let end = match left {
                    0 if frames.in_order => End::InOrder,
                    0 => End::Cut,
                    left => End::Torn(left),
                };
                self.bytes_read += left;
                self.open = None;
                self.current += 1;
                Ok(Some(Next::Over(end)))
            }
        }
    }
}

impl Frames {
    fn open(boot: &BootFile, offset: u64) -> Result<Self, Unreadable> {
        let mut file = File::open(&boot.path).map_err(Unreadable::io(&boot.path))?;
        file.seek(SeekFrom::Start(offset)).map_err(Unreadable::io(&boot.path))?;
        Ok(Self { file, buffer: Vec::new(), at: 0, offset, ended: false, in_order: false })
    }

    /// The next record and its offset, or the number of bytes behind the last one.
    fn next(&mut self, boot: &BootFile) -> Result<Result<(u64, Record), u64>, Unreadable> {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let damaged = |why| Unreadable::Damaged { path: boot.path.clone(), offset: self.offset, why };
            match parse_frame(rest) {
                Ok((payload, length)) => {
                    let (sequence, what) = parse_record(payload).map_err(damaged)?;
                    let offset = self.offset;
                    self.at += length;
                    self.offset += length as u64;
                    return Ok(Ok((offset, Record { node: boot.header.node, boot: boot.header.boot, sequence, what })));
                }
                Err(BadFrame::Short) if self.ended => return Ok(Err(rest.len() as u64)),
                // Blocks that a file system had promised and not filled when the machine stopped.
                Err(BadFrame::Damaged) if self.ended && rest.iter().all(|byte| *byte == 0) => return Ok(Err(rest.len() as u64)),
                Err(BadFrame::Damaged) if !self.ended && rest.iter().all(|byte| *byte == 0) => self.fill(boot)?,
                Err(BadFrame::Short) => self.fill(boot)?,
                Err(why) => return Err(damaged(why)),
            }
        }
    }

    fn fill(&mut self, boot: &BootFile) -> Result<(), Unreadable> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        let read = self.file.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.buffer).map_err(Unreadable::io(&boot.path))?;
        self.ended = read == 0 || self.buffer.len() - before < READ_BYTES;
        Ok(())
    }
}
