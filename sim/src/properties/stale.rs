//! A leader of an earlier term is told of the later one (raft paper, §5.1 and figure 2:
//! what bears a stale term is refused, and the refusal bears the current one). A node
//! that kept silent would be stuck: with pre-vote its term reaches nobody otherwise.
//!
//! The refusal may wait for the disk: it is owed for as long as anything is under way
//! there.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::message::RaftKind;
use quorate_engine::{DiskId, Input, NodeId, Output};

use super::{Observation, Property, received, sent};

#[derive(Debug, Default)]
pub(super) struct Stale(BTreeMap<NodeId, Node>);

#[derive(Debug, Default)]
struct Node {
    term: u64,
    disk: BTreeSet<DiskId>,
    /// By leader: the stale term in which it spoke.
    owed: BTreeMap<NodeId, u64>,
}

impl Property for Stale {
    fn name(&self) -> &'static str {
        "a stale leader is told"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let node = self.0.entry(node).or_default();
        match what {
            Observation::Born(view) => *node = Node { term: view.term, ..Node::default() },
            Observation::Died | Observation::Out(Output::Halt(_)) => *node = Node::default(),
            Observation::In(Input::Disk { id, .. }) => {
                node.disk.remove(id);
            }
            Observation::Out(Output::Disk { id, .. }) => {
                node.disk.insert(*id);
            }
            Observation::View(view) => {
                node.term = view.term;
                return node.look();
            }
            Observation::In(_) | Observation::Out(_) => node.talk(what),
            Observation::Forgot { .. } => {}
        }
        Ok(())
    }
}

impl Node {
    fn talk(&mut self, what: &Observation<'_>) {
        if let Some((from, raft)) = received(what)
            && matches!(raft.kind, RaftKind::Append | RaftKind::Heartbeat)
            && raft.term < self.term
        {
            self.owed.insert(from, raft.term);
        }
        if let Some((to, raft)) = sent(what)
            && raft.kind == RaftKind::AppendResponse
            && self.owed.get(&to).is_some_and(|stale| *stale < raft.term)
        {
            self.owed.remove(&to);
        }
    }

    fn look(&self) -> Result<(), String> {
        match self.owed.first_key_value() {
            Some((leader, stale)) if self.disk.is_empty() => Err(format!(
                "heard n{leader} lead in term {stale}, and does not tell it of term {}",
                self.term
            )),
            _ => Ok(()),
        }
    }
}
