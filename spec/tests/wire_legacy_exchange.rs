//! Group 0 in NuRaft's bodies: what the core answers to the captured requests of real NuRaft servers is, byte for byte, what NuRaft answered;
//! and whatever the core says comes out of version 0 as it went in, as far as version 0 can say it.
//!
//! Captured exchanges that group 0 of a Roadstead node cannot be in:
//!
//! | frames | why not |
//! |---|---|
//! | 01–04, 11–12, 23–24, 33–34, 37–40, 44–45, 54–55, 58–59, 85–86 | the request carries a NuRaft configuration: its entry is refused by name |
//! | 13–16, 35–36, 42–43 | priorities, reconnection, leaving, log packs: not served, the connection is closed |
//! | 29–32, 83–84 | the snapshot's objects are another state machine's; the answers' layout is tested with objects of our own |
//! | 56–57, 66 | the answer carries what that server's options add (meta, applied index, a mark): none is configured here |
//! | 71–74, 77–80 | a leader's answers about members; the answer of a server that does not lead is 75–76 |

mod nuraft_frames;

use nuraft_frames::captured;
use proptest::prelude::*;
use roadstead_spec::raft::{self, Behind, Effect, Event, LogShape, Message, Params, ReadId, Role, Round, Run, Slice, State};
use roadstead_spec::wire::body::{EntryKind, SnapshotAnswer, SnapshotChunk, SnapshotResult};
use roadstead_spec::wire::legacy::translate::{Answer, Asked, Ends, Heard, Question, Standing, Untranslatable, WriteOutcome};
use roadstead_spec::wire::legacy::{Entry, PayloadCrc, RequestBody, ResponseBody, ResultCode, Server, ValueType, flags};
use roadstead_spec::wire::{LegacyRequest, LegacyResponse, Limits, MessageType};
use roadstead_spec::{EntryId, Index, NodeId, Term};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A member of {1, 2, 3} in `term` whose log holds `runs`.
fn member(id: u32, term: u64, runs: &[(u64, u64)], last: u64) -> State {
    let runs = runs.iter().map(|(term, first)| Run { term: Term(*term), first: Index(*first) }).collect();
    let log = LogShape::from_runs(EntryId::default(), runs, Index(last)).unwrap();
    let hard = raft::HardState { term: Term(term), vote: None };
    raft::recover(NodeId(id), hard, log, Index(0)).unwrap()
}

fn params() -> Params {
    Params::new(&[NodeId(1), NodeId(2), NodeId(3)], raft::Limits::default()).unwrap()
}

/// What a member answers to a captured request, by the core and the translation alone.
fn answered(mut state: State, request: &[u8], receives_snapshot: bool) -> Vec<u8> {
    let (header, body) = LegacyRequest::decode(request).unwrap();
    let question = Question::read(&header, body, Round(77), &Limits::default()).unwrap();
    let standing = |state: &State| Standing { last: state.log.last(), receives_snapshot };
    let answer = match question {
        Question::Ping => Answer::ping(header.src),
        Question::Message { message, .. } => {
            let from = NodeId(header.src as u32);
            let mut effects = Vec::new();
            raft::step(&params(), &mut state, Event::Receive { from, message }, &mut effects);
            let said = effects.iter().find_map(|effect| match effect {
                Effect::Send { to, message, .. } if *to == from => Answer::of(message, header.src, Term(header.term), standing(&state)),
                _ => None,
            });
            said.unwrap_or_else(|| Answer::stranger(header.src, Term(header.term)))
        }
        Question::Membership(_) => Answer::membership(header.message_type, state.leader(), ResultCode::NOT_LEADER),
        other => panic!("none of the exchanges below: {other:?}"),
    };
    let mut out = Vec::new();
    answer.encode(state.id, state.hard.term, &mut out).unwrap();
    out
}

#[test]
fn captured_requests_are_answered_as_nuraft_answered_them() {
    let follows = |mut state: State, leader: u32| {
        state.role = Role::Follower { leader: Some(NodeId(leader)), heard: true };
        state
    };
    let empty = |id| member(id, 0, &[], 0);
    let exchanges = [
        ("a heartbeat beyond an empty log", 5, 6, empty(2), false),
        ("an append of one command", 7, 8, member(3, 1, &[(1, 1)], 3), false),
        ("a forced vote", 21, 22, member(2, 1, &[(1, 1)], 8), false),
        ("a pre-vote", 25, 26, member(3, 3, &[(1, 1), (2, 9), (3, 10)], 10), false),
        ("a vote", 27, 28, member(3, 3, &[(1, 1), (2, 9), (3, 10)], 10), false),
        ("an append with a timestamp", 46, 47, member(2, 1, &[(1, 1)], 2), false),
        ("an append with a payload's checksum", 48, 49, member(2, 1, &[(1, 1)], 2), false),
        ("an append with a checksum over everything", 50, 51, member(2, 1, &[(1, 1)], 2), false),
        ("a heartbeat with a checksum over everything", 52, 53, empty(2), false),
        ("a heartbeat to a server that is not counted", 62, 63, member(3, 1, &[(1, 1)], 5), false),
        ("a heartbeat that wants the applied index", 64, 65, empty(2), false),
        ("a ping with an unknown flag", 67, 68, member(1, 1, &[(1, 1)], 1), false),
        ("a stranger's pre-vote", 69, 70, member(1, 1, &[(1, 1)], 1), false),
        ("a server to be added by one that does not lead", 75, 76, follows(member(2, 1, &[(1, 1)], 2), 1), false),
        ("a heartbeat while a snapshot is received", 81, 82, member(3, 4, &[], 0), true),
    ];
    for (what, request, answer, state, receives_snapshot) in exchanges {
        assert_eq!(hex(&answered(state, &captured(request), receives_snapshot)), hex(&captured(answer)), "{what}: {request} and {answer}");
    }
}

/// The same answers, read by the end that asked.
#[test]
fn captured_answers_are_read_against_what_was_asked() {
    let append = |term, prev, last| Asked::Append { term: Term(term), round: Round(5), prev: Index(prev), last: Index(last) };
    let appended = |term, result| Message::AppendEntriesResponse { term: Term(term), result, round: Round(5) };
    let behind = |last| Err(Box::new(Behind { last: Index(last), ..Behind::default() }));
    let cases = [
        (6, append(1, 2, 2), appended(1, behind(0))),
        (8, append(1, 3, 4), appended(1, Ok(Index(4)))),
        (12, append(1, 7, 8), appended(1, Ok(Index(8)))),
        (63, append(1, 6, 6), appended(1, behind(5))),
        (82, append(4, 25, 25), appended(4, behind(0))),
        (86, append(2, 5, 7), appended(2, Ok(Index(7)))),
        (22, Asked::RequestVote, Message::RequestVoteResponse { term: Term(2), granted: true }),
        (26, Asked::PreVote { term: Term(4) }, Message::PreVoteResponse { term: Term(4), granted: true }),
        (70, Asked::PreVote { term: Term(1) }, Message::PreVoteResponse { term: Term(0), granted: false }),
    ];
    for (number, asked, expected) in cases {
        let frame = captured(number);
        let (header, body) = LegacyResponse::decode(&frame).unwrap();
        assert_eq!(asked.read(&header, body), Ok(Heard::Message(expected)), "frame {number}");
    }
    let read = |number, asked: Asked| {
        let frame = captured(number);
        let (header, body) = LegacyResponse::decode(&frame).unwrap();
        format!("{:?}", asked.read(&header, body).unwrap())
    };
    let result = 7_u64.to_le_bytes();
    let outcome = WriteOutcome::Committed { index: Index(7), term: Term(1), bytes: &result };
    assert_eq!(read(10, Asked::Write { request: 3 }), format!("{:?}", Heard::Write { request: 3, outcome }), "a NuRaft leader's commit");
    assert_eq!(read(59, append(1, 0, 2)), format!("{:?}", Heard::Postponed), "a follower that takes nothing now");
    let finished = SnapshotAnswer { term: Term(4), transfer: 9, next: 2, result: SnapshotResult::Complete };
    assert_eq!(read(32, Asked::Chunk { transfer: 9 }), format!("{:?}", Heard::Chunk(finished)));
    let wants = SnapshotAnswer { next: 1, result: SnapshotResult::Continue, ..finished };
    assert_eq!(read(30, Asked::Chunk { transfer: 9 }), format!("{:?}", Heard::Chunk(wants)));
    let not_needed = SnapshotAnswer { next: 21, result: SnapshotResult::NotNeeded, ..finished };
    assert_eq!(read(84, Asked::Chunk { transfer: 9 }), format!("{:?}", Heard::Chunk(not_needed)));
}

/// Requests of ours are, byte for byte, those that NuRaft makes in the same situation.
#[test]
fn our_requests_are_nurafts_requests() {
    let asked = |ends, message: Message, commit, payloads: &[(EntryKind, &[u8])]| {
        let mut out = Vec::new();
        Asked::encode(ends, &message, Index(commit), payloads.iter().copied(), &mut out).unwrap();
        hex(&out)
    };
    let ends = |from, to| Ends::nodes(NodeId(from), NodeId(to));
    let last = |term, index| EntryId { term: Term(term), index: Index(index) };
    let pre_vote = Message::PreVote { term: Term(4), last: last(3, 10) };
    assert_eq!(asked(ends(2, 3), pre_vote, 10, &[]), hex(&captured(25)));
    let vote = Message::RequestVote { term: Term(4), last: last(3, 10) };
    assert_eq!(asked(ends(2, 3), vote, 10, &[]), hex(&captured(27)));
    let heartbeat = Message::AppendEntries { term: Term(1), slice: Slice::empty(last(1, 2)), commit: Index(2), round: Round(1) };
    assert_eq!(asked(ends(1, 2), heartbeat, 0, &[]), hex(&captured(5)));
    let runs = [Run { term: Term(1), first: Index(4) }].into_iter().collect();
    let slice = Slice { prev: last(1, 3), runs, last: Index(4) };
    let append = Message::AppendEntries { term: Term(1), slice, commit: Index(3), round: Round(1) };
    let frame = captured(7);
    let command = &frame[54 + 13..];
    assert_eq!(asked(ends(1, 3), append, 0, &[(EntryKind::Command, command)]), hex(&frame));
    let frame = captured(9);
    let mut out = Vec::new();
    Asked::encode_write(Ends::CLIENT, 1, &frame[54 + 13..], &mut out).unwrap();
    assert_eq!(hex(&out), hex(&frame), "a client's request");
}

/// Everything that the core asks arrives as it was said; the answer, too, but for the runs of a refusal.
#[test]
fn messages_come_out_as_they_went_in() {
    let ends = Ends::nodes(NodeId(1), NodeId(2));
    let id = ReadId { node: NodeId(1), boot: u64::MAX, number: 12 };
    let last = EntryId { term: Term(3), index: Index(9) };
    let runs = [Run { term: Term(3), first: Index(10) }, Run { term: Term(5), first: Index(12) }].into_iter().collect();
    let slice = Slice { prev: last, runs, last: Index(12) };
    let payloads: [(EntryKind, &[u8]); 3] = [(EntryKind::Command, b"one"), (EntryKind::Command, b""), (EntryKind::Noop, b"")];
    let standing = Standing { last: Index(30), receives_snapshot: false };
    let (term, granted, round) = (Term(6), true, Round(8));
    let pairs = [
        (Message::PreVote { term, last }, Message::PreVoteResponse { term, granted }),
        (Message::PreVote { term, last }, Message::PreVoteResponse { term: Term(5), granted: false }),
        (Message::PreVote { term, last }, Message::PreVoteResponse { term: Term(9), granted: false }),
        (Message::RequestVote { term, last }, Message::RequestVoteResponse { term, granted }),
        (Message::RequestVote { term, last }, Message::RequestVoteResponse { term: Term(9), granted: false }),
        (
            Message::AppendEntries { term, slice: slice.clone(), commit: Index(9), round },
            Message::AppendEntriesResponse { term, result: Ok(Index(12)), round },
        ),
        (
            Message::AppendEntries { term, slice, commit: Index(9), round },
            Message::AppendEntriesResponse { term, result: Err(Box::new(Behind { last: Index(8), ..Behind::default() })), round },
        ),
        (Message::ReadIndex { term, id }, Message::ReadIndexResponse { term, id, index: Some(Index(0)) }),
        (Message::ReadIndex { term, id }, Message::ReadIndexResponse { term, id, index: None }),
    ];
    for (question, answer) in pairs {
        let mut frame = Vec::new();
        let carried = if matches!(question, Message::AppendEntries { .. }) { &payloads[..] } else { &[] };
        let asked = Asked::encode(ends, &question, Index(9), carried.iter().copied(), &mut frame).unwrap();
        let (header, body) = LegacyRequest::decode(&frame).unwrap();
        let Question::Message { message, payloads: spans } = Question::read(&header, body, round, &Limits::default()).unwrap() else {
            panic!("{question:?} is a message")
        };
        assert_eq!(message, question);
        let found: Vec<_> = spans.iter().map(|span| (span.kind, &body[span.range.clone()])).collect();
        assert_eq!(found, carried);
        let mut frame = Vec::new();
        let reply = Answer::of(&answer, 1, Term(header.term), standing).unwrap();
        assert_eq!(Some(reply.message_type()), header.message_type.legacy_answer());
        reply.encode(NodeId(2), Term(99), &mut frame).unwrap();
        let (header, body) = LegacyResponse::decode(&frame).unwrap();
        assert_eq!(asked.read(&header, body), Ok(Heard::Message(answer)));
    }
}

#[test]
fn pieces_of_a_snapshot_come_out_as_they_went_in() {
    let at = EntryId { term: Term(3), index: Index(40) };
    let items = b"key and value";
    let crc = SnapshotChunk::crc_of(items);
    let chunk = SnapshotChunk { term: Term(4), transfer: 7 << 32, at, sequence: 3, done: true, crc, items };
    let members = (1..=3).map(|id| Server { id, priority: 1, ..Server::default() }).collect();
    let mut frame = Vec::new();
    let asked = Asked::encode_chunk(Ends::nodes(NodeId(1), NodeId(2)), &chunk, Index(41), members, &mut frame).unwrap();
    let (header, body) = LegacyRequest::decode(&frame).unwrap();
    assert_eq!((header.last_log_index, header.last_log_term, header.commit_index), (40, 3, 41), "as NuRaft does");
    let question = Question::read(&header, body, Round(1), &Limits::default()).unwrap();
    assert_eq!(question, Question::Chunk { chunk, members: vec![1, 2, 3] });
    let standing = Standing { last: Index(20), receives_snapshot: true };
    for (result, next) in
        [(SnapshotResult::Continue, 2), (SnapshotResult::Complete, 4), (SnapshotResult::NotNeeded, 21), (SnapshotResult::Failed, 21)]
    {
        let mut frame = Vec::new();
        Answer::chunk(1, chunk.sequence, 2, result, standing).encode(NodeId(2), Term(4), &mut frame).unwrap();
        let (header, body) = LegacyResponse::decode(&frame).unwrap();
        let expected = SnapshotAnswer { term: Term(4), transfer: chunk.transfer, next, result };
        assert_eq!(asked.read(&header, body), Ok(Heard::Chunk(expected)));
    }
}

/// What cannot be said is not said; what cannot be is refused.
#[test]
fn contradictions_are_refused() {
    fn read(frame: &[u8]) -> Result<Question<'_>, Untranslatable> {
        let (header, body) = LegacyRequest::decode(frame).unwrap();
        Question::read(&header, body, Round(1), &Limits::default())
    }
    for number in [3, 11, 23, 33, 37, 39, 44, 58, 85] {
        assert_eq!(read(&captured(number)).unwrap_err(), Untranslatable::Entry(2), "frame {number} carries a configuration");
    }
    for (number, unserved) in [
        (1, MessageType::JoinCluster),
        (13, MessageType::PriorityChange),
        (15, MessageType::Reconnect),
        (35, MessageType::LeaveCluster),
        (42, MessageType::SyncLog),
    ] {
        assert_eq!(read(&captured(number)).unwrap_err(), Untranslatable::NotServed(unserved));
    }
    assert!(read(&captured(29)).is_err() && read(&captured(83)).is_err(), "objects of another state machine");
    let answer = |accepted, term, next_index| LegacyResponse {
        message_type: MessageType::AppendEntriesResponse,
        src: 2,
        dst: 1,
        term,
        next_index,
        accepted,
        flags: 0,
    };
    let append = Asked::Append { term: Term(4), round: Round(1), prev: Index(10), last: Index(12) };
    for next in [0, 1, 10, 14, u64::MAX] {
        assert!(matches!(append.read(&answer(true, 4, next), &[]), Err(Untranslatable::Contradiction(_))), "accepted through {next}");
    }
    let first = Asked::Append { term: Term(4), round: Round(1), prev: Index(0), last: Index(2) };
    assert!(first.read(&answer(true, 4, 0), &[]).is_err(), "no index is 0");
    assert!(append.read(&answer(true, u64::MAX, 12), &[]).is_err(), "a term that cannot be");
    let pre_vote = Asked::PreVote { term: Term(4) };
    assert!(pre_vote.read(&answer(true, 4, 1), &[]).is_err(), "NuRaft echoes the request's term, which was 3");
    let response = Message::PreVoteResponse { term: Term(4), granted: true };
    let said = Asked::encode(Ends::CLIENT, &response, Index(0), [], &mut Vec::new());
    assert_eq!(said, Err(Untranslatable::NotSayable(MessageType::PreVoteResponse)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Captured frames with changed bytes, cut or stretched, under any flags: they are read or refused, and never make anything panic.
    #[test]
    fn no_bytes_make_the_translation_panic(
        number in 1_u32..=86,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<proptest::sample::Index>(),
        is_cut in any::<bool>(),
        flags in prop_oneof![Just(0_u32), 0_u32..0x80, any::<u32>()],
        kind in 1_u8..=29,
    ) {
        let frame = captured(number);
        let message_type = MessageType::from_u8(kind).unwrap();
        let is_request = frame[0] == 0;
        let mut body = frame[if is_request { 54 } else { 39 }..].to_vec();
        for (place, byte) in changes {
            if !body.is_empty() {
                let place = place.index(body.len());
                body[place] = byte;
            }
        }
        if is_cut && !body.is_empty() {
            body.truncate(cut.index(body.len()));
        }
        let (src, dst) = (1, 2);
        let (term, index) = (u64::from(flags) << 33, u64::from(flags) << 32);
        let header =
            LegacyRequest { message_type, src, dst, term, last_log_term: term, last_log_index: index, commit_index: index, flags };
        if let Ok(Question::Message { message: Message::AppendEntries { slice, .. }, payloads }) =
            Question::read(&header, &body, Round(1), &Limits::default())
        {
            prop_assert!(slice.is_valid());
            prop_assert_eq!(slice.entries(), payloads.len() as u64);
            prop_assert!(payloads.iter().all(|span| body.get(span.range.clone()).is_some()));
        }
        let header = LegacyResponse { message_type, src, dst, term, next_index: index, accepted: flags & 1 == 0, flags };
        let id = ReadId { node: NodeId(1), boot: 1, number: 1 };
        let append = Asked::Append { term: Term(1), round: Round(1), prev: Index(1), last: Index(2) };
        for asked in [
            Asked::Ping,
            Asked::PreVote { term: Term(1) },
            Asked::RequestVote,
            append,
            Asked::ReadIndex { id },
            Asked::Chunk { transfer: 1 },
            Asked::Write { request: 1 },
        ] {
            let _ = asked.read(&header, &body);
        }
    }
}

/// NuRaft may batch more terms than a slice holds: the first ones are taken and acknowledged, and the leader goes on behind them.
#[test]
fn a_batch_of_many_terms_is_taken_in_parts() {
    let header = LegacyRequest {
        message_type: MessageType::AppendEntries,
        src: 1,
        dst: 2,
        term: 9,
        last_log_term: 0,
        last_log_index: 0,
        commit_index: 0,
        flags: 0,
    };
    let mut body = Vec::new();
    for term in 1..=9 {
        Entry::plain(term, ValueType::App, b"x").encode(0, &mut body).unwrap();
    }
    let Ok(Question::Message { message: Message::AppendEntries { slice, .. }, payloads }) =
        Question::read(&header, &body, Round(1), &Limits::default())
    else {
        panic!("an append")
    };
    assert_eq!((slice.last, slice.runs.len(), payloads.len()), (Index(4), 4, 4));
    let backwards = LegacyRequest { term: 3, ..header };
    assert!(Question::read(&backwards, &body, Round(1), &Limits::default()).is_err(), "no entry is newer than its leader");
}

fn asks(message_type: MessageType, last_log_index: u64, flags: u32) -> LegacyRequest {
    LegacyRequest {
        message_type,
        src: 1,
        dst: 2,
        term: 9,
        last_log_term: u64::from(last_log_index > 0),
        last_log_index,
        commit_index: 0,
        flags,
    }
}

fn body_of(meta: Option<&[u8]>, flags: u32, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    RequestBody { meta, entries: entries.to_vec() }.encode(flags, &mut out).unwrap();
    out
}

/// A client's write is one command within the limit; NuRaft's other requests of clients are answered, not served.
#[test]
fn a_clients_write_is_one_command_within_the_limit() {
    let limits = Limits { entry_bytes_max: 4, ..Limits::default() };
    let app = |value| Entry::plain(0, ValueType::App, value);
    let cases: [(&[Entry<'_>], Question<'_>); 6] = [
        (&[app(b"one")], Question::Write(b"one")),
        (&[app(b"four")], Question::Write(b"four")),
        (&[app(b"fives")], Question::NotOneCommand),
        (&[Entry::plain(0, ValueType::Custom, b"one")], Question::NotOneCommand),
        (&[app(b"one"), app(b"two")], Question::NotOneCommand),
        (&[], Question::NotOneCommand),
    ];
    for (entries, expected) in cases {
        let body = body_of(None, 0, entries);
        assert_eq!(Question::read(&asks(MessageType::ClientRequest, 0, 0), &body, Round(1), &limits), Ok(expected), "{entries:?}");
    }
}

/// What an entry may be: a command within the limit, or the empty one that opens a term.
#[test]
fn an_append_carries_commands_and_opening_entries() {
    let limits = Limits { entry_bytes_max: 4, ..Limits::default() };
    let cases: [(ValueType, &[u8], Result<EntryKind, Untranslatable>); 5] = [
        (ValueType::App, b"four", Ok(EntryKind::Command)),
        (ValueType::App, b"fives", Err(Untranslatable::EntryTooLarge { size: 5, limit: 4 })),
        (ValueType::Custom, b"", Ok(EntryKind::Noop)),
        (ValueType::Custom, b"x", Err(Untranslatable::Entry(ValueType::Custom.number()))),
        (ValueType::Config, b"x", Err(Untranslatable::Entry(ValueType::Config.number()))),
    ];
    for (value_type, value, expected) in cases {
        let body = body_of(None, 0, &[Entry::plain(9, value_type, value)]);
        let found = Question::read(&asks(MessageType::AppendEntries, 0, 0), &body, Round(1), &limits).map(|question| match question {
            Question::Message { payloads, .. } => payloads[0].kind,
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected);
    }
}

/// A server that writes meta, timestamps or checksums before its payloads: each payload is found behind them.
#[test]
fn payloads_stand_behind_what_flags_add() {
    let (timestamp, crc) = (flags::INCLUDE_LOG_TIMESTAMP, flags::CRC_ON_PAYLOAD);
    for flags in [0, flags::INCLUDE_META, timestamp, crc, timestamp | crc, flags::INCLUDE_META | timestamp | crc] {
        let meta = (flags & flags::INCLUDE_META != 0).then_some(b"meta!".as_slice());
        let entry = Entry {
            timestamp: (flags & timestamp != 0).then_some(7),
            crc: (flags & crc != 0).then_some(PayloadCrc { has: false, crc: 0 }),
            ..Entry::plain(9, ValueType::App, b"payload")
        };
        let body = body_of(meta, flags, &[entry]);
        let question = Question::read(&asks(MessageType::AppendEntries, 0, flags), &body, Round(1), &Limits::default());
        let Ok(Question::Message { payloads, .. }) = question else { panic!("{question:?}") };
        assert_eq!(&body[payloads[0].range.clone()], b"payload", "flags {flags:#x}");
    }
}

/// Terms in a log never decrease.
#[test]
fn an_append_of_decreasing_terms_is_refused() {
    let entries = [5, 3].map(|term| Entry::plain(term, ValueType::App, b"x"));
    let body = body_of(None, 0, &entries);
    let read = Question::read(&asks(MessageType::AppendEntries, 0, 0), &body, Round(1), &Limits::default());
    assert!(matches!(read, Err(Untranslatable::Contradiction(_))), "{read:?}");
}

/// A snapshot of the sender's own term, or an older one; none is newer than its leader.
#[test]
fn a_snapshot_is_not_newer_than_its_leader() {
    for (term, is_read) in [(3, true), (4, true), (5, false)] {
        let at = EntryId { term: Term(term), index: Index(40) };
        let chunk = SnapshotChunk { term: Term(4), transfer: 7, at, sequence: 3, done: true, crc: SnapshotChunk::crc_of(b""), items: b"" };
        let mut frame = Vec::new();
        Asked::encode_chunk(Ends::nodes(NodeId(1), NodeId(2)), &chunk, Index(41), vec![], &mut frame).unwrap();
        let (header, body) = LegacyRequest::decode(&frame).unwrap();
        assert_eq!(Question::read(&header, body, Round(1), &Limits::default()).is_ok(), is_read, "a snapshot of term {term}");
    }
}

/// A server that is to go is named by its id alone.
#[test]
fn a_server_is_removed_by_its_id() {
    let body = body_of(None, 0, &[Entry::plain(0, ValueType::Server, &3_i32.to_le_bytes())]);
    let question = Question::read(&asks(MessageType::RemoveServer, 0, 0), &body, Round(1), &Limits::default());
    assert_eq!(question, Ok(Question::Membership(3)));
}

/// Goal: what a client may conclude of each answer to its write, NuRaft's old ones included.
#[test]
fn every_answer_to_a_write_has_one_meaning() {
    let (none, result) = (b"".as_slice(), b"result".as_slice());
    let committed = |bytes| WriteOutcome::Committed { index: Index(7), term: Term(4), bytes };
    let busy = ResultCode(-5);
    let cases = [
        (true, Some(ResultCode::OK), none, 1, committed(none)),
        (true, Some(ResultCode::OK), result, 1, committed(result)),
        (true, None, result, 1, committed(result)),
        (true, None, none, 1, WriteOutcome::Unknown(None)),
        (true, Some(busy), none, 1, WriteOutcome::Unknown(Some(busy))),
        (false, None, none, 3, WriteOutcome::NotLeader(Some(NodeId(3)))),
        (false, Some(ResultCode::NOT_LEADER), none, 1, WriteOutcome::NotLeader(Some(NodeId(1)))),
        (false, Some(ResultCode::NOT_LEADER), none, 0, WriteOutcome::NotLeader(None)),
        (false, Some(ResultCode::NOT_LEADER), none, -1, WriteOutcome::NotLeader(None)),
        (false, Some(busy), none, 1, WriteOutcome::Refused(busy)),
    ];
    for (accepted, result_code, context, dst, outcome) in cases {
        let flags = if result_code.is_some() { flags::INCLUDE_RESULT_CODE } else { 0 };
        let message_type = MessageType::AppendEntriesResponse;
        let header = LegacyResponse { message_type, src: 2, dst, term: 4, next_index: 8, accepted, flags };
        let mut body = Vec::new();
        ResponseBody { meta: None, hint: None, context, result_code }.encode(flags, &mut body).unwrap();
        let heard = Asked::Write { request: 3 }.read(&header, &body);
        assert_eq!(heard, Ok(Heard::Write { request: 3, outcome }), "{accepted} {result_code:?} {context:?} {dst}");
    }
}

/// Our own answers to a write mean at the other end what they meant here; nobody is named where no leader is known.
#[test]
fn answers_to_a_write_come_out_as_they_went_in() {
    let entry = EntryId { term: Term(4), index: Index(7) };
    let (leader, busy) = (Some(NodeId(3)), ResultCode(-5));
    let cases = [
        (Answer::committed(leader, entry, b"result"), WriteOutcome::Committed { index: Index(7), term: Term(4), bytes: b"result" }),
        (Answer::committed(leader, entry, b""), WriteOutcome::Committed { index: Index(7), term: Term(4), bytes: b"" }),
        (Answer::refused(leader, ResultCode::NOT_LEADER), WriteOutcome::NotLeader(leader)),
        (Answer::refused(None, ResultCode::NOT_LEADER), WriteOutcome::NotLeader(None)),
        (Answer::refused(leader, busy), WriteOutcome::Refused(busy)),
        (Answer::unknown(leader), WriteOutcome::Unknown(Some(ResultCode::TIMEOUT))),
    ];
    for (answer, outcome) in cases {
        let mut frame = Vec::new();
        answer.encode(NodeId(2), Term(9), &mut frame).unwrap();
        let (header, body) = LegacyResponse::decode(&frame).unwrap();
        assert_eq!(Asked::Write { request: 3 }.read(&header, body), Ok(Heard::Write { request: 3, outcome }));
    }
}
