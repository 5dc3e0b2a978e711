//! A failed disk operation ends a life: it is never retried and never believed, for after
//! a failed sync nobody knows what the disk holds (ARCHITECTURE.md, decision 14).

use std::collections::BTreeMap;

use quorate_engine::{DiskId, Input, NodeId, Output};

use super::{Observation, Property};

#[derive(Debug, Default)]
pub(super) struct Halts(BTreeMap<NodeId, DiskId>);

impl Property for Halts {
    fn name(&self) -> &'static str {
        "a failing disk halts its node"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::In(Input::Disk { id, result: Err(_) }) => {
                self.0.insert(node, *id);
            }
            Observation::Born(_) | Observation::Died | Observation::Out(Output::Halt(_)) => {
                self.0.remove(&node);
            }
            Observation::View(_) => {
                if let Some(id) = self.0.get(&node) {
                    return Err(format!("goes on after disk operation {id} failed"));
                }
            }
            Observation::In(_) | Observation::Out(_) | Observation::Forgot { .. } => {}
        }
        Ok(())
    }
}
