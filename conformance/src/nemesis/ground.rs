//! Where the nodes run: each in a network namespace of its own with a disk of its own, or all on loopback, where that is not allowed.

use super::{Failed, fault::Way};
use clap::ValueEnum;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

const PORT: u16 = 7400;
/// Room on a node's own disk.
const DISK_MIB: u32 = 512;

/// What the nodes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ground {
    /// Network namespaces, where ways are cut by routes, and small disks in memory. The process must be in a network and a mount namespace of its own and be
    /// root there: see [`Ground::enter`].
    Namespaces,
    /// Addresses of 127/8; ways are cut by the relay between the nodes.
    Loopback,
}

impl Ground {
    /// The command that runs a program on this ground, without the program; empty if it needs none.
    pub fn enter(self) -> &'static [&'static str] {
        match self {
            Self::Namespaces => &["unshare", "--net", "--mount", "--propagation", "private"],
            Self::Loopback => &[],
        }
    }

    /// Whether this machine lets us have namespaces.
    pub fn best() -> Self {
        let [program, args @ ..] = Self::Namespaces.enter() else { return Self::Loopback };
        let probe =
            Command::new(program).args(args).args(["sh", "-c", "ip link add probe type bridge && mount -t tmpfs probe /mnt"]).output();
        if probe.is_ok_and(|output| output.status.success()) { Self::Namespaces } else { Self::Loopback }
    }

    /// Where a node listens.
    pub(super) fn node(self, node: u32) -> SocketAddr {
        self.address(0, node)
    }

    /// Where `way.0` finds `way.1`.
    pub(super) fn face(self, way: Way) -> SocketAddr {
        self.address(way.0, way.1)
    }

    fn address(self, high: u32, low: u32) -> SocketAddr {
        // Runs at the same time on one loopback are told apart by the second byte.
        let net = match self {
            Self::Namespaces => [10, 77],
            Self::Loopback => [127, 64 + (std::process::id() % 128) as u8],
        };
        SocketAddr::from((Ipv4Addr::new(net[0], net[1], high as u8, low as u8), PORT))
    }

    /// Makes the network, and for each node's data folder a disk.
    pub(super) fn build(self, data: &BTreeMap<u32, &Path>) -> Result<(), Failed> {
        if self == Self::Loopback {
            return Ok(());
        }
        let mut script = String::from(
            "set -e\nmkdir -p /run/netns\nmount -t tmpfs netns /run/netns\nip link set lo up\nip link add hub type bridge\nip link set hub up\n\
             ip address add 10.77.255.254/16 dev hub\n",
        );
        for (node, folder) in data {
            script += &format!(
                "ip netns add n{node}\nip link add v{node} type veth peer name eth0 netns n{node}\nip link set v{node} master hub up\n\
                 ip -n n{node} link set lo up\nip -n n{node} link set eth0 up\nip -n n{node} address add 10.77.0.{node}/16 dev eth0\n\
                 mount -t tmpfs -o size={DISK_MIB}m nemesis {}\n",
                folder.display()
            );
            for other in data.keys().filter(|other| *other != node) {
                script += &format!("ip address add 10.77.{node}.{other}/16 dev hub\n");
            }
        }
        shell(&script)
    }

    /// Cuts these ways and no others, if that is for routes to do.
    pub(super) fn cut(self, before: &BTreeSet<Way>, now: &BTreeSet<Way>) -> Result<(), Failed> {
        if self == Self::Loopback {
            return Ok(());
        }
        let route = |verb: &str, (from, to): &Way| format!("ip -n n{from} route {verb} blackhole {}/32\n", self.face((*from, *to)).ip());
        let healed = before.difference(now).map(|way| route("del", way));
        let cut = now.difference(before).map(|way| route("add", way));
        shell(&(String::from("set -e\n") + &healed.chain(cut).collect::<String>()))
    }

    /// The command that starts a node's program, without the program.
    pub(super) fn inside(self, node: u32) -> Vec<String> {
        match self {
            Self::Namespaces => ["ip", "netns", "exec"].map(String::from).into_iter().chain([format!("n{node}")]).collect(),
            Self::Loopback => Vec::new(),
        }
    }
}

fn shell(script: &str) -> Result<(), Failed> {
    let output = Command::new("sh").args(["-c", script]).output().map_err(Failed::io("sh"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failed::Ground(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
