//! From values to places, and the values that an axis names.

/// Values from 0 to a round number above the largest one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Linear {
    step: f64,
    steps: u32,
}

impl Linear {
    /// With some four to six steps of 1, 2 or 5 times a power of ten.
    pub(super) fn up_to(largest: f64) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let power = 10f64.powf((largest / 5.0).log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| largest / step <= 6.0).unwrap_or(10.0 * power);
        Self { step, steps: (largest / step).ceil() as u32 }
    }

    /// Where a value lies, 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        value / self.end()
    }

    /// The value at its end.
    pub(super) fn end(self) -> f64 {
        self.step * f64::from(self.steps)
    }

    /// The values to name.
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(move |number| f64::from(number) * self.step)
    }
}

/// Positive values of which each step is a multiple.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Log {
    low: f64,
    high: f64,
}

impl Log {
    /// From the round number below the smallest value to the one above the largest; round are 1, 2 and 5 times powers of ten.
    pub(super) fn around(smallest: f64, largest: f64) -> Self {
        let smallest = if smallest > 0.0 { smallest } else { 1e-6 };
        let largest = largest.max(smallest);
        let round = |value: f64, fits: fn(f64, f64) -> bool, ascending: bool| {
            let power = 10f64.powf(value.log10().floor());
            let mut steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
            if !ascending {
                steps.reverse();
            }
            steps.into_iter().find(|step| fits(*step, value)).unwrap_or(value)
        };
        let low = round(smallest, |step, value| step <= value * 1.000_001, false);
        let high = round(largest, |step, value| step >= value * 0.999_999, true);
        Self { low, high: if high > low { high } else { low * 2.0 } }
    }

    /// Where a value lies, 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
    }

    /// The values to name: 1, 2 and 5 times powers of ten, or only the powers where that would be too many.
    pub(super) fn ticks(self) -> Vec<f64> {
        let powers = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
        let within = |value: &f64| (self.low * 0.999..=self.high * 1.001).contains(value);
        let all: Vec<f64> = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power))).filter(within).collect();
        if all.len() <= 10 { all } else { all.into_iter().filter(|value| (value.log10() - value.log10().round()).abs() < 1e-6).collect() }
    }
}

/// A number of requests, short.
pub(super) fn count(value: f64) -> String {
    match value {
        v if v >= 1e6 => trim(v / 1e6, "M"),
        v if v >= 10_000.0 => trim(v / 1e3, "k"),
        v if v >= 1_000.0 => format!("{},{:03}", (v.round() / 1e3).floor(), v.round() % 1e3),
        v => trim(v, ""),
    }
}

/// A value of an axis that reaches to `largest`, with the unit of all its values.
pub(super) fn tick(value: f64, largest: f64) -> String {
    match largest {
        _ if value == 0.0 => "0".to_owned(),
        l if l >= 10e6 => trim(value / 1e6, "M"),
        l if l >= 10e3 => trim(value / 1e3, "k"),
        _ => count(value),
    }
}

/// A latency, short.
pub(super) fn latency(seconds: f64) -> String {
    match seconds {
        s if s < 0.999_5e-3 => trim(s * 1e6, " µs"),
        s if s < 0.999_5 => trim(s * 1e3, " ms"),
        s => trim(s, " s"),
    }
}

/// Three significant digits at most, without zeros at the end.
fn trim(value: f64, unit: &str) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::{Linear, Log, count, latency, tick};

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        for (largest, expected) in [
            (26_000.0, &[0.0, 5e3, 1e4, 1.5e4, 2e4, 2.5e4, 3e4][..]),
            (4.0, &[0.0, 1.0, 2.0, 3.0, 4.0]),
            (0.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ] {
            let ticks: Vec<f64> = Linear::up_to(largest).ticks().collect();
            assert!(ticks.len() == expected.len() && ticks.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{largest}: {ticks:?}");
        }
        assert!((Linear::up_to(26_000.0).at(15_000.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_logarithmic_axis_holds_its_values() {
        for (smallest, largest, low, high, ticks) in
            [(0.0003, 0.03, 0.0002, 0.05, 8), (0.001, 0.001, 0.001, 0.002, 2), (1e-5, 9.0, 1e-5, 10.0, 7), (0.0, 0.1, 1e-6, 0.1, 6)]
        {
            let scale = Log::around(smallest, largest);
            assert!((scale.low / low - 1.0).abs() < 1e-6 && (scale.high / high - 1.0).abs() < 1e-6, "{smallest} to {largest}: {scale:?}");
            assert_eq!(scale.ticks().len(), ticks, "{smallest} to {largest}: {:?}", scale.ticks());
            assert!((scale.at(high) - 1.0).abs() < 1e-6 && scale.at(low).abs() < 1e-6 && scale.at(0.0) == 0.0);
        }
    }

    #[test]
    fn labels_are_short() {
        let counts =
            [(0.0, "0"), (950.0, "950"), (1_069.2, "1,069"), (1_005.0, "1,005"), (26_000.0, "26k"), (12_841.0, "12.8k"), (1.5e6, "1.5M")];
        assert!(counts.iter().all(|(value, text)| count(*value) == *text), "{:?}", counts.map(|(value, _)| count(value)));
        let ticks = [(0.0, 12e3, "0"), (8e3, 12e3, "8k"), (8e3, 9e3, "8,000"), (2.5e6, 1e7, "2.5M"), (500.0, 12e3, "0.5k")];
        assert!(ticks.iter().all(|(value, largest, text)| tick(*value, *largest) == *text));
        let latencies = [(0.00002, "20 µs"), (0.001, "1 ms"), (0.0123, "12.3 ms"), (2.0, "2 s")];
        assert!(latencies.iter().all(|(value, text)| latency(*value) == *text), "{:?}", latencies.map(|(value, _)| latency(value)));
    }
}
