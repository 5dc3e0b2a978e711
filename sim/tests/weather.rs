//! Every weather file, over many seeds, as a test of its own name; see `common`.

mod common;

use common::{load, names};
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
