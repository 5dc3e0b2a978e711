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
//! - It took nothing's place. Where an older entry came back, the leader, who has heard
//!   that its own stands there, would tell the node to commit it; and what a snapshot
//!   replaced is being removed.
//!
//! Whether the node then cuts the batch as torn, or misses something and refuses to start,
//! or halts when its leader knows better, is its own affair.

use quorate_engine::{Image, NodeId};

use super::scenario::Scenario;
use super::world::{Node, World};
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
        let cut_nothing_off = log.cut().held()?.last() < first;
        cut_nothing_off.then_some(Self { place, entries: [first, last] })
    }
}

impl World {
    /// The last batch of a node's log, if it may be lost now.
    pub(super) fn last_batch(&self, id: NodeId) -> Option<LastBatch> {
        let start = self.nodes.iter().filter(|node| !node.down);
        let (own, others): (Vec<_>, Vec<_>) = start.partition(|node| node.id == id);
        let held = |node: &&Node| Log::read(&node.disk.durable()).held();
        let others: Vec<_> = others.iter().filter_map(held).collect();
        LastBatch::find(&own.first()?.disk.durable(), &others, self.nodes.len() / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use quorate_engine::tree::Path;
    use quorate_engine::{Change, Content, Request, Role, Write};

    use super::*;
    use crate::disk::Lose;
    use crate::tabletop::{Mishap, Tabletop};

    /// Three nodes, of which the first has just been elected by all.
    fn table() -> Tabletop {
        let mut table = Tabletop::new(3, |_| {}).expect("sound");
        table.settle().expect("quiet");
        table.elect(1).expect("all vote");
        table
    }

    /// A write is asked of this node, and all happens that can.
    fn write(table: &mut Tabletop, at: NodeId) {
        let content = Content::File("x".into());
        let write =
            Write { path: Path::new("/a").unwrap(), change: Change::Set { content, ttl: None } };
        table.client(at, Request::Write(write)).expect("up");
        table.settle().expect("quiet");
    }

    fn find(table: &mut Tabletop, id: NodeId) -> Option<LastBatch> {
        let mut disk = |id| table.disk_of(id).expect("there").durable();
        let others = (1..=3).filter(|other| *other != id);
        let others: Vec<_> = others.map(|other| Log::read(&disk(other)).held().unwrap()).collect();
        LastBatch::find(&disk(id), &others, 2)
    }

    #[test]
    fn what_all_hold_may_be_lost_once() {
        let mut table = table();
        write(&mut table, 1);
        write(&mut table, 1);
        let last = table.view(1).unwrap().committed;
        for id in 1..=3 {
            let batch = find(&mut table, id).expect("the others have it");
            assert_eq!(batch.entries, [last, last]);
        }
        let LastBatch { place: (file, range), .. } = find(&mut table, 2).unwrap();
        table.disk_of(2).unwrap().rot(&file, range.start + 30, 1);
        let before = find(&mut table, 2).expect("the batch before, which all hold");
        assert_eq!(before.entries, [last - 1, last - 1]);
        assert_eq!(find(&mut table, 1), None, "of three copies one is lost already");
        assert_eq!(find(&mut table, 3), None);
    }

    #[test]
    fn what_too_few_others_hold_stays() {
        let mut table = table();
        write(&mut table, 1);
        table.cut(1, 3);
        write(&mut table, 1);
        assert_eq!(find(&mut table, 1), None, "n2 alone has it");
        assert_eq!(find(&mut table, 2), None, "n1 alone has it");
        assert!(find(&mut table, 3).is_some(), "all have what came before");
    }

    #[test]
    fn a_term_and_a_vote_stay() {
        let mut table = table();
        let first = find(&mut table, 1).expect("the first entry, of a term known before");
        assert_eq!(first.entries, [1, 1]);
        table.disk_of(1).unwrap().rot(&first.place.0, first.place.1.start + 30, 1);
        assert_eq!(find(&mut table, 1), None, "its vote for itself");
    }

    /// n1 has given up an entry of its own for one of a later leader, who leads on.
    fn replaced() -> (Tabletop, NodeId) {
        let mut table = table();
        write(&mut table, 1);
        [2, 3].into_iter().for_each(|other| (table.cut(1, other), table.cut(other, 1)).0);
        write(&mut table, 1);
        let leads = |table: &Tabletop, id| table.view(id).unwrap().role == Role::Leader;
        let leader = loop {
            table.pass().expect("quiet");
            if let Some(leader) = [2, 3].into_iter().find(|id| leads(&table, *id)) {
                break leader;
            }
        };
        table.heal();
        (0..5).for_each(|_| table.pass().expect("quiet"));
        assert!(leads(&table, leader));
        (table, leader)
    }

    #[test]
    fn what_took_an_entrys_place_stays() {
        let (mut table, leader) = replaced();
        assert_eq!(find(&mut table, 1), None);
        write(&mut table, leader);
        assert!(find(&mut table, 1).is_some());
    }

    #[test]
    fn if_it_did_not_what_it_replaced_would_be_committed() {
        let (mut table, _) = replaced();
        let (file, range) = Log::read(&table.disk_of(1).unwrap().durable()).end().unwrap().clone();
        table.crash(1, &mut Lose).expect("up");
        table.disk_of(1).unwrap().rot(&file, range.start + 30, 1);
        let violated = table.restart(1).and_then(|()| (0..3).try_for_each(|_| table.pass()));
        assert!(matches!(violated, Err(Mishap::Violation(_))), "{violated:?}");
    }
}
