//! What a run does, with every choice made: the circumstances that a figure means nothing without.

use serde::{Deserialize, Serialize};

use super::{
    super::failure::Failure,
    options::{Arrivals, EndpointMode, Options, ReadConsistency},
    target::Protocol,
};

/// Different keys unless the user says otherwise.
const KEYS: u32 = 100_000_000;

/// One run's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Workload {
    /// When requests begin.
    #[serde(flatten)]
    pub(super) pace: Pace,
    /// Connections in all, to each endpoint that is used at least one.
    pub(super) connections: u32,
    /// Which endpoints are used; `None` where the client chooses by itself.
    pub(super) endpoint_mode: Option<EndpointMode>,
    /// The first group; `None`: no group is named in requests.
    pub(super) group: Option<i32>,
    /// Groups from there on.
    pub(super) groups: u32,
    /// Share of reads.
    pub(super) read_share: f64,
    /// What reads promise.
    pub(super) consistency: ReadConsistency,
    /// Length of a key.
    pub(super) key_bytes: u32,
    /// Different keys.
    pub(super) keys: u32,
    /// Length of a value.
    pub(super) value_bytes: u32,
    /// Length of the run that counts.
    pub(super) seconds: u64,
    /// Time before it.
    pub(super) warm_up_seconds: u64,
    /// Seed of keys, values and arrivals.
    pub(super) seed: u64,
    /// For corrected latencies of a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected_interval_seconds: Option<f64>,
}

/// When requests begin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub(super) enum Pace {
    /// When the one before has ended. A stall of the target holds the clients up as well: latencies are those of requests that were made, and say
    /// little about those that users would have made meanwhile.
    Closed {
        /// Clients at once.
        clients: u32,
    },
    /// On a schedule. Latencies count from the intended begin, so that a stall shows in all requests that it held up.
    Open {
        /// Requests per second.
        rate: f64,
        /// Their distances.
        arrivals: Arrivals,
        /// Requests under way at most.
        in_flight_max: u32,
    },
}

impl Workload {
    /// The runs that options ask for: one for each number of clients or each rate.
    pub(super) fn all(options: &Options, protocol: Protocol) -> Result<Vec<Self>, Failure> {
        let paces = paces(options)?;
        let connections = options.connections.as_deref().unwrap_or(&[1]);
        if connections.len() != 1 && connections.len() != paces.len() {
            return Err(Failure::Usage(format!(
                "--connections has {} numbers for {} runs; give one number for all runs, or one for each of --clients or --rate",
                connections.len(),
                paces.len()
            )));
        }
        let one = Self::with(options, protocol)?;
        let connections = connections.iter().copied().cycle();
        Ok(paces.into_iter().zip(connections).map(|(pace, connections)| Self { pace, connections, ..one.clone() }).collect())
    }

    fn with(options: &Options, protocol: Protocol) -> Result<Self, Failure> {
        let key_bytes = options.key_size.unwrap_or(16);
        let possible = 16u32.checked_pow(key_bytes).unwrap_or(u32::MAX);
        let keys = options.keys.unwrap_or(KEYS.min(possible));
        if keys > possible {
            return Err(Failure::Usage(format!(
                "--keys {keys} do not fit --key-size {key_bytes}: keys are hexadecimal numbers, so there are {possible}; raise --key-size or lower --keys"
            )));
        }
        let groups = options.groups.unwrap_or(1);
        let named = options.group.is_some() || options.groups.is_some();
        let group = (named || protocol == Protocol::Native).then(|| options.group.unwrap_or(1));
        if i64::from(group.unwrap_or(0)) + i64::from(groups) - 1 > i64::from(i32::MAX) {
            return Err(Failure::Usage("--group and --groups reach beyond 2147483647, the last group id".to_owned()));
        }
        let endpoint_mode = match protocol {
            Protocol::Native if options.endpoint_mode.is_some() => {
                return Err(Failure::Usage(
                    "--endpoint-mode is for etcd targets; the native client follows the leader by itself".to_owned(),
                ));
            }
            Protocol::Native => None,
            Protocol::Etcd => Some(options.endpoint_mode.unwrap_or(EndpointMode::Leader)),
        };
        Ok(Self {
            pace: Pace::Closed { clients: 1 },
            connections: 1,
            endpoint_mode,
            group,
            groups,
            read_share: options.read_share.unwrap_or(0.0),
            consistency: options.consistency.unwrap_or(ReadConsistency::Linearizable),
            key_bytes,
            keys,
            value_bytes: options.value_size.unwrap_or(100),
            seconds: options.seconds.unwrap_or(20),
            warm_up_seconds: options.warmup.unwrap_or(2),
            seed: options.seed.unwrap_or(1),
            expected_interval_seconds: options.expected_interval_ms.map(|ms| ms / 1e3),
        })
    }

    /// Whether requests begin on a schedule.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.pace, Pace::Open { .. })
    }

    /// What it does, in a few words.
    pub(super) fn text(&self) -> String {
        let pace = match self.pace {
            Pace::Closed { clients } => format!("closed loop, {}", plural(clients, "client")),
            Pace::Open { rate, arrivals, in_flight_max } => {
                let arrivals = match arrivals {
                    Arrivals::Constant => "constant",
                    Arrivals::Poisson => "Poisson",
                };
                format!("open loop, {rate}/s ({arrivals}, at most {in_flight_max} under way)")
            }
        };
        let group = match self.group {
            None => "no group named".to_owned(),
            Some(group) if self.groups == 1 => format!("group {group}"),
            Some(group) => format!("groups {group} to {}", i64::from(group) + i64::from(self.groups) - 1),
        };
        format!(
            "{}, {pace}, {}, {group}, {} B keys ({} of them), {} B values, {} s after {} s of warm-up",
            self.operation(),
            plural(self.connections, "connection"),
            self.key_bytes,
            self.keys,
            self.value_bytes,
            self.seconds,
            self.warm_up_seconds
        )
    }

    /// What requests do, in words.
    pub(super) fn operation(&self) -> String {
        let consistency = match self.consistency {
            ReadConsistency::Linearizable => "linearizable",
            ReadConsistency::Serializable => "serializable",
        };
        match self.read_share {
            0.0 => "puts".to_owned(),
            1.0 => format!("{consistency} gets"),
            share => format!("{:.0} % {consistency} gets, rest puts", share * 100.0),
        }
    }

    /// What tells this run from others of a series: clients or rate.
    pub(super) fn step(&self) -> String {
        match self.pace {
            Pace::Closed { clients } => plural(clients, "client"),
            Pace::Open { rate, .. } => format!("{rate}/s offered"),
        }
    }
}

fn plural(count: u32, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

fn paces(options: &Options) -> Result<Vec<Pace>, Failure> {
    let Some(rates) = &options.rate else {
        if let Some(option) = options.arrivals.map(|_| "--arrivals").or(options.in_flight_max.map(|_| "--in-flight-max")) {
            return Err(Failure::Usage(format!("{option} is of an open loop; give its --rate as well")));
        }
        let clients = options.clients.as_deref().unwrap_or(&[64]);
        return Ok(clients.iter().map(|&clients| Pace::Closed { clients }).collect());
    };
    let arrivals = options.arrivals.unwrap_or(Arrivals::Poisson);
    let in_flight_max = options.in_flight_max.unwrap_or(4_096);
    Ok(rates.iter().map(|&rate| Pace::Open { rate, arrivals, in_flight_max }).collect())
}

#[cfg(test)]
mod tests {
    use super::{Failure, Options, Pace, Protocol, Workload};

    fn refusal(options: &Options, protocol: Protocol) -> String {
        match Workload::all(options, protocol) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_number_of_clients_is_a_run_with_its_connections() {
        let options = Options { clients: Some(vec![1, 64]), connections: Some(vec![1, 8]), ..Options::default() };
        let runs = Workload::all(&options, Protocol::Etcd).unwrap();
        let told: Vec<(Pace, u32)> = runs.iter().map(|run| (run.pace, run.connections)).collect();
        assert_eq!(told, [(Pace::Closed { clients: 1 }, 1), (Pace::Closed { clients: 64 }, 8)]);
        assert_eq!((runs[0].group, runs[0].key_bytes, runs[0].value_bytes), (None, 16, 100));
        let native = &Workload::all(&Options::default(), Protocol::Native).unwrap()[0];
        assert_eq!((native.group, native.endpoint_mode), (Some(1), None), "the native client always names a group");
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_the_way_out() {
        let short = Options { key_size: Some(2), keys: Some(300), ..Options::default() };
        assert!(refusal(&short, Protocol::Native).contains("there are 256"));
        let uneven = Options { clients: Some(vec![1, 2, 3]), connections: Some(vec![1, 2]), ..Options::default() };
        assert!(refusal(&uneven, Protocol::Native).contains("2 numbers for 3 runs"));
        let closed = Options { in_flight_max: Some(3), ..Options::default() };
        assert!(refusal(&closed, Protocol::Native).contains("--in-flight-max is of an open loop"));
        let far = Options { group: Some(i32::MAX), groups: Some(2), ..Options::default() };
        assert!(refusal(&far, Protocol::Etcd).contains("2147483647"));
        let mode = Options { endpoint_mode: Some(super::EndpointMode::All), ..Options::default() };
        assert!(refusal(&mode, Protocol::Native).contains("etcd targets"));
        let fits = Options { key_size: Some(2), ..Options::default() };
        assert_eq!(Workload::all(&fits, Protocol::Native).unwrap()[0].keys, 256);
    }
}
