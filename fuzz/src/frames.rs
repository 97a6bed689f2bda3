//! Frames of both headers in a growing buffer. Input: a byte that chooses, then the buffer.

use super::byte;
use roadstead_spec::wire::{Header, Limits, Version, WireError, bytes_wanted, next_frame};

pub(crate) fn target(mut data: &[u8]) {
    let choice = byte(&mut data);
    let version = if choice & 1 == 0 { Version::Legacy } else { Version::Extended };
    let limits = Limits::default();
    let mut mended = data.to_vec();
    if choice & 2 != 0 {
        mend(version, &mut mended);
    }
    let buffer = &mended[..];
    let whole = next_frame(version, buffer, &limits);
    let Ok(Some(span)) = whole else {
        assert!(bytes_wanted(version, buffer, &limits).is_err() || whole.is_err() || wanted(version, buffer, &limits) > buffer.len());
        return;
    };
    assert_eq!(wanted(version, buffer, &limits), span.len(), "a whole frame is all that is wanted");
    // Goal: a frame is seen when its last byte is there, and not before.
    for cut in [0, 1, span.body.start.saturating_sub(1), span.body.start, span.len() - 1] {
        if cut < span.len() {
            let early = &buffer[..cut];
            assert_eq!(next_frame(version, early, &limits), Ok(None), "cut at {cut}");
            assert!(wanted(version, early, &limits) > cut);
        }
    }
    let mut again = Vec::new();
    encode(&span.header, &buffer[span.body.clone()], &mut again);
    assert_eq!(next_frame(version, &again, &limits), Ok(Some(span)), "what was read is written so that it is read again");
}

fn wanted(version: Version, buffer: &[u8], limits: &Limits) -> usize {
    bytes_wanted(version, buffer, limits).expect("the header makes sense")
}

/// Puts in the checksum that the frame should have, which no fuzzer guesses: the decoder itself says which.
fn mend(version: Version, frame: &mut [u8]) {
    let limits = Limits::default();
    for _ in 0..4 {
        let Err(WireError::Crc { stored, computed }) = next_frame(version, frame, &limits) else { return };
        let (stored, computed) = (stored.to_le_bytes(), computed.to_le_bytes());
        let header = frame.len().min(64);
        let Some(at) = frame[..header].windows(4).position(|place| place == stored) else { return };
        frame[at..at + 4].copy_from_slice(&computed);
    }
}

fn encode(header: &Header, body: &[u8], out: &mut Vec<u8>) {
    let put = |out: &mut Vec<u8>| {
        out.extend_from_slice(body);
        Ok::<(), WireError>(())
    };
    let written = match header {
        Header::LegacyRequest(header) => header.encode(out, put),
        Header::LegacyResponse(header) => header.encode(out, put),
        Header::Extended(header) => header.encode(out, put),
    };
    written.expect("what was read fits");
}
