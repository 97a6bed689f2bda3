//! The native client against ports that answer by script: what it retries, what it follows, and what it says when nobody can know.

mod free_port;
mod port_support;

use bytes::Bytes;
use port_support::{CLUSTER, Hand, Node, local, options, run};
use roadstead::client::{Client, ClientOptions, Consistency, GroupClient, KvClient, KvFailure, Outcome, Rejected, Unknown};
use roadstead::port::{ConnId, Frame, Port, PortEvent};
use roadstead_spec::wire::body::{ClientRequest, ClientResponse, LeaderHint, Operation, Rejection};
use roadstead_spec::wire::negotiation::Policy;
use roadstead_spec::wire::{ClusterId, Header, Limits};
use roadstead_spec::{GroupId, Index, NodeId, Term};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What a scripted node does with a request.
enum Act {
    Answer(Said),
    /// Closes the connection without an answer.
    HangUp,
    /// Never answers.
    Silence,
}

/// A [`ClientResponse`] that owns its text.
enum Said {
    /// Carried out; the answer is the request's own bytes.
    Done,
    NotLeader(Option<(u32, String)>),
    Rejected(Rejection<'static>),
    Unknown,
}

/// Everything that a scripted node was asked, in order: whether it was a write, and the bytes.
type Heard = Rc<RefCell<Vec<(bool, Bytes)>>>;

/// A node that answers by `script`, which gets the number of the request (from 0).
struct Scripted {
    address: SocketAddr,
    heard: Heard,
    port: Port,
}

fn scripted(id: u32, mut script: impl FnMut(usize) -> Act + 'static) -> Scripted {
    let mut node = Node::start(options(id));
    let (address, port, heard) = (node.address(), node.port.clone(), Heard::default());
    let noted = Rc::clone(&heard);
    tokio::task::spawn_local(async move {
        while let Some(event) = node.events.recv().await {
            let PortEvent::ClientFrames { conn, frames } = event else { continue };
            for frame in &frames {
                let number = noted.borrow().len();
                noted.borrow_mut().push(read(frame));
                match script(number) {
                    Act::Answer(said) => answer(&node.port, id, conn, frame, &said),
                    Act::HangUp => {
                        node.port.shutdown(Duration::ZERO).await;
                        return;
                    }
                    Act::Silence => {}
                }
            }
        }
    });
    Scripted { address, heard, port }
}

fn parts(frame: &Frame) -> (roadstead_spec::wire::ExtendedHeader, ClientRequest<'_>) {
    let Header::Extended(header) = frame.header else { panic!("clients speak version 1") };
    (header, ClientRequest::decode(&header, &frame.body).expect("a request"))
}

fn read(frame: &Frame) -> (bool, Bytes) {
    match parts(frame).1.operation {
        Operation::Write(bytes) => (true, Bytes::copy_from_slice(bytes)),
        Operation::Query { bytes, .. } => (false, Bytes::copy_from_slice(bytes)),
    }
}

fn answer(port: &Port, id: u32, conn: ConnId, frame: &Frame, said: &Said) {
    let (header, request) = parts(frame);
    let response = match (said, request.operation) {
        (Said::Done, Operation::Write(bytes)) => ClientResponse::Committed { index: Index(5), term: Term(2), bytes },
        (Said::Done, Operation::Query { bytes, .. }) => ClientResponse::QueryResult { applied: Index(5), bytes },
        (Said::NotLeader(leader), _) => {
            let leader = leader.as_ref().map(|(node, address)| LeaderHint { node: NodeId(*node), address });
            ClientResponse::Rejected(Rejection::NotLeader { leader })
        }
        (Said::Rejected(rejection), _) => ClientResponse::Rejected(*rejection),
        (Said::Unknown, _) => ClientResponse::Unknown { why: "it lost its leadership" },
    };
    let mut out = Vec::new();
    response.encode(NodeId(id), header.group, header.index, &mut out).expect("a frame");
    port.send_client(conn, out.into(), 1).expect("the client is there");
}

fn client(addresses: &[SocketAddr]) -> GroupClient {
    let options = ClientOptions { cluster: CLUSTER, ..ClientOptions::of(addresses.iter().map(ToString::to_string)) };
    Client::new(options).group(GroupId::DEFAULT)
}

fn committed(outcome: Outcome) -> Bytes {
    match outcome {
        Outcome::Committed { index: Index(5), term: Term(2), answer } => answer,
        other => panic!("{other:?}"),
    }
}

fn nobody() -> SocketAddr {
    free_port::free_address()
}

#[test]
fn writes_and_queries_get_their_own_answers() {
    run(async {
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let group = client(&[node.address]);
        assert_eq!(committed(group.write("a write").await), "a write");
        for consistency in [Consistency::Linearizable, Consistency::Stale] {
            let answer = group.query("a query", consistency).await.expect("an answer");
            assert_eq!((answer.applied, answer.bytes.as_ref()), (Index(5), &b"a query"[..]));
        }
    });
}

/// Many at once: each gets its own answer although they come in another order, and they leave in few writes.
#[test]
fn requests_of_one_turn_leave_together_and_answers_come_in_any_order() {
    const REQUESTS: usize = 500;
    run(async {
        let mut node = Node::start(options(1));
        let group = client(&[node.address()]);
        let asked: Vec<_> = (0..REQUESTS)
            .map(|number| {
                let group = group.clone();
                tokio::spawn(async move { (number, committed(group.write(number.to_string()).await)) })
            })
            .collect();
        let (mut reads, mut requests) = (0, Vec::new());
        while requests.len() < REQUESTS {
            let (conn, frames) = node.client_frames().await;
            reads += 1;
            requests.extend(frames.into_iter().map(|frame| (conn, frame)));
        }
        assert!(reads <= 10, "{REQUESTS} requests came in {reads} reads");
        for (conn, frame) in requests.iter().rev() {
            answer(&node.port, 1, *conn, frame, &Said::Done);
        }
        for task in asked {
            let (number, answer) = task.await.expect("it ends");
            assert_eq!(answer, number.to_string());
        }
        assert_eq!(node.port.status().connections.clients, 1, "one connection carries all");
    });
}

/// A node names the leader: the client goes there at once, also to an address that it was never told of, and stays there.
#[test]
fn the_client_follows_the_leader() {
    run(async {
        let leader = scripted(2, |_| Act::Answer(Said::Done));
        let address = leader.address.to_string();
        let follower = scripted(1, move |_| Act::Answer(Said::NotLeader(Some((2, address.clone())))));
        let group = client(&[follower.address]);
        for _ in 0..3 {
            assert_eq!(committed(group.write("w").await), "w");
        }
        assert_eq!((follower.heard.borrow().len(), leader.heard.borrow().len()), (1, 3));
    });
}

/// Two nodes that name each other as the leader until the second is asked for the `patience`th time.
fn undecided(patience: usize) -> (Scripted, Scripted) {
    let seats: Rc<RefCell<Vec<String>>> = Rc::default();
    let of = |id: u32, other: u32| {
        let seats = Rc::clone(&seats);
        scripted(id, move |number| match seats.borrow().get(other as usize - 1) {
            _ if id == 2 && number + 1 == patience => Act::Answer(Said::Done),
            address => Act::Answer(Said::NotLeader(address.map(|address| (other, address.clone())))),
        })
    };
    let (one, two) = (of(1, 2), of(2, 1));
    seats.borrow_mut().extend([one.address.to_string(), two.address.to_string()]);
    (one, two)
}

/// Nodes that name each other, as in an election: the client goes on until one of them leads.
#[test]
fn nodes_that_name_each_other_are_given_time() {
    run(async {
        let (one, two) = undecided(4);
        assert_eq!(committed(client(&[one.address, two.address]).write("w").await), "w");
        assert_eq!(two.heard.borrow().len(), 4);
    });
}

/// And it does not run back and forth between them: the waits double.
#[test]
fn nodes_that_name_each_other_are_not_hammered() {
    run(async {
        let (one, two) = undecided(usize::MAX);
        let group = client(&[one.address, two.address]).with_timeout(Duration::from_millis(100));
        assert!(matches!(group.write("w").await, Outcome::Rejected { reason: Rejected::TimedOut { .. } }));
        // 1 ms, 2 ms, 4 ms, … at least: a hundred are over before the twelfth.
        let asked = one.heard.borrow().len() + two.heard.borrow().len();
        assert!((2..12).contains(&asked), "asked {asked} times");
    });
}

/// What certainly did not happen is tried again, inside the deadline: the same node when it is busy, another one otherwise.
#[test]
fn certain_refusals_are_retried() {
    let refusals = [
        Rejection::Busy,
        Rejection::NoLeader,
        Rejection::NotLeader { leader: None },
        Rejection::ShuttingDown,
        Rejection::GroupFailed("disk"),
    ];
    for refusal in refusals {
        run(async move {
            let refused_twice = move |number| Act::Answer(if number < 2 { Said::Rejected(refusal) } else { Said::Done });
            let (one, two) = (scripted(1, refused_twice), scripted(2, refused_twice));
            assert_eq!(committed(client(&[one.address, two.address]).write("w").await), "w");
            let asked = (one.heard.borrow().len(), two.heard.borrow().len());
            let expected = if refusal == Rejection::Busy { (3, 0) } else { (3, 2) };
            assert_eq!(asked, expected, "{refusal:?}");
        });
    }
}

/// Refusals that another attempt would not change end the request at once.
#[test]
fn final_refusals_end_the_request() {
    let group = GroupId::DEFAULT;
    let cases = [
        (Rejection::TooLarge { limit: 9 }, Rejected::TooLarge { group, limit: 9 }),
        (Rejection::Malformed("no"), Rejected::Malformed { group, why: "no".to_owned() }),
        (Rejection::DeadlineExceeded, Rejected::DeadlineExceeded { group }),
        (Rejection::NoSpace { node: NodeId(3) }, Rejected::NoSpace { group, node: NodeId(3) }),
    ];
    for (rejection, reason) in cases {
        run(async move {
            let node = scripted(1, move |_| Act::Answer(Said::Rejected(rejection)));
            assert_eq!(client(&[node.address]).write("w").await, Outcome::Rejected { reason });
            assert_eq!(node.heard.borrow().len(), 1);
        });
    }
}

/// A group that no node has is an error; one that some node has is found.
#[test]
fn a_group_is_looked_for_on_all_nodes() {
    run(async {
        let missing = || |_| Act::Answer(Said::Rejected(Rejection::NoSuchGroup));
        let (one, two) = (scripted(1, missing()), scripted(2, missing()));
        let reason = Rejected::NoSuchGroup { group: GroupId::DEFAULT };
        assert_eq!(client(&[one.address, two.address]).write("w").await, Outcome::Rejected { reason });
        let three = scripted(3, |_| Act::Answer(Said::Done));
        assert_eq!(committed(client(&[one.address, two.address, three.address]).write("w").await), "w");
    });
}

/// The connection ends after a write has left: nobody knows, and the client does not send it a second time. A query it asks again.
#[test]
fn a_lost_connection_makes_a_write_unknown_and_a_query_another_attempt() {
    run(async {
        for write in [true, false] {
            let (one, two) = (scripted(1, |_| Act::HangUp), scripted(2, |_| Act::Answer(Said::Done)));
            let group = client(&[one.address, two.address]);
            if write {
                assert!(matches!(group.write("w").await, Outcome::Unknown { why: Unknown::ConnectionLost(_) }));
            } else {
                assert_eq!(group.query("q", Consistency::Linearizable).await.expect("an answer").bytes, "q");
            }
            assert_eq!((one.heard.borrow().len(), two.heard.borrow().len()), (1, usize::from(!write)));
        }
    });
}

/// A node dies in the middle of many writes: those of which a byte left are unknown, the others go to another node, and no write is on both.
#[test]
fn what_never_left_is_sent_elsewhere_and_nothing_is_sent_twice() {
    const WRITES: usize = 40;
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let two = scripted(2, |_| Act::Answer(Said::Done));
        let group = client(&[listener.local_addr().expect("its address"), two.address]);
        let writes: Vec<_> = (0..WRITES)
            .map(|number| {
                let group = group.clone();
                tokio::spawn(async move { group.write(vec![number as u8; 1 << 20]).await })
            })
            .collect();
        let mut dying = Hand::accept(&listener, local(1)).await;
        let mut read_by_dying: Vec<u8> = Vec::new();
        for _ in 0..3 {
            read_by_dying.push(read(&dying.frame().await).1[0]);
        }
        drop((dying, listener));
        let (mut unknown, mut done) = (Vec::new(), Vec::new());
        for (number, write) in writes.into_iter().enumerate() {
            match write.await.expect("it ends") {
                Outcome::Unknown { why: Unknown::ConnectionLost(_) } => unknown.push(number as u8),
                Outcome::Committed { .. } => done.push(number as u8),
                other => panic!("{other:?}"),
            }
        }
        let mut heard: Vec<u8> = two.heard.borrow().iter().map(|(_, bytes)| bytes[0]).collect();
        heard.sort_unstable();
        assert_eq!(heard, done, "exactly what was committed reached the other node");
        assert!(read_by_dying.iter().all(|number| unknown.contains(number)), "{read_by_dying:?} were read, {unknown:?} are unknown");
        assert!(!done.is_empty(), "a socket holds fewer than {WRITES} MiB");
    });
}

#[test]
fn a_node_that_does_not_know_is_believed() {
    run(async {
        let (one, two) = (scripted(1, |_| Act::Answer(Said::Unknown)), scripted(2, |_| Act::Answer(Said::Done)));
        assert!(matches!(client(&[one.address, two.address]).write("w").await, Outcome::Unknown { why: Unknown::Node(_) }));
        assert_eq!(two.heard.borrow().len(), 0, "a write is not sent twice");
        let group = client(&[one.address, two.address]);
        assert_eq!(group.query("q", Consistency::Linearizable).await.expect("an answer").bytes, "q");
    });
}

/// No answer in time: unknown for a write, an error for a query; a late answer disturbs nobody.
#[test]
fn silence_ends_at_the_deadline() {
    run(async {
        let node = scripted(1, |number| if number < 2 { Act::Silence } else { Act::Answer(Said::Done) });
        let group = client(&[node.address]);
        let hasty = group.clone().with_timeout(Duration::from_millis(30));
        assert_eq!(hasty.write("w").await, Outcome::Unknown { why: Unknown::TimedOut });
        assert!(matches!(hasty.query("q", Consistency::Stale).await, Err(Rejected::TimedOut { .. })));
        assert_eq!(committed(group.write("w").await), "w");
    });
}

/// Nobody listens, or nobody listens any more: nothing was sent, so the next node gets the write.
#[test]
fn unreachable_nodes_are_passed_over() {
    run(async {
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let down = nobody();
        assert_eq!(committed(client(&[down, node.address]).write("w").await), "w");
        let hasty = client(&[down]).with_timeout(Duration::from_millis(50));
        match hasty.write("w").await {
            Outcome::Rejected { reason: Rejected::TimedOut { last, .. } } => assert!(last.contains(&down.to_string()), "{last}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(client(&[]).write("w").await, Outcome::Rejected { reason: Rejected::NoEndpoints });
    });
}

/// A machine that takes the connection and says nothing: requests with less time than the attempt to connect do not all end there.
#[test]
fn a_mute_node_is_passed_over_by_the_next_request() {
    run(async {
        let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let group = client(&[mute.local_addr().expect("its address"), node.address]);
        let hasty = group.clone().with_timeout(Duration::from_millis(20));
        assert!(matches!(hasty.write("1").await, Outcome::Rejected { reason: Rejected::TimedOut { .. } }));
        assert_eq!(committed(group.write("2").await), "2");
        assert_eq!(node.heard.borrow().len(), 1);
    });
}

/// The node is restarted on its address: the next request makes a new connection.
#[test]
fn a_restarted_node_is_found_again() {
    run(async {
        let first = scripted(1, |_| Act::Answer(Said::Done));
        let group = client(&[first.address]);
        assert_eq!(committed(group.write("1").await), "1");
        first.port.shutdown(Duration::from_secs(10)).await;
        let mut again = Node::start(roadstead::port::PortOptions { listen: first.address, ..options(1) });
        let asking = tokio::spawn(async move { group.query("2", Consistency::Stale).await });
        let (conn, frames) = again.client_frames().await;
        answer(&again.port, 1, conn, &frames[0], &Said::Done);
        assert_eq!(asking.await.expect("it ends").expect("an answer").bytes, "2");
    });
}

/// A client needs the extended header; a node that cannot, and a node of another cluster, are named as what they are.
#[test]
fn nodes_that_do_not_fit_are_refused_with_the_reason() {
    run(async {
        let reason_of = async |address: SocketAddr, cluster| {
            let options = ClientOptions { cluster, timeout: Duration::from_millis(50), ..ClientOptions::of([address.to_string()]) };
            match Client::new(options).group(GroupId::DEFAULT).write("w").await {
                Outcome::Rejected { reason: Rejected::TimedOut { last, .. } } => last,
                other => panic!("{other:?}"),
            }
        };
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let reason = reason_of(node.address, ClusterId(0xBAD)).await;
        assert!(reason.contains("cluster"), "{reason}");
        let reason = reason_of(nuraft().await, CLUSTER).await;
        assert!(reason.contains("legacy header"), "{reason}");
        // The policy of a node is one between nodes: clients get the extended header all the same.
        let mut node_options = options(2);
        node_options.local = roadstead_spec::wire::negotiation::Local { policy: Policy::Legacy, ..local(2) };
        let legacy_between_nodes = Node::start(node_options);
        let _client = Hand::client(legacy_between_nodes.address()).await;
    });
}

/// A server that answers a ping as NuRaft does: with a plain 39-byte answer.
async fn nuraft() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut hand = Hand::of(stream);
            let mut ping = [0; 54];
            let _ = tokio::io::AsyncReadExt::read_exact(&mut hand.stream, &mut ping).await;
            let header = roadstead_spec::wire::LegacyResponse {
                message_type: roadstead_spec::wire::MessageType::PingResponse,
                src: 1,
                dst: 0,
                term: 1,
                next_index: 0,
                accepted: false,
                flags: 0,
            };
            let mut out = Vec::new();
            header.encode(&mut out, |_| Ok::<_, roadstead_spec::wire::WireError>(())).expect("a frame");
            hand.send(&out).await;
            hand.end().await;
        }
    });
    address
}

/// Requests under way are bounded: further ones wait in the client, within their own time, and are certain not to have happened.
#[test]
fn requests_under_way_are_bounded() {
    run(async {
        let node = scripted(1, |_| Act::Silence);
        let options = ClientOptions { inflight_bytes_max: 3 << 10, ..ClientOptions::of([node.address.to_string()]) };
        let group = Client::new(options).group(GroupId::DEFAULT);
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                tokio::spawn({
                    let group = group.clone();
                    async move { group.write("w").await }
                })
            })
            .collect();
        while node.heard.borrow().len() < 3 {
            tokio::task::yield_now().await;
        }
        let outcome = group.with_timeout(Duration::from_millis(20)).write("w").await;
        assert!(matches!(outcome, Outcome::Rejected { reason: Rejected::TimedOut { .. } }), "{outcome:?}");
        assert_eq!(node.heard.borrow().len(), 3);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

/// A request that no frame can hold never leaves.
#[test]
fn large_requests_come_whole() {
    run(async {
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let group = client(&[node.address]);
        let large = Bytes::from(vec![3; Limits::default().entry_bytes_max as usize]);
        assert_eq!(committed(group.write(&large).await), large);
    });
}

/// The typed key-value client: answers are decoded, and a service that speaks another language is an error, not a panic.
#[test]
fn another_service_is_not_taken_for_a_key_value_store() {
    run(async {
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let kv = KvClient::new(client(&[node.address]));
        assert_eq!(kv.get("key").await, Err(KvFailure::NotKv(GroupId::DEFAULT)));
        let put = roadstead::service::kv::PutRequest::new("key", "value");
        assert_eq!(kv.put(put).await, Err(KvFailure::NotKv(GroupId::DEFAULT)));
    });
}

/// One client on the runtimes of two threads; the connection belongs to the one that used it first.
#[test]
fn one_client_serves_several_threads() {
    const REQUESTS: usize = 100;
    async fn ask(group: GroupClient) -> usize {
        let mut right = 0;
        let ask = |number: usize| {
            let group = group.clone();
            tokio::spawn(async move { committed(group.write(number.to_string()).await) == number.to_string() })
        };
        for task in (0..REQUESTS).map(ask).collect::<Vec<_>>() {
            right += usize::from(task.await.expect("it ends"));
        }
        right
    }
    run(async {
        let node = scripted(1, |_| Act::Answer(Said::Done));
        let group = client(&[node.address]);
        assert_eq!(committed(group.write("w").await), "w");
        // The last handle takes the connection with it.
        let (elsewhere, _kept) = (group.clone(), group.clone());
        let (done, other) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            done.send(runtime.block_on(ask(elsewhere))).expect("the test listens");
        });
        assert_eq!(ask(group).await, REQUESTS);
        assert_eq!(other.await, Ok(REQUESTS));
        thread.join().expect("it ends");
        assert_eq!(node.port.status().connections.clients, 1);
    });
}
