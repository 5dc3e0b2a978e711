//! No zombies: a leader whose log write has not completed within an election
//! timeout no longer leads. raft itself does not ask for it: a leader with a
//! stalled disk would send heartbeats for ever and commit nothing.

use std::collections::BTreeMap;

use quorate_engine::{DiskId, DiskOp, Input, NodeId, Output, Role};

use super::{Observation, Property};

#[derive(Debug)]
pub(super) struct Zombie {
    election_ticks: u32,
    /// By node: log writes under way, and for how many ticks.
    flying: BTreeMap<NodeId, BTreeMap<DiskId, u32>>,
}

impl Zombie {
    pub(super) fn new(election_ticks: u32) -> Self {
        Self { election_ticks, flying: BTreeMap::new() }
    }
}

impl Property for Zombie {
    fn name(&self) -> &'static str {
        "no zombie leads"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let flying = self.flying.entry(node).or_default();
        match what {
            Observation::Born(_) | Observation::Died => flying.clear(),
            Observation::Out(Output::Disk { id, op }) if is_log_write(op) => {
                flying.insert(*id, 0);
            }
            Observation::In(Input::Disk { id, .. }) => {
                flying.remove(id);
            }
            Observation::In(Input::Tick { .. }) => {
                flying.values_mut().for_each(|ticks| *ticks += 1)
            }
            Observation::View(view) if view.role == Role::Leader => {
                let oldest = flying.values().max().copied().unwrap_or(0);
                if oldest > self.election_ticks {
                    return Err(format!("leads; its log write is under way for {oldest} ticks"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Log segments are the files whose names begin with `wal`.
fn is_log_write(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Write { file, sync: true, .. } if file.as_str().starts_with("wal"))
}
