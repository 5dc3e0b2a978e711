//! What becomes of entries that are not committed yet.

use std::collections::BTreeMap;

use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{Config, Entry, NodeId, Role, View};

use super::{Cluster, Node, Observer, Probe, Probes, per_node, place};
use crate::properties::{Observation, received, sent};

/// So many entries in one append are many.
const MANY: usize = 8;

#[derive(Debug)]
pub(super) struct Log {
    nodes: Vec<Tail>,
}

/// What a node certainly has of the log beyond what it knows to be committed. It may
/// have more.
#[derive(Debug, Default)]
struct Tail {
    /// Term by index.
    held: BTreeMap<u64, u64>,
    /// Up to here it knows the log to be committed.
    committed: u64,
    /// Up to here it has acknowledged its entries.
    acked: u64,
    /// The last entry it has acknowledged, as (term, index).
    end: (u64, u64),
    /// The last entries, as (term, index), of those who asked for its vote.
    candidates: BTreeMap<NodeId, (u64, u64)>,
    /// At which index, by follower, an append was refused.
    refused: BTreeMap<NodeId, u64>,
}

impl Log {
    pub fn new(config: &Config) -> Self {
        Self { nodes: per_node(config) }
    }
}

impl Observer for Log {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        let tail = &mut self.nodes[place(id)];
        match what {
            Observation::In(_) => {
                let Some((from, raft)) = received(what) else { return };
                let node = cluster.node(id);
                probes.hit_if(Probe::OldTermArrived, 0 < raft.term && raft.term < node.term);
                if raft.term >= node.term {
                    tail.hear(cluster, id, from, raft, probes);
                }
            }
            Observation::Out(_) => {
                if let Some((to, raft)) = sent(what) {
                    tail.say(to, raft, probes);
                }
            }
            Observation::View(view) => tail.look(&cluster.node(id), view, probes),
            Observation::Died => {
                // What was not acknowledged may be gone.
                tail.held.split_off(&(tail.acked + 1));
                tail.refused.clear();
            }
            Observation::Forgot { from } => {
                tail.held.split_off(from);
                tail.acked = tail.acked.min(from - 1);
            }
            Observation::Born(_) => {}
        }
    }
}

impl Tail {
    fn hear(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        from: NodeId,
        raft: &RaftMessage,
        probes: &mut Probes,
    ) {
        match raft.kind {
            RaftKind::Append => self.take(cluster, id, raft, probes),
            RaftKind::AppendResponse if raft.reject => {
                self.refused.insert(from, raft.index);
            }
            RaftKind::RequestVote | RaftKind::RequestPreVote => {
                self.candidates.insert(from, (raft.log_term, raft.index));
            }
            _ => {}
        }
    }

    /// An append that fits is taken, whatever it replaces.
    fn take(&mut self, cluster: &Cluster, id: NodeId, raft: &RaftMessage, probes: &mut Probes) {
        let fits =
            raft.index <= self.committed || self.held.get(&raft.index) == Some(&raft.log_term);
        if !fits {
            return;
        }
        let differs = raft
            .entries
            .iter()
            .find(|entry| self.held.get(&entry.index).is_some_and(|term| *term != entry.term));
        if let Some(first) = differs.map(|entry| entry.index) {
            let cut = self.held.split_off(&first);
            self.acked = self.acked.min(first - 1);
            let own = cut.values().any(|term| cluster.leaders.get(term) == Some(&id));
            probes.hit(Probe::SuffixCut);
            probes.hit_if(Probe::OwnEntriesCut, own);
        }
        self.held.extend(raft.entries.iter().map(|entry| (entry.index, entry.term)));
    }

    fn say(&mut self, to: NodeId, raft: &RaftMessage, probes: &mut Probes) {
        match raft.kind {
            RaftKind::Append => {
                probes.hit_if(Probe::LongAppend, raft.entries.len() >= MANY);
                self.propose(&raft.entries);
                let back = self.refused.remove(&to).is_some_and(|index| raft.index < index);
                probes.hit_if(Probe::LogProbedBack, back);
            }
            RaftKind::AppendResponse if raft.reject => probes.hit(Probe::AppendRefused),
            RaftKind::AppendResponse => {
                self.acked = raft.index;
                if let Some(term) = self.held.get(&raft.index) {
                    self.end = (*term, raft.index);
                }
            }
            RaftKind::RequestVoteResponse | RaftKind::RequestPreVoteResponse if raft.reject => {
                let Some(candidate) = self.candidates.get(&to) else { return };
                let longer = candidate.1 > self.end.1;
                probes.hit_if(Probe::StaleLogRefused, *candidate < self.end);
                probes.hit_if(Probe::LongerLogRefused, *candidate < self.end && longer);
            }
            _ => {}
        }
    }

    fn look(&mut self, before: &Node, view: &View, probes: &mut Probes) {
        self.committed = view.committed;
        if view.committed <= before.committed {
            return;
        }
        if view.role == Role::Leader && before.leads() {
            let mut fresh = self.held.range(before.committed + 1..=view.committed);
            let earlier = fresh.any(|(_, term)| *term < view.term);
            probes.hit_if(Probe::EarlierTermCommitted, earlier);
            probes.hit_if(Probe::SeveralCommitted, view.committed >= before.committed + 2);
        }
        while self.held.first_key_value().is_some_and(|(index, _)| *index <= view.committed) {
            self.held.pop_first();
        }
    }

    /// A leader shows what it has; it never replaces an entry.
    fn propose(&mut self, entries: &[Entry]) {
        let last = self.held.last_key_value().map_or(self.committed, |(index, _)| *index);
        let new = entries.iter().rev().take_while(|entry| entry.index > last);
        self.held.extend(new.map(|entry| (entry.index, entry.term)));
    }
}
