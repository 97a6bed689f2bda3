//! A native client and a server that speaks nothing but version 0, as NuRaft does: made of the frames that a real one sent.

#[path = "../../spec/tests/nuraft_frames/mod.rs"]
mod nuraft_frames;
mod port_support;

use nuraft_frames::captured;
use port_support::{CLUSTER, Node, options, run};
use roadstead::client::{Client, ClientOptions, Consistency, Outcome, Rejected, Unknown};
use roadstead::port::PortEvent;
use roadstead_spec::wire::legacy::ResultCode;
use roadstead_spec::wire::legacy::translate::Answer;
use roadstead_spec::wire::negotiation::Policy;
use roadstead_spec::wire::{Header, Limits, MessageType, Version, next_frame};
use roadstead_spec::{GroupId, Index, NodeId, Term};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the old server was asked, type by type.
type Heard = Rc<RefCell<Vec<MessageType>>>;

/// A server of version 0: answers pings as NuRaft does, and the n-th client request (from 0) by `script`; `None` closes the connection.
async fn old_server(script: impl Fn(usize) -> Option<Vec<u8>> + Clone + 'static) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Heard::default());
    let noted = Rc::clone(&heard);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(serve(stream, script.clone(), Rc::clone(&noted)));
        }
    });
    (address, heard)
}

async fn serve(mut stream: TcpStream, script: impl Fn(usize) -> Option<Vec<u8>>, heard: Heard) {
    let mut buffer = Vec::new();
    loop {
        while let Some(span) = next_frame(Version::Legacy, &buffer, &Limits::default()).expect("version 0 and nothing else") {
            let Header::LegacyRequest(header) = span.header else { panic!("clients ask") };
            let requests = heard.borrow().iter().filter(|asked| **asked == MessageType::ClientRequest).count();
            heard.borrow_mut().push(header.message_type);
            let answer = match header.message_type {
                MessageType::Ping => Some(captured(68)),
                MessageType::ClientRequest => {
                    assert_eq!(&buffer[..42], &captured(9)[..42], "a client's header is the one that NuRaft's own library sends");
                    script(requests)
                }
                other => panic!("a client does not send {other}"),
            };
            let Some(answer) = answer else { return };
            buffer.drain(..span.len());
            stream.write_all(&answer).await.unwrap();
        }
        if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

fn client(addresses: &[SocketAddr]) -> Client {
    Client::new(ClientOptions::of(addresses.iter().map(ToString::to_string)))
}

fn said(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::new();
    answer.encode(NodeId(1), Term(1), &mut out).unwrap();
    out
}

#[test]
fn new_client_to_old_server_falls_back() {
    run(async {
        let (address, heard) = old_server(|_| Some(captured(10))).await;
        let client = client(&[address]);
        let zero = client.group(GroupId::DEFAULT);
        let result = 7_u64.to_le_bytes();
        for _ in 0..3 {
            // Frame 10: entry 7 of term 1 is committed, and the state machine said 7.
            let Outcome::Committed { index: Index(7), term: Term(1), answer } = zero.write("a write").await else { panic!("committed") };
            assert_eq!(&answer[..], &result);
        }
        let asked = heard.borrow().clone();
        assert_eq!(asked[0], MessageType::Ping, "the offer, which an old server takes for a ping");
        assert_eq!(asked[1..], [MessageType::ClientRequest; 3], "one connection, in version 0 from then on");

        // Everything else is refused with its own error, without a byte to the server.
        let query = zero.query("a query", Consistency::Linearizable).await;
        let Err(Rejected::PeerIsLegacy { group: GroupId::DEFAULT, why }) = query else { panic!("{query:?}") };
        assert!(why.contains("node 1 speaks the legacy header") && why.contains("no queries"), "{why}");
        let other = client.group(GroupId::new(7).unwrap()).write("a write").await;
        let Outcome::Rejected { reason: Rejected::PeerIsLegacy { why, .. } } = other else { panic!("{other:?}") };
        assert!(why.contains("no other group"), "{why}");
        assert_eq!(heard.borrow().len(), 4);

        // A client that means one cluster cannot be sure of a server that names none.
        let options =
            ClientOptions { cluster: CLUSTER, timeout: std::time::Duration::from_millis(50), ..ClientOptions::of([address.to_string()]) };
        let outcome = Client::new(options).group(GroupId::DEFAULT).write("a write").await;
        assert!(
            matches!(&outcome, Outcome::Rejected { reason: Rejected::TimedOut { last, .. } } if last.contains("legacy")),
            "{outcome:?}"
        );
    });
}

/// Requests are pipelined; each gets the answer in its place, also when the one before it was given up.
#[test]
fn an_old_servers_answers_belong_to_the_requests_in_their_order() {
    run(async {
        let committed = |number: usize| {
            let entry = roadstead_spec::EntryId { term: Term(1), index: Index(number as u64) };
            said(&Answer::committed(Some(NodeId(1)), entry, number.to_string().as_bytes()))
        };
        let (address, _) = old_server(move |number| Some(committed(number))).await;
        let zero = client(&[address]).group(GroupId::DEFAULT);
        assert!(matches!(zero.write("first").await, Outcome::Committed { .. }), "the connection stands");
        let given_up = zero.clone();
        let forgotten = tokio::task::spawn_local(async move { given_up.write("forgotten").await });
        tokio::task::yield_now().await;
        forgotten.abort();
        let writes: Vec<_> = (0..20)
            .map(|_| {
                let zero = zero.clone();
                tokio::task::spawn_local(async move { zero.write("next").await })
            })
            .collect();
        let mut seen = Vec::new();
        for write in writes {
            let Outcome::Committed { index, answer, .. } = write.await.unwrap() else { panic!("committed") };
            assert_eq!(answer, index.0.to_string(), "an answer is whole");
            seen.push(index.0);
        }
        let first = seen[0];
        assert!(seen.iter().copied().eq(first..first + 20), "in the order of the requests: {seen:?}");
    });
}

#[test]
fn an_old_servers_result_codes_are_understood() {
    run(async {
        let leads = old_server(|_| Some(captured(10))).await.0;
        let follows = || said(&Answer::refused(Some(NodeId(1)), ResultCode::NOT_LEADER));
        let elsewhere = old_server(move |_| Some(follows())).await.0;
        let outcome = client(&[elsewhere, leads]).group(GroupId::DEFAULT).write("a write").await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "the next server is asked: {outcome:?}");

        let open = said(&Answer::unknown(Some(NodeId(1))));
        let (address, heard) = old_server(move |_| Some(open.clone())).await;
        let outcome = client(&[address]).group(GroupId::DEFAULT).write("a write").await;
        assert!(matches!(&outcome, Outcome::Unknown { why: Unknown::Node(why) } if why.contains("-2")), "{outcome:?}");
        assert_eq!(heard.borrow().len(), 2, "what may have happened is not sent again");

        let bad = said(&Answer::refused(None, ResultCode::BAD_REQUEST));
        let address = old_server(move |_| Some(bad.clone())).await.0;
        let outcome = client(&[address]).group(GroupId::DEFAULT).write("a write").await;
        assert!(matches!(outcome, Outcome::Rejected { reason: Rejected::Malformed { .. } }), "{outcome:?}");

        let address = old_server(|_| None).await.0;
        let outcome = client(&[address]).group(GroupId::DEFAULT).write("a write").await;
        assert!(matches!(outcome, Outcome::Unknown { why: Unknown::ConnectionLost(_) }), "{outcome:?}");

        let wrong = captured(68);
        let address = old_server(move |_| Some(wrong.clone())).await.0;
        let outcome = client(&[address]).group(GroupId::DEFAULT).write("a write").await;
        assert!(matches!(outcome, Outcome::Unknown { why: Unknown::ConnectionLost(_) }), "a pong is no answer to a write: {outcome:?}");
    });
}

/// `header` is a policy between nodes: a node of this release gives clients version 1 under every one.
#[test]
fn new_client_to_new_server_under_legacy_does_not_fall_back() {
    run(async {
        let mut options = options(1);
        options.local.policy = Policy::Legacy;
        let mut node = Node::start(options);
        let zero = client(&[node.address()]).group(GroupId::DEFAULT);
        let asked = tokio::task::spawn_local(async move { zero.query("a query", Consistency::Stale).await });
        loop {
            if let PortEvent::ClientFrames { frames, .. } = node.next().await {
                break assert!(matches!(frames[0].header, Header::Extended(_)));
            }
        }
        asked.abort();
    });
}
