//! The key-value service as a list of everything that ever happened: every answer is computed anew from the whole list, as slowly and plainly as
//! it can be. It keeps no index, compacts nothing away and shares no code with the service but the types of requests and answers.

use bytes::Bytes;
use roadstead::service::kv::*;
use std::collections::BTreeMap;

type Kvs = BTreeMap<Bytes, KeyValue>;

/// All changes since the beginning, and what may still be read.
#[derive(Debug)]
pub(crate) struct Naive {
    /// Main revision, key, value or deletion; in order.
    changes: Vec<(i64, Bytes, Option<Bytes>)>,
    pub(crate) current: i64,
    pub(crate) compacted: i64,
}

impl Default for Naive {
    fn default() -> Self {
        Self { changes: Vec::new(), current: 1, compacted: -1 }
    }
}

impl Naive {
    /// What etcd would answer.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let begin = self.current;
        Ok(match request {
            Request::Range(request) => Response::Range(check_key(&request.key).and_then(|()| self.range(request))?),
            Request::Put(request) => {
                check_put(request)?;
                self.can_put(request, &self.at(begin))?;
                Response::Put(self.put(request, begin))
            }
            Request::DeleteRange(request) => Response::DeleteRange(check_key(&request.key).map(|()| self.delete(request, begin))?),
            Request::Txn(request) => {
                check_txn(request)?;
                written(&request.success)?;
                written(&request.failure)?;
                let before = self.at(begin);
                self.can_do(request, &before)?;
                let mut response = self.txn(request, &before, begin);
                response.revision = self.current;
                Response::Txn(response)
            }
            Request::Compact(request) if request.revision <= self.compacted => return Err(KvError::Compacted),
            Request::Compact(request) if request.revision > self.current => return Err(KvError::FutureRevision),
            Request::Compact(request) => {
                self.compacted = request.revision;
                Response::Compact(CompactResponse { revision: self.current })
            }
            Request::Sweep | Request::HashKv(_) => unreachable!("only the service knows how far its sweep is, and its hash"),
        })
    }

    /// How many changes must be in the store once everything superfluous is removed.
    pub(crate) fn items(&self) -> usize {
        let mut latest: BTreeMap<&Bytes, (i64, bool)> = BTreeMap::new();
        for (main, key, value) in self.changes.iter().filter(|(main, ..)| *main <= self.compacted) {
            latest.insert(key, (*main, value.is_some()));
        }
        let survivors = latest.values().filter(|(main, put)| *put || *main == self.compacted).count();
        survivors + self.changes.iter().filter(|(main, ..)| *main > self.compacted).count()
    }

    fn at(&self, revision: i64) -> Kvs {
        let mut kvs = Kvs::new();
        for (main, key, value) in self.changes.iter().filter(|(main, ..)| *main <= revision) {
            let Some(value) = value else {
                kvs.remove(key);
                continue;
            };
            let kv = kvs.entry(key.clone()).or_insert_with(|| KeyValue { key: key.clone(), create_revision: *main, ..KeyValue::default() });
            (kv.mod_revision, kv.version, kv.value) = (*main, kv.version + 1, value.clone());
        }
        kvs
    }

    fn range(&self, r: &RangeRequest) -> Result<RangeResponse, KvError> {
        let at = if r.revision <= 0 { self.current } else { r.revision };
        if at > self.current {
            return Err(KvError::FutureRevision);
        }
        if at < self.compacted {
            return Err(KvError::Compacted);
        }
        let all = select(&self.at(at), &r.key, &r.range_end);
        let count = all.len() as i64;
        if r.count_only {
            return Ok(RangeResponse { revision: self.current, kvs: Vec::new(), more: false, count });
        }
        let filters = [r.min_mod_revision, r.max_mod_revision, r.min_create_revision, r.max_create_revision];
        let mut kvs = all;
        if r.limit > 0 && r.sort_order == SortOrder::None && filters == [0; 4] {
            kvs.truncate(r.limit as usize + 1);
        }
        kvs.retain(|kv| {
            (r.min_mod_revision == 0 || kv.mod_revision >= r.min_mod_revision)
                && (r.max_mod_revision == 0 || kv.mod_revision <= r.max_mod_revision)
                && (r.min_create_revision == 0 || kv.create_revision >= r.min_create_revision)
                && (r.max_create_revision == 0 || kv.create_revision <= r.max_create_revision)
        });
        match r.sort_target {
            SortTarget::Key => {}
            SortTarget::Version => kvs.sort_by_key(|kv| kv.version),
            SortTarget::Create => kvs.sort_by_key(|kv| kv.create_revision),
            SortTarget::Mod => kvs.sort_by_key(|kv| kv.mod_revision),
            SortTarget::Value => kvs.sort_by_key(|kv| kv.value.clone()),
        }
        if r.sort_order == SortOrder::Descend {
            // A stable descending sort: groups of equals turn round, equals keep their key order.
            let rank = |kv: &KeyValue| match r.sort_target {
                SortTarget::Key => (0, kv.key.clone()),
                SortTarget::Version => (kv.version, Bytes::new()),
                SortTarget::Create => (kv.create_revision, Bytes::new()),
                SortTarget::Mod => (kv.mod_revision, Bytes::new()),
                SortTarget::Value => (0, kv.value.clone()),
            };
            kvs.sort_by_key(|kv| std::cmp::Reverse(rank(kv)));
        }
        let more = r.limit > 0 && kvs.len() as i64 > r.limit;
        if more {
            kvs.truncate(r.limit as usize);
        }
        if r.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        Ok(RangeResponse { revision: self.current, kvs, more, count })
    }

    fn can_put(&self, r: &PutRequest, before: &Kvs) -> Result<(), KvError> {
        if (r.ignore_value || r.ignore_lease) && !before.contains_key(&r.key) {
            return Err(KvError::KeyNotFound);
        }
        if r.lease != 0 { Err(KvError::LeaseNotFound) } else { Ok(()) }
    }

    fn put(&mut self, r: &PutRequest, begin: i64) -> PutResponse {
        let prev = self.at(self.current).remove(&r.key);
        let value = if r.ignore_value { prev.as_ref().expect("checked").value.clone() } else { r.value.clone() };
        self.current = begin + 1;
        self.changes.push((self.current, r.key.clone(), Some(value)));
        PutResponse { revision: self.current, prev_kv: prev.filter(|_| r.prev_kv) }
    }

    fn delete(&mut self, r: &DeleteRangeRequest, begin: i64) -> DeleteRangeResponse {
        let gone = select(&self.at(self.current), &r.key, &r.range_end);
        for kv in &gone {
            self.current = begin + 1;
            self.changes.push((self.current, kv.key.clone(), None));
        }
        let deleted = gone.len() as i64;
        DeleteRangeResponse { revision: self.current, deleted, prev_kvs: if r.prev_kv { gone } else { Vec::new() } }
    }

    fn can_do(&self, r: &TxnRequest, before: &Kvs) -> Result<(), KvError> {
        for op in if holds(r, before) { &r.success } else { &r.failure } {
            match op {
                RequestOp::Range(r) if r.revision > self.current => return Err(KvError::FutureRevision),
                RequestOp::Range(r) if r.revision != 0 && r.revision < self.compacted => return Err(KvError::Compacted),
                RequestOp::Put(r) => self.can_put(r, before)?,
                RequestOp::Txn(r) => self.can_do(r, before)?,
                RequestOp::Range(_) | RequestOp::DeleteRange(_) => {}
            }
        }
        Ok(())
    }

    fn txn(&mut self, r: &TxnRequest, before: &Kvs, begin: i64) -> TxnResponse {
        let succeeded = holds(r, before);
        let ops = if succeeded { &r.success } else { &r.failure };
        let responses = ops
            .iter()
            .map(|op| match op {
                RequestOp::Range(r) => ResponseOp::Range(self.range(r).expect("checked")),
                RequestOp::Put(r) => ResponseOp::Put(self.put(r, begin)),
                RequestOp::DeleteRange(r) => ResponseOp::DeleteRange(self.delete(r, begin)),
                RequestOp::Txn(r) => ResponseOp::Txn(self.txn(r, before, begin)),
            })
            .collect();
        TxnResponse { revision: 0, succeeded, responses }
    }
}

fn within(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    if end.is_empty() { key == start } else { key >= start && (end == [0] || key < end) }
}

fn select(kvs: &Kvs, start: &[u8], end: &[u8]) -> Vec<KeyValue> {
    kvs.values().filter(|kv| within(&kv.key, start, end)).cloned().collect()
}

fn holds(r: &TxnRequest, before: &Kvs) -> bool {
    r.compare.iter().all(|c| {
        let mut found = select(before, &c.key, &c.range_end);
        if found.is_empty() {
            if matches!(c.target, CompareTarget::Value(_)) {
                return false;
            }
            found.push(KeyValue::default());
        }
        found.iter().all(|kv| {
            let (less, equal) = match &c.target {
                CompareTarget::Version(given) => (kv.version < *given, kv.version == *given),
                CompareTarget::Create(given) => (kv.create_revision < *given, kv.create_revision == *given),
                CompareTarget::Mod(given) => (kv.mod_revision < *given, kv.mod_revision == *given),
                CompareTarget::Lease(given) => (kv.lease < *given, kv.lease == *given),
                CompareTarget::Value(given) => (kv.value < given, kv.value == given),
            };
            match c.result {
                CompareResult::Equal => equal,
                CompareResult::NotEqual => !equal,
                CompareResult::Less => less,
                CompareResult::Greater => !less && !equal,
            }
        })
    })
}

fn check_key(key: &Bytes) -> Result<(), KvError> {
    if key.is_empty() { Err(KvError::EmptyKey) } else { Ok(()) }
}

fn check_put(r: &PutRequest) -> Result<(), KvError> {
    check_key(&r.key)?;
    match r {
        _ if r.ignore_value && !r.value.is_empty() => Err(KvError::ValueProvided),
        _ if r.ignore_lease && r.lease != 0 => Err(KvError::LeaseProvided),
        _ => Ok(()),
    }
}

fn check_txn(r: &TxnRequest) -> Result<(), KvError> {
    for compare in &r.compare {
        check_key(&compare.key)?;
    }
    for op in r.success.iter().chain(&r.failure) {
        match op {
            RequestOp::Range(r) => check_key(&r.key)?,
            RequestOp::Put(r) => check_put(r)?,
            RequestOp::DeleteRange(r) => check_key(&r.key)?,
            RequestOp::Txn(r) => check_txn(r)?,
        }
    }
    Ok(())
}

/// Puts with whether they need their key, and deleted ranges.
type Written = (Vec<(Bytes, bool)>, Vec<(Bytes, Bytes)>);

fn written(ops: &[RequestOp]) -> Result<Written, KvError> {
    let (mut puts, mut dels): Written = Default::default();
    for op in ops {
        if let RequestOp::DeleteRange(r) = op {
            dels.push((r.key.clone(), r.range_end.clone()));
        }
    }
    let hit = |dels: &[(Bytes, Bytes)], key: &Bytes, needs_key: bool| {
        // etcd does not see deletions from a key on (end "\0"), unless it would crash.
        dels.iter().any(|(start, end)| within(key, start, end) && (end.as_ref() != [0] || needs_key))
    };
    for op in ops {
        let RequestOp::Txn(r) = op else { continue };
        let (then, otherwise) = (written(&r.success)?, written(&r.failure)?);
        let before = puts.clone();
        for (key, needs_key) in then.0.iter().chain(&otherwise.0) {
            if before.iter().any(|(put, _)| put == key) || hit(&dels, key, *needs_key) {
                return Err(KvError::DuplicateKey);
            }
            puts.push((key.clone(), *needs_key));
        }
        dels.extend(then.1.into_iter().chain(otherwise.1));
    }
    for op in ops {
        let RequestOp::Put(r) = op else { continue };
        let needs_key = r.ignore_value || r.ignore_lease;
        if puts.iter().any(|(put, _)| *put == r.key) || hit(&dels, &r.key, needs_key) {
            return Err(KvError::DuplicateKey);
        }
        puts.push((r.key.clone(), needs_key));
    }
    Ok((puts, dels))
}
