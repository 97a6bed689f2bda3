//! Small records of the Meta keyspace: checksum, version, postcard.
//!
//! The checksum covers the key as well: a value that turns up under another key is damage, not data.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Version byte of every record; a change of any record's shape raises it.
const VERSION: u8 = 1;

/// A record that cannot be what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than its fixed part, or checksum and content disagree.
    #[error(
        "its checksum is wrong: the data folder is damaged; run `roadstead check` on it, and restore this node from its peers if that confirms it"
    )]
    Checksum,
    /// Written by another version of the program.
    #[error("it has version {0}, this program reads version {VERSION}; use the version of roadstead that wrote the data folder")]
    Version(u8),
    /// The checksum is right, the content makes no sense.
    #[error("its content does not decode; the program that wrote it is not this one")]
    Content,
}

/// The value that stores `record` under `key`.
pub(crate) fn encode(key: &[u8], record: &impl Serialize) -> Result<Bytes, RecordError> {
    let mut value = postcard::to_extend(record, vec![0, 0, 0, 0, VERSION]).map_err(|_| RecordError::Content)?;
    let crc = checksum(key, value.get(4..).unwrap_or_default());
    value.iter_mut().zip(crc.to_le_bytes()).for_each(|(to, from)| *to = from);
    Ok(Bytes::from(value))
}

/// The record that was stored under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, RecordError> {
    let (crc, rest) = value.split_first_chunk::<4>().ok_or(RecordError::Checksum)?;
    if u32::from_le_bytes(*crc) != checksum(key, rest) {
        return Err(RecordError::Checksum);
    }
    let (version, body) = rest.split_first().ok_or(RecordError::Checksum)?;
    if *version != VERSION {
        return Err(RecordError::Version(*version));
    }
    postcard::from_bytes(body).map_err(|_| RecordError::Content)
}

/// CRC-32 (IEEE) over key and content.
pub(crate) fn checksum(key: &[u8], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(content);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_another_key_is_refused() {
        let value = encode(b"key", &(7u64, "name")).unwrap();
        assert_eq!(decode::<(u64, String)>(b"key", &value), Ok((7, "name".to_owned())));
        assert_eq!(decode::<(u64, String)>(b"kez", &value), Err(RecordError::Checksum));
        for bit in 0..value.len() * 8 {
            let mut damaged = value.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode::<(u64, String)>(b"key", &damaged), Err(RecordError::Checksum), "bit {bit}");
        }
        for end in 0..value.len() {
            assert_eq!(decode::<(u64, String)>(b"key", &value[..end]), Err(RecordError::Checksum), "cut at {end}");
        }
    }
}
