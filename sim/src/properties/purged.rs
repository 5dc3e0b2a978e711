//! Nothing is purged too early (dqlite #309, etcd #18055: what was removed was still
//! needed): purged ≤ snapshot ≤ applied ≤ last, and committed ≤ last where it is written.
//!
//! Seen from what the disk was told to do and has said is done. A segment goes when a
//! durable snapshot covers every entry in it that no later one replaced, and never the
//! one with the last durable batch; a snapshot goes when a newer one is durable. One from
//! the leader counts from when the log knows it.

use std::collections::BTreeMap;

use quorate_engine::{DiskId, DiskOp, FileName, Input, NodeId, Output, View};

use super::{Observation, Property};
use crate::wal::{Batch, Item};

/// The nodes of which all that they ever wrote was seen.
#[derive(Debug, Default)]
pub(super) struct Purged(BTreeMap<NodeId, Node>);

#[derive(Debug, Default)]
struct Node {
    applied: u64,
    flying: BTreeMap<DiskId, Flight>,
    /// Batches by number, each with its segment.
    log: BTreeMap<u64, (FileName, Batch)>,
    /// Number of the last batch that is there for certain. What was under way when the
    /// node died may be: the number of the next one tells.
    sure: u64,
    /// Index of the last entry up to there.
    last: u64,
    /// Snapshots by index: whether each stands, as the node's own or as one that took the
    /// log's place.
    snapshots: BTreeMap<u64, bool>,
    /// Entries up to here went with their segments.
    purged: u64,
}

#[derive(Debug)]
enum Flight {
    Batch(FileName, Batch),
    Snapshot { index: u64, own: bool },
    Removal(FileName),
}

/// What a log holds.
#[derive(Debug, Default)]
struct Held {
    /// The segment of every entry.
    entries: BTreeMap<u64, FileName>,
    /// Index of the last snapshot that took the log's place.
    installed: u64,
    /// The segment of its last batch.
    end: Option<FileName>,
}

impl Property for Purged {
    fn name(&self) -> &'static str {
        "nothing is purged too early"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        if let Observation::Born(View { term: 0, .. }) = what {
            self.0.entry(node).or_default();
        }
        let Some(node) = self.0.get_mut(&node) else { return Ok(()) };
        match what {
            Observation::Born(view) => {
                // A snapshot that is there, and is agreed with, has been read.
                node.snapshots.retain(|index, _| *index <= view.applied);
                node.look(view)
            }
            Observation::View(view) => node.look(view),
            Observation::Out(Output::Disk { id, op }) => node.asks(*id, op),
            Observation::In(Input::Disk { id, result: Ok(()) }) => {
                node.done(*id);
                Ok(())
            }
            Observation::Died => {
                node.died();
                Ok(())
            }
            Observation::Forgot { .. } => {
                node.sure = node.sure.saturating_sub(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Node {
    fn look(&mut self, view: &View) -> Result<(), String> {
        self.applied = view.applied;
        if view.applied <= self.last || self.may(|held| held.last() >= view.applied) {
            return Ok(());
        }
        Err(format!("applied {}, durable is {}", view.applied, self.last))
    }

    fn asks(&mut self, id: DiskId, op: &DiskOp) -> Result<(), String> {
        let flight = match op {
            DiskOp::Write { file, bytes, sync: true, .. } if file.as_str().starts_with("wal-") => {
                let Ok(batch) = Batch::written(bytes) else { return Ok(()) };
                self.follows(&batch)?;
                Flight::Batch(file.clone(), batch)
            }
            DiskOp::Rename { from, to } => {
                let Some(index) = snapshot(to) else { return Ok(()) };
                let own = from.as_str() == "snapshot.own";
                if own && index > self.applied {
                    return Err(format!("a snapshot of {index}, applied {}", self.applied));
                }
                Flight::Snapshot { index, own }
            }
            DiskOp::Remove { file } => {
                self.removes(file)?;
                Flight::Removal(file.clone())
            }
            _ => return Ok(()),
        };
        self.flying.insert(id, flight);
        Ok(())
    }

    /// What comes before a batch is there; what had its number or a later one is not.
    fn follows(&mut self, batch: &Batch) -> Result<(), String> {
        self.log.split_off(&batch.number);
        self.settle(batch.number.saturating_sub(1));
        let last = batch.last().unwrap_or(self.last);
        if batch.commit > last {
            return Err(format!("written as committed {}, the last entry is {last}", batch.commit));
        }
        Ok(())
    }

    /// Every batch up to this number is there for certain.
    fn settle(&mut self, sure: u64) {
        for (_, (_, batch)) in self.log.range(self.sure.min(sure)..=sure) {
            self.last = batch.last().unwrap_or(self.last);
            for item in &batch.items {
                if let Item::Snapshot { index } = item
                    && let Some(stands) = self.snapshots.get_mut(index)
                {
                    *stands = true;
                }
            }
        }
        self.sure = sure;
    }

    fn done(&mut self, id: DiskId) {
        match self.flying.remove(&id) {
            Some(Flight::Batch(file, batch)) => {
                let number = batch.number;
                self.log.insert(number, (file, batch));
                self.settle(number);
            }
            Some(Flight::Snapshot { index, own }) => self.appears(index, own),
            Some(Flight::Removal(file)) => {
                self.log.retain(|_, (segment, _)| *segment != file);
                snapshot(&file).map(|index| self.snapshots.remove(&index));
            }
            None => {}
        }
    }

    /// What was to be written may be there; what was to be removed may be there still.
    fn died(&mut self) {
        for flight in std::mem::take(&mut self.flying).into_values() {
            match flight {
                Flight::Batch(file, batch) => drop(self.log.insert(batch.number, (file, batch))),
                Flight::Snapshot { index, own } => self.appears(index, own),
                Flight::Removal(_) => {}
            }
        }
    }

    fn appears(&mut self, index: u64, own: bool) {
        *self.snapshots.entry(index).or_default() |= own;
    }

    fn removes(&mut self, file: &FileName) -> Result<(), String> {
        if let Some(index) = snapshot(file) {
            let Some(stands) = self.snapshots.get(&index).copied() else { return Ok(()) };
            let least = if stands { self.purged.max(index + 1) } else { self.purged };
            let left = least == 0 || self.may(|held| self.newest(held, index) >= least);
            return left.then_some(()).ok_or_else(|| self.objects(file));
        }
        if file.as_str().starts_with("wal-") {
            let covered = |held: &Held| held.needs(file) <= self.newest(held, 0);
            if !self.may(|held| held.end.as_ref() != Some(file) && covered(held)) {
                return Err(self.objects(file));
            }
            self.purged = self.purged.max(self.held(self.sure).needs(file));
        }
        Ok(())
    }

    fn objects(&self, file: &FileName) -> String {
        let (of, flying) = (&self.snapshots, &self.flying);
        format!("{file} is removed, purged {}, snapshots {of:?}, under way {flying:?}", self.purged)
    }

    /// The newest durable snapshot that a restart would find, another than this one.
    fn newest(&self, held: &Held, but: u64) -> u64 {
        let going = self.flying.values().filter_map(|flight| match flight {
            Flight::Removal(file) => snapshot(file),
            _ => None,
        });
        let going: Vec<u64> = going.chain([but]).collect();
        let known = |index| held.installed == index || held.entries.contains_key(&index);
        let there = self.snapshots.iter().filter(|(index, stands)| **stands || known(**index));
        there.map(|(index, _)| *index).filter(|index| !going.contains(index)).max().unwrap_or(0)
    }

    /// Whether this may be so of what it has on its disk.
    fn may(&self, so: impl Fn(&Held) -> bool) -> bool {
        let last = self.log.last_key_value().map_or(self.sure, |(number, _)| *number);
        (self.sure..=last.max(self.sure)).any(|end| so(&self.held(end)))
    }

    /// The log up to a batch.
    fn held(&self, end: u64) -> Held {
        let mut held = Held::default();
        for (_, (file, batch)) in self.log.range(..=end) {
            for item in &batch.items {
                match item {
                    Item::Entry { index, .. } => {
                        held.entries.split_off(index);
                        held.entries.insert(*index, file.clone());
                    }
                    Item::Snapshot { index } => {
                        (held.installed, held.entries) = (*index, BTreeMap::new());
                    }
                }
            }
            held.end = Some(file.clone());
        }
        held
    }
}

impl Held {
    /// Index of its last entry.
    fn last(&self) -> u64 {
        self.entries.last_key_value().map_or(self.installed, |(index, _)| *index)
    }

    /// Index of the last entry in a segment that none replaced.
    fn needs(&self, segment: &FileName) -> u64 {
        self.entries.iter().rev().find(|(_, file)| *file == segment).map_or(0, |(index, _)| *index)
    }
}

/// The index in a snapshot's name.
fn snapshot(file: &FileName) -> Option<u64> {
    u64::from_str_radix(file.as_str().strip_prefix("snap-")?, 16).ok()
}
