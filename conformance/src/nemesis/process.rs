//! One node: its process, its files, and what can be done to them.

use super::{Failed, admin::TOKEN, ground::Ground};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Kept free on a node's disk for what was accepted when it runs full.
const RESERVE_BYTES: u64 = 64 << 20;

/// A node of the cluster.
pub(super) struct Node {
    pub(super) id: u32,
    /// Has its configuration, data, log, and the files that say what is wrong with disk and clock.
    folder: PathBuf,
    program: PathBuf,
    ground: Ground,
    trace: PathBuf,
    /// Preloaded, it tells the node another time.
    fake_time: Option<String>,
    child: Option<Child>,
}

/// What all nodes have in common.
pub(super) struct Common<'a> {
    pub(super) program: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) ground: Ground,
    pub(super) nodes: u32,
    pub(super) groups: &'a [i32],
    pub(super) fake_time: Option<String>,
}

impl Node {
    /// A node that does not run yet, and its folder.
    pub(super) fn new(id: u32, common: &Common<'_>) -> Result<Self, Failed> {
        let folder = common.folder.join(format!("n{id}"));
        let node = Self {
            id,
            folder,
            program: common.program.to_owned(),
            ground: common.ground,
            trace: common.folder.join("trace"),
            fake_time: common.fake_time.clone(),
            child: None,
        };
        fs::create_dir_all(node.data()).map_err(Failed::io(node.data()))?;
        node.write("node.toml", &config(id, common))?;
        node.write("fault", "")?;
        node.write("clock", "+0")?;
        Ok(node)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(super) fn start(&mut self) -> Result<(), Failed> {
        let path = self.folder.join("log");
        let log = File::options().create(true).append(true).open(&path).map_err(Failed::io(&path))?;
        let mut words = self.ground.inside(self.id).into_iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("nemesis-node").arg("--config").arg(self.folder.join("node.toml")).arg("--trace").arg(&self.trace);
        command.arg("--fault-file").arg(self.folder.join("fault"));
        if let Some(library) = &self.fake_time {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", self.folder.join("clock")).env("FAKETIME_NO_CACHE", "1");
            // Only the wall's clock, as an operator or NTP sets it.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        self.child = Some(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().map_err(Failed::io(&self.program))?);
        Ok(())
    }

    /// SIGKILL, and the end awaited.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // it may have ended by itself
            let _ = child.wait();
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal); // it may have ended by itself
        }
    }

    /// Asks it to end in order.
    pub(super) fn ask_to_end(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.stdin.take());
        }
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// The last line of its log that is an error.
    pub(super) fn last_error(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().rev().find(|line| line.contains("ERROR") || line.contains("panicked")).unwrap_or("it says nothing").to_owned()
    }

    /// Each sync of its disk takes so much longer from now on.
    pub(super) fn slow_disk(&self, longer: Duration) -> Result<(), Failed> {
        self.write("fault", &if longer.is_zero() { String::new() } else { format!("slow commit {}", longer.as_millis()) })
    }

    /// Its wall clock is ahead by so many seconds from now on.
    pub(super) fn set_clock(&self, ahead: i64) -> Result<(), Failed> {
        self.write("clock", &format!("{ahead:+}"))
    }

    /// Takes the room on its disk, up to a quarter of the reserve or all of it.
    pub(super) fn fill_disk(&self, entirely: bool) -> Result<(), Failed> {
        let (path, zeros) = (self.filler(), vec![0; 64 << 10]);
        let mut file = File::create(&path).map_err(Failed::io(&path))?;
        let free = || rustix::fs::statvfs(self.data()).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
        while (entirely || free() > RESERVE_BYTES / 4) && file.write_all(&zeros).is_ok() {}
        Ok(())
    }

    pub(super) fn make_room(&self) {
        let _ = fs::remove_file(self.filler()); // there may be none
    }

    fn filler(&self) -> PathBuf {
        self.data().join("filler")
    }

    /// Replaces a file at once: a node may read it at any moment.
    fn write(&self, name: &str, text: &str) -> Result<(), Failed> {
        let (path, fresh) = (self.folder.join(name), self.folder.join(format!("{name}.fresh")));
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &path)).map_err(Failed::io(path))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Logs that are soon compacted, so that a member that was away needs a snapshot.
const LIMITS: &str = "[limits]\nsnapshot_entries = 1000\nsnapshot_keep_entries = 200\n";

fn config(id: u32, common: &Common<'_>) -> String {
    let members: Vec<u32> = (1..=common.nodes).collect();
    let mut text = format!(
        "node = {id}\ncluster = \"nemesis\"\ndata = \"data\"\n\n[listen]\naddr = \"{}\"\n\n[timers]\nprofile = \"fast\"\n\n{LIMITS}\n[admin]\ntoken = \"{TOKEN}\"\n\n[storage]\nreserve_bytes = {RESERVE_BYTES}\n",
        common.ground.node(id)
    );
    for peer in members.iter().filter(|peer| **peer != id) {
        text += &format!("\n[[peer]]\nid = {peer}\naddr = \"{}\"\n", common.ground.face((id, *peer)));
    }
    for group in common.groups {
        text += &format!("\n[[group]]\nid = {group}\nmembers = {members:?}\nconsensus_protocol = \"raft\"\n");
    }
    text
}

/// libfaketime, wherever it lies: its package brings a command that knows.
pub(super) fn fake_time() -> Option<String> {
    let output = Command::new("faketime").args(["-m", "2020-01-01", "printenv", "LD_PRELOAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split([':', ' ', '\n']).find(|part| part.contains("libfaketime")).map(str::to_owned)
}
