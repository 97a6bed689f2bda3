//! Folders, files and ports of a cluster on this machine.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use crate::config::{ClusterId, HostPort, NodeConfig};

use super::{super::failure::Failure, Args};

const NODES: u32 = 3;
const GROUPS: u32 = 8;
const PORT: u16 = 7400;
const CLUSTER: &str = "dev";

/// All of it: the files are written, the ports were free.
#[derive(Debug)]
pub(super) struct Layout {
    /// The cluster's folder.
    pub(super) dir: PathBuf,
    /// Ascending by id, from 1.
    pub(super) nodes: Vec<Place>,
    /// Ids of the groups, ascending.
    pub(super) groups: Vec<i32>,
    /// The cluster that the nodes belong to.
    pub(super) cluster: ClusterId,
}

/// Where one node lives.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The node.
    pub(super) id: u32,
    /// Its one port.
    pub(super) endpoint: HostPort,
    /// `DIR/nN`.
    pub(super) folder: PathBuf,
    /// Where it records what it does, as an absolute path.
    pub(super) trace: Option<PathBuf>,
}

impl Place {
    fn new(dir: &Path, id: u32, port: u16) -> Self {
        let endpoint = HostPort { host: Ipv4Addr::LOCALHOST.to_string(), port };
        Self { id, endpoint, folder: dir.join(format!("n{id}")), trace: None }
    }

    /// Its configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// Holds the process id while the node runs.
    pub(super) fn pid(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// What the node says on stdout and stderr.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Layout {
    /// Checks that everything can start, and only then touches files.
    pub(super) fn prepare(args: &Args) -> Result<Self, Failure> {
        let found = find(&args.dir)?;
        let kept: &[NodeConfig] = if args.fresh { &[] } else { &found };
        let nodes = args.nodes.unwrap_or_else(|| count(kept).unwrap_or(NODES));
        if let Some(there) = count(kept).filter(|&there| there != nodes) {
            return Err(Failure::Usage(format!(
                "{} holds a cluster of {there} nodes and its groups' members cannot change yet; leave out --nodes, begin anew with --fresh, or name \
                 another folder with --dir",
                args.dir.display()
            )));
        }
        let groups = choose_groups(args, kept)?;
        let port = args.port.or_else(|| kept.first().map(|first| first.listen.port())).unwrap_or(PORT);
        let trace = args.trace.as_deref().map(std::path::absolute).transpose();
        let trace = trace.map_err(|error| Failure::failed(format!("--trace: {error}")))?;
        let place = |id| Place { trace: trace.clone(), ..Place::new(&args.dir, id, port.saturating_add(id as u16 - 1)) };
        let places: Vec<Place> = (1..=nodes).map(place).collect();
        for place in &places {
            check_port(place)?;
        }
        if args.fresh {
            clear(&args.dir, &found)?;
        }
        let mut cluster = ClusterId::of_name(CLUSTER);
        for place in &places {
            cluster = write_config(place, &places, &groups)?;
        }
        Ok(Self { dir: args.dir.clone(), nodes: places, groups: groups.into_keys().collect(), cluster })
    }
}

fn failed(what: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", what.display()))
}

/// The nodes that the folder holds, ascending; none if there is no folder yet.
fn find(dir: &Path) -> Result<Vec<NodeConfig>, Failure> {
    let mut nodes = Vec::new();
    for id in 1.. {
        let config = Place::new(dir, id, PORT).config();
        if !config.exists() {
            break;
        }
        nodes.push(NodeConfig::load(&config)?);
    }
    Ok(nodes)
}

fn count(nodes: &[NodeConfig]) -> Option<u32> {
    u32::try_from(nodes.len()).ok().filter(|&count| count > 0)
}

/// Generations by group id: those of the folder, and new ones up to the number that was asked for.
fn choose_groups(args: &Args, kept: &[NodeConfig]) -> Result<BTreeMap<i32, u64>, Failure> {
    let mut groups: BTreeMap<i32, u64> =
        kept.iter().flat_map(|node| &node.groups).map(|group| (group.id.get(), group.generation)).collect();
    let wanted = match (args.groups, groups.len()) {
        (None, 0) => GROUPS,
        (None, _) => 0,
        (Some(wanted), there) if (wanted as usize) < there => {
            return Err(Failure::Usage(format!(
                "{} holds {there} groups; remove some with `roadstead group remove`, begin anew with --fresh, or name another folder with --dir",
                args.dir.display()
            )));
        }
        (Some(wanted), _) => wanted,
    };
    for id in 1.. {
        if groups.len() >= wanted as usize {
            break;
        }
        groups.entry(id).or_insert(1);
    }
    Ok(groups)
}

/// Nothing starts unless every port is free: half a cluster would only confuse.
fn check_port(place: &Place) -> Result<(), Failure> {
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, place.endpoint.port)) else { return Ok(()) };
    let port = place.endpoint.port;
    let why = if error.kind() == io::ErrorKind::AddrInUse { "is in use".to_owned() } else { format!("cannot be used: {error}") };
    let earlier = fs::read_to_string(place.pid()).ok().filter(|_| error.kind() == io::ErrorKind::AddrInUse);
    let hint = match earlier {
        Some(pid) => {
            format!("perhaps node {} still runs from an earlier start (kill {}); or choose other ports with --port", place.id, pid.trim())
        }
        None => "end what uses it, or choose other ports with --port".to_owned(),
    };
    Err(Failure::unavailable(format!("port {port} {why}; nothing was started"), hint))
}

/// Deletes what an earlier start made, and nothing else that may be in the folder.
fn clear(dir: &Path, found: &[NodeConfig]) -> Result<(), Failure> {
    for id in 1..=count(found).unwrap_or(0) {
        let place = Place::new(dir, id, PORT);
        fs::remove_dir_all(&place.folder).map_err(|error| failed(&place.folder, &error))?;
    }
    Ok(())
}

/// Writes the node's file unless the one that is there says the same about nodes, ports and groups: other changes are the user's. Returns the cluster
/// that the file names.
fn write_config(place: &Place, places: &[Place], groups: &BTreeMap<i32, u64>) -> Result<ClusterId, Failure> {
    let file = place.config();
    let text = config_text(place, places, groups);
    let new = NodeConfig::parse(&file, &text)?;
    if file.exists() {
        let old = NodeConfig::load(&file)?;
        if (old.node, old.listen, &old.peers, &old.groups) == (new.node, new.listen, &new.peers, &new.groups) {
            return Ok(old.cluster);
        }
    }
    fs::create_dir_all(&place.folder).map_err(|error| failed(&place.folder, &error))?;
    fs::write(&file, text).map_err(|error| failed(&file, &error))?;
    Ok(new.cluster)
}

fn config_text(place: &Place, places: &[Place], groups: &BTreeMap<i32, u64>) -> String {
    let mut text = format!(
        "# Written by `roadstead dev`. Changes stay as long as nodes, ports and groups stay the same.\n\
         node = {}\ncluster = \"{CLUSTER}\"\ndata = \"data\"\n\n[listen]\naddr = \"{}\"\n",
        place.id, place.endpoint
    );
    for peer in places {
        let _ = write!(text, "\n[[peer]]\nid = {}\naddr = \"{}\"\n", peer.id, peer.endpoint);
    }
    let members = places.iter().map(|place| place.id.to_string()).collect::<Vec<_>>().join(", ");
    for (id, generation) in groups {
        let _ = write!(
            text,
            "\n[[group]]\nid = {id}\ngeneration = {generation}\nservice = \"kv\"\nmembers = [{members}]\nconsensus_protocol = \"raft\"\n"
        );
    }
    if let Some(first) = groups.keys().next() {
        let _ = write!(text, "\n[etcd]\ndefault_group = {first}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Args, Layout};
    use crate::{cli::failure::Failure, config::NodeConfig};
    use std::{
        fs,
        net::TcpListener,
        path::Path,
        sync::atomic::{AtomicU16, Ordering},
    };

    fn args(dir: &Path) -> Args {
        Args { nodes: None, groups: None, dir: dir.join("cluster"), port: None, fresh: false, trace: None }
    }

    /// The first of eight ports in a row that are free now. They lie below those that the system gives to the connections of other tests.
    fn free_port() -> u16 {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = (std::process::id() % 1_000) as u16 * 16;
        let candidates = (0..1_000).map(|_| 10_000 + (start + NEXT.fetch_add(8, Ordering::Relaxed)) % 20_000);
        let free = |port: &u16| (*port..port + 8).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        candidates.into_iter().find(free).unwrap()
    }

    fn prepare(args: &Args) -> Layout {
        Layout::prepare(args).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn refusal(args: &Args) -> String {
        match Layout::prepare(args) {
            Ok(layout) => panic!("accepted: {layout:?}"),
            Err(Failure::Failed(body)) => format!("{} {}", body.error, body.hint.unwrap_or_default()),
            Err(Failure::Usage(text)) => text,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_folder_remembers_its_cluster_and_fresh_forgets_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Args { nodes: Some(5), groups: Some(2), port: Some(free_port()), ..args(dir.path()) };
        let made = prepare(&first);
        assert_eq!((made.nodes.len(), made.groups), (5, vec![1, 2]));
        let config = NodeConfig::load(&made.nodes[4].config()).unwrap();
        assert_eq!(config.etcd.default_group.map(|group| group.get()), Some(1), "clients of etcd are served");
        fs::create_dir(dir.path().join("cluster/n1/data")).unwrap();
        fs::write(dir.path().join("cluster/notes"), "mine").unwrap();

        let again = prepare(&args(dir.path()));
        assert_eq!((again.nodes.len(), again.groups, again.nodes[4].endpoint.port), (5, vec![1, 2], first.port.unwrap() + 4));
        let more = prepare(&Args { groups: Some(3), ..args(dir.path()) });
        assert_eq!(more.groups, [1, 2, 3]);
        let fewer = refusal(&Args { groups: Some(1), ..args(dir.path()) });
        assert!(fewer.contains("holds 3 groups"), "{fewer}");
        let other = refusal(&Args { nodes: Some(3), ..args(dir.path()) });
        assert!(other.contains("holds a cluster of 5 nodes"), "{other}");
        assert!(dir.path().join("cluster/n1/data").exists());

        let fresh = prepare(&Args { nodes: Some(3), port: first.port, fresh: true, ..args(dir.path()) });
        assert_eq!((fresh.nodes.len(), fresh.groups.len()), (3, 8));
        assert!(!dir.path().join("cluster/n1/data").exists() && !dir.path().join("cluster/n4").exists());
        assert!(dir.path().join("cluster/notes").exists(), "what we did not make stays");
    }

    #[test]
    fn changes_by_hand_stay() {
        let dir = tempfile::tempdir().unwrap();
        let first = Args { port: Some(free_port()), ..args(dir.path()) };
        let file = prepare(&first).nodes[0].config();
        let edited = fs::read_to_string(&file).unwrap() + "[log]\nlevel = \"debug\"\n";
        fs::write(&file, &edited).unwrap();
        prepare(&first);
        assert_eq!(fs::read_to_string(&file).unwrap(), edited);
    }

    #[test]
    fn a_port_in_use_is_named_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = refusal(&Args { nodes: Some(2), port: Some(port - 1), ..args(dir.path()) });
        assert!(refused.contains(" is in use; nothing was started") && refused.contains("--port"), "{refused}");
        assert!(!dir.path().join("cluster").exists());
    }
}
