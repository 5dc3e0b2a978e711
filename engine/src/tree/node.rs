//! What is stored: one node per key, all of them in one flat ordered map.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use super::path::Place;
use super::{NodeView, Path, digest};
use crate::boundary::Content;

/// What is stored under a key. The root is implicit and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// A value, or that it is a directory.
    pub content: Content,
    /// Store index at which it was created.
    pub created: u64,
    /// Store index at which it was last changed.
    pub modified: u64,
}

impl Node {
    /// A node created at this store index.
    pub fn new(content: Content, index: u64) -> Self {
        Self { content, created: index, modified: index }
    }

    /// About how many bytes it takes when written down.
    fn bytes(&self, path: &Path) -> u64 {
        let value = match &self.content {
            Content::File(value) => value.len(),
            Content::Dir => 0,
        };
        (path.as_str().len() + value + 25) as u64
    }

    /// Whether other keys may stand below it.
    pub fn is_dir(&self) -> bool {
        self.content == Content::Dir
    }

    /// How v2 shows it, without what lies below it.
    pub fn view(&self, path: &Path) -> NodeView {
        let value = match &self.content {
            Content::File(value) => Some(value.clone()),
            Content::Dir => None,
        };
        NodeView {
            path: path.clone(),
            value,
            dir: self.is_dir(),
            created_index: self.created,
            modified_index: self.modified,
            nodes: Vec::new(),
        }
    }
}

/// Every node by its path, with the sum of their hashes. Since `/` sorts lowest,
/// what lies below a directory is one range.
///
/// Invariant: the parent of every node is the root or a directory stored here.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    map: OrdMap<Path, Arc<Node>>,
    sum: u64,
    bytes: u64,
}

impl Nodes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// The node at this path.
    pub fn get(&self, path: &str) -> Option<&Arc<Node>> {
        self.map.get(&Place::At(path))
    }

    /// Puts a node in place of whatever stood there.
    pub fn put(&mut self, path: &Path, node: Node) {
        self.sum = self.sum.wrapping_add(digest::of_node(path, &node));
        self.bytes += node.bytes(path);
        if let Some(old) = self.map.insert(path.clone(), Arc::new(node)) {
            self.sum = self.sum.wrapping_sub(digest::of_node(path, &old));
            self.bytes -= old.bytes(path);
        }
    }

    /// Removes a node and everything below it.
    pub fn remove(&mut self, path: &Path) {
        let below: Vec<Path> = self.below(path).map(|(path, _)| path.clone()).collect();
        for path in below.iter().chain([path]) {
            if let Some(old) = self.map.remove(path) {
                self.sum = self.sum.wrapping_sub(digest::of_node(path, &old));
                self.bytes -= old.bytes(path);
            }
        }
    }

    /// About how many bytes they take when written down.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Everything below a directory, each directory before what lies in it.
    pub fn below(&self, directory: &Path) -> impl Iterator<Item = (&Path, &Arc<Node>)> {
        self.between(Place::At(directory.as_str()), directory)
    }

    /// What lies below a directory behind this place.
    pub fn between(
        &self,
        place: Place<'_>,
        directory: &Path,
    ) -> impl Iterator<Item = (&Path, &Arc<Node>)> {
        let end = Place::Past(directory.as_str());
        self.map.range((Bound::Excluded(place), Bound::Excluded(end)))
    }

    /// The sum of the hashes of all nodes, kept up to date.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The same sum from scratch.
    pub fn recomputed_sum(&self) -> u64 {
        self.map.iter().fold(0, |sum, (path, node)| sum.wrapping_add(digest::of_node(path, node)))
    }
}
