//! Every weather file, over many seeds, as a test of its own name; see `common`.

mod common;

use std::collections::BTreeSet;

use common::{floors, load, names};
use quorate_sim::probes::Probe;
use quorate_sim::weather::run;

macro_rules! weathers {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() {
            let name = stringify!($name).replace('_', "-");
            common::weather("weather", &name);
        })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

weathers! {
    five_ambushes,
    five_clocks,
    five_crashes,
    five_damage,
    five_duplicates,
    five_frozen_clocks,
    five_links,
    five_swarm,
    five_three_down,
    five_times_to_live,
    five_two_down,
    soak_five,
    three_bad_links,
    three_damaged,
    three_disk_errors,
    three_one_down,
    three_partitions,
    three_slow_disks,
    three_stalls_and_pauses,
    three_two_down,
    three_watches,
}

#[test]
fn every_file_has_its_test() {
    assert_eq!(names(false), NAMES);
}

/// A file that sees less than its floors fails; so a path that is asked of none may go
/// dark unnoticed.
#[test]
fn every_probe_must_be_hit_by_some_file() {
    let names: Vec<String> = names(false).into_iter().chain(names(true)).collect();
    let files: Vec<String> = names.iter().map(|name| name.replace('_', "-")).collect();
    for (file, _) in floors::FILES {
        assert!(files.iter().any(|name| name == file), "there is no file {file}");
    }
    let asked = files.iter().flat_map(|file| floors::least(file)).filter(|(_, least)| *least > 0);
    let asked: BTreeSet<Probe> = asked.map(|(probe, _)| probe).collect();
    let seldom: BTreeSet<Probe> = floors::SELDOM.iter().map(|(probe, _)| *probe).collect();
    let all = Probe::ALL.iter().copied();
    let not_asked: BTreeSet<Probe> = all.filter(|probe| !asked.contains(probe)).collect();
    assert_eq!(not_asked, seldom, "a path is asked of some file, or it is said why not");
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
