//! The two servers, and one request to either.

use crate::{free_port::free_address, language::Sent};
use roadstead_proto::{
    etcdserverpb::{self as pb, kv_client::KvClient, maintenance_client::MaintenanceClient, response_op},
    mvccpb,
};
use std::{
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tonic::{Status, transport::Channel};

/// A real etcd with an empty data folder, ended by its own process id when dropped.
pub(crate) struct Etcd {
    process: Child,
    _folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Etcd {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let [client, peer] = [free_address(), free_address()];
        let url = |address: SocketAddr| format!("http://{address}");
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(folder.path()).args(["--logger", "zap", "--log-level", "error"]);
        command.args(["--listen-client-urls", &url(client), "--advertise-client-urls", &url(client)]);
        command.args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)]);
        command.args(["--initial-cluster", &format!("default={}", url(peer))]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|error| {
            panic!(
                "this test compares with a real etcd and cannot start one ({error}); install it: apt-get install etcd-server etcd-client"
            )
        });
        let mut etcd = Self { process, _folder: folder, address: client };
        etcd.wait();
        etcd
    }

    /// Until its port accepts.
    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(self.process.try_wait().unwrap().is_none(), "etcd ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "etcd does not accept connections");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended already
        let _ = self.process.wait();
    }
}

/// A client of one of them.
pub(crate) struct Server {
    client: KvClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
}

impl Server {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let maintenance = MaintenanceClient::new(channel.clone());
        Self { client: KvClient::new(channel).max_decoding_message_size(usize::MAX), maintenance }
    }

    /// Deletes everything; the scripts' revision 1 is the revision after that. Returns how far the server's revisions are ahead.
    pub(crate) async fn empty(&mut self) -> i64 {
        let all = pb::DeleteRangeRequest { key: vec![0].into(), range_end: vec![0].into(), prev_kv: false };
        let answer = self.client.delete_range(all).await.unwrap().into_inner();
        answer.header.unwrap().revision - 1
    }

    /// Sends a request. The answer is a text in which only what must be the same is left.
    pub(crate) async fn ask(&mut self, request: Sent, shift: i64) -> String {
        let answer = match request {
            Sent::Range(request) => self.client.range(request).await.map(|answer| format!("{:?}", range(answer.into_inner(), shift))),
            Sent::Put(request) => self.client.put(request).await.map(|answer| format!("{:?}", put(answer.into_inner(), shift))),
            Sent::DeleteRange(request) => {
                self.client.delete_range(request).await.map(|answer| format!("{:?}", delete_range(answer.into_inner(), shift)))
            }
            Sent::Txn(request) => self.client.txn(request).await.map(|answer| format!("{:?}", txn(answer.into_inner(), shift))),
            Sent::Compact(request) => self.client.compact(request).await.map(|answer| {
                let pb::CompactionResponse { header } = answer.into_inner();
                format!("{:?}", pb::CompactionResponse { header: self::header(header, shift) })
            }),
            Sent::HashKv(request) => {
                self.maintenance.hash_kv(request).await.map(|answer| format!("{:?}", hash(answer.into_inner(), shift)))
            }
        };
        answer.unwrap_or_else(|status| refused(&status))
    }
}

fn refused(status: &Status) -> String {
    format!("! {:?} {}", status.code(), status.message())
}

/// What is hashed are stored bytes, which differ, and etcd 3.4 does not tell the revision.
fn hash(answer: pb::HashKvResponse, shift: i64) -> pb::HashKvResponse {
    let compact_revision = revision(answer.compact_revision, shift);
    pb::HashKvResponse { header: header(answer.header, shift), compact_revision, hash: u32::from(answer.hash != 0), hash_revision: 0 }
}

/// Revisions as the script counts them; ids and terms out, but whether there are any.
fn header(header: Option<pb::ResponseHeader>, shift: i64) -> Option<pb::ResponseHeader> {
    header.map(|header| pb::ResponseHeader {
        cluster_id: u64::from(header.cluster_id != 0),
        member_id: u64::from(header.member_id != 0),
        revision: revision(header.revision, shift),
        raft_term: u64::from(header.raft_term != 0),
    })
}

fn revision(revision: i64, shift: i64) -> i64 {
    if revision > 0 { revision - shift } else { revision }
}

fn key_value(kv: mvccpb::KeyValue, shift: i64) -> mvccpb::KeyValue {
    mvccpb::KeyValue { create_revision: revision(kv.create_revision, shift), mod_revision: revision(kv.mod_revision, shift), ..kv }
}

fn key_values(kvs: Vec<mvccpb::KeyValue>, shift: i64) -> Vec<mvccpb::KeyValue> {
    kvs.into_iter().map(|kv| key_value(kv, shift)).collect()
}

fn range(answer: pb::RangeResponse, shift: i64) -> pb::RangeResponse {
    pb::RangeResponse { header: header(answer.header, shift), kvs: key_values(answer.kvs, shift), ..answer }
}

fn put(answer: pb::PutResponse, shift: i64) -> pb::PutResponse {
    pb::PutResponse { header: header(answer.header, shift), prev_kv: answer.prev_kv.map(|kv| key_value(kv, shift)) }
}

fn delete_range(answer: pb::DeleteRangeResponse, shift: i64) -> pb::DeleteRangeResponse {
    let prev_kvs = key_values(answer.prev_kvs, shift);
    pb::DeleteRangeResponse { header: header(answer.header, shift), deleted: answer.deleted, prev_kvs }
}

fn txn(answer: pb::TxnResponse, shift: i64) -> pb::TxnResponse {
    let operation = |op: pb::ResponseOp| {
        use response_op::Response;
        let response = op.response.map(|response| match response {
            Response::ResponseRange(answer) => Response::ResponseRange(range(answer, shift)),
            Response::ResponsePut(answer) => Response::ResponsePut(put(answer, shift)),
            Response::ResponseDeleteRange(answer) => Response::ResponseDeleteRange(delete_range(answer, shift)),
            Response::ResponseTxn(answer) => Response::ResponseTxn(txn(answer, shift)),
        });
        pb::ResponseOp { response }
    };
    let responses = answer.responses.into_iter().map(operation).collect();
    pb::TxnResponse { header: header(answer.header, shift), succeeded: answer.succeeded, responses }
}
