//! Two worlds, one file: weather files against real processes, shortened to a few
//! seconds.

use std::path::{Path, PathBuf};

use quorate_sim::real::{Report, Setup};
use quorate_sim::weather::{Run, Scenario};

const SEED: u64 = 1;

/// A weather file with a storm and a calm of so many seconds.
fn setup(name: &str, storm_s: u64, calm_s: u64) -> Setup {
    let file = format!("../scenarios/weather/{name}.toml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    let scenario = Scenario::parse(&text.expect("the file")).expect("it is sound");
    let run = Run::draw(&Scenario { storm_s, calm_s, ..scenario }, SEED);
    Setup { run, server: PathBuf::from(env!("CARGO_BIN_EXE_quorate")), forgets: false }
}

/// Nothing failed, and it was a storm.
fn holds(setup: &Setup, faults: usize) {
    let report = setup.report().expect("it can be had");
    println!("{report}");
    assert!(report.failure.is_none(), "{report}");
    let Report { written, watched, .. } = report;
    assert!(report.faults >= faults, "{} faults are no storm", report.faults);
    assert!(written > 50 && watched > 20, "{written} written, {watched} watched: that is little");
}

#[test]
fn three_one_down() {
    holds(&setup("three-one-down", 8, 2), 3);
}

#[test]
fn three_partitions() {
    holds(&setup("three-partitions", 12, 2), 5);
}

#[test]
fn five_crashes() {
    holds(&setup("five-crashes", 10, 2), 10);
}

#[test]
fn three_two_down() {
    holds(&setup("three-two-down", 8, 2), 2);
}

/// The canary: members that forget half a storm are found out.
#[test]
fn acknowledged_writes_that_are_forgotten_are_noticed() {
    let mut setup = setup("three-one-down", 4, 1);
    setup.run.plan.steps.clear();
    setup.run.scenario.down = None;
    setup.forgets = true;
    let report = setup.report().expect("it can be had");
    let failure = report.failure.expect("an oracle objects");
    assert!(["durable", "same events"].contains(&failure.oracle), "{failure}");
    std::fs::remove_dir_all(report.kept.expect("data and logs")).expect("nobody needs them");
}
