//! Small runs of real weather, judged by both checkers.

use quorate_sim::check::check;
use quorate_sim::check::search::{Verdict, search};
use quorate_sim::weather::{Scenario, run};

use super::random::spoil;

const SEEDS: u64 = 40;

/// The store index at birth of three nodes.
const GENESIS: u64 = 7;

/// So little happens that orders can be searched for.
const SMALL: &str = r#"
    claim = "Few operations, among faults."
    nodes = 3
    clients = 3
    think_ms = 1200
    ttl_percent = 5
    storm_s = 5
    calm_s = 1

    [links]
    loss = 0.03
    delay_ms = [1, 15]

    [disks]
    delay_ms = [1, 8]

    [faults]
    isolate = { every_s = 2, lasts_ms = [300, 1500] }
    crash = { every_s = 3, lasts_ms = [50, 1000] }
"#;

#[test]
fn both_checkers_judge_small_runs_alike() {
    let scenario = Scenario::parse(SMALL).expect("sound");
    let (mut judged, mut unknown, mut spoiled) = (0, 0, 0);
    for seed in 0..SEEDS {
        let report = run(&scenario, seed, None, false);
        assert_eq!(report.failure, None, "seed {seed}");
        let (history, hint) = (&report.history, &report.hint);
        assert_eq!(check(history, hint), Ok(()), "seed {seed}");
        let verdict = search(history, GENESIS);
        assert_ne!(verdict, Verdict::Violation, "seed {seed}");
        judged += u64::from(verdict == Verdict::Linearizable);
        unknown += history.operations().iter().filter(|it| it.is_unknown_write()).count();
        let Some(history) = spoil(history, seed) else { continue };
        let verdict = search(&history, GENESIS);
        assert!(verdict != Verdict::Violation || check(&history, hint).is_err(), "seed {seed}");
        spoiled += u64::from(verdict == Verdict::Violation);
    }
    println!("{judged} of {SEEDS} judged, {unknown} unknown writes, {spoiled} spoiled and seen");
    assert!(judged * 2 > SEEDS && spoiled * 4 > SEEDS && unknown > 0);
}
