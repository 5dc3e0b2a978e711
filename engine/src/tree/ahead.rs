//! Walking a large tree, which is mostly waiting for memory.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use super::Path;
use super::node::Node;
use crate::boundary::Content;

/// Nodes looked at together, at most.
const MOST: usize = 32;

/// A walk that looks ahead: the next nodes are touched together, so that a
/// processor fetches them from memory at the same time and not one after the
/// other. Who stops early loses little: it looks further the longer it goes on.
pub(super) struct Ahead<'a, I> {
    walk: I,
    touched: VecDeque<(&'a Path, &'a Arc<Node>)>,
    next: usize,
}

impl<'a, I: Iterator<Item = (&'a Path, &'a Arc<Node>)>> Ahead<'a, I> {
    /// Walks as this walk does.
    pub fn new(walk: I) -> Self {
        Self { walk, touched: VecDeque::new(), next: 1 }
    }
}

impl<'a, I: Iterator<Item = (&'a Path, &'a Arc<Node>)>> Iterator for Ahead<'a, I> {
    type Item = (&'a Path, &'a Arc<Node>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.touched.is_empty() {
            self.touched.extend(self.walk.by_ref().take(self.next));
            self.next = MOST.min(2 * self.next);
            black_box(self.touched.iter().fold(0, |all, (path, node)| all ^ touch(path, node)));
        }
        self.touched.pop_front()
    }
}

/// Reads a byte of each line of memory that a small node takes.
fn touch(path: &Path, node: &Node) -> u8 {
    let value = match &node.content {
        Content::File(value) => value.as_bytes(),
        Content::Dir => &[],
    };
    let at = |index: usize| value.get(index).copied().unwrap_or(0);
    path.as_str().as_bytes()[0] ^ at(0) ^ at(64) ^ at(value.len().saturating_sub(1))
}
