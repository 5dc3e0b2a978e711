//! Bounds that the operator may set.

use super::{Given, table};

/// How much clients may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Components of a key.
    pub key_depth: usize,
    /// Bytes of a request's body, and so of a value.
    pub body_bytes: usize,
    /// Events remembered for watches.
    pub history_events: usize,
    /// Watches that wait at once.
    pub watches: usize,
}

const MOST_KEY_BYTES: usize = 64 << 10;
const MOST_BODY_BYTES: usize = 64 << 20;

/// Bytes that a client of any member may have written at once: members may have
/// other bounds than this one, and what they have agreed upon is carried all the
/// same.
pub const MOST_WRITE_BYTES: usize = MOST_KEY_BYTES + MOST_BODY_BYTES;

/// The most of each that log and wire can carry, or that memory should.
const MOST: [(&str, usize); 5] = [
    ("max-key-bytes", MOST_KEY_BYTES),
    ("max-key-depth", 4_096),
    ("max-body-bytes", MOST_BODY_BYTES),
    ("history-events", 1_000_000),
    ("max-watches", 1_000_000),
];

impl Bounds {
    pub(super) fn new(given: &Given) -> Result<Self, String> {
        let [key_bytes, key_depth, body_bytes, history_events, watches] = MOST;
        Ok(Self {
            key_bytes: bound(given, key_bytes)?,
            key_depth: bound(given, key_depth)?,
            body_bytes: bound(given, body_bytes)?,
            history_events: bound(given, history_events)?,
            watches: bound(given, watches)?,
        })
    }
}

fn bound(given: &Given, (name, most): (&'static str, usize)) -> Result<usize, String> {
    debug_assert!(table::find(name).is_some(), "{name} is a flag");
    let number = usize::try_from(given.number(name)?).unwrap_or(usize::MAX);
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("--{name}: {number} is not between 1 and {most}"))
}
