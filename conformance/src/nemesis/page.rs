//! One page that tells a run: the verdict, the faults over time, who led, and how long answers took.

use super::{Options, Outcome};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::time::Duration;

const WIDTH: f64 = 1100.0;
const LEFT: f64 = 150.0;
const LANE: f64 = 18.0;
/// Columns that answers are put together in.
const BINS: usize = 300;
const PLOT: f64 = 140.0;
const COLOURS: [&str; 8] = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5"];

/// The page, as HTML that needs no other file.
pub fn page(options: &Options, outcome: &Outcome) -> String {
    let good = outcome.violations.is_empty();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Nemesis, seed " (options.seed) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Nemesis: " span class=(if good { "good" } else { "bad" }) { (if good { "nothing is violated" } else { "VIOLATED" }) } }
                @for violation in &outcome.violations { pre class="bad" { (violation) } }
                (figures(options, outcome))
                h2 { "Faults" } (faults(outcome))
                h2 { "Leaders" } (leaders(options, outcome))
                h2 { "Answers" } (answers(outcome))
                h2 { "What clients were told instead of an answer" } (errors(outcome))
            }
        }
    };
    markup.into_string()
}

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:2em;max-width:1150px;color:#222}.good{color:#2a7d2a}.bad{color:#b00020}\
    table{border-collapse:collapse}td,th{padding:2px 12px 2px 0;text-align:left}svg text{font:11px system-ui,sans-serif;fill:#444}pre{white-space:pre-wrap}";

fn figures(options: &Options, outcome: &Outcome) -> Markup {
    let (latencies, verdict) = (&outcome.latencies, &outcome.verdict.figures);
    let rows = [
        ("nodes, groups, clients", format!("{}, {}, {} on {:?}", options.nodes, options.groups.len(), options.clients, options.ground)),
        ("lasted", format!("{:.1} s with {} faults; {} leads", outcome.lasted.as_secs_f64(), outcome.faults.len(), outcome.leads())),
        ("requests", format!("{} answered; {} changes of unknown outcome", outcome.answered, outcome.unknown)),
        ("histories", format!("{} operations judged, key by key", outcome.judged)),
        ("answers took", format!("{:.1?} (half), {:.1?} (99 of 100), {:.1?} at most", latencies.p50, latencies.p99, latencies.max)),
        ("longest time without an answer", format!("{:.1?}", latencies.longest_gap)),
        (
            "records",
            format!("{} in {} boots, {} killed; {} steps executed again", verdict.records, verdict.boots, verdict.killed, verdict.steps),
        ),
    ];
    html! { table { @for (name, value) in rows { tr { th { (name) } td { (value) } } } } }
}

/// Where a moment lies.
fn x(outcome: &Outcome, at: Duration) -> f64 {
    let lasted = outcome.lasted.as_secs_f64().max(0.001);
    LEFT + (WIDTH - LEFT) * (at.as_secs_f64() / lasted).min(1.0)
}

/// Lanes with a name each, and bars on them: lane, from, to, colour, what it says.
type Bar = (usize, Duration, Duration, &'static str, String);

fn lanes(outcome: &Outcome, names: &[String], bars: &[Bar]) -> Markup {
    let height = LANE * (names.len() + 1) as f64;
    html! {
        svg width=(WIDTH) height=(height) {
            @for (lane, name) in names.iter().enumerate() { text x="0" y=(LANE * (lane as f64 + 0.7)) { (name) } }
            @for (lane, from, to, colour, says) in bars {
                rect x=(x(outcome, *from)) y=(LANE * *lane as f64 + 2.0) height=(LANE - 4.0) fill=(colour)
                    width=((x(outcome, *to) - x(outcome, *from)).max(1.5)) { title { (says) } }
            }
            (seconds(outcome, height))
        }
    }
}

fn seconds(outcome: &Outcome, y: f64) -> Markup {
    let end = outcome.lasted.as_secs_f64();
    html! { @for tenth in 0..10 { text x=(LEFT + (WIDTH - LEFT) * f64::from(tenth) / 10.0) y=(y - 4.0) { (format!("{:.0} s", end * f64::from(tenth) / 10.0)) } } }
}

fn faults(outcome: &Outcome) -> Markup {
    let mut kinds: Vec<_> = outcome.faults.iter().map(|span| span.fault.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let lane = |span: &super::Span| kinds.iter().position(|kind| *kind == span.fault.kind()).unwrap_or_default();
    let says = |span: &super::Span| format!("{}, {:.1?} to {:.1?}", span.fault, span.from, span.to);
    let bars: Vec<Bar> = outcome.faults.iter().map(|span| (lane(span), span.from, span.to, "#b00020", says(span))).collect();
    lanes(outcome, &kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>(), &bars)
}

fn leaders(options: &Options, outcome: &Outcome) -> Markup {
    let colour = |node: u32| COLOURS[node as usize % COLOURS.len()];
    let lane = |group: i32| options.groups.iter().position(|other| *other == group).unwrap_or_default();
    let says = |lead: &super::Lead| format!("node {} in term {}, {:.1?} to {:.1?}", lead.node, lead.epoch, lead.from, lead.to);
    let bars: Vec<Bar> = outcome.leads.iter().map(|lead| (lane(lead.group), lead.from, lead.to, colour(lead.node), says(lead))).collect();
    html! {
        p { @for node in 1..=options.nodes { span style=(format!("color:{}", colour(node))) { "■ node " (node) " " } } }
        (lanes(outcome, &options.groups.iter().map(|group| format!("group {group}")).collect::<Vec<_>>(), &bars))
    }
}

/// Answers per column, and the slowest of each, on a logarithmic scale from 0.1 ms to 10 s.
fn answers(outcome: &Outcome) -> Markup {
    let mut bins = vec![(0_usize, Duration::ZERO); BINS];
    for answered in &outcome.answers {
        let bin = (answered.at.as_secs_f64() / outcome.lasted.as_secs_f64() * BINS as f64) as usize;
        if let Some((count, slowest)) = bins.get_mut(bin) {
            *count += 1;
            *slowest = answered.took.max(*slowest);
        }
    }
    let most = bins.iter().map(|(count, _)| *count).max().unwrap_or(1).max(1);
    let width = (WIDTH - LEFT) / BINS as f64;
    let slow = |took: Duration| PLOT * ((took.as_secs_f64().max(1e-4) / 1e-4).log10() / 5.0).min(1.0);
    html! {
        svg width=(WIDTH) height=(PLOT + LANE) {
            text x="0" y="20" { "grey: answers, up to" }
            text x="0" y="34" { (format!("{:.0} per second", most as f64 * BINS as f64 / outcome.lasted.as_secs_f64())) }
            text x="0" y="62" { "blue: the slowest," }
            text x="0" y="76" { "0.1 ms to 10 s (log)" }
            @for (bin, (count, slowest)) in bins.iter().enumerate() {
                @let high = PLOT * *count as f64 / most as f64;
                rect x=(LEFT + width * bin as f64) y=(PLOT - high) width=(width) height=(high) fill="#ddd" {}
                @if *count > 0 { circle cx=(LEFT + width * (bin as f64 + 0.5)) cy=(PLOT - slow(*slowest)) r="1.5" fill="#4269d0" {} }
            }
            (seconds(outcome, PLOT + LANE))
        }
    }
}

fn errors(outcome: &Outcome) -> Markup {
    let mut errors: Vec<_> = outcome.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! { table { @for (error, count) in errors.iter().take(30) { tr { td { (count) } td { (error) } } } } }
}
