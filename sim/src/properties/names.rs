//! A round of reads has a name that no other round ever had, on any node and in any life
//! (raft-rs, `ReadState::request_ctx`, wants it unique: a second round of one name would
//! ride on the first, and on what was heard for it).

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_engine::NodeId;
use quorate_engine::message::RaftKind;

use super::{Observation, Property, sent, trim};

/// By name: the node that asked, or that showed the name first.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<Bytes, NodeId>);

impl Property for Names {
    fn name(&self) -> &'static str {
        "names are used once"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        match raft.kind {
            RaftKind::ReadIndex => {
                for entry in &raft.entries {
                    if let Some(other) = self.0.insert(entry.data.clone(), node) {
                        let name = &entry.data;
                        return Err(format!("asks for reads as {name:02x?}, as n{other} did"));
                    }
                }
            }
            // A leader's own round is seen where it asks its followers.
            RaftKind::Heartbeat if !raft.context.is_empty() => {
                self.0.entry(raft.context.clone()).or_insert(node);
            }
            _ => {}
        }
        trim(&mut self.0);
        Ok(())
    }
}
