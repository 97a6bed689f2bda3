//! Makes the requests of a run: clients that wait for their outcomes, or a schedule that waits for nobody.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    sync::{Semaphore, mpsc},
    task::LocalSet,
    time::{sleep, timeout_at},
};

use super::{
    super::failure::Failure,
    options::ReadConsistency,
    record::{Recorder, Times},
    schedule::Schedule,
    session::{Ask, Request, Sessions},
    workload::{Pace, Workload},
};

/// How long a client of a closed loop rests after a failure, so that a target without a leader is not asked in a busy loop.
const REST: Duration = Duration::from_millis(10);

/// Requests whose time has come and that have not begun; when they are so many, the schedule itself holds the others.
const DUE_MAX: usize = 256;

/// Where a run's outcomes are gathered.
pub(super) type Shared = Rc<RefCell<Recorder>>;

/// Runs until the time is over and every request that began has ended.
pub(super) async fn run<S: Sessions>(sessions: &S, workload: &Workload, times: Times, recorder: &Shared) -> Result<(), Failure> {
    match workload.pace {
        Pace::Closed { clients } => {
            closed(sessions, workload, times, recorder, clients).await;
            Ok(())
        }
        Pace::Open { rate, arrivals, in_flight_max } => {
            open(sessions, workload, times, recorder, Schedule::new(rate, arrivals, workload.seed), in_flight_max).await
        }
    }
}

async fn closed<S: Sessions>(sessions: &S, workload: &Workload, times: Times, recorder: &Shared, clients: u32) {
    let mut seeds = StdRng::seed_from_u64(workload.seed);
    let value = value(workload, &mut seeds);
    let local = LocalSet::new();
    for number in 0..u64::from(clients) {
        let requests = Requests::new(workload, value.clone(), seeds.random());
        local.spawn_local(one_client(sessions.session(number), requests, Rc::clone(recorder), times.end));
    }
    local.await;
}

async fn one_client<A: Ask>(session: A, mut requests: Requests, recorder: Shared, end: Instant) {
    loop {
        let begun = Instant::now();
        if begun >= end {
            return;
        }
        let outcome = session.ask(requests.next()).await;
        let now = Instant::now();
        match outcome {
            Ok(()) => recorder.borrow_mut().done(begun, now),
            Err(failed) => {
                recorder.borrow_mut().failed(begun, now, failed);
                sleep(REST).await;
            }
        }
    }
}

async fn open<S: Sessions>(
    sessions: &S,
    workload: &Workload,
    times: Times,
    recorder: &Shared,
    schedule: Schedule,
    in_flight_max: u32,
) -> Result<(), Failure> {
    let mut seeds = StdRng::seed_from_u64(workload.seed);
    let mut requests = Requests::new(workload, value(workload, &mut seeds), seeds.random());
    let room = Arc::new(Semaphore::new(in_flight_max as usize));
    let (due, mut arrivals) = mpsc::channel(DUE_MAX);
    let pacer = Pacer::spawn(schedule, times, due)?;
    let local = LocalSet::new();
    let start_all = async {
        let mut number = 0;
        while let Some(intended) = arrivals.recv().await {
            // The semaphore is never closed, so the only error is that the run is over.
            let Ok(Ok(permit)) = timeout_at(times.end.into(), Arc::clone(&room).acquire_owned()).await else {
                recorder.borrow_mut().not_started(intended);
                break;
            };
            recorder.borrow_mut().started(intended, Instant::now());
            let (session, request, recorder) = (sessions.session(number), requests.next(), Rc::clone(recorder));
            number += 1;
            tokio::task::spawn_local(async move {
                let outcome = session.ask(request).await;
                let now = Instant::now();
                drop(permit);
                match outcome {
                    Ok(()) => recorder.borrow_mut().done(intended, now),
                    Err(failed) => recorder.borrow_mut().failed(intended, now, failed),
                }
            });
        }
        arrivals.close();
        while let Some(intended) = arrivals.recv().await {
            recorder.borrow_mut().not_started(intended);
        }
    };
    local.run_until(start_all).await;
    for intended in pacer.rest()? {
        recorder.borrow_mut().not_started(intended);
    }
    local.await;
    Ok(())
}

/// Says when the next request is due, from a thread of its own: the runtime's timers tick in milliseconds, a sleeping thread wakes within some 60 µs.
struct Pacer {
    thread: thread::JoinHandle<Option<(Instant, Schedule)>>,
    times: Times,
}

impl Pacer {
    fn spawn(schedule: Schedule, times: Times, due: mpsc::Sender<Instant>) -> Result<Self, Failure> {
        let thread = thread::Builder::new().name("pacer".to_owned()).spawn(move || pace(schedule, times, &due));
        let thread = thread.map_err(|error| Failure::failed(format!("a thread for the schedule cannot start: {error}")))?;
        Ok(Self { thread, times })
    }

    /// What the schedule still held when nobody took any more, up to the end of the run.
    fn rest(self) -> Result<impl Iterator<Item = Instant>, Failure> {
        let Times { begin, end, .. } = self.times;
        let rest = self.thread.join().map_err(|_| Failure::failed("the thread of the schedule panicked"))?;
        let rest = rest.into_iter().flat_map(move |(first, schedule)| [first].into_iter().chain(schedule.map(move |at| begin + at)));
        Ok(rest.take_while(move |intended| *intended < end))
    }
}

/// Hands out each time when it has come. If nobody takes it, the next ones come late but with the times at which they were due.
fn pace(mut schedule: Schedule, times: Times, due: &mpsc::Sender<Instant>) -> Option<(Instant, Schedule)> {
    loop {
        let intended = times.begin + schedule.next()?;
        if intended >= times.end {
            return None;
        }
        let wait = intended.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        if due.blocking_send(intended).is_err() {
            return Some((intended, schedule));
        }
    }
}

fn value(workload: &Workload, rng: &mut StdRng) -> Bytes {
    (0..workload.value_bytes).map(|_| rng.random::<u8>()).collect()
}

/// Random requests of a workload.
struct Requests {
    rng: StdRng,
    value: Bytes,
    keys: u32,
    key_bytes: usize,
    read_share: f64,
    consistency: ReadConsistency,
}

impl Requests {
    fn new(workload: &Workload, value: Bytes, seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            value,
            keys: workload.keys,
            key_bytes: workload.key_bytes as usize,
            read_share: workload.read_share,
            consistency: workload.consistency,
        }
    }

    fn next(&mut self) -> Request {
        let key = format!("{:0width$x}", self.rng.random_range(0..self.keys), width = self.key_bytes);
        // Drawn from [0, 1): a share of 0 never reads, of 1 always.
        if self.read_share > 0.0 && self.rng.random::<f64>() < self.read_share {
            Request::Get { key, consistency: self.consistency }
        } else {
            Request::Put { key, value: self.value.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            options::{Arrivals, Options},
            report::Measured,
            session::Failed,
            target::Protocol,
        },
        *,
    };

    /// Answers each request after `service`, and none while it stalls.
    #[derive(Clone, Copy, Debug)]
    struct Server {
        service: Duration,
        stall: (Instant, Instant),
    }

    impl Sessions for Server {
        type Session = Self;

        fn session(&self, _: u64) -> Self {
            *self
        }
    }

    impl Ask for Server {
        async fn ask(&self, _: Request) -> Result<(), Failed> {
            let (from, until) = self.stall;
            if (from..until).contains(&Instant::now()) {
                tokio::time::sleep_until(until.into()).await;
            }
            sleep(self.service).await;
            Ok(())
        }
    }

    /// A run of so many seconds without warm-up, of a server that answers within a millisecond or two but stalls in the second second.
    fn measure(pace: Pace, seconds: u64, service: Duration, stalls: bool) -> Measured {
        let one = Workload::all(&Options::default(), Protocol::Native).unwrap().remove(0);
        let workload = Workload { pace, ..one };
        let times = Times::of(Duration::ZERO, Duration::from_secs(seconds));
        let second = times.begin + Duration::from_secs(1);
        let server = Server { service, stall: (second, if stalls { second + Duration::from_secs(1) } else { second }) };
        let recorder = Rc::new(RefCell::new(Recorder::new(times, workload.is_open()).unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(&server, &workload, times, &recorder)).unwrap_or_else(|failure| panic!("{failure:?}"));
        Rc::try_unwrap(recorder).unwrap().into_inner().finish(Some(Duration::from_millis(5)))
    }

    /// Goal: a second in which nothing is answered cannot hide. Method: of an open loop of three seconds a third of the requests fall into it, whether they wait
    /// at the server or for room to begin; the one client of a closed loop sees it once in a thousand requests, and its 99th percentile does not, unless
    /// it is corrected.
    #[test]
    fn a_stall_of_a_second_shows_in_the_open_loop() {
        for in_flight_max in [10_000, 4] {
            let pace = Pace::Open { rate: 200.0, arrivals: Arrivals::Constant, in_flight_max };
            let open = measure(pace, 3, Duration::from_millis(1), true);
            assert!(open.latency.p99_seconds > 0.9 && open.latency.p90_seconds > 0.5, "{in_flight_max}: {:?}", open.latency);
            assert!(open.latency.p50_seconds < 0.1 && open.longest_gap_seconds > 0.9, "{in_flight_max}: {:?}", open.latency);
            let kept = open.open_loop.unwrap();
            assert!(kept.not_started == 0 && (in_flight_max > 4 || kept.late > 150), "{kept:?}");
        }
        let closed = measure(Pace::Closed { clients: 1 }, 3, Duration::from_millis(1), true);
        assert!(closed.latency.p99_seconds < 0.5 && closed.latency.max_seconds > 0.9, "{:?}", closed.latency);
        assert!(closed.latency_corrected.unwrap().p90_seconds > 0.1, "the correction adds what would have been asked");
    }

    /// Goal: a target that is too slow for the rate is not flattered. Method: one request at a time of 100 ms each, ten times as many are due; all that were
    /// due are accounted for.
    #[test]
    fn what_could_not_begin_is_counted_and_its_wait_is_a_latency() {
        let pace = Pace::Open { rate: 100.0, arrivals: Arrivals::Constant, in_flight_max: 1 };
        let measured = measure(pace, 1, Duration::from_millis(100), false);
        let open = measured.open_loop.unwrap();
        assert!((85..=99).contains(&open.not_started) && open.late > 0, "{open:?}");
        assert_eq!(measured.latency.count, 99, "each arrival before the end is in the latencies");
        assert!((0.3..0.8).contains(&measured.latency.p50_seconds), "{:?}", measured.latency);
    }

    #[test]
    fn keys_and_shares_are_as_asked() {
        let one = Workload::all(&Options::default(), Protocol::Native).unwrap().remove(0);
        let draw = |read_share, keys, key_bytes| {
            let mut requests = Requests::new(&Workload { read_share, keys, key_bytes, ..one.clone() }, Bytes::from_static(b"v"), 3);
            (0..1_000).map(move |_| requests.next()).collect::<Vec<_>>()
        };
        let reads = |drawn: &[Request]| drawn.iter().filter(|request| matches!(request, Request::Get { .. })).count();
        assert_eq!([0.0, 1.0].map(|share| reads(&draw(share, 10, 16))), [0, 1_000]);
        assert!((250..350).contains(&reads(&draw(0.3, 10, 16))));
        assert!(
            draw(0.0, 20, 2).iter().all(|request| matches!(request, Request::Put { key, .. } if ("00"..="13").contains(&key.as_str())))
        );
    }
}
