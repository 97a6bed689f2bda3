//! `roadstead bench plot`: results as a picture that any browser shows. SVG is text, so this needs no library, no fonts and no browser.

mod bars;
mod curves;
mod scale;
mod series;
mod svg;

use std::{fs, path::PathBuf};

use clap::Args as ClapArgs;
use serde::Serialize;

use self::{
    series::{Case, Figure},
    svg::{Anchor, COLOURS, Style, Svg},
};
use super::{
    super::{failure::Failure, output::Output},
    report::{FORMAT, Results},
};

const AFTER_HELP: &str = "\
The files hold what --save or --json wrote: one value per line. Runs of one name and one workload are one series; of several rounds the medians are
drawn, and whiskers from the least to the most.

Examples:
  roadstead bench --compare one=native five=native?groups=5 --save groups.json
  roadstead bench plot groups.json -o groups.svg --title \"One group and five\"";

/// Draw throughput and latencies of results as SVG
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Results
    #[arg(required = true, value_name = "RESULTS")]
    files: Vec<PathBuf>,
    /// The picture
    #[arg(short, long, value_name = "FILE.svg")]
    output: PathBuf,
    /// What stands above it
    #[arg(long, default_value = "roadstead bench")]
    title: String,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Drawn {
    file: PathBuf,
    runs: usize,
}

/// Width of the picture; its height follows from what is drawn. In SVG's units, which browsers show as pixels.
const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
const BARS_HEIGHT: f64 = 300.0;
const CURVES_HEIGHT: f64 = 300.0;

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut results = Vec::new();
    for file in &args.files {
        let text = fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Results>() {
            let value =
                value.map_err(|error| Failure::Usage(format!("{}: this is no result of `roadstead bench`: {error}", file.display())))?;
            results.push(value);
        }
    }
    let figure = Figure::of(results).map_err(|format| {
        Failure::Usage(format!("a result has format {format}, and this program knows {FORMAT}; plot it with the release that wrote it"))
    })?;
    if figure.cases.is_empty() {
        return Err(Failure::Usage("the files hold no results; write some with `roadstead bench --save FILE`".to_owned()));
    }
    fs::write(&args.output, draw(&args.title, &figure)).map_err(|error| Failure::failed(format!("{}: {error}", args.output.display())))?;
    let drawn = Drawn { file: args.output.clone(), runs: figure.runs };
    output.value(&drawn, |drawn| format!("{}: {} runs", drawn.file.display(), drawn.runs))
}

/// A rectangle of the picture.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Area {
    const fn right(&self) -> f64 {
        self.left + self.width
    }

    const fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// The whole picture: title, legend, bars of throughput, and latency curves, two beside each other.
fn draw(title: &str, figure: &Figure) -> String {
    let rows = figure.cases.len().div_ceil(2) as f64;
    let legend_bottom = 92.0;
    let curves_top = legend_bottom + BARS_HEIGHT + 16.0;
    let mut svg = Svg::new(WIDTH, curves_top + rows * CURVES_HEIGHT + MARGIN);
    svg.text((MARGIN, 36.0), title, Style::bold(20.0, Anchor::Start));
    svg.text((MARGIN, 58.0), &figure.circumstances, Style::grey(12.0, Anchor::Start));
    legend(&mut svg, &figure.names);
    let full = WIDTH - 2.0 * MARGIN;
    bars::draw(&mut svg, Area { left: MARGIN, top: legend_bottom, width: full, height: BARS_HEIGHT }, figure);
    let (gap, single) = (24.0, figure.cases.len() == 1);
    let width = if single { full } else { (full - gap) / 2.0 };
    for (number, case) in figure.cases.iter().enumerate() {
        let (column, row) = ((number % 2) as f64, (number / 2) as f64);
        let area = Area { left: MARGIN + column * (width + gap), top: curves_top + row * CURVES_HEIGHT, width, height: CURVES_HEIGHT };
        curves::draw(&mut svg, area, case, &figure.names);
    }
    svg.finish()
}

fn legend(svg: &mut Svg, names: &[String]) {
    let mut left = MARGIN;
    for (name, colour) in names.iter().zip(COLOURS.iter().cycle()) {
        svg.rectangle(Area { left, top: 70.0, width: 12.0, height: 12.0 }, colour);
        svg.text((left + 18.0, 80.0), name, Style::bold(13.0, Anchor::Start));
        left += 18.0 + svg::width_of(name, 13.0) + 24.0;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Results, Figure, draw};

    /// Goal: a picture shows every name, every workload and whole elements. Method: two results that are kept with the tests.
    #[test]
    fn a_picture_names_everything_and_is_well_formed() {
        let text = include_str!("../../../../tests/data/bench-comparison.json");
        let results: Vec<Results> = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().unwrap();
        let figure = Figure::of(results).unwrap();
        assert_eq!((figure.names.as_slice(), figure.cases.len()), (&["a<b".to_owned(), "c&d".to_owned()][..], 1));
        let svg = draw("1 < 2", &figure);
        for part in ["1 &lt; 2", "a&lt;b", "c&amp;d", "puts, 64 clients", "p99", "requests per second"] {
            assert!(svg.contains(part), "{part} is missing");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "every place is a number");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
