//! The typed key-value client against the real state machine behind a port; only the consensus between them is left out.

#[expect(dead_code, reason = "the key-value service's own tests use the rest")]
mod kv_member;
mod port_support;

use kv_member::Store;
use port_support::{CLUSTER, Node, options, run};
use roadstead::GroupId;
use roadstead::client::{Client, ClientOptions, Consistency, KvClient, KvFailure};
use roadstead::port::PortEvent;
use roadstead::service::kv::{
    CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, HashKvRequest, Kv, KvError, PutRequest, RangeRequest,
    RequestOp, ResponseOp, TxnRequest,
};
use roadstead::state_machine::{Command, StateMachine};
use roadstead_spec::wire::Header;
use roadstead_spec::wire::body::{ClientRequest, ClientResponse, Operation};
use roadstead_spec::{EntryId, Index, NodeId, Term};
use std::cell::Cell;
use std::rc::Rc;

/// A client of one member, and how many commands reached it.
fn client() -> (KvClient, Rc<Cell<u64>>) {
    let mut node = Node::start(options(1));
    let address = node.address().to_string();
    let commands = Rc::new(Cell::new(0));
    let counted = Rc::clone(&commands);
    tokio::task::spawn_local(async move {
        let (mut machine, mut store) = (Kv::default(), Store::default());
        while let Some(event) = node.events.recv().await {
            let PortEvent::ClientFrames { conn, frames } = event else { continue };
            for frame in frames {
                let Header::Extended(header) = frame.header else { panic!("clients speak version 1") };
                let mut out = Vec::new();
                let mut say =
                    |response: ClientResponse<'_>| response.encode(NodeId(1), header.group, header.index, &mut out).expect("a frame");
                match ClientRequest::decode(&header, &frame.body).expect("a request").operation {
                    Operation::Write(bytes) => {
                        counted.set(counted.get() + 1);
                        let id = EntryId { term: Term(1), index: Index(counted.get()) };
                        let mut answers = Vec::new();
                        let command = Command { id, payload: frame.body.slice_ref(bytes) };
                        machine.apply(&[command], &mut store, &mut answers).expect("the store is sound");
                        say(ClientResponse::Committed { index: id.index, term: id.term, bytes: &answers[0] });
                    }
                    Operation::Query { bytes, .. } => {
                        let answer = machine.query(bytes, &store).expect("the store is sound");
                        say(ClientResponse::QueryResult { applied: Index(counted.get()), bytes: &answer });
                    }
                }
                node.port.send_client(conn, out.into(), 1).expect("the client is there");
            }
        }
    });
    let options = ClientOptions { cluster: CLUSTER, ..ClientOptions::of([address]) };
    (KvClient::new(Client::new(options).group(GroupId::DEFAULT)), commands)
}

/// Every request finds its way there and its own answer back.
#[test]
fn every_request_gets_its_own_kind_of_answer() {
    run(async {
        let (kv, commands) = client();
        let (fresh, strict) = (Consistency::Stale, Consistency::Linearizable);
        assert_eq!(kv.get("a").await, Ok(None));
        let first = kv.put(PutRequest::new("a", "1")).await.expect("a put");
        let second = kv.put(PutRequest { prev_kv: true, ..PutRequest::new("a", "2") }).await.expect("a put");
        assert_eq!(second.revision, first.revision + 1);
        assert_eq!(second.prev_kv.expect("it was there").value, "1");
        kv.put(PutRequest::new("b", "3")).await.expect("a put");
        assert_eq!(kv.get("a").await.expect("a read").expect("it is there"), "2");
        let all = kv.range(RangeRequest::prefix(""), fresh).await.expect("a read");
        assert_eq!(all.kvs.iter().map(|item| item.key.as_ref()).collect::<Vec<_>>(), [b"a", b"b"]);
        let hash = kv.hash(HashKvRequest::default(), strict).await.expect("a hash");
        assert_eq!(hash, kv.hash(HashKvRequest::default(), fresh).await.expect("a hash"));
        assert_eq!(kv.delete(DeleteRangeRequest::key("b")).await.expect("a deletion").deleted, 1);
        kv.compact(CompactRequest { revision: second.revision }).await.expect("a compaction");
        while kv.sweep().await.expect("a sweep").pending {}
        assert!(commands.get() >= 6, "changes go through the log");
    });
}

/// A transaction that changes nothing is a query: it leaves no entry in the log.
#[test]
fn only_transactions_that_change_something_are_commands() {
    run(async {
        let (kv, commands) = client();
        let compare = Compare { key: "a".into(), range_end: "".into(), result: CompareResult::Equal, target: CompareTarget::Version(0) };
        let put = RequestOp::Put(PutRequest::new("a", "1"));
        let read = RequestOp::Range(RangeRequest::key("a"));
        let create = TxnRequest { compare: vec![compare.clone()], success: vec![put], failure: Vec::new() };
        assert!(kv.txn(create.clone()).await.expect("a transaction").succeeded);
        assert!(!kv.txn(create).await.expect("a transaction").succeeded, "it exists by now");
        assert_eq!(commands.get(), 2);
        let look = TxnRequest { compare: vec![compare], success: Vec::new(), failure: vec![read] };
        match &kv.txn(look).await.expect("a transaction").responses[..] {
            [ResponseOp::Range(range)] => assert_eq!(range.kvs[0].value, "1"),
            other => panic!("{other:?}"),
        }
        assert_eq!(commands.get(), 2);
    });
}

/// What the service refuses is told apart from what did not arrive, in etcd's words.
#[test]
fn refusals_of_the_service_are_its_own() {
    run(async {
        let (kv, _) = client();
        let error = kv.put(PutRequest::new("", "1")).await.expect_err("a key is needed");
        assert_eq!(error, KvFailure::Refused(KvError::EmptyKey));
        assert_eq!(error.to_string(), "etcdserver: key is not provided");
        let future = RangeRequest { revision: 99, ..RangeRequest::key("a") };
        assert_eq!(kv.range(future, Consistency::Stale).await, Err(KvFailure::Refused(KvError::FutureRevision)));
    });
}
