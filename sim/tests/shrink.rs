//! A failing run is cut down to what it takes to fail, and kept as a plan.

mod common;

use common::load;
use quorate_sim::weather::{Lie, Regression, Run, run, shrink};

/// The first seed of a file at which a lie is caught.
fn failing(name: &str, lie: Lie) -> Run {
    let scenario = load(name);
    let seed = (0..20).find(|&seed| run(&scenario, seed, Some(lie), false).failure.is_some());
    Run::draw(&scenario, seed.expect("it is caught")).with_lie(lie)
}

#[test]
fn a_tenth_is_left_and_fails_in_the_same_way() {
    let run = failing("five-crashes", Lie::EarlySync);
    let failure = run.report(false).failure.expect("it fails");
    let shrunk = shrink(&run, 2_000).expect("it fails");
    assert_eq!(shrunk.failure.oracle, failure.oracle);
    let [faults, faults_left] = shrunk.faults;
    let [asked, asked_left] = shrunk.operations;
    assert!(faults_left * 10 <= faults, "{faults} faults came to {faults_left}");
    assert!(asked_left * 10 <= asked, "{asked} operations came to {asked_left}");

    let text = Regression::new(&shrunk.run, &shrunk.failure).to_text();
    let kept = Regression::parse(&text).expect("what we wrote");
    assert_eq!(kept.run().report(false).failure, Some(shrunk.failure));
    assert!(kept.story.contains("crash"), "{}", kept.story);
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    assert!(shrink(&Run::draw(&load("five-crashes"), 0), 10).is_none());
}

#[test]
fn clients_ask_for_nothing_that_the_plan_leaves_out() {
    let whole = Run::draw(&load("three-bad-links"), 7);
    let mut none = whole.clone();
    none.plan.asked = Some(Default::default());
    let (whole, none) = (whole.report(false), none.report(false));
    assert!(whole.written > 100);
    // The judge writes once on each node to see that it serves again.
    assert_eq!((none.failure, none.written), (None, 3));
}
