//! A step that panics breaks a law too.
//!
//! The functions of production are total, and a mutant of them may not be: what would stop a node must not stop the search, which alone knows the way there.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use roadstead_spec::invariants::Broken;

use crate::{Moved, Seen, World};

/// The id of the law that nothing panics; it holds in every world without being listed.
pub const NO_PANIC: &str = "no-panic";

/// [`World::step`]; a panic is a broken [`NO_PANIC`].
pub(super) fn step<W: World>(world: &W, state: &mut W::State, action: W::Action, seen: &mut Seen) -> Result<Moved, Broken> {
    quietly(|| world.step(state, action, seen))
        .unwrap_or_else(|payload| Err(Broken { law: NO_PANIC, values: message(&*payload).to_owned() }))
}

/// [`World::tell`]; of a state in which a panic left the world it may have nothing to tell.
pub(super) fn tell<W: World>(world: &W, before: &W::State, action: W::Action, after: &W::State) -> String {
    quietly(|| world.tell(before, action, after)).unwrap_or_else(|_| format!("{action:?}"))
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs something and returns what it panics with, without a word on stderr: while a path is made shorter it panics a thousand times.
///
/// Unwinding leaves nothing behind that is used again but the state, of which [`World::step`] says what it is good for.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    done
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
