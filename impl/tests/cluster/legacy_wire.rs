//! Group 0 of a node, as a NuRaft server or client sees it: raw frames on a socket, many of them captured from real servers.

use crate::{
    nuraft_frames::captured,
    support::{Cluster, DEADLINE, until},
};
use roadstead::api::types::{GroupState, Role};
use roadstead::config::{
    HeaderPolicy::{Auto, Legacy},
    Timers,
};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Message, Round, Run, Slice},
    wire::{
        Header, LegacyResponse, Limits, MessageType, Version,
        body::{EntryKind, SnapshotChunk},
        legacy::{
            ResponseBody, ResultCode, Server,
            translate::{Answer, Asked, Ends, Heard, Standing, WriteOutcome},
        },
        next_frame,
    },
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A connection in the test's own hands.
pub(crate) struct Hand {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Hand {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).await.unwrap();
    }

    /// The next answer, as bytes; `None` once the connection is closed.
    async fn answer(&mut self) -> Option<Vec<u8>> {
        let patience = Duration::from_secs(30);
        loop {
            if let Some(span) = next_frame(Version::Legacy, &self.buffer, &Limits::default()).unwrap() {
                assert!(matches!(span.header, Header::LegacyResponse(_)));
                return Some(self.buffer.drain(..span.len()).collect());
            }
            let read = timeout(patience, self.stream.read_buf(&mut self.buffer)).await.expect("an answer or an end");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Vec<u8> {
        self.send(frame).await;
        self.answer().await.expect("the request is answered")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A leader's append of entries `1..=terms.len()`, whose terms these are.
pub(crate) fn append_from_the_start(from: u32, to: u32, terms: &[u64]) -> Vec<u8> {
    let mut runs = Vec::new();
    for (index, term) in (1..).zip(terms) {
        if runs.last().is_none_or(|run: &Run| run.term.0 != *term) {
            runs.push(Run { term: Term(*term), first: Index(index) });
        }
    }
    let last = Index(terms.len() as u64);
    let slice = Slice { prev: EntryId::default(), runs: runs.into_iter().collect(), last };
    let message = Message::AppendEntries { term: Term(*terms.last().unwrap()), slice, commit: Index(0), round: Round(0) };
    let payloads = terms.iter().map(|_| (EntryKind::Command, &b"add 1"[..]));
    let mut out = Vec::new();
    Asked::encode(Ends::nodes(NodeId(from), NodeId(to)), &message, Index(0), payloads, &mut out).unwrap();
    out
}

/// A running member `id` of group 0 whose peers are in the test's hands.
pub(crate) async fn alone(id: u32) -> (Cluster, SocketAddr) {
    let mut cluster = Cluster::prepare(3, &[0], Legacy);
    cluster.start_node(NodeId(id)).await;
    let address = cluster.address(NodeId(id));
    let group = cluster.group(NodeId(id), 0).await;
    until("group 0 to run", || async { group.status().await.filter(|status| status.state == GroupState::Running) }).await;
    (cluster, address)
}

/// Each exchange of the table in one life of a node: what was captured goes in, what NuRaft answered comes out.
async fn check(id: u32, peer: u32, terms: &[u64], exchanges: &[(u32, u32)]) {
    let (cluster, address) = alone(id).await;
    let mut hand = Hand::to(address).await;
    if !terms.is_empty() {
        hand.ask(&append_from_the_start(peer, id, terms)).await;
    }
    for (request, answer) in exchanges {
        let answered = hand.ask(&captured(*request)).await;
        assert_eq!(hex(&answered), hex(&captured(*answer)), "frames {request} and {answer}");
    }
    cluster.shutdown().await;
}

#[tokio::test]
async fn captured_appends_are_answered_byte_for_byte_on_a_socket() {
    check(2, 1, &[], &[(5, 6), (52, 53), (64, 65)]).await;
    check(2, 1, &[1, 1], &[(46, 47), (48, 49), (50, 51)]).await;
    check(3, 1, &[1, 1, 1], &[(7, 8)]).await;
    check(3, 1, &[1, 1, 1, 1, 1], &[(62, 63)]).await;
}

#[tokio::test]
async fn captured_votes_are_answered_byte_for_byte_on_a_socket() {
    check(2, 3, &[1; 8], &[(21, 22)]).await;
    let (cluster, address) = alone(3).await;
    let mut hand = Hand::to(address).await;
    hand.ask(&append_from_the_start(2, 3, &[1, 1, 1, 1, 1, 1, 1, 1, 2, 3])).await;
    // The pre-vote is granted once the leader, who never spoke again, is forgotten.
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < DEADLINE, "the pre-vote was never granted");
        let answered = hand.ask(&captured(25)).await;
        if LegacyResponse::decode(&answered).unwrap().0.accepted {
            break assert_eq!(hex(&answered), hex(&captured(26)));
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(hex(&hand.ask(&captured(27)).await), hex(&captured(28)));
    cluster.shutdown().await;
}

#[tokio::test]
async fn captured_probes_of_strangers_are_answered_byte_for_byte_on_a_socket() {
    let (cluster, address) = alone(1).await;
    Hand::to(address).await.ask(&append_from_the_start(2, 1, &[1])).await;
    let mut stranger = Hand::to(address).await;
    for _ in 0..2 {
        assert_eq!(hex(&stranger.ask(&captured(67)).await), hex(&captured(68)), "a ping with an unknown flag");
        assert_eq!(hex(&stranger.ask(&captured(69)).await), hex(&captured(70)), "a pre-vote");
    }
    // A real vote would depose a leader: a NuRaft server grants it, this one closes.
    let mut vote = captured(27);
    vote[2..10].copy_from_slice(&[9, 0, 0, 0, 1, 0, 0, 0]);
    let crc = crc32fast::hash(&vote[..46]);
    vote[46..50].copy_from_slice(&crc.to_le_bytes());
    stranger.send(&vote).await;
    assert_eq!(stranger.answer().await, None);
    cluster.shutdown().await;

    let (cluster, address) = alone(2).await;
    Hand::to(address).await.ask(&append_from_the_start(1, 2, &[1, 1])).await;
    let mut client = Hand::to(address).await;
    assert_eq!(hex(&client.ask(&captured(75)).await), hex(&captured(76)), "a server is to be added by one that does not lead");
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_captured_heartbeat_while_a_snapshot_is_received_is_answered_byte_for_byte_on_a_socket() {
    let (cluster, address) = alone(3).await;
    let mut hand = Hand::to(address).await;
    let items = b"";
    let at = EntryId { term: Term(4), index: Index(25) };
    let chunk = SnapshotChunk { term: Term(4), transfer: 1, at, sequence: 0, done: false, crc: SnapshotChunk::crc_of(items), items };
    let members = (1..=3).map(|id| Server { id, priority: 1, ..Server::default() }).collect();
    let mut piece = Vec::new();
    let asked = Asked::encode_chunk(Ends::nodes(NodeId(1), NodeId(3)), &chunk, Index(25), members, &mut piece).unwrap();
    let answered = hand.ask(&piece).await;
    let (header, body) = LegacyResponse::decode(&answered).unwrap();
    assert!(
        matches!(asked.read(&header, body).unwrap(), Heard::Chunk(answer) if answer.next == 1),
        "the next object is wanted: {header:?}"
    );
    // The term of the snapshot's leader arrives with the heartbeat.
    assert_eq!(hex(&hand.ask(&captured(81)).await), hex(&captured(82)));
    cluster.shutdown().await;
}

/// What a NuRaft member would send and this node cannot take part in closes the connection, and changes nothing.
#[tokio::test]
async fn what_cannot_be_served_closes_the_connection() {
    let (cluster, address) = alone(2).await;
    for (number, what) in [(1, "an invitation"), (3, "a configuration"), (42, "a log pack")] {
        let mut hand = Hand::to(address).await;
        hand.send(&captured(number)).await;
        assert_eq!(hand.answer().await, None, "{what}");
    }
    let status = cluster.group(NodeId(2), 0).await.status().await.unwrap();
    assert_eq!((status.epoch, status.last), (0, 0));
    cluster.shutdown().await;
}

/// A peer that grants every vote and lets every append wait.
async fn grants_votes(id: u32, address: SocketAddr) {
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = Vec::new();
            loop {
                while let Some(span) = next_frame(Version::Legacy, &buffer, &Limits::default()).unwrap() {
                    let Header::LegacyRequest(header) = span.header else { panic!("a peer asks") };
                    let (asked, asker) = (Term(header.term), header.src);
                    let standing = Standing { last: Index(header.last_log_index), receives_snapshot: false };
                    let granted = match header.message_type {
                        MessageType::PreVote => Message::PreVoteResponse { term: asked, granted: true },
                        MessageType::RequestVote => Message::RequestVoteResponse { term: asked, granted: true },
                        _ => Message::PreVote { term: asked, last: EntryId::default() },
                    };
                    let answer = if header.message_type == MessageType::Ping {
                        Some(Answer::ping(asker))
                    } else {
                        Answer::of(&granted, asker, asked, standing)
                    };
                    let mut out = Vec::new();
                    if let Some(answer) = answer {
                        answer.encode(NodeId(id), asked, &mut out).unwrap();
                    }
                    buffer.drain(..span.len());
                    stream.write_all(&out).await.unwrap();
                }
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            }
        });
    }
}

/// A write that waits for its quorum does not keep votes waiting behind it: who asks for votes believes in another leader, and is told that
/// the outcome of its write is open.
#[tokio::test]
async fn no_vote_waits_behind_a_forwarded_write() {
    let mut cluster = Cluster::prepare(3, &[0], Legacy);
    let peers = [1, 3].map(|id| tokio::spawn(grants_votes(id, cluster.address(NodeId(id)))));
    cluster.start_node(NodeId(2)).await;
    let address = cluster.address(NodeId(2));
    let mut forwarded = Vec::new();
    Asked::encode_write(Ends::nodes(NodeId(1), NodeId(2)), 0, b"add 1", &mut forwarded).unwrap();
    let pre_vote = Message::PreVote { term: Term(1), last: EntryId::default() };
    Asked::encode(Ends::nodes(NodeId(1), NodeId(2)), &pre_vote, Index(0), [], &mut forwarded).unwrap();
    let mut hand = Hand::to(address).await;
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < DEADLINE, "node 2 never led");
        let asked = Instant::now();
        hand.send(&forwarded).await;
        let (write, vote) = (hand.answer().await.unwrap(), hand.answer().await.unwrap());
        assert_eq!(LegacyResponse::decode(&vote).unwrap().0.message_type, MessageType::PreVoteResponse);
        let (header, code, _) = outcome(&write);
        match code {
            Some(ResultCode::NOT_LEADER) => tokio::task::yield_now().await,
            Some(ResultCode::TIMEOUT) => {
                assert!(header.accepted, "taken in, and its outcome is open");
                break assert!(asked.elapsed() < Timers::fast().request_timeout, "it did not wait for its own time to be over");
            }
            other => panic!("{other:?}"),
        }
    }
    peers.into_iter().for_each(|peer| peer.abort());
    cluster.shutdown().await;
}

/// A peer that answers out of order, or not at all, is left: later answers would be taken for others.
#[tokio::test]
async fn a_peer_that_does_not_answer_in_order_is_left() {
    for answers_wrongly in [true, false] {
        let mut cluster = Cluster::prepare(3, &[0], Legacy);
        let listener = tokio::net::TcpListener::bind(cluster.address(NodeId(1))).await.unwrap();
        cluster.start_node(NodeId(2)).await;
        let (mut stream, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
        let mut buffer = Vec::new();
        let mut asked = Vec::new();
        let left = async {
            loop {
                while let Some(span) = next_frame(Version::Legacy, &buffer, &Limits::default()).unwrap() {
                    let Header::LegacyRequest(header) = span.header else { panic!("a peer asks") };
                    buffer.drain(..span.len());
                    asked.push(header.message_type);
                    let mut out = Vec::new();
                    match header.message_type {
                        MessageType::Ping => Answer::ping(2).encode(NodeId(1), Term(0), &mut out).unwrap(),
                        _ if answers_wrongly => Answer::ping(2).encode(NodeId(1), Term(0), &mut out).unwrap(),
                        _ => {}
                    }
                    stream.write_all(&out).await.unwrap();
                }
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            }
        };
        timeout(DEADLINE, left).await.expect("it is left");
        assert_eq!(asked[..2], [MessageType::Ping, MessageType::PreVote], "it says who it is, and stands for election");
        if answers_wrongly {
            assert_eq!(asked.len(), 2, "at once");
        }
        timeout(DEADLINE, listener.accept()).await.unwrap().expect("and dialled again");
        cluster.shutdown().await;
    }
}

/// Another group stands for election again and again, and its peer, which would take every word for one of group 0, hears none of it.
#[tokio::test]
async fn nothing_of_another_group_is_said_in_version_0() {
    let mut cluster = Cluster::prepare(3, &[7], Legacy);
    let listener = tokio::net::TcpListener::bind(cluster.address(NodeId(1))).await.unwrap();
    cluster.start_node(NodeId(2)).await;
    let (mut stream, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    let group = cluster.group(NodeId(2), 7).await;
    until("group 7 to stand for election", || async { group.status().await.filter(|it| it.role == Role::Candidate) }).await;
    cluster.stop_node(NodeId(2)).await;
    let mut heard = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
    let first = next_frame(Version::Legacy, &heard, &Limits::default()).unwrap().expect("it says who it is");
    assert!(matches!(first.header, Header::LegacyRequest(header) if header.message_type == MessageType::Ping));
    assert_eq!(first.len(), heard.len(), "and nothing else: {}", hex(&heard));
}

fn write(command: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Asked::encode_write(Ends::CLIENT, 0, command, &mut out).unwrap();
    out
}

fn outcome(frame: &[u8]) -> (LegacyResponse, Option<ResultCode>, String) {
    let (header, body) = LegacyResponse::decode(frame).unwrap();
    let body = ResponseBody::decode(header.flags, body).unwrap();
    (header, body.result_code, String::from_utf8_lossy(body.context).into_owned())
}

#[tokio::test]
async fn old_client_to_new_server_is_served_from_group_0() {
    let cluster = Cluster::start_with(3, &[0, 7], Auto).await;
    let leader = cluster.leader(0).await;
    let mut client = Hand::to(cluster.address(leader)).await;
    let frame = client.ask(&write(b"add 5")).await;
    let (header, code, result) = outcome(&frame);
    assert_eq!((header.message_type, header.accepted, header.flags), (MessageType::AppendEntriesResponse, true, 0x20), "as frame 10");
    assert_eq!((i64::from(header.src), i64::from(header.dst)), (leader.0.into(), leader.0.into()), "the leader answers and names itself");
    assert_eq!((code, result.as_str()), (Some(ResultCode::OK), "5"));
    let (answer, body) = LegacyResponse::decode(&frame).unwrap();
    let status = cluster.group(leader, 0).await.status().await.unwrap();
    let read = Asked::Write { request: 0 }.read(&answer, body).unwrap();
    let committed = WriteOutcome::Committed { index: Index(status.commit), term: Term(status.epoch), bytes: b"5" };
    assert_eq!(read, Heard::Write { request: 0, outcome: committed });

    // Three at once: three answers, in order. The captured request is one of them, to the byte.
    let three = [write(b"add 1"), captured(9), write(b"add 1")].concat();
    client.send(&three).await;
    for expected in ["6", "add NUMBER", "7"] {
        let (_, code, result) = outcome(&client.answer().await.unwrap());
        assert_eq!((code, result.as_str()), (Some(ResultCode::OK), expected));
    }
    // The other group may still be electing; once its opening entry is applied here, that is all that it got.
    let applied = until("group 7's opening entry to be applied", || async {
        Some(cluster.group(leader, 7).await.status().await?.applied).filter(|applied| *applied > 0)
    });
    assert_eq!(applied.await, 1, "no other group got anything: the opening entry is all");

    // A follower does not pass it on; it names the leader, as NuRaft does.
    let follower = cluster.nodes().into_iter().find(|node| *node != leader).unwrap();
    let (header, code, _) = outcome(&Hand::to(cluster.address(follower)).await.ask(&write(b"add 1")).await);
    assert_eq!((code, header.accepted, header.dst), (Some(ResultCode::NOT_LEADER), false, leader.0 as i32));
    assert_eq!(header.src, follower.0 as i32);

    // Two commands in one request are refused as a bad request, and the connection lives on.
    use roadstead_spec::wire::legacy::{Entry, LegacyError, ValueType};
    let (mut two, header) = (Vec::new(), roadstead_spec::wire::LegacyRequest::decode(&captured(9)).map(|(header, _)| header).unwrap());
    header
        .encode::<LegacyError>(&mut two, |body| {
            Entry::plain(0, ValueType::App, b"add 1").encode(0, body)?;
            Entry::plain(0, ValueType::App, b"add 1").encode(0, body)
        })
        .unwrap();
    let (header, code, _) = outcome(&client.ask(&two).await);
    assert_eq!((code, header.accepted), (Some(ResultCode::BAD_REQUEST), false));
    let (_, code, result) = outcome(&client.ask(&write(b"add 0")).await);
    assert_eq!((code, result.as_str()), (Some(ResultCode::OK), "7"));
    cluster.shutdown().await;
}
