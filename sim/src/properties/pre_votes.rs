//! Nobody raises the term before a majority has said that it would vote for it (raft
//! dissertation, §9.6): a node that is cut off would depose the leader each time it is
//! heard again. raft-rs counts late promises, too, that were meant for the term before.

use std::collections::{BTreeMap, BTreeSet};

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
                let term = view.term;
                let voters = [term - 1, term].into_iter().flat_map(|of| {
                    let of = (of, node, 0)..=(of, node, NodeId::MAX);
                    self.promised.range(of).map(|((.., voter), ())| voter)
                });
                let others = voters.collect::<BTreeSet<_>>().len();
                if others + 1 >= self.quorum {
                    return Ok(());
                }
                Err(format!("stands in term {term}, for which {others} others would vote"))
            }
            _ => Ok(()),
        }
    }
}
