//! Writing a tree down, part by part, while the living one moves on.

use super::ahead::Ahead;
use super::path::Place;
use super::record::{Head, encode_event, encode_node};
use super::{Path, Tree};

/// A tree being written down, part by part. It holds the tree as it was: later
/// changes of the living one do not touch it.
#[derive(Clone, Debug)]
pub struct Frozen {
    tree: Tree,
    head_written: bool,
    events_written: usize,
    last_node: Path,
}

impl Frozen {
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree, head_written: false, events_written: 0, last_node: Path::root() }
    }

    /// Appends the next part to `out` and returns `true`; or appends nothing and
    /// returns `false`: there is no more.
    ///
    /// A part is at most `max_bytes` long, unless its only record is longer. The
    /// bytes are a function of the tree and of `max_bytes` alone.
    pub fn next_part(&mut self, max_bytes: usize, out: &mut Vec<u8>) -> bool {
        let mut part = Part { begin: out.len(), end: max_bytes.saturating_add(out.len()), out };
        if self.write_head(&mut part) && self.write_events(&mut part) {
            self.write_nodes(&mut part);
        }
        part.begin < part.out.len()
    }

    /// Whether the head is written; if not, the part is full.
    fn write_head(&mut self, part: &mut Part<'_>) -> bool {
        self.head_written = self.head_written || part.add(|out| Head::of(&self.tree).encode(out));
        self.head_written
    }

    /// Whether every event is written; if not, the part is full.
    fn write_events(&mut self, part: &mut Part<'_>) -> bool {
        while let Some(event) = self.tree.history.get(self.events_written) {
            if !part.add(|out| encode_event(event, out)) {
                return false;
            }
            self.events_written += 1;
        }
        true
    }

    fn write_nodes(&mut self, part: &mut Part<'_>) {
        let last = self.last_node.clone();
        let top = Path::root();
        let rest = self.tree.nodes.between(Place::At(last.as_str()), &top);
        for (path, node) in Ahead::new(rest) {
            if !part.add(|out| encode_node(path, node, out)) {
                return;
            }
            self.last_node = path.clone();
        }
    }
}

/// The part being filled: whole records, and at least one.
struct Part<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    end: usize,
}

impl Part<'_> {
    /// Adds a record; `false` if it must wait for the next part.
    fn add(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let before = self.out.len();
        encode(self.out);
        let fits = self.out.len() <= self.end || before == self.begin;
        if !fits {
            self.out.truncate(before);
        }
        fits
    }
}
