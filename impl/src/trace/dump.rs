//! The file with the last records of a node on which something is wrong: [`DUMP_MAGIC`], a frame with the [`DumpHeader`], a frame per record, as in a trace.

use super::format::{BadFrame, Header, encode_frame, parse_headed};
use roadstead_spec::NodeId;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// First bytes of a dump.
pub const DUMP_MAGIC: [u8; 8] = *b"ROADRNG2";

/// Dumps of a node that its folder takes, over all boots. None is ever deleted or overwritten, since the first ones tell most about a node that fails again
/// and again; so there must be an end.
pub const DUMPS_MAX: usize = 16;

/// Ends the names of dumps.
const EXTENSION: &str = "ring";

/// Longest reason that is kept; what others give as a reason may be long.
const REASON_BYTES_MAX: usize = 4_096;

/// The last records, and why somebody should read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// What happened.
    pub reason: String,
    /// A frame per record.
    pub frames: Vec<u8>,
}

/// Whose records these are, and why they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpHeader {
    /// As in a trace.
    pub of: Header,
    /// What happened.
    pub reason: String,
}

/// Where a node puts its dumps.
#[derive(Clone, Debug)]
pub struct Dumps {
    folder: PathBuf,
    header: Header,
    /// One at a time: two groups may fail at once, and each dump takes the next free name.
    writing: Arc<Mutex<()>>,
}

impl Dumps {
    /// The dumps of a boot go into `folder`, which is made when there is one to write.
    pub fn new(folder: PathBuf, header: Header) -> Self {
        Self { folder, header, writing: Arc::default() }
    }

    /// Writes a file and says where. It is not synced: it is to survive the process, not the machine, and a node that has failed should not wait for its disk.
    ///
    /// # Errors
    /// When the folder cannot be written or has [`DUMPS_MAX`] dumps of this node.
    pub fn write(&self, dump: &Dump) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.free_path()?;
        let mut bytes = DUMP_MAGIC.to_vec();
        let header = DumpHeader { of: self.header.clone(), reason: shortened(&dump.reason) };
        encode_frame(&header, &mut bytes).map_err(io::Error::other)?;
        bytes.extend_from_slice(&dump.frames);
        // It gets its name when it is whole: a torn one, on a full disk, would take the place of one that says more.
        let unnamed = path.with_extension("part");
        let written = fs::write(&unnamed, &bytes).and_then(|()| fs::rename(&unnamed, &path));
        written.inspect_err(|_| drop(fs::remove_file(&unnamed)))?;
        Ok(path)
    }

    fn free_path(&self) -> io::Result<PathBuf> {
        let prefix = format!("node-{:03}-", self.header.node.0);
        let mut there = 0;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let is_ours = Path::new(&name).extension() == Some(OsStr::new(EXTENSION)) && name.to_string_lossy().starts_with(&prefix);
            there += usize::from(is_ours);
        }
        let path = |number| self.folder.join(dump_name(self.header.node, self.header.boot, number));
        let free = (1..=DUMPS_MAX).map(path).find(|path| !path.exists()).filter(|_| there < DUMPS_MAX);
        free.ok_or_else(|| {
            let folder = self.folder.display();
            io::Error::other(format!("{folder} has {there} dumps already, and none is overwritten; move them away once they are read"))
        })
    }
}

/// The file's name: files sort by node, boot and number within the boot.
fn dump_name(node: NodeId, boot: u64, number: usize) -> String {
    format!("node-{:03}-boot-{boot:06}-{number:02}.{EXTENSION}", node.0)
}

fn shortened(reason: &str) -> String {
    reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default().to_owned()
}

/// The header of a dump, and where its records begin.
///
/// # Errors
/// When it is no dump, or another release's.
pub fn parse_dump_head(bytes: &[u8]) -> Result<(DumpHeader, usize), BadFrame> {
    parse_headed(DUMP_MAGIC, bytes, |header: &DumpHeader| header.of.format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumps(folder: &Path, boot: u64) -> Dumps {
        Dumps::new(folder.join("dumps"), Header::new(NodeId(2), 5, boot))
    }

    #[test]
    fn a_dump_says_whose_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let dump = Dump { reason: "a law".to_owned(), frames: b"frames".to_vec() };
        let path = dumps(folder.path(), 3).write(&dump).unwrap();
        assert_eq!(path, folder.path().join("dumps/node-002-boot-000003-01.ring"));
        let bytes = fs::read(path).unwrap();
        let (header, at) = parse_dump_head(&bytes).unwrap();
        assert_eq!(header, DumpHeader { of: Header::new(NodeId(2), 5, 3), reason: "a law".to_owned() });
        assert_eq!(&bytes[at..], b"frames");
    }

    /// Goal: nothing is overwritten, and there is an end. Method: more dumps than fit, of two boots; another node's beside them do not count.
    #[test]
    fn dumps_are_never_overwritten_and_end_at_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let other = Dumps::new(folder.path().join("dumps"), Header::new(NodeId(1), 5, 3));
        let dump = |number: usize| Dump { reason: format!("number {number}"), frames: Vec::new() };
        other.write(&dump(0)).unwrap();
        let paths: Vec<_> =
            (0..DUMPS_MAX).map(|number| dumps(folder.path(), 3 + number as u64 % 2).write(&dump(number)).unwrap()).collect();
        for boot in [3, 4, 5] {
            let refused = dumps(folder.path(), boot).write(&dump(99)).unwrap_err().to_string();
            assert!(refused.contains("has 16 dumps already"), "{refused}");
        }
        for (number, path) in paths.iter().enumerate() {
            let (header, _) = parse_dump_head(&fs::read(path).unwrap()).unwrap();
            assert_eq!(header.reason, format!("number {number}"));
        }
        assert_eq!(fs::read_dir(folder.path().join("dumps")).unwrap().count(), DUMPS_MAX + 1);
    }

    /// Goal: groups that fail at once leave a dump each, and nothing half-written is left beside them.
    #[test]
    fn dumps_at_once_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let dumps = dumps(folder.path(), 3);
        let write = &|number: usize| dumps.clone().write(&Dump { reason: format!("number {number}"), frames: vec![0; 1 << 16] });
        let paths: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..DUMPS_MAX).map(|number| scope.spawn(move || write(number).unwrap())).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(paths.len(), DUMPS_MAX);
        assert_eq!(fs::read_dir(folder.path().join("dumps")).unwrap().count(), DUMPS_MAX);
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let folder = tempfile::tempdir().unwrap();
        let dump = Dump { reason: "ä".repeat(REASON_BYTES_MAX) + "x", frames: Vec::new() };
        let path = dumps(folder.path(), 3).write(&dump).unwrap();
        let (header, _) = parse_dump_head(&fs::read(path).unwrap()).unwrap();
        assert_eq!(header.reason, "ä".repeat(REASON_BYTES_MAX / 2));
    }
}
