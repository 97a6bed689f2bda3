//! What a connection carries, by its first byte: one port serves everything.

use super::header::{MARKER_EXTENDED_REQUEST, MARKER_LEGACY_REQUEST};

/// First byte of a request in NuRaft's port-sharing draft (pull request 642, a 58-byte header).
pub const MARKER_PORT_SHARING_DRAFT: u8 = 0x02;
/// First byte of a TLS record that carries a ClientHello (RFC 8446 §5.1, content type handshake).
pub const TLS_HANDSHAKE: u8 = 0x16;

/// What the first byte of an accepted connection announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// `0x00`: frames. Nodes and native clients open with a version 0 header; the negotiation decides what follows.
    Frames,
    /// `0x10`: a version 1 frame before any hello. Close, and say so: the dialer skipped the negotiation.
    ExtendedBeforeHello,
    /// `0x02`: a frame of NuRaft's port-sharing draft. Close, and say so.
    PortSharingDraft,
    /// `0x16`: a TLS handshake; look at the first byte inside again.
    Tls,
    /// An ASCII letter: HTTP/1.1, or HTTP/2 with prior knowledge.
    Http,
    /// Anything else: close, count, log once per remote address and minute.
    Unknown(u8),
}

/// Tells traffic by its first byte.
pub const fn sniff(first: u8) -> Traffic {
    match first {
        MARKER_LEGACY_REQUEST => Traffic::Frames,
        MARKER_EXTENDED_REQUEST => Traffic::ExtendedBeforeHello,
        MARKER_PORT_SHARING_DRAFT => Traffic::PortSharingDraft,
        TLS_HANDSHAKE => Traffic::Tls,
        letter if letter.is_ascii_alphabetic() => Traffic::Http,
        other => Traffic::Unknown(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_one_meaning() {
        let mut http = 0;
        let mut unknown = 0;
        for first in 0..=u8::MAX {
            match sniff(first) {
                Traffic::Frames => assert_eq!(first, 0x00),
                Traffic::ExtendedBeforeHello => assert_eq!(first, 0x10),
                Traffic::PortSharingDraft => assert_eq!(first, 0x02),
                Traffic::Tls => assert_eq!(first, 0x16),
                Traffic::Http => http += 1,
                Traffic::Unknown(byte) => {
                    assert_eq!(byte, first);
                    unknown += 1;
                }
            }
        }
        assert_eq!((http, unknown), (52, 256 - 52 - 4));
    }
}
