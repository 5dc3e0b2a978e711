//! What the engine has no more use for.

use crate::log::Compacted;
use crate::state::State;

/// States that a newer snapshot replaced and log entries that it covers. To drop them
/// takes milliseconds where there are a hundred thousand keys: a driver that has another
/// thread takes them with [`crate::Engine::discarded`] and drops them there.
#[derive(Debug, Default)]
pub struct Discarded {
    pub(crate) states: Vec<State>,
    pub(crate) entries: Compacted,
}

impl Discarded {
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.entries.is_empty()
    }
}
