//! Stands for `impl/src/sync.rs`: loom's primitives in the shape of the standard library's, each of which can be [made to fail](crate::planted). `Arc` is the
//! standard library's own, so counting its owners is not explored.

use crate::planted::{Clock, Mistake, clock, is_here};
use loom::sync::{self as loomed, atomic};
use std::{
    ops::{Deref, DerefMut},
    panic::Location,
    sync::LockResult,
    time::Duration,
};

pub(crate) use std::sync::{
    Arc, PoisonError,
    atomic::Ordering::{self, Relaxed},
};

#[derive(Debug)]
pub(crate) struct Mutex<T>(loomed::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only while this waits.
    guard: Option<loomed::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loomed::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let mut guard = MutexGuard { mutex: self, guard: None };
        guard.acquire();
        Ok(guard)
    }
}

impl<T> MutexGuard<'_, T> {
    fn acquire(&mut self) {
        self.guard = self.mutex.0.lock().ok();
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("nobody looks while it waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("nobody looks while it waits")
    }
}

#[derive(Debug)]
pub(crate) struct Condvar(loomed::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loomed::Condvar::new())
    }

    #[track_caller]
    pub(crate) fn notify_one(&self) {
        if !is_here(Mistake::LostNotify, Location::caller()) {
            self.0.notify_one();
        }
    }

    pub(crate) fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard.guard = guard.guard.take().and_then(|held| self.0.wait(held).ok());
        }
        Ok(guard)
    }

    /// loom's time never passes. Here it does, if the [clock](Clock) is so: the lock is free for a moment, in which others run for as long as loom likes, and so
    /// every moment is explored at which the wait might end.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        _: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        if clock() == Clock::Stands {
            return Ok((self.wait_while(guard, condition).unwrap_or_else(PoisonError::into_inner), ()));
        }
        if condition(&mut guard) {
            guard.guard = None;
            guard.acquire();
        }
        Ok((guard, ()))
    }
}

#[derive(Debug)]
pub(crate) struct AtomicUsize(atomic::AtomicUsize);

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        Self(atomic::AtomicUsize::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: usize, order: Ordering) {
        self.0.store(value, order);
    }

    #[track_caller]
    pub(crate) fn fetch_add(&self, more: usize, order: Ordering) -> usize {
        if is_here(Mistake::Torn, Location::caller()) {
            let before = self.0.load(order);
            self.0.store(before + more, order);
            return before;
        }
        self.0.fetch_add(more, order)
    }

    /// Nothing that is counted here is ever less than nothing.
    #[track_caller]
    pub(crate) fn fetch_sub(&self, less: usize, order: Ordering) -> usize {
        if is_here(Mistake::Lost, Location::caller()) {
            return self.0.load(order);
        }
        let before = self.0.fetch_sub(less, order);
        assert!(before >= less, "{before} - {less} is less than nothing");
        before
    }

    #[track_caller]
    pub(crate) fn compare_exchange(&self, from: usize, to: usize, won: Ordering, lost: Ordering) -> Result<usize, usize> {
        if is_here(Mistake::Torn, Location::caller()) {
            let before = self.0.load(lost);
            if before != from {
                return Err(before);
            }
            self.0.store(to, won);
            return Ok(before);
        }
        self.0.compare_exchange(from, to, won, lost)
    }
}

impl Default for AtomicUsize {
    fn default() -> Self {
        Self::new(0)
    }
}
