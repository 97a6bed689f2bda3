//! Processes of a target on this machine, and the processor time that they use. What cannot be seen is left out, never guessed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{TcpListener, ToSocketAddrs},
};

use crate::config::HostPort;

use super::report::ProcessCost;

/// Linux counts CPU time of processes in hundredths of a second, whatever the kernel's own tick is (`USER_HZ`, proc_pid_stat(5)).
const TICK_SECONDS: f64 = 0.01;

/// Processes that listen at endpoints of this machine, as far as this user may see them.
pub(super) fn listening_at(endpoints: &[HostPort]) -> Vec<u32> {
    let ports: BTreeSet<u16> = endpoints.iter().filter(|endpoint| is_here(endpoint)).map(|endpoint| endpoint.port).collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: BTreeSet<u64> = tables
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(parse_listener)
        .filter(|(port, _)| ports.contains(port))
        .map(|(_, inode)| inode)
        .collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| holds_one_of(*pid, &sockets)).collect()
}

/// Whether the host is this machine: only then can a socket be bound to its address.
fn is_here(endpoint: &HostPort) -> bool {
    let addresses = (endpoint.host.as_str(), 0).to_socket_addrs();
    addresses.is_ok_and(|mut addresses| addresses.any(|address| TcpListener::bind(address).is_ok()))
}

/// Port and inode of a listening socket. Source: Documentation/networking/proc_net_tcp.rst of Linux; state 0A listens.
fn parse_listener(line: &str) -> Option<(u16, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = words.get(1)?.rsplit_once(':')?;
    (words.get(3) == Some(&"0A")).then_some(())?;
    Some((u16::from_str_radix(port, 16).ok()?, words.get(9)?.parse().ok()?))
}

fn holds_one_of(pid: u32, sockets: &BTreeSet<u64>) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| {
        let inode = link.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode: u64| sockets.contains(&inode))
    })
}

/// CPU seconds so far by thread name; of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct CpuTimes(BTreeMap<String, f64>);

impl CpuTimes {
    /// Reads the times; a process that cannot be read has none.
    pub(super) fn read(pid: u32) -> Self {
        let mut times = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            if let Some((name, seconds)) = fs::read_to_string(thread.path().join("stat")).ok().as_deref().and_then(parse_stat) {
                *times.0.entry(name).or_default() += seconds;
            }
        }
        times
    }

    /// What was used since `before`, the most first; names of numbered threads are one.
    pub(super) fn since(&self, before: &Self) -> Vec<(String, f64)> {
        let mut used: BTreeMap<String, f64> = BTreeMap::new();
        for (name, now) in &self.0 {
            let layer = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '#').to_owned();
            *used.entry(layer).or_default() += now - before.0.get(name).copied().unwrap_or(0.0);
        }
        let mut used: Vec<(String, f64)> = used.into_iter().filter(|(_, seconds)| *seconds > 0.0).collect();
        used.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        used
    }
}

/// What a process used, for each of so many operations.
pub(super) fn cost(pid: u32, used: Vec<(String, f64)>, operations: f64) -> ProcessCost {
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim().to_owned()).unwrap_or_default();
    let by_thread: Vec<(String, f64)> = used.into_iter().map(|(name, seconds)| (name, seconds / operations)).collect();
    ProcessCost { pid, program, cpu_seconds_per_operation: by_thread.iter().map(|(_, seconds)| seconds).sum(), by_thread }
}

/// Name and CPU seconds of a thread. Source: proc_pid_stat(5): the name is in parentheses and may hold any character; utime and stime are the
/// 12th and 13th word behind it.
fn parse_stat(stat: &str) -> Option<(String, f64)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut words = tail.split_whitespace().skip(11);
    let ticks = words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?;
    Some((name.to_owned(), ticks as f64 * TICK_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::{CpuTimes, HostPort, listening_at, parse_listener, parse_stat};

    #[test]
    fn times_of_threads_with_odd_names_are_read() {
        let stat = "77 (a) b) S 1 77 77 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 2 3";
        assert_eq!(parse_stat(stat), Some(("a) b".to_owned(), 3.0)));
        assert_eq!(parse_stat("77 (short) S 1"), None);
    }

    #[test]
    fn numbered_threads_are_one_layer_and_idle_ones_are_left_out() {
        let times = |list: &[(&str, f64)]| CpuTimes(list.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect());
        let before = times(&[("storage", 1.0), ("fjall-1", 1.0), ("witness", 2.0)]);
        let after = times(&[("storage", 1.5), ("fjall-1", 2.0), ("fjall-2", 1.0), ("witness", 2.0)]);
        assert_eq!(after.since(&before), [("fjall".to_owned(), 2.0), ("storage".to_owned(), 0.5)]);
    }

    #[test]
    fn lines_of_the_kernels_table_are_read() {
        let listens = "   0: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0";
        assert_eq!(parse_listener(listens), Some((7_400, 4_711)));
        assert_eq!(parse_listener(&listens.replace(" 0A ", " 01 ")), None, "a connection is no listener");
        assert_eq!(parse_listener("  sl  local_address rem_address   st tx_queue rx_queue"), None);
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        assert_eq!(listening_at(std::slice::from_ref(&endpoint)), [std::process::id()]);
        drop(listener);
        assert!(listening_at(&[endpoint]).is_empty());
        assert!(listening_at(&[HostPort { host: "192.0.2.1".to_owned(), port: 1 }]).is_empty(), "another machine's processes are not seen");
    }
}
