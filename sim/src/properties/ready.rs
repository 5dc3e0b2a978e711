//! A node that has been born again tells no watch anything, and lets none wait,
//! until it is ready: before that its tree may be older than what it once showed
//! (`View::ready` in the engine).

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::{Done, Input, NodeId, Outcome, Output, Refused, Request, RequestId};

use super::{Observation, Property};

#[derive(Debug, Default)]
pub(super) struct Ready(BTreeMap<NodeId, Watches>);

#[derive(Debug, Default)]
struct Watches {
    waiting: BTreeSet<RequestId>,
    /// Some watch has been told something of the tree since the last view.
    told: bool,
}

impl Property for Ready {
    fn name(&self) -> &'static str {
        "watches wait only on nodes that are ready"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let watches = self.0.entry(node).or_default();
        match what {
            // Who waits on a node that halts hears nothing any more.
            Observation::Born(_) | Observation::Died | Observation::Out(Output::Halt(_)) => {
                *watches = Watches::default();
            }
            Observation::In(Input::Client { id, request: Request::Watch(_) }) => {
                watches.waiting.insert(*id);
            }
            Observation::In(Input::Forget { id }) => {
                watches.waiting.remove(id);
            }
            Observation::Out(Output::Reply { id, outcome }) => {
                watches.waiting.remove(id);
                watches.told |= matches!(
                    outcome,
                    Outcome::Done(Done::Watched { .. }) | Outcome::Refused(Refused::Cleared(_))
                );
            }
            Observation::View(view) if view.ready => watches.told = false,
            Observation::View(_) => {
                if watches.told {
                    return Err("a watch was told of its tree".into());
                }
                if let Some(id) = watches.waiting.first() {
                    return Err(format!("watch {id} was let wait"));
                }
            }
            Observation::In(_) | Observation::Out(_) | Observation::Forgot { .. } => {}
        }
        Ok(())
    }
}
