//! What the user may choose about a run, as options of the command and, for one target alone, in the target's address.

use clap::{Args as ClapArgs, Parser, ValueEnum};
use serde::{Deserialize, Serialize};

use super::super::failure::Failure;

/// The choices of a run; what is absent has the default that its text names.
#[derive(ClapArgs, Clone, Debug, Default)]
pub(super) struct Options {
    /// Closed loop: how many clients, each of which waits for its outcome before it goes on; a run for each number [default: 64]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=65_536), conflicts_with = "rate")]
    pub(super) clients: Option<Vec<u32>>,
    /// Open loop: how many requests begin per second, whether or not earlier ones have ended; a run for each number
    #[arg(long, value_name = "PER_SECOND,…", value_delimiter = ',', value_parser = rate)]
    pub(super) rate: Option<Vec<f64>>,
    /// Open loop: when requests begin [default: poisson]
    #[arg(long, value_enum)]
    pub(super) arrivals: Option<Arrivals>,
    /// Open loop: requests under way at most; further ones wait, and their latency counts from when they should have begun [default: 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) in_flight_max: Option<u32>,
    /// Connections, one number for all runs or one for each; client number i uses connection i modulo this [default: 1]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(super) connections: Option<Vec<u32>>,
    /// etcd targets: which endpoints take the requests [default: leader]
    #[arg(long, value_enum)]
    pub(super) endpoint_mode: Option<EndpointMode>,
    /// The first group [default: 1; an etcd target is asked without a group unless this or --groups is given]
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..))]
    pub(super) group: Option<i32>,
    /// How many groups, from --group on; the clients are spread over them [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) groups: Option<u32>,
    /// Share of the requests that read, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) read_share: Option<f64>,
    /// What reads promise [default: linearizable]
    #[arg(long, value_enum)]
    pub(super) consistency: Option<ReadConsistency>,
    /// Length of a key in bytes [default: 16]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(super) key_size: Option<u32>,
    /// Length of a value in bytes [default: 100]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    pub(super) value_size: Option<u32>,
    /// How many different keys; each is as likely as any other [default: 100000000, or as many as the key size allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) keys: Option<u32>,
    /// Length of a run [default: 20]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: Option<u64>,
    /// Time before a run that is not counted, in seconds [default: 2]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub(super) warmup: Option<u64>,
    /// What the random keys, values and arrivals begin with [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,
    /// Closed loop: also report latencies as if a client had meant to ask each so many milliseconds, which a stall would have kept from asking
    #[arg(long, value_name = "MS", value_parser = interval, conflicts_with = "rate")]
    pub(super) expected_interval_ms: Option<f64>,
    /// Processes whose CPU time is counted [default: those that listen at the endpoints, where they can be seen]
    #[arg(long, value_name = "PID,…", value_delimiter = ',')]
    pub(super) pids: Option<Vec<u32>>,
}

/// When requests of an open loop begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Arrivals {
    /// At equal distances
    Constant,
    /// Independently of each other, as those of many users do
    Poisson,
}

/// Which endpoints of an etcd target take the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndpointMode {
    /// The one that leads the group when the run begins
    Leader,
    /// All, one after the other
    All,
    /// The first, whatever its part
    First,
}

/// What a read promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReadConsistency {
    /// It sees every write acknowledged before it began
    Linearizable,
    /// It sees what one member has applied
    Serializable,
}

/// Options that a target's address holds, read as if they stood on the command line.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Overrides {
    #[command(flatten)]
    options: Options,
}

impl Options {
    /// These choices, but for those that a target makes for itself: names as on the command line, without the dashes.
    pub(super) fn with(&self, target: &str, overrides: &[(String, String)]) -> Result<Self, Failure> {
        let mut all = Overrides { options: self.clone() };
        // An open loop has no clients and a closed one no rate: what the target says replaces what the command line says.
        for (name, _) in overrides {
            match name.as_str() {
                "rate" => all.options.clients = None,
                "clients" => all.options.rate = None,
                _ => {}
            }
        }
        let words = overrides.iter().map(|(name, value)| format!("--{name}={value}"));
        all.try_update_from(words).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Failure::Usage(format!("{target}: {first}; what follows ? are options of this command without their dashes, such as ?groups=5"))
        })?;
        Ok(all.options)
    }
}

fn between(text: &str, what: &str, allowed: impl FnOnce(f64) -> bool) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| allowed(*number)).ok_or_else(|| format!("write {what}"))
}

fn rate(text: &str) -> Result<f64, String> {
    between(text, "a number of requests per second, 0.1 to 10000000", |rate| (0.1..=1e7).contains(&rate))
}

fn share(text: &str) -> Result<f64, String> {
    between(text, "a share from 0 (only writes) to 1 (only reads), such as 0.9", |share| (0.0..=1.0).contains(&share))
}

fn interval(text: &str) -> Result<f64, String> {
    between(text, "a number of milliseconds, 0.001 to 60000", |ms| (0.001..=60_000.0).contains(&ms))
}

#[cfg(test)]
mod tests {
    use super::{Failure, Options};

    fn with(base: &Options, overrides: &[(&str, &str)]) -> Result<Options, String> {
        let overrides: Vec<(String, String)> = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        base.with("b", &overrides).map_err(|failure| match failure {
            Failure::Usage(text) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_target_changes_what_it_names_and_keeps_the_rest() {
        let base = Options { groups: Some(3), clients: Some(vec![64]), read_share: Some(0.5), ..Options::default() };
        let changed = with(&base, &[("groups", "5"), ("connections", "1,8")]).unwrap();
        assert_eq!((changed.groups, changed.clients, changed.read_share), (Some(5), Some(vec![64]), Some(0.5)));
        assert_eq!(changed.connections, Some(vec![1, 8]));
        let open = with(&base, &[("rate", "500")]).unwrap();
        assert_eq!((open.rate, open.clients), (Some(vec![500.0]), None));
    }

    #[test]
    fn a_wrong_option_of_a_target_is_named_with_the_target() {
        for (name, value, part) in [("grups", "5", "--grups"), ("groups", "0", "1..=100000"), ("read-share", "2", "a share from 0")] {
            let text = with(&Options::default(), &[(name, value)]).unwrap_err();
            assert!(text.starts_with("b: ") && text.contains(part), "{text}");
        }
    }
}
