//! Links `roadstead-spec` without std: see `Cargo.toml`. Never shipped and never run.
#![no_std]
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait and an exported symbol an unsafe attribute; roadstead-spec forbids unsafe itself")]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use roadstead_spec::dispatch::Registry;
use roadstead_spec::outbox::{Action, Outbox, Ticket};
use roadstead_spec::raft::Effect;
use roadstead_spec::{GroupId, Incarnation, Index};

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

/// Reaches every module of the crate from an exported symbol, so that nothing is left out of the link.
///
/// Returns how much came out, so that nothing is optimized away.
// SAFETY: the name is not used by any other symbol.
#[unsafe(no_mangle)]
pub extern "C" fn roadstead_no_std(byte: u8) -> usize {
    outbox(byte) + dispatch(byte)
}

fn outbox(byte: u8) -> usize {
    let mut outbox = Outbox::new(Index(0));
    let mut actions = Vec::<Action>::new();
    if let Ok(effect) = postcard::from_bytes::<Effect>(&[byte]) {
        outbox.accept([effect], &mut actions);
    }
    outbox.durable(Ticket(1), &mut actions);
    actions.len()
}

fn dispatch(byte: u8) -> usize {
    let mut registry = Registry::new();
    let registered = registry.register(GroupId::DEFAULT, Incarnation(1), byte, 0);
    usize::from(registered.is_ok()) + registry.len()
}
