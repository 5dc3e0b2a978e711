//! State machine safety (raft paper, figure 3 and §5.4.3), stronger than there:
//! two nodes that have applied up to the same index hold the same state, also
//! after a restart or a snapshot. The state is the tree with all that is
//! replicated beside it, and the members.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::{Member, NodeId, View};

use super::{Observation, Property, trim};

#[derive(Debug, Default)]
pub(super) struct StateMachineSafety {
    /// By applied index.
    states: BTreeMap<u64, State>,
    /// The index at which each node was last looked at.
    last: BTreeMap<NodeId, u64>,
}

#[derive(Debug)]
struct State {
    digest: u64,
    store_index: u64,
    members: Arc<Vec<Member>>,
    first: NodeId,
}

impl Property for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state machine safety"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::Born(view) => self.compare(node, view),
            Observation::View(view) if self.last.get(&node) != Some(&view.applied) => {
                self.compare(node, view)
            }
            _ => Ok(()),
        }
    }
}

impl StateMachineSafety {
    fn compare(&mut self, node: NodeId, view: &View) -> Result<(), String> {
        self.last.insert(node, view.applied);
        let state = self.states.entry(view.applied).or_insert_with(|| State {
            digest: view.digest,
            store_index: view.tree.store_index(),
            members: view.members.clone(),
            first: node,
        });
        let differs = if state.store_index != view.tree.store_index() {
            "store index"
        } else if state.digest != view.digest {
            "digest"
        } else if state.members != view.members {
            "list of members"
        } else {
            trim(&mut self.states);
            return Ok(());
        };
        let first = state.first;
        Err(format!("having applied {}, its {differs} is not what n{first} had", view.applied))
    }
}
