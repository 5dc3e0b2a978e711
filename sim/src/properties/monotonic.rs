//! Within one life nothing goes back: term, commit index, applied index, store
//! index (raft paper, figure 2 "increases monotonically"); applied ≤ committed;
//! and a node knows itself as leader exactly when it leads.

use std::collections::BTreeMap;

use quorate_engine::{NodeId, Role, View};

use super::{Observation, Property};

#[derive(Debug, Default)]
pub(super) struct Monotonic {
    nodes: BTreeMap<NodeId, [u64; 4]>,
}

const WORDS: [&str; 4] = ["term", "commit index", "applied index", "store index"];

impl Property for Monotonic {
    fn name(&self) -> &'static str {
        "nothing goes back"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::Born(view) => {
                self.nodes.remove(&node);
                self.look(node, view)
            }
            Observation::View(view) => self.look(node, view),
            _ => Ok(()),
        }
    }
}

impl Monotonic {
    fn look(&mut self, node: NodeId, view: &View) -> Result<(), String> {
        let now = [view.term, view.committed, view.applied, view.tree.store_index()];
        let before = self.nodes.insert(node, now).unwrap_or_default();
        for ((word, before), now) in WORDS.iter().zip(before).zip(now) {
            if now < before {
                return Err(format!("its {word} went back from {before} to {now}"));
            }
        }
        if view.applied > view.committed {
            return Err(format!("applied {}, committed {}", view.applied, view.committed));
        }
        if (view.role == Role::Leader) != (view.leader == Some(node)) {
            return Err(format!("its role is {:?}, its leader {:?}", view.role, view.leader));
        }
        Ok(())
    }
}
