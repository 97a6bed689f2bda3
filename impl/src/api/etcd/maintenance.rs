//! The part of the service `Maintenance` that etcdctl's `endpoint status`, `endpoint health`, `endpoint hashkv` and `alarm` ask.

use super::{ETCD_VERSION, Etcd, asked::Asked, error};
use crate::{
    api::types::{AlarmKind, GroupStatus},
    service::kv::{self, HashKvRequest, Request},
};
use roadstead_proto::etcdserverpb::{self as pb, maintenance_server};
use std::{fs, io, path::Path};
use tonic::{Response, Status, async_trait};

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl maintenance_server::Maintenance for Etcd {
    /// How this member stands in the default group, or in the one that the metadata names.
    async fn status(&self, request: tonic::Request<pb::StatusRequest>) -> Answer<pb::StatusResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let group = self.0.group_without_keys(asked)?;
        let status = self.0.status(group).await?;
        let (revision, _) = self.0.revision(asked, group, true).await?;
        let bytes = self.data_bytes().await;
        Ok(Response::new(pb::StatusResponse {
            header: self.0.answerer(status.epoch).header(revision),
            version: ETCD_VERSION.to_owned(),
            db_size: bytes,
            db_size_in_use: bytes,
            leader: status.leader.map_or(0, u64::from),
            raft_index: status.commit,
            raft_term: status.epoch,
            raft_applied_index: status.applied,
            errors: self.errors(&status).await,
            storage_version: String::new(),
            ..pb::StatusResponse::default()
        }))
    }

    /// Alarms come when their cause comes and go when it goes: nobody raises them, and disarming one changes nothing while its cause lasts.
    async fn alarm(&self, request: tonic::Request<pb::AlarmRequest>) -> Answer<pb::AlarmResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let request = request.into_inner();
        let group = self.0.group_without_keys(asked)?;
        if request.action() == pb::alarm_request::AlarmAction::Activate {
            return Err(Status::unimplemented("roadstead raises alarms itself, while their cause lasts"));
        }
        let (revision, from) = self.0.revision(asked, group, true).await?;
        let wanted = |kind: pb::AlarmType| request.alarm == pb::AlarmType::None as i32 || request.alarm == kind as i32;
        let mine = request.member_id == 0 || request.member_id == self.0.member_id;
        let asked_for = request.action() == pb::alarm_request::AlarmAction::Get && mine;
        let alarms = if asked_for { self.alarms().await } else { Vec::new() };
        let alarms = alarms.into_iter().filter(|kind| wanted(*kind));
        let alarms = alarms.map(|kind| pb::AlarmMember { member_id: self.0.member_id, alarm: kind as i32 }).collect();
        Ok(Response::new(pb::AlarmResponse { header: from.header(revision), alarms }))
    }

    /// Of this member as it is, so that members can be compared at a revision that all of them have.
    async fn hash_kv(&self, request: tonic::Request<pb::HashKvRequest>) -> Answer<pb::HashKvResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let group = self.0.group_without_keys(asked)?;
        let request = Request::HashKv(HashKvRequest { revision: request.into_inner().revision });
        let answered = self.0.query(asked, group, &request, true).await?;
        match answered.response()? {
            kv::Response::HashKv(hashed) => Ok(Response::new(pb::HashKvResponse {
                header: answered.from.header(hashed.revision),
                hash: hashed.hash,
                compact_revision: hashed.compact_revision,
                hash_revision: hashed.hash_revision,
            })),
            _ => Err(answered.foreign()),
        }
    }
}

impl Etcd {
    /// The alarms of this node that etcd has a word for.
    pub(super) async fn alarms(&self) -> Vec<pb::AlarmType> {
        let alarms = self.0.handle.status().await.map(|status| status.alarms).unwrap_or_default();
        alarms
            .iter()
            .map(|alarm| match alarm.kind {
                AlarmKind::NoSpace => pb::AlarmType::Nospace,
            })
            .collect()
    }

    /// What keeps the member from serving, in etcd's words.
    async fn errors(&self, status: &GroupStatus) -> Vec<String> {
        let no_leader = status.leader.is_none().then(|| error::NO_LEADER.to_owned());
        let alarms = self.alarms().await.into_iter().map(|kind| format!("memberID:{} alarm:{} ", self.0.member_id, kind.as_str_name()));
        no_leader.into_iter().chain(alarms).collect()
    }

    /// Bytes of the data folder, all groups together: they share their databases.
    async fn data_bytes(&self) -> i64 {
        let Some(folder) = self.0.folder.clone() else { return 0 };
        let sum = tokio::task::spawn_blocking(move || folder_bytes(&folder)).await;
        sum.unwrap_or(0).try_into().unwrap_or(i64::MAX)
    }
}

/// Files come and go while they are counted, so one that cannot be looked at counts nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let size = |entry: io::Result<fs::DirEntry>| -> io::Result<u64> {
        let entry = entry?;
        let data = entry.metadata()?;
        Ok(if data.is_dir() { folder_bytes(&entry.path()) } else { data.len() })
    };
    fs::read_dir(folder).into_iter().flatten().map(|entry| size(entry).unwrap_or(0)).sum()
}
