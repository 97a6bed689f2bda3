//! What stands behind a version 0 request's header: meta and entries.

use super::{LegacyError, ValueType, flags};
use crate::wire::bytes::{Reader, crc32, put_block};
use alloc::vec::Vec;

/// Body of a version 0 request: meta (with its flag), then entries to the end; there is no count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBody<'a> {
    /// User-defined bytes; there with flag `INCLUDE_META`.
    pub meta: Option<&'a [u8]>,
    /// Entries; the first one's index is the header's `last_log_index + 1`.
    pub entries: Vec<Entry<'a>>,
}

/// One entry of a version 0 request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Term of the leader that made it; 0 in requests that carry no log.
    pub term: u64,
    /// What the value is: a [`ValueType`], or a number that only an application knows (NuRaft stores, replicates and skips it).
    pub value_type: u8,
    /// Microseconds since 1970; there with flag `INCLUDE_LOG_TIMESTAMP`, 0 in entries that the library makes itself.
    pub timestamp: Option<u64>,
    /// There with flag `CRC_ON_PAYLOAD`.
    pub crc: Option<PayloadCrc>,
    /// The bytes; [`super::Value::decode`] tells what they mean.
    pub value: &'a [u8],
}

/// CRC field of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadCrc {
    /// Whether the CRC is to be checked.
    pub has: bool,
    /// CRC-32 over the value.
    pub crc: u32,
}

impl<'a> RequestBody<'a> {
    /// Reads a body under the header's flags.
    pub fn decode(flags: u32, body: &'a [u8]) -> Result<Self, LegacyError> {
        let mut reader = Reader::new(body);
        let meta = take_meta(flags, &mut reader)?;
        let mut entries = Vec::new();
        while reader.left() > 0 {
            entries.push(Entry::decode(flags, &mut reader)?);
        }
        Ok(Self { meta, entries })
    }

    /// Appends the body; the header's flags say what it carries.
    pub fn encode(&self, flags: u32, out: &mut Vec<u8>) -> Result<(), LegacyError> {
        put_meta(flags, self.meta, out)?;
        self.entries.iter().try_for_each(|entry| entry.encode(flags, out))
    }
}

impl<'a> Entry<'a> {
    /// An entry without timestamp and CRC.
    pub const fn plain(term: u64, value_type: ValueType, value: &'a [u8]) -> Self {
        Self { term, value_type: value_type.number(), timestamp: None, crc: None, value }
    }

    fn decode(flags: u32, reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        let term = reader.u64()?;
        let value_type = reader.u8()?;
        let timestamp = if flags & flags::INCLUDE_LOG_TIMESTAMP != 0 { Some(reader.u64()?) } else { None };
        let crc = if flags & flags::CRC_ON_PAYLOAD != 0 { Some(PayloadCrc::decode(reader)?) } else { None };
        let size = reader.i32()?;
        let value = reader.take(usize::try_from(size).map_err(|_| LegacyError::Length(size.into()))?)?;
        if let Some(PayloadCrc { has: true, crc: stored }) = crc {
            let computed = crc32(&[value]);
            if stored != computed {
                return Err(LegacyError::PayloadCrc { stored, computed });
            }
        }
        Ok(Self { term, value_type, timestamp, crc, value })
    }

    /// Appends the entry; timestamp and CRC must be there exactly when the flags say so.
    pub fn encode(&self, flags: u32, out: &mut Vec<u8>) -> Result<(), LegacyError> {
        let size = i32::try_from(self.value.len()).map_err(|_| LegacyError::Length(self.value.len() as i64))?;
        agree(flags, flags::INCLUDE_LOG_TIMESTAMP, self.timestamp.is_some(), "an entry's timestamp")?;
        agree(flags, flags::CRC_ON_PAYLOAD, self.crc.is_some(), "an entry's checksum")?;
        out.extend_from_slice(&self.term.to_le_bytes());
        out.push(self.value_type);
        if let Some(timestamp) = self.timestamp {
            out.extend_from_slice(&timestamp.to_le_bytes());
        }
        if let Some(PayloadCrc { has, crc }) = self.crc {
            out.push(has.into());
            out.extend_from_slice(&crc.to_le_bytes());
        }
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(self.value);
        Ok(())
    }
}

impl PayloadCrc {
    /// The CRC of these bytes.
    pub fn of(value: &[u8]) -> Self {
        Self { has: true, crc: crc32(&[value]) }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, LegacyError> {
        let has = match reader.u8()? {
            0 => false,
            1 => true,
            other => {
                return Err(LegacyError::Meaningless { field: "has_crc", value: other.into() });
            }
        };
        Ok(Self { has, crc: reader.u32()? })
    }
}

pub(super) fn take_meta<'a>(flags: u32, reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, LegacyError> {
    if flags & flags::INCLUDE_META == 0 {
        return Ok(None);
    }
    let size = reader.u32()?;
    Ok(Some(reader.take(size as usize)?))
}

pub(super) fn put_meta(flags: u32, meta: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), LegacyError> {
    agree(flags, flags::INCLUDE_META, meta.is_some(), "meta")?;
    if let Some(meta) = meta {
        put_block(out, meta);
    }
    Ok(())
}

pub(super) fn agree(flags: u32, flag: u32, is_there: bool, what: &'static str) -> Result<(), LegacyError> {
    if (flags & flag != 0) == is_there { Ok(()) } else { Err(LegacyError::FlagDisagrees(what)) }
}
