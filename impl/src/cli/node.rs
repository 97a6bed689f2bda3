//! `roadstead node`: one node, until it is told to end.

use super::{block_on, failure::Failure, logging, output::Output};
use crate::{
    config::{LogFormat, NodeConfig},
    launcher::Launcher,
    node::{NodeOptions, StartError},
};
use clap::Args as Arguments;
use std::path::PathBuf;
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

const EXAMPLES: &str = "\
Examples:
  roadstead node --config /etc/roadstead/node.toml
  roadstead node --config node.toml --log json

The node ends on SIGTERM and Ctrl-C, after it has finished what it has begun. Exit codes: 0 ended as asked, 1 failed, 2 wrong configuration.";

/// Run one node.
#[derive(Debug, Arguments)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Configuration file; docs/examples/node.toml has every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Form of the log lines, instead of the configuration's
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// End when stdin ends: whoever started this node is gone
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

pub(super) fn run(args: &Args, _output: Output) -> Result<(), Failure> {
    let mut config = NodeConfig::load(&args.config)?;
    if let Some(format) = args.log {
        config.log.format = format;
    }
    logging::start(config.log);
    let (listen, shutdown) = (config.listen, config.timers.shutdown);
    let options = NodeOptions::from(config);
    block_on(async {
        let mut launcher = Launcher::bind(listen, options).await.map_err(refused)?;
        tracing::info!(listen = %launcher.local_addr(), "the node is open");
        let ended = tokio::select! {
            ended = launcher.ended() => Some(ended),
            () = asked_to_end(args.exit_with_stdin) => None,
        };
        let result = match ended {
            Some(result) => result,
            None => launcher.shutdown(shutdown).await,
        };
        result.map_err(|fatal| {
            tracing::error!(error = %fatal, "the node ends");
            Failure::failed(fatal.to_string())
        })
    })
}

fn refused(error: StartError) -> Failure {
    tracing::error!(%error, "the node does not start");
    if error.exit_code() == 2 { Failure::Usage(error.to_string()) } else { Failure::failed(error.to_string()) }
}

async fn asked_to_end(with_stdin: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    let stdin_ends = async {
        if !with_stdin {
            return std::future::pending().await;
        }
        let mut stdin = tokio::io::stdin();
        let mut ignored = [0; 64];
        while matches!(stdin.read(&mut ignored).await, Ok(count) if count > 0) {}
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ends => {}
    }
}
