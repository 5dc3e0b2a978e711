//! Time passes: keys whose time to live is over go.

use std::sync::Arc;

use super::{Action, Event, Tree};
use crate::command::Stamp;

/// Keys that go at most at one entry of the log, so that applying it stays short
/// however many are due; the rest goes at the next ones. A directory counts as one,
/// and takes all below it at once.
pub const EXPIRIES_PER_ENTRY: usize = 1_000;

impl Tree {
    /// Moves the clock to this stamp, if that is later, and removes what is due by
    /// it: what was due first goes first, what was written first of what is due at the
    /// same time, a directory with all below it. One event
    /// and one store index each, as in etcd.
    pub fn advance(&mut self, stamp: Stamp) -> Vec<Arc<Event>> {
        self.clock = self.clock.max(stamp);
        let mut events = Vec::new();
        while events.len() < EXPIRIES_PER_ENTRY
            && let Some((deadline, path)) = self.nodes.first_deadline()
            && deadline <= self.clock.cluster_ms
        {
            let path = path.clone();
            let node = self.nodes.get(path.as_str()).expect("a deadline has its node").clone();
            events.push(self.remove(Action::Expire, &path, &node));
        }
        events
    }

    /// Cluster time in ms at which a key is due next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.nodes.first_deadline().map(|(deadline, _)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::{Change, Content, Write};
    use crate::tree::{Expires, Path, Read};

    const TICK_MS: u64 = 100;

    fn at(cluster_ms: u64) -> Stamp {
        Stamp { cluster_ms, wall_ms: 1_000_000_u64.saturating_add(cluster_ms), tick_ms: TICK_MS }
    }

    fn put(tree: &mut Tree, path: &str, content: Content, ttl: u64) {
        let change = Change::Set { content, ttl: Some(ttl) };
        tree.apply(&Write { path: Path::new(path).unwrap(), change }).unwrap();
    }

    fn file(tree: &mut Tree, path: &str, ttl: u64) {
        put(tree, path, Content::File("v".into()), ttl);
    }

    fn tree() -> Tree {
        let mut tree = Tree::new(3, 100);
        tree.advance(at(500));
        tree
    }

    fn expired(tree: &mut Tree, cluster_ms: u64) -> Vec<(String, u64)> {
        let events = tree.advance(at(cluster_ms));
        assert_eq!(tree.digest(), tree.recomputed_digest());
        assert!(events.iter().all(|event| event.action == Action::Expire));
        events.iter().map(|event| (event.node.path.to_string(), event.index())).collect()
    }

    #[test]
    fn a_key_goes_a_tick_after_its_time_and_not_before() {
        let mut tree = tree();
        file(&mut tree, "/k", 2);
        assert_eq!(tree.next_deadline(), Some(2_600));
        assert_eq!(expired(&mut tree, 2_599), []);
        assert_eq!(expired(&mut tree, 2_600), [("/k".to_owned(), 5)]);
        assert_eq!((tree.next_deadline(), tree.store_index()), (None, 5));
    }

    #[test]
    fn seconds_left_are_rounded_up_and_the_wall_decides_nothing() {
        let mut tree = tree();
        file(&mut tree, "/k", 2);
        let mut shown = |cluster_ms| {
            let early = Stamp { wall_ms: 0, ..at(cluster_ms) };
            assert!(tree.advance(early).is_empty());
            let read = Read { path: Path::new("/k").unwrap(), recursive: false };
            tree.read(&read).unwrap().expires.unwrap()
        };
        let left = |ttl| Expires { wall_ms: 1_002_500, ttl };
        assert_eq!(shown(500), left(2));
        assert_eq!(shown(1_499), left(2));
        assert_eq!(shown(1_500), left(1));
        assert_eq!(shown(2_499), left(1));
        assert_eq!(shown(2_599), left(0));
    }

    #[test]
    fn what_is_due_first_goes_first_and_a_directory_takes_all_with_it() {
        let mut tree = tree();
        file(&mut tree, "/late", 3);
        put(&mut tree, "/d", Content::Dir, 2);
        file(&mut tree, "/d/stays", 100);
        file(&mut tree, "/d/first", 1);
        let gone = expired(&mut tree, 10_000);
        let paths: Vec<&str> = gone.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/d/first", "/d", "/late"]);
        assert_eq!(tree.next_deadline(), None);
    }

    #[test]
    fn what_is_due_at_the_same_time_goes_in_the_order_of_the_writes() {
        let mut tree = tree();
        ["/c", "/a", "/b", "/a"].into_iter().for_each(|path| file(&mut tree, path, 1));
        let gone = expired(&mut tree, 10_000);
        let paths: Vec<&str> = gone.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/c", "/b", "/a"]);
    }

    #[test]
    fn a_deadline_goes_with_its_key_and_with_the_write_that_has_none() {
        let mut tree = tree();
        file(&mut tree, "/k", 2);
        let change = Change::Update { value: Some("v".into()), ttl: None };
        tree.apply(&Write { path: Path::new("/k").unwrap(), change }).unwrap();
        file(&mut tree, "/gone", 2);
        let change = Change::Delete { dir: false, recursive: false };
        tree.apply(&Write { path: Path::new("/gone").unwrap(), change }).unwrap();
        assert_eq!(tree.next_deadline(), None);
        assert_eq!(tree.digest(), tree.recomputed_digest());
    }

    #[test]
    fn an_entry_removes_so_many_and_no_more() {
        let mut tree = tree();
        for name in 0..EXPIRIES_PER_ENTRY + 1 {
            file(&mut tree, &format!("/{name}"), 1);
        }
        assert_eq!(tree.advance(at(10_000)).len(), EXPIRIES_PER_ENTRY);
        assert_eq!(tree.advance(at(10_000)).len(), 1);
    }

    #[test]
    fn no_time_to_live_is_too_long() {
        let mut tree = tree();
        file(&mut tree, "/k", u64::MAX);
        assert_eq!(tree.next_deadline(), Some(u64::MAX));
        assert_eq!(expired(&mut tree, u64::MAX - 1), []);
    }
}
