//! Every interleaving of two clients, one crash, one lost message and one election, up
//! to a depth. `quorate-sim exhaust` goes deeper, on all cores.

use quorate_sim::exhaustive::{Exploration, Lie, Scene, Sheet, explore};

/// Choices that are free at the beginning.
const FIRST: usize = 5;

/// Choices that are free anywhere.
const ANYWHERE: usize = 2;

/// Fewer schedules mean that something is not tried any more.
const LEAST: u64 = 20_000;

fn all(depth: usize, anywhere: bool, lie: Option<Lie>) -> Vec<Exploration> {
    let scenes = Scene::all().into_iter();
    scenes.map(|scene| Exploration { scene, depth, anywhere, lie }).collect()
}

fn sound(depth: usize, anywhere: bool) -> Sheet {
    let explored = explore(&all(depth, anywhere, None), 2, |_| {});
    let sheet = explored.unwrap_or_else(|found| panic!("{found}"));
    println!("{depth} free choices\n{sheet}");
    assert!(sheet.faults[..3].iter().all(|many| *many > 0), "{sheet}");
    sheet
}

#[test]
fn every_interleaving_is_sound() {
    let (first, anywhere) = (sound(FIRST, false), sound(ANYWHERE, true));
    assert!(first.schedules + anywhere.schedules >= LEAST);
    assert!(first.faults[3] > 0, "no schedule has all three faults");
    assert!(anywhere.quiet > 0, "no schedule was played to its end");
}

/// The canary: a lie that the properties of raft do not see.
#[test]
fn reads_that_nobody_confirmed_are_found() {
    let found = explore(&all(1, true, Some(Lie::UnconfirmedReads)), 2, |_| {});
    let found = found.expect_err("they must be found");
    assert_eq!(found.objection.oracle, "linearizable", "{found}");
    assert!(!found.schedule.is_empty() && !found.journal.is_empty());
}

/// The canary: a lie that takes a crash to be seen.
#[test]
fn syncs_that_were_only_pretended_are_found() {
    let found = explore(&all(2, true, Some(Lie::PretendedSyncs)), 2, |_| {});
    let found = found.expect_err("they must be found").to_string();
    assert!(found.contains("loses power"), "{found}");
}
