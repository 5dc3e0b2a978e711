//! Quorate's brain: raft, the write-ahead log, snapshots and the tree, as one
//! pure step function. It does no IO of any kind.
//!
//! ```text
//! Tick ───────────▶ ┌────────┐
//! Peer ───────────▶ │        │ ───────▶ Peer
//! Client, Forget ─▶ │ Engine │ ───────▶ Reply
//! Disk(done) ─────▶ │ ::step │ ───────▶ Disk(op)
//!                   └────────┘ ───────▶ Halt
//!                       └ view(): an immutable picture, taken between steps
//! ```
//!
//! [`Engine::recover`] is birth: it reads a data directory as it was found.
//! [`Engine::step`] is life: one [`Input`] in, any number of [`Output`]s out.
//! Same config, same image, same inputs: same outputs, byte for byte.

mod birth;
pub mod boundary;
mod clock;
pub mod codec;
pub mod command;
mod config;
mod consensus;
mod counts;
mod discarded;
mod engine;
mod forward;
mod invariants;
mod log;
pub mod message;
mod requests;
mod rng;
mod snapshot;
mod state;
mod trace;
pub mod tree;
mod view;
mod wal;
mod watches;

pub use boundary::*;
pub use config::Config;
pub use counts::{Counts, Tally};
pub use discarded::Discarded;
pub use engine::Engine;
pub use log::Entry;
pub use message::Message;
pub use view::{Role, View};
