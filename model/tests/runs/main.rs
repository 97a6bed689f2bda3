//! Runs of the dispatcher's and the negotiation's world for `tla/TraceDispatcher.tla` and `tla/TraceNegotiation.tla`: what production's registry and production's
//! negotiation do is judged by modules that were written without them. `tla/check traces` judges the files; here they are written, and must be what is committed.

mod dispatcher;
mod negotiation;
#[path = "../written/mod.rs"]
mod written;

#[test]
fn the_dispatchers_run_is_the_committed_one() {
    dispatcher::run().is_committed();
}

#[test]
fn the_negotiations_run_is_the_committed_one() {
    negotiation::run().is_committed();
}
