//! What equal trees have in common: 64 bits over everything replicated.

use xxhash_rust::xxh3::xxh3_64;

use super::node::Node;
use super::{Action, Event, NodeView, Path, Tree};
use crate::boundary::Content;

impl Tree {
    /// O(1): the digest kept up to date by every change.
    pub fn digest(&self) -> u64 {
        self.digest_over(self.nodes.sum(), self.history.sum())
    }

    /// O(n): the same computed from scratch.
    pub fn recomputed_digest(&self) -> u64 {
        self.digest_over(self.nodes.recomputed_sum(), self.history.recomputed_sum())
    }

    fn digest_over(&self, nodes: u64, events: u64) -> u64 {
        let clock = self.clock;
        of_words([self.store_index, clock.cluster_ms, clock.wall_ms, clock.tick_ms, nodes, events])
    }
}

/// The hash of a node: path and every field. The digest adds them up, so that a
/// change costs two hashes whatever the size of the tree.
pub(super) fn of_node(path: &Path, node: &Node) -> u64 {
    let (kind, value) = match &node.content {
        Content::File(value) => (FILE, xxh3_64(value.as_bytes())),
        Content::Dir => (DIRECTORY, 0),
    };
    let deadline = node.deadline.map_or([0; 3], |at| [1, at.cluster_ms, at.wall_ms]);
    let place = [xxh3_64(path.as_str().as_bytes()), kind, value, node.created, node.modified];
    of_words([of_words(place), of_words(deadline)])
}

/// The hash of an event: every field. Its store index is among them, so a sum of
/// them says in which order they happened.
pub(super) fn of_event(event: &Event) -> u64 {
    let prev = event.prev.as_ref().map_or(0, of_view);
    of_words([
        of_action(event.action),
        of_view(&event.node),
        event.prev.is_some().into(),
        prev,
        event.refresh.into(),
        event.stamp.cluster_ms,
        event.stamp.wall_ms,
        event.stamp.tick_ms,
    ])
}

const FILE: u64 = 1;
const DIRECTORY: u64 = 2;

fn of_view(view: &NodeView) -> u64 {
    let value = view.value.as_ref().map_or(0, |value| xxh3_64(value.as_bytes()));
    let expires = view.expires.map_or([0; 3], |expires| [1, expires.wall_ms, expires.ttl]);
    of_words([
        xxh3_64(view.path.as_str().as_bytes()),
        view.value.is_some().into(),
        value,
        view.dir.into(),
        view.created_index,
        view.modified_index,
        of_words(expires),
    ])
}

fn of_action(action: Action) -> u64 {
    xxh3_64(action.as_str().as_bytes())
}

fn of_words<const N: usize>(words: [u64; N]) -> u64 {
    xxh3_64(words.map(u64::to_le_bytes).as_flattened())
}
