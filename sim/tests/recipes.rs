//! Every recipe in its weather, over many seeds, as a test of its own name; see
//! `common`.

mod common;

use common::{load, names};
use quorate_sim::weather::{Scenario, Seen, run};

/// What 20 seeds of every file must have seen at least, how often what the recipe is
/// for must have happened, and how often processes must have been in each other's way.
/// Well below what is usual, so that chance does not decide.
fn least((recipe, contended): (u64, u64)) -> Seen {
    let (leaders, received, forwards, calms) = (40, 5, 1_000, 15);
    let (watched, cleared, expired) = (100, 5, 100);
    let rest = Seen::default();
    Seen {
        leaders,
        received,
        forwards,
        watched,
        cleared,
        expired,
        calms,
        recipe,
        contended,
        ..rest
    }
}

macro_rules! recipes {
    ($($name:ident: $least:expr),+ $(,)?) => {
        $(#[test] fn $name() {
            common::weather("recipes", &stringify!($name).replace('_', "-"), least($least));
        })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

recipes! {
    recipe_balance: (5_000, 0),
    recipe_condition: (800, 0),
    recipe_config: (200, 0),
    recipe_directory: (80, 0),
    recipe_election: (120, 0),
    recipe_fair_lock: (100, 100),
    recipe_index_builder: (200, 0),
    recipe_lock: (120, 5),
    recipe_monitor: (60, 0),
    recipe_queue: (800, 0),
    recipe_registry: (250, 0),
}

#[test]
fn every_file_has_its_test() {
    assert_eq!(names(true), NAMES);
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for name in ["recipe-lock", "recipe-directory", "recipe-condition"] {
        let scenario = load(name);
        let (one, two) = (run(&scenario, 100, None, true), run(&scenario, 100, None, true));
        assert_eq!((one.digest, one.seen), (two.digest, two.seen), "{name}");
        assert!(one.lines().eq(two.lines()), "{name}: processes did not live the same lives");
    }
}

#[test]
fn an_unknown_recipe_is_a_mistake() {
    let text = "claim = \"none\"\nrecipe = \"padlock\"\nnodes = 3\nclients = 1\nthink_ms = 1\n\
                storm_s = 1\ncalm_s = 1\n";
    let error = Scenario::parse(text).unwrap_err().to_string();
    assert!(error.contains("padlock") && error.contains("fair-lock"), "{error}");
}
