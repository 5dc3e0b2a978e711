//! What the fuzz targets run. Any bytes are a script; what it finds is a panic.
//!
//! The targets and the test that replays their corpora call the same functions,
//! so that a file that once crashed a target is a test for ever.

mod directory;
mod messages;
mod node;
mod script;
mod seal;

pub use directory::wal_recover;
pub use messages::message_decode;

use crate::program::{compare, decode};

/// A target: panics when something is wrong.
pub type Target = fn(&[u8]);

/// Every target below the server, under its name. The one in the server is
/// `quorate_server::request_parse`.
pub const TARGETS: [(&str, Target); 3] = [
    ("wal_recover", wal_recover),
    ("message_decode", message_decode),
    ("tree_vs_model", tree_vs_model),
];

/// Any program of commands: the tree and the naive model answer alike.
///
/// # Panics
/// When they do not.
pub fn tree_vs_model(bytes: &[u8]) {
    if let Err(difference) = compare(&decode(bytes)) {
        panic!("{difference}");
    }
}
