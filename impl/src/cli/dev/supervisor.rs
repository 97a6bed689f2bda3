//! Starts the nodes, looks after them until a signal comes, stops them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::config::HostPort;

use super::{
    super::{
        admin::Admin,
        cluster::{self, NodeAnswer},
        failure::Failure,
        signals::Stop,
    },
    layout::{Layout, Place},
    process::{Process, log_tail},
    screen::Screen,
    watch::{Event, Watch},
};

/// Time between two looks at the nodes.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Time between two looks once the cluster was ready and nobody watches a live table: looking costs the nodes time, and who measures them wants it back.
const RARE_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a node may take to answer before it counts as silent in this look.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long nodes may take to stop in order before they are killed; longer than the default of `[timers] shutdown_ms`.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

struct Supervisor {
    nodes: Vec<(Place, Process)>,
    endpoints: Vec<HostPort>,
    /// As the nodes' status spells it.
    cluster: String,
    admin: Admin,
    watch: Watch,
    screen: Screen,
}

/// Runs the cluster until a signal asks for its end.
pub(super) async fn run(program: &Path, layout: Layout, screen: Screen) -> Result<(), Failure> {
    let mut end = Stop::listen()?;
    let mut supervisor = Supervisor {
        nodes: Vec::new(),
        endpoints: layout.nodes.iter().map(|place| place.endpoint.clone()).collect(),
        cluster: layout.cluster.to_string(),
        admin: Admin::with(ANSWER_TIMEOUT, None)?,
        watch: Watch::new(layout.groups),
        screen,
    };
    let watched = supervisor.start_and_watch(program, layout.nodes, &mut end).await;
    // Whatever happened, no child stays behind.
    let closed = supervisor.screen.close();
    supervisor.stop(&mut end).await;
    watched.and(closed)
}

impl Supervisor {
    async fn start_and_watch(&mut self, program: &Path, places: Vec<Place>, end: &mut Stop) -> Result<(), Failure> {
        for place in places {
            let process = Process::start(program, &place)
                .map_err(|error| Failure::failed(format!("node {} in {} cannot start: {error}", place.id, place.folder.display())))?;
            self.nodes.push((place, process));
        }
        let pids: Vec<u32> = self.nodes.iter().filter_map(|(_, process)| process.pid()).collect();
        self.screen.greet(&pids)?;
        loop {
            self.look().await?;
            let pause = if self.watch.was_ready() && !self.screen.is_live() { RARE_LOOK_INTERVAL } else { LOOK_INTERVAL };
            tokio::select! {
                () = end.asked() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let mut events = self.reap()?;
        let answers = cluster::ask_all(&self.admin, &self.endpoints).await;
        self.recognise(&answers);
        events.extend(self.watch.observe(Instant::now(), &answers));
        let down: Vec<u32> = self.nodes.iter().filter(|(_, process)| process.pid().is_none()).map(|(place, _)| place.id).collect();
        self.screen.show(&events, &self.watch, &down)
    }

    /// Notices ended processes. One that ends by itself before the cluster ever was ready ends the command: its log says what to mend.
    fn reap(&mut self) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for (place, process) in &mut self.nodes {
            let ran = process.pid().is_some();
            let code = process.reap();
            let Process::Down { how, log_start } = process else { continue };
            if !ran {
                continue;
            }
            if code.is_some_and(|code| code != 0) && !self.watch.was_ready() {
                return Err(Failure::failed(format!(
                    "node {} {how} before the cluster was ready; the end of {}:\n{}",
                    place.id,
                    place.log().display(),
                    log_tail(place, *log_start).trim_end()
                )));
            }
            self.watch.ended(place.id);
            events.push(Event::Down { node: place.id, how: how.clone(), restart: self.screen.restart_command(place) });
        }
        Ok(events)
    }

    /// A node that was started by hand answers with another process id; what answers for another cluster or node is none of ours.
    fn recognise(&mut self, answers: &[NodeAnswer]) {
        for ((place, process), node) in self.nodes.iter_mut().zip(answers) {
            let Ok((status, _)) = &node.answer else { continue };
            if status.node == place.id && status.cluster == self.cluster {
                // A pid file that cannot be written makes `kill $(cat pid)` fail, and nothing else.
                let _ = process.recognise(status.pid, place);
            }
        }
    }

    /// Stops all nodes: in order, and by force after the deadline or a second Ctrl-C.
    async fn stop(&mut self, end: &mut Stop) {
        self.signal_all(Signal::TERM);
        let deadline = tokio::time::sleep(STOP_DEADLINE);
        tokio::pin!(deadline);
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while self.any_runs() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = &mut deadline => break,
                () = end.asked() => break,
            }
        }
        self.signal_all(Signal::KILL);
        for (place, process) in &mut self.nodes {
            if let Process::Own { child, .. } = process {
                let _ = child.wait();
            }
            let _ = std::fs::remove_file(place.pid());
        }
    }

    fn signal_all(&self, signal: Signal) {
        for (_, process) in &self.nodes {
            process.signal(signal);
        }
    }

    fn any_runs(&mut self) -> bool {
        for (_, process) in &mut self.nodes {
            process.reap();
        }
        self.nodes.iter().any(|(_, process)| process.pid().is_some())
    }
}
