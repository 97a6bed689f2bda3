//! The program of a node: the production node, but for a disk that a fault file makes slow.

use super::faulty_disk;
use roadstead::{config::NodeConfig, launcher::Launcher, node::NodeOptions};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::{
    io::{Read, stdin},
    path::{Path, PathBuf},
    thread,
};
use tokio::{select, sync::oneshot};

/// Runs a node until its stdin ends; it does not outlive who started it, even while it is stopped.
///
/// # Errors
/// Why it cannot start or go on, in words.
pub async fn run(config: &Path, trace: PathBuf, fault_file: PathBuf) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    let config = NodeConfig::load(config).map_err(|error| error.to_string())?;
    let (listen, deadline) = (config.listen, config.timers.shutdown);
    let options = NodeOptions { trace: Some(trace), engines: faulty_disk::governed_by(fault_file), ..NodeOptions::from(config) };
    let mut launcher = Launcher::bind(listen, options).await.map_err(|error| error.to_string())?;
    select! {
        ended = launcher.ended() => return ended.map_err(|error| error.to_string()),
        _ = end_of_stdin() => {}
    }
    launcher.shutdown(deadline).await.map_err(|error| error.to_string())
}

fn end_of_stdin() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    // Not a task: reading stdin cannot be cancelled, and must not hold up the end of the runtime.
    thread::spawn(move || {
        while stdin().read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        drop(sender);
    });
    receiver
}
