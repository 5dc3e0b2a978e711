//! Stamps never fall along the log: cluster time goes on from the highest stamp
//! there is, whoever leads (ARCHITECTURE.md, decision 9).

use std::collections::BTreeMap;

use quorate_engine::NodeId;
use quorate_engine::command::Command;
use quorate_engine::message::RaftKind;

use super::{Observation, Property, sent, trim};

/// The stamp in force at every (index, term) that a leader has shown.
#[derive(Debug, Default)]
pub(super) struct Stamps(BTreeMap<(u64, u64), u64>);

impl Property for Stamps {
    fn name(&self) -> &'static str {
        "stamps never fall"
    }

    fn observe(&mut self, _node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        if raft.kind != RaftKind::Append {
            return Ok(());
        }
        let mut before = self.0.get(&(raft.index, raft.log_term)).copied().unwrap_or(0);
        for entry in &raft.entries {
            let command = Command::decode(entry.data.clone()).ok();
            let stamp = command.map_or(before, |command| command.stamp.cluster_ms);
            if stamp < before {
                let (index, term) = (entry.index, entry.term);
                return Err(format!("entry {index}@{term} is stamped {stamp} after {before}"));
            }
            self.0.insert((entry.index, entry.term), stamp);
            before = stamp;
        }
        trim(&mut self.0);
        Ok(())
    }
}
