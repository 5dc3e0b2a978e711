//! Faults that meet: with each other, with a leader, with a majority.

use std::time::Duration;

use madsim::time::Instant;
use quorate_engine::{Config, NodeId, Output};

use super::{Cluster, Observer, Observers, Probe, Probes, place};
use crate::properties::Observation;
use crate::weather::Action;
use crate::weather::world::World;

/// A life that ends sooner was a short one.
const YOUNG: Duration = Duration::from_secs(1);

/// What is wrong at the moment.
#[derive(Debug)]
pub(super) struct Faults {
    nodes: Vec<Ails>,
    /// Until when links are cut.
    cuts: Vec<(Vec<(NodeId, NodeId)>, Instant)>,
    /// Whether there was a majority, and is none.
    quorum_lost: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ails {
    born: Instant,
    stalled_until: Instant,
    paused: bool,
}

impl Faults {
    pub fn new(config: &Config) -> Self {
        let now = Instant::now();
        let well = Ails { born: now, stalled_until: now, paused: false };
        let nodes = vec![well; config.members.len()];
        Self { nodes, cuts: Vec::new(), quorum_lost: false }
    }

    fn born(&mut self, cluster: &Cluster, id: NodeId, probes: &mut Probes) {
        let node = &mut self.nodes[place(id)];
        (node.born, node.paused) = (Instant::now(), false);
        if self.quorum_lost && cluster.up() + 1 >= cluster.quorum {
            self.quorum_lost = false;
            probes.hit(Probe::QuorumRegained);
        }
    }

    fn died(&mut self, cluster: &Cluster, id: NodeId, probes: &mut Probes) {
        let (now, node) = (Instant::now(), self.nodes[place(id)]);
        probes.hit_if(Probe::DiedCut, self.cuts.iter().any(|(_, until)| *until > now));
        probes.hit_if(Probe::DiedStalled, node.stalled_until > now);
        probes.hit_if(Probe::DiedPaused, node.paused);
        probes.hit_if(Probe::DiedYoung, now - node.born < YOUNG);
        let left = cluster.up() - usize::from(cluster.node(id).up);
        probes.hit_if(Probe::AllDown, left == 0);
        if left + 1 == cluster.quorum {
            self.quorum_lost = true;
            probes.hit(Probe::QuorumLost);
        }
    }

    /// A node does something: it is awake.
    fn wakes(&mut self, cluster: &Cluster, id: NodeId, probes: &mut Probes) {
        if std::mem::take(&mut self.nodes[place(id)].paused) {
            let node = cluster.node(id);
            probes.hit_if(Probe::WokeDeposed, node.leads() && node.term < cluster.last_led());
        }
    }

    fn cut(
        &mut self,
        cluster: &Cluster,
        links: &[(NodeId, NodeId)],
        until: Instant,
        probes: &mut Probes,
    ) {
        let now = Instant::now();
        self.cuts.retain(|(_, until)| *until > now);
        probes.hit_if(Probe::CutTwice, !self.cuts.is_empty());
        let one_way = links.iter().any(|(a, b)| a != b && !links.contains(&(*b, *a)));
        probes.hit_if(Probe::CutOneWay, one_way);
        self.cuts.push((links.to_vec(), until));
        let Some(leader) = cluster.leader() else { return };
        let cut = |link| self.cuts.iter().any(|(links, _)| links.contains(&link));
        let members = 1..=cluster.nodes.len() as NodeId;
        let side = members.filter(|other| !cut((leader, *other)) && !cut((*other, leader)));
        probes.hit_if(Probe::LeaderCutOff, side.count() < cluster.quorum);
    }
}

impl Observers {
    /// The nemesis does this to the cluster, in which a key goes next in so many ms.
    pub(super) fn done_to(&mut self, action: &Action, due_ms: Option<u64>) {
        let Self { faults, cluster, probes, .. } = self;
        let leads = |id: &NodeId| cluster.leader() == Some(*id);
        let after = |ms: &u64| Instant::now() + Duration::from_millis(*ms);
        match action {
            Action::Cut(links, ms) => faults.cut(cluster, links, after(ms), probes),
            Action::Pause(id, _) if cluster.node(*id).up => {
                let node = &mut faults.nodes[place(*id)];
                node.paused = true;
                probes.hit_if(Probe::PausedStalled, node.stalled_until > Instant::now());
                probes.hit_if(Probe::LeaderPaused, leads(id));
            }
            Action::Stall(id, ms) => {
                let node = &mut faults.nodes[place(*id)];
                node.stalled_until = node.stalled_until.max(after(ms));
                probes.hit_if(Probe::LeaderStalled, leads(id));
            }
            Action::Freeze(id, _) => probes.hit_if(Probe::LeaderFrozen, leads(id)),
            Action::Drift(id, _) => probes.hit_if(Probe::LeaderDrifted, leads(id)),
            Action::Jump(..) => {
                let soon = due_ms.is_some_and(|ms| ms < 1_000);
                probes.hit_if(Probe::JumpedBeforeDue, soon);
            }
            _ => {}
        }
    }
}

impl World {
    /// The nemesis does this to the cluster.
    pub(crate) fn suffers(&mut self, action: &Action) {
        let views = self.nodes.iter().filter_map(|node| Some(&node.alive.as_ref()?.view));
        let due = views.filter_map(|view| {
            view.tree.next_deadline()?.checked_sub(view.tree.clock().cluster_ms)
        });
        let due_ms = due.min();
        self.observers.done_to(action, due_ms);
    }
}

impl Observer for Faults {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        match what {
            Observation::Born(_) => self.born(cluster, id, probes),
            Observation::Died => self.died(cluster, id, probes),
            Observation::In(_) => self.wakes(cluster, id, probes),
            Observation::Out(Output::Halt(_)) => probes.hit(Probe::Halted),
            Observation::Out(_) | Observation::View(_) | Observation::Forgot { .. } => {}
        }
    }
}
