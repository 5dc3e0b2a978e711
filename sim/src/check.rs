//! What may be said of a history.
//!
//! The order in which writes were applied is a [`Hint`]: it comes from the nodes
//! themselves, so it is checked and never believed. A [`Stream`] verifies it
//! against what clients see, as it happens; [`check()`] feeds one from a record.
//! [`durable`] looks at what is left in the end, and [`search`] is an independent
//! opinion that uses no hint at all.

mod certificate;
pub mod durable;
mod effect;
mod expiry;
mod hint;
mod place;
mod real_time;
mod record;
mod replay;
pub mod search;
mod seating;
mod stream;
pub mod ttl;
mod violation;
pub mod watches;

pub use hint::Hint;
pub use place::Place;
pub use record::check;
pub use replay::Replay;
pub use stream::{Held, Holding, Stream};
#[cfg(all(feature = "weather", madsim))]
pub(crate) use violation::InShort;
pub use violation::Violation;
