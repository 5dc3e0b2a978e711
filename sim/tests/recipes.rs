//! Every recipe in its weather, over many seeds, as a test of its own name; see
//! `common`.

mod common;

use common::names;
use quorate_sim::weather::{Scenario, Seen};

/// What 20 seeds of every file must have seen at least, and how often what the recipe
/// is for must have happened.
fn least(recipe: u64) -> Seen {
    Seen { leaders: 30, forwards: 500, watched: 100, recipe, ..Seen::default() }
}

macro_rules! recipes {
    ($($name:ident: $least:literal),+ $(,)?) => {
        $(#[test] fn $name() {
            common::weather("recipes", &stringify!($name).replace('_', "-"), least($least));
        })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

recipes! {
    recipe_balance: 1,
    recipe_condition: 1,
    recipe_config: 1,
    recipe_directory: 1,
    recipe_election: 1,
    recipe_fair_lock: 1,
    recipe_index_builder: 1,
    recipe_lock: 1,
    recipe_monitor: 1,
    recipe_queue: 1,
    recipe_registry: 1,
}

#[test]
fn every_file_has_its_test() {
    assert_eq!(names(true), NAMES);
}

#[test]
fn an_unknown_recipe_is_a_mistake() {
    let text = "claim = \"none\"\nrecipe = \"padlock\"\nnodes = 3\nclients = 1\nthink_ms = 1\n\
                storm_s = 1\ncalm_s = 1\n";
    let error = Scenario::parse(text).unwrap_err().to_string();
    assert!(error.contains("padlock") && error.contains("fair-lock"), "{error}");
}
