//! The replicated state machine: etcd's v2 tree.
//!
//! [`Tree`] is the seam: `advance` and `apply` change it, `read` and `watch` look
//! at it, `freeze` and [`Thaw`] carry it, `digest` says whether two of them are
//! equal.

mod ahead;
mod apply;
mod digest;
mod event;
mod expire;
mod fault;
mod freeze;
mod history;
mod node;
mod path;
mod read;
mod record;
mod thaw;
mod watch;

pub use event::{Action, Event, Expires, NodeRef, NodeView};
pub use expire::EXPIRIES_PER_ENTRY;
pub use fault::{Fault, FaultCode};
pub use freeze::Frozen;
pub use path::{Path, PathError};
pub use thaw::{OTHER_WINDOW, Thaw};
pub use watch::{Cleared, Watch};

use std::sync::Arc;

use crate::command::Stamp;
use history::History;
use node::Nodes;

/// The tree with everything replicated beside it: store index, history window,
/// clock, digest. Cloning is O(1): clones share what they have in common.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Nodes,
    history: History,
    store_index: u64,
    clock: Stamp,
}

/// What a read asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The key.
    pub path: Path,
    /// List everything below, not only the direct children.
    pub recursive: bool,
}

impl Tree {
    /// The empty tree of a fresh cluster at this store index.
    pub fn new(genesis_index: u64, history_events: usize) -> Self {
        Self {
            nodes: Nodes::default(),
            history: History::new(history_events),
            store_index: genesis_index,
            clock: Stamp::default(),
        }
    }

    /// Store index of the last event.
    pub fn store_index(&self) -> u64 {
        self.store_index
    }

    /// O(1): about how many bytes the frozen form takes.
    pub fn bytes(&self) -> u64 {
        self.nodes.bytes()
    }

    /// The highest stamp applied.
    pub fn clock(&self) -> Stamp {
        self.clock
    }

    /// The events in the window, oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.history.iter()
    }

    /// Starts to write this tree down: O(1), whatever its size.
    pub fn freeze(&self) -> Frozen {
        Frozen::new(self.clone())
    }
}
