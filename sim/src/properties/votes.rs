//! Term and vote are kept (raft paper, figure 2 "persistent state" and §5.2):
//! what a node has told of them in any message is never contradicted, in this
//! life or a later one.

use std::collections::BTreeMap;

use quorate_engine::NodeId;
use quorate_engine::message::{RaftKind, RaftMessage};

use super::{Observation, Property, sent};

#[derive(Debug, Default)]
pub(super) struct Votes {
    told: BTreeMap<NodeId, Told>,
}

#[derive(Debug, Default)]
struct Told {
    term: u64,
    /// (term, candidate)
    vote: (u64, NodeId),
}

impl Property for Votes {
    fn name(&self) -> &'static str {
        "votes are kept"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let told = self.told.entry(node).or_default();
        if let Observation::Born(view) = what
            && view.term < told.term
        {
            return Err(format!("born in term {}, having told of term {}", view.term, told.term));
        }
        let Some((to, raft)) = sent(what) else { return Ok(()) };
        if let Some(candidate) = voted(node, to, raft) {
            told.vote(raft.term, candidate)?;
        }
        told.term = told.term.max(own_term(raft));
        Ok(())
    }
}

impl Told {
    fn vote(&mut self, term: u64, candidate: NodeId) -> Result<(), String> {
        let (before, other) = self.vote;
        if term == before && candidate != other {
            return Err(format!("a vote for n{candidate} in term {term}, after one for n{other}"));
        }
        if term < self.term {
            return Err(format!("a vote in term {term}, having told of term {}", self.term));
        }
        self.vote = (term, candidate);
        Ok(())
    }
}

/// For whom this message says that its sender votes.
fn voted(node: NodeId, to: NodeId, raft: &RaftMessage) -> Option<NodeId> {
    match raft.kind {
        RaftKind::RequestVote => Some(node),
        RaftKind::RequestVoteResponse if !raft.reject => Some(to),
        _ => None,
    }
}

/// The sender's own term, 0 where the message names another: a pre-vote is about
/// the term that would come.
fn own_term(raft: &RaftMessage) -> u64 {
    match raft.kind {
        RaftKind::RequestPreVote => 0,
        RaftKind::RequestPreVoteResponse if !raft.reject => 0,
        _ => raft.term,
    }
}
