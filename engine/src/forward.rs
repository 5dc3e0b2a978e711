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
    /// Other lives of the origin, each with its last write that was seen: everything up to
    /// there counts as taken. Nobody here can say which life is the present one: what an
    /// earlier one has sent may come late.
    others: BTreeMap<u64, u64>,
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
        if window.boot != origin.boot && !window.turn_to(origin) {
            return false;
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

impl OriginWindow {
    /// Goes on with another life, unless this write of it may have been seen before.
    fn turn_to(&mut self, Origin { boot, seq, .. }: Origin) -> bool {
        let seen = match self.others.get(&boot) {
            Some(seen) => *seen,
            None if self.others.len() >= MAX_LIVES => return false,
            None => 0,
        };
        if seq <= seen {
            return false;
        }
        self.others.remove(&boot);
        let last = self.seqs.last().copied().unwrap_or(self.floor);
        self.others.insert(std::mem::replace(&mut self.boot, boot), last);
        self.floor = seen;
        self.seqs.clear();
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
    fn a_write_of_an_earlier_life_that_comes_late_does_not_shut_out_the_present_one() {
        let mut taken = Taken::new(8);
        taken.lead(1);
        assert!(taken.first(1, origin(8, 1)));
        assert!(taken.first(1, origin(7, 5)), "it was not seen before");
        assert!(taken.first(1, origin(8, 2)));
        for (boot, seq) in [(8, 1), (8, 2), (7, 5), (7, 4), (8, 2)] {
            assert!(!taken.first(1, origin(boot, seq)), "{boot} {seq} may have been taken");
        }
        assert!(taken.first(1, origin(7, 6)));
        assert!(taken.first(1, origin(8, 3)));
    }

    #[test]
    fn lives_have_a_bound_and_those_that_are_known_go_on() {
        let mut taken = Taken::new(8);
        taken.lead(1);
        let most = u64::try_from(MAX_LIVES).unwrap();
        assert!((1..=most).all(|boot| taken.first(1, origin(boot, 1))));
        assert!(!taken.first(1, origin(most + 1, 1)));
        assert!(taken.first(1, origin(1, 2)));
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
