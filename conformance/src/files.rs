//! The trace files of a folder: which node, which boot.

use crate::dump::no_dump;
use roadstead::trace::{BadFrame, Header, parse_head};
use roadstead_spec::NodeId;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Bytes at the start of a file that hold its header for sure.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// Why a folder cannot be judged at all. That says nothing about the nodes.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to judge.
    #[error(
        "{}: no trace file (*.trace) is here; nodes write them when started with --trace. A dump (*.ring) begins in the middle and cannot be judged: \
         `show` tells it",
        .0.display()
    )]
    Empty(PathBuf),
    /// The beginning of a file.
    #[error("{}: not a trace of this release: {why}", path.display())]
    Head {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: BadFrame,
    },
    /// Bytes within a file, not at its end.
    #[error("{}: the record at byte {offset} is unreadable: {why}; the file was damaged after it was written", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// Why.
        why: BadFrame,
    },
    /// A file that is no dump.
    #[error("{}: not a dump: {}", path.display(), no_dump(*why))]
    NoDump {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: BadFrame,
    },
    /// Two runs in one folder.
    #[error("{} and {} are of one node and of different runs; keep each run in a folder of its own", .0.display(), .1.display())]
    TwoRuns(PathBuf, PathBuf),
}

impl Unreadable {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The file of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub header: Header,
    /// Where its records begin.
    pub start: u64,
    /// Its size.
    pub bytes: u64,
}

impl BootFile {
    /// Reads the head of a file; `None` if the process was killed while it wrote that, so that there is nothing behind it.
    ///
    /// # Errors
    /// When it is no trace.
    pub fn open(path: &Path) -> Result<Option<Self>, Unreadable> {
        let file = File::open(path).map_err(Unreadable::io(path))?;
        let bytes = file.metadata().map_err(Unreadable::io(path))?.len();
        let mut head = Vec::new();
        file.take(HEAD_BYTES_MAX).read_to_end(&mut head).map_err(Unreadable::io(path))?;
        match parse_head(&head) {
            Ok((header, start)) => Ok(Some(Self { path: path.to_owned(), header, start: start as u64, bytes })),
            Err(BadFrame::Short) => Ok(None),
            Err(why) => Err(Unreadable::Head { path: path.to_owned(), why }),
        }
    }

    /// The file's name, for people.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// The boots of each node, in their order.
pub type Run = BTreeMap<NodeId, Vec<BootFile>>;

/// Finds the files of a folder.
///
/// # Errors
/// When there are none, when one is no trace, or when a node has two data folders or writes one boot twice.
pub fn find(folder: &Path) -> Result<Run, Unreadable> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Unreadable::io(folder))? {
        let path = entry.map_err(Unreadable::io(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "trace") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut run = Run::new();
    for path in paths {
        if let Some(boot) = BootFile::open(&path)? {
            run.entry(boot.header.node).or_default().push(boot);
        }
    }
    if run.is_empty() {
        return Err(Unreadable::Empty(folder.to_owned()));
    }
    for boots in run.values_mut() {
        boots.sort_by_key(|boot| boot.header.boot);
        for pair in boots.windows(2) {
            let [one, other] = pair else { continue };
            if one.header.boot == other.header.boot || one.header.store != other.header.store {
                return Err(Unreadable::TwoRuns(one.path.clone(), other.path.clone()));
            }
        }
    }
    Ok(run)
}
