//! How long to wait before the next attempt: doubling, bounded, jittered.

use rand::RngExt;
use std::time::Duration;

/// Waits between attempts: each is drawn from the upper half of a span that doubles from `min` to `max`, so that the nodes of a cluster
/// (or many clients) do not knock in step.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    span: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), span: min }
    }

    /// The wait before the next attempt.
    pub(crate) fn next(&mut self, rng: &mut impl rand::Rng) -> Duration {
        let span = self.span;
        self.span = span.saturating_mul(2).min(self.max);
        span.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// An attempt succeeded.
    pub(crate) const fn reset(&mut self) {
        self.span = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn waits_double_stay_bounded_and_start_again() {
        let (min, max) = (Duration::from_millis(50), Duration::from_secs(2));
        let mut backoff = Backoff::new(min, max);
        let mut rng = StdRng::seed_from_u64(7);
        let mut span = min;
        for _ in 0..12 {
            let wait = backoff.next(&mut rng);
            assert!(wait >= span / 2 && wait <= span, "{wait:?} is drawn from the upper half of {span:?}");
            span = (span * 2).min(max);
        }
        assert_eq!(span, max);
        backoff.reset();
        assert!(backoff.next(&mut rng) <= min);
    }
}
