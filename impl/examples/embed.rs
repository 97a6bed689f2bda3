//! A guest book that survives: a whole node inside this process, with a state machine of its own.
//!
//! `cargo run --example embed -- FOLDER NAME` starts a node, writes a name, prints the book and ends. Run it again: the book has grown.

use bytes::Bytes;
use roadstead::{
    GroupId, NodeId,
    config::Timers,
    launcher::Launcher,
    node::{GroupOptions, NodeOptions},
    shard::{Rejection, Response},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
};
use std::{error::Error, net::SocketAddr, ops::ControlFlow, path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// Guest n lies under n, 8 bytes, big-endian. How many there are is kept in memory, and rebuilt by `open`.
#[derive(Debug, Default)]
struct GuestBook {
    guests: u64,
}

impl StateMachine for GuestBook {
    fn open(&mut self, state: &dyn StateRead) -> Result<(), StateMachineError> {
        self.guests = 0; // called again after a snapshot has replaced the data
        state.scan(b""..b"", &mut |_, _| {
            self.guests += 1;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        for command in commands {
            self.guests += 1;
            state.put(Bytes::copy_from_slice(&self.guests.to_be_bytes()), command.payload.clone());
            answers.push(Bytes::from(format!("guest {}", self.guests)));
        }
        Ok(())
    }

    fn query(&self, _: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        let mut book = Vec::new();
        state.scan(b""..b"", &mut |_, name| {
            book.extend_from_slice(&name);
            book.push(b'\n');
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(book.into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "guest-book".to_owned());
    let name = arguments.next().unwrap_or_else(|| "Ada".to_owned());
    print!("{}", visit(Path::new(&folder), &name).await?);
    Ok(())
}

/// One life of a node: it starts, takes a name, tells the book and ends.
async fn visit(folder: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0)); // any free port; the nodes of a cluster need fixed ones
    let options = NodeOptions { timers: Timers::fast(), ..NodeOptions::new(NodeId(1), listen, folder) };
    let launcher = Launcher::bind(listen, options).await?;
    let group = GroupOptions::raft(GroupId::DEFAULT, "guest-book", &[NodeId(1)]);
    let group = launcher.add_group(group, GuestBook::default()).await?;
    settled(|| group.write(name.to_owned())).await?;
    let book = settled(|| group.query("")).await?;
    launcher.shutdown(Duration::from_secs(1)).await?;
    Ok(String::from_utf8_lossy(&book).into_owned())
}

/// Sends a request until a leader takes it: what was rejected has not happened and may be sent again; what is unknown may not.
async fn settled<F: Future<Output = Response>>(send: impl Fn() -> F) -> Result<Bytes, Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match send().await {
            Response::Committed { answer, .. } | Response::Answered { answer, .. } => return Ok(answer),
            Response::Rejected(Rejection::NotLeader { .. } | Rejection::Busy(_)) if Instant::now() < deadline => {
                sleep(Duration::from_millis(20)).await;
            }
            Response::Rejected(why) => return Err(why.into()),
            Response::Unknown { why } => return Err(format!("it may have happened: {why}").into()),
        }
    }
}

#[tokio::test]
async fn the_book_survives_a_restart() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    assert_eq!(visit(folder.path(), "Ada").await?, "Ada\n");
    assert_eq!(visit(folder.path(), "Barbara").await?, "Ada\nBarbara\n");
    Ok(())
}
