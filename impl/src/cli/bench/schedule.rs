//! When the requests of an open loop should begin. The schedule does not know whether they do.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::options::Arrivals;

/// Times since the start of the warm-up, ascending, without end.
#[derive(Debug)]
pub(super) struct Schedule {
    rate: f64,
    arrivals: Arrivals,
    rng: StdRng,
    /// Arrivals so far.
    count: u64,
    /// Seconds at which the last one came; of the Poisson process only.
    last: f64,
}

impl Schedule {
    /// A schedule of `rate` arrivals per second.
    pub(super) fn new(rate: f64, arrivals: Arrivals, seed: u64) -> Self {
        Self { rate, arrivals, rng: StdRng::seed_from_u64(seed), count: 0, last: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.count += 1;
        let seconds = match self.arrivals {
            // Multiplied, not added up: no rounding gathers over a day.
            Arrivals::Constant => self.count as f64 / self.rate,
            Arrivals::Poisson => {
                // Distances of a Poisson process are exponentially distributed; 1 - u lies in (0, 1], so the logarithm exists.
                self.last -= (1.0 - self.rng.random::<f64>()).ln() / self.rate;
                self.last
            }
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrivals, Duration, Schedule};

    #[test]
    fn constant_arrivals_keep_their_distance_and_do_not_drift() {
        for (rate, nth, expected_us) in [(1_000.0, 1, 1_000), (1_000.0, 1_000_000, 1_000_000_000), (3.0, 3, 1_000_000), (0.5, 1, 2_000_000)]
        {
            let at = Schedule::new(rate, Arrivals::Constant, 1).nth(nth - 1).unwrap();
            assert_eq!(at.as_micros(), expected_us, "number {nth} at {rate}/s");
        }
        let in_the_eighth_second = |at: &Duration| at.as_secs() == 7;
        let count = Schedule::new(1_000.0, Arrivals::Constant, 1).take(20_000).filter(in_the_eighth_second).count();
        assert!((999..=1_001).contains(&count), "{count}");
    }

    /// Goal: the process is a Poisson process of the asked rate. Method: of the counts of seconds, mean and variance are both the rate; and a seed repeats it.
    #[test]
    fn poisson_arrivals_have_mean_and_variance_of_the_rate() {
        let schedule = |seed| Schedule::new(100.0, Arrivals::Poisson, seed);
        let mut counts = [0.0f64; 2_000];
        for at in schedule(7) {
            match counts.get_mut(at.as_secs() as usize) {
                Some(count) => *count += 1.0,
                None => break,
            }
        }
        let mean = counts.iter().sum::<f64>() / 2_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 1_999.0;
        assert!((98.0..102.0).contains(&mean) && (85.0..115.0).contains(&variance), "mean {mean}, variance {variance}");
        assert!(schedule(7).take(50).eq(schedule(7).take(50)));
        assert!(!schedule(7).take(50).eq(schedule(8).take(50)));
    }
}
