//! Keys and values as a user writes and reads them. They are bytes: any may be written in hexadecimal.

use std::fmt::Write;

use bytes::Bytes;

use super::super::failure::Failure;

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As they are.
    Text,
    /// Two digits a byte.
    Hex,
}

impl Encoding {
    /// The bytes of an argument.
    pub(super) fn read(self, text: &str) -> Result<Bytes, Failure> {
        match self {
            Self::Text => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Hex => {
                from_hex(text).ok_or_else(|| Failure::Usage(format!("--hex: {text:?} is not an even number of hexadecimal digits")))
            }
        }
    }

    /// The bytes of a key, which may not be empty.
    pub(super) fn read_key(self, text: &str) -> Result<Bytes, Failure> {
        if text.is_empty() {
            return Err(Failure::Usage("a key has at least one byte; for all keys use `roadstead kv range`".to_owned()));
        }
        self.read(text)
    }

    /// The bytes as text output has them.
    pub(super) fn write(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Text => bytes.to_vec(),
            Self::Hex => to_hex(bytes).into_bytes(),
        }
    }
}

fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

/// Two digits a byte.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Encoding, to_hex};

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_is_taken_for_it() {
        assert_eq!(Encoding::Hex.read("00fFa1").unwrap().as_ref(), [0, 0xff, 0xa1]);
        assert_eq!(to_hex(&[0, 0xff, 0xa1]), "00ffa1");
        for bad in ["0", "0g", "é", " 0", "+0"] {
            assert!(Encoding::Hex.read(bad).is_err(), "{bad:?}");
        }
        assert!(Encoding::Text.read_key("").is_err());
    }
}
