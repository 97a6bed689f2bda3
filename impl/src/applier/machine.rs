//! Calls into state machines, which others write: an error or a panic becomes a [`Failure`] of the group and nothing else.

use bytes::Bytes;
use roadstead_spec::EntryId;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    failure::Failure,
    transaction::{Transaction, View},
};
use crate::state_machine::{Command, StateMachine, StateMachineError, StateRead};

/// A machine behind a fence. After a failure it must not be called again: its memory may be half changed.
pub(super) struct Fenced(Box<dyn StateMachine>);

impl Fenced {
    pub(super) fn new(machine: Box<dyn StateMachine>) -> Self {
        Self(machine)
    }

    pub(super) fn open(&mut self, view: &View<'_>, applied: EntryId) -> Result<(), Failure> {
        fence("open its data", applied, || self.0.open(view))
    }

    pub(super) fn query(&self, query: &[u8], view: &dyn StateRead, applied: EntryId) -> Result<Bytes, Failure> {
        fence("answer a query", applied, || self.0.query(query, view))
    }

    /// Applies; on a failure the overlay's content is meaningless.
    pub(super) fn apply(
        &mut self,
        commands: &[Command],
        transaction: &mut Transaction<'_>,
        answers: &mut Vec<Bytes>,
        applied: EntryId,
    ) -> Result<(), Failure> {
        fence("apply commands", applied, || self.0.apply(commands, transaction, answers))?;
        if let Some((key_bytes, value_bytes)) = transaction.too_large() {
            return Err(Failure::ItemTooLarge { key_bytes, value_bytes, applied });
        }
        if answers.len() == commands.len() {
            Ok(())
        } else {
            Err(Failure::AnswerCount { commands: commands.len(), answers: answers.len(), applied })
        }
    }

    /// Drops the machine, whose destructor is foreign code too.
    pub(super) fn discard(self) {
        // There is nothing left to fail: the group is closed or has failed already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.0)));
    }
}

/// Unwind safety: whatever `call` may have left half changed (the machine, the overlay) is discarded by the caller when this returns an error.
fn fence<T>(doing: &'static str, applied: EntryId, call: impl FnOnce() -> Result<T, StateMachineError>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Machine { doing, applied, text: error.to_string() }),
        Err(panic) => Err(Failure::Panicked { doing, applied, text: panic_text(&*panic) }),
    }
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
