//! Every mistake is caught: each wake-up is needed by somebody, and each count by all.

use roadstead_loom::{
    counts,
    planted::{
        Clock::Stands,
        Mistake::{self, Lost, LostNotify, Torn},
        plant,
    },
    threads::{self, Await, Plan},
};

const PROGRESS: &str = "store/progress.rs";
const QUEUE: &str = "store/queue.rs";
const ROUNDS: Plan = Plan { items: &[(1, false), (2, false)], awaits: Await::All, ..Plan::CALM };
const VOTE: Plan = Plan { items: &[(1, true)], clock: Stands, awaits: Await::All, ..Plan::CALM };
const BOUND: Plan = Plan { items: &[(1, false); 3], rounds_max: 2, clock: Stands, awaits: Await::Each, interruptions_max: 2, ..Plan::CALM };

fn threads_with(mistake: Mistake, file: &'static str, function: &str, what: &str, plan: Plan) {
    plant(mistake, file, function, what);
    threads::run("planted", plan);
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_there_is_work() {
    threads_with(LostNotify, QUEUE, "put", "notify_one", ROUNDS);
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_the_queue_stops() {
    threads_with(LostNotify, QUEUE, "stop", "notify_one", ROUNDS);
}

#[test]
#[should_panic = "20 bytes are left"]
fn what_is_done_is_not_subtracted() {
    threads_with(Lost, QUEUE, "done", "fetch_sub", ROUNDS);
}

#[test]
#[should_panic = "less than nothing"]
fn adding_to_the_queue_is_torn() {
    threads_with(Torn, QUEUE, "put", "fetch_add", ROUNDS);
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_the_witness_is_behind() {
    threads_with(LostNotify, PROGRESS, "on_committed", "notify_one", VOTE);
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_the_witness_has_caught_up() {
    threads_with(LostNotify, PROGRESS, "on_witnessed", "notify_one", BOUND);
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_the_witness_thread_has_ended() {
    threads_with(LostNotify, PROGRESS, "witness_ends", "notify_one", Plan { witness_fails: Some(1), ..BOUND });
}

#[test]
#[should_panic = "deadlock"]
fn nobody_says_that_the_storage_thread_has_ended() {
    threads_with(LostNotify, PROGRESS, "storage_ends", "notify_one", ROUNDS);
}

#[test]
#[should_panic = "are in 2 places"]
fn two_threads_accept() {
    counts::slots("planted", 2, 2);
}

#[test]
#[should_panic = "left: 1"]
fn a_connection_keeps_its_place() {
    plant(Lost, "port/slots.rs", "drop", "fetch_sub");
    counts::slots("planted", 4, 1);
}

#[test]
#[should_panic = "less than nothing"]
fn a_connection_takes_its_place_in_two_steps() {
    plant(Torn, "port/slots.rs", "take", "fetch_add");
    counts::slots("planted", 4, 1);
}

#[test]
#[should_panic = "less than nothing"]
fn a_call_takes_in_two_steps() {
    plant(Torn, "api/etcd/budget.rs", "add", "fetch_add");
    counts::budget("planted");
}

#[test]
#[should_panic = "all came back"]
fn a_call_keeps_what_it_took() {
    plant(Lost, "api/etcd/budget.rs", "drop", "fetch_sub");
    counts::budget("planted");
}

#[test]
#[should_panic = "less than nothing"]
fn answers_are_counted_when_they_have_left() {
    counts::answers("planted", true);
}

#[test]
#[should_panic = "all were taken"]
fn answers_are_not_taken() {
    plant(Lost, "applier/answers.rs", "take", "fetch_sub");
    counts::answers("planted", false);
}

#[test]
#[should_panic = "less than nothing"]
fn answers_are_given_in_two_steps() {
    plant(Torn, "applier/answers.rs", "give", "fetch_add");
    counts::answers("planted", false);
}

#[test]
#[should_panic = "left: Some(1)"]
fn a_request_moves_the_target_in_two_steps() {
    plant(Torn, "client/target.rs", "rotate", "compare_exchange");
    counts::target("planted");
}
