//! What pairs of runs say about the ratio of two targets, and how sure one can be.

use serde::{Deserialize, Serialize};

use super::{
    super::output::seconds,
    report::{Round, Run},
};

/// A figure that comparisons divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    /// Requests per second.
    PerSecond,
    /// Latency, median.
    P50,
    /// Latency, 90th percentile.
    P90,
    /// Latency, 95th percentile.
    P95,
    /// Latency, 99th percentile.
    P99,
    /// Latency, 99.9th percentile.
    P999,
    /// The longest latency.
    Max,
    /// Processor time per request.
    Cpu,
    /// Syncs per second.
    Syncs,
}

impl Metric {
    /// All, in the order of tables.
    pub(super) const ALL: [Self; 9] =
        [Self::PerSecond, Self::P50, Self::P90, Self::P95, Self::P99, Self::P999, Self::Max, Self::Cpu, Self::Syncs];

    /// For tables.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::PerSecond => "requests per second",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Max => "max",
            Self::Cpu => "processor time per request",
            Self::Syncs => "syncs per second",
        }
    }

    /// A value with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond | Self::Syncs => format!("{value:.0}"),
            Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 | Self::Max | Self::Cpu => seconds(value),
        }
    }

    /// The figure of a run; `None` if it was not measured, or is 0 and so has no ratio.
    fn of(self, run: &Run) -> Option<f64> {
        let (result, latency) = (&run.result, &run.result.latency);
        let value = match self {
            Self::PerSecond => result.per_second,
            Self::P50 => latency.p50_seconds,
            Self::P90 => latency.p90_seconds,
            Self::P95 => latency.p95_seconds,
            Self::P99 => latency.p99_seconds,
            Self::P999 => latency.p999_seconds,
            Self::Max => latency.max_seconds,
            Self::Cpu => run.cost.cpu_seconds_per_operation?,
            Self::Syncs => run.cost.syncs_per_second?,
        };
        (value > 0.0).then_some(value)
    }
}

/// The ratio of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ratio {
    /// Of what.
    pub(super) metric: Metric,
    /// The first target's median.
    pub(super) a_median: f64,
    /// The second target's median.
    pub(super) b_median: f64,
    /// Median of the rounds' ratios, second by first.
    pub(super) median: f64,
    /// The smallest round's.
    pub(super) min: f64,
    /// The largest round's.
    pub(super) max: f64,
    /// Geometric mean of the rounds' ratios: a half and a double cancel out.
    pub(super) mean: f64,
    /// Between these lies the true mean with 95 % confidence, if rounds are independent and their logarithms normally distributed (Student's t); `None`
    /// for a single round.
    pub(super) interval95: Option<(f64, f64)>,
}

impl Ratio {
    /// Of all metrics that every round has.
    pub(super) fn all(rounds: &[Round]) -> Vec<Self> {
        let of = |metric: Metric| {
            let pairs: Option<Vec<(f64, f64)>> = rounds.iter().map(|round| Some((metric.of(&round.a)?, metric.of(&round.b)?))).collect();
            Self::of(metric, &pairs?)
        };
        Metric::ALL.into_iter().filter_map(of).collect()
    }

    /// Of pairs of positive numbers; `None` if there is no pair.
    fn of(metric: Metric, pairs: &[(f64, f64)]) -> Option<Self> {
        let ratios: Vec<f64> = pairs.iter().map(|(a, b)| b / a).collect();
        let (mean, interval95) = geometric(&ratios)?;
        Some(Self {
            metric,
            a_median: median(pairs.iter().map(|(a, _)| *a))?,
            b_median: median(pairs.iter().map(|(_, b)| *b))?,
            median: median(ratios.iter().copied())?,
            min: ratios.iter().copied().reduce(f64::min)?,
            max: ratios.iter().copied().reduce(f64::max)?,
            mean,
            interval95,
        })
    }
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

/// Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom; 1.96 far beyond.
const T95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
    2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Geometric mean and its confidence interval.
fn geometric(ratios: &[f64]) -> Option<(f64, Option<(f64, f64)>)> {
    let count = ratios.len() as f64;
    let logs = || ratios.iter().map(|ratio| ratio.ln());
    let mean = logs().sum::<f64>() / count;
    let interval = ratios.len().checked_sub(2).map(|degrees| {
        let deviation = (logs().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        let reach = T95.get(degrees).copied().unwrap_or(2.0) * deviation / count.sqrt();
        ((mean - reach).exp(), (mean + reach).exp())
    });
    (!ratios.is_empty()).then(|| (mean.exp(), interval))
}

#[cfg(test)]
mod tests {
    use super::{Metric, Ratio, median};

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-3 * expected.abs().max(1.0)
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        for (values, expected) in [(&[][..], None), (&[3.0], Some(3.0)), (&[9.0, 1.0, 4.0], Some(4.0)), (&[9.0, 1.0, 4.0, 2.0], Some(3.0))]
        {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }

    /// Pairs; then median, min, max, geometric mean and interval of the ratios, calculated by hand with t = 12.706, 4.303 and 2.776.
    #[test]
    fn ratios_with_their_spread() {
        type Expected = (f64, f64, f64, f64, Option<(f64, f64)>);
        let cases: [(&[(f64, f64)], Expected); 5] = [
            (&[(100.0, 250.0)], (2.5, 2.5, 2.5, 2.5, None)),
            (&[(1.0, 2.0), (3.0, 6.0), (5.0, 10.0)], (2.0, 2.0, 2.0, 2.0, Some((2.0, 2.0)))),
            (&[(1.0, 0.5), (1.0, 2.0)], (1.25, 0.5, 2.0, 1.0, Some((1.4969e-4, 6680.6)))),
            (&[(1.0, 1.0), (1.0, 2.0), (1.0, 4.0)], (2.0, 1.0, 4.0, 2.0, Some((0.35735, 11.1936)))),
            (&[(10.0, 28.0), (11.0, 30.8), (10.0, 27.0), (12.0, 36.0), (10.0, 29.0)], (2.8, 2.7, 3.0, 2.8382, Some((2.7007, 2.9826)))),
        ];
        for (pairs, (middle, min, max, mean, interval)) in cases {
            let ratio = Ratio::of(Metric::PerSecond, pairs).unwrap();
            assert!(
                near(ratio.median, middle) && near(ratio.min, min) && near(ratio.max, max) && near(ratio.mean, mean),
                "{pairs:?}: {ratio:?}"
            );
            match (ratio.interval95, interval) {
                (None, None) => {}
                (Some((low, high)), Some(expected)) => {
                    assert!(near(low, expected.0) && (high / expected.1 - 1.0).abs() < 1e-3, "{pairs:?}: {low} {high}");
                }
                other => panic!("{pairs:?}: {other:?}"),
            }
        }
        assert!(Ratio::of(Metric::PerSecond, &[]).is_none());
    }
}
