//! Cutting a failing run down to what it takes to fail.

use std::collections::BTreeSet;

use super::plan::{Broken, Step};
use super::run::{Failure, NO_PANIC, Report, Run};

/// A failing run that has been cut down.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left of it.
    pub run: Run,
    /// How it fails.
    pub failure: Failure,
    /// Faults before and after.
    pub faults: [usize; 2],
    /// Operations of clients before and after.
    pub operations: [usize; 2],
    /// Runs that it took.
    pub runs: usize,
}

/// Cuts the plan of a failing run, its faults and its clients' operations, as long as
/// the same oracle objects, in at most so many runs. None if the run does not fail.
pub fn shrink(run: &Run, most_runs: usize) -> Option<Shrunk> {
    let report = run.report(false);
    let failure = report.failure.clone()?;
    let asked = run.plan.asked.clone().unwrap_or_else(|| thought_of(run, &report));
    let mut best = run.clone();
    best.plan.asked = Some(asked);
    let mut search = Search { best, failure, runs: 1, most_runs };
    let before = search.size();
    loop {
        let size = search.size();
        search.cut_steps();
        search.mend();
        search.cut_operations();
        search.halve();
        if search.size() == size || search.runs >= most_runs {
            break;
        }
    }
    let after = search.size();
    let Search { best, failure, runs, .. } = search;
    let (faults, operations) = ([before.0, after.0], [before.1, after.1]);
    Some(Shrunk { run: best, failure, faults, operations, runs })
}

/// All operations of a run. One that ends in a panic does not say, and no client thinks
/// of more than one in a ms.
fn thought_of(run: &Run, report: &Report) -> BTreeSet<(u64, u64)> {
    let most = (run.scenario.storm_s + 2 * run.scenario.calm_s) * 1_000;
    let of = |client| {
        report.thought_of.get(&client).copied().unwrap_or(match &report.failure {
            Some(failure) if failure.oracle == NO_PANIC => most,
            _ => 0,
        })
    };
    let clients = 1..=run.scenario.clients;
    clients.flat_map(|client| (0..of(client)).map(move |nth| (client, nth))).collect()
}

struct Search {
    best: Run,
    failure: Failure,
    runs: usize,
    most_runs: usize,
}

impl Search {
    fn asked(&self) -> Vec<(u64, u64)> {
        self.best.plan.asked.iter().flatten().copied().collect()
    }

    fn size(&self) -> (usize, usize) {
        let plan = &self.best.plan;
        (plan.steps.len() + plan.broken.len(), self.asked().len())
    }

    /// Takes a run in the best one's place if the same oracle objects to it.
    fn accept(&mut self, run: Run) -> bool {
        if self.runs >= self.most_runs {
            return false;
        }
        self.runs += 1;
        match run.report(false).failure {
            Some(failure) if failure.oracle == self.failure.oracle => {
                (self.best, self.failure) = (run, failure);
                true
            }
            _ => false,
        }
    }

    fn cut_steps(&mut self) {
        let steps = self.best.plan.steps.clone();
        cut(steps, |left: &[Step]| {
            let mut run = self.best.clone();
            run.plan.steps = left.to_vec();
            self.accept(run)
        });
    }

    /// What need not stay broken is well when the storm is over.
    fn mend(&mut self) {
        cut(self.best.plan.broken.clone(), |left: &[Broken]| {
            let mut run = self.best.clone();
            run.plan.broken = left.to_vec();
            self.accept(run)
        });
    }

    fn cut_operations(&mut self) {
        cut(self.asked(), |left: &[(u64, u64)]| {
            let mut run = self.best.clone();
            run.plan.asked = Some(left.iter().copied().collect());
            self.accept(run)
        });
    }

    /// What lasts shorter is easier to understand.
    fn halve(&mut self) {
        for at in 0..self.best.plan.steps.len() {
            while let Some(half) = self.best.plan.steps[at].action.halved() {
                let mut run = self.best.clone();
                run.plan.steps[at].action = half;
                if !self.accept(run) {
                    break;
                }
            }
        }
    }
}

/// Removes parts of a list while what is left still fails: first large parts, then
/// smaller ones (Zeller and Hildebrandt's ddmin, complements only).
fn cut<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) {
    let mut size = items.len();
    while size > 0 {
        let (mut at, mut removed) = (0, false);
        while at < items.len() {
            let end = (at + size).min(items.len());
            let left = [&items[..at], &items[end..]].concat();
            if fails(&left) {
                (items, removed) = (left, true);
            } else {
                at = end;
            }
        }
        size = if removed && size == 1 { 1 } else { size / 2 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::Scenario;

    #[test]
    fn a_run_that_ends_in_a_panic_may_have_had_any_operation() {
        let text = include_str!("../../../scenarios/weather/five-swarm.toml");
        let run = Run::draw(&Scenario::parse(text).expect("sound"), 0);
        let report = Report::panicked(&"why");
        assert_eq!(thought_of(&run, &report).len(), 5 * 28_000);
        assert!(thought_of(&run, &Report { failure: None, ..report }).is_empty());
    }

    #[test]
    fn what_is_needed_stays_and_nothing_else() {
        for needed in [vec![], vec![7], vec![0, 99], vec![3, 4, 50, 51]] {
            let (mut left, mut tries) = ((0..100).collect::<Vec<_>>(), 0);
            cut(left.clone(), |items| {
                tries += 1;
                let fails = needed.iter().all(|it| items.contains(it));
                if fails {
                    left = items.to_vec();
                }
                fails
            });
            assert_eq!(left, needed);
            assert!(tries < 100, "{tries}");
        }
    }
}
