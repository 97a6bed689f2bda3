//! Which nodes a command talks to.

use std::time::Duration;

use clap::Args;

use crate::config::HostPort;

use super::failure::Failure;

/// The ports of `roadstead dev`: a fresh clone needs no option, and one dead node hides nothing.
pub(super) const DEFAULT_ENDPOINTS: &str = "127.0.0.1:7400,127.0.0.1:7401,127.0.0.1:7402";

/// Options of every command that talks to a cluster.
#[derive(Args, Clone, Debug)]
pub(super) struct Endpoints {
    /// Nodes to ask; one that answers is enough
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', env = "ROADSTEAD_ENDPOINTS", default_value = DEFAULT_ENDPOINTS)]
    pub(super) endpoints: Vec<HostPort>,
    /// How long to wait for answers, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = positive_seconds)]
    pub(super) timeout: Duration,
}

/// Options of commands that change something through the admin API.
#[derive(Args, Clone, Debug)]
pub(super) struct Writer {
    #[command(flatten)]
    pub(super) endpoints: Endpoints,
    /// The admin token of the nodes' configuration; needed to change something from another machine
    #[arg(long, env = "ROADSTEAD_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
}

fn positive_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "write a number of seconds above 0, at most 86400".to_owned())
}

impl Endpoints {
    /// Nobody answered.
    pub(super) fn nobody(&self, reasons: &[String]) -> Failure {
        Failure::unavailable(
            format!("no endpoint answers: {}", reasons.join("; ")),
            "start a node (roadstead dev, roadstead node --config FILE) or name others with --endpoints HOST:PORT,…",
        )
    }
}
