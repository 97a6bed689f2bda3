//! Sorts results into what a picture shows: a case per workload, and in it a series per name.

use std::collections::BTreeMap;

use super::super::{
    ratio::median,
    report::{FORMAT, Results, Run},
    workload::Workload,
};

/// All that is drawn.
#[derive(Debug)]
pub(super) struct Figure {
    /// Names of targets, in the order in which they came.
    pub(super) names: Vec<String>,
    /// Workloads, in the order in which they came.
    pub(super) cases: Vec<Case>,
    /// What is the same for all runs.
    pub(super) circumstances: String,
    /// How many runs.
    pub(super) runs: usize,
}

/// One workload.
#[derive(Debug)]
pub(super) struct Case {
    /// In a few words.
    pub(super) title: String,
    /// By name's place in [`Figure::names`].
    pub(super) series: BTreeMap<usize, Series>,
}

/// The runs of one target and workload.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Requests per second of each run.
    pub(super) rates: Vec<f64>,
    /// Quantiles with the median of the runs' latencies, ascending.
    pub(super) curve: Vec<(f64, f64)>,
    curves: Vec<Vec<(f64, f64)>>,
}

impl Figure {
    /// Sorts. An unknown format comes back as the error.
    pub(super) fn of(results: Vec<Results>) -> Result<Self, u32> {
        let runs: Vec<Run> = results
            .into_iter()
            .flat_map(|results| match results {
                Results::Run(run) => vec![*run],
                Results::Comparison(comparison) => comparison.rounds.into_iter().flat_map(|round| [round.a, round.b]).collect(),
            })
            .collect();
        if let Some(run) = runs.iter().find(|run| run.format != FORMAT) {
            return Err(run.format);
        }
        let mut figure = Self { names: Vec::new(), cases: Vec::new(), circumstances: circumstances(&runs), runs: runs.len() };
        for run in runs {
            figure.add(run);
        }
        for series in figure.cases.iter_mut().flat_map(|case| case.series.values_mut()) {
            series.curve = middle(&series.curves);
        }
        Ok(figure)
    }

    fn add(&mut self, run: Run) {
        let name = place(&mut self.names, |name| *name == run.name, || run.name.clone());
        let title = format!("{}, {}", run.workload.operation(), run.workload.step());
        let case = place(&mut self.cases, |case| case.title == title, || Case { title: title.clone(), series: BTreeMap::new() });
        let Some(case) = self.cases.get_mut(case) else { return };
        let series = case.series.entry(name).or_default();
        series.rates.push(run.result.per_second);
        series.curves.push(run.result.latency.curve);
    }
}

/// The place of the first fitting item, which is added if there is none.
fn place<T>(items: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    items.iter().position(fits).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    })
}

/// At each quantile that all curves have, the median.
fn middle(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let Some(first) = curves.first() else { return Vec::new() };
    let at = |quantile: f64| -> Option<(f64, f64)> {
        let values: Option<Vec<f64>> =
            curves.iter().map(|curve| curve.iter().find(|(other, _)| *other == quantile).map(|(_, value)| *value)).collect();
        Some((quantile, median(values?.into_iter())?))
    };
    first.iter().filter_map(|(quantile, _)| at(*quantile)).collect()
}

fn circumstances(runs: &[Run]) -> String {
    let same = |of: &dyn Fn(&Workload) -> String| {
        let mut texts = runs.iter().map(|run| of(&run.workload));
        let first = texts.next()?;
        texts.all(|text| text == first).then_some(first)
    };
    let mut parts: Vec<String> = [
        same(&|workload| format!("{} B keys, {} B values", workload.key_bytes, workload.value_bytes)),
        same(&|workload| format!("{} s per run", workload.seconds)),
        Some(format!("{} runs", runs.len())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let loads: Vec<f64> = runs.iter().filter_map(|run| run.machine.load_average_before).collect();
    if let (Some(low), Some(high)) = (loads.iter().copied().reduce(f64::min), loads.iter().copied().reduce(f64::max)) {
        parts.push(format!("load average before {low:.1} to {high:.1}"));
    }
    if let Some(run) = runs.first() {
        parts.push(format!("{} cores", run.machine.cores));
    }
    parts.join(" · ")
}
