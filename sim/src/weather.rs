//! Seeded chaos: the engine under madsim's virtual time, with links, disks and
//! clocks of our own.
//!
//! A [`Scenario`] is a file; a seed draws a [`Plan`] from it; [`run`] carries the
//! plan out and judges what happened. Same scenario, same seed: same inputs, same
//! outputs, same disk bytes, and so the same [`Report::digest`].

mod atlas;
mod calm;
mod campaign;
pub(crate) mod client;
mod clocks;
mod courier;
mod disks;
mod draw;
pub(crate) mod journal;
mod lies;
mod links;
mod mistakes;
mod nemesis;
mod node;
mod plan;
mod regression;
mod run;
mod scenario;
mod shrink;
mod watcher;
pub(crate) mod world;

pub use campaign::{Campaign, Sheet};
pub use journal::{Detail, Fate, Flight, Record, Standing, What};
pub use lies::Lie;
pub use plan::{Action, Broken, How, Plan, State, Step};
pub use regression::Regression;
pub use run::{Failure, Report, Run, run};
pub use scenario::{Down, Expect, Heals, Scenario, ScenarioError};
pub use shrink::{Shrunk, shrink};
#[cfg(feature = "real")]
pub(crate) use {
    calm::{SERVES_WITHIN, questions},
    client::{PATIENCE_MS, TRIES},
    links::worse as worse_links,
    scenario::Links as LinkWeather,
    watcher::{PATIENCE_MS as WATCH_PATIENCE_MS, draw as draw_watch},
};

use quorate_engine::NodeId;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use xxhash_rust::xxh3::xxh3_64;

/// A source of chance of its own for each subsystem, so that one draw more in one
/// of them does not reshuffle the others.
pub(crate) fn stream(seed: u64, subsystem: &str) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ xxh3_64(subsystem.as_bytes()))
}

/// So many of these, drawn.
fn some(rng: &mut Xoshiro256PlusPlus, mut among: Vec<NodeId>, count: u64) -> Vec<NodeId> {
    (0..count).map(|_| among.swap_remove(rng.random_range(0..among.len()))).collect()
}
