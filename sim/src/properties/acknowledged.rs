//! What a node has acknowledged it still holds (raft paper, figure 2 and §5.3:
//! an append is on stable storage before it is answered), in this life or a
//! later one, until a later leader may have replaced it; or until damage within the
//! atlas has taken it, which others hold then.
//!
//! Seen where a node speaks of its log: it stands for election, it votes, or it
//! refuses an append.

use std::collections::BTreeMap;

use quorate_engine::message::{Chunk, RaftKind, RaftMessage};
use quorate_engine::{Input, Message, NodeId};

use super::{Observation, Property, received, sent, shown, trim};

#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    nodes: BTreeMap<NodeId, Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// The latest term in which a leader gave it entries.
    term: u64,
    /// What that leader showed: term by index.
    shown: BTreeMap<u64, u64>,
    /// Index acknowledged to that leader; 0 for none.
    index: u64,
    /// Who asked for its vote: the candidate's last entry, as (term, index).
    candidates: BTreeMap<NodeId, (u64, u64)>,
}

impl Property for Acknowledged {
    fn name(&self) -> &'static str {
        "what was acknowledged is held"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let node = self.nodes.entry(node).or_default();
        if let Observation::In(Input::Peer { message: Message::Chunk(chunk), .. }) = what {
            node.collect(chunk);
        }
        if let Observation::Forgot { from } = what {
            node.index = node.index.min(from - 1);
        }
        if let Some((from, raft)) = received(what) {
            node.hear(from, raft);
        }
        match sent(what) {
            Some((to, raft)) => node.say(to, raft),
            None => Ok(()),
        }
    }
}

impl Node {
    fn hear(&mut self, from: NodeId, raft: &RaftMessage) {
        match raft.kind {
            RaftKind::Append => {
                self.follow(raft.term);
                if raft.term == self.term {
                    self.shown.extend(shown(raft));
                    trim(&mut self.shown);
                }
            }
            RaftKind::RequestVote | RaftKind::RequestPreVote => {
                self.candidates.insert(from, (raft.log_term, raft.index));
            }
            _ => {}
        }
    }

    /// What a snapshot holds is acknowledged as entries are.
    fn collect(&mut self, chunk: &Chunk) {
        self.follow(chunk.term);
        if chunk.term == self.term {
            self.shown.insert(chunk.index, chunk.index_term);
        }
    }

    /// A later leader may replace what an earlier one was told.
    fn follow(&mut self, term: u64) {
        if term > self.term {
            *self =
                Self { term, candidates: std::mem::take(&mut self.candidates), ..Self::default() };
        }
    }

    fn say(&mut self, to: NodeId, raft: &RaftMessage) -> Result<(), String> {
        match raft.kind {
            RaftKind::AppendResponse if raft.term == self.term && raft.reject => {
                self.holds(raft.reject_hint >= self.index, "says that its log is shorter")
            }
            RaftKind::AppendResponse if raft.term == self.term => {
                self.index = self.index.max(raft.index);
                Ok(())
            }
            RaftKind::RequestVote | RaftKind::RequestPreVote => {
                self.holds((raft.log_term, raft.index) >= self.last(), "stands with less")
            }
            RaftKind::RequestVoteResponse if !raft.reject => {
                let candidate = self.candidates.get(&to).copied().unwrap_or_default();
                self.holds(candidate >= self.last(), "votes for one with less")
            }
            _ => Ok(()),
        }
    }

    /// The last entry it must at least have, as (term, index).
    fn last(&self) -> (u64, u64) {
        (self.shown.get(&self.index).copied().unwrap_or(0), self.index)
    }

    fn holds(&self, holds: bool, otherwise: &str) -> Result<(), String> {
        if holds {
            return Ok(());
        }
        let (term, index) = self.last();
        Err(format!(
            "acknowledged {index}@{term} to the leader of term {}, but {otherwise}",
            self.term
        ))
    }
}
