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
const FILES: &[(&str, &[(Probe, u64)])] = &[("five-crashes", &[(TornTailCut, 5), (TermLed, 60)])];

/// The floors of a file.
pub fn least(name: &str) -> BTreeMap<Probe, u64> {
    let usual = if name.starts_with("recipe-") { RECIPE } else { STORM };
    let own = FILES.iter().filter(|(file, _)| *file == name).flat_map(|(_, own)| *own);
    usual.iter().chain(own).copied().collect()
}
