//! Keys and listings as they are read, part by part: however large a directory is,
//! no more than a part of its listing is in memory, but for the listing with which a
//! watch begins, and no thread is kept for long.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use quorate_engine::View;
use quorate_engine::tree::{Fault, NodeRef, Path, Read, Tree};

use super::event;

/// Bytes of a part, more or less.
const PART_BYTES: usize = 64 << 10;

/// An answer to a read that is being written down.
#[derive(Debug)]
pub struct Listing {
    read: Read,
    /// The node written last.
    last: Path,
    /// The directories that it is in, and itself if it is one, outermost first.
    open: Vec<Directory>,
    part: Vec<u8>,
}

#[derive(Debug)]
struct Directory {
    path: Path,
    modified_index: u64,
    created_index: u64,
    /// Whether something in it has been written.
    listed: bool,
}

impl Listing {
    /// Begins the answer to a read of this tree: all of it, if it is short.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn new(tree: &Tree, read: Read) -> Result<Self, Fault> {
        let mut part = event::action("get");
        part.extend(b",\"node\":");
        let mut listing = Self { last: read.path.clone(), read, open: Vec::new(), part };
        let node = tree.show(&listing.read.path)?;
        listing.open.extend(begin(node, &mut listing.part));
        match listing.open.is_empty() {
            true => listing.part.extend(b"}\n"),
            false => listing.write(tree),
        }
        Ok(listing)
    }

    /// Whether nothing more is to be written.
    pub fn is_whole(&self) -> bool {
        self.open.is_empty()
    }

    /// Writes on until a part is full, or all of it; it must be the same tree every
    /// time.
    pub fn write(&mut self, tree: &Tree) {
        let Self { read, last, open, part } = self;
        let begun = last.clone();
        for node in tree.list(read, &begun) {
            close(open, part, |directory| node.path.is_within(&directory.path));
            if let Some(directory) = open.last_mut() {
                part.extend(if directory.listed { ",".as_bytes() } else { b",\"nodes\":[" });
                directory.listed = true;
            }
            open.extend(begin(node, part));
            if part.len() >= PART_BYTES {
                *last = node.path.clone();
                return;
            }
        }
        close(open, part, |_| false);
        part.extend(b"}\n");
    }

    /// The whole answer in one piece.
    pub fn into_whole(mut self, tree: &Tree) -> Bytes {
        while !self.is_whole() {
            self.write(tree);
        }
        self.take()
    }

    /// What has been written since it was last taken.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.part).into()
    }
}

/// Writes a node as far as it goes; a directory stays open for what lies in it.
fn begin(node: NodeRef<'_>, out: &mut Vec<u8>) -> Option<Directory> {
    let NodeRef { path, modified_index, created_index, .. } = node;
    event::begin(node, out);
    if !node.dir {
        event::end(modified_index, created_index, out);
        return None;
    }
    Some(Directory { path: path.clone(), modified_index, created_index, listed: false })
}

/// Closes directories until the innermost is as wanted.
fn close(open: &mut Vec<Directory>, out: &mut Vec<u8>, wanted: impl Fn(&Directory) -> bool) {
    while let Some(done) = open.pop_if(|directory| !wanted(directory)) {
        if done.listed {
            out.push(b']');
        }
        event::end(done.modified_index, done.created_index, out);
    }
}

/// A listing as a body, with the view that it is of.
#[derive(Debug)]
pub struct Parts {
    view: Arc<View>,
    listing: Listing,
}

impl Parts {
    /// A listing of this view that has been begun.
    pub fn new(view: Arc<View>, listing: Listing) -> Self {
        Self { view, listing }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { view, listing } = &mut *self;
        if listing.part.is_empty() {
            if listing.is_whole() {
                return Poll::Ready(None);
            }
            listing.part.reserve(PART_BYTES + PART_BYTES / 8);
            listing.write(&view.tree);
        }
        Poll::Ready(Some(Ok(Frame::data(listing.take()))))
    }

    fn is_end_stream(&self) -> bool {
        self.listing.is_whole() && self.listing.part.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use quorate_engine::tree::NodeView;
    use quorate_engine::{Change, Content, Write};
    use serde_json::{Value, json};

    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new(3, 10);
        for number in 0..200 {
            let (odd, value) = (number % 2, "x\"<".repeat(number * 10));
            let path = Path::new(&format!("/d{odd}/e/_h{odd}/k{number}")).unwrap();
            let visible = Path::new(&format!("/d{odd}/e/k{number}")).unwrap();
            for path in [path, visible] {
                let change =
                    Change::Set { content: Content::File(value.as_str().into()), ttl: None };
                tree.apply(&Write { path, change }).unwrap();
            }
        }
        tree
    }

    /// The same node by way of the engine's own answer.
    fn expected(view: &NodeView) -> Value {
        let mut node = json!({});
        if !view.path.is_root() {
            node["key"] = json!(view.path.as_str());
            node["createdIndex"] = json!(view.created_index);
            node["modifiedIndex"] = json!(view.modified_index);
        }
        match &view.value {
            Some(value) => node["value"] = json!(**value),
            None => node["dir"] = json!(true),
        }
        if !view.nodes.is_empty() {
            node["nodes"] = view.nodes.iter().map(expected).collect();
        }
        node
    }

    #[test]
    fn parts_add_up_to_what_the_tree_answers() {
        let tree = tree();
        for (path, recursive, long) in [
            ("/", true, true),
            ("/", false, false),
            ("/d0", true, true),
            ("/d0/e", false, true),
            ("/d1/e/_h1", false, true),
            ("/d1/e/k1", true, false),
        ] {
            let read = Read { path: Path::new(path).unwrap(), recursive };
            let node = expected(&tree.read(&read).unwrap());
            let mut listing = Listing::new(&tree, read).unwrap();
            let (mut text, mut parts) = (listing.take().to_vec(), 1);
            while !listing.is_whole() {
                listing.write(&tree);
                text.extend(listing.take());
                parts += 1;
            }
            assert_eq!(parts > 1, long, "{path}");
            assert!(text.ends_with(b"}\n"));
            let said: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(said, json!({ "action": "get", "node": node }), "{path}");
        }
    }
}
