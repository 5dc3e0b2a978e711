//! What a leader remembers of forwarded writes, to take each at most once.

use std::collections::{BTreeMap, BTreeSet};

use crate::boundary::NodeId;
use crate::command::Origin;

/// Lives of one origin remembered within one term; a member that restarts more
/// often has to wait for another.
const MAX_LIVES: usize = 1_000;

/// A bounded window of the writes taken from each origin in the last term that
/// this node has led in this life. In memory only: a write names the term it is
/// for, and another term is another leader. Of writes for any other term nobody
/// here can say whether they were taken.
#[derive(Debug)]
pub(crate) struct Taken {
    window: usize,
    term: u64,
    origins: BTreeMap<NodeId, OriginWindow>,
}

#[derive(Debug, Default)]
struct OriginWindow {
    boot: u64,
    /// Everything up to here counts as taken.
    floor: u64,
    seqs: BTreeSet<u64>,
    /// Earlier lives of the origin: nothing of theirs is taken any more.
    past: BTreeSet<u64>,
}

impl Taken {
    /// Remembers so many writes of each origin.
    pub fn new(window: usize) -> Self {
        Self { window, term: 0, origins: BTreeMap::new() }
    }

    /// This node leads in this term.
    pub fn lead(&mut self, term: u64) {
        if term != self.term {
            self.term = term;
            self.origins.clear();
        }
    }

    /// Whether this write, forwarded for this term, is certainly seen for the first
    /// time: only then may it be taken, and only then may it be called not taken.
    pub fn first(&mut self, term: u64, origin: Origin) -> bool {
        if term != self.term {
            return false;
        }
        let window = self.origins.entry(origin.node).or_default();
        if window.boot != origin.boot {
            if window.past.contains(&origin.boot) || window.past.len() >= MAX_LIVES {
                return false;
            }
            let boot = std::mem::replace(&mut window.boot, origin.boot);
            window.past.insert(boot);
            window.floor = 0;
            window.seqs.clear();
        }
        if origin.seq <= window.floor || !window.seqs.insert(origin.seq) {
            return false;
        }
        if window.seqs.len() > self.window {
            window.floor = window.seqs.pop_first().expect("it is over its bound");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(boot: u64, seq: u64) -> Origin {
        Origin { node: 2, boot, seq }
    }

    #[test]
    fn a_duplicate_is_not_taken_twice() {
        let mut taken = Taken::new(8);
        taken.lead(1);
        assert!(taken.first(1, origin(7, 1)));
        assert!(!taken.first(1, origin(7, 1)));
        assert!(taken.first(1, origin(7, 2)));
    }

    #[test]
    fn what_is_older_than_the_window_is_not_taken() {
        let mut taken = Taken::new(2);
        taken.lead(1);
        for seq in [2, 3, 4] {
            assert!(taken.first(1, origin(7, seq)));
        }
        assert!(!taken.first(1, origin(7, 1)), "1 is below the floor: it may have been taken");
        assert!(!taken.first(1, origin(7, 2)));
    }

    #[test]
    fn a_past_life_stays_past() {
        let mut taken = Taken::new(8);
        taken.lead(1);
        assert!(taken.first(1, origin(7, 1)));
        assert!(taken.first(1, origin(8, 1)));
        assert!(!taken.first(1, origin(7, 2)));
    }

    #[test]
    fn another_term_is_another_leader() {
        let mut taken = Taken::new(8);
        taken.lead(1);
        assert!(taken.first(1, origin(7, 1)));
        assert!(!taken.first(2, origin(7, 1)), "another life may have led there");
        taken.lead(2);
        assert!(taken.first(2, origin(7, 1)));
        assert!(!taken.first(1, origin(7, 2)), "what was taken then is forgotten");
    }
}
