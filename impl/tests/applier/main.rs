//! The host of the state machines: what it promises, through its public interface.

mod apply;
mod crash;
mod snapshot;
mod support;
mod thread;
