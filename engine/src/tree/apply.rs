//! Changing the tree, exactly as etcd 3.4's v2 store does.

use std::sync::Arc;

use super::node::Node;
use super::{Action, Event, Fault, FaultCode, NodeView, Path, Tree};
use crate::boundary::{Change, Condition, Content, Write};
use crate::command::Stamp;

impl Tree {
    /// Applies a write proposed at this stamp: one event and one store index, or
    /// a refusal that changes nothing but the clock.
    pub fn apply(&mut self, write: &Write, stamp: Stamp) -> Result<Arc<Event>, Fault> {
        self.stamp(stamp);
        let path = &write.path;
        match &write.change {
            Change::Set(content) => self.set(path, content),
            Change::Create(content) => self.create(path, content),
            Change::Update { value } => self.update(path, value),
            Change::CompareAndSwap { value, condition } => self.swap(path, value, condition),
            Change::Delete { dir, recursive } => self.delete(path, *dir || *recursive, *recursive),
            Change::CompareAndDelete { condition } => self.compare_and_delete(path, condition),
        }
    }

    fn set(&mut self, path: &Path, content: &Content) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let prev = match self.nodes.get(path.as_str()) {
            Some(node) if node.is_dir() => {
                return Err(self.fault(FaultCode::NotFile, path.as_str()));
            }
            Some(node) => Some(node.view(path)),
            None => {
                self.make_parents(path)?;
                None
            }
        };
        Ok(self.put(Action::Set, path, Node::new(content.clone(), self.store_index + 1), prev))
    }

    fn create(&mut self, path: &Path, content: &Content) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        if self.nodes.get(path.as_str()).is_some() {
            return Err(self.fault(FaultCode::NodeExists, path.as_str()));
        }
        self.make_parents(path)?;
        Ok(self.put(Action::Create, path, Node::new(content.clone(), self.store_index + 1), None))
    }

    fn update(&mut self, path: &Path, value: &Arc<str>) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let old = self.find(path)?.clone();
        if !old.is_dir() {
            return Ok(self.replace(Action::Update, path, value, &old));
        }
        if !value.is_empty() {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        // As in etcd, the event has the new index and the directory keeps its own.
        let prev = old.view(path);
        let node = NodeView { modified_index: self.store_index + 1, ..prev.clone() };
        Ok(self.record(Action::Update, node, Some(prev)))
    }

    fn swap(
        &mut self,
        path: &Path,
        value: &Arc<str>,
        condition: &Condition,
    ) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let old = self.find(path)?.clone();
        self.compare(path, &old, condition)?;
        Ok(self.replace(Action::CompareAndSwap, path, value, &old))
    }

    fn delete(&mut self, path: &Path, dir: bool, recursive: bool) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let old = self.find(path)?.clone();
        if old.is_dir() && !dir {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if !recursive && self.nodes.below(path).next().is_some() {
            return Err(self.fault(FaultCode::DirectoryNotEmpty, path.as_str()));
        }
        Ok(self.remove(Action::Delete, path, &old))
    }

    fn compare_and_delete(
        &mut self,
        path: &Path,
        condition: &Condition,
    ) -> Result<Arc<Event>, Fault> {
        // etcd forgets here that the root is read only, and finds a directory.
        if path.is_root() {
            return Err(self.fault(FaultCode::NotFile, ""));
        }
        let old = self.find(path)?.clone();
        self.compare(path, &old, condition)?;
        Ok(self.remove(Action::CompareAndDelete, path, &old))
    }

    fn refuse_root(&self, path: &Path) -> Result<(), Fault> {
        if path.is_root() { Err(self.fault(FaultCode::RootReadOnly, "/")) } else { Ok(()) }
    }

    /// Refuses unless the node is a file and as the condition says.
    fn compare(&self, path: &Path, node: &Node, condition: &Condition) -> Result<(), Fault> {
        let Content::File(value) = &node.content else {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        };
        let wrong_value = condition.value.as_ref().filter(|wanted| *wanted != value);
        let wrong_index = condition.index.filter(|wanted| *wanted != node.modified);
        let cause = match (wrong_value, wrong_index) {
            (None, None) => return Ok(()),
            (Some(wanted), None) => format!("[{wanted} != {value}]"),
            (None, Some(wanted)) => format!("[{wanted} != {}]", node.modified),
            (Some(wanted), Some(index)) => {
                format!("[{wanted} != {value}] [{index} != {}]", node.modified)
            }
        };
        Err(self.fault(FaultCode::CompareFailed, cause))
    }

    /// Makes the directories that are missing above a path, with the index that
    /// the change itself will have.
    fn make_parents(&mut self, path: &Path) -> Result<(), Fault> {
        // Mostly the parent is there, and then so is everything above it.
        let parent = path.directories().next_back();
        if parent.and_then(|parent| self.nodes.get(parent)).is_some_and(|node| node.is_dir()) {
            return Ok(());
        }
        for directory in path.directories() {
            match self.nodes.get(directory) {
                Some(node) if node.is_dir() => {}
                Some(_) => return Err(self.fault(FaultCode::NotDirectory, directory)),
                None => break,
            }
        }
        for directory in path.ancestors() {
            if self.nodes.get(directory.as_str()).is_none() {
                self.nodes.put(&directory, Node::new(Content::Dir, self.store_index + 1));
            }
        }
        Ok(())
    }

    /// Gives a file another value; it stays the one that was created.
    fn replace(&mut self, action: Action, path: &Path, value: &Arc<str>, old: &Node) -> Arc<Event> {
        let content = Content::File(value.clone());
        let node = Node { content, created: old.created, modified: self.store_index + 1 };
        self.put(action, path, node, Some(old.view(path)))
    }

    fn put(
        &mut self,
        action: Action,
        path: &Path,
        node: Node,
        prev: Option<NodeView>,
    ) -> Arc<Event> {
        let view = node.view(path);
        self.nodes.put(path, node);
        self.record(action, view, prev)
    }

    fn remove(&mut self, action: Action, path: &Path, old: &Node) -> Arc<Event> {
        self.nodes.remove(path);
        let prev = old.view(path);
        let node = NodeView { value: None, modified_index: self.store_index + 1, ..prev.clone() };
        self.record(action, node, Some(prev))
    }

    /// The change has been made: it takes the next store index.
    fn record(&mut self, action: Action, node: NodeView, prev: Option<NodeView>) -> Arc<Event> {
        let event = Arc::new(Event { action, node, prev });
        self.store_index = event.index();
        self.history.push(event.clone());
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree on a fresh single node, where the first write gets 4.
    fn tree() -> Tree {
        Tree::new(3, 1000)
    }

    fn file(value: &str) -> Content {
        Content::File(value.into())
    }

    fn cas(value: &str, prev_value: Option<&str>, index: Option<u64>) -> Change {
        let condition = Condition { value: prev_value.map(Into::into), index };
        Change::CompareAndSwap { value: value.into(), condition }
    }

    fn cad(prev_value: Option<&str>, index: Option<u64>) -> Change {
        Change::CompareAndDelete {
            condition: Condition { value: prev_value.map(Into::into), index },
        }
    }

    fn update(value: &str) -> Change {
        Change::Update { value: value.into() }
    }

    const DELETE: Change = Change::Delete { dir: false, recursive: false };
    const DELETE_DIR: Change = Change::Delete { dir: true, recursive: false };
    const DELETE_ALL: Change = Change::Delete { dir: false, recursive: true };

    /// Applies a change and says what came of it, as `path=value created/modified`
    /// for nodes and `code cause @index` for refusals.
    fn apply(tree: &mut Tree, path: &str, change: Change) -> String {
        let path = Path::new(path).unwrap();
        let result = tree.apply(&Write { path, change }, Stamp::default());
        assert_eq!(tree.digest(), tree.recomputed_digest());
        match result {
            Err(fault) => format!("{} {} @{}", fault.code.number(), fault.cause, fault.index),
            Ok(event) => {
                assert_eq!(event.index(), tree.store_index());
                let prev = event.prev.as_ref().map(|prev| format!(" was {}", show(prev)));
                let action = event.action.as_str();
                format!("{action} {}{}", show(&event.node), prev.unwrap_or_default())
            }
        }
    }

    fn show(view: &NodeView) -> String {
        let NodeView { path, created_index, modified_index, .. } = view;
        let value = view.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        let dir = if view.dir { " dir" } else { "" };
        format!("{path}{value}{dir} {created_index}/{modified_index}")
    }

    /// What stands at a path now.
    fn stored(tree: &Tree, path: &str) -> String {
        tree.find(&Path::new(path).unwrap()).map_or_else(
            |fault| fault.code.number().to_string(),
            |node| show(&node.view(&Path::new(path).unwrap())),
        )
    }

    /// A program and what etcd 3.4.23 answered to it.
    fn expect(tree: &mut Tree, program: Vec<(&str, Change, &str)>) {
        for (path, change, answer) in program {
            let write = format!("{change:?} at {path}");
            assert_eq!(apply(tree, path, change), answer, "{write}");
        }
    }

    #[test]
    fn set_starts_created_index_afresh() {
        expect(
            &mut tree(),
            vec![
                ("/f", Change::Set(file("a")), "set /f=a 4/4"),
                ("/f", Change::Set(file("b")), "set /f=b 5/5 was /f=a 4/4"),
                ("/d", Change::Set(Content::Dir), "set /d dir 6/6"),
                ("/d", Change::Set(Content::Dir), "102 /d @6"),
                ("/d", Change::Set(file("x")), "102 /d @6"),
                ("/f", Change::Set(Content::Dir), "set /f dir 7/7 was /f=b 5/5"),
            ],
        );
    }

    #[test]
    fn create_wants_nothing_there() {
        expect(
            &mut tree(),
            vec![
                ("/f", Change::Create(file("a")), "create /f=a 4/4"),
                ("/f", Change::Create(file("b")), "105 /f @4"),
                ("/d", Change::Create(Content::Dir), "create /d dir 5/5"),
                ("/d", Change::Create(Content::Dir), "105 /d @5"),
            ],
        );
    }

    #[test]
    fn parents_are_made_with_the_index_of_their_child() {
        let mut tree = tree();
        expect(
            &mut tree,
            vec![
                ("/a/b/c", Change::Set(file("1")), "set /a/b/c=1 4/4"),
                ("/a/b/d", Change::Create(file("2")), "create /a/b/d=2 5/5"),
                ("/a/b/c", DELETE, "delete /a/b/c 4/6 was /a/b/c=1 4/4"),
            ],
        );
        assert_eq!(stored(&tree, "/a"), "/a dir 4/4");
        assert_eq!(stored(&tree, "/a/b"), "/a/b dir 4/4");
    }

    #[test]
    fn update_keeps_created_index_and_makes_no_parents() {
        let mut tree = tree();
        expect(
            &mut tree,
            vec![
                ("/f", Change::Set(file("a")), "set /f=a 4/4"),
                ("/f", update("b"), "update /f=b 4/5 was /f=a 4/4"),
                ("/f", update(""), "update /f= 4/6 was /f=b 4/5"),
                ("/new/x", update("1"), "100 /new @6"),
                ("/new", update("1"), "100 /new @6"),
            ],
        );
    }

    #[test]
    fn update_of_a_directory_moves_only_the_event() {
        let mut tree = tree();
        expect(
            &mut tree,
            vec![
                ("/d", Change::Set(Content::Dir), "set /d dir 4/4"),
                ("/d", update(""), "update /d dir 4/5 was /d dir 4/4"),
                ("/d", update("x"), "102 /d @5"),
            ],
        );
        assert_eq!(stored(&tree, "/d"), "/d dir 4/4");
        assert_eq!(tree.store_index(), 5);
    }

    #[test]
    fn compare_and_swap_names_what_differs() {
        expect(
            &mut tree(),
            vec![
                ("/f", Change::Set(file("a")), "set /f=a 4/4"),
                ("/d", Change::Set(Content::Dir), "set /d dir 5/5"),
                ("/d", cas("x", Some("a"), None), "102 /d @5"),
                ("/m/x", cas("x", Some("a"), None), "100 /m @5"),
                ("/f", cas("x", Some("b"), Some(77)), "101 [b != a] [77 != 4] @5"),
                ("/f", cas("x", Some("a"), Some(77)), "101 [77 != 4] @5"),
                ("/f", cas("x", Some("b"), Some(4)), "101 [b != a] @5"),
                ("/f", cas("x", None, Some(5)), "101 [5 != 4] @5"),
                ("/f", cas("x", Some("a"), Some(4)), "compareAndSwap /f=x 4/6 was /f=a 4/4"),
                ("/f", cas("y", None, Some(6)), "compareAndSwap /f=y 4/7 was /f=x 4/6"),
            ],
        );
    }

    #[test]
    fn compare_and_delete_names_what_differs() {
        expect(
            &mut tree(),
            vec![
                ("/f", Change::Set(file("a")), "set /f=a 4/4"),
                ("/d", Change::Set(Content::Dir), "set /d dir 5/5"),
                ("/d", cad(None, Some(5)), "102 /d @5"),
                ("/m", cad(None, Some(5)), "100 /m @5"),
                ("/f", cad(Some("b"), Some(77)), "101 [b != a] [77 != 4] @5"),
                ("/f", cad(Some("a"), None), "compareAndDelete /f 4/6 was /f=a 4/4"),
                ("/f", cad(Some("a"), None), "100 /f @6"),
            ],
        );
    }

    #[test]
    fn delete_wants_to_be_told_of_directories() {
        let mut tree = tree();
        expect(
            &mut tree,
            vec![
                ("/d/_hidden", Change::Set(file("1")), "set /d/_hidden=1 4/4"),
                ("/d/e/f", Change::Set(file("2")), "set /d/e/f=2 5/5"),
                ("/d!", Change::Set(file("3")), "set /d!=3 6/6"),
                ("/d", DELETE, "102 /d @6"),
                ("/d", DELETE_DIR, "108 /d @6"),
                ("/d", DELETE_ALL, "delete /d dir 4/7 was /d dir 4/4"),
                ("/d/e/f", DELETE_ALL, "100 /d @7"),
                ("/d!", DELETE_ALL, "delete /d! 6/8 was /d!=3 6/6"),
                ("/d", Change::Set(Content::Dir), "set /d dir 9/9"),
                ("/d", DELETE, "102 /d @9"),
                ("/d", DELETE_DIR, "delete /d dir 9/10 was /d dir 9/9"),
                ("/g", Change::Set(file("4")), "set /g=4 11/11"),
                ("/g", DELETE_DIR, "delete /g 11/12 was /g=4 11/11"),
            ],
        );
        assert_eq!(tree.nodes.len(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let mut tree = tree();
        apply(&mut tree, "/d/f", Change::Set(file("a")));
        let refused = "104 /d/f @4";
        for path in ["/d/f/x", "/d/f/x/y"] {
            let changes =
                [Change::Set(file("1")), Change::Create(file("1")), update("1"), DELETE_ALL];
            for change in changes.into_iter().chain([cas("1", Some("a"), None), cad(None, Some(4))])
            {
                expect(&mut tree, vec![(path, change, refused)]);
            }
        }
    }

    #[test]
    fn the_root_is_read_only() {
        let mut tree = tree();
        let changes = [
            Change::Set(file("1")),
            Change::Set(Content::Dir),
            Change::Create(file("1")),
            update(""),
            cas("1", Some("a"), None),
            DELETE,
            DELETE_ALL,
        ];
        for change in changes {
            expect(&mut tree, vec![("/", change, "107 / @3")]);
        }
        expect(&mut tree, vec![("/", cad(Some("a"), None), "102  @3")]);
    }

    #[test]
    fn the_clock_moves_even_if_the_write_is_refused_and_never_back() {
        let mut tree = tree();
        let stamp = |cluster_ms, wall_ms| Stamp { cluster_ms, wall_ms };
        let write = Write { path: Path::root(), change: DELETE };
        assert!(tree.apply(&write, stamp(7, 90)).is_err());
        assert_eq!((tree.clock(), tree.store_index()), (stamp(7, 90), 3));
        tree.stamp(stamp(6, 100));
        assert_eq!(tree.clock(), stamp(7, 90));
        assert_eq!(tree.digest(), tree.recomputed_digest());
    }
}
