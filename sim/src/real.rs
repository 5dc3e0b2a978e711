//! Two worlds, one file: a weather file against real `quorate` processes on loopback.
//!
//! Scenario, seed and plan are the simulator's, and so are workload and checkers. The
//! order of events, which every verdict rests on, is told by watches of everything on
//! every member, and is checked, never believed. What differs:
//!
//! - *Time is real*: a seed draws the same plan and the same clients, but two runs of it
//!   are not equal.
//! - *Links* are TCP connections through a proxy: they delay, hold back or break, and
//!   deliver neither twice nor out of order (`links`).
//! - *Crashes* are SIGKILL: what was written and not synced stays in the page cache.
//! - *Disks and clocks* are the machine's: nothing is done to them.
//! - *Times to live* are not asked for: the wire does not show by which clock a key goes,
//!   and without it no checker can say whether it went rightly.
//! - *The history window* is larger, so that no watch of everything falls out of it.
//!
//! Each run says by name what of it was skipped.

mod client;
mod cluster;
pub mod http;
mod judge;
mod links;
mod nemesis;
mod proxy;
mod record;
mod report;
mod run;
mod schedule;
mod watch;
pub mod wire;

pub use client::Caller;
pub use record::{Record, Told};
pub use report::Report;
pub use run::Setup;
