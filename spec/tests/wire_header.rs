//! Every way in which a header can be wrong, and what stands in place of it.

use roadstead_spec::wire::legacy::{LegacyError, ResponseBody, flags};
use roadstead_spec::wire::{
    ExtendedHeader, FLAG_EXTENDED_HEADER, Header, LegacyRequest, LegacyResponse, Limits, MessageType, RPC_REQ_HEADER_EXT_SIZE,
    RPC_REQ_HEADER_SIZE, RPC_RESP_HEADER_EXT_SIZE, RPC_RESP_HEADER_SIZE, Version, WireError, bytes_wanted, next_frame,
};
use roadstead_spec::{GroupId, NodeId};

const REQUEST: ExtendedHeader = ExtendedHeader {
    message_type: MessageType::AppendEntries,
    src: Some(NodeId(1)),
    dst: Some(NodeId(2)),
    term: 3,
    index: 4,
    accepted: false,
    group: GroupId::DEFAULT,
};

fn put(bytes: &[u8]) -> impl FnOnce(&mut Vec<u8>) -> Result<(), WireError> + '_ {
    |out| {
        out.extend_from_slice(bytes);
        Ok(())
    }
}

fn extended(header: ExtendedHeader, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    header.encode(&mut out, put(body)).unwrap();
    out
}

/// Overwrites bytes of a version 1 frame and makes its checksum good again: the frame of a faulty sender, not of a faulty cable.
fn forged(at: usize, bytes: &[u8]) -> WireError {
    let mut frame = extended(REQUEST, b"body");
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..31]);
    hasher.update(&frame[35..]);
    frame[31..35].copy_from_slice(&hasher.finalize().to_le_bytes());
    let by_stream = next_frame(Version::Extended, &frame, &Limits::default()).unwrap_err();
    assert_eq!(ExtendedHeader::decode(&frame).unwrap_err(), by_stream);
    by_stream
}

#[test]
fn sizes_and_flag_are_those_of_the_plan_and_the_wire() {
    assert_eq!((RPC_REQ_HEADER_SIZE, RPC_RESP_HEADER_SIZE), (54, 39));
    assert_eq!((RPC_REQ_HEADER_EXT_SIZE, RPC_RESP_HEADER_EXT_SIZE), (43, 43));
    assert_eq!(FLAG_EXTENDED_HEADER, 0x80);
    assert_eq!(extended(REQUEST, b"").len(), RPC_REQ_HEADER_EXT_SIZE);
    let answer = ExtendedHeader { message_type: MessageType::AppendEntriesResponse, ..REQUEST };
    assert_eq!(extended(answer, b"").len(), RPC_RESP_HEADER_EXT_SIZE);
}

#[test]
fn a_forged_version_1_header_is_refused_for_what_it_is() {
    assert_eq!(forged(0, &[0x00]), WireError::Marker { found: 0x00, version: 1 });
    assert_eq!(forged(0, &[0x11]), WireError::TypeOutOfPlace { found: MessageType::AppendEntries, marker: 0x11 });
    assert_eq!(forged(1, &[0]), WireError::UnknownType(0));
    assert_eq!(forged(1, &[30]), WireError::UnknownType(30));
    assert_eq!(forged(1, &[4]), WireError::TypeOutOfPlace { found: MessageType::AppendEntriesResponse, marker: 0x10 });
    assert_eq!(forged(1, &[18]), WireError::TypeOutOfPlace { found: MessageType::Ping, marker: 0x10 }, "negotiation is over");
    assert_eq!(forged(2, &(-1_i32).to_le_bytes()), WireError::NodeId { field: "src", value: -1 });
    assert_eq!(forged(6, &i32::MIN.to_le_bytes()), WireError::NodeId { field: "dst", value: i32::MIN });
    assert_eq!(forged(26, &[1]), WireError::Accepted(1), "a request accepts nothing");
    assert_eq!(forged(35, &[0; 4]), WireError::FlagMissing { flags: 0 });
    assert_eq!(forged(35, &[0x81, 0, 0, 0]), WireError::FlagUnknown { flags: 0x81 });
    assert_eq!(forged(39, &(-5_i32).to_le_bytes()), WireError::GroupNegative(-5));
}

#[test]
fn an_answer_accepts_by_0_or_1_and_nothing_else() {
    let answer = ExtendedHeader { message_type: MessageType::AppendEntriesResponse, accepted: true, ..REQUEST };
    let mut frame = extended(answer, b"");
    assert!(ExtendedHeader::decode(&frame).unwrap().0.accepted);
    frame[26] = 2;
    assert_eq!(ExtendedHeader::decode(&frame), Err(WireError::Accepted(2)));
}

#[test]
fn a_client_is_0_on_the_wire() {
    let header = ExtendedHeader { message_type: MessageType::ClientRequest, src: None, dst: None, ..REQUEST };
    let frame = extended(header, b"");
    assert_eq!(frame[2..10], [0; 8]);
    assert_eq!(ExtendedHeader::decode(&frame), Ok((header, &[][..])));
}

/// A body above the limit is refused when its header is there, before a byte of it came and before room is made for it.
#[test]
fn a_large_body_is_refused_by_its_header() {
    let limits = Limits { frame_bytes_max: 10, entry_bytes_max: 20, legacy_bytes_max: 30 };
    let allowed = u64::from(limits.body_bytes_max(Version::Extended));
    assert_eq!(limits.check_entry(20), Ok(()));
    assert_eq!(limits.check_entry(21), Err(WireError::BodyTooLarge { size: 21, limit: 20 }));
    let mut head = extended(REQUEST, b"");
    head[27..31].copy_from_slice(&u32::MAX.to_le_bytes());
    let why = WireError::BodyTooLarge { size: u32::MAX.into(), limit: allowed };
    assert_eq!(next_frame(Version::Extended, &head, &limits), Err(why.clone()));
    assert_eq!(bytes_wanted(Version::Extended, &head, &limits), Err(why));
    let legacy = legacy_request(0, &[0; 31]);
    assert_eq!(next_frame(Version::Legacy, &legacy[..54], &limits), Err(WireError::BodyTooLarge { size: 31, limit: 30 }));
    let most = legacy_request(0, &[0; 30]);
    assert_eq!(bytes_wanted(Version::Legacy, &most[..54], &limits), Ok(84));
}

fn legacy_request(flags: u32, body: &[u8]) -> Vec<u8> {
    let header = LegacyRequest {
        message_type: MessageType::AppendEntries,
        src: 1,
        dst: 2,
        term: 3,
        last_log_term: 3,
        last_log_index: 4,
        commit_index: 4,
        flags,
    };
    let mut out = Vec::new();
    header.encode(&mut out, put(body)).unwrap();
    out
}

/// Repairs a version 0 header's checksum after a change.
fn seal_legacy(frame: &mut [u8], crc_at: usize) {
    let crc = crc32fast::hash(&frame[..crc_at]).to_le_bytes();
    frame[crc_at..crc_at + 4].copy_from_slice(&crc);
}

#[test]
fn a_forged_version_0_request_is_refused_for_what_it_is() {
    let forged = |at: usize, bytes: &[u8]| {
        let mut frame = legacy_request(0, b"");
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        seal_legacy(&mut frame, 46);
        LegacyRequest::decode(&frame).unwrap_err()
    };
    assert_eq!(forged(0, &[0x02]), WireError::Marker { found: 2, version: 0 });
    assert_eq!(forged(1, &[0]), WireError::UnknownType(0));
    assert_eq!(forged(1, &[200]), WireError::UnknownType(200));
    assert_eq!(forged(1, &[4]), WireError::TypeOutOfPlace { found: MessageType::AppendEntriesResponse, marker: 0 });
    assert_eq!(forged(1, &[100]), WireError::TypeOutOfPlace { found: MessageType::Forward, marker: 0 }, "version 0 ends at 29");
    assert!(matches!(forged(42, &(-1_i32).to_le_bytes()), WireError::BodyTooLarge { .. }));
    assert_eq!(forged(42, &1_i32.to_le_bytes()), WireError::Truncated { what: "version 0 body", needed: 1, left: 0 });
}

#[test]
fn a_forged_version_0_answer_is_refused_for_what_it_is() {
    let header = LegacyResponse {
        message_type: MessageType::AppendEntriesResponse,
        src: 2,
        dst: 1,
        term: 3,
        next_index: 5,
        accepted: true,
        flags: 0,
    };
    let mut clean = Vec::new();
    header.encode(&mut clean, put(b"")).unwrap();
    let forged = |at: usize, bytes: &[u8]| {
        let mut frame = clean.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        seal_legacy(&mut frame, 31);
        LegacyResponse::decode(&frame).unwrap_err()
    };
    assert_eq!(forged(0, &[7]), WireError::Marker { found: 7, version: 0 }, "NuRaft does not look; we do");
    assert_eq!(forged(1, &[3]), WireError::TypeOutOfPlace { found: MessageType::AppendEntries, marker: 1 });
    assert_eq!(forged(26, &[2]), WireError::Accepted(2));
    let mut trailing = clean.clone();
    trailing.push(0);
    assert_eq!(LegacyResponse::decode(&trailing), Err(WireError::Trailing(1)));
}

/// Flag 0x8 extends the checksum over the body; without it a damaged body passes, as it does on NuRaft.
#[test]
fn flag_0x8_covers_the_body_and_nothing_else_does() {
    for (flags, is_covered) in [(0, false), (flags::CRC_ON_ENTIRE_MESSAGE, true)] {
        let mut frame = legacy_request(flags, b"body");
        assert!(LegacyRequest::decode(&frame).is_ok());
        frame[54] ^= 1;
        assert_eq!(LegacyRequest::decode(&frame).is_err(), is_covered);
    }
    let with = legacy_request(flags::CRC_ON_ENTIRE_MESSAGE, b"");
    let without = legacy_request(0, b"");
    assert_eq!(with[46..50], without[46..50], "over an empty body both checksums are one");
}

/// A header whose body cannot be written leaves the buffer as it was.
#[test]
fn a_failed_body_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    let body = ResponseBody { result_code: None, ..ResponseBody::default() };
    let header = LegacyResponse {
        message_type: MessageType::AddServerResponse,
        src: 1,
        dst: 1,
        term: 1,
        next_index: 1,
        accepted: false,
        flags: flags::INCLUDE_RESULT_CODE,
    };
    let failed = header.encode(&mut out, |body_out| {
        body_out.extend_from_slice(b"half");
        body.encode(header.flags, body_out)
    });
    assert_eq!(failed, Err(LegacyError::FlagDisagrees("a result code")));
    assert_eq!(out, b"before");
}

/// Three frames in one buffer come out one by one.
#[test]
fn frames_follow_each_other() {
    let mut buffer = extended(REQUEST, b"one");
    REQUEST.encode(&mut buffer, put(b"two")).unwrap();
    REQUEST.encode(&mut buffer, put(b"")).unwrap();
    let mut bodies = Vec::new();
    while let Some(span) = next_frame(Version::Extended, &buffer, &Limits::default()).unwrap() {
        assert_eq!(span.header, Header::Extended(REQUEST));
        bodies.push(buffer[span.body.clone()].to_vec());
        buffer.drain(..span.len());
    }
    assert_eq!(bodies, [b"one".to_vec(), b"two".to_vec(), vec![]]);
    assert!(buffer.is_empty());
}
