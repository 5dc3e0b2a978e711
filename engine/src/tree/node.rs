//! What is stored: one node per key, all of them in one flat ordered map.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::path::Place;
use super::{Expires, NodeRef, NodeView, Path, digest};
use crate::boundary::Content;
use crate::command::Stamp;

/// What is stored under a key. The root is implicit and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// A value, or that it is a directory.
    pub content: Content,
    /// Store index at which it was created.
    pub created: u64,
    /// Store index at which it was last changed.
    pub modified: u64,
    /// When it goes by itself, if it does.
    pub deadline: Option<Deadline>,
}

/// When a node expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline {
    /// Cluster time in ms at which its time to live has certainly passed.
    pub cluster_ms: u64,
    /// What clients are shown, in ms since the Unix epoch.
    pub wall_ms: u64,
}

impl Deadline {
    /// So many seconds after this moment. The moment may have been up to a tick
    /// later than its stamp says, so the deadline is: a key never goes early.
    pub fn after(seconds: u64, now: Stamp) -> Self {
        let ms = seconds.saturating_mul(1_000);
        Self {
            cluster_ms: now.cluster_ms.saturating_add(now.tick_ms).saturating_add(ms),
            wall_ms: now.wall_ms.saturating_add(ms),
        }
    }

    fn shown(self, now: Stamp) -> Expires {
        let left = self.cluster_ms.saturating_sub(now.tick_ms).saturating_sub(now.cluster_ms);
        Expires { wall_ms: self.wall_ms, ttl: left.div_ceil(1_000) }
    }
}

impl Node {
    /// A node created at this store index.
    pub fn new(content: Content, index: u64, deadline: Option<Deadline>) -> Self {
        Self { content, created: index, modified: index, deadline }
    }

    /// About how many bytes it takes when written down.
    fn bytes(&self, path: &Path) -> u64 {
        let value = match &self.content {
            Content::File(value) => value.len(),
            Content::Dir => 0,
        };
        let deadline = if self.deadline.is_some() { 16 } else { 0 };
        (path.as_str().len() + value + deadline + 26) as u64
    }

    /// Its place among the deadlines, if it has one.
    fn due(&self, path: &Path) -> Option<(u64, u64, Path)> {
        self.deadline.map(|deadline| (deadline.cluster_ms, self.modified, path.clone()))
    }

    /// Whether other keys may stand below it.
    pub fn is_dir(&self) -> bool {
        self.content == Content::Dir
    }

    /// How v2 shows it at this moment, without what lies below it.
    pub fn show<'a>(&'a self, path: &'a Path, now: Stamp) -> NodeRef<'a> {
        let value = match &self.content {
            Content::File(value) => Some(value),
            Content::Dir => None,
        };
        NodeRef {
            path,
            value,
            dir: self.is_dir(),
            created_index: self.created,
            modified_index: self.modified,
            expires: self.deadline.map(|deadline| deadline.shown(now)),
        }
    }

    /// The same on its own.
    pub fn view(&self, path: &Path, now: Stamp) -> NodeView {
        self.show(path, now).to_view()
    }
}

/// Every node by its path, with the sum of their hashes. Since `/` sorts lowest,
/// what lies below a directory is one range.
///
/// Invariants: the parent of every node is the root or a directory stored here;
/// the deadlines are those of the nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    map: OrdMap<Path, Arc<Node>>,
    /// What goes first being first: cluster time in ms, then the store index of the
    /// last change, for many deadlines fall on one tick, and etcd has them in the
    /// order of the writes.
    deadlines: OrdSet<(u64, u64, Path)>,
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
        let due = node.due(path);
        if let Some(old) = self.map.insert(path.clone(), Arc::new(node)) {
            self.forget(path, &old);
        }
        self.deadlines.extend(due);
    }

    /// Removes a node and everything below it.
    pub fn remove(&mut self, path: &Path) {
        let below: Vec<Path> = self.below(path).map(|(path, _)| path.clone()).collect();
        for path in below.iter().chain([path]) {
            if let Some(old) = self.map.remove(path) {
                self.forget(path, &old);
            }
        }
    }

    /// Takes back what was counted of a node that has gone.
    fn forget(&mut self, path: &Path, old: &Node) {
        self.sum = self.sum.wrapping_sub(digest::of_node(path, old));
        self.bytes -= old.bytes(path);
        if let Some(due) = old.due(path) {
            self.deadlines.remove(&due);
        }
    }

    /// The earliest deadline (cluster time in ms), and whose it is.
    pub fn first_deadline(&self) -> Option<(u64, &Path)> {
        self.deadlines.get_min().map(|(cluster_ms, _, path)| (*cluster_ms, path))
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
