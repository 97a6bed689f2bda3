//! Throughput: a bar per target and workload.

use super::{
    super::ratio::median,
    Area, Figure,
    scale::{Linear, count, tick},
    svg::{AXIS, Anchor, COLOURS, GRID, Style, Svg, WHISKER},
};

/// Room for the values of the axis, and for the workloads' names below.
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 30.0;
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
        let title_size = if figure.cases.len() > 4 { 10.0 } else { 12.0 };
        svg.text((middle, inner.bottom() + 20.0), &case.title, Style::plain(title_size, Anchor::Middle));
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
            svg.text((centre, y(most) - 6.0), &count(rate), Style::bold(12.0, Anchor::Middle));
        }
    }
}

fn whisker(svg: &mut Svg, x: f64, low: f64, high: f64) {
    svg.line((x, low), (x, high), WHISKER, 1.4);
    for y in [low, high] {
        svg.line((x - 5.0, y), (x + 5.0, y), WHISKER, 1.4);
    }
}
