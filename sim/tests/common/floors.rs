//! What 20 seeds of each weather file must have seen at least; a file that sees less is
//! too tame to prove its claim. Well below what is usual, so that chance does not decide:
//! of several ranges of seeds the one that saw least saw more than twice as much.

use std::collections::BTreeMap;

use quorate_sim::probes::Probe::{self, *};

/// Of every storm, if its file does not say otherwise.
const STORM: &[(Probe, u64)] = &[
    (TermLed, 25),
    (SnapshotReceived, 3),
    (Forwarded, 500),
    (WatchShown, 200),
    (WatchCleared, 10),
    (Expired, 100),
    (CalmUnderOneLeader, 15),
];

/// Of every recipe.
const RECIPE: &[(Probe, u64)] = &[
    (TermLed, 40),
    (SnapshotReceived, 5),
    (Forwarded, 1_000),
    (WatchShown, 100),
    (WatchCleared, 5),
    (Expired, 100),
    (CalmUnderOneLeader, 15),
];

/// What else a file must have seen, or otherwise.
const FILES: &[(&str, &[(Probe, u64)])] = &[
    ("five-crashes", &[(TornTailCut, 5), (TermLed, 60)]),
    ("five-times-to-live", &[(Expired, 800)]),
    ("three-watches", &[(WatchShown, 3_000), (WatchCleared, 200)]),
    ("five-duplicates", &[(OverBound, 1_000), (TermLed, 35)]),
    ("five-ambushes", &[(Ambushed, 100), (AllDown, 10), (TornTailCut, 10)]),
    ("five-damage", &[(StartRefused, 10)]),
    ("three-damaged", &[(StartRefused, 10), (SnapshotReceived, 0), (CalmUnderOneLeader, 0)]),
    ("three-disk-errors", &[(Halted, 50)]),
    ("five-frozen-clocks", &[(LeaderFrozen, 10)]),
    ("soak-five", &[(SnapshotReceived, 20), (TornTailCut, 5), (CalmUnderOneLeader, 0)]),
    (
        "three-slow-disks",
        &[(WatchShown, 60), (Forwarded, 1_000), (Expired, 30), (CalmUnderOneLeader, 0)],
    ),
    ("three-one-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    ("three-two-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    ("five-three-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    ("recipe-balance", &[(RecipeDone, 5_000)]),
    ("recipe-condition", &[(RecipeDone, 800)]),
    ("recipe-config", &[(RecipeDone, 200)]),
    ("recipe-directory", &[(RecipeDone, 80)]),
    ("recipe-election", &[(RecipeDone, 120)]),
    ("recipe-fair-lock", &[(RecipeDone, 100), (RecipeContended, 100)]),
    ("recipe-index-builder", &[(RecipeDone, 200)]),
    ("recipe-lock", &[(RecipeDone, 120), (RecipeContended, 5)]),
    ("recipe-monitor", &[(RecipeDone, 60)]),
    ("recipe-queue", &[(RecipeDone, 800)]),
    ("recipe-registry", &[(RecipeDone, 250)]),
];

/// The floors of a file.
pub fn least(name: &str) -> BTreeMap<Probe, u64> {
    let usual = if name.starts_with("recipe-") { RECIPE } else { STORM };
    let own = FILES.iter().filter(|(file, _)| *file == name).flat_map(|(_, own)| *own);
    usual.iter().chain(own).copied().collect()
}
