//! What watches are told, and when.

use std::collections::BTreeMap;

use quorate_engine::{Config, Done, Input, NodeId, Outcome, Output, Refused, Request, RequestId};

use super::{Cluster, Observer, Probe, Probes, per_node, place};
use crate::properties::Observation;

#[derive(Debug)]
pub(super) struct Watches {
    nodes: Vec<Life>,
}

/// The watches of a node in this life.
#[derive(Debug, Default)]
struct Life {
    steps: u64,
    waiting: BTreeMap<RequestId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Events it takes at most.
    limit: usize,
    /// The step in which it was asked.
    since: u64,
}

impl Watches {
    pub fn new(config: &Config) -> Self {
        Self { nodes: per_node(config) }
    }
}

impl Observer for Watches {
    fn observe(&mut self, _: &Cluster, id: NodeId, what: &Observation<'_>, probes: &mut Probes) {
        let Life { steps, waiting } = &mut self.nodes[place(id)];
        match what {
            Observation::Born(_) => waiting.clear(),
            Observation::Died => probes.hit_times(Probe::WatchDied, waiting.len() as u64),
            Observation::In(Input::Client { id, request: Request::Watch(watch) }) => {
                waiting.insert(*id, Waiting { limit: watch.limit, since: *steps });
            }
            Observation::In(Input::Forget { id }) => {
                waiting.remove(id);
            }
            Observation::Out(Output::Reply { id, outcome }) => {
                if let Some(watch) = waiting.remove(id) {
                    told(&watch, watch.since < *steps, outcome, probes);
                }
            }
            Observation::View(_) => *steps += 1,
            Observation::In(_) | Observation::Out(_) | Observation::Forgot { .. } => {}
        }
    }
}

fn told(watch: &Waiting, waited: bool, outcome: &Outcome, probes: &mut Probes) {
    match outcome {
        Outcome::Done(Done::Watched { events, .. }) => {
            let how = if waited { Probe::WatchWaited } else { Probe::WatchLookedBack };
            probes.hit(Probe::WatchShown);
            probes.hit(how);
            probes.hit_if(Probe::WatchFilled, watch.limit > 1 && events.len() == watch.limit);
        }
        Outcome::Refused(Refused::Cleared(_)) => {
            probes.hit(Probe::WatchCleared);
            probes.hit_if(Probe::WatchClearedWaiting, waited);
        }
        Outcome::Refused(Refused::NoLeader) => probes.hit(Probe::WatchUnready),
        _ => {}
    }
}
