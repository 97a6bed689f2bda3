//! A replicated set of counters: the smallest useful state machine.
//!
//! A command is `NAME` (adds 1) or `NAME AMOUNT`; its answer is the new value. A query is `NAME`; its answer is the value.

use bytes::Bytes;
use roadstead::state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite};

/// Keeps nothing in memory: every counter is one item of the group's data, 8 bytes, big-endian.
#[derive(Debug, Default)]
pub struct Counters;

impl StateMachine for Counters {
    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        for command in commands {
            answers.push(match parse(&command.payload) {
                Some((name, amount)) => {
                    let value = value_of(name, state)?.wrapping_add(amount);
                    state.put(Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(&value.to_be_bytes()));
                    Bytes::from(value.to_string())
                }
                // Every member gives the same answer to a senseless command; an `Err` would stop the group.
                None => Bytes::from_static(b"error: expected NAME or NAME AMOUNT"),
            });
        }
        Ok(())
    }

    fn query(&self, query: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        let Ok(name) = std::str::from_utf8(query) else { return Ok(Bytes::from_static(b"error: expected NAME")) };
        Ok(Bytes::from(value_of(name, state)?.to_string()))
    }
}

/// A name becomes a key, and keys have a limit (`KEY_BYTES_MAX`, far above this one).
const COMMAND_BYTES_MAX: usize = 256;

fn parse(command: &[u8]) -> Option<(&str, u64)> {
    let text = std::str::from_utf8(command).ok().filter(|text| text.len() <= COMMAND_BYTES_MAX)?;
    match text.split_once(' ') {
        Some((name, amount)) => Some((name, amount.parse().ok()?)),
        None => Some((text, 1)),
    }
}

fn value_of(name: &str, state: &(impl StateRead + ?Sized)) -> Result<u64, StateMachineError> {
    let Some(value) = state.get(name.as_bytes())? else { return Ok(0) };
    let value =
        <[u8; 8]>::try_from(&value[..]).map_err(|_| StateMachineError::Corrupt(format!("counter {name} has {} bytes", value.len())))?;
    Ok(u64::from_be_bytes(value))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use roadstead::applier::testing::StateMachineHarness;
    let mut counters = StateMachineHarness::new(|| Counters)?;
    for answer in counters.apply(["ships", "ships 4", "ships much"])? {
        println!("{}", String::from_utf8_lossy(&answer));
    }
    println!("ships: {}", String::from_utf8_lossy(&counters.query("ships")?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Counters;
    use roadstead::applier::testing::{HarnessError, StateMachineHarness};

    #[test]
    fn counts_and_tells() -> Result<(), HarnessError> {
        let mut counters = StateMachineHarness::new(|| Counters)?;
        assert_eq!(counters.apply(["a", "a 4", "b", "a x"])?, ["1", "5", "1", "error: expected NAME or NAME AMOUNT"]);
        assert_eq!(counters.query("a")?, "5");
        assert_eq!(counters.copy_by_snapshot()?.query("b")?, "1");
        Ok(())
    }

    #[test]
    fn same_commands_same_counters() -> Result<(), HarnessError> {
        StateMachineHarness::check_determinism(|| Counters, &["a", "b 7", "a 2", "c", "a", "?\n"], &["a", "b", "c", "d"])
    }
}
