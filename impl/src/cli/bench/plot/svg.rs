//! The elements of a picture, as text.

use std::fmt::Write;

use super::Area;

/// Colours of series, which people with any of the common kinds of colour blindness tell apart. Source: Okabe and Ito, "Color Universal Design", 2008.
pub(super) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Text.
const TEXT: &str = "#1f2937";
/// Text of less weight.
const GREY: &str = "#6b7280";
/// Lines of the grid.
pub(super) const GRID: &str = "#e5e7eb";
/// Axes.
pub(super) const AXIS: &str = "#9ca3af";
/// Whiskers, which are seen before the bars.
pub(super) const WHISKER: &str = TEXT;

/// Which part of a text is at its place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    size: f64,
    colour: &'static str,
    anchor: Anchor,
    bold: bool,
}

impl Style {
    /// A title.
    pub(super) const fn bold(size: f64, anchor: Anchor) -> Self {
        Self { size, colour: TEXT, anchor, bold: true }
    }

    /// A label.
    pub(super) const fn plain(size: f64, anchor: Anchor) -> Self {
        Self { size, colour: TEXT, anchor, bold: false }
    }

    /// What one reads last.
    pub(super) const fn grey(size: f64, anchor: Anchor) -> Self {
        Self { size, colour: GREY, anchor, bold: false }
    }
}

/// A picture that grows.
#[derive(Debug)]
pub(super) struct Svg(String);

impl Svg {
    /// An empty picture of this size on a light ground.
    pub(super) fn new(width: f64, height: f64) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\">\n"
        ));
        svg.rectangle(Area { left: 0.0, top: 0.0, width, height }, "#ffffff");
        svg
    }

    /// A filled rectangle.
    pub(super) fn rectangle(&mut self, area: Area, colour: &str) {
        let Area { left, top, width, height } = area;
        self.push(format_args!("<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"));
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        self.push(format_args!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// A line through points.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
            points.join(" ")
        ));
    }

    /// A dot, with what it means for those who point at it.
    pub(super) fn dot(&mut self, at: (f64, f64), colour: &str, meaning: &str) {
        self.push(format_args!(
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"><title>{}</title></circle>",
            at.0,
            at.1,
            escape(meaning)
        ));
    }

    /// A text whose baseline is at this place.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, style: Style) {
        let Style { size, colour, anchor, bold } = style;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        self.push(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\"{weight}>{}</text>",
            at.0,
            at.1,
            escape(text)
        ));
    }

    /// The whole picture.
    pub(super) fn finish(mut self) -> String {
        self.0 += "</svg>\n";
        self.0
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }
}

/// About how wide a text is. Fonts differ; this is enough to keep texts apart.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.58
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
