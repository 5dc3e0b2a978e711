//! How leaders come and go.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::message::RaftKind;
use quorate_engine::{Config, NodeId, Role, View};

use super::{Cluster, Node, Observer, Probe, Probes, per_node, place};
use crate::properties::{Observation, sent};

#[derive(Debug)]
pub(super) struct Elections {
    /// Who stood, by term.
    stood: BTreeMap<u64, BTreeSet<NodeId>>,
    /// By node: whether it died as the leader, and has not led since.
    died_leading: Vec<bool>,
    /// By node: the term in which it was seen to lead too long.
    outlived: Vec<u64>,
}

impl Elections {
    pub fn new(config: &Config) -> Self {
        let stood = BTreeMap::new();
        Self { stood, died_leading: per_node(config), outlived: per_node(config) }
    }

    fn say(&mut self, id: NodeId, what: &Observation<'_>, probes: &mut Probes) {
        let Some((_, raft)) = sent(what) else { return };
        match raft.kind {
            RaftKind::RequestVote => {
                let stood = self.stood.entry(raft.term).or_default();
                let another = stood.insert(id) && stood.len() == 2;
                probes.hit_if(Probe::TwoStood, another);
            }
            RaftKind::RequestVoteResponse => probes.hit_if(Probe::VoteRefused, raft.reject),
            RaftKind::RequestPreVoteResponse => probes.hit_if(Probe::PreVoteRefused, raft.reject),
            _ => {}
        }
    }

    fn look(&mut self, cluster: &Cluster, id: NodeId, view: &View, probes: &mut Probes) {
        let before = cluster.node(id);
        probes.hit_if(Probe::TermSkipped, before.up && view.term >= before.term + 2);
        if view.role == Role::Leader {
            self.leads(cluster, id, view.term, probes);
        }
        if before.up && before.role != view.role {
            changed(&before, view, probes);
        }
    }

    fn leads(&mut self, cluster: &Cluster, id: NodeId, term: u64, probes: &mut Probes) {
        let last = cluster.last_led();
        let outlived = &mut self.outlived[place(id)];
        let acts = term < last && std::mem::replace(outlived, term) != term;
        probes.hit_if(Probe::OldLeaderActed, acts);
        if term <= last {
            return;
        }
        probes.hit(Probe::TermLed);
        probes.hit_if(Probe::ElectedAtOnce, last > 0 && term == last + 1);
        probes.hit_if(Probe::ElectedAfterEmptyTerms, last > 0 && term > last + 1);
        let mut others = cluster.nodes.iter().enumerate().filter(|(at, _)| *at != place(id));
        probes.hit_if(Probe::TwoLeaders, others.any(|(_, node)| node.leads()));
        let died_leading = std::mem::take(&mut self.died_leading[place(id)]);
        probes.hit_if(Probe::LedAgain, died_leading);
    }
}

fn changed(before: &Node, view: &View, probes: &mut Probes) {
    let same_term = before.term == view.term;
    match (before.role, view.role) {
        (Role::Leader, _) => probes.hit_if(Probe::LeaderDeposed, !same_term),
        (Role::Candidate, Role::Follower) => {
            probes.hit_if(Probe::RivalWon, same_term && view.leader.is_some());
        }
        (Role::Candidate, Role::PreCandidate) => probes.hit(Probe::CandidacyTimedOut),
        (Role::PreCandidate, Role::Follower) => probes.hit(Probe::PreVoteGivenUp),
        _ => {}
    }
}

impl Observer for Elections {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        match what {
            Observation::Out(_) => self.say(id, what, probes),
            Observation::View(view) => self.look(cluster, id, view, probes),
            Observation::Died if cluster.node(id).leads() => {
                probes.hit(Probe::LeaderDied);
                self.died_leading[place(id)] = true;
            }
            Observation::Died | Observation::Forgot { .. } => {}
            Observation::Born(_) | Observation::In(_) => {}
        }
    }
}
