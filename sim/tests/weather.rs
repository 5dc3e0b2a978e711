//! Every weather file, over many seeds, as a test of its own name.
//!
//! `QUORATE_SEEDS=N` runs N seeds instead of 20, `QUORATE_SEED=S` only seed S;
//! `QUORATE_TRACE=1` prints every input and output of a run that fails.

use std::path::PathBuf;

use quorate_sim::weather::{Plan, Report, Scenario, Seen, run};

const SEEDS: u64 = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/weather"))
}

fn load(name: &str) -> Scenario {
    let file = folder().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).expect("the file is there");
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn seeds() -> std::ops::Range<u64> {
    match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUORATE_SEEDS").unwrap_or(SEEDS),
    }
}

/// What 20 seeds of a file must have seen at least; otherwise it is too tame to
/// prove its claim. Well below what is usual, so that chance does not decide.
fn least(name: &str) -> Seen {
    let (watched, cleared, expired) = (200, 10, 100);
    let storm = Seen {
        leaders: 25,
        received: 3,
        forwards: 500,
        watched,
        cleared,
        expired,
        bounds: 0,
        torn_tails: 0,
    };
    match name {
        "five-crashes" => Seen { torn_tails: 5, leaders: 60, ..storm },
        "five-times-to-live" => Seen { expired: 800, ..storm },
        "three-watches" => Seen { watched: 3_000, cleared: 200, ..storm },
        "five-duplicates" => Seen { bounds: 1000, leaders: 35, ..storm },
        "three-two-down" | "five-three-down" | "three-one-down" => {
            Seen { leaders: 20, received: 0, ..storm }
        }
        _ => storm,
    }
}

/// Runs a file over all seeds; on a failure, prints the plan and the one command
/// that shows it again.
fn weather(name: &str) {
    let scenario = load(name);
    let (mut steps, mut operations, mut written, mut lost, mut faults) = (0, 0, 0, 0, 0);
    let mut seen = Seen::default();
    for seed in seeds() {
        let report = run(&scenario, seed, None, number("QUORATE_TRACE").is_some());
        if let Some(failure) = &report.failure {
            explain(&scenario, seed, &report);
            let test = name.replace('-', "_");
            panic!(
                "{name}, seed {seed}: {failure}\n\nsee it again:\n  QUORATE_SEED={seed} cargo test \
                 -p quorate-sim --test weather {test}\n"
            );
        }
        assert!(
            report.written > 0,
            "seed {seed}: a run in which nothing is written proves nothing"
        );
        steps += report.steps;
        operations += report.operations;
        written += report.written;
        lost += report.lost;
        faults += report.faults;
        seen.add(report.seen);
    }
    println!(
        "{name}: {} seeds, {faults} faults, {steps} steps, {operations} operations, {written} \
         written, {lost} unknown, {seen:?}",
        seeds().count()
    );
    if number("QUORATE_SEED").is_none() && seeds().count() as u64 >= SEEDS {
        assert!(seen.reaches(least(name)), "{name} is too tame: {seen:?}");
    }
}

fn explain(scenario: &Scenario, seed: u64, report: &Report) {
    report.trace.iter().for_each(|line| println!("{line}"));
    println!("the plan of seed {seed}:");
    Plan::draw(scenario, seed).steps.iter().for_each(|step| println!("  {step}"));
}

macro_rules! weathers {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { weather(&stringify!($name).replace('_', "-")); })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

weathers! {
    five_clocks,
    five_crashes,
    five_duplicates,
    five_swarm,
    five_three_down,
    five_times_to_live,
    five_two_down,
    three_bad_links,
    three_one_down,
    three_partitions,
    three_stalls_and_pauses,
    three_two_down,
    three_watches,
}

#[test]
fn every_file_has_its_test() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().replace('-', "_"))
        .collect();
    files.sort();
    assert_eq!(files, NAMES);
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in 100..103 {
        for name in ["five-swarm", "three-bad-links"] {
            let scenario = load(name);
            let (one, two) = (run(&scenario, seed, None, false), run(&scenario, seed, None, false));
            assert_eq!(one.digest, two.digest, "{name}, seed {seed}");
            assert_eq!((one.steps, one.operations), (two.steps, two.operations));
        }
    }
}
