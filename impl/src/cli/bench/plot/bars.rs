//! Throughput: a bar per target and workload.

use super::{
    super::ratio::median,
    Area, Figure,
    scale::{Linear, count, tick},
    svg::{AXIS, Anchor, COLOURS, GRID, Style, Svg, WHISKER, width_of},
};

/// Room for the values of the axis, and for the workloads' names below.
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 44.0;
const TOP: f64 = 34.0;

/// A bar is no wider than this.
const BAR_MAX: f64 = 64.0;

pub(super) fn draw(svg: &mut Svg, area: Area, figure: &Figure) {
    svg.text((area.left, area.top + 18.0), "Throughput, requests per second", Style::bold(14.0, Anchor::Start));
    let inner = Area { left: area.left + LEFT, top: area.top + TOP, width: area.width - LEFT, height: area.height - TOP - BOTTOM };
    let largest = figure.cases.iter().flat_map(|case| case.series.values()).flat_map(|series| &series.rates).copied().fold(0.0, f64::max);
    let scale = Linear::up_to(largest * 1.05);
    let y = |value: f64| inner.bottom() - scale.at(value) * inner.height;
    for value in scale.ticks() {
        svg.line((inner.left, y(value)), (inner.right(), y(value)), if value == 0.0 { AXIS } else { GRID }, 1.0);
        svg.text((inner.left - 8.0, y(value) + 4.0), &tick(value, scale.end()), Style::grey(11.0, Anchor::End));
    }
    let slot = inner.width / figure.cases.len() as f64;
    for (number, case) in figure.cases.iter().enumerate() {
        let middle = inner.left + (number as f64 + 0.5) * slot;
        name_case(svg, (middle, inner.bottom() + 18.0), &case.title, slot);
        let bars = case.series.len() as f64;
        let width = (slot * 0.7 / bars).min(BAR_MAX);
        for (place, (name, series)) in case.series.iter().enumerate() {
            let colour = COLOURS[name % COLOURS.len()];
            let left = middle + (place as f64 - bars / 2.0) * width;
            let rate = median(series.rates.iter().copied()).unwrap_or(0.0);
            svg.rectangle(Area { left: left + 2.0, top: y(rate), width: width - 4.0, height: inner.bottom() - y(rate) }, colour);
            let (least, most) = series.rates.iter().fold((rate, rate), |(least, most), rate| (least.min(*rate), most.max(*rate)));
            let centre = left + width / 2.0;
            if most > least {
                whisker(svg, centre, y(least), y(most));
            }
            // Beside other bars a narrow one has room for a short text only.
            let fits = width_of(&count(rate), 12.0) <= width;
            let (text, size) = if fits { (count(rate), 12.0) } else { (tick(rate, scale.end()), 9.0) };
            svg.text((centre, y(most) - 6.0), &text, Style::bold(size, Anchor::Middle));
        }
    }
}

/// The workload below its bars: what it does, and below that how many do, if one line would run into the next workload's.
fn name_case(svg: &mut Svg, at: (f64, f64), title: &str, room: f64) {
    match title.rsplit_once(", ") {
        Some((operation, step)) if width_of(title, 12.0) > room => {
            svg.text(at, operation, Style::plain(11.0, Anchor::Middle));
            svg.text((at.0, at.1 + 15.0), step, Style::plain(11.0, Anchor::Middle));
        }
        _ => svg.text(at, title, Style::plain(12.0, Anchor::Middle)),
    }
}

fn whisker(svg: &mut Svg, x: f64, low: f64, high: f64) {
    svg.line((x, low), (x, high), WHISKER, 1.4);
    for y in [low, high] {
        svg.line((x - 5.0, y), (x + 5.0, y), WHISKER, 1.4);
    }
}
