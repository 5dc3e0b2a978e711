//! Looking at the tree: single keys and listings.

use std::sync::Arc;

use super::node::Node;
use super::path::Place;
use super::{Fault, FaultCode, NodeView, Path, Read, Tree};

impl Tree {
    /// Reads a key or a listing.
    ///
    /// A directory lists its children, or with `recursive` everything below it,
    /// in byte order of the names; what is hidden (a name that begins with `_`)
    /// is left out with all below it, unless it is what was asked for.
    ///
    /// # Errors
    /// 100 with the first component that is missing, 104 with a file that stands
    /// where the path needs a directory.
    pub fn read(&self, read: &Read) -> Result<NodeView, Fault> {
        let view =
            if read.path.is_root() { root_view() } else { self.find(&read.path)?.view(&read.path) };
        if view.dir { Ok(self.list(view, read.recursive)) } else { Ok(view) }
    }

    /// The node at a path that is not the root.
    pub(super) fn find(&self, path: &Path) -> Result<&Arc<Node>, Fault> {
        self.nodes.get(path.as_str()).ok_or_else(|| self.missing(path))
    }

    /// A refusal, judged now.
    pub(super) fn fault(&self, code: FaultCode, cause: impl Into<String>) -> Fault {
        Fault { code, cause: cause.into(), index: self.store_index }
    }

    /// Says why there is nothing at a path: what is first in the way.
    fn missing(&self, path: &Path) -> Fault {
        for directory in path.directories() {
            match self.nodes.get(directory) {
                None => return self.fault(FaultCode::KeyNotFound, directory),
                Some(node) if node.is_dir() => {}
                Some(_) => return self.fault(FaultCode::NotDirectory, directory),
            }
        }
        self.fault(FaultCode::KeyNotFound, path.as_str())
    }

    /// Fills a directory: one scan over what lies below it, seeking past every
    /// part that is not wanted.
    fn list(&self, directory: NodeView, recursive: bool) -> NodeView {
        let top = directory.path.clone();
        let mut open = vec![directory];
        let mut scan = self.nodes.between(Place::At(top.as_str()), &top);
        while let Some((path, node)) = scan.next() {
            let hidden = path.name().starts_with('_');
            if !hidden {
                close(&mut open, |directory| path.is_within(directory));
                open.push(node.view(path));
            }
            if node.is_dir() && (hidden || !recursive) {
                scan = self.nodes.between(Place::Past(path.as_str()), &top);
            }
        }
        close(&mut open, |directory| *directory == top);
        open.swap_remove(0)
    }
}

fn root_view() -> NodeView {
    NodeView {
        path: Path::root(),
        value: None,
        dir: true,
        created_index: 0,
        modified_index: 0,
        nodes: Vec::new(),
    }
}

/// Puts each node that is complete into the one before it, until the last one is
/// as wanted.
fn close(open: &mut Vec<NodeView>, wanted: impl Fn(&Path) -> bool) {
    while open.len() > 1 && !wanted(&open[open.len() - 1].path) {
        let done = open.pop().expect("there is more than one");
        open.last_mut().expect("there was more than one").nodes.push(done);
    }
}
