//! Reads: the same functions answer queries, commands that only read, and the reads inside a transaction, which see its writes.

use std::{cell::Cell, cmp::Ordering};

use bytes::Bytes;

use super::{
    command::{Compare, CompareResult, CompareTarget, RangeRequest, SortOrder, SortTarget},
    index::{Index, Life, Span},
    item::{Revision, corrupt, key_value},
    response::{KeyValue, KvError, RangeResponse},
};
use crate::state_machine::{StateMachineError, StateRead};

/// Why a request ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It cannot be carried out; the client is told so.
    #[error(transparent)]
    Refused(#[from] KvError),
    /// The store failed; the group stops.
    #[error(transparent)]
    Broken(#[from] StateMachineError),
}

/// The data as a request finds it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) index: &'a Index,
    pub(super) state: &'a dyn StateRead,
    /// Newest revision.
    pub(super) current: i64,
    /// Oldest readable revision; -1 before the first compaction.
    pub(super) compacted: i64,
    /// Bytes that the answer may still take. `None` for a command that writes: it has to go through, and may not be refused halfway.
    pub(super) room: Option<&'a Cell<usize>>,
}

impl View<'_> {
    /// Whether a read at this revision is possible; 0 means the newest.
    ///
    /// A negative revision is refused here and means the newest in [`Self::range`]: etcd does so inside and outside of transactions.
    pub(super) fn check_revision(&self, revision: i64) -> Result<(), KvError> {
        match revision {
            0 => Ok(()),
            _ if revision > self.current => Err(KvError::FutureRevision),
            _ if revision < self.compacted => Err(KvError::Compacted),
            _ => Ok(()),
        }
    }

    /// Carries out a range request. Source: etcd's `executeRange` (`server/etcdserver/txn`).
    pub(super) fn range(&self, request: &RangeRequest<&[u8]>) -> Result<RangeResponse, Failure> {
        let at = if request.revision <= 0 { self.current } else { request.revision };
        self.check_revision(at)?;
        let span = Span::new(request.key, request.range_end);
        if request.count_only {
            let count = self.index.puts_at(span, at).count();
            return Ok(RangeResponse { revision: self.current, count: signed(count), ..RangeResponse::default() });
        }
        let limit = usize::try_from(request.limit).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
        let fetch = if cuts_early(request) { limit.saturating_add(1) } else { usize::MAX };
        // Unless they are compared, values that nobody asked for are dropped as they come.
        let values = !request.keys_only || request.sort_target == SortTarget::Value;
        let (mut kvs, count) = self.fetch(span, at, fetch, values)?;
        kvs.retain(|kv| passes(request, kv));
        sort(&mut kvs, request.sort_order, request.sort_target);
        let more = kvs.len() > limit;
        kvs.truncate(limit);
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        Ok(RangeResponse { revision: self.current, kvs, more, count: signed(count) })
    }

    /// All keys of a span with their newest values.
    pub(super) fn newest(&self, span: Span<'_>) -> Result<Vec<KeyValue>, Failure> {
        Ok(self.fetch(span, self.current, usize::MAX, true)?.0)
    }

    /// One key with its newest value.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, StateMachineError> {
        self.index.live(key).map(|(revision, _)| self.load(revision)).transpose()
    }

    /// The first keys of a span as of a revision, and how many there are in all.
    fn fetch(&self, span: Span<'_>, at: i64, max: usize, values: bool) -> Result<(Vec<KeyValue>, usize), Failure> {
        let mut puts = self.index.puts_at(span, at);
        let load = |revision| -> Result<KeyValue, Failure> {
            let mut kv = self.load(revision)?;
            if !values {
                kv.value = Bytes::new();
            }
            self.take_room(&kv)?;
            Ok(kv)
        };
        let kvs = puts.by_ref().take(max).map(load).collect::<Result<Vec<_>, _>>()?;
        let count = kvs.len() + puts.count();
        Ok((kvs, count))
    }

    fn take_room(&self, kv: &KeyValue) -> Result<(), KvError> {
        let Some(room) = self.room else { return Ok(()) };
        let taken = size_of::<KeyValue>() + kv.key.len() + kv.value.len();
        room.set(room.get().checked_sub(taken).ok_or(KvError::AnswerTooLarge)?);
        Ok(())
    }

    fn load(&self, revision: Revision) -> Result<KeyValue, StateMachineError> {
        let stored = self.state.get(&revision.key())?;
        let found = stored.map(|stored| key_value(revision, &stored)).transpose()?.flatten();
        found.ok_or_else(|| corrupt(format_args!("revision {}.{} is indexed, but its item is gone", revision.main, revision.sub)))
    }

    /// Whether a comparison holds. Source: etcd's `applyCompare`.
    pub(super) fn holds(&self, compare: &Compare<&[u8]>) -> Result<bool, StateMachineError> {
        let span = Span::new(compare.key, compare.range_end);
        let matches = |ordering| match compare.result {
            CompareResult::Equal => ordering == Ordering::Equal,
            CompareResult::NotEqual => ordering != Ordering::Equal,
            CompareResult::Greater => ordering == Ordering::Greater,
            CompareResult::Less => ordering == Ordering::Less,
        };
        // The index alone knows versions and revisions; values and leases are in the items. A key that does not exist has zeroes.
        let by_index = |number: fn(Revision, Life) -> i64, given: i64| {
            let mut found = self.index.live_in(span).map(|(revision, life)| number(revision, life)).peekable();
            Ok(if found.peek().is_none() { matches(0.cmp(&given)) } else { found.all(|stored| matches(stored.cmp(&given))) })
        };
        match compare.target {
            CompareTarget::Version(given) => by_index(|_, life| life.version, given),
            CompareTarget::Create(given) => by_index(|_, life| life.create, given),
            CompareTarget::Mod(given) => by_index(|revision, _| revision.main, given),
            CompareTarget::Value(given) => self.all_items(span, false, |kv| matches(kv.value.as_ref().cmp(given))),
            CompareTarget::Lease(given) => self.all_items(span, matches(0.cmp(&given)), |kv| matches(kv.lease.cmp(&given))),
        }
    }

    /// Whether all keys of a span satisfy a predicate, one after the other so that a large range is never in memory as a whole.
    fn all_items(&self, span: Span<'_>, if_none: bool, holds: impl Fn(&KeyValue) -> bool) -> Result<bool, StateMachineError> {
        let mut none = true;
        for (revision, _) in self.index.live_in(span) {
            none = false;
            if !holds(&self.load(revision)?) {
                return Ok(false);
            }
        }
        Ok(!none || if_none)
    }
}

/// A count as etcd's signed number.
pub(super) fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whether the limit cuts in key order, before sorting: only if nothing reorders or filters.
fn cuts_early(request: &RangeRequest<&[u8]>) -> bool {
    request.sort_order == SortOrder::None
        && [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision] == [0; 4]
}

fn passes(request: &RangeRequest<&[u8]>, kv: &KeyValue) -> bool {
    let within = |revision, min, max| (min == 0 || revision >= min) && (max == 0 || revision <= max);
    within(kv.mod_revision, request.min_mod_revision, request.max_mod_revision)
        && within(kv.create_revision, request.min_create_revision, request.max_create_revision)
}

/// Sorts stably, so that equal keys stay in key order when ascending and members agree (etcd leaves their order open).
fn sort(kvs: &mut [KeyValue], order: SortOrder, target: SortTarget) {
    let by_target = |a: &KeyValue, b: &KeyValue| match target {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    };
    match (order, target) {
        (SortOrder::None | SortOrder::Ascend, SortTarget::Key) => {}
        (SortOrder::None | SortOrder::Ascend, _) => kvs.sort_by(by_target),
        (SortOrder::Descend, _) => kvs.sort_by(|a, b| by_target(b, a)),
    }
}
