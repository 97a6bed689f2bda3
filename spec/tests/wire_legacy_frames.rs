//! 86 frames that real NuRaft servers sent or accepted (`tests/data/nuraft-frames`, captured on loopback from v3.0.0-59-g0b01b18).
//!
//! Each frame is decoded to typed values, compared field by field with the decoded fields that an independent script wrote down beside the
//! capture, built again from its typed values alone, and must come out as the same bytes.

use roadstead_spec::wire::legacy::{
    Appendix, ClusterConfig, Context, Entry, LegacyError, Notification, PayloadCrc, RequestBody, ResponseBody, ResultCode, Server,
    Snapshot, Value, ValueType, server_type,
};
use roadstead_spec::wire::{FrameSpan, Header, LegacyRequest, LegacyResponse, Limits, MessageType, Version, next_frame};
use serde_json::{Value as Json, json};
use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/nuraft-frames")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn frames() -> Vec<(String, Vec<u8>, Json)> {
    let index: Json = serde_json::from_str(&fs::read_to_string(folder().join("frames.json")).unwrap()).unwrap();
    let frames = index["frames"].as_array().unwrap();
    assert_eq!((frames.len(), index["count"].as_u64()), (86, Some(86)));
    frames
        .iter()
        .map(|frame| {
            let name = frame["file"].as_str().unwrap().to_owned();
            let bytes = unhex(&fs::read_to_string(folder().join(&name)).unwrap());
            assert_eq!(bytes.len() as u64, frame["length"].as_u64().unwrap(), "{name}");
            (name, bytes, frame["decoded"].clone())
        })
        .collect()
}

/// Asserts that every field of `expected` is there with the same value; returns how many were compared.
fn compare(name: &str, path: &str, expected: &Json, found: &Json) -> usize {
    match expected {
        Json::Object(fields) => fields.iter().map(|(key, value)| compare(name, &format!("{path}.{key}"), value, &found[key])).sum(),
        Json::Array(items) => {
            assert_eq!(items.len(), found.as_array().map_or(0, Vec::len), "{name}: length of {path}");
            items.iter().enumerate().map(|(at, item)| compare(name, &format!("{path}[{at}]"), item, &found[at])).sum()
        }
        _ => {
            assert_eq!(expected, found, "{name}: {path}");
            1
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn server(server: &Server<'_>) -> Json {
    json!({
        "id": server.id, "dc_id": server.dc_id, "endpoint": text(server.endpoint.bytes()), "aux": text(server.aux.bytes()),
        "type_flags": server.server_type, "learner": server.server_type & server_type::LEARNER != 0,
        "new_joiner": server.server_type & server_type::NEW_JOINER != 0, "priority": server.priority,
    })
}

fn config(config: &ClusterConfig<'_>) -> Json {
    json!({
        "log_idx": config.log_index, "prev_log_idx": config.prev_log_index, "async_replication": config.async_replication,
        "user_ctx": text(config.user_context), "servers": config.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

/// The example log store's own format, which version 0 carries without looking into it.
fn log_pack(bytes: &[u8]) -> Json {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut entries = Vec::new();
    let mut at = 4;
    for _ in 0..number(0) {
        let entry = &bytes[at + 4..at + 4 + number(at) as usize];
        at += 4 + entry.len();
        let term = u64::from_le_bytes(entry[..8].try_into().unwrap());
        entries.push(json!({ "term": term, "val_type": entry[8], "data": hex(&entry[9..]) }));
    }
    assert_eq!(at, bytes.len());
    let note = "example in-memory store format, chosen by the user of the library";
    json!({ "note": note, "count": entries.len(), "entries": entries })
}

fn notification(notification: &Notification<'_>, bytes: &[u8]) -> Json {
    let (kind, name) = match notification {
        Notification::OutOfLogRange { .. } => (1, "out_of_log_range_warning"),
        Notification::LeadershipTakeover => (2, "leadership_takeover"),
        Notification::RequestResignation => (3, "request_resignation"),
        Notification::Unknown { .. } => panic!("no captured notification is of an unknown kind"),
    };
    let mut fields = json!({ "version": 0, "kind": kind, "kind_name": name, "ctx": hex(&bytes[6..]) });
    if let Notification::OutOfLogRange { leader_first_index } = notification {
        fields["ctx_version"] = json!(0);
        fields["leader_start_idx"] = json!(leader_first_index);
    }
    fields
}

fn value(value: &Value<'_>, bytes: &[u8]) -> Json {
    match value {
        Value::App(bytes) => json!({ "data": hex(bytes) }),
        Value::Config(it) => config(it),
        Value::Server(it) => server(it),
        Value::ServerId(id) => json!({ "data": hex(&id.to_le_bytes()) }),
        Value::LogPack(bytes) => log_pack(bytes),
        Value::SnapshotSync(sync) => {
            let Snapshot { snapshot_type, last_log_index, last_log_term, size, config: members } = &sync.snapshot;
            json!({
                "snapshot": {
                    "type": snapshot_type, "last_log_idx": last_log_index, "last_log_term": last_log_term, "size": size, "config": config(members),
                },
                "object_id": sync.object_id, "done": sync.done, "data": hex(sync.data),
            })
        }
        Value::ForceVote { version } => json!({ "force_vote_version": version }),
        Value::PriorityChange(change) => json!({ "server_id": change.server, "priority": change.priority }),
        Value::Notification(it) => notification(it, bytes),
        Value::Opaque(number, _) => panic!("no captured entry is of an unknown type: {number}"),
    }
}

const VALUE_NAMES: [(u8, &str); 6] =
    [(1, "app_log"), (2, "conf"), (3, "cluster_server"), (4, "log_pack"), (5, "snp_sync_req"), (231, "custom")];

fn entry(header: &LegacyRequest, entry: &Entry<'_>) -> Json {
    let decoded = Value::decode(header.message_type, entry.value_type, entry.value).unwrap();
    let mut again = Vec::new();
    decoded.encode(&mut again);
    assert_eq!((decoded.value_type(), hex(&again)), (entry.value_type, hex(entry.value)));
    let name = VALUE_NAMES.iter().find(|(number, _)| *number == entry.value_type).map(|(_, name)| name);
    let mut fields = json!({
        "term": entry.term, "val_type": entry.value_type, "val_type_name": name, "size": entry.value.len(),
        "value": value(&decoded, entry.value),
    });
    if let Some(timestamp) = entry.timestamp {
        fields["timestamp_us"] = json!(timestamp);
    }
    if let Some(PayloadCrc { has, crc }) = entry.crc {
        fields["has_crc"] = json!(u8::from(has));
        fields["crc"] = json!(format!("{crc:08x}"));
        fields["crc_ok"] = json!(PayloadCrc::of(entry.value).crc == crc);
    }
    fields
}

fn request(name: &str, header: LegacyRequest, body: &[u8], frame: &[u8]) -> Json {
    let decoded = RequestBody::decode(header.flags, body).unwrap();
    let mut again = Vec::new();
    header.encode(&mut again, |body| decoded.encode(header.flags, body)).unwrap();
    assert_eq!(hex(&again), hex(frame), "{name}");
    let mut fields = json!({
        "marker": frame[0], "type": header.message_type.number(), "type_name": format!("{}_request", header.message_type.name()),
        "src": header.src, "dst": header.dst, "term": header.term, "last_log_term": header.last_log_term,
        "last_log_idx": header.last_log_index, "commit_idx": header.commit_index, "body_size": body.len(),
        "crc": crc_at(frame, 46), "crc_ok": true, "flags": format!("{:#04x}", header.flags),
        "entries": decoded.entries.iter().map(|it| entry(&header, it)).collect::<Vec<_>>(),
    });
    // NuRaft has one name for both: `client_request` and `request_vote_request` are its own spellings.
    if header.message_type.name() == "client_request" {
        fields["type_name"] = json!("client_request");
    }
    if let Some(meta) = decoded.meta {
        fields["meta"] = json!(text(meta));
    }
    fields
}

fn response(name: &str, header: LegacyResponse, body: &[u8], frame: &[u8]) -> Json {
    let decoded = ResponseBody::decode(header.flags, body).unwrap();
    let context = Context::decode(header.message_type, &decoded).unwrap();
    let mut context_again = Vec::new();
    context.encode(&mut context_again);
    let rebuilt = ResponseBody { context: &context_again, ..decoded };
    let mut again = Vec::new();
    header.encode(&mut again, |body| rebuilt.encode(header.flags, body)).unwrap();
    assert_eq!(hex(&again), hex(frame), "{name}");
    let mut fields = json!({
        "marker": frame[0], "type": header.message_type.number(), "type_name": header.message_type.name(),
        "src": header.src, "dst": header.dst, "term": header.term, "next_idx": header.next_index, "accepted": u8::from(header.accepted),
        "ctx_size": body.len(), "crc": crc_at(frame, 31), "crc_ok": true, "flags": format!("{:#04x}", header.flags),
    });
    if let Some(meta) = decoded.meta {
        fields["meta"] = json!(text(meta));
    }
    if let Some(hint) = decoded.hint {
        fields["hint"] = json!({ "version": 0, "length": 8, "next_batch_size_hint_bytes": hint.0 });
    }
    if !decoded.context.is_empty() {
        fields["ctx"] = json!(hex(decoded.context));
    }
    if let Some(code) = decoded.result_code {
        fields["result_code"] = json!(code.0);
    }
    if let Context::Appendix(it) = context {
        fields["appendix"] = appendix(it);
    }
    fields
}

fn appendix(it: Appendix) -> Json {
    let (order, name) = match it {
        Appendix::None => (0, "NONE"),
        Appendix::DoNotRewind => (1, "DO_NOT_REWIND"),
        Appendix::ReceivingSnapshot => (2, "RECEIVING_SNAPSHOT"),
        Appendix::StateMachineCommitted(_) => (3, "NOTIFYING_SM_COMMITTED_INDEX"),
    };
    let mut fields = json!({ "version": 0, "extra_order": order, "extra_order_name": name });
    if let Appendix::StateMachineCommitted(index) = it {
        fields["sm_committed_idx"] = json!(index);
    }
    fields
}

fn crc_at(frame: &[u8], at: usize) -> String {
    format!("{:08x}", u32::from_le_bytes(frame[at..at + 4].try_into().unwrap()))
}

#[test]
fn every_captured_frame_decodes_to_its_fields_and_encodes_to_its_bytes() {
    let mut compared = 0;
    for (name, frame, expected) in frames() {
        let span = next_frame(Version::Legacy, &frame, &Limits::default()).unwrap().unwrap();
        assert_eq!(span.len(), frame.len(), "{name}");
        let body = &frame[span.body.clone()];
        let found = match span.header {
            Header::LegacyRequest(header) => request(&name, header, body, &frame),
            Header::LegacyResponse(header) => response(&name, header, body, &frame),
            Header::Extended(_) => panic!("{name}: not a version 0 frame"),
        };
        compared += compare(&name, "frame", &expected, &found);
    }
    // As many leaves as frames.json has: a field that the capture knows and we do not would fail above.
    assert!(compared > 1_500, "{compared} fields compared");
}

/// The frames come over TCP in any pieces: the reader says "not yet" at every shorter length and never changes its mind.
#[test]
fn frames_come_out_of_a_stream_whole_and_in_order() {
    let frames = frames();
    let stream: Vec<u8> = frames.iter().flat_map(|(_, frame, _)| frame.iter().copied()).collect();
    let mut buffer = Vec::new();
    let mut lengths = Vec::new();
    for byte in stream {
        buffer.push(byte);
        if let Some(FrameSpan { body, .. }) = next_frame(Version::Legacy, &buffer, &Limits::default()).unwrap() {
            lengths.push(body.end);
            buffer.drain(..body.end);
        }
    }
    assert!(buffer.is_empty());
    assert_eq!(lengths, frames.iter().map(|(_, frame, _)| frame.len()).collect::<Vec<_>>());
}

/// Frame 67 is a ping with flag `0x80`, frame 68 NuRaft's answer: the flag does not change version 0's layout, and is not echoed.
#[test]
fn flag_0x80_says_nothing_about_the_layout_of_a_version_0_frame() {
    let frames = frames();
    let (ping, _) = LegacyRequest::decode(&frames[66].1).unwrap();
    let (pong, body) = LegacyResponse::decode(&frames[67].1).unwrap();
    assert_eq!((frames[66].0.as_str(), ping.flags), ("67-ping-unknown-flag.hex", 0x80));
    assert_eq!((frames[67].0.as_str(), pong.flags, body), ("68-ping-unknown-flag-resp.hex", 0, &[][..]));
    assert_eq!(ping.message_type.legacy_answer(), Some(pong.message_type));
}

/// Every single flipped bit that a checksum covers is noticed. Flags, and bodies without flag `0x8`, are not covered: that is version 0.
#[test]
fn a_flipped_bit_under_the_checksum_is_refused() {
    for (name, frame, _) in frames() {
        let (covered, header) = if frame[0] == 0 { (50, 54) } else { (35, 39) };
        let entire = frame[0] == 0 && frame[50] & 0x8 != 0;
        for at in (0..covered).chain(if entire { header..frame.len() } else { 0..0 }) {
            for bit in 0..8 {
                let mut broken = frame.clone();
                broken[at] ^= 1 << bit;
                let found = next_frame(Version::Legacy, &broken, &Limits::default());
                assert!(!matches!(found, Ok(Some(_))), "{name}: byte {at} bit {bit}");
            }
        }
    }
}

/// A value's own lengths and counts are checked against what is there, before anything is read by them.
#[test]
fn impossible_lengths_and_counts_are_refused() {
    let configuration = |user_context: u32, servers: i32| {
        let mut bytes = vec![0; 17];
        bytes.extend_from_slice(&user_context.to_le_bytes());
        bytes.extend_from_slice(&servers.to_le_bytes());
        bytes
    };
    let decode = |bytes: &[u8]| Value::decode(MessageType::AppendEntries, ValueType::Config.number(), bytes).map(drop);
    assert_eq!(decode(&configuration(0, 0)), Ok(()));
    assert_eq!(decode(&configuration(0, i32::MAX)), Err(LegacyError::Length(i32::MAX.into())));
    assert_eq!(decode(&configuration(0, -1)), Err(LegacyError::Length(-1)));
    assert_eq!(decode(&configuration(u32::MAX, 0)), Err(LegacyError::Truncated { needed: u32::MAX as usize, left: 4 }));
    let entry = |size: i32| [&[0; 8][..], &[1], &size.to_le_bytes()].concat();
    assert_eq!(RequestBody::decode(0, &entry(0)).map(|body| body.entries.len()), Ok(1));
    assert_eq!(RequestBody::decode(0, &entry(-1)), Err(LegacyError::Length(-1)));
    assert_eq!(RequestBody::decode(0, &entry(1)), Err(LegacyError::Truncated { needed: 1, left: 0 }));
    assert_eq!(RequestBody::decode(0, &entry(0)[..12]), Err(LegacyError::Truncated { needed: 4, left: 3 }), "a left-over");
}

/// A payload that does not fit its own checksum (flag 0x10) is refused, since nothing else covers it.
#[test]
fn a_damaged_payload_is_refused_by_its_own_checksum() {
    let frames = frames();
    let (name, frame, _) = &frames[47];
    assert_eq!(name, "48-append-crc-payload.hex");
    let mut broken = frame.clone();
    *broken.last_mut().unwrap() ^= 1;
    let (header, body) = LegacyRequest::decode(&broken).unwrap();
    assert!(matches!(RequestBody::decode(header.flags, body), Err(LegacyError::PayloadCrc { stored: 0x3610_a686, .. })));
}

/// A value ends where it says, and a count is believed as far as there are bytes for it.
#[test]
fn values_are_read_to_their_last_byte() {
    let decode = |value_type: ValueType, bytes: &[u8]| Value::decode(MessageType::RemoveServer, value_type.number(), bytes).err();
    assert_eq!(decode(ValueType::Server, &[3, 0, 0, 0]), None);
    assert_eq!(decode(ValueType::Server, &[3, 0, 0, 0, 9]), Some(LegacyError::Trailing(1)));
    let config = |count: i32, rest: usize| [&[0; 21][..], &count.to_le_bytes(), &vec![0; rest]].concat();
    assert_eq!(decode(ValueType::Config, &config(0, 0)), None);
    assert_eq!(decode(ValueType::Config, &config(2, 15)), Some(LegacyError::Length(2)), "15 bytes hold one server at most");
    let appendix = |context| {
        let body = ResponseBody { meta: None, hint: None, context, result_code: None };
        Context::decode(MessageType::AppendEntriesResponse, &body).err()
    };
    assert_eq!(appendix(&[0, 1]), None);
    assert_eq!(appendix(&[0, 1, 9]), Some(LegacyError::Trailing(1)));
}

/// Goal: the document's result codes are the code's. Method: each name, as the document's sentence has it.
#[test]
fn result_codes_are_those_of_the_document() {
    let document = include_str!("../../docs/wire.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, listed) = document.split_once("Result codes: ").expect("the sentence");
    let listed: Vec<&str> = listed.split_once('.').expect("its end").0.split(", ").collect();
    let named = [
        (ResultCode::OK, "ok"),
        (ResultCode::CANCELLED, "cancelled"),
        (ResultCode::TIMEOUT, "timeout"),
        (ResultCode::NOT_LEADER, "not leader"),
        (ResultCode::BAD_REQUEST, "bad request"),
        (ResultCode::SERVER_ALREADY_EXISTS, "server already exists"),
        (ResultCode::CONFIG_CHANGING, "config changing"),
        (ResultCode::SERVER_IS_JOINING, "server is joining"),
        (ResultCode::SERVER_NOT_FOUND, "server not found"),
        (ResultCode::CANNOT_REMOVE_LEADER, "cannot remove leader"),
        (ResultCode::SERVER_IS_LEAVING, "server is leaving"),
        (ResultCode::TERM_MISMATCH, "term mismatch"),
        (ResultCode::RESULT_NOT_EXIST_YET, "result not there yet"),
        (ResultCode::FAILED, "failed"),
    ];
    assert_eq!(listed, named.map(|(code, name)| format!("{} {name}", code.0)));
}
