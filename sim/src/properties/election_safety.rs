//! Election safety (raft paper, figure 3 and §5.2): at most one leader is
//! elected in a given term.

use std::collections::BTreeMap;

use quorate_engine::message::RaftKind;
use quorate_engine::{Message, NodeId, Output, Role};

use super::{Observation, Property, trim};

#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<u64, NodeId>,
}

impl Property for ElectionSafety {
    fn name(&self) -> &'static str {
        "election safety"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some(term) = led(what) else { return Ok(()) };
        let leader = *self.leaders.entry(term).or_insert(node);
        trim(&mut self.leaders);
        if leader == node {
            return Ok(());
        }
        Err(format!("n{node} leads in term {term}, which n{leader} has led"))
    }
}

/// The term in which a node shows itself to lead.
fn led(what: &Observation<'_>) -> Option<u64> {
    match what {
        Observation::View(view) if view.role == Role::Leader => Some(view.term),
        Observation::Out(Output::Peer { message: Message::Chunk(chunk), .. }) => Some(chunk.term),
        Observation::Out(Output::Peer { message: Message::Raft(raft), .. })
            if matches!(raft.kind, RaftKind::Append | RaftKind::Heartbeat) =>
        {
            Some(raft.term)
        }
        _ => None,
    }
}
