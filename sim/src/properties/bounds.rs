//! Everything that waits has a bound (ARCHITECTURE.md, decision 15): after a step no
//! more requests of clients wait than the configuration allows, nor more disk
//! operations than one flight of the log and one of snapshots have.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::{Config, DiskId, Input, NodeId, Output, Request, RequestId};

use super::{Observation, Property};

/// Disk operations under way at once: the log's write and the segment made for it, a
/// snapshot's, a received one's, and the removal of what is not needed any more. What a
/// birth has to put right comes at once and is not counted.
const DISK_OPS: usize = 8;

#[derive(Debug)]
pub(super) struct Bounds {
    most: [usize; 3],
    nodes: BTreeMap<NodeId, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: BTreeMap<RequestId, usize>,
    disk: BTreeSet<DiskId>,
    /// Whether what its birth asked of the disk is still under way.
    newborn: bool,
}

const WORDS: [&str; 3] = ["writes", "reads", "watches"];

impl Bounds {
    pub(super) fn new(config: &Config) -> Self {
        // A member's own publication waits beside its clients' writes.
        let most = [config.max_pending_writes + 1, config.max_pending_reads, config.max_watches];
        Self { most, nodes: BTreeMap::new() }
    }
}

impl Property for Bounds {
    fn name(&self) -> &'static str {
        "all that waits has a bound"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let waiting = self.nodes.entry(node).or_default();
        match what {
            Observation::Born(_) => *waiting = Waiting { newborn: true, ..Waiting::default() },
            Observation::Died => *waiting = Waiting::default(),
            Observation::In(Input::Client { id, request }) => {
                waiting.requests.insert(*id, kind(request));
            }
            Observation::In(Input::Forget { id }) | Observation::Out(Output::Reply { id, .. }) => {
                waiting.requests.remove(id);
            }
            Observation::In(Input::Disk { id, .. }) => {
                waiting.disk.remove(id);
            }
            Observation::Out(Output::Disk { id, .. }) => {
                waiting.disk.insert(*id);
            }
            Observation::View(_) => return self.look(node),
            _ => {}
        }
        Ok(())
    }
}

impl Bounds {
    fn look(&mut self, node: NodeId) -> Result<(), String> {
        let Waiting { requests, disk, newborn } = self.nodes.entry(node).or_default();
        for (which, (word, most)) in WORDS.iter().zip(self.most).enumerate() {
            let count = requests.values().filter(|kind| **kind == which).count();
            if count > most {
                return Err(format!("{count} {word} wait, and {most} may"));
            }
        }
        *newborn &= disk.len() > DISK_OPS;
        if disk.len() > DISK_OPS && !*newborn {
            return Err(format!("{} disk operations are under way", disk.len()));
        }
        Ok(())
    }
}

fn kind(request: &Request) -> usize {
    match request {
        Request::Write(_) | Request::Publish(_) => 0,
        Request::Read => 1,
        Request::Watch(_) => 2,
    }
}
