//! Stamps never fall along the log: cluster time goes on from the highest stamp
//! there is, whoever leads (ARCHITECTURE.md, decision 9). All leaders count in the
//! same ticks.

use std::collections::BTreeMap;

use quorate_engine::NodeId;
use quorate_engine::command::Command;
use quorate_engine::message::RaftKind;

use super::{Observation, Property, sent, trim};

#[derive(Debug)]
pub(super) struct Stamps {
    tick_ms: u64,
    /// Cluster time in force at every (index, term) that a leader has shown.
    times: BTreeMap<(u64, u64), u64>,
}

impl Stamps {
    pub(super) fn new(tick_ms: u64) -> Self {
        Self { tick_ms, times: BTreeMap::new() }
    }
}

impl Property for Stamps {
    fn name(&self) -> &'static str {
        "stamps never fall"
    }

    fn observe(&mut self, _node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        if raft.kind != RaftKind::Append {
            return Ok(());
        }
        let mut before = self.times.get(&(raft.index, raft.log_term)).copied().unwrap_or(0);
        for entry in &raft.entries {
            let (index, term) = (entry.index, entry.term);
            if let Ok(Command { stamp, .. }) = Command::decode(entry.data.clone()) {
                let (time, tick_ms) = (stamp.cluster_ms, stamp.tick_ms);
                if time < before {
                    return Err(format!("entry {index}@{term} is stamped {time} after {before}"));
                }
                if tick_ms != self.tick_ms {
                    return Err(format!("entry {index}@{term} counts in ticks of {tick_ms} ms"));
                }
                before = time;
            }
            self.times.insert((index, term), before);
        }
        trim(&mut self.times);
        Ok(())
    }
}
