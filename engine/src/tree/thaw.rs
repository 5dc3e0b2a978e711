//! Reading a tree back, without trust in what is read.

use std::sync::Arc;

use bytes::Bytes;

use super::history::History;
use super::node::{Node, Nodes};
use super::record::{Head, Record};
use super::{Event, Path, Tree};
use crate::codec::{DecodeError, Reader};

/// A tree being read back, part by part.
#[derive(Debug, Default)]
pub struct Thaw {
    growing: Option<Growing>,
}

impl Thaw {
    /// Takes the next part, as cut by [`Frozen::next_part`](super::Frozen::next_part).
    ///
    /// # Errors
    /// If it is not what follows in the frozen form of any tree; the thaw is then
    /// of no further use.
    pub fn part(&mut self, bytes: Bytes) -> Result<(), DecodeError> {
        let mut from = Reader::new(bytes);
        while from.remaining() > 0 {
            let record = Record::decode(&mut from)?;
            match (&mut self.growing, record) {
                (Some(_), Record::Head(_)) => return Err(DecodeError("a tree with two heads")),
                (None, Record::Head(head)) => self.growing = Some(Growing::new(head)?),
                (None, _) => return Err(DecodeError("a tree that does not begin with its head")),
                (Some(growing), Record::Event(event)) => growing.event(event)?,
                (Some(growing), Record::Node(path, node)) => growing.node(path, node)?,
            }
        }
        Ok(())
    }

    /// The tree, once every part has been taken; its digest, computed from what
    /// was read, is the one that was written.
    ///
    /// # Errors
    /// If parts are missing, if any byte is not as it was written, or if the tree
    /// was written with another history window than this one.
    pub fn finish(self, history_events: usize) -> Result<Tree, DecodeError> {
        self.growing.ok_or(DecodeError("a tree without a head"))?.finish(history_events)
    }
}

#[derive(Debug)]
struct Growing {
    head: Head,
    tree: Tree,
    /// The node before.
    last: Path,
    /// The directories that it stands in, and itself if it is one.
    open: Vec<Path>,
}

impl Growing {
    fn new(head: Head) -> Result<Self, DecodeError> {
        let window = usize::try_from(head.window)
            .map_err(|_| DecodeError("a history window beyond this machine"))?;
        let tree = Tree {
            nodes: Nodes::default(),
            history: History::new(window),
            store_index: head.store_index,
            clock: head.clock,
        };
        Ok(Self { head, tree, last: Path::root(), open: Vec::new() })
    }

    fn event(&mut self, event: Event) -> Result<(), DecodeError> {
        if self.tree.nodes.len() > 0 {
            return Err(DecodeError("an event behind the nodes"));
        }
        let before = self.tree.history.last().map(|event| event.index());
        if before.is_some_and(|before| before.checked_add(1) != Some(event.index())) {
            return Err(DecodeError("events that do not follow each other"));
        }
        if self.tree.history.len() >= self.tree.history.window() {
            return Err(DecodeError("more events than the history window holds"));
        }
        self.tree.history.push(Arc::new(event));
        Ok(())
    }

    fn node(&mut self, path: Path, node: Node) -> Result<(), DecodeError> {
        if path <= self.last {
            return Err(DecodeError("nodes out of order"));
        }
        if node.created > node.modified || node.modified > self.head.store_index {
            return Err(DecodeError("a node from the future"));
        }
        self.open.truncate(self.open.iter().take_while(|open| path.is_within(open)).count());
        if path.directories().next_back() != self.open.last().map(Path::as_str) {
            return Err(DecodeError("a node whose directory is not there"));
        }
        if node.is_dir() {
            self.open.push(path.clone());
        }
        self.tree.nodes.put(&path, node);
        self.last = path;
        Ok(())
    }

    fn finish(self, history_events: usize) -> Result<Tree, DecodeError> {
        let Self { head, tree, .. } = self;
        if tree.history.window() != history_events {
            return Err(DecodeError(
                "the tree was written with another history window than the one configured",
            ));
        }
        if tree.history.len() as u64 != head.events || tree.nodes.len() as u64 != head.nodes {
            return Err(DecodeError("fewer or more events or nodes than the head announced"));
        }
        if tree.history.last().is_some_and(|event| event.index() != head.store_index) {
            return Err(DecodeError("the last event is not the one of the store index"));
        }
        if tree.digest() != head.digest {
            return Err(DecodeError("the digest is not the one that was written"));
        }
        Ok(tree)
    }
}
