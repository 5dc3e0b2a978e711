//! Committed entries stay (raft paper, §5.4.3, state machine safety): whoever
//! calls the entry at an index committed means the same entry. Compared by
//! index, not over time: what a node knows to be committed may go back when it
//! is born again.

use std::collections::BTreeMap;

use quorate_engine::NodeId;

use super::{Observation, Property, sent, shown, trim};

#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Term of the entry at an index.
    terms: BTreeMap<u64, u64>,
}

impl Property for Committed {
    fn name(&self) -> &'static str {
        "committed entries stay"
    }

    fn observe(&mut self, _: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        for (index, term) in shown(raft).filter(|(index, _)| *index <= raft.commit) {
            let known = *self.terms.entry(index).or_insert(term);
            if known != term {
                return Err(format!("both {index}@{known} and {index}@{term} are committed"));
            }
        }
        trim(&mut self.terms);
        Ok(())
    }
}
