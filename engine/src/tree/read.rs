//! Looking at the tree: single keys and listings.

use std::sync::Arc;

use super::ahead::Ahead;
use super::node::Node;
use super::path::Place;
use super::{Fault, FaultCode, NodeRef, NodeView, Path, Read, Tree};

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
        let mut open = vec![self.show(&read.path)?.to_view()];
        for node in self.list(read, &read.path) {
            close(&mut open, |directory| node.path.is_within(directory));
            open.push(node.to_view());
        }
        close(&mut open, |directory| *directory == read.path);
        Ok(open.swap_remove(0))
    }

    /// The node that a read is for, without what lies below it.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn show<'a>(&'a self, path: &'a Path) -> Result<NodeRef<'a>, Fault> {
        if path.is_root() {
            let (created_index, modified_index) = (0, 0);
            let (value, expires) = (None, None);
            return Ok(NodeRef { path, value, dir: true, created_index, modified_index, expires });
        }
        Ok(self.find(path)?.show(path, self.clock))
    }

    /// What a read lists, each directory before what lies in it: all that follows
    /// the last one seen, or the whole listing if that is the key itself.
    ///
    /// It is one scan over what lies below, seeking past every part that is not
    /// wanted.
    pub fn list<'a>(
        &'a self,
        Read { path: top, recursive }: &'a Read,
        last: &'a Path,
    ) -> impl Iterator<Item = NodeRef<'a>> {
        let inside = *recursive || last == top;
        let begin = if inside { Place::At(last.as_str()) } else { Place::Past(last.as_str()) };
        let mut scan = Ahead::new(self.nodes.between(begin, top));
        std::iter::from_fn(move || {
            loop {
                let (path, node) = scan.next()?;
                let hidden = path.name().starts_with('_');
                if node.is_dir() && (hidden || !recursive) {
                    scan = Ahead::new(self.nodes.between(Place::Past(path.as_str()), top));
                }
                if !hidden {
                    return Some(node.show(path, self.clock));
                }
            }
        })
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
    fn a_listing_goes_on_behind_the_last_one_seen() {
        let tree = tree(&["/b/x/y/z", "/a", "/b!", "/b/a", "/c/_h/i", "/c/d"]);
        for recursive in [false, true] {
            let read = Read { path: Path::root(), recursive };
            let all: Vec<_> = tree.list(&read, &read.path).collect();
            assert_eq!(all.len(), if recursive { 9 } else { 4 });
            for (at, node) in all.iter().enumerate() {
                assert!(tree.list(&read, node.path).eq(all[at + 1..].iter().copied()));
            }
        }
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
        assert!(view.dir && view.value.is_none() && view.expires.is_none());
        assert_eq!((view.created_index, view.modified_index), (0, 0));
        assert_eq!(show(&view), "/[]");
    }

    #[test]
    fn the_first_component_in_the_way_is_named() {
        let tree = tree(&["/d/f"]);
        assert_eq!(list(&tree, "/m/x/y", false), "100 /m @4");
        assert_eq!(list(&tree, "/d/m", false), "100 /d/m @4");
        assert_eq!(list(&tree, "/d/f/x/y", false), "104 /d/f @4");
    }
}
