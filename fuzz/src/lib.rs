//! What is fuzzed: for each reader of bytes from outside a function that takes any bytes and must not panic, with the properties that must hold for whatever is
//! read.
//!
//! libFuzzer calls these functions through `targets/`; `impl/tests/fuzz_corpus.rs` calls them with every file of `corpus/`, so that an ordinary test run needs no
//! fuzzer.

mod config;
mod frames;
mod kv;
mod legacy;
mod messages;
mod negotiation;
mod store;

/// Takes any bytes; panics if something is wrong.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config::target),
    ("frames", frames::target),
    ("kv", kv::target),
    ("legacy", legacy::target),
    ("messages", messages::target),
    ("negotiation", negotiation::target),
    ("store", store::target),
];

/// Runs one target.
///
/// # Panics
/// When there is no such target, or when it finds something.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(data);
}

/// Takes the first byte off, 0 if there is none.
fn byte(data: &mut &[u8]) -> u8 {
    let Some((first, rest)) = data.split_first() else { return 0 };
    *data = rest;
    *first
}

/// Takes eight bytes off; what is missing is 0.
fn number(data: &mut &[u8]) -> u64 {
    (0..8).fold(0, |number, _| number << 8 | u64::from(byte(data)))
}
