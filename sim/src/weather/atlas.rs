//! The atlas of damage: which copies may be lost, so that of every entry and vote a good
//! one is left where one must be.
//!
//! Which nodes' disks may be damaged at all is drawn before a run. Most damage shows, and
//! its node refuses to start: it votes no more, and every majority that there still is has
//! a copy. Rot in the last batch of a log does not show. Its node goes on, as one that
//! never wrote the batch; but it has told of what is in it. So the last batch may rot only
//! where nothing rests on that word:
//!
//! - Every entry in it is durable in the logs of a quorum of *other* nodes that still
//!   start. Whoever is to win an election needs one of these, and so has to have what was
//!   committed with this node's help.
//! - Term and vote in it are those of the batch before: they are kept. It is not enough
//!   that others have come to that term, or have given the same vote. One who forgets a
//!   term may again acknowledge to a leader of an earlier one, which counts that beside
//!   words of others from before they voted; and so commit, or confirm a read, against the
//!   later leader.
//! - No snapshot has taken the log's place in it: what it replaced is being removed.
//!
//! Whether the node then cuts the batch as torn, or misses something and refuses to start,
//! or halts when its leader knows better, is its own affair.

use quorate_engine::{Image, NodeId};

use super::scenario::Scenario;
use super::world::World;
use super::{some, stream};
use crate::disk::damage::Place;
use crate::wal::{Held, Item, Log};

/// The nodes whose disks may be damaged.
pub(super) fn damaged(scenario: &Scenario, seed: u64) -> Vec<NodeId> {
    some(&mut stream(seed, "damaged"), (1..=scenario.nodes).collect(), scenario.damaged)
}

/// The last batch of a log, if it may be lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LastBatch {
    /// Where it is.
    pub place: Place,
    /// Its first entry and its last.
    pub entries: [u64; 2],
    /// What stands in the log in their place without it, as (index, term).
    pub again: Vec<(u64, u64)>,
}

impl LastBatch {
    /// The last batch of this node's log, if a quorum of these others holds what is in it.
    fn find(disk: &Image, others: &[Held], quorum: usize) -> Option<Self> {
        let log = Log::read(disk);
        log.held()?;
        let [last, before] = log.last_two()?;
        let mut entries = Vec::new();
        for item in &last.items {
            match item {
                Item::Entry { index, term } => entries.push((*index, *term)),
                Item::Snapshot { .. } => return None,
            }
        }
        let held = |(index, term): &(u64, u64)| {
            others.iter().filter(|other| other.holds(*index, *term)).count() >= quorum
        };
        let kept = (last.term, last.vote) == (before.term, before.vote);
        if !kept || !entries.iter().all(held) {
            return None;
        }
        let (first, last) = (entries.first()?.0, entries.last()?.0);
        let place = log.end()?.clone();
        let left = log.cut().held()?;
        let again = left.entries.range(first..).map(|(index, term)| (*index, *term)).collect();
        Some(Self { place, entries: [first, last], again })
    }
}

impl World {
    /// The last batch of a node's log, if it may be lost now.
    pub(super) fn last_batch(&self, id: NodeId) -> Option<LastBatch> {
        let is_other = |node: &&super::world::Node| node.id != id && !node.down;
        let others = self.nodes.iter().filter(is_other);
        let others: Vec<_> =
            others.filter_map(|node| Log::read(&node.disk.durable()).held()).collect();
        let own = self.nodes.iter().find(|node| node.id == id)?;
        LastBatch::find(&own.disk.durable(), &others, self.nodes.len() / 2 + 1)
    }
}
