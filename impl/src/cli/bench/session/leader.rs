//! Which endpoints of an etcd target take the requests: a comparison is fair only if both targets are asked at their leaders.

use std::time::Duration;

use roadstead_proto::etcdserverpb::{StatusRequest, StatusResponse, maintenance_client::MaintenanceClient};
use tokio::time::timeout;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use crate::config::HostPort;

use super::{
    super::{super::failure::Failure, options::EndpointMode, workload::Workload},
    etcd::{GROUP, connect},
};

/// Who takes which group's requests.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    /// Endpoints that take requests, each once.
    pub(super) used: Vec<HostPort>,
    /// By group, in their order: places in `used`, and the metadata that names the group.
    pub(super) groups: Vec<(Vec<usize>, Option<MetadataValue<Ascii>>)>,
    /// What the first endpoint that answers says it is.
    pub(super) version: String,
}

impl Leaders {
    /// Asks the endpoints for their status, for each group if that decides where its requests go.
    pub(super) async fn find(endpoints: &[HostPort], workload: &Workload, patience: Duration) -> Result<Self, Failure> {
        let mut nodes = Vec::new();
        let mut reasons = Vec::new();
        for endpoint in endpoints {
            match connect(endpoint, patience).await {
                Ok(channel) => nodes.push(Node { endpoint, maintenance: MaintenanceClient::new(channel), patience }),
                Err(failure) => reasons.push(failure),
            }
        }
        if nodes.is_empty() {
            return Err(reasons.into_iter().next().unwrap_or_else(|| Failure::Usage("the target has no endpoints".to_owned())));
        }
        let mode = workload.endpoint_mode.unwrap_or(EndpointMode::Leader);
        let mut leaders = Self::default();
        for number in 0..workload.groups {
            let group = workload.group.map(|first| MetadataValue::from(i64::from(first) + i64::from(number)));
            if number == 0 || mode == EndpointMode::Leader {
                let statuses = statuses(&mut nodes, group.as_ref()).await;
                leaders.add(mode, endpoints, &nodes, statuses)?;
            } else {
                let places = leaders.groups.first().map(|(places, _)| places.clone()).unwrap_or_default();
                leaders.groups.push((places, None));
            }
            if let Some((_, named)) = leaders.groups.last_mut() {
                *named = group;
            }
        }
        Ok(leaders)
    }

    fn add(
        &mut self,
        mode: EndpointMode,
        endpoints: &[HostPort],
        nodes: &[Node<'_>],
        statuses: Vec<Result<StatusResponse, String>>,
    ) -> Result<(), Failure> {
        if self.version.is_empty() {
            self.version =
                statuses.iter().flatten().map(|status| status.version.clone()).next().unwrap_or_else(|| "of unknown version".to_owned());
        }
        let places = match mode {
            EndpointMode::All => endpoints.iter().map(|endpoint| self.place(endpoint)).collect(),
            EndpointMode::First => endpoints.first().into_iter().map(|endpoint| self.place(endpoint)).collect(),
            EndpointMode::Leader => {
                let leads =
                    |status: &StatusResponse| status.leader != 0 && status.header.as_ref().is_some_and(|it| it.member_id == status.leader);
                let found = nodes.iter().zip(&statuses).find(|(_, status)| status.as_ref().is_ok_and(leads));
                let Some((leader, _)) = found else {
                    let reasons: Vec<&str> = statuses.iter().filter_map(|status| status.as_ref().err()).map(String::as_str).collect();
                    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
                    return Err(Failure::unavailable(
                        format!("none of the endpoints leads{reasons}"),
                        "name all members of the cluster, wait for an election, or ask wherever you like with --endpoint-mode all",
                    ));
                };
                vec![self.place(leader.endpoint)]
            }
        };
        self.groups.push((places, None));
        Ok(())
    }

    fn place(&mut self, endpoint: &HostPort) -> usize {
        self.used.iter().position(|used| used == endpoint).unwrap_or_else(|| {
            self.used.push(endpoint.clone());
            self.used.len() - 1
        })
    }
}

struct Node<'a> {
    endpoint: &'a HostPort,
    maintenance: MaintenanceClient<Channel>,
    patience: Duration,
}

async fn statuses(nodes: &mut [Node<'_>], group: Option<&MetadataValue<Ascii>>) -> Vec<Result<StatusResponse, String>> {
    let mut statuses = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut request = tonic::Request::new(StatusRequest {});
        if let Some(group) = group {
            request.metadata_mut().insert(GROUP, group.clone());
        }
        let answer = timeout(node.patience, node.maintenance.status(request)).await;
        statuses.push(match answer {
            Ok(Ok(status)) => Ok(status.into_inner()),
            Ok(Err(status)) => Err(format!("{}: {}", node.endpoint, status.message())),
            Err(_) => Err(format!("{}: no answer within {:?}", node.endpoint, node.patience)),
        });
    }
    statuses
}
