//! Every weather file, over many seeds, as a test of its own name; see `common`.

mod common;

use common::{load, names};
use quorate_sim::weather::{Seen, run};

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
        calms: 15,
        recipe: 0,
        contended: 0,
    };
    match name {
        "five-crashes" => Seen { torn_tails: 5, leaders: 60, ..storm },
        "five-times-to-live" => Seen { expired: 800, ..storm },
        "three-watches" => Seen { watched: 3_000, cleared: 200, ..storm },
        "five-duplicates" => Seen { bounds: 1000, leaders: 35, ..storm },
        "soak-five" => Seen { received: 20, torn_tails: 5, calms: 0, ..storm },
        "three-slow-disks" => Seen { watched: 60, forwards: 1000, expired: 30, calms: 0, ..storm },
        "three-damaged" => Seen { received: 0, calms: 0, ..storm },
        "three-two-down" | "five-three-down" | "three-one-down" => {
            Seen { leaders: 20, received: 0, ..storm }
        }
        _ => storm,
    }
}

macro_rules! weathers {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() {
            let name = stringify!($name).replace('_', "-");
            common::weather("weather", &name, least(&name));
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
