//! What must be true after every step, in release too.

use crate::log::Log;

/// The heights of one node, lowest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heights {
    /// Entries up to here are gone from memory.
    pub purged: u64,
    /// The newest durable snapshot.
    pub snapshot: u64,
    /// Applied to the state.
    pub applied: u64,
    /// Known to be committed.
    pub committed: u64,
    /// raft's term.
    pub term: u64,
    /// The tree's store index.
    pub store_index: u64,
}

/// The heights after the step before.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    before: Heights,
}

impl Invariants {
    /// Asserts all that can be seen from one node alone; what needs a sight of
    /// all nodes is the simulator's.
    pub fn check(&mut self, now: Heights, log: &Log, persisted: u64, installing: bool) {
        let before = std::mem::replace(&mut self.before, now);
        assert!(now.snapshot <= now.applied, "snapshot {} > applied {}", now.snapshot, now.applied);
        assert!(
            now.purged <= now.snapshot || installing,
            "purged {} > snapshot {}",
            now.purged,
            now.snapshot
        );
        assert!(
            now.applied <= now.committed,
            "applied {} > committed {}",
            now.applied,
            now.committed
        );
        assert!(now.committed <= log.last(), "committed {} > last {}", now.committed, log.last());
        assert!(now.applied <= persisted, "applied {} > persisted {persisted}", now.applied);
        assert!(before.term <= now.term, "term {} after {}", now.term, before.term);
        assert!(before.committed <= now.committed, "the commit index goes back");
        assert!(before.applied <= now.applied, "the applied index goes back");
        assert!(before.store_index <= now.store_index, "the store index goes back");
    }
}
