//! What a node is told at its start, and why it may refuse to start.

use crate::{
    config::{EtcdConfig, GroupConfig, HeaderPolicy, Limits, NodeConfig, Protocol, Timers},
    port::BindError,
    service,
    state_machine::StateMachine,
    store::{OpenError, RegistryError, open::Engines, space::SpaceError},
};
use roadstead_spec::{GroupId, Incarnation, NodeId};
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf};

/// Makes a state machine of a service, once per group and start.
pub type Factory = Box<dyn Fn() -> Box<dyn StateMachine> + Send>;

/// The services that a node can host, by name.
pub struct Services(BTreeMap<String, Factory>);

impl Services {
    /// No service at all: every group brings its state machine along.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a service, or replaces the one of this name.
    #[must_use]
    pub fn with(mut self, name: &str, factory: impl Fn() -> Box<dyn StateMachine> + Send + 'static) -> Self {
        self.0.insert(name.to_owned(), Box::new(factory));
        self
    }

    /// A new state machine of this service.
    pub(crate) fn make(&self, name: &str) -> Option<Box<dyn StateMachine>> {
        self.0.get(name).map(|factory| factory())
    }

    /// Whether there is a service of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names, for error messages.
    pub(crate) fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl Default for Services {
    /// The services that come with Roadstead.
    fn default() -> Self {
        service::SERVICES.iter().fold(Self::none(), |services, (name, make)| services.with(name, make))
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A group that a node is to host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    /// Number on the wire.
    pub group: GroupId,
    /// Raised on all members to make a new group under an old number.
    pub generation: u64,
    /// Name of its service.
    pub service: String,
    /// How it is replicated.
    pub protocol: Protocol,
    /// The members, this node among them.
    pub members: Vec<NodeId>,
}

impl GroupOptions {
    /// A Raft group of the first generation.
    pub fn raft(group: GroupId, service: &str, members: &[NodeId]) -> Self {
        Self { group, generation: 1, service: service.to_owned(), protocol: Protocol::Raft, members: members.to_vec() }
    }

    /// The name of this life of the group: the same on every member that was told the same.
    pub(crate) fn incarnation(&self, cluster: u128) -> Incarnation {
        Incarnation::of(cluster, self.group, self.generation, &self.members)
    }
}

/// Where a node keeps its groups: logs, terms, votes and states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In a folder, which is made if it is not there. What is acknowledged is synced to disk on a quorum.
    Folder(PathBuf),
    /// In memory, for tests, measurements and data that may go: what is acknowledged is in the memory of a quorum. A node that ends has forgotten its
    /// votes; its peers know it by its store id and refuse its successor, so it comes back under a new node id only.
    Memory,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Memory => f.write_str("(memory)"),
        }
    }
}

/// What a node is told at its start.
#[derive(Debug)]
pub struct NodeOptions {
    /// This node.
    pub node: NodeId,
    /// The cluster that it belongs to.
    pub cluster: u128,
    /// The one port; number 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where it keeps what it must not forget.
    pub data: Data,
    /// Where the other nodes are reached.
    pub peers: BTreeMap<NodeId, String>,
    /// Which header to speak with them.
    pub header: HeaderPolicy,
    /// When things happen.
    pub timers: Timers,
    /// How much there may be.
    pub limits: Limits,
    /// Bytes of the data folder's disk that stay free; `None`: what suits the disk, see [`Reserve::choose`](crate::store::space::Reserve::choose).
    pub reserve_bytes: Option<u64>,
    /// Lets other machines change something over HTTP.
    pub admin_token: Option<crate::config::Token>,
    /// Groups to host from the start, besides those that the data folder knows.
    pub groups: Vec<GroupOptions>,
    /// Which group serves clients of etcd's API.
    pub etcd: EtcdConfig,
    /// Services that groups may name.
    pub services: Services,
    /// What stands between the node and the databases of its data folder.
    pub engines: Engines,
    /// Folder for the record of this run, one file per boot, to be judged later: see [`crate::trace`]. It may be the same for all nodes.
    pub trace: Option<PathBuf>,
    /// Folder for the last records of a node without a trace on which something is wrong; `None`: `dumps` in the data folder, and nowhere in memory. See
    /// [`crate::trace::Dumps`].
    pub dumps: Option<PathBuf>,
}

impl NodeOptions {
    /// A node with nothing but a name, an address and a folder: defaults for everything else.
    pub fn new(node: NodeId, listen: SocketAddr, data: impl Into<PathBuf>) -> Self {
        Self { data: Data::Folder(data.into()), ..Self::in_memory(node, listen) }
    }

    /// A node without a disk, see [`Data::Memory`]: defaults for everything else.
    pub fn in_memory(node: NodeId, listen: SocketAddr) -> Self {
        Self {
            node,
            cluster: 0,
            listen,
            data: Data::Memory,
            peers: BTreeMap::new(),
            header: HeaderPolicy::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            reserve_bytes: None,
            admin_token: None,
            groups: Vec::new(),
            etcd: EtcdConfig::default(),
            services: Services::default(),
            engines: Engines::default(),
            trace: None,
            dumps: None,
        }
    }
}

impl From<GroupConfig> for GroupOptions {
    fn from(group: GroupConfig) -> Self {
        Self {
            group: group.id,
            generation: group.generation,
            service: group.service.name().to_owned(),
            protocol: group.protocol,
            members: group.members,
        }
    }
}

impl From<NodeConfig> for NodeOptions {
    fn from(config: NodeConfig) -> Self {
        Self {
            node: config.node,
            cluster: config.cluster.0,
            listen: config.listen,
            data: Data::Folder(config.data),
            peers: config.peers.into_iter().map(|(id, address)| (id, address.to_string())).collect(),
            header: config.header,
            timers: config.timers,
            limits: config.limits,
            reserve_bytes: config.reserve_bytes,
            admin_token: config.admin_token,
            groups: config.groups.into_iter().map(GroupOptions::from).collect(),
            etcd: config.etcd,
            services: Services::default(),
            engines: Engines::default(),
            trace: None,
            dumps: None,
        }
    }
}

/// Why a node does not start. Nothing was accepted on the port.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("data folder {folder}: {source}")]
    Store {
        /// Which folder.
        folder: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The disk has too little room, or the reserve does not fit it.
    #[error("data folder {folder}: {source}")]
    Space {
        /// Which folder.
        folder: String,
        /// Why.
        #[source]
        source: SpaceError,
    },
    /// The trace cannot be begun.
    #[error("the trace folder {folder}: {source}; records of another run are never overwritten: name an empty folder for a new one")]
    Trace {
        /// Which folder.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A group.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The system refuses a thread or a runtime.
    #[error("the system refuses {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The databases failed while the groups were opened.
    #[error("the node stopped while it opened its groups: {0}")]
    Stopped(String),
}

impl StartError {
    /// 2 for what the configuration must mend, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Group(_) | Self::Space { source: SpaceError::Senseless { .. }, .. } => 2,
            Self::Store { source, .. } => source.exit_code(),
            Self::Space { .. } | Self::Trace { .. } | Self::Bind(_) | Self::System { .. } | Self::Stopped(_) => 1,
        }
    }
}

/// Why a group is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The registry says no.
    #[error("group {group}: {reason}")]
    Registry {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: RegistryError,
    },
    /// The data folder knows the group otherwise.
    #[error(
        "group {group}: {key} is {found} here, but the data folder records {recorded}; write {key} = {recorded}, or raise the group's generation on \
         all members to make a new group"
    )]
    Differs {
        /// Which group.
        group: GroupId,
        /// Which key.
        key: &'static str,
        /// What was given.
        found: String,
        /// What the data folder says.
        recorded: String,
    },
    /// No such service.
    #[error("group {group}: there is no service {service:?}; known services: {known}")]
    Service {
        /// Which group.
        group: GroupId,
        /// What was given.
        service: String,
        /// What is there.
        known: String,
    },
    /// The members make no group.
    #[error("group {group}: {reason}")]
    Members {
        /// Which group.
        group: GroupId,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A new life of group 0 while the legacy header is spoken, which cannot tell one life from another.
    #[error(
        "group {group}: PeerIsLegacy: a generation above 1 needs the extended header, since the legacy one cannot tell the group's lives apart; \
         {who} first (docs/operate.md, Switching headers)"
    )]
    PeerIsLegacy {
        /// Group 0.
        group: GroupId,
        /// What to switch.
        who: String,
    },
    /// There are as many groups as the node may host.
    #[error("group {group}: this node hosts limits.max_groups ({limit}) groups already; raise the limit or use another node")]
    TooMany {
        /// Which group.
        group: GroupId,
        /// The limit.
        limit: usize,
    },
    /// The group is not here.
    #[error("group {0} is not on this node; `roadstead group list` shows what is")]
    NoSuchGroup(GroupId),
    /// The group stopped while it was opened.
    #[error("group {group} has stopped: {reason}")]
    Failed {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// The node ends.
    #[error("the node is shutting down")]
    ShuttingDown,
}
