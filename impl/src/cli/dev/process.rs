//! One node's process: started by us or by hand, alive or not, stopped in the end.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::layout::Place;

/// Bytes at the end of a log that are shown when a node ends too early.
const LOG_TAIL_BYTES: u64 = 2_000;

/// A node's process.
#[derive(Debug)]
pub(super) enum Process {
    /// Our child. Its stdin is a pipe that nobody writes to: it closes when we end, however that happens, and the node stops.
    Own {
        /// The child.
        child: Child,
        /// Where its words begin in its log: what lies before is of earlier processes.
        log_start: u64,
    },
    /// Started by hand after a kill; known because it answers on the node's port.
    Foreign(u32),
    /// Not running.
    Down {
        /// How the last process ended.
        how: String,
        /// Where its words begin in its log.
        log_start: u64,
    },
}

impl Process {
    /// Starts a node, its output appended to its log. In a process group of its own: Ctrl-C reaches us only, and we stop the nodes in order.
    pub(super) fn start(program: &Path, place: &Place) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(place.log())?;
        let log_start = log.metadata()?.len();
        let child = Command::new(program)
            .args(["node", "--exit-with-stdin", "--config"])
            .arg(place.config())
            .args(place.trace.iter().flat_map(|folder| [OsStr::new("--trace"), folder.as_os_str()]))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        fs::write(place.pid(), format!("{}\n", child.id()))?;
        Ok(Self::Own { child, log_start })
    }

    /// Its id while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Own { child, .. } => Some(child.id()),
            Self::Foreign(pid) => Some(*pid),
            Self::Down { .. } => None,
        }
    }

    /// Notices an end. Returns the exit code of our child if it just ended by itself.
    pub(super) fn reap(&mut self) -> Option<i32> {
        let (how, code, log_start) = match self {
            Self::Own { child, log_start } => match child.try_wait() {
                Ok(None) | Err(_) => return None,
                Ok(Some(status)) => (describe(status), status.code(), *log_start),
            },
            Self::Foreign(pid) if !is_alive(*pid) => ("ended".to_owned(), None, 0),
            Self::Foreign(_) | Self::Down { .. } => return None,
        };
        *self = Self::Down { how, log_start };
        code
    }

    /// The process that answers on the node's port. It is a new one if the node was started by hand.
    pub(super) fn recognise(&mut self, pid: u32, place: &Place) -> io::Result<()> {
        if self.pid() == Some(pid) {
            return Ok(());
        }
        if let Self::Own { child, .. } = self {
            // It has lost the port, so it has ended: leave no zombie.
            let _ = child.try_wait();
        }
        *self = Self::Foreign(pid);
        fs::write(place.pid(), format!("{pid}\n"))
    }

    /// Asks it to stop in order, or ends it.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(to_pid) {
            // Gone already is as good as stopped.
            let _ = kill_process(pid, signal);
        }
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn is_alive(pid: u32) -> bool {
    to_pid(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "stopped".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The last lines of a node's log, none of them from before `from`.
pub(super) fn log_tail(place: &Place, from: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(place.log())?;
        let start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(start.max(from)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The first line is cut unless its beginning is known.
        Ok(if start <= from { text } else { text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()) })
    };
    read().unwrap_or_else(|error| format!("(not readable: {error})"))
}

#[cfg(test)]
mod tests {
    use super::{Place, Process, Signal, fs, log_tail};
    use std::{
        path::{Path, PathBuf},
        process::Command,
    };

    /// A program in the place of a node: runs the script that lies beside its configuration. (It is a file of the project because a program that
    /// this process had just written could not be started while another test's child, just forked, still holds it open.)
    fn node(script: &str) -> (tempfile::TempDir, PathBuf, Place) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("script"), script).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scripted-node");
        let place = Place { id: 1, endpoint: "127.0.0.1:1".parse().unwrap(), folder: dir.path().to_owned(), trace: None };
        (dir, program, place)
    }

    fn end(process: &mut Process) -> Option<i32> {
        if let Process::Own { child, .. } = process {
            child.wait().unwrap();
        }
        process.reap()
    }

    fn how(process: &Process) -> (&str, u64) {
        match process {
            Process::Down { how, log_start } => (how, *log_start),
            other => panic!("still there: {other:?}"),
        }
    }

    #[test]
    fn a_process_has_a_pid_file_and_a_log_and_its_end_is_described() {
        let (_dir, program, place) = node("echo \"$@\"; echo bad >&2; exit 2");
        fs::write(place.log(), "words of an earlier process\n").unwrap();
        let mut process = Process::start(&program, &place).unwrap();
        assert_eq!(fs::read_to_string(place.pid()).unwrap().trim(), process.pid().unwrap().to_string());
        assert_eq!(end(&mut process), Some(2));
        let (how, from) = how(&process);
        assert_eq!(how, "ended with exit code 2");
        assert_eq!(log_tail(&place, from), format!("node --exit-with-stdin --config {}\nbad\n", place.config().display()));
    }

    #[test]
    fn a_long_log_is_cut_at_a_line() {
        let (_dir, _, place) = node("");
        fs::write(place.log(), "0123456789\n".repeat(1_000)).unwrap();
        let tail = log_tail(&place, 3);
        assert!(tail.len() < 2_000 && tail.starts_with("0123456789\n0123456789\n"), "{tail}");
    }

    #[test]
    fn a_killed_process_has_no_exit_code() {
        let (_dir, program, place) = node("exec sleep 1000");
        let mut process = Process::start(&program, &place).unwrap();
        assert_eq!(process.reap(), None, "it runs");
        process.signal(Signal::KILL);
        assert_eq!(end(&mut process), None);
        assert_eq!(how(&process).0, "killed by signal 9");
    }

    /// Goal: nodes do not outlive a supervisor that was killed. Method: the program runs until its stdin ends; drop our end.
    #[test]
    fn stdin_closes_with_the_supervisor() {
        let (_dir, program, place) = node("read line; exit 7");
        let mut process = Process::start(&program, &place).unwrap();
        if let Process::Own { child, .. } = &mut process {
            drop(child.stdin.take());
        }
        assert_eq!(end(&mut process), Some(7));
    }

    #[test]
    fn a_process_started_by_hand_is_recognised_and_its_end_noticed() {
        let (_dir, _, place) = node("");
        let mut by_hand = Command::new("sleep").arg("1000").spawn().unwrap();
        let mut process = Process::Down { how: "killed by signal 9".to_owned(), log_start: 0 };
        process.recognise(by_hand.id(), &place).unwrap();
        assert_eq!((process.pid(), fs::read_to_string(place.pid()).unwrap()), (Some(by_hand.id()), format!("{}\n", by_hand.id())));
        process.reap();
        assert!(matches!(process, Process::Foreign(_)));
        process.signal(Signal::TERM);
        by_hand.wait().unwrap();
        process.reap();
        assert_eq!(how(&process).0, "ended");
    }
}
