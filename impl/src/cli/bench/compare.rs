//! Two targets in turn, so that what changes over time on the machine meets both: A B, B A, A B, …

use std::mem;

use super::{
    super::failure::Failure,
    machine,
    ratio::Ratio,
    report::{Comparison, FORMAT, LOAD_MAX, Round, Run},
    run::{Settings, Subject},
};

/// What to compare.
#[derive(Debug)]
pub(super) struct Pair {
    /// Figures of the second are divided by those of the first.
    pub(super) a: Subject,
    /// The second.
    pub(super) b: Subject,
    /// Runs of each.
    pub(super) rounds: u32,
}

impl Pair {
    /// Both must have as many workloads: the first of one is compared with the first of the other.
    pub(super) fn new(a: Subject, b: Subject, rounds: u32) -> Result<Self, Failure> {
        if a.workloads.len() != b.workloads.len() {
            return Err(Failure::Usage(format!(
                "the targets of --compare make {} and {} runs; give both as many --clients or --rate",
                a.workloads.len(),
                b.workloads.len()
            )));
        }
        Ok(Self { a, b, rounds })
    }

    /// Refuses to begin on a machine that has something else to do.
    pub(super) fn check_load(settings: &Settings) -> Result<(), Failure> {
        match machine::load_average() {
            Some(load) if load > LOAD_MAX && settings.quiet_wait.is_zero() => Err(Failure::unavailable(
                format!("the load average is {load:.2}: above {LOAD_MAX} a comparison says nothing"),
                "end what uses the machine, wait with --quiet-wait SECONDS, or compare all the same with --allow-load",
            )),
            _ => Ok(()),
        }
    }

    /// Compares the workloads at one place of both lists, beginning with the first. `tell` hears of each run before and after it.
    pub(super) async fn compare(
        &self,
        place: usize,
        settings: &Settings,
        mut tell: impl FnMut(Told<'_>) -> Result<(), Failure>,
    ) -> Result<Option<Comparison>, Failure> {
        let (Some(of_a), Some(of_b)) = (self.a.workloads.get(place), self.b.workloads.get(place)) else { return Ok(None) };
        let mut rounds = Vec::with_capacity(self.rounds as usize);
        for number in 0..self.rounds {
            let a_first = number % 2 == 0;
            let mut is_first = place == 0 && number == 0;
            let mut ask = async |subject: &Subject, workload| {
                let run = subject.run(workload, settings, mem::take(&mut is_first), |run| tell(Told::Begins(run))).await?;
                tell(Told::Ended(&run))?;
                Ok::<Run, Failure>(run)
            };
            let (a, b) = if a_first {
                let a = ask(&self.a, of_a).await?;
                (a, ask(&self.b, of_b).await?)
            } else {
                let b = ask(&self.b, of_b).await?;
                (ask(&self.a, of_a).await?, b)
            };
            rounds.push(Round { a_first, a, b });
        }
        let Some(first) = rounds.first() else { return Ok(None) };
        Ok(Some(Comparison {
            format: FORMAT,
            a: first.a.name.clone(),
            b: first.b.name.clone(),
            ratios: Ratio::all(&rounds),
            quiet: rounds.iter().all(|round| round.a.machine.quiet && round.b.machine.quiet),
            rounds,
        }))
    }
}

/// What happens in a comparison.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// A run begins.
    Begins(&'a Run),
    /// It has its figures.
    Ended(&'a Run),
}
