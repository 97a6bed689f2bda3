//! One run from its circumstances to its figures.

use std::{
    cell::RefCell,
    io,
    path::PathBuf,
    process::{Command, Stdio},
    rc::Rc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use crate::{api::types::NodeStatus, config::HostPort};

#[cfg(feature = "etcd")]
use super::session::EtcdSessions;
use super::{
    super::{admin::Admin, endpoints::Endpoints, failure::Failure},
    load, machine,
    machine::DiskSync,
    options::Options,
    processes, progress,
    record::{Recorder, Times},
    report::{BUSY_MAX, Cost, FORMAT, LOAD_MAX, MachineReport, Measured, Run, TargetReport},
    session::{NativeSessions, Sessions},
    target::{Protocol, Target},
    watch::{self, Watch},
    workload::Workload,
};

/// What is the same for all runs of a command.
#[derive(Debug)]
pub(super) struct Settings {
    /// The endpoints of targets that name none, and how long a request may take.
    pub(super) endpoints: Endpoints,
    /// Folder on the disk whose raw syncs are measured.
    pub(super) disk: PathBuf,
    /// How long to wait before each run for the load average to fall.
    pub(super) quiet_wait: Duration,
    /// A command of the shell that runs before each run and is told the target's name.
    pub(super) before: Option<String>,
    /// Whether people watch.
    pub(super) show_progress: bool,
}

/// A target with its options, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    name: String,
    protocol: Protocol,
    endpoints: Vec<HostPort>,
    pids: Option<Vec<u32>>,
    /// What it is to be asked, one after the other.
    pub(super) workloads: Vec<Workload>,
}

impl Subject {
    /// Checks what can be checked without asking.
    pub(super) fn new(name: &str, target: &Target, options: &Options, settings: &Settings) -> Result<Self, Failure> {
        let options = options.with(name, &target.overrides)?;
        let endpoints = if target.endpoints.is_empty() { settings.endpoints.endpoints.clone() } else { target.endpoints.clone() };
        Ok(Self {
            name: name.to_owned(),
            protocol: target.protocol,
            endpoints,
            workloads: Workload::all(&options, target.protocol)?,
            pids: options.pids,
        })
    }

    /// Runs one of the workloads, as the command's first run or behind another. `announce` hears of the circumstances before it begins.
    pub(super) async fn run(
        &self,
        workload: &Workload,
        settings: &Settings,
        is_first: bool,
        announce: impl FnOnce(&Run) -> Result<(), Failure>,
    ) -> Result<Run, Failure> {
        if let Some(command) = &settings.before {
            prepare(command, &self.name)?;
        }
        let admin = Admin::reader(&settings.endpoints)?;
        let mut machine = quiet_machine(settings, is_first).await?;
        let run = Run {
            format: FORMAT,
            name: self.name.clone(),
            target: TargetReport {
                protocol: self.protocol,
                endpoints: self.endpoints.iter().map(ToString::to_string).collect(),
                used: Vec::new(),
                version: version(&admin, &self.endpoints).await,
            },
            workload: workload.clone(),
            machine: machine.clone(),
            result: Measured::default(),
            cost: Cost::default(),
        };
        let pids = self.pids.clone().unwrap_or_else(|| processes::listening_at(&self.endpoints));
        let watch = Watch::new(admin, self.endpoints.clone(), pids);
        let timeout = settings.endpoints.timeout;
        let (run, (result, cost)) = match self.protocol {
            Protocol::Native => {
                let sessions = NativeSessions::new(&self.endpoints, workload, timeout);
                announce(&run)?;
                (run, execute(&sessions, workload, &watch, settings).await?)
            }
            #[cfg(feature = "etcd")]
            Protocol::Etcd => {
                let sessions = EtcdSessions::open(&self.endpoints, workload, timeout).await?;
                let used = sessions.used().map(ToString::to_string).collect();
                let version = Some(match &run.target.version {
                    Some(program) => format!("{program}, speaks etcd {}", sessions.version()),
                    None => format!("etcd {}", sessions.version()),
                });
                let run = Run { target: TargetReport { used, version, ..run.target }, ..run };
                announce(&run)?;
                (run, execute(&sessions, workload, &watch, settings).await?)
            }
            #[cfg(not(feature = "etcd"))]
            Protocol::Etcd => return Err(Failure::Usage("this program was built without the feature `etcd`".to_owned())),
        };
        machine.load_average_after = machine::load_average();
        Ok(Run { machine, result, cost, ..run })
    }
}

/// Runs a command to its end. What it prints goes to stderr, where it cannot be taken for results.
fn prepare(command: &str, target: &str) -> Result<(), Failure> {
    let ended = Command::new("sh").args(["-c", command, "sh", target]).stdin(Stdio::null()).stdout(io::stderr()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::failed(format!("--before `{command}` ended with {status} for {target}"))),
        Err(error) => Err(Failure::failed(format!("--before: no shell: {error}"))),
    }
}

/// Waits for the machine to be quiet, at most as long as asked for, and says how it is.
async fn quiet_machine(settings: &Settings, is_first: bool) -> Result<MachineReport, Failure> {
    let until = Instant::now() + settings.quiet_wait;
    let mut busy;
    let quiet = loop {
        busy = watch::busy_before().await;
        let quiet = machine::load_average().is_none_or(|load| load <= LOAD_MAX) || !is_first && busy.is_some_and(|busy| busy <= BUSY_MAX);
        if quiet || Instant::now() >= until {
            break quiet;
        }
    };
    let disk_sync = DiskSync::measure(&settings.disk).map_err(|error| Failure::failed(format!("{}: {error}", settings.disk.display())))?;
    Ok(MachineReport {
        cores: available_parallelism().map_or(1, usize::from),
        load_average_before: machine::load_average(),
        load_average_after: None,
        busy_before: busy,
        disk_sync,
        quiet,
    })
}

/// The program at the endpoints, if it is ours.
async fn version(admin: &Admin, endpoints: &[HostPort]) -> Option<String> {
    for endpoint in endpoints {
        if let Ok(status) = admin.get::<NodeStatus>(endpoint, "/v1/status").await {
            return Some(format!("roadstead {}", status.version));
        }
    }
    None
}

async fn execute<S: Sessions>(sessions: &S, workload: &Workload, watch: &Watch, settings: &Settings) -> Result<(Measured, Cost), Failure> {
    let times = Times::of(Duration::from_secs(workload.warm_up_seconds), Duration::from_secs(workload.seconds));
    let recorder = Recorder::new(times, workload.is_open()).map_err(|error| Failure::failed(error.to_string()))?;
    let recorder = Rc::new(RefCell::new(recorder));
    let (done, cost, ()) = tokio::join!(
        load::run(sessions, workload, times, &recorder),
        watch.run(times),
        progress::show(settings.show_progress, times, &recorder)
    );
    done?;
    let recorder = Rc::try_unwrap(recorder).map_err(|_| Failure::failed("a client of the run did not end"))?.into_inner();
    let cost = cost(recorder.so_far());
    Ok((recorder.finish(workload.expected_interval_seconds.map(Duration::from_secs_f64)), cost))
}
