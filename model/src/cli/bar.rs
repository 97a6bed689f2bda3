//! How far a search is, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    engine::{Progress, Watch},
    report::{count, duration, rate},
};

/// One line on stderr while a search runs; nothing where stderr is no terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    name: String,
    unit: &'static str,
    /// What there is to do, where that is known.
    total: Option<u64>,
    /// When it ends at the latest.
    time: Duration,
    started: Instant,
}

impl Bar {
    /// A line for a search that counts in a unit.
    pub(super) fn new(name: &str, unit: &'static str, total: Option<u64>, time: Duration) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total).with_style(style("{bar:24} {msg}")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}")),
        };
        bar.set_message(name.to_owned());
        Self { bar, name: name.to_owned(), unit, total, time, started: Instant::now() }
    }

    fn left(&self, done: u64) -> String {
        let spent = self.started.elapsed();
        let by_time = self.time.saturating_sub(spent).as_secs_f64();
        let by_total = self.total.map(|total| spent.as_secs_f64() * total.saturating_sub(done) as f64 / done.max(1) as f64);
        match by_total {
            Some(left) => format!("about {} left", duration(left.min(by_time))),
            None => format!("at most {} left", duration(by_time)),
        }
    }
}

impl Watch for Bar {
    fn progress(&self, now: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        let per_second = now.done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let depth = if self.unit == "states" {
            format!("depth {}, {} waiting", now.depth, count(now.waiting))
        } else {
            format!("{} walks", count(now.depth))
        };
        self.bar.set_position(now.done);
        self.bar.set_message(format!(
            "{}: {} {}, {depth}, {}/s, {}",
            self.name,
            count(now.done),
            self.unit,
            rate(per_second),
            self.left(now.done)
        ));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant")
}
