//! A run that has ended leaves nothing behind: campaigns are long.
#![cfg(target_os = "linux")]

use std::fs;

use quorate_sim::weather::{Run, Scenario};

#[test]
fn runs_leave_no_memory_behind() {
    let text = include_str!("../../scenarios/weather/five-swarm.toml");
    let scenario = Scenario::parse(text).expect("a sound file");
    let runs = |seeds: std::ops::Range<u64>| {
        seeds.for_each(|seed| drop(Run::draw(&scenario, seed).report(false)));
        resident_mib()
    };
    let before = runs(0..10);
    let after = runs(10..40);
    // A world that stays takes three or four.
    assert!(after < before + 30, "{before} MiB came to {after} MiB in 30 runs");
}

fn resident_mib() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4 / 1_024
}
