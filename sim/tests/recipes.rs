//! Every recipe in its weather, over many seeds, as a test of its own name; see
//! `common`.

mod common;

use common::{load, names};
use quorate_sim::weather::{Scenario, run};

macro_rules! recipes {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() {
            common::weather("recipes", &stringify!($name).replace('_', "-"));
        })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

recipes! {
    recipe_balance,
    recipe_condition,
    recipe_config,
    recipe_directory,
    recipe_election,
    recipe_fair_lock,
    recipe_index_builder,
    recipe_lock,
    recipe_monitor,
    recipe_queue,
    recipe_registry,
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
        assert_eq!((one.digest, one.probes), (two.digest, two.probes), "{name}");
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
