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
        let view = if read.path.is_root() {
            root_view()
        } else {
            self.find(&read.path)?.view(&read.path, self.clock)
        };
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
                open.push(node.view(path, self.clock));
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
        expires: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::{Change, Content, Write};

    fn tree(files: &[&str]) -> Tree {
        let mut tree = Tree::new(3, 10);
        for file in files {
            let path = Path::new(file).unwrap();
            let change = Change::Set { content: Content::File("1".into()), ttl: None };
            tree.apply(&Write { path, change }).unwrap();
        }
        tree
    }

    /// A listing on one line: `/d[/d/e[] /d/f]`.
    fn show(view: &NodeView) -> String {
        let nodes: Vec<String> = view.nodes.iter().map(show).collect();
        let path = &view.path;
        if view.dir { format!("{path}[{}]", nodes.join(" ")) } else { path.to_string() }
    }

    fn list(tree: &Tree, path: &str, recursive: bool) -> String {
        let path = Path::new(path).unwrap();
        match tree.read(&Read { path, recursive }) {
            Ok(view) => show(&view),
            Err(fault) => format!("{} {} @{}", fault.code.number(), fault.cause, fault.index),
        }
    }

    #[test]
    fn a_listing_is_one_level_deep_unless_recursive() {
        let tree = tree(&["/b/x/y/z", "/a", "/b!", "/b/a", "/c/d"]);
        assert_eq!(list(&tree, "/", false), "/[/a /b[] /b! /c[]]");
        assert_eq!(list(&tree, "/b", false), "/b[/b/a /b/x[]]");
        assert_eq!(list(&tree, "/b", true), "/b[/b/a /b/x[/b/x/y[/b/x/y/z]]]");
        assert_eq!(list(&tree, "/", true), "/[/a /b[/b/a /b/x[/b/x/y[/b/x/y/z]]] /b! /c[/c/d]]");
        assert_eq!(list(&tree, "/a", true), "/a");
    }

    #[test]
    fn what_is_hidden_is_found_only_by_its_name() {
        let tree = tree(&["/p/q/_h/r", "/p/q/s", "/p/_x", "/only/_h", "/_d/e/f", "/_d/_g"]);
        assert_eq!(list(&tree, "/", true), "/[/only[] /p[/p/q[/p/q/s]]]");
        assert_eq!(list(&tree, "/p", false), "/p[/p/q[]]");
        assert_eq!(list(&tree, "/p/q/_h", false), "/p/q/_h[/p/q/_h/r]");
        assert_eq!(list(&tree, "/_d", true), "/_d[/_d/e[/_d/e/f]]");
        assert_eq!(list(&tree, "/_d/_g", false), "/_d/_g");
    }

    #[test]
    fn the_root_has_no_indexes_and_is_always_there() {
        let tree = tree(&[]);
        let view = tree.read(&Read { path: Path::root(), recursive: true }).unwrap();
        assert_eq!(view, root_view());
    }

    #[test]
    fn the_first_component_in_the_way_is_named() {
        let tree = tree(&["/d/f"]);
        assert_eq!(list(&tree, "/m/x/y", false), "100 /m @4");
        assert_eq!(list(&tree, "/d/m", false), "100 /d/m @4");
        assert_eq!(list(&tree, "/d/f/x/y", false), "104 /d/f @4");
    }
}
