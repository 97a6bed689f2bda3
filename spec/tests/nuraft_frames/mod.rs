//! Frames that real NuRaft servers sent or accepted, as the wire carried them (`spec/tests/data/nuraft-frames`).

use std::{fs, path::PathBuf};

/// The bytes of a captured frame, by its number.
pub(crate) fn captured(number: u32) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/tests/data/nuraft-frames");
    let prefix = format!("{number:02}-");
    let entry = fs::read_dir(folder).unwrap().map(Result::unwrap).find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let text = fs::read_to_string(entry.expect("86 frames are captured").path()).unwrap();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
