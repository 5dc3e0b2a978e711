//! Probes: rare paths by name, and how often each was taken. A campaign that never
//! took a path has proved nothing about it.
//!
//! An observer per room tells them from what crosses the border of the nodes, as the
//! properties see it; links, the nemesis, the checkers' histories and recipes add what
//! only they know. Nothing is asked of an engine, and nothing here is an opinion: what
//! is seen changes no run.

mod clients;
mod disk;
mod elections;
mod faults;
mod log;
mod messages;
mod names;
mod snapshots;
#[cfg(test)]
mod tests;
mod time;
mod tree;
mod watches;

use std::collections::BTreeMap;
use std::fmt;

use quorate_engine::{Config, NodeId, Role, View};
use serde::{Deserialize, Serialize};

pub use names::Probe;

use crate::properties::Observation;

/// How often each path was taken. Two of them can be added up.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, u64>", into = "BTreeMap<String, u64>")]
pub struct Probes([u64; Probe::ALL.len()]);

impl Default for Probes {
    fn default() -> Self {
        Self([0; Probe::ALL.len()])
    }
}

impl Probes {
    /// How often this path was taken.
    pub fn count(&self, probe: Probe) -> u64 {
        self.0[probe as usize]
    }

    /// It was taken once more.
    pub(crate) fn hit(&mut self, probe: Probe) {
        self.0[probe as usize] += 1;
    }

    /// It was taken once more, if this is so.
    pub(crate) fn hit_if(&mut self, probe: Probe, so: bool) {
        self.0[probe as usize] += u64::from(so);
    }

    /// It was taken so many times more.
    pub(crate) fn hit_times(&mut self, probe: Probe, times: u64) {
        self.0[probe as usize] += times;
    }

    /// Counts another run's too.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }

    /// The paths that were never taken.
    pub fn dark(&self) -> impl Iterator<Item = Probe> {
        Probe::ALL.iter().copied().filter(|probe| self.count(*probe) == 0)
    }

    /// What was taken less often than it must be: the path, how often, and the least.
    pub fn short(&self, least: impl IntoIterator<Item = (Probe, u64)>) -> Vec<(Probe, u64, u64)> {
        let all = least.into_iter().map(|(probe, least)| (probe, self.count(probe), least));
        all.filter(|(_, count, least)| count < least).collect()
    }
}

impl From<Probes> for BTreeMap<String, u64> {
    fn from(probes: Probes) -> Self {
        let taken = Probe::ALL.iter().filter(|probe| probes.count(**probe) > 0);
        taken.map(|probe| (probe.name().to_owned(), probes.count(*probe))).collect()
    }
}

impl TryFrom<BTreeMap<String, u64>> for Probes {
    type Error = String;

    fn try_from(counts: BTreeMap<String, u64>) -> Result<Self, String> {
        let mut probes = Self::default();
        for (name, count) in counts {
            let probe = Probe::ALL.iter().find(|probe| probe.name() == name);
            let probe = probe.ok_or_else(|| format!("there is no probe {name:?}"))?;
            probes.0[*probe as usize] = count;
        }
        Ok(probes)
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(BTreeMap::from(*self)).finish()
    }
}

/// A node between two steps, as it last showed itself.
#[derive(Clone, Copy, Debug)]
struct Node {
    up: bool,
    role: Role,
    term: u64,
    committed: u64,
    applied: u64,
}

impl Node {
    fn leads(&self) -> bool {
        self.up && self.role == Role::Leader
    }
}

/// All nodes, as they were before what is being observed.
#[derive(Debug)]
struct Cluster {
    nodes: Vec<Node>,
    quorum: usize,
    /// Who led, by term.
    leaders: BTreeMap<u64, NodeId>,
}

impl Cluster {
    fn node(&self, id: NodeId) -> Node {
        self.nodes[place(id)]
    }

    /// The latest term that had a leader; 0 before the first.
    fn last_led(&self) -> u64 {
        self.leaders.last_key_value().map_or(0, |(term, _)| *term)
    }

    /// Who leads in the latest term that had a leader, if it still does.
    fn leader(&self) -> Option<NodeId> {
        let (term, id) = self.leaders.last_key_value()?;
        let node = self.node(*id);
        (node.leads() && node.term == *term).then_some(*id)
    }

    /// How many nodes are up.
    fn up(&self) -> usize {
        self.nodes.iter().filter(|node| node.up).count()
    }

    fn observe(&mut self, id: NodeId, what: &Observation<'_>) {
        match what {
            Observation::Born(view) | Observation::View(view) => self.look(id, view),
            Observation::Died => self.nodes[place(id)].up = false,
            Observation::In(_) | Observation::Out(_) | Observation::Forgot { .. } => {}
        }
    }

    fn look(&mut self, id: NodeId, view: &View) {
        let View { role, term, committed, applied, .. } = *view;
        self.nodes[place(id)] = Node { up: true, role, term, committed, applied };
        if role == Role::Leader && self.last_led() < term {
            self.leaders.insert(term, id);
        }
    }
}

/// A node's place in a list of all: members are numbered from 1 on.
fn place(id: NodeId) -> usize {
    usize::try_from(id - 1).expect("small")
}

/// Something of each node's.
fn per_node<T: Default>(config: &Config) -> Vec<T> {
    config.members.iter().map(|_| T::default()).collect()
}

/// A room's eye.
trait Observer {
    /// Takes notice; `cluster` is as it was before this.
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    );
}

/// All observers of one run, and what they have seen.
#[derive(Debug)]
pub(crate) struct Observers {
    /// What was seen.
    pub probes: Probes,
    cluster: Cluster,
    elections: elections::Elections,
    log: log::Log,
    disk: disk::Disk,
    snapshots: snapshots::Snapshots,
    clients: clients::Clients,
    time: time::Time,
    watches: watches::Watches,
    faults: faults::Faults,
}

impl Observers {
    /// For a cluster whose members are configured alike.
    pub fn new(config: &Config) -> Self {
        let role = Role::Follower;
        let down = Node { up: false, role, term: 0, committed: 0, applied: 0 };
        let nodes = vec![down; config.members.len()];
        let (quorum, leaders) = (config.quorum(), BTreeMap::new());
        Self {
            probes: Probes::default(),
            cluster: Cluster { nodes, quorum, leaders },
            elections: elections::Elections::new(config),
            log: log::Log::new(config),
            disk: disk::Disk::new(config),
            snapshots: snapshots::Snapshots::new(config),
            clients: clients::Clients::new(config),
            time: time::Time::default(),
            watches: watches::Watches::new(config),
            faults: faults::Faults::new(config),
        }
    }

    /// Tells every observer.
    pub fn observe(&mut self, id: NodeId, what: &Observation<'_>) {
        let Self { probes, cluster, .. } = self;
        self.elections.observe(cluster, id, what, probes);
        self.log.observe(cluster, id, what, probes);
        self.disk.observe(cluster, id, what, probes);
        self.snapshots.observe(cluster, id, what, probes);
        self.clients.observe(cluster, id, what, probes);
        self.time.observe(cluster, id, what, probes);
        self.watches.observe(cluster, id, what, probes);
        self.faults.observe(cluster, id, what, probes);
        cluster.observe(id, what);
    }
}
