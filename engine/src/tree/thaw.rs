//! Reading a tree back, without trust in what is read.

use std::sync::Arc;

use bytes::Bytes;

use super::history::History;
use super::node::{Node, Nodes};
use super::record::{Head, Record};
use super::{Event, Path, Tree};
use crate::codec::{DecodeError, Reader};

/// The tree is sound, but remembers more or fewer events than it should here.
pub const OTHER_WINDOW: DecodeError =
    DecodeError("the tree was written with another history window than the one configured");

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
            return Err(OTHER_WINDOW);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Content;
    use crate::command::Stamp;
    use crate::tree::Action;
    use crate::tree::node::Deadline;
    use crate::tree::record::{encode_event, encode_node};

    const HEAD: Head = Head {
        store_index: 9,
        clock: Stamp { cluster_ms: 1, wall_ms: 2, tick_ms: 3 },
        window: 2,
        events: 2,
        nodes: 2,
        digest: 0,
    };

    fn node(content: Content, path: &str, created: u64, modified: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let deadline = Some(Deadline { cluster_ms: 9, wall_ms: 8 });
        let node = Node { content, created, modified, deadline };
        encode_node(&Path::new(path).unwrap(), &node, &mut out);
        out
    }

    fn file(path: &str, created: u64, modified: u64) -> Vec<u8> {
        node(Content::File("1".into()), path, created, modified)
    }

    fn event(index: u64) -> Vec<u8> {
        let path = Path::new("/f").unwrap();
        let stamp = Stamp::default();
        let node = Node::new(Content::File("1".into()), index, None).view(&path, stamp);
        let mut out = Vec::new();
        let event = Event { action: Action::Set, node, prev: None, refresh: false, stamp };
        encode_event(&event, &mut out);
        out
    }

    /// Thaws a head and records as a forger would write them: with the digest that
    /// they make, or that one with the bits of `head.digest` flipped.
    fn thaw(head: Head, records: &[Vec<u8>]) -> Result<Tree, DecodeError> {
        let mut bytes = Vec::new();
        head.encode(&mut bytes);
        let mut thaw = Thaw::default();
        thaw.part([bytes, records.concat()].concat().into())?;
        let digest = thaw.growing.as_ref().expect("there is a head").tree.digest();
        thaw.growing.as_mut().expect("there is a head").head.digest = head.digest ^ digest;
        thaw.finish(2)
    }

    fn refusal(head: Head, records: &[Vec<u8>]) -> &'static str {
        thaw(head, records).map(|tree| tree.digest()).unwrap_err().0
    }

    fn good() -> Vec<Vec<u8>> {
        vec![event(8), event(9), node(Content::Dir, "/d", 8, 8), file("/d/f", 8, 9)]
    }

    #[test]
    fn good_records_make_a_tree() {
        let tree = thaw(HEAD, &good()).unwrap();
        assert_eq!((tree.store_index(), tree.nodes.len(), tree.history.len()), (9, 2, 2));
        assert_eq!(
            refusal(Head { digest: 1, ..HEAD }, &good()),
            "the digest is not the one that was written"
        );
    }

    #[test]
    fn nodes_that_no_tree_would_hold_are_refused() {
        let with =
            |nodes: [Vec<u8>; 2]| refusal(HEAD, &[vec![event(8), event(9)], nodes.into()].concat());
        assert_eq!(with([file("/b", 8, 8), file("/a", 8, 8)]), "nodes out of order");
        assert_eq!(with([file("/a", 8, 8), file("/a", 8, 8)]), "nodes out of order");
        assert_eq!(with([file("/a", 8, 10), file("/b", 8, 8)]), "a node from the future");
        assert_eq!(with([file("/a", 9, 8), file("/b", 8, 8)]), "a node from the future");
        let orphan = "a node whose directory is not there";
        assert_eq!(with([file("/a/b", 8, 8), file("/b", 8, 8)]), orphan);
        assert_eq!(with([file("/a", 8, 8), file("/a/b", 8, 8)]), orphan);
        assert_eq!(with([node(Content::Dir, "/a", 8, 8), file("/a/b/c", 8, 8)]), orphan);
        assert_eq!(with([node(Content::Dir, "/a", 8, 8), file("/b/c", 8, 8)]), orphan);
    }

    #[test]
    fn events_that_no_window_would_hold_are_refused() {
        let nodes = &good()[2..];
        let with = |events: &[u64]| {
            let events: Vec<Vec<u8>> = events.iter().map(|index| event(*index)).collect();
            refusal(HEAD, &[&events, nodes].concat())
        };
        assert_eq!(with(&[7, 9]), "events that do not follow each other");
        assert_eq!(with(&[9, 8]), "events that do not follow each other");
        assert_eq!(with(&[7, 8, 9]), "more events than the history window holds");
        assert_eq!(with(&[7, 8]), "the last event is not the one of the store index");
        assert_eq!(with(&[9]), "fewer or more events or nodes than the head announced");
        let late = [nodes, &[event(9)]].concat();
        assert_eq!(refusal(HEAD, &late), "an event behind the nodes");
    }

    #[test]
    fn no_parts_make_no_tree() {
        let mut thaw = Thaw::default();
        thaw.part(Bytes::new()).unwrap();
        assert_eq!(thaw.finish(2).unwrap_err().0, "a tree without a head");
        let body = Thaw::default().part(event(9).into());
        assert_eq!(body.unwrap_err().0, "a tree that does not begin with its head");
    }
}
