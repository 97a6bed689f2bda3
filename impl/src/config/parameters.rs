//! Timers and limits: every number that an operator may turn, with its unit, default and allowed range in one place.
//!
//! The table is the struct: a parameter that is not in the table cannot exist, and tests hold the documentation against the table.

use std::time::Duration;

use super::{
    error::{ConfigError, Invalid, Problem},
    section::Section,
};

/// One number of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its table, `timers` or `limits`.
    pub section: &'static str,
    /// Its key, with the unit as last word where it has one.
    pub key: &'static str,
    /// What holds when the key is absent.
    pub default: u64,
    /// What holds when the key is absent and `profile = "fast"`.
    pub fast: u64,
    /// Least allowed value.
    pub min: u64,
    /// Greatest allowed value.
    pub max: u64,
    /// What it is, in the words of the field's documentation.
    pub about: &'static str,
}

/// How a number of the file becomes a field and back.
trait Value: Copy {
    fn from_number(number: u64) -> Self;
    fn to_number(self) -> u64;
}

/// Keys of durations end in `_ms`.
impl Value for Duration {
    fn from_number(number: u64) -> Self {
        Self::from_millis(number)
    }
    fn to_number(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Sizes and counts of things in memory. The ranges below fit a 32-bit address space except where a machine of that size has no use for them.
impl Value for usize {
    fn from_number(number: u64) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }
    fn to_number(self) -> u64 {
        self as u64
    }
}

/// Distances in the log.
impl Value for u64 {
    fn from_number(number: u64) -> Self {
        number
    }
    fn to_number(self) -> u64 {
        self
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

macro_rules! parameters {
    ($(#[$doc:meta])* $name:ident in $section:literal {
        $( $(#[doc = $about:literal])+ $field:ident: $ty:ty = $key:literal, $default:expr, fast $fast:expr, $min:expr => $max:expr; )+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $about])+ pub $field: $ty, )+
        }

        impl $name {
            /// Every parameter of this table, in the order of the fields.
            pub const PARAMETERS: &'static [Parameter] = &[$(Parameter {
                section: $section, key: $key, default: $default, fast: $fast, min: $min, max: $max, about: concat!($($about),+),
            }),+];

            fn of_defaults(choose: impl Fn(&Parameter) -> u64) -> Self {
                let mut parameters = Self::PARAMETERS.iter().map(choose);
                Self { $( $field: Value::from_number(parameters.next().unwrap_or($default)), )+ }
            }

            fn overridden(mut self, section: &Section<'_>) -> Result<Self, ConfigError> {
                $( if let Some(number) = section.integer($key, $min, $max)? { self.$field = Value::from_number(number); } )+
                Ok(self)
            }

            fn check_ranges(&self) -> Result<(), Invalid> {
                $( check_range($section, $key, Value::to_number(self.$field), $min, $max)?; )+
                Ok(())
            }
        }
    };
}

parameters! {
    /// When things happen.
    Timers in "timers" {
        /// Time between two heartbeats of a leader to each follower; one tick for all groups of the node.
        heartbeat: Duration = "heartbeat_ms", 100, fast 50, 5 => 60_000;
        /// Shortest silence of the leader after which a follower asks for votes; each wait is drawn from one to two times this.
        election_timeout: Duration = "election_timeout_ms", 1_000, fast 300, 50 => 600_000;
        /// A disk that has not finished a sync for this long counts as stalled: leaders on this node step down.
        disk_stall: Duration = "disk_stall_ms", 5_000, fast 2_000, 500 => 600_000;
        /// How long a client's request may wait for its outcome where the client set no deadline of its own.
        request_timeout: Duration = "request_timeout_ms", 5_000, fast 5_000, 50 => 600_000;
        /// How long an attempt to connect to a peer may take.
        connect_timeout: Duration = "connect_timeout_ms", 1_000, fast 500, 10 => 60_000;
        /// How long a new connection may take to say what it carries and to finish its negotiation.
        handshake_timeout: Duration = "handshake_timeout_ms", 3_000, fast 1_000, 10 => 60_000;
        /// A frame or request that has begun and makes no progress for this long closes its connection.
        read_timeout: Duration = "read_timeout_ms", 10_000, fast 5_000, 50 => 600_000;
        /// First wait before a lost peer is dialled again; doubles with each failure, with jitter.
        reconnect_min: Duration = "reconnect_min_ms", 50, fast 20, 1 => 60_000;
        /// Longest wait before a lost peer is dialled again.
        reconnect_max: Duration = "reconnect_max_ms", 2_000, fast 500, 1 => 600_000;
        /// Longest time that applied state stays unsynced; after a crash that much is applied again from the log.
        state_sync: Duration = "state_sync_ms", 5_000, fast 5_000, 100 => 600_000;
        /// How long a stopping node waits for its groups to finish what they have begun.
        shutdown: Duration = "shutdown_ms", 5_000, fast 5_000, 0 => 600_000;
    }
}

parameters! {
    /// How much of everything there may be at once. Whatever meets its bound is refused with an error that may be retried, never kept in unbounded memory.
    Limits in "limits" {
        /// Largest command of one entry; a larger one is refused before memory is taken for it.
        max_entry_bytes: usize = "max_entry_bytes", 8 * MIB, fast 8 * MIB, KIB => 64 * MIB;
        /// Largest frame between nodes, unless it carries a single entry that is larger.
        max_frame_bytes: usize = "max_frame_bytes", 256 * KIB, fast 256 * KIB, 4 * KIB => 16 * MIB;
        /// Messages with entries that a leader sends to one follower of a group before an answer must come.
        inflight_messages: usize = "inflight_messages", 128, fast 128, 1 => 4_096;
        /// Entries under way to one follower of a group.
        inflight_entries: usize = "inflight_entries", 16_384, fast 16_384, 1 => 1_048_576;
        /// Entries that one message carries at most.
        entries_per_message: usize = "entries_per_message", 1_024, fast 1_024, 1 => 65_536;
        /// Writes of a group that were taken in and have no outcome yet; the next one is answered "busy".
        group_writes: usize = "group_writes", 16_384, fast 16_384, 1 => 1_048_576;
        /// Bytes of those writes.
        group_write_bytes: usize = "group_write_bytes", 64 * MIB, fast 64 * MIB, 64 * KIB => 4 * GIB;
        /// Linearizable reads of a group that wait for their confirmation; the next one is answered "busy".
        group_reads: usize = "group_reads", 16_384, fast 16_384, 1 => 1_048_576;
        /// Bytes that wait to be written to one peer; more are dropped and counted, heartbeats last.
        peer_queue_bytes: usize = "peer_queue_bytes", 32 * MIB, fast 32 * MIB, 128 * KIB => 4 * GIB;
        /// Bytes of committed entries, over all groups, that wait to be applied; beyond it no group takes writes in.
        apply_queue_bytes: usize = "apply_queue_bytes", 128 * MIB, fast 128 * MIB, MIB => 16 * GIB;
        /// Memory for recent entries of all logs, for followers that are slightly behind; older entries are read from disk.
        log_cache_bytes: usize = "log_cache_bytes", 64 * MIB, fast 64 * MIB, MIB => 64 * GIB;
        /// Applied entries after which a group takes a snapshot and compacts its log.
        snapshot_entries: u64 = "snapshot_entries", 100_000, fast 100_000, 100 => 1_000_000_000;
        /// Entries behind the snapshot that stay in the log, so that a short absence does not cost a whole snapshot.
        snapshot_keep_entries: u64 = "snapshot_keep_entries", 10_000, fast 10_000, 0 => 1_000_000_000;
        /// Bytes of one chunk of a snapshot.
        snapshot_chunk_bytes: usize = "snapshot_chunk_bytes", 128 * KIB, fast 128 * KIB, 4 * KIB => 8 * MIB;
        /// Unacknowledged bytes of snapshots to one peer; a heartbeat waits behind at most that.
        snapshot_window_bytes: usize = "snapshot_window_bytes", MIB, fast MIB, 16 * KIB => 256 * MIB;
        /// Connections that the port keeps open; further ones are closed at once and counted.
        max_connections: usize = "max_connections", 4_096, fast 4_096, 16 => 1_000_000;
        /// Requests of one client connection that have no answer yet; the port reads no further until one has.
        connection_requests: usize = "connection_requests", 4_096, fast 4_096, 1 => 1_048_576;
        /// Largest body of a request to the admin API.
        http_body_bytes: usize = "http_body_bytes", MIB, fast MIB, KIB => 64 * MIB;
        /// Groups that this node hosts at most.
        max_groups: usize = "max_groups", 100_000, fast 100_000, 1 => 1_000_000;
    }
}

/// Heartbeats that must be lost in a row before a follower stands for election.
pub const HEARTBEATS_PER_ELECTION_TIMEOUT: u32 = 3;

/// Bytes of a message besides its largest entry, generously.
pub(crate) const FRAME_OVERHEAD: usize = 64 * 1024;

impl Timers {
    /// Keys of `[timers]` that are not numbers.
    pub(super) const PROFILE: &'static str = "profile";
    const PROFILES: &'static str = "\"default\" (election timeout 1 s) or \"fast\" (a leader's death costs writers at most about 1 s)";

    /// For a network and disks that answer within some tens of milliseconds: a leader's death costs writers at most about one second.
    pub fn fast() -> Self {
        Self::of_defaults(|parameter| parameter.fast)
    }

    pub(super) fn read(section: &Section<'_>) -> Result<Self, ConfigError> {
        let profile = section.parsed(Self::PROFILE, Self::PROFILES, |word| match word {
            "default" => Some(Self::default()),
            "fast" => Some(Self::fast()),
            _ => None,
        })?;
        let timers = profile.unwrap_or_default().overridden(section)?;
        timers.check().map_err(|invalid| at(section, invalid))?;
        Ok(timers)
    }

    /// Checks ranges and what the timers owe each other; for configurations that were made in code.
    pub fn check(&self) -> Result<(), Invalid> {
        self.check_ranges()?;
        if self.election_timeout < self.heartbeat * HEARTBEATS_PER_ELECTION_TIMEOUT {
            let (heartbeat, timeout) = (self.heartbeat.as_millis(), self.election_timeout.as_millis());
            let rule = format!(
                "it must be at least {HEARTBEATS_PER_ELECTION_TIMEOUT} times heartbeat_ms ({heartbeat}), or one lost heartbeat deposes a leader"
            );
            return conflict("timers.election_timeout_ms", timeout, rule);
        }
        if self.reconnect_max < self.reconnect_min {
            let rule = format!("it must be at least reconnect_min_ms ({})", self.reconnect_min.as_millis());
            return conflict("timers.reconnect_max_ms", self.reconnect_max.as_millis(), rule);
        }
        Ok(())
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::of_defaults(|parameter| parameter.default)
    }
}

impl Limits {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, ConfigError> {
        let limits = Self::default().overridden(section)?;
        limits.check().map_err(|invalid| at(section, invalid))?;
        Ok(limits)
    }

    /// Checks ranges and what the limits owe each other; for configurations that were made in code.
    pub fn check(&self) -> Result<(), Invalid> {
        self.check_ranges()?;
        let largest = self.max_entry_bytes;
        let queue_min = largest.max(self.max_frame_bytes) + FRAME_OVERHEAD;
        if self.peer_queue_bytes < queue_min {
            let rule = format!("the largest entry or frame must fit: at least {queue_min}");
            return conflict("limits.peer_queue_bytes", self.peer_queue_bytes, rule);
        }
        for (key, bytes) in [("limits.group_write_bytes", self.group_write_bytes), ("limits.apply_queue_bytes", self.apply_queue_bytes)] {
            if bytes < largest {
                return conflict(
                    key,
                    bytes,
                    format!("it must be at least max_entry_bytes ({largest}), or the largest entry can never pass"),
                );
            }
        }
        if self.snapshot_window_bytes < self.snapshot_chunk_bytes {
            let rule = format!("one chunk must fit: at least snapshot_chunk_bytes ({})", self.snapshot_chunk_bytes);
            return conflict("limits.snapshot_window_bytes", self.snapshot_window_bytes, rule);
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_defaults(|parameter| parameter.default)
    }
}

fn check_range(section: &str, key: &str, number: u64, min: u64, max: u64) -> Result<(), Invalid> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    let allowed = format!("a whole number, {min} to {max}");
    Err(Invalid::new(format!("{section}.{key}"), Problem::OutOfRange { value: number.to_string(), allowed }))
}

fn conflict(key: &str, value: impl ToString, rule: String) -> Result<(), Invalid> {
    Err(Invalid::new(key, Problem::Conflict { value: value.to_string(), rule }))
}

/// Puts an error of `check` at the line of its key.
fn at(section: &Section<'_>, invalid: Invalid) -> ConfigError {
    let key = invalid.key.rsplit('.').next().unwrap_or_default();
    section.refuse(key, invalid.problem)
}
