//! What may be said of a history, once it is over.
//!
//! The order in which writes were applied is a [`Hint`]: it comes from the nodes
//! themselves, so it is checked and never believed. [`linearizable`] verifies it
//! against what clients saw ([`durable`] is its first part, and its own name for
//! lost writes), [`local_reads`] builds on it, and [`search`] is an independent opinion that uses no hint at all.

pub mod durable;
mod effect;
mod expiry;
mod hint;
pub mod linearizable;
pub mod local_reads;
mod replay;
pub mod search;
pub mod ttl;
mod violation;
pub mod watches;

pub use hint::Hint;
pub use replay::Replay;
#[cfg(all(feature = "weather", madsim))]
pub(crate) use violation::InShort;
pub use violation::Violation;

use crate::history::History;

/// Everything that clients without a clock can hold against the cluster.
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    linearizable::check(history, hint)?;
    local_reads::check(history, hint)
}
