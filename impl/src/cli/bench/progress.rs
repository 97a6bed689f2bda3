//! Says on a terminal how far a run is.

use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{load::Shared, record::Times};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Columns of the bar.
const WIDTH: usize = 30;

/// Back to the beginning of the line, and the rest of it away (ECMA-48, EL).
const CLEAR_LINE: &str = "\r\x1b[K";

/// Draws a bar on stderr until the end of the run, if people watch and stderr is a terminal.
pub(super) async fn show(people_watch: bool, times: Times, recorder: &Shared) {
    if !people_watch || !stderr().is_terminal() {
        return;
    }
    let mut last = (times.from, 0);
    loop {
        let now = Instant::now();
        if now >= times.end {
            break;
        }
        let done = recorder.borrow().so_far();
        let rate = (now >= times.from).then(|| (done - last.1) as f64 / now.duration_since(last.0).as_secs_f64().max(1e-3));
        draw(&line(times, now, rate));
        last = (now.max(times.from), done);
        sleep(INTERVAL.min(times.end.duration_since(now))).await;
    }
    draw("");
}

fn line(times: Times, now: Instant, rate: Option<f64>) -> String {
    let (all, gone) = (times.end.duration_since(times.begin).as_secs_f64(), now.duration_since(times.begin).as_secs_f64());
    let filled = ((gone / all * WIDTH as f64) as usize).min(WIDTH);
    let what = rate.map_or("warm-up".to_owned(), |rate| format!("{rate:.0}/s"));
    format!("  [{}{}] {gone:.0} of {all:.0} s  {what}", "#".repeat(filled), " ".repeat(WIDTH - filled))
}

/// A terminal that cannot be written is not worth ending a run for.
fn draw(line: &str) {
    let mut stderr = stderr().lock();
    let _ = write!(stderr, "{CLEAR_LINE}{line}").and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::{Duration, Times, line};

    #[test]
    fn the_bar_fills() {
        let times = Times::of(Duration::from_secs(2), Duration::from_secs(8));
        let at = |seconds, rate| line(times, times.begin + Duration::from_secs(seconds), rate);
        assert_eq!(at(1, None), format!("  [{}{}] 1 of 10 s  warm-up", "#".repeat(3), " ".repeat(27)));
        assert_eq!(at(10, Some(12.4)), format!("  [{}] 10 of 10 s  12/s", "#".repeat(30)));
    }
}
