//! The file of one boot, written by appending.

use super::format::{Header, MAGIC, encode_frame, file_name};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The trace of this boot.
#[derive(Debug)]
pub struct TraceFile {
    file: File,
    path: PathBuf,
}

impl TraceFile {
    /// Begins the file of a boot in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written, or holds this boot already: another run's records are never touched.
    pub fn create(folder: &Path, header: &Header) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(file_name(header.node, header.boot));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut bytes = MAGIC.to_vec();
        encode_frame(header, &mut bytes).map_err(io::Error::other)?;
        file.write_all(&bytes)?;
        Ok(Self { file, path })
    }

    /// Appends whole frames. When it returns they outlive the process.
    ///
    /// # Errors
    /// What the system says, with the path. The file may end in a torn frame then, and must not be appended to.
    pub fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display()));
        self.file.write_all(frames).map_err(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::parse_head;
    use roadstead_spec::NodeId;

    #[test]
    fn a_boot_has_one_file_and_another_run_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (place, header) = (folder.path().join("new/run"), Header::new(NodeId(2), 5, 3));
        let mut trace = TraceFile::create(&place, &header).unwrap();
        trace.append(b"frames").unwrap();
        assert_eq!(TraceFile::create(&place, &header).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let bytes = fs::read(place.join("node-002-boot-000003.trace")).unwrap();
        let (read, at) = parse_head(&bytes).unwrap();
        assert_eq!((read, &bytes[at..]), (header, &b"frames"[..]));
    }
}
