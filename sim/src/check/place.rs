//! Where answers were found.

use quorate_engine::Position;
use quorate_engine::command::Stamp;

/// A moment of the tree: a store index, and how late it was then by the tree's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The store index of the last event.
    pub store_index: u64,
    /// The clock.
    pub clock: Stamp,
}

impl Place {
    /// Later than any answer.
    pub const END: Self = Self {
        store_index: u64::MAX,
        clock: Stamp { cluster_ms: u64::MAX, wall_ms: u64::MAX, tick_ms: u64::MAX },
    };

    /// The first moment at this store index.
    pub(super) fn first_at(store_index: u64) -> Self {
        Self { store_index, clock: Stamp::default() }
    }
}

impl From<&Position> for Place {
    fn from(at: &Position) -> Self {
        Self { store_index: at.store_index, clock: at.clock }
    }
}
