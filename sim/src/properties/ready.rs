//! A node that has been born again shows no watch anything, and lets none wait,
//! until it is ready: before that its tree may be older than what it once showed
//! (ARCHITECTURE.md, "View::ready" in the engine).

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::{Done, Input, NodeId, Outcome, Output, Request, RequestId};

use super::{Observation, Property};

#[derive(Debug, Default)]
pub(super) struct Ready(BTreeMap<NodeId, Watches>);

#[derive(Debug, Default)]
struct Watches {
    waiting: BTreeSet<RequestId>,
    /// Some watch has been shown something since the last view.
    shown: bool,
}

impl Property for Ready {
    fn name(&self) -> &'static str {
        "watches wait only on nodes that are ready"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let watches = self.0.entry(node).or_default();
        match what {
            Observation::Born(_) | Observation::Died => *watches = Watches::default(),
            Observation::In(Input::Client { id, request: Request::Watch(_) }) => {
                watches.waiting.insert(*id);
            }
            Observation::In(Input::Forget { id }) => {
                watches.waiting.remove(id);
            }
            Observation::Out(Output::Reply { id, outcome }) => {
                watches.waiting.remove(id);
                watches.shown |= matches!(outcome, Outcome::Done(Done::Watched { .. }));
            }
            Observation::View(view) if view.ready => watches.shown = false,
            Observation::View(_) => {
                if watches.shown {
                    return Err("a watch was shown something".into());
                }
                if let Some(id) = watches.waiting.first() {
                    return Err(format!("watch {id} was let wait"));
                }
            }
            Observation::In(_) | Observation::Out(_) => {}
        }
        Ok(())
    }
}
