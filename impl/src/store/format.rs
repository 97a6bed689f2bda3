//! The data folder: who owns it, and that only one process uses it.
//!
//! ```text
//! DIR/LOCK       locked (flock) while a process uses the folder; holds its process id
//! DIR/identity   format version, cluster, node, store id; written last, so its presence says that the folder is complete
//! DIR/log/       log database: registry, terms and votes, logs
//! DIR/state/     state database: data of state machines
//! DIR/witness    see [`super::witness`]
//! DIR/dumps/     the last records of a node on which something was wrong, see [`crate::trace`]; nothing depends on them
//! ```

use super::record::checksum;
use roadstead_spec::NodeId;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Format of the data folder that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Whose folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Format version of everything in the folder.
    pub format: u32,
    /// The cluster.
    pub cluster: u128,
    /// The node.
    pub node: NodeId,
    /// Minted with the folder; peers remember it and refuse another, so a wiped disk under an old node id never votes.
    pub store: u128,
}

/// Whom the configuration expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The cluster.
    pub cluster: u128,
    /// The node.
    pub node: NodeId,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file system failed.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process has the lock.
    #[error("data folder {} is in use by process {holder}; stop that process, or give this node a folder of its own", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// What the lock file says, a process id.
        holder: String,
    },
    /// The folder is another node's.
    #[error(
        "data folder {} belongs to node {found}, the configuration says node {expected}; set `data` to this node's own folder, or correct the node id",
        dir.display()
    )]
    OtherNode {
        /// The folder.
        dir: PathBuf,
        /// Whose it is.
        found: NodeId,
        /// Whose it should be.
        expected: NodeId,
    },
    /// The folder is another cluster's.
    #[error(
        "data folder {} belongs to cluster {found:032x}, the configuration says cluster {expected:032x}; set `data` to a folder of this cluster",
        dir.display()
    )]
    OtherCluster {
        /// The folder.
        dir: PathBuf,
        /// Whose it is.
        found: u128,
        /// Whose it should be.
        expected: u128,
    },
    /// Written by another version of the program.
    #[error("data folder {} has format {found}, this program reads format {FORMAT}; use the version of roadstead that wrote it", dir.display())]
    OtherFormat {
        /// The folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The identity file does not verify.
    #[error(
        "{} is damaged or was edited; put the original back (it also says which node this is), or restore this node from its peers",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There is data, but no identity.
    #[error(
        "data folder {} has data of a running node but no file `identity`; put the file back, or restore this node from its peers: start it with an \
         empty data folder and a new node id",
        dir.display()
    )]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
}

impl FormatError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

/// The lock of a folder, held until dropped; the system releases it when the process dies, however it dies.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock, or says who has it.
    pub fn take(dir: &Path) -> Result<Self, FormatError> {
        let path = dir.join("LOCK");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(FormatError::io("open", &path))?;
        match flock_patiently(&file) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                return Err(FormatError::InUse { dir: dir.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(errno) => return Err(FormatError::io("lock", &path)(errno.into())),
        }
        let id = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(id.as_bytes())).map_err(FormatError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// How long a lock that seems to be taken is asked for again.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A lock lives as long as any copy of its file does: a child that was forked and has not yet executed its program, or a process that is just ending,
/// holds it for a moment longer than its owner.
fn flock_patiently(file: &File) -> rustix::io::Result<()> {
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
            result => return result,
        }
    }
}

/// The identity file's shape; numbers of 128 bits as hexadecimal text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    format: u32,
    cluster: String,
    node: u32,
    store: String,
    check: String,
}

impl IdentityFile {
    fn new(identity: &Identity) -> Self {
        let Identity { format, cluster, node, store } = identity;
        let (cluster, store) = (format!("{cluster:032x}"), format!("{store:032x}"));
        let check = checksum(b"identity", format!("{format} {cluster} {node} {store}").as_bytes());
        Self { format: *format, cluster, node: node.0, store, check: format!("{check:08x}") }
    }

    fn identity(&self) -> Option<Identity> {
        let number = |text: &str| u128::from_str_radix(text, 16).ok();
        let (cluster, store) = (number(&self.cluster)?, number(&self.store)?);
        let identity = Identity { format: self.format, cluster, node: NodeId(self.node), store };
        (Self::new(&identity).check == self.check).then_some(identity)
    }
}

/// Path of the identity file.
pub(crate) fn identity_path(dir: &Path) -> PathBuf {
    dir.join("identity")
}

/// Reads the identity file; `None` if there is none.
pub(crate) fn read_identity(dir: &Path) -> Result<Option<Identity>, FormatError> {
    let path = identity_path(dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(FormatError::Damaged { path }),
        Err(error) => return Err(FormatError::io("read", &path)(error)),
    };
    let file: Option<IdentityFile> = toml::from_str(&text).ok();
    file.and_then(|file| file.identity()).map(Some).ok_or(FormatError::Damaged { path })
}

/// Writes the identity file, whole or not at all.
pub(crate) fn write_identity(dir: &Path, identity: &Identity) -> Result<(), FormatError> {
    let path = identity_path(dir);
    let fresh = dir.join("identity.new");
    let body = toml::to_string(&IdentityFile::new(identity)).map_err(io::Error::other);
    let body = body.map_err(FormatError::io("write", &path))?;
    let text = format!("# Whose data folder this is. Do not edit, and do not copy it to another node.\n{body}");
    let written = File::create(&fresh).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(FormatError::io("write", &fresh))?;
    fs::rename(&fresh, &path).map_err(FormatError::io("rename", &fresh))?;
    sync_folder(dir)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), FormatError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(FormatError::io("sync", dir))
}

impl Identity {
    /// Whether the folder is the one that the configuration means.
    pub(crate) fn check(&self, dir: &Path, expected: Expected) -> Result<(), FormatError> {
        let dir = || dir.to_owned();
        if self.format != FORMAT {
            return Err(FormatError::OtherFormat { dir: dir(), found: self.format });
        }
        if self.cluster != expected.cluster {
            return Err(FormatError::OtherCluster { dir: dir(), found: self.cluster, expected: expected.cluster });
        }
        if self.node != expected.node {
            return Err(FormatError::OtherNode { dir: dir(), found: self.node, expected: expected.node });
        }
        Ok(())
    }
}
