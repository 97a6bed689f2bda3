//! The configuration of a node: TOML in, a checked [`NodeConfig`] out, or an error that names file, line, key, value and what is allowed.
//!
//! It is read whole before anything is opened: no unknown key is passed over, nothing is silently corrected. What a data folder records is
//! compared later, by whoever opens it.

mod error;
mod etcd;
mod group;
mod identity;
mod parameters;
mod section;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use roadstead_spec::NodeId;
use toml::de::DeTable;

use self::section::{Section, Source};
pub use self::{
    error::{ConfigError, Invalid, Problem},
    etcd::{EtcdConfig, Route},
    group::{GroupConfig, GroupDraft, MEMBERS_MAX, PBFT_MEMBERS_MIN, Protocol, Service},
    identity::{ClusterId, HostPort, NotHostPort, Token},
    parameters::{HEARTBEATS_PER_ELECTION_TIMEOUT, Limits, Parameter, Timers},
};

/// A checked configuration: everything in it can be used as it stands.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster that it belongs to.
    pub cluster: ClusterId,
    /// The one port for peers, clients and the admin API.
    pub listen: SocketAddr,
    /// Its data folder; relative paths of a file are relative to the file.
    pub data: PathBuf,
    /// Where the other nodes are reached. Never contains `node`.
    pub peers: BTreeMap<NodeId, HostPort>,
    /// Which frame header to speak with peers.
    pub header: HeaderPolicy,
    /// The groups to open at start, ascending by id, each id once. This node is a member of each and knows an address of every other member.
    pub groups: Vec<GroupConfig>,
    /// Which group serves clients of etcd's API.
    pub etcd: EtcdConfig,
    /// When things happen.
    pub timers: Timers,
    /// How much of everything there may be.
    pub limits: Limits,
    /// Bytes of the data folder's disk that stay free; absent: what suits the disk.
    pub reserve_bytes: Option<u64>,
    /// Lets requests of other machines change something; without it only requests from loopback may.
    pub admin_token: Option<Token>,
    /// What to write about all this, and how.
    pub log: LogConfig,
}

/// Which frame header a node speaks with its peers; clients always get the extended one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderPolicy {
    /// Offer the extended header, speak the legacy one with a peer that does not know it.
    #[default]
    Auto,
    /// Neither offer the extended header nor answer an offer.
    Legacy,
    /// Refuse peers that do not speak the extended header.
    Extended,
}

impl HeaderPolicy {
    const ALLOWED: &'static str = "\"auto\", \"legacy\" or \"extended\"";

    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "legacy" => Some(Self::Legacy),
            "extended" => Some(Self::Extended),
            _ => None,
        }
    }
}

/// What the log on stderr looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// Lines for people, or one JSON object per line.
    pub format: LogFormat,
    /// The least important lines that are written.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    const ALLOWED: &'static str = "\"text\" or \"json\"";

    fn parse(word: &str) -> Option<Self> {
        match word {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Importance of a log line. The level says what an operator should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Unexpected, but the node goes on.
    Warn,
    /// Changes of role, groups and snapshots.
    #[default]
    Info,
    /// Per message.
    Debug,
    /// Per step.
    Trace,
}

impl LogLevel {
    const ALLOWED: &'static str = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn parse(word: &str) -> Option<Self> {
        match word {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

/// Keys of each table, apart from the numbers of [`Timers`] and [`Limits`]. The empty name is the top of the file.
pub const KEYS: &[(&str, &[&str])] = &[
    ("", &["node", "cluster", "data", "header", "listen", "peer", "group", "etcd", "route", "timers", "limits", "storage", "admin", "log"]),
    ("listen", &["addr"]),
    ("peer", &["id", "addr"]),
    ("group", &["id", "generation", "service", "members", "consensus_protocol"]),
    ("etcd", &["default_group"]),
    ("route", &["prefix", "group"]),
    ("timers", &["profile"]),
    ("limits", &[]),
    ("storage", &["reserve_bytes"]),
    ("admin", &["token"]),
    ("log", &["format", "level"]),
];

/// Every key that a table may have: what the documentation must explain.
pub fn keys_of(table: &str) -> Vec<&'static str> {
    let mut keys: Vec<&str> = KEYS.iter().find(|(name, _)| *name == table).map_or(Vec::new(), |(_, keys)| keys.to_vec());
    let numbers = Timers::PARAMETERS.iter().chain(Limits::PARAMETERS).filter(|parameter| parameter.section == table);
    keys.extend(numbers.map(|parameter| parameter.key));
    keys
}

impl NodeConfig {
    /// Reads and checks a file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(file, &text)
    }

    /// Checks a file's text. `file` is named in errors, and relative paths are relative to its folder.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = Source { file, text };
        let table = DeTable::parse(text).map_err(|error| source.syntax(&error))?;
        let top = Section::new(source, String::new(), table.get_ref(), 0, &keys_of(""))?;

        let node = top.integer("node", 1, NODE_MAX)?;
        let node = node_id(top.required("node", 1, node)?);
        let cluster = top.parsed("cluster", ClusterId::ALLOWED, ClusterId::parse)?;
        let cluster = top.required("cluster", "\"example\"", cluster)?;
        let data = top.string("data", "the path of a folder")?.filter(|path| !path.is_empty());
        let data = top.required("data", "\"data\"", data)?;
        let header = top.parsed("header", HeaderPolicy::ALLOWED, HeaderPolicy::parse)?.unwrap_or_default();
        let listen = read_listen(&top)?;
        let peers = read_peers(&top, node)?;
        let groups = read_groups(&top, node, &peers)?;
        let etcd = EtcdConfig::read(&top)?;
        let timers = Timers::read(&top.table("timers", &keys_of("timers"))?)?;
        let limits = Limits::read(&top.table("limits", &keys_of("limits"))?)?;
        if groups.len() > limits.max_groups {
            let rule = format!("the file has {} groups", groups.len());
            return Err(top.refuse("group", Problem::Conflict { value: format!("limits.max_groups = {}", limits.max_groups), rule }));
        }
        let reserve_bytes = top.table("storage", &keys_of("storage"))?.integer("reserve_bytes", RESERVE_MIN, RESERVE_MAX)?;
        let admin = top.table("admin", &keys_of("admin"))?;
        let admin_token = read_token(&admin)?;
        let log = read_log(&top)?;
        let data = file.parent().unwrap_or(Path::new("")).join(data);
        Ok(Self { node, cluster, listen, data, peers, header, groups, etcd, timers, limits, reserve_bytes, admin_token, log })
    }
}

/// Whether it fits the disk is seen at the start.
const RESERVE_MIN: u64 = 16 << 20;
const RESERVE_MAX: u64 = 1 << 40;

const NODE_MAX: u64 = i32::MAX as u64;

/// The file's readers have checked `1..=NODE_MAX`.
fn node_id(number: u64) -> NodeId {
    NodeId(u32::try_from(number).unwrap_or(u32::MAX))
}

fn read_listen(top: &Section<'_>) -> Result<SocketAddr, ConfigError> {
    let listen = top.table("listen", &keys_of("listen"))?;
    let allowed = "IP:PORT, for example 0.0.0.0:7400, with a port of 1 to 65535";
    let addr = listen.parsed("addr", allowed, |text| text.parse::<SocketAddr>().ok().filter(|addr| addr.port() != 0))?;
    listen.required("addr", "\"0.0.0.0:7400\" under [listen]", addr)
}

/// The own id may be listed, so that all nodes can share one list; it is left out of the result.
fn read_peers(top: &Section<'_>, node: NodeId) -> Result<BTreeMap<NodeId, HostPort>, ConfigError> {
    let mut peers = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for mut peer in top.tables("peer", &keys_of("peer"))? {
        let id = peer.integer("id", 1, NODE_MAX)?;
        let id = node_id(peer.required("id", 2, id)?);
        peer.relabel(format!("peer {id}: "));
        let addr = peer.string("addr", "HOST:PORT")?;
        let addr = peer.required("addr", "\"10.0.0.2:7400\"", addr)?;
        let addr = addr
            .parse::<HostPort>()
            .map_err(|error| peer.refuse("addr", Problem::OutOfRange { value: format!("{addr:?}"), allowed: error.to_string() }))?;
        if !seen.insert(id) {
            return Err(peer.refuse("id", Problem::Duplicate { value: format!("peer {id}") }));
        }
        if id != node {
            peers.insert(id, addr);
        }
    }
    Ok(peers)
}

fn read_groups(top: &Section<'_>, node: NodeId, peers: &BTreeMap<NodeId, HostPort>) -> Result<Vec<GroupConfig>, ConfigError> {
    let mut groups: BTreeMap<_, GroupConfig> = BTreeMap::new();
    for mut section in top.tables("group", &keys_of("group"))? {
        let id = section.integer("id", 0, NODE_MAX)?;
        let id = section.required("id", 1, id)?;
        section.relabel(format!("group {id}: "));
        let members = section.integers("members", 1, NODE_MAX)?;
        let members = section.required("members", format!("[{node}, 2, 3]"), members)?;
        let members: Vec<u32> = members.into_iter().map(|member| node_id(member).0).collect();
        let draft = GroupDraft {
            id: i64::try_from(id).unwrap_or(i64::MAX),
            generation: section.integer("generation", 1, i64::MAX as u64)?,
            service: section.string("service", Service::ALLOWED)?,
            protocol: section.string("consensus_protocol", "\"raft\"")?,
            members: &members,
        };
        let group = draft.check().and_then(|group| group.check_on(node, |member| peers.contains_key(&member)).map(|()| group));
        let group = group.map_err(|Invalid { key, problem }| section.refuse(&key, problem))?;
        let value = format!("group {id}");
        if groups.insert(group.id, group).is_some() {
            return Err(section.refuse("id", Problem::Duplicate { value }));
        }
    }
    Ok(groups.into_values().collect())
}

/// Errors do not show the value: a secret that is one character short is still half a secret.
fn read_token(admin: &Section<'_>) -> Result<Option<Token>, ConfigError> {
    let Some(text) = admin.string("token", Token::ALLOWED)? else { return Ok(None) };
    let allowed = || Problem::OutOfRange { value: "this token".to_owned(), allowed: Token::ALLOWED.to_owned() };
    Token::parse(text).map(Some).ok_or_else(|| admin.refuse("token", allowed()))
}

fn read_log(top: &Section<'_>) -> Result<LogConfig, ConfigError> {
    let log = top.table("log", &keys_of("log"))?;
    Ok(LogConfig {
        format: log.parsed("format", LogFormat::ALLOWED, LogFormat::parse)?.unwrap_or_default(),
        level: log.parsed("level", LogLevel::ALLOWED, LogLevel::parse)?.unwrap_or_default(),
    })
}
