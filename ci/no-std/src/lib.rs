//! Links `roadstead-spec` without std: see `Cargo.toml`. Never shipped and never run.
#![no_std]
#![allow(
    unsafe_code,
    reason = "GlobalAlloc is an unsafe trait and an exported symbol an unsafe attribute; roadstead-spec forbids unsafe itself"
)]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use roadstead_spec::dispatch::Registry;
use roadstead_spec::invariants::{Transition, check_pair, check_transition};
use roadstead_spec::outbox::{Action, Outbox, Ticket};
use roadstead_spec::raft::{Event, Params, State, step};
use roadstead_spec::trace::Record;
use roadstead_spec::wire::body::{RaftBody, Route, encode_raft};
use roadstead_spec::wire::{ExtendedHeader, Limits};
use roadstead_spec::{GroupId, Incarnation, Index, NodeId};

/// std brings a panic handler of its own: if anything links std, this one is the duplicate lang item that fails the build.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Hands out nothing: the library is linked, not run.
struct Nothing;

// SAFETY: a null pointer says "no memory", which `GlobalAlloc::alloc` may always answer; so `dealloc` is never called.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

/// Reaches every module of the crate from an exported symbol, so that nothing is left out of the link. `bytes` stands for all that comes from
/// outside: nothing can be computed beforehand and optimized away.
// SAFETY: the name is not used by any other symbol.
#[unsafe(no_mangle)]
pub extern "C" fn roadstead_no_std(byte: u8) -> usize {
    let bytes = [byte; 64];
    raft(&bytes).unwrap_or_default() + dispatch(byte) + trace(&bytes) + wire(&bytes)
}

/// The core, its laws and the outbox, over whatever the bytes decode to.
fn raft(bytes: &[u8]) -> Option<usize> {
    let (params, mut state, event) = postcard::from_bytes::<(Params, State, Event)>(bytes).ok()?;
    let before = state.clone();
    let (mut effects, mut actions) = (Vec::new(), Vec::<Action>::new());
    step(&params, &mut state, event.clone(), &mut effects);
    check_transition(&Transition { params: &params, before: &before, event: &event, after: &state, effects: &effects }).ok()?;
    check_pair(&before, &state).ok()?;
    let mut outbox = Outbox::new(Index(0));
    outbox.accept(effects, &mut actions);
    outbox.durable(Ticket(1), &mut actions);
    Some(actions.len())
}

fn dispatch(byte: u8) -> usize {
    let mut registry = Registry::new();
    let registered = registry.register(GroupId::DEFAULT, Incarnation(1), byte, 0);
    usize::from(registered.is_ok()) + registry.len()
}

/// Records in and out of bytes.
fn trace(bytes: &[u8]) -> usize {
    let record = postcard::from_bytes::<Record>(bytes);
    record.and_then(|record| postcard::to_allocvec(&record)).map_or(0, |written| written.len())
}

/// Frames in, frames out.
fn wire(bytes: &[u8]) -> usize {
    let limits = Limits::default();
    let Ok((header, body)) = ExtendedHeader::decode(bytes) else { return 0 };
    let decoded = RaftBody::decode(&header, body, &limits).ok();
    let mut frame = Vec::new();
    let route = Route { from: NodeId(1), to: NodeId(2), group: header.group, incarnation: Incarnation(1) };
    let encoded = decoded.map(|decoded| encode_raft(&route, &decoded.message, [], &limits, &mut frame));
    frame.len() + usize::from(encoded.is_some_and(|result| result.is_ok()))
}
