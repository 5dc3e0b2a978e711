//! Which events a watch is shown.

use std::sync::Arc;

use super::{Action, Event, Path, Tree};

/// What a watch waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The key.
    pub path: Path,
    /// All below it, too, except what is hidden from it.
    pub recursive: bool,
    /// The first store index of interest; it may lie in the future.
    pub from: u64,
    /// Events wanted at once, at least 1.
    pub limit: usize,
}

/// Events that a watch asked for have left the history window (v2's 401).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The first store index still in the window.
    pub first: u64,
    /// The one that was asked for.
    pub asked: u64,
    /// The store index of the last event.
    pub index: u64,
}

impl Event {
    /// Whether a watch at this path is shown the event.
    ///
    /// A watch hears of its own key, a recursive one of everything below that is
    /// not hidden from it, and both of the removal of a directory above them,
    /// whether or not their key was there. etcd's live watches and its history
    /// answer the last two differently; here they agree.
    pub fn concerns(&self, path: &Path, recursive: bool) -> bool {
        let own = &self.node.path;
        if self.refresh {
            return false;
        }
        own == path
            || recursive && own.is_within(path) && !own.is_hidden_below(path)
            || self.removes_directory() && path.is_within(own)
    }

    /// Whether everything below its node has gone with it.
    pub fn removes_directory(&self) -> bool {
        self.node.dir && matches!(self.action, Action::Delete | Action::Expire)
    }
}

impl Tree {
    /// The first store index whose event a watch may still ask for.
    pub fn history_first(&self) -> u64 {
        (self.store_index + 1).saturating_sub(self.history.window() as u64).max(1)
    }

    /// The events that a watch has missed, oldest first; none if it has to wait.
    ///
    /// # Errors
    /// If some that it asks for have left the history window.
    pub fn watch(&self, watch: &Watch) -> Result<Vec<Arc<Event>>, Cleared> {
        let (first, index) = (self.history_first(), self.store_index);
        if watch.from < first {
            return Err(Cleared { first, asked: watch.from, index });
        }
        let concerned = self.history.since(watch.from);
        let concerned = concerned.filter(|event| event.concerns(&watch.path, watch.recursive));
        Ok(concerned.take(watch.limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::{Change, Content, Refresh, Write};

    fn tree(window: usize, program: &[(&str, Change)]) -> Tree {
        let mut tree = Tree::new(3, window);
        for (path, change) in program {
            let path = Path::new(path).unwrap();
            tree.apply(&Write { path, change: change.clone() }).unwrap();
        }
        tree
    }

    fn set(path: &str) -> (&str, Change) {
        (path, Change::Set { content: Content::File("1".into()), ttl: None })
    }

    fn delete(path: &str) -> (&str, Change) {
        (path, Change::Delete { dir: true, recursive: true })
    }

    /// The store indexes that a watch is shown.
    fn shown(tree: &Tree, path: &str, recursive: bool, from: u64) -> Result<Vec<u64>, Cleared> {
        let path = Path::new(path).unwrap();
        let events = tree.watch(&Watch { path, recursive, from, limit: 100 })?;
        Ok(events.iter().map(|event| event.index()).collect())
    }

    #[test]
    fn a_watch_is_shown_its_key_and_if_recursive_what_lies_below() {
        let tree = tree(100, &[set("/a/b"), set("/a/bc"), set("/a/b"), set("/x")]);
        assert_eq!(shown(&tree, "/a/b", false, 4), Ok(vec![4, 6]));
        assert_eq!(shown(&tree, "/a/b", true, 5), Ok(vec![6]));
        assert_eq!(shown(&tree, "/a", false, 4), Ok(vec![]));
        assert_eq!(shown(&tree, "/a", true, 4), Ok(vec![4, 5, 6]));
        assert_eq!(shown(&tree, "/", true, 1), Ok(vec![4, 5, 6, 7]));
        assert_eq!(shown(&tree, "/", true, 8), Ok(vec![]));
    }

    #[test]
    fn what_is_hidden_is_shown_to_those_who_name_it() {
        let tree = tree(100, &[set("/a/_h/b"), set("/_x")]);
        assert_eq!(shown(&tree, "/", true, 4), Ok(vec![]));
        assert_eq!(shown(&tree, "/a/_h", true, 4), Ok(vec![4]));
        assert_eq!(shown(&tree, "/_x", false, 4), Ok(vec![5]));
    }

    #[test]
    fn the_removal_of_a_directory_reaches_those_below_it() {
        let tree = tree(100, &[set("/d/e/f"), set("/da"), delete("/d/e"), delete("/da")]);
        assert_eq!(shown(&tree, "/d/e/f", false, 5), Ok(vec![6]));
        assert_eq!(shown(&tree, "/d/e/never", false, 5), Ok(vec![6]));
        assert_eq!(shown(&tree, "/d/e/_h/x", true, 5), Ok(vec![6]));
        assert_eq!(shown(&tree, "/d/ef", false, 5), Ok(vec![]));
        // The removal of a file does not reach what can not have been below it.
        assert_eq!(shown(&tree, "/da/x", false, 5), Ok(vec![]));
    }

    #[test]
    fn a_refresh_is_shown_to_nobody() {
        let refresh = Change::Refresh { ttl: 5, like: Refresh::Set };
        let tree = tree(100, &[set("/a"), ("/a", refresh), set("/a")]);
        assert_eq!(shown(&tree, "/a", false, 5), Ok(vec![6]));
    }

    #[test]
    fn what_has_left_the_window_is_cleared() {
        // etcd's window holds the three events before the first write, too.
        let program: Vec<_> = ["/a"; 5].into_iter().map(set).collect();
        let cleared = |first, asked, index| Err(Cleared { first, asked, index });
        assert_eq!(shown(&tree(10, &program), "/a", false, 1), Ok(vec![4, 5, 6, 7, 8]));
        assert_eq!(shown(&tree(7, &program), "/a", false, 1), cleared(2, 1, 8));
        assert_eq!(shown(&tree(7, &program), "/a", false, 2), Ok(vec![4, 5, 6, 7, 8]));
        assert_eq!(shown(&tree(2, &program), "/a", false, 7), Ok(vec![7, 8]));
        assert_eq!(shown(&tree(2, &program), "/a", false, 6), cleared(7, 6, 8));
        assert_eq!(shown(&tree(2, &program), "/a", false, 0), cleared(7, 0, 8));
    }

    #[test]
    fn no_more_than_asked_for() {
        let tree = tree(100, &[set("/a"), set("/a"), set("/a")]);
        let watch = Watch { path: Path::new("/a").unwrap(), recursive: false, from: 4, limit: 2 };
        assert_eq!(tree.watch(&watch).unwrap().len(), 2);
    }
}
