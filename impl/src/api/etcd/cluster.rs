//! The part of the service `Cluster` that asks who is there. Nodes are changed in the configuration.

use super::{Etcd, asked::Asked};
use roadstead_proto::etcdserverpb::{self as pb, cluster_server};
use tonic::{Response, Status, async_trait};

#[async_trait]
impl cluster_server::Cluster for Etcd {
    /// The nodes of the configuration. Peers and clients share a port, so both lists of a member name the same one.
    async fn member_list(&self, request: tonic::Request<pb::MemberListRequest>) -> Result<Response<pb::MemberListResponse>, Status> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let term = match self.0.group_without_keys(asked) {
            Ok(group) => self.0.status(group).await?.epoch,
            Err(_) => 0,
        };
        let status = self.0.handle.status().await.ok_or_else(super::error::stopped)?;
        let nodes = status.peers.iter().map(|peer| (peer.id, peer.addr.as_str())).chain([(status.node, status.listen.as_str())]);
        let mut members: Vec<pb::Member> = nodes.map(|(id, address)| member(id, address)).collect();
        members.sort_by_key(|member| member.id);
        Ok(Response::new(pb::MemberListResponse { header: self.0.answerer(term).header(0), members }))
    }
}

/// A node that listens on all addresses of its machine knows none that others could use, so it names none. Clients' addresses come without `http://`, which
/// clients need not see: etcdctl 3.4 puts what it got into the request's authority as it is, and HTTP/2 servers refuse a scheme there.
fn member(id: u32, address: &str) -> pb::Member {
    let unspecified = address.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_unspecified());
    let known: Vec<&str> = (!unspecified).then_some(address).into_iter().collect();
    pb::Member {
        id: id.into(),
        name: format!("node-{id}"),
        peer_ur_ls: known.iter().map(|address| format!("http://{address}")).collect(),
        client_ur_ls: known.iter().map(|address| (*address).to_owned()).collect(),
        is_learner: false,
    }
}
