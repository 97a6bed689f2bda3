//! Gathers a run's latencies, rates, gaps and failures.

use std::time::{Duration, Instant};

use hdrhistogram::{CreationError, Histogram};

use super::{
    report::{Latency, Measured, OpenLoop},
    session::{Failed, FailureCounts},
};

/// Longest latency that is told apart; longer ones count as this.
const LATENCY_MAX_US: u64 = 600_000_000;

/// A request of an open loop that begins later than this after its time was held up by the generator or by the bound on requests under way.
const LATE: Duration = Duration::from_millis(5);

/// When a run is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The first request.
    pub(super) begin: Instant,
    /// The end of the warm-up.
    pub(super) from: Instant,
    /// The end of what counts.
    pub(super) end: Instant,
}

impl Times {
    /// A run that begins now.
    pub(super) fn of(warm_up: Duration, length: Duration) -> Self {
        let begin = Instant::now();
        Self { begin, from: begin + warm_up, end: begin + warm_up + length }
    }

    fn counts(&self, at: Instant) -> bool {
        (self.from..self.end).contains(&at)
    }
}

/// Gathers one run. What is outside of its time does not count.
#[derive(Debug)]
pub(super) struct Recorder {
    times: Times,
    /// Of an open loop: delays between intended and real begin, and how many were late or never began.
    open: Option<Delays>,
    /// Microseconds.
    latencies: Histogram<u64>,
    each_second: Vec<u64>,
    last: Instant,
    gap: Duration,
    failures: FailureCounts,
    unknown: u64,
    example: Option<String>,
}

#[derive(Debug)]
struct Delays {
    delays: Histogram<u64>,
    late: u64,
    not_started: u64,
}

impl Recorder {
    /// For a run of a closed or an open loop.
    pub(super) fn new(times: Times, is_open: bool) -> Result<Self, CreationError> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        let open = if is_open { Some(Delays { delays: histogram()?, late: 0, not_started: 0 }) } else { None };
        let seconds = times.end.duration_since(times.from).as_secs().max(1);
        Ok(Self {
            times,
            open,
            latencies: histogram()?,
            each_second: vec![0; usize::try_from(seconds).unwrap_or(1)],
            last: times.from,
            gap: Duration::ZERO,
            failures: FailureCounts::new(),
            unknown: 0,
            example: None,
        })
    }

    /// A closed loop's request counts if it ends within the run; an open one's if it should have begun there, however late it ends.
    fn counts(&self, intended: Instant, now: Instant) -> bool {
        self.times.counts(if self.open.is_some() { intended } else { now })
    }

    /// A request was done.
    pub(super) fn done(&mut self, intended: Instant, now: Instant) {
        if self.counts(intended, now) {
            self.latencies.saturating_record(micros(now.saturating_duration_since(intended)));
        }
        if self.times.counts(now) {
            let second = usize::try_from(now.duration_since(self.times.from).as_secs()).unwrap_or(0);
            if let Some(count) = self.each_second.get_mut(second) {
                *count += 1;
            }
            self.gap = self.gap.max(now.saturating_duration_since(self.last));
            self.last = now;
        }
    }

    /// A request was not done, or nobody knows.
    pub(super) fn failed(&mut self, intended: Instant, now: Instant, failed: Failed) {
        if self.counts(intended, now) {
            *self.failures.entry(failed.kind.to_owned()).or_default() += 1;
            self.unknown += u64::from(failed.unknown);
            self.example.get_or_insert(failed.text);
        }
    }

    /// A request of an open loop begins.
    pub(super) fn started(&mut self, intended: Instant, now: Instant) {
        if self.times.counts(intended)
            && let Some(open) = &mut self.open
        {
            let delay = now.saturating_duration_since(intended);
            open.delays.saturating_record(micros(delay));
            open.late += u64::from(delay > LATE);
        }
    }

    /// A request of an open loop had not begun when the run ended. What it had waited by then is the least that its latency can be, and counts as it:
    /// left out, an overloaded target would look better than it is.
    pub(super) fn not_started(&mut self, intended: Instant) {
        if self.times.counts(intended)
            && let Some(open) = &mut self.open
        {
            open.not_started += 1;
            self.latencies.saturating_record(micros(self.times.end.saturating_duration_since(intended)));
        }
    }

    /// Requests done so far within the run.
    pub(super) fn so_far(&self) -> u64 {
        self.each_second.iter().sum()
    }

    /// The figures. The time to the end of the run is a gap, too. `expected`: the distance at which clients of a closed loop meant to ask.
    pub(super) fn finish(self, expected: Option<Duration>) -> Measured {
        let length = self.times.end.duration_since(self.times.from);
        let operations = self.so_far();
        Measured {
            operations,
            per_second: operations as f64 / length.as_secs_f64(),
            latency: Latency::of(&self.latencies),
            latency_corrected: expected.map(|expected| Latency::of(&self.latencies.clone_correct(micros(expected)))),
            longest_gap_seconds: self.gap.max(self.times.end.saturating_duration_since(self.last)).as_secs_f64(),
            each_second: self.each_second,
            failed: self.failures.values().sum(),
            unknown: self.unknown,
            failures: self.failures,
            example_failure: self.example,
            open_loop: self.open.map(|open| OpenLoop {
                late: open.late,
                not_started: open.not_started,
                start_delay_p50_seconds: open.delays.value_at_quantile(0.5) as f64 / 1e6,
                start_delay_p99_seconds: open.delays.value_at_quantile(0.99) as f64 / 1e6,
                start_delay_max_seconds: open.delays.max() as f64 / 1e6,
            }),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LATENCY_MAX_US).clamp(1, LATENCY_MAX_US)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Failed, Instant, Recorder, Times};

    fn times(warm_up_ms: u64, length_ms: u64) -> (Times, impl Fn(u64) -> Instant) {
        let times = Times::of(Duration::from_millis(warm_up_ms), Duration::from_millis(length_ms));
        (times, move |ms| times.begin + Duration::from_millis(ms))
    }

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= expected / 100.0
    }

    #[test]
    fn of_a_closed_loop_what_ends_within_the_run_counts_and_gaps_reach_to_its_ends() {
        let (times, at) = times(1_000, 2_000);
        let mut recorder = Recorder::new(times, false).unwrap();
        for (ms, latency) in [(999, 1), (1_000, 2), (1_500, 4), (2_100, 10), (3_000, 1)] {
            recorder.done(at(ms - latency), at(ms));
        }
        let failed = |unknown| Failed { kind: "busy", unknown, text: "busy".to_owned() };
        recorder.failed(at(900), at(990), failed(true));
        recorder.failed(at(1_100), at(1_200), failed(true));
        recorder.failed(at(1_100), at(1_200), failed(false));
        let measured = recorder.finish(None);
        assert_eq!((measured.operations, measured.per_second, measured.each_second.as_slice()), (3, 1.5, &[2, 1][..]));
        assert_eq!((measured.failed, measured.unknown, measured.failures["busy"]), (2, 1, 2));
        assert_eq!(measured.longest_gap_seconds, 0.9);
        assert!(near(measured.latency.p50_seconds, 0.004) && near(measured.latency.max_seconds, 0.010), "{measured:?}");
    }

    #[test]
    fn of_an_open_loop_what_should_have_begun_within_the_run_counts_even_if_it_never_did() {
        let (times, at) = times(1_000, 1_000);
        let mut recorder = Recorder::new(times, true).unwrap();
        recorder.done(at(990), at(1_500)); // of the warm-up
        recorder.started(at(1_100), at(1_101));
        recorder.done(at(1_100), at(1_110));
        recorder.started(at(1_200), at(1_900));
        recorder.done(at(1_200), at(2_700)); // ends behind the run
        recorder.not_started(at(1_600));
        recorder.not_started(at(2_100));
        let measured = recorder.finish(None);
        assert_eq!(measured.operations, 2, "the rate is of what ended within the run");
        let open = measured.open_loop.unwrap();
        assert_eq!((open.late, open.not_started), (1, 1));
        assert!(near(measured.latency.max_seconds, 1.5) && near(measured.latency.p50_seconds, 0.4), "{:?}", measured.latency);
    }

    /// A client that meant to ask each 10 ms and was held up for a second once would have asked a hundred times meanwhile.
    #[test]
    fn corrected_latencies_hold_what_a_stall_kept_from_being_asked() {
        let (times, at) = times(0, 3_000);
        let mut recorder = Recorder::new(times, false).unwrap();
        for ms in (10..=2_000).step_by(10) {
            recorder.done(at(ms - 1), at(ms));
        }
        recorder.done(at(2_000), at(2_999));
        let measured = recorder.finish(Some(Duration::from_millis(10)));
        let corrected = measured.latency_corrected.unwrap();
        assert!(near(measured.latency.p99_seconds, 0.001) && corrected.p90_seconds > 0.6, "{corrected:?}");
    }
}
