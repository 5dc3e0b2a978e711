//! What is promised is durable (raft paper, figure 2: servers answer only after what they
//! say is on stable storage): a vote that is granted, entries that are acknowledged, and
//! those that a leader needs its own copy of to commit. Seen from what was given to the
//! disk to write, and what the disk has said is done, with no crash needed to tell.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{DiskId, DiskOp, Input, NodeId, Output, Role, View};

use super::{Observation, Property, WINDOW, sent, trim};
use crate::wal::{Batch, Item};

#[derive(Debug)]
pub(super) struct Promises {
    quorum: usize,
    nodes: BTreeMap<NodeId, Node>,
    /// By (term, follower): the highest index acknowledged.
    acks: BTreeMap<(u64, NodeId), u64>,
}

/// What one node has on its disk, for certain or for all that can be known: what was
/// under way or had failed at the end of a life may have got there, and counts.
#[derive(Debug, Default)]
struct Node {
    /// Whether all that it ever wrote was seen.
    known: bool,
    flying: BTreeMap<DiskId, Batch>,
    /// Its term and vote.
    vote: (u64, NodeId),
    /// The same, as far as the disk has said that they are there.
    certain: (u64, NodeId),
    /// Everything up to here counts as held.
    floor: u64,
    /// What counts as held from there on.
    log: BTreeSet<u64>,
    committed: u64,
}

impl Promises {
    pub(super) fn new(quorum: usize) -> Self {
        Self { quorum, nodes: BTreeMap::new(), acks: BTreeMap::new() }
    }

    fn hear(&mut self, node: NodeId, to: NodeId, raft: &RaftMessage) -> Result<(), String> {
        let of = self.nodes.entry(node).or_default();
        match raft.kind {
            RaftKind::RequestVoteResponse if !raft.reject => {
                let kept = of.vote.0 > raft.term || of.vote == (raft.term, to);
                of.judge(kept, || format!("its vote for n{to} in term {}", raft.term))
            }
            RaftKind::AppendResponse if !raft.reject => {
                let index = self.acks.entry((raft.term, node)).or_default();
                *index = raft.index.max(*index);
                trim(&mut self.acks);
                // What it took in an earlier term a later leader may have replaced before it
                // was written: the majority that elected that one never had it.
                let kept = of.vote.0 > raft.term || of.holds(raft.index);
                of.judge(kept, || format!("what it acknowledges, {}", raft.index))
            }
            _ => Ok(()),
        }
    }

    fn look(&mut self, node: NodeId, view: &View) -> Result<(), String> {
        let of = self.nodes.entry(node).or_default();
        if view.committed <= std::mem::replace(&mut of.committed, view.committed)
            || view.role != Role::Leader
        {
            return Ok(());
        }
        let acks = self.acks.range((view.term, 0)..=(view.term, NodeId::MAX));
        let others = acks.filter(|(_, index)| **index >= view.committed).count();
        let spared = others >= self.quorum;
        of.judge(spared || of.holds(view.committed), || {
            format!("what it commits with {others} others, {}", view.committed)
        })
    }
}

impl Property for Promises {
    fn name(&self) -> &'static str {
        "what is promised is durable"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let of = self.nodes.entry(node);
        match what {
            Observation::Born(view) => {
                let of = of.or_insert_with(|| Node { known: view.term == 0, ..Node::default() });
                of.committed = 0;
                if view.term < of.vote.0 {
                    of.vote = of.certain;
                }
            }
            Observation::In(Input::Disk { id, result: Ok(()) }) => of.or_default().done(*id),
            Observation::Out(Output::Disk { id, op }) => of.or_default().starts(*id, op),
            Observation::Died => of.or_default().died(),
            Observation::Forgot { from } => drop(of.or_default().log.split_off(from)),
            Observation::View(view) => return self.look(node, view),
            _ => {}
        }
        sent(what).map_or(Ok(()), |(to, raft)| self.hear(node, to, raft))
    }
}

impl Node {
    fn judge(&self, kept: bool, what: impl Fn() -> String) -> Result<(), String> {
        if kept || !self.known {
            return Ok(());
        }
        Err(format!("{} is not durable: {:?} are under way", what(), self.flying))
    }

    /// What is being replaced is not held.
    fn holds(&self, index: u64) -> bool {
        let mut items = self.flying.values().flat_map(|batch| &batch.items);
        let replaced = |item: &Item| matches!(item, Item::Entry { index: at, .. } if *at <= index);
        index <= self.floor || self.log.contains(&index) && !items.any(replaced)
    }

    fn starts(&mut self, id: DiskId, op: &DiskOp) {
        if let DiskOp::Write { file, bytes, sync: true, .. } = op
            && file.as_str().starts_with("wal-")
            && let Ok(batch) = Batch::written(bytes)
        {
            self.flying.insert(id, batch);
        }
    }

    fn done(&mut self, id: DiskId) {
        if let Some(batch) = self.flying.remove(&id) {
            self.certain = (batch.term, batch.vote);
            self.take(batch, true);
        }
    }

    fn died(&mut self) {
        std::mem::take(&mut self.flying).into_values().for_each(|batch| self.take(batch, false));
    }

    /// What it cuts off or replaces is gone for certain only if it has happened for certain.
    fn take(&mut self, batch: Batch, certain: bool) {
        self.vote = (batch.term, batch.vote);
        for item in batch.items {
            match item {
                Item::Entry { index, .. } => {
                    if certain {
                        self.log.split_off(&index);
                    }
                    self.log.insert(index);
                }
                Item::Snapshot { index } => {
                    self.floor = self.floor.max(index);
                    if certain {
                        self.log.clear();
                    }
                }
            }
        }
        while self.log.len() > WINDOW {
            self.floor = self.log.pop_first().unwrap_or(self.floor);
        }
    }
}
