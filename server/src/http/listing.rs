//! Keys and listings as they are read, part by part: however large a directory is,
//! no more than a part of its listing is in memory, and no thread is kept for long.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use quorate_engine::View;
use quorate_engine::tree::{Fault, NodeRef, Path, Read, Tree};

use super::node;

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
        let mut part = node::action("get");
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
    node::begin(node, out);
    if !node.dir {
        node::end(modified_index, created_index, out);
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
        node::end(done.modified_index, done.created_index, out);
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
