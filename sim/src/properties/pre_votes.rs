//! Nobody raises the term before a majority has said that it would vote for it (raft
//! dissertation, §9.6): a node that is cut off would depose the leader each time it is
//! heard again.

use std::collections::BTreeMap;

use quorate_engine::message::RaftKind;
use quorate_engine::{NodeId, Role};

use super::{Observation, Property, sent, trim};

#[derive(Debug)]
pub(super) struct PreVotes {
    quorum: usize,
    /// By (term, candidate, voter).
    promised: BTreeMap<(u64, NodeId, NodeId), ()>,
}

impl PreVotes {
    pub(super) fn new(quorum: usize) -> Self {
        Self { quorum, promised: BTreeMap::new() }
    }
}

impl Property for PreVotes {
    fn name(&self) -> &'static str {
        "pre-votes come first"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        if let Some((to, raft)) = sent(what)
            && raft.kind == RaftKind::RequestPreVoteResponse
            && !raft.reject
        {
            self.promised.insert((raft.term, to, node), ());
            trim(&mut self.promised);
        }
        match what {
            Observation::View(view) if view.role == Role::Candidate => {
                let voters = (view.term, node, 0)..=(view.term, node, NodeId::MAX);
                let others = self.promised.range(voters).count();
                let term = view.term;
                if others + 1 >= self.quorum {
                    return Ok(());
                }
                Err(format!("stands in term {term}, for which {others} others would vote"))
            }
            _ => Ok(()),
        }
    }
}
