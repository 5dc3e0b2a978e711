//! Weather files, run over seeds.
//!
//! `QUORATE_SEEDS=N` runs N seeds instead of 20, `QUORATE_SEED=S` only seed S;
//! `QUORATE_TRACE=1` prints every input and output of a run that fails.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod floors;

use std::ops::Range;
use std::path::PathBuf;

use quorate_sim::probes::Probes;
use quorate_sim::weather::{Plan, Report, Scenario, run};

const SEEDS: u64 = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/weather"))
}

/// A weather file.
pub fn load(name: &str) -> Scenario {
    let file = folder().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).expect("the file is there");
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The names of the recipes' weather files, or of all others, as tests are named.
pub fn names(of_recipes: bool) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().replace('-', "_"))
        .filter(|name| name.starts_with("recipe_") == of_recipes)
        .collect();
    names.sort();
    names
}

/// Fewer of a file whose storm is long.
fn seeds(scenario: &Scenario) -> Range<u64> {
    let usual = number("QUORATE_SEEDS").unwrap_or(SEEDS);
    match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..(usual * 20).div_ceil(scenario.storm_s.max(20)),
    }
}

/// Runs a file over all seeds; on a failure, prints the plan and the one command
/// that shows it again. 20 seeds must have seen as much as its floors say; otherwise
/// the file is too tame to prove its claim.
pub fn weather(test: &str, name: &str) {
    let scenario = load(name);
    let (mut steps, mut operations, mut written, mut lost, mut faults) = (0, 0, 0, 0, 0);
    let mut probes = Probes::default();
    for seed in seeds(&scenario) {
        let report = run(&scenario, seed, None, number("QUORATE_TRACE").is_some());
        if let Some(failure) = &report.failure {
            explain(&scenario, seed, &report);
            let function = name.replace('-', "_");
            panic!(
                "{name}, seed {seed}: {failure}\n\nsee it again:\n  QUORATE_SEED={seed} cargo test \
                 -p quorate-sim --test {test} {function}\nlook at it:\n  cargo run --release --bin \
                 quorate-sim -- explain scenarios/weather/{name}.toml --seed {seed}\ncut it down:\n  cargo run --release \
                 --bin quorate-sim -- shrink scenarios/weather/{name}.toml --seed {seed}\n"
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
        probes.add(&report.probes);
    }
    println!(
        "{name}: {} seeds, {faults} faults, {steps} steps, {operations} operations, {written} \
         written, {lost} unknown, {probes:?}",
        seeds(&scenario).count()
    );
    if number("QUORATE_SEED").is_none() && number("QUORATE_SEEDS").is_none_or(|it| it >= SEEDS) {
        let short = probes.short(floors::least(name));
        assert!(short.is_empty(), "{name} is too tame (path, count, least): {short:?}");
    }
}

fn explain(scenario: &Scenario, seed: u64, report: &Report) {
    report.lines().for_each(|line| println!("{line}"));
    println!("the plan of seed {seed}:");
    Plan::draw(scenario, seed).steps.iter().for_each(|step| println!("  {step}"));
}
