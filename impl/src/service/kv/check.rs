//! Whether a request makes sense by itself, before anything is read. Source: etcd's `server/etcdserver/api/v3rpc/key.go`; the order of the checks
//! decides which of several mistakes a client hears of.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    command::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TXN_OPS_MAX, TxnRequest},
    response::KvError,
};

pub(super) fn range(request: &RangeRequest<&[u8]>) -> Result<(), KvError> {
    key(request.key)
}

pub(super) fn put(request: &PutRequest<&[u8]>) -> Result<(), KvError> {
    key(request.key)?;
    if request.ignore_value && !request.value.is_empty() {
        return Err(KvError::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(KvError::LeaseProvided);
    }
    Ok(())
}

pub(super) fn delete_range(request: &DeleteRangeRequest<&[u8]>) -> Result<(), KvError> {
    key(request.key)
}

pub(super) fn txn(request: &TxnRequest<&[u8]>) -> Result<(), KvError> {
    operations(request, TXN_OPS_MAX)?;
    Touched::by(&request.success)?;
    Touched::by(&request.failure)?;
    Ok(())
}

fn key(key: &[u8]) -> Result<(), KvError> {
    if key.is_empty() { Err(KvError::EmptyKey) } else { Ok(()) }
}

fn operations(request: &TxnRequest<&[u8]>, ops_max: usize) -> Result<(), KvError> {
    let used = request.compare.len().max(request.success.len()).max(request.failure.len());
    let left = ops_max.checked_sub(used).ok_or(KvError::TooManyOps)?;
    request.compare.iter().try_for_each(|compare| key(compare.key))?;
    request.success.iter().chain(&request.failure).try_for_each(|op| match op {
        RequestOp::Range(request) => range(request),
        RequestOp::Put(request) => put(request),
        RequestOp::DeleteRange(request) => delete_range(request),
        RequestOp::Txn(request) => operations(request, left),
    })
}

/// What a list of operations writes, to find keys that are written twice. Source: etcd's `checkIntervals`.
#[derive(Default)]
struct Touched<'a> {
    /// Keys that are put, and whether the put needs the key to exist.
    puts: BTreeMap<&'a [u8], bool>,
    deletes: Deletes<'a>,
}

impl<'a> Touched<'a> {
    fn by(ops: &[RequestOp<&'a [u8]>]) -> Result<Self, KvError> {
        let mut touched = Self::default();
        // Deletes of this level come first: they also collide with puts of the levels below.
        for op in ops {
            if let RequestOp::DeleteRange(request) = op {
                touched.deletes.add(request.key, request.range_end);
            }
        }
        for op in ops {
            if let RequestOp::Txn(request) = op {
                let (then, otherwise) = (Self::by(&request.success)?, Self::by(&request.failure)?);
                let then_keys: BTreeSet<&[u8]> = then.puts.keys().copied().collect();
                touched.add_puts(then.puts, &BTreeSet::new())?;
                // Only one of the branches is done, so both may put the same key.
                touched.add_puts(otherwise.puts, &then_keys)?;
                touched.deletes.merge(then.deletes);
                touched.deletes.merge(otherwise.deletes);
            }
        }
        for op in ops {
            if let RequestOp::Put(request) = op {
                touched.add_put(request.key, request.ignore_value || request.ignore_lease, false)?;
            }
        }
        Ok(touched)
    }

    fn add_puts(&mut self, puts: BTreeMap<&'a [u8], bool>, may_repeat: &BTreeSet<&[u8]>) -> Result<(), KvError> {
        puts.into_iter().try_for_each(|(key, needs_key)| self.add_put(key, needs_key, may_repeat.contains(key)))
    }

    fn add_put(&mut self, key: &'a [u8], needs_key: bool, may_repeat: bool) -> Result<(), KvError> {
        if self.deletes.collide(key, needs_key) || (self.puts.contains_key(key) && !may_repeat) {
            return Err(KvError::DuplicateKey);
        }
        *self.puts.entry(key).or_default() |= needs_key;
        Ok(())
    }
}

/// A place between keys: just before a key, or just after it.
type Edge<'a> = (&'a [u8], bool);

/// A set of deleted ranges, merged where they touch, so that a transaction of any size is checked in n log n.
#[derive(Default)]
struct Deletes<'a> {
    /// From start to end.
    ranges: BTreeMap<&'a [u8], Edge<'a>>,
    /// The lowest key from which on everything is deleted (`range_end` a zero byte). etcd does not see a collision there, and carries out what it
    /// is told in order. It also crashes if a later put then needs its key; that put is a collision here.
    from: Option<&'a [u8]>,
}

impl<'a> Deletes<'a> {
    fn add(&mut self, key: &'a [u8], range_end: &'a [u8]) {
        match range_end {
            [] => self.insert(key, (key, true)),
            [0] => self.from = Some(self.from.map_or(key, |from| from.min(key))),
            end => self.insert(key, (end, false)),
        }
    }

    fn insert(&mut self, mut start: &'a [u8], mut end: Edge<'a>) {
        if end <= (start, false) {
            return;
        }
        if let Some((&before, &before_end)) = self.ranges.range(..=start).next_back()
            && before_end >= (start, false)
        {
            start = before;
        }
        while let Some((&after, &after_end)) = self.ranges.range(start..).next()
            && (after, false) <= end
        {
            self.ranges.remove(after);
            end = end.max(after_end);
        }
        self.ranges.insert(start, end);
    }

    fn merge(&mut self, other: Self) {
        other.ranges.into_iter().for_each(|(start, end)| self.insert(start, end));
        self.from = [self.from, other.from].into_iter().flatten().min();
    }

    fn collide(&self, key: &[u8], needs_key: bool) -> bool {
        let deleted = self.ranges.range(..=key).next_back().is_some_and(|(_, &end)| (key, false) < end);
        deleted || (needs_key && self.from.is_some_and(|from| from <= key))
    }
}
