//! The bytes of requests and answers: one format byte, then postcard.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::cell::Cell;

use super::command::TXN_DEPTH_MAX;

/// First byte of every command, query and answer. A later format gets the next number and this one stays readable: commands lie in logs.
const FORMAT: u8 = 1;

/// Bytes that are no request or answer of a known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no key-value message of format {FORMAT}; use the same version on client and server")]
pub struct Malformed;

/// Largest message that is copied out of its buffer; a larger one takes the buffer along.
const COPIED_MAX: usize = 4096;

/// Encodes a request or an answer.
pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    encode_with(&mut Vec::new(), message)
}

/// Encodes by way of a buffer, which a caller with many small messages keeps: growing one for each costs more than the copy out of it.
pub(super) fn encode_with<T: Serialize>(buffer: &mut Vec<u8>, message: &T) -> Bytes {
    buffer.clear();
    buffer.push(FORMAT);
    // A vector takes everything, and all our sequences know their length, so there is nothing that could fail; if there were, the empty message is
    // one that every reader refuses.
    let whole = postcard::to_extend(message, std::mem::take(buffer)).unwrap_or_default();
    if whole.len() > COPIED_MAX {
        return whole.into();
    }
    *buffer = whole;
    Bytes::copy_from_slice(buffer)
}

/// Decodes a [`super::Request`] or an [`super::Answer`]. With `&[u8]` for their byte strings nothing is copied; with [`Bytes`] each is.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    let (FORMAT, body) = bytes.split_first().map(|(format, body)| (*format, body)).ok_or(Malformed)? else {
        return Err(Malformed);
    };
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(Malformed),
    }
}

thread_local! {
    /// How many transactions the decoder of this thread is inside of.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// Restores the depth on every way out.
struct Level;

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Deserialises a transaction (or its answer) unless it is nested too deeply: three bytes per level would otherwise let a client choose how
/// much stack we use.
pub(super) fn nested<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    if DEPTH.get() >= TXN_DEPTH_MAX {
        return Err(D::Error::custom("transactions nested too deeply"));
    }
    DEPTH.set(DEPTH.get() + 1);
    let _level = Level;
    T::deserialize(from)
}
