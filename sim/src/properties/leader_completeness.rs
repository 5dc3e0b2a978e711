//! Leader completeness (raft paper, figure 3 and §5.4): an entry committed in
//! a term is in the logs of the leaders of all later terms.
//!
//! Two looks: a node that has won was, by its own request for votes, as up to
//! date as everything committed before; and a leader shows no other entry where
//! one was committed in an earlier term.

use std::collections::BTreeMap;

use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{NodeId, Role, View};

use super::{Observation, Property, sent, shown, trim};

#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    /// By index: term of the entry, and of the leader that first called it
    /// committed.
    committed: BTreeMap<u64, (u64, u64)>,
    /// By term of the leader that called it committed: the highest entry, as
    /// (term, index).
    highest: BTreeMap<u64, (u64, u64)>,
    /// By candidate: the term it stood in and its last entry, as (term, index).
    stood: BTreeMap<NodeId, (u64, (u64, u64))>,
}

impl Property for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader completeness"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        if let Observation::View(view) = what
            && view.role == Role::Leader
        {
            self.won(node, view)?;
        }
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        if raft.kind == RaftKind::RequestVote {
            self.stood.insert(node, (raft.term, (raft.log_term, raft.index)));
        }
        self.shows(raft)?;
        self.learn(raft);
        Ok(())
    }
}

impl LeaderCompleteness {
    fn won(&mut self, node: NodeId, view: &View) -> Result<(), String> {
        let Some((_, last)) = self.stood.remove(&node).filter(|(term, _)| *term == view.term)
        else {
            return Ok(());
        };
        let before = self.highest.range(..view.term).map(|(_, entry)| *entry).max();
        match before.filter(|entry| *entry > last) {
            None => Ok(()),
            Some((term, index)) => Err(format!(
                "elected in term {} with a log that ends at {}@{}, when {index}@{term} was \
                 committed",
                view.term, last.1, last.0
            )),
        }
    }

    fn shows(&self, raft: &RaftMessage) -> Result<(), String> {
        for (index, term) in shown(raft) {
            if let Some(&(known, by)) = self.committed.get(&index)
                && by < raft.term
                && known != term
            {
                return Err(format!(
                    "the leader of term {} holds {index}@{term}, when {index}@{known} was \
                     committed in term {by}",
                    raft.term
                ));
            }
        }
        Ok(())
    }

    fn learn(&mut self, raft: &RaftMessage) {
        for (index, term) in shown(raft).filter(|(index, _)| *index <= raft.commit) {
            self.committed.entry(index).or_insert((term, raft.term));
            let highest = self.highest.entry(raft.term).or_default();
            *highest = (*highest).max((term, index));
        }
        trim(&mut self.committed);
        trim(&mut self.highest);
    }
}
