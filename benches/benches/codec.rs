//! Frames of both header versions, with payloads of 128 bytes. Decoding includes finding the frame and checking its checksum, as a session does.
//!
//! Version 0's checksum covers the header only, unless a flag extends it to the body (`entire`); version 1's always covers everything.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roadstead_benches::clock::{ThreadTime, criterion};
use roadstead_spec::{
    EntryId, GroupId, Incarnation, Index, NodeId, Term,
    raft::{Message, Round, Run, Slice},
    wire::{
        Header, LegacyRequest, Limits, MessageType, Version,
        body::{EntryKind, RaftBody, Route, encode_raft},
        legacy::{Entry, RequestBody, ValueType, flags},
        next_frame,
    },
};
use std::hint::black_box;

const PAYLOAD: [u8; 128] = [7; 128];
const TERM: Term = Term(12);
const PREV: Index = Index(1_234_567);

fn limits() -> Limits {
    Limits::default()
}

fn route() -> Route {
    let group = GroupId::new(17).unwrap_or_default();
    Route { from: NodeId(1), to: NodeId(2), group, incarnation: Incarnation(0x0123_4567_89ab_cdef) }
}

fn append_entries(entries: u64) -> Message {
    let mut slice = Slice::empty(EntryId { term: TERM, index: PREV });
    if entries > 0 {
        slice.runs.push(Run { term: TERM, first: PREV.next() });
        slice.last = PREV.plus(entries);
    }
    Message::AppendEntries { term: TERM, slice, commit: PREV, round: Round(9) }
}

fn encode_extended(message: &Message, entries: usize, out: &mut Vec<u8>) {
    let payloads = std::iter::repeat_n((EntryKind::Command, &PAYLOAD[..]), entries);
    encode_raft(&route(), message, payloads, &limits(), out).expect("it fits a frame");
}

/// Finds and decodes one frame; returns the bytes of its payloads.
fn decode_extended(frame: &[u8]) -> usize {
    let span = next_frame(Version::Extended, frame, &limits()).expect("a frame").expect("a whole one");
    let Header::Extended(header) = span.header else { unreachable!("version 1 has one header") };
    let body = &frame[span.body];
    let decoded = RaftBody::decode(&header, body, &limits()).expect("a body");
    black_box(&decoded.message);
    decoded.payloads(body).map(|payload| payload.range.len()).sum()
}

fn extended(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("codec_v1");
    let answer = Message::AppendEntriesResponse { term: TERM, result: Ok(PREV), round: Round(9) };
    let messages = [
        ("append 1", append_entries(1), 1),
        ("append 64", append_entries(64), 64),
        ("heartbeat", append_entries(0), 0),
        ("answer", answer, 0),
    ];
    for (name, message, entries) in messages {
        let mut frame = Vec::new();
        encode_extended(&message, entries, &mut frame);
        assert_eq!(decode_extended(&frame), entries * PAYLOAD.len(), "{name}");
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let mut out = Vec::with_capacity(frame.len());
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_extended(black_box(&message), entries, &mut out);
                out.len()
            });
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| bencher.iter(|| decode_extended(black_box(&frame))));
    }
    group.finish();
}

fn encode_legacy(entries: usize, flags: u32, out: &mut Vec<u8>) {
    let header = LegacyRequest {
        message_type: MessageType::AppendEntries,
        src: 1,
        dst: 2,
        term: TERM.0,
        last_log_term: TERM.0,
        last_log_index: PREV.0,
        commit_index: PREV.0,
        flags,
    };
    let entry = Entry::plain(TERM.0, ValueType::App, &PAYLOAD);
    header.encode(out, |body| (0..entries).try_for_each(|_| entry.encode(flags, body))).expect("it fits a frame");
}

fn decode_legacy(frame: &[u8]) -> usize {
    let span = next_frame(Version::Legacy, frame, &limits()).expect("a frame").expect("a whole one");
    let Header::LegacyRequest(header) = span.header else { unreachable!("it was encoded as a request") };
    let body = RequestBody::decode(header.flags, &frame[span.body]).expect("a body");
    body.entries.iter().map(|entry| entry.value.len()).sum()
}

fn legacy(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("codec_v0");
    let cases = [("append 1", 1, 0), ("append 64", 64, 0), ("append 64 entire", 64, flags::CRC_ON_ENTIRE_MESSAGE), ("heartbeat", 0, 0)];
    for (name, entries, flags) in cases {
        let mut frame = Vec::new();
        encode_legacy(entries, flags, &mut frame);
        assert_eq!(decode_legacy(&frame), entries * PAYLOAD.len(), "{name}");
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let mut out = Vec::with_capacity(frame.len());
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_legacy(black_box(entries), flags, &mut out);
                out.len()
            });
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| bencher.iter(|| decode_legacy(black_box(&frame))));
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = extended, legacy }
criterion_main!(benches);
