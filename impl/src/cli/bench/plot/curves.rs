//! Latencies by percentile: the further right, the rarer. Both axes are logarithmic, so that the median and the worst of ten thousand can be read alike.

use super::{
    Area, Case,
    scale::{Log, latency},
    svg::{AXIS, Anchor, COLOURS, GRID, Style, Svg},
};

const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 34.0;

/// Percentiles that the axis names.
const NAMED: [(f64, &str); 6] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"), (0.99999, "p99.999")];

/// How far right of the last percentile the maximum stands, in powers of ten.
const MAX_BEHIND: f64 = 0.6;

pub(super) fn draw(svg: &mut Svg, area: Area, case: &Case, names: &[String]) {
    svg.text((area.left, area.top + 18.0), &format!("Latency by percentile, {}", case.title), Style::bold(14.0, Anchor::Start));
    let inner = Area { left: area.left + LEFT, top: area.top + TOP, width: area.width - LEFT - RIGHT, height: area.height - TOP - BOTTOM };
    let points = || case.series.values().flat_map(|series| drawn(&series.curve));
    let values = || points().map(|(_, value)| *value).filter(|value| *value > 0.0);
    let (Some(smallest), Some(largest)) = (values().reduce(f64::min), values().reduce(f64::max)) else { return };
    let scale = Log::around(smallest, largest);
    let rarest = points().map(|(quantile, _)| *quantile).filter(|quantile| *quantile < 1.0).fold(0.5, f64::max);
    let all = rarity(rarest) + MAX_BEHIND;
    let x = |quantile: f64| inner.left + if quantile >= 1.0 { inner.width } else { rarity(quantile) / all * inner.width };
    let y = |value: f64| inner.bottom() - scale.at(value) * inner.height;
    for tick in scale.ticks() {
        svg.line((inner.left, y(tick)), (inner.right(), y(tick)), GRID, 1.0);
        svg.text((inner.left - 8.0, y(tick) + 4.0), &latency(tick), Style::grey(11.0, Anchor::End));
    }
    let named = NAMED.into_iter().filter(|(quantile, _)| *quantile <= rarest).chain([(1.0, "max")]);
    for (quantile, label) in named {
        svg.line((x(quantile), inner.top), (x(quantile), inner.bottom()), GRID, 1.0);
        svg.text((x(quantile), inner.bottom() + 18.0), label, Style::grey(11.0, Anchor::Middle));
    }
    svg.line((inner.left, inner.bottom()), (inner.right(), inner.bottom()), AXIS, 1.0);
    for (name, series) in &case.series {
        let colour = COLOURS[name % COLOURS.len()];
        let places: Vec<(f64, f64)> = drawn(&series.curve).map(|(quantile, value)| (x(*quantile), y(*value))).collect();
        svg.curve(&places, colour);
        for (quantile, value) in
            series.curve.iter().filter(|(quantile, _)| NAMED.iter().any(|(named, _)| named == quantile) || *quantile == 1.0)
        {
            let name = names.get(*name).map_or("", String::as_str);
            let label = NAMED.iter().find(|(named, _)| named == quantile).map_or("max", |(_, label)| label);
            svg.dot((x(*quantile), y(*value)), colour, &format!("{name} {label}: {}", latency(*value)));
        }
    }
}

/// The curve without its fastest requests: of a few lucky ones nobody wants to know, and the line to them would be steep.
fn drawn(curve: &[(f64, f64)]) -> impl Iterator<Item = &(f64, f64)> {
    curve.iter().filter(|(quantile, _)| *quantile >= 0.05)
}

/// One more for each nine behind the point: 1 for 0.9, 2 for 0.99.
fn rarity(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}
