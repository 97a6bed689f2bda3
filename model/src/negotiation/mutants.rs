//! Mistakes around the negotiation and its frames. Those inside a production machine are made by changing what it is given, or what it says, here.

use super::decisions::{Decisions, Remembered, known};
use crate::mistake::Mistake;
use roadstead_spec::{
    GroupId, NodeId,
    wire::{
        ExtendedHeader, FrameSpan, HELLO_BYTES, HELLO_MAGIC, Header, Hello, HelloError, Limits, MessageType, RPC_REQ_HEADER_EXT_SIZE,
        Version, WireError, bytes_wanted,
        negotiation::{Acceptor, Dialer, Known, Link, Refusal},
        next_frame,
    },
};

const OURS: &str = "the port's own class";

/// All of them; those without laws are controls.
pub const ALL: &[Mistake<Decisions>] = &[
    Mistake {
        id: "B-W1-sender",
        mechanism: "a request of another group leaves on a version 0 connection, where it can only be the default group's",
        source: OURS,
        laws: &["I-W3"],
        put_in: |decisions| decisions.names = |version, group| Some(if version == Version::Legacy { 0 } else { group }),
    },
    Mistake {
        id: "B-W2",
        mechanism: "an extended frame is sent before the negotiation's answer: a legacy peer parses 43 bytes as 54",
        source: OURS,
        laws: &["I-W2", "I-W4"],
        put_in: |decisions| decisions.early = true,
    },
    Mistake {
        id: "B-W3",
        mechanism: "the version is remembered across a reconnect to a downgraded peer",
        source: OURS,
        laws: &["I-W1", "I-W2", "I-W4"],
        put_in: |decisions| decisions.remembers_version = true,
    },
    Mistake {
        id: "B-W3-buffer",
        mechanism: "what was left of the old connection's bytes stays in front of the new one's",
        source: OURS,
        laws: &["I-W2", "I-W4", "I-W9"],
        put_in: |decisions| decisions.keeps_buffer = true,
    },
    Mistake {
        id: "B-W3-waiting",
        mechanism: "requests that waited on the old connection are matched with the new one's answers",
        source: OURS,
        laws: &["I-W5"],
        put_in: |decisions| decisions.keeps_waiting = true,
    },
    Mistake {
        id: "B-W4",
        mechanism: "the answer of an older negotiation, with another nonce, is accepted",
        source: OURS,
        laws: &["I-W9"],
        put_in: |decisions| decisions.dial = any_nonce,
    },
    Mistake {
        id: "B-W4-contradiction",
        mechanism: "an answer whose flag and hello contradict each other is taken for a legacy peer's",
        source: OURS,
        laws: &["I-W1"],
        put_in: |decisions| decisions.dial = contradiction_is_legacy,
    },
    Mistake {
        id: "B-W9",
        mechanism: "the checksum does not cover flags and group: a flipped bit makes it another group's frame",
        source: OURS,
        laws: &["I-W6"],
        put_in: |decisions| decisions.next = no_checksum_over_the_group,
    },
    Mistake {
        id: "B-W11",
        mechanism: "the announced length is trusted before it is checked: room for a gigabyte is made",
        source: OURS,
        laws: &["I-W7"],
        put_in: |decisions| {
            decisions.next = |version, buffer, _| next_frame(version, buffer, &BOUNDLESS);
            decisions.reserve = |version, buffer, _| bytes_wanted(version, buffer, &BOUNDLESS).unwrap_or(0);
        },
    },
    Mistake {
        id: "B-W13",
        mechanism: "answers of version 0 leave as they become ready, not in the order of their requests",
        source: OURS,
        laws: &["I-W5"],
        put_in: |decisions| decisions.answers_in_order = false,
    },
    Mistake {
        id: "B-W13-dropped",
        mechanism: "a request of version 0 that finds no place is dropped, and its connection goes on: later answers move up",
        source: OURS,
        laws: &["I-W5"],
        put_in: |decisions| decisions.full_closes = false,
    },
    Mistake {
        id: "B-M15",
        mechanism: "a node id that was reused with an empty disk is let in, and votes again",
        source: "etcd-io/etcd#3504, #10254; dragonboat#354",
        laws: &["I-W8"],
        put_in: |decisions| {
            decisions.accept = |acceptor, buffer, _, out| acceptor.receive(buffer, |node| known(node, None), out);
            decisions.start = |caller, mut target, nonce, out| {
                target.store = None;
                Dialer::start(caller, target, nonce, out)
            };
        },
    },
    Mistake {
        id: "B-M15-forgotten",
        mechanism: "which data folder a node had is forgotten at a restart",
        source: "etcd-io/etcd#10254",
        laws: &["I-W8"],
        put_in: |decisions| decisions.remembers_store = false,
    },
    Mistake {
        id: "B-Q10-cluster",
        mechanism: "a node of another cluster at a reused address is talked to",
        source: "dragonboat's deployment id; etcd-io/etcd#3504",
        laws: &["I-W8"],
        put_in: |decisions| decisions.accept = any_cluster,
    },
    Mistake {
        id: "B-N5",
        mechanism: "a node that is in no configuration is let in, and its votes with it",
        source: "NuRaft, run against real servers",
        laws: &["I-W8"],
        put_in: |decisions| {
            decisions.accept = |acceptor, buffer, store, out| acceptor.receive(buffer, |_| Known::Peer { store }, out);
        },
    },
    Mistake {
        id: "B-F28",
        mechanism: "who answers at an address is not compared with who was dialled",
        source: "ResilientDB pull request 212",
        laws: &["I-W8"],
        put_in: |decisions| decisions.dial = any_node,
    },
    Mistake {
        id: "B-W16",
        mechanism: "a cut hello is judged as if all of it had come",
        source: OURS,
        laws: &["I-W2", "I-W4"],
        put_in: |decisions| decisions.accept = impatient,
    },
    Mistake {
        id: "B-W18",
        mechanism: "a hello has no checksum: a flipped bit is remembered as the peer's data folder",
        source: OURS,
        laws: &["I-W8"],
        put_in: |decisions| {
            decisions.accept = |acceptor, buffer, remembered, out| acceptor.receive(&resealed(buffer), |node| known(node, remembered), out);
            decisions.dial = |dialer, buffer| dialer.receive(&resealed(buffer));
        },
    },
    Mistake {
        id: "B-F35",
        mechanism: "a term of 64 bits is read into 32",
        source: "ResilientDB pull request 212",
        laws: &["I-W6"],
        put_in: |decisions| {
            decisions.next = |version, buffer, limits| {
                let mut read = next_frame(version, buffer, limits)?;
                if let Some(FrameSpan { header: Header::Extended(ExtendedHeader { term, .. }), .. }) = &mut read {
                    *term &= u64::from(u32::MAX);
                }
                Ok(read)
            };
        },
    },
    Mistake {
        id: "control-strict-sizes",
        mechanism: "no more room than the frame at hand needs, and none before its header is whole",
        source: OURS,
        laws: &[],
        put_in: |decisions| {
            decisions.reserve = |version, buffer, limits| bytes_wanted(version, buffer, limits).unwrap_or(0).min(buffer.len())
        },
    },
];

const BOUNDLESS: Limits = Limits { frame_bytes_max: u32::MAX, entry_bytes_max: u32::MAX, legacy_bytes_max: u32::MAX };

/// The bytes with their hello changed.
fn changed_hello(buffer: &[u8], change: impl FnOnce(&mut Hello)) -> Vec<u8> {
    let mut bytes = buffer.to_vec();
    let Some(at) = bytes.windows(HELLO_MAGIC.len()).position(|window| window == HELLO_MAGIC) else { return bytes };
    let Some(Ok(mut hello)) = bytes.get(at..at + HELLO_BYTES).map(Hello::decode) else { return bytes };
    change(&mut hello);
    let mut written = Vec::new();
    hello.encode(&mut written);
    bytes[at..at + HELLO_BYTES].copy_from_slice(&written);
    bytes
}

/// The bytes with their hello's checksum as its bytes say.
fn resealed(buffer: &[u8]) -> Vec<u8> {
    let mut bytes = buffer.to_vec();
    let Some(at) = bytes.windows(HELLO_MAGIC.len()).position(|window| window == HELLO_MAGIC) else { return bytes };
    let Some(hello) = bytes.get_mut(at..at + HELLO_BYTES) else { return bytes };
    // Whatever the bytes say, they say why they are refused: the checksum that they need among it.
    if let Err(HelloError::Crc { computed, .. }) = Hello::decode(hello) {
        hello[12..16].copy_from_slice(&computed.to_le_bytes());
    }
    bytes
}

fn any_nonce(dialer: &mut Dialer, buffer: &[u8]) -> usize {
    let Dialer::Offered { nonce, .. } = *dialer else { return 0 };
    dialer.receive(&changed_hello(buffer, |hello| hello.nonce = nonce))
}

fn any_node(dialer: &mut Dialer, buffer: &[u8]) -> usize {
    if let Dialer::Offered { target, .. } = dialer {
        target.node = None;
    }
    dialer.receive(buffer)
}

fn contradiction_is_legacy(dialer: &mut Dialer, buffer: &[u8]) -> usize {
    let consumed = dialer.receive(buffer);
    if matches!(dialer, Dialer::Done(Err(Refusal::Contradiction(_)))) {
        *dialer = Dialer::Done(Ok(Link::Legacy));
    }
    consumed
}

fn any_cluster(acceptor: &mut Acceptor, buffer: &[u8], remembered: Remembered, out: &mut Vec<u8>) -> usize {
    if let Acceptor::Listening { local } = acceptor {
        changed_hello(buffer, |hello| local.cluster = hello.cluster);
    }
    acceptor.receive(buffer, |node| known(node, remembered), out)
}

fn impatient(acceptor: &mut Acceptor, buffer: &[u8], remembered: Remembered, out: &mut Vec<u8>) -> usize {
    let consumed = acceptor.receive(buffer, |node| known(node, remembered), out);
    if consumed == 0 && matches!(acceptor, Acceptor::Listening { .. }) && buffer.len() > 54 {
        *acceptor = Acceptor::Done(Ok(Link::Legacy));
    }
    consumed
}

/// Reads a version 1 frame as if its checksum covered neither flags nor group.
fn no_checksum_over_the_group(version: Version, buffer: &[u8], limits: &Limits) -> Result<Option<FrameSpan>, WireError> {
    let read = next_frame(version, buffer, limits);
    if version != Version::Extended || !matches!(read, Err(WireError::Crc { .. })) {
        return read;
    }
    let number = |at: usize| buffer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_le_bytes);
    let long = |at: usize| buffer.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let end = RPC_REQ_HEADER_EXT_SIZE + number(27) as usize;
    let Some(message_type) = buffer.get(1).copied().and_then(MessageType::from_u8) else { return read };
    let node = |id: i32| (id > 0).then_some(NodeId(id as u32));
    let header = ExtendedHeader {
        message_type,
        src: node(number(2)),
        dst: node(number(6)),
        term: long(10),
        index: long(18),
        accepted: false,
        group: GroupId::new(number(39)).unwrap_or_default(),
    };
    let body = buffer.get(RPC_REQ_HEADER_EXT_SIZE..end).unwrap_or_default();
    let mut sealed = Vec::new();
    header.encode(&mut sealed, |out| {
        out.extend_from_slice(body);
        Ok::<(), WireError>(())
    })?;
    next_frame(version, &sealed, limits)
}
