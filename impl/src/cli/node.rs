//! `roadstead node`: one node, until it is told to stop.

use std::{io::Read, path::PathBuf, thread, time::Duration};

use clap::Args as ClapArgs;
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::{
    config::{LogConfig, LogFormat, LogLevel, NodeConfig},
    launcher::Launcher,
    node::NodeOptions,
};

use super::{block_on, failure::Failure, logging, signals::Stop};

const AFTER_HELP: &str = "\
Everything is read, checked and opened before the port accepts its first connection. Ends with 0 when it was told to stop (SIGTERM, Ctrl-C), with 2
when the configuration must be mended, with 1 when it cannot go on for any other reason; the last ERROR line of the log says what to do.

Examples:
  roadstead node --config node.toml
  roadstead node --config node.toml --log json 2>> node.log";

/// Run a node
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The node's configuration; docs/examples/node.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Form of the log on stderr [default: `[log] format` of the configuration]
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Least important lines of the log [default: `[log] level` of the configuration]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// Record everything that the node is told and does, one file per start, to be judged later (docs/judging.md)
    #[arg(long, value_name = "DIR")]
    trace: Option<PathBuf>,
    /// Stop when stdin ends: a supervisor's death then stops the node, however it came
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = NodeConfig::load(&args.config);
    let log = config.as_ref().map(|config| config.log).unwrap_or_default();
    logging::init(LogConfig { format: args.log.unwrap_or(log.format), level: args.log_level.unwrap_or(log.level) });
    let config = config.map_err(|error| logged(2, &error))?;
    block_on(serve(config, args))
}

/// Errors of a node belong into its log, once.
fn logged(exit_code: u8, error: &impl std::fmt::Display) -> Failure {
    error!("{error}");
    Failure::Logged(exit_code)
}

async fn serve(config: NodeConfig, args: &Args) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let (node, listen, deadline) = (config.node, config.listen, config.timers.shutdown);
    let options = NodeOptions { trace: args.trace.clone(), ..NodeOptions::from(config) };
    let mut launcher = Launcher::bind(listen, options).await.map_err(|error| logged(error.exit_code(), &error))?;
    info!(%node, version = env!("CARGO_PKG_VERSION"), "listening on {}", launcher.local_addr());
    let mut stdin_end = end_of_stdin(args.exit_with_stdin);
    tokio::select! {
        ended = launcher.ended() => return ended.map_err(|error| logged(1, &error)),
        () = stop.asked() => {}
        Ok(()) = &mut stdin_end => {}
    }
    shut_down(launcher, deadline, stop).await
}

/// A second signal does not wait: everything acknowledged is on disk at any moment.
async fn shut_down(launcher: Launcher, deadline: Duration, mut stop: Stop) -> Result<(), Failure> {
    info!("stopping; groups may finish what they have begun for {deadline:?}");
    tokio::select! {
        ended = launcher.shutdown(deadline) => ended.map_err(|error| logged(1, &error)),
        () = stop.asked() => Err(logged(1, &"stopped at once by a second signal; nothing acknowledged is lost")),
    }
}

/// Resolves to `Ok` when stdin ends; to an error, which means nothing, if nobody wants to know.
fn end_of_stdin(wanted: bool) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    if wanted {
        // Not a task: reading stdin cannot be cancelled, and must not hold up the end of the runtime.
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while std::io::stdin().read(&mut buffer).is_ok_and(|read| read > 0) {}
            let _ = sender.send(());
        });
    }
    receiver
}
