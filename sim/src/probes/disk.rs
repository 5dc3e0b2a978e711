//! What disks are asked, and what a death finds unfinished.

use std::collections::BTreeMap;

use quorate_engine::{Config, DiskId, DiskOp, Input, NodeId, Output, Role, View};

use super::{Cluster, Observer, Probe, Probes, per_node, place};
use crate::properties::Observation;

#[derive(Debug)]
pub(super) struct Disk {
    election_ticks: u32,
    segment_bytes: u64,
    nodes: Vec<Life>,
}

/// What a node's disk has been asked in this life.
#[derive(Debug, Default)]
struct Life {
    /// Log writes under way, and for how many ticks.
    writes: BTreeMap<DiskId, u32>,
    /// Renames of drafts under way.
    renames: BTreeMap<DiskId, Draft>,
    /// Whether something of it is done.
    begun: bool,
    /// Whether the log was written or cut.
    log_written: bool,
    /// Whether a log write has landed in this step.
    landed: bool,
    own_draft: bool,
    received_draft: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Draft {
    Own,
    Received,
}

impl Disk {
    pub fn new(config: &Config) -> Self {
        let (election_ticks, segment_bytes) = (config.election_ticks, config.segment_bytes);
        Self { election_ticks, segment_bytes, nodes: per_node(config) }
    }

    fn look(&mut self, cluster: &Cluster, id: NodeId, view: &View, probes: &mut Probes) {
        let (before, life) = (cluster.node(id), &mut self.nodes[place(id)]);
        life.landed = false;
        if before.leads() && view.role != Role::Leader && view.term == before.term {
            let stalled = life.writes.values().any(|ticks| *ticks >= self.election_ticks);
            let why = if stalled { Probe::LeaderGaveUpDisk } else { Probe::LeaderLostQuorum };
            probes.hit(why);
        }
    }
}

impl Observer for Disk {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        let life = &mut self.nodes[place(id)];
        match what {
            Observation::Born(_) => *life = Life::default(),
            Observation::In(Input::Disk { id, .. }) => life.done(*id),
            Observation::In(Input::Tick { .. }) => {
                for ticks in life.writes.values_mut() {
                    *ticks += 1;
                    probes.hit_if(Probe::WriteStalled, *ticks == self.election_ticks + 1);
                }
            }
            Observation::Out(Output::Disk { id, op }) => {
                life.asked(*id, op, self.segment_bytes, probes);
            }
            Observation::View(view) => self.look(cluster, id, view, probes),
            Observation::Died => life.died(probes),
            Observation::Forgot { .. } => probes.hit(Probe::TailForgotten),
            Observation::In(_) | Observation::Out(_) => {}
        }
    }
}

impl Life {
    fn asked(&mut self, id: DiskId, op: &DiskOp, segment_bytes: u64, probes: &mut Probes) {
        let file = op.file().as_str();
        if !file.starts_with("wal-") {
            return self.asked_of_others(id, op, probes);
        }
        match op {
            DiskOp::Create { .. } => probes.hit_if(Probe::SegmentBegun, !is_first(file)),
            DiskOp::Remove { .. } if self.log_written => probes.hit(Probe::SegmentRemoved),
            DiskOp::Remove { .. } => probes.hit(Probe::UnbornSegmentRemoved),
            DiskOp::Truncate { .. } => {
                self.log_written = true;
                probes.hit(Probe::TornTailCut);
            }
            DiskOp::Write { bytes, .. } => {
                self.log_written = true;
                self.writes.insert(id, 0);
                probes.hit_if(Probe::WriteFollowed, self.landed);
                probes.hit_if(Probe::BatchBeyondSegment, bytes.len() as u64 > segment_bytes);
            }
            DiskOp::Rename { .. } => {}
        }
    }

    fn asked_of_others(&mut self, id: DiskId, op: &DiskOp, probes: &mut Probes) {
        let Some(draft) = draft(op.file().as_str()) else { return };
        match op {
            DiskOp::Create { .. } => self.set(draft, true),
            DiskOp::Remove { .. } => probes.hit(Probe::DraftRemoved),
            DiskOp::Rename { .. } => {
                self.renames.insert(id, draft);
            }
            DiskOp::Write { .. } | DiskOp::Truncate { .. } => {}
        }
    }

    fn done(&mut self, id: DiskId) {
        self.begun = true;
        self.landed |= self.writes.remove(&id).is_some();
        if let Some(draft) = self.renames.remove(&id) {
            self.set(draft, false);
        }
    }

    fn set(&mut self, draft: Draft, open: bool) {
        match draft {
            Draft::Own => self.own_draft = open,
            Draft::Received => self.received_draft = open,
        }
    }

    fn died(&self, probes: &mut Probes) {
        probes.hit_if(Probe::DiedWriting, !self.writes.is_empty());
        probes.hit_if(Probe::DiedRecovering, !self.begun);
        probes.hit_if(Probe::DiedWritingSnapshot, self.own_draft);
        probes.hit_if(Probe::DiedReceiving, self.received_draft);
    }
}

fn draft(file: &str) -> Option<Draft> {
    match file {
        "snapshot.own" => Some(Draft::Own),
        "snapshot.received" => Some(Draft::Received),
        _ => None,
    }
}

/// Whether it is the segment with which every log begins.
fn is_first(segment: &str) -> bool {
    segment.strip_prefix("wal-").is_some_and(|number| number.trim_start_matches('0') == "1")
}
