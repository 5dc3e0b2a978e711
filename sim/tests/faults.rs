//! Faults that come and do nothing prove nothing: each of these shows in what a run is
//! like.

mod common;

use common::{load, names};
use quorate_engine::Input;
use quorate_sim::probes::Probe;
use quorate_sim::weather::{Action, Plan, Record, Report, Run, State, Step, What};

/// A run of a file, in which nothing goes wrong but this.
fn with(name: &str, steps: impl IntoIterator<Item = (u64, Action)>) -> Report {
    let steps = steps.into_iter().map(|(at_ms, action)| Step { at_ms, action }).collect();
    let plan = Plan { steps, ..Plan::default() };
    let report = Run { scenario: load(name), seed: 7, plan, lie: None }.report(true);
    assert_eq!(report.failure, None);
    report
}

#[test]
fn ticks_come_as_a_clock_drifts() {
    let steps = [(5_000, Action::Drift(1, 400)), (10_000, Action::Drift(1, -300))];
    let report = with("five-clocks", steps);
    let tick = |record: &Record| match &record.what {
        What::In(1, input) if matches!(**input, Input::Tick { .. }) => Some(record.at_ns / 1_000),
        _ => None,
    };
    let ticks: Vec<u64> = report.journal.iter().filter_map(tick).collect();
    let between = |from: u64, to: u64| {
        let gaps = ticks.windows(2).filter(|pair| pair[0] > from && pair[1] < to);
        let gaps: Vec<u64> = gaps.map(|pair| pair[1] - pair[0]).collect();
        let least = gaps.iter().copied().min().expect("it ticks");
        // Whoever is busy hears of one a little later.
        assert!(gaps.len() > 50 && gaps.iter().all(|gap| gap - least < 5_000), "{gaps:?}");
        least
    };
    // 50 ms, by a drift of up to 15 %, and after that 40 % more, and 30 % less.
    assert!(between(0, 5_000_000).abs_diff(50_000) <= 7_502);
    assert!(between(5_100_000, 10_000_000).abs_diff(70_000) <= 2);
    assert!(between(10_100_000, 24_000_000).abs_diff(35_000) <= 2);
}

#[test]
fn a_last_batch_rots_and_the_cluster_has_what_was_in_it() {
    let (mut forgotten, mut came_back) = (0, 0);
    for node in 1..=5 {
        let report = with("five-damage", [(9_000, Action::RotTail(node, 1_500))]);
        forgotten += report.probes.count(Probe::TailForgotten);
        let ends = report.probes.count(Probe::Amnesia) + report.probes.count(Probe::StartRefused);
        came_back += 1 - ends;
    }
    assert!(forgotten >= 3, "{forgotten}: others hold it most of the time");
    assert!((1..5).contains(&came_back), "{came_back}: some cut it and go on, some know better");
}

#[test]
fn every_rare_state_is_met() {
    for state in State::ALL {
        let ambush = |at_ms| (at_ms, Action::Ambush(state, 300));
        let crash = |at_ms, id, ms| (at_ms, Action::Crash(id, ms));
        // A leader is elected at first, and when all have died; who is away for long is sent
        // a snapshot.
        let all = (1..=5).map(|id| crash(6_000, id, 300));
        let far = (1..=2).map(|id| crash(8_000, id, 4_000));
        let steps = [ambush(0), ambush(5_900)].into_iter().chain(all).chain(far);
        let steps: Vec<_> = steps.chain([ambush(11_000), ambush(12_000)]).collect();
        let report = with("five-ambushes", steps);
        assert!(report.probes.count(Probe::Ambushed) > 0, "{}", state.name());
    }
}

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
