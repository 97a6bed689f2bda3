//! A small disk for each node: tmpfs, mounted in a mount namespace that a process of the test holds. Nobody else sees the mounts, and they go with it.

use crate::cluster::Cluster;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Somebody else is root in a user namespace only, if the system lets him.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The disks of a cluster's nodes.
pub(crate) struct SmallDisks {
    holder: Child,
}

impl SmallDisks {
    /// Mounts a disk of so many MiB for each node's data. The nodes have not been started yet.
    pub(crate) fn mount(cluster: &mut Cluster, mib: u64) -> Self {
        let mut script = String::from("set -e\n");
        for node in &cluster.nodes {
            fs::create_dir(node.data()).unwrap();
            script += &format!("mount -t tmpfs -o size={mib}m roadstead-test {}\n", node.data().display());
        }
        script += "echo mounted\nexec cat\n";
        let mut command = Command::new("unshare");
        if !is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this test needs `unshare` of util-linux");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(
            said.trim(),
            "mounted",
            "this test mounts a tmpfs in a mount namespace of its own, which needs root or user namespaces, and `unshare`, `nsenter` and `mount` \
             (ci/fault-tools installs them); see above for what was refused"
        );
        let pid = holder.id();
        cluster.nodes.iter_mut().for_each(|node| node.enter(pid));
        Self { holder }
    }

    fn filler(&self, data: &Path) -> PathBuf {
        // As the holder sees it: the mounts are in no other namespace.
        let inside = data.strip_prefix("/").expect("an absolute path");
        Path::new(&format!("/proc/{}/root", self.holder.id())).join(inside).join("filler")
    }

    /// Leaves so many KiB free on the disk of this data folder: somebody else's file takes the rest.
    pub(crate) fn leave(&self, data: &Path, kib: u64) {
        let path = self.filler(data);
        let folder = path.parent().unwrap();
        let stat = rustix::fs::statvfs(folder).unwrap();
        let excess = (stat.f_bavail * stat.f_frsize).checked_sub(kib << 10).expect("so much is free");
        let mut file = File::options().create(true).append(true).open(&path).unwrap();
        let zeros = vec![0; 64 << 10];
        let mut left = excess as usize;
        while left > 0 {
            let piece = left.min(zeros.len());
            file.write_all(&zeros[..piece]).unwrap();
            left -= piece;
        }
    }

    /// Takes the rest, too.
    pub(crate) fn leave_nothing(&self, data: &Path) {
        let mut file = File::options().create(true).append(true).open(self.filler(data)).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Somebody else's file goes.
    pub(crate) fn make_room(&self, data: &Path) {
        fs::remove_file(self.filler(data)).unwrap();
    }
}

impl Drop for SmallDisks {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
