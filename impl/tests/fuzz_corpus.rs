//! Everything that fuzzing has kept, in an ordinary test run: `fuzz/corpus` holds inputs that together reach all that was reached, and what once broke something.

#[expect(unreachable_pub, reason = "a crate of its own when it is fuzzed")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

fn replay(name: &str) {
    let mut inputs: Vec<_> = fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "the corpus of {name} is empty");
    for path in inputs {
        eprintln!("{}", path.display()); // the last one printed is the one that fails
        fuzz::run(name, &fs::read(path).unwrap());
    }
}

/// A test per target, so that all of them are heard of.
macro_rules! targets {
    ($($name:ident),+) => {
        $(#[test] fn $name() { replay(stringify!($name)); })+

        #[test]
        fn every_target_is_replayed_and_has_a_program() {
            let named = [$(stringify!($name)),+];
            assert!(fuzz::TARGETS.iter().map(|(name, _)| *name).eq(named));
            let program = |name: &str| fs::read_to_string(corpus().join(format!("../targets/{name}.rs")));
            assert!(named.iter().all(|name| program(name).unwrap().contains(&format!("run(\"{name}\""))));
        }
    };
}

targets!(config, frames, kv, legacy, messages, negotiation, store);
