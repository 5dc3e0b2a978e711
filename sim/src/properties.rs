//! What must be true of every run, whatever the weather: one file per property.
//!
//! A property sees what crosses the border of every node and the views taken
//! between steps, never the inside of an engine. It is told of everything in the
//! order in which it happens, and objects at once.

mod acknowledged;
mod answers;
mod at_most_once;
mod bounds;
mod committed;
mod election_safety;
mod halts;
mod leader_completeness;
mod log_matching;
mod monotonic;
mod names;
mod pre_votes;
mod promises;
mod purged;
mod quorum;
mod ready;
mod snapshots_equal;
mod stale;
mod stamps;
mod state_machine_safety;
mod timeouts;
mod votes;
mod zombie;

use std::collections::BTreeMap;
use std::fmt;

use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{Config, Input, Message, NodeId, Output, View};

/// Entries or terms that a property remembers; what is older has been compared
/// often enough.
const WINDOW: usize = 1 << 16;

/// Something that a driver saw happen to a node.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// It was born, or born again.
    Born(&'a View),
    /// It is about to be told this.
    In(&'a Input),
    /// It said this.
    Out(&'a Output),
    /// It is like this after a step, all of whose outputs have been observed.
    View(&'a View),
    /// It died or halted.
    Died,
    /// Damage took the last batch of its log, which a quorum holds without it.
    Forgot {
        /// Its first entry. None behind it is there any more.
        from: u64,
    },
}

/// One claim about all nodes together.
pub trait Property: fmt::Debug + Send {
    /// The claim's name.
    fn name(&self) -> &'static str;

    /// Takes notice.
    ///
    /// # Errors
    /// When this makes the claim untrue, in words.
    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String>;
}

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: &'static str,
    /// On which node it was noticed.
    pub node: NodeId,
    /// What was seen.
    pub what: String,
}

/// All of them.
#[derive(Debug)]
pub struct Properties(Vec<Box<dyn Property>>);

impl Properties {
    /// Every property, for a cluster whose members are configured alike.
    pub fn new(config: &Config) -> Self {
        Self(vec![
            Box::<election_safety::ElectionSafety>::default(),
            Box::<votes::Votes>::default(),
            Box::<log_matching::LogMatching>::default(),
            Box::new(quorum::Quorum::new(config.quorum())),
            Box::new(promises::Promises::new(config.quorum())),
            Box::<purged::Purged>::default(),
            Box::<committed::Committed>::default(),
            Box::<leader_completeness::LeaderCompleteness>::default(),
            Box::<acknowledged::Acknowledged>::default(),
            Box::<state_machine_safety::StateMachineSafety>::default(),
            Box::<monotonic::Monotonic>::default(),
            Box::new(stamps::Stamps::new(config.tick_ms)),
            Box::<ready::Ready>::default(),
            Box::new(zombie::Zombie::new(config.election_ticks)),
            Box::<at_most_once::AtMostOnce>::default(),
            Box::new(answers::Answers::new(config.deadline_ticks)),
            Box::new(bounds::Bounds::new(config)),
            Box::<snapshots_equal::SnapshotsEqual>::default(),
            Box::<halts::Halts>::default(),
            Box::<stale::Stale>::default(),
            Box::<names::Names>::default(),
            Box::new(timeouts::Timeouts::new(config)),
            Box::new(pre_votes::PreVotes::new(config.quorum())),
        ])
    }

    /// Tells every property.
    ///
    /// # Errors
    /// The first violation.
    pub fn observe(&mut self, node: NodeId, what: Observation<'_>) -> Result<(), Violation> {
        for property in &mut self.0 {
            property.observe(node, &what).map_err(|what| Violation {
                property: property.name(),
                node,
                what,
            })?;
        }
        Ok(())
    }

    /// The names of all properties.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|property| property.name())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} violated on n{}: {}", self.property, self.node, self.what)
    }
}

impl std::error::Error for Violation {}

/// The raft message that a node sends here, if it does.
pub(crate) fn sent<'a>(what: &Observation<'a>) -> Option<(NodeId, &'a RaftMessage)> {
    match what {
        Observation::Out(Output::Peer { to, message: Message::Raft(raft) }) => Some((*to, raft)),
        _ => None,
    }
}

/// The raft message that a node receives here, if it does.
pub(crate) fn received<'a>(what: &Observation<'a>) -> Option<(NodeId, &'a RaftMessage)> {
    match what {
        Observation::In(Input::Peer { from, message: Message::Raft(raft) }) => Some((*from, raft)),
        _ => None,
    }
}

/// Positions (index, term) of the log that a leader shows in an append.
fn shown(raft: &RaftMessage) -> impl Iterator<Item = (u64, u64)> {
    let append = raft.kind == RaftKind::Append;
    let before = (append && raft.index > 0).then_some((raft.index, raft.log_term));
    let entries = raft.entries.iter().filter(move |_| append);
    before.into_iter().chain(entries.map(|entry| (entry.index, entry.term)))
}

/// Forgets the lowest keys beyond the window.
fn trim<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    while map.len() > WINDOW {
        map.pop_first();
    }
}

#[cfg(test)]
mod tests;
