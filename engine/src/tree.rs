//! The replicated state machine: etcd's v2 tree.

mod event;
mod fault;
mod path;

pub use event::{Action, Event, NodeView};
pub use fault::{Fault, FaultCode};
pub use path::{Path, PathError};

use crate::boundary::Write;
use crate::codec::DecodeError;
use crate::command::Stamp;

/// The tree with everything replicated beside it: store index, history window,
/// clock, digest. Cloning is O(1): clones share what they have in common.
#[derive(Clone, Debug)]
pub struct Tree {}

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
    pub fn new(_genesis_index: u64, _history_events: usize) -> Self {
        unimplemented!()
    }
    /// Applies a write proposed at this stamp.
    pub fn apply(&mut self, _write: &Write, _stamp: Stamp) -> Result<std::sync::Arc<Event>, Fault> {
        unimplemented!()
    }
    /// Moves the clock without changing anything else.
    pub fn stamp(&mut self, _stamp: Stamp) {
        unimplemented!()
    }
    /// Reads a key or a listing.
    pub fn read(&self, _read: &Read) -> Result<NodeView, Fault> {
        unimplemented!()
    }
    /// Store index of the last event.
    pub fn store_index(&self) -> u64 {
        unimplemented!()
    }
    /// The highest stamp applied.
    pub fn clock(&self) -> Stamp {
        unimplemented!()
    }
    /// O(1): about how many bytes the frozen form takes.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }
    /// O(1): the digest kept up to date by every change.
    pub fn digest(&self) -> u64 {
        unimplemented!()
    }
    /// O(n): the same computed from scratch.
    pub fn recomputed_digest(&self) -> u64 {
        unimplemented!()
    }
    /// The events in the window, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &std::sync::Arc<Event>> {
        [].iter()
    }
    /// Starts to write this tree down.
    pub fn freeze(&self) -> Frozen {
        unimplemented!()
    }
}

/// A tree being written down, part by part.
#[derive(Clone, Debug)]
pub struct Frozen {}

impl Frozen {
    /// Appends the next part, about `max_bytes`, to `out`; `false` when there is
    /// no more. The bytes are a function of the tree and of `max_bytes` alone.
    pub fn next_part(&mut self, _max_bytes: usize, _out: &mut Vec<u8>) -> bool {
        unimplemented!()
    }
}

/// A tree being read back, part by part.
#[derive(Debug, Default)]
pub struct Thaw {}

impl Thaw {
    /// Takes the next part, as cut by [`Frozen::next_part`].
    pub fn part(&mut self, _bytes: bytes::Bytes) -> Result<(), DecodeError> {
        unimplemented!()
    }
    /// The tree, once every part has been taken; its digest recomputed from
    /// scratch and compared with the one written.
    pub fn finish(self, _history_events: usize) -> Result<Tree, DecodeError> {
        unimplemented!()
    }
}
