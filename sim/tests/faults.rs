//! Faults do what they say: each does something, and for as long as it says.

mod common;

use common::{load, names};
use quorate_sim::weather::{Action, Plan, Run, Step, What};

/// A quiet cluster to which only this happens: the moments (ms) at which a node's lives
/// begin.
fn births(node: u64, steps: Vec<Step>) -> Vec<u64> {
    let mut run = Run::draw(&load("three-one-down"), 0);
    run.plan = Plan { steps, broken: Vec::new(), ..run.plan };
    let report = run.report(true);
    assert_eq!(report.failure, None);
    let born = |what: &What| matches!(what, What::Born(id, ..) if *id == node);
    report.journal.iter().filter(|it| born(&it.what)).map(|it| it.at_ns / 1_000_000).collect()
}

#[test]
fn an_outage_lasts_as_long_as_the_longest_of_those_that_overlap() {
    let step = |at_ms, action| Step { at_ms, action };
    for short in [Action::Crash(2, 50), Action::Kill(2, 50), Action::KillCrash(2, 50)] {
        let born = births(2, vec![step(1_000, Action::Crash(2, 3_000)), step(1_500, short)]);
        assert_eq!(born.len(), 2, "{born:?}");
        assert_eq!(born[1], 4_000);
    }
}

#[test]
fn no_cut_and_no_clog_is_empty_or_of_a_node_from_itself() {
    for name in names(false) {
        let scenario = load(&name.replace('_', "-"));
        for step in (0..20).flat_map(|seed| Plan::draw(&scenario, seed).steps) {
            if let Action::Cut(links, _) | Action::Clog(links, _) = step.action {
                assert!(!links.is_empty(), "{name}");
                assert!(links.iter().all(|(from, to)| from != to), "{name}: {links:?}");
            }
        }
    }
}

#[test]
fn a_majority_that_a_plan_leaves_may_acknowledge() {
    for name in ["three-two-down", "five-three-down"] {
        let mut run = Run::draw(&load(name), 0);
        let down = |step: &Step| matches!(step.action, Action::Down(_));
        run.plan.steps.retain(down);
        assert_eq!(run.report(false).failure, None);
        run.plan.steps.truncate(1);
        let report = run.report(false);
        assert_eq!(report.failure, None);
        assert!(!report.judged.contains(&"(n-1)/2"));
    }
}
