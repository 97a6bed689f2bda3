//! Mistakes to be caught: one operation at one place of a piece does not do what it should.

use std::{cell::Cell, fs, panic::Location};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Nobody is woken.
    LostNotify,
    /// Nothing is subtracted.
    Lost,
    /// The operation is a load and a store.
    Torn,
}

/// Whether times that are waited for come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// They come at any moment.
    Passes,
    /// They never come, so that nothing works only because a time has passed.
    Stands,
}

#[derive(Clone, Copy)]
struct Plant {
    mistake: Mistake,
    file: &'static str,
    line: u32,
}

// loom runs all threads of a model on the thread of the test.
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
    static CLOCK: Cell<Clock> = const { Cell::new(Clock::Passes) };
}

/// From now on the one line of `function` in `impl/src/{file}` that contains `what` is wrong, for what this test explores.
pub fn plant(mistake: Mistake, file: &'static str, function: &str, what: &str) {
    let path = format!("{}/../../impl/src/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let begins = |line: &str| line.contains(&format!("fn {function}(")) || line.contains(&format!("fn {function}<"));
    let body = text.lines().zip(1..).skip_while(|(line, _)| !begins(line)).take_while(|(line, _)| *line != "    }");
    let lines: Vec<u32> = body.filter(|(line, _)| line.contains(what)).map(|(_, number)| number).collect();
    let [line] = lines[..] else { panic!("`{what}` is {} times in `{function}` of {path}", lines.len()) };
    PLANTED.set(Some(Plant { mistake, file, line }));
}

/// Sets the clock for what this test explores.
pub(crate) fn set(clock: Clock) {
    CLOCK.set(clock);
}

pub(crate) fn clock() -> Clock {
    CLOCK.get()
}

pub(crate) fn is_here(mistake: Mistake, at: &Location<'_>) -> bool {
    PLANTED.get().is_some_and(|plant| plant.mistake == mistake && plant.line == at.line() && at.file().ends_with(plant.file))
}
