//! What disks do with their operations, and what happens to them at the end of a life.

use std::time::Duration;

use madsim::time::Instant;
use quorate_engine::{DiskError, DiskOp, FileName, Halt, Input, NodeId};
use rand::RngExt;

use super::atlas::LastBatch;
use super::courier::Parcel;
use super::journal::What;
use super::lies::Lie;
use super::world::World;
use crate::disk::damage::{Misplaced, Place};
use crate::disk::{Chance, Disk, Mercy};
use crate::probes::Probe;
use crate::properties::Observation;
use crate::wal::Log;

/// How often an operation looks whether its disk is stalled still.
const STALL_LOOK_MS: u64 = 100;

/// What is wrong with one node's disk.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Until then it answers nothing.
    pub stalled_until: Instant,
    /// Its next operation fails.
    pub error: bool,
    /// It has no space.
    pub full: bool,
    /// Its next log write goes elsewhere.
    pub misdirects: bool,
    /// It has been damaged beyond what a lone node can repair: it may refuse to start.
    pub damaged: bool,
    /// It has said that something failed: the node has to halt.
    failed: bool,
    /// The last entry that rot has taken with the last batch of its log: as long as the
    /// log ends before it, its leader may know better.
    forgot: Option<u64>,
    /// The file of the last log write that ended.
    last: Option<FileName>,
    /// The last log write, if it went elsewhere.
    misplaced: Option<Misplaced>,
}

impl Trouble {
    pub fn new(now: Instant) -> Self {
        Self {
            stalled_until: now,
            error: false,
            full: false,
            misdirects: false,
            damaged: false,
            failed: false,
            forgot: None,
            last: None,
            misplaced: None,
        }
    }

    /// What can be well again is well again.
    pub fn calm(&mut self) {
        self.stalled_until = Instant::now();
        (self.error, self.full, self.misdirects) = (false, false, false);
    }
}

/// Log segments are the files whose names begin with `wal`.
pub(super) fn is_log(name: &str) -> bool {
    name.starts_with("wal")
}

/// Whether this gives a received snapshot its name.
fn is_received(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Rename { from, .. } if from.as_str() == "snapshot.received")
}

fn is_log_write(op: &DiskOp) -> bool {
    match op {
        DiskOp::Write { file, bytes, sync: true, .. } => is_log(file.as_str()) && !bytes.is_empty(),
        _ => false,
    }
}

/// Where the last batch of the log on a disk is. A log that lacks it cannot be told from a
/// torn one: only the atlas says when it may be lost.
fn last_batch(disk: &Disk) -> Option<Place> {
    Log::read(&disk.durable()).end().cloned()
}

impl World {
    pub(super) fn complete_later(&mut self, id: NodeId, op: u64) {
        let [low, high] = self.scenario.disks.delay_ms;
        let delay = Duration::from_millis(self.disk_rng.random_range(low..=high));
        let early = self.liar.tells(Lie::EarlySync, id);
        let life = self.node(id).life;
        self.courier.take(Instant::now() + delay, Parcel::Disk { id, life, op, early });
    }

    /// Completes a disk operation, unless its process is gone; or says when to try
    /// again.
    pub(super) fn try_complete(
        &mut self,
        id: NodeId,
        life: u64,
        op: u64,
        early: bool,
    ) -> Option<Instant> {
        let node = self.node(id);
        if node.life != life || node.alive.is_none() {
            return None;
        }
        let (until, now) = (node.trouble.stalled_until, Instant::now());
        if until <= now && node.disk.may_finish(op) {
            self.complete(id, op, early);
            return None;
        }
        // A stall may end before its time: when the storm does.
        let soon = |ms| now + Duration::from_millis(ms);
        Some(until.clamp(soon(1), soon(STALL_LOOK_MS)))
    }

    fn complete(&mut self, id: NodeId, op: u64, early: bool) {
        let drops = self.liar.rarely_tells(Lie::DroppedWrite, id);
        let result = self.trouble(id, op).unwrap_or_else(|| {
            let node = self.node(id);
            let disk = &mut node.disk;
            disk.pretend(early);
            let under_way = |is: fn(&DiskOp) -> bool| {
                disk.pending().any(|(pending, it)| pending == op && is(it))
            };
            let is_write = under_way(|it| matches!(it, DiskOp::Write { .. }));
            node.received |= under_way(is_received);
            let result = if drops && is_write {
                disk.skip(op);
                Ok(())
            } else {
                disk.finish(op)
            };
            disk.pretend(false);
            result
        });
        self.journal.record(|| What::Finished(id, op, result.is_ok()));
        self.tell(id, Input::Disk { id: op, result });
    }

    /// What an operation comes to on a disk in trouble; nothing if it is not concerned.
    fn trouble(&mut self, id: NodeId, op: u64) -> Option<Result<(), DiskError>> {
        let mut rng = self.damage_rng.clone();
        let node = self.node(id);
        let (trouble, disk) = (&mut node.trouble, &mut node.disk);
        let done = if trouble.error {
            (trouble.error, trouble.failed) = (false, true);
            Some(Err(disk.fail(op, "input/output error", &mut Chance(&mut rng))))
        } else if trouble.full && disk.grows(op) {
            trouble.failed = true;
            Some(Err(disk.fail(op, "no space left on device", &mut Chance(&mut rng))))
        } else {
            trouble.log_write(disk, op, &mut rng)
        };
        self.damage_rng = rng;
        // Nothing else goes well and is not done here.
        self.observers.probes.hit_if(Probe::Misdirected, done == Some(Ok(())));
        done
    }

    /// A node stops for good reason, or for none. Whoever runs it starts it again, but not
    /// what says that it has lost what it acknowledged.
    pub(super) fn halt(&mut self, id: NodeId, halt: &Halt) {
        let node = self.node(id);
        if let Halt::Amnesia { last, .. } = halt
            && node.trouble.forgot.is_some_and(|forgot| *last < forgot)
        {
            node.down = true;
            self.observers.probes.hit(Probe::Amnesia);
            self.journal.record(|| What::Suffers(id, format!("it halts for good: {halt}")));
            return self.death(id, false);
        }
        if !std::mem::take(&mut self.node(id).trouble.failed) {
            return self.fail("halt", format!("n{id} halts: {halt}"));
        }
        self.death(id, false);
        let _ = self.halted.send(id);
    }

    /// The process ends: whoever waits for it will never hear.
    pub fn death(&mut self, id: NodeId, power: bool) {
        let mut rng = self.disk_rng.clone();
        let forgets = power && self.liar.tells(Lie::ForgetfulDisk, id);
        let node = self.node(id);
        if node.alive.take().is_none() {
            // The page cache of a dead process goes with the power.
            if power {
                node.disk.crash(&mut Chance(&mut rng));
                self.disk_rng = rng;
            }
            return;
        }
        if forgets && let Some(older) = node.older.clone() {
            node.disk.restore(older);
        }
        if let Some(misplaced) = node.trouble.misplaced.take() {
            node.disk.make_good(misplaced);
        }
        (node.trouble.failed, node.received) = (false, false);
        let mercy: &mut dyn Mercy = &mut Chance(&mut rng);
        if power {
            node.disk.crash(mercy)
        } else {
            node.disk.kill(mercy)
        }
        node.life += 1;
        self.disk_rng = rng;
        self.journal.record(|| What::Died { node: id, power });
        self.observe(id, Observation::Died);
    }

    /// Some of what a node without power had durable has rotted.
    pub fn rot(&mut self, id: NodeId) {
        let mut rng = self.damage_rng.clone();
        let node = self.node(id);
        let spare = last_batch(&node.disk);
        let rotten = node.disk.rot_somewhere(&mut rng, spare.as_ref());
        node.trouble.damaged |= rotten.is_some();
        self.damage_rng = rng;
        if let Some((file, place)) = rotten {
            self.observers.probes.hit(Probe::Rotted);
            self.journal.record(|| What::Suffers(id, format!("{file} rots at {place:?}")));
        }
    }

    /// The last batch of the log of a node without power rots, if it may be lost.
    pub fn rot_tail(&mut self, id: NodeId) {
        let charted = self.last_batch(id);
        let lied = charted.is_none() && self.liar.tells(Lie::UnchartedRot, id);
        let place = match &charted {
            Some(batch) => Some(batch.place.clone()),
            None if lied => last_batch(&self.node(id).disk),
            None => None,
        };
        let Some(place) = place else { return };
        let mut rng = self.damage_rng.clone();
        let node = self.node(id);
        let (file, range) = node.disk.rot_within(&mut rng, &place);
        node.trouble.damaged = true;
        let lost = last_batch(&node.disk).as_ref() != Some(&place);
        self.damage_rng = rng;
        self.journal.record(|| What::Suffers(id, format!("{file} rots at {range:?}, its end")));
        if let Some(LastBatch { entries: [from, to], .. }) = charted.filter(|_| lost) {
            let forgot = &mut self.node(id).trouble.forgot;
            *forgot = (*forgot).max(Some(to));
            self.observe(id, Observation::Forgot { from });
        }
    }

    /// The last changes of names are undone, of a node whose power is about to fail.
    pub fn lose_names(&mut self, id: NodeId) {
        let most = self.damage_rng.random_range(1..=3);
        let node = self.node(id);
        // The later of the two: one may be unreadable, the other not have been told of.
        let spare = last_batch(&node.disk).map(|(file, _)| file).max(node.trouble.last.clone());
        let undone = node.disk.undo_names(most, spare.as_ref());
        if undone > 0 {
            node.trouble.damaged = true;
            self.observers.probes.hit(Probe::NamesLost);
            let what = || format!("its last {undone} changes of names are undone");
            self.journal.record(|| What::Suffers(id, what()));
        }
    }
}

impl Trouble {
    /// A log write of a disk without other trouble: goes elsewhere, if one is to.
    fn log_write(
        &mut self,
        disk: &mut Disk,
        op: u64,
        rng: &mut impl rand::Rng,
    ) -> Option<Result<(), DiskError>> {
        let under_way = disk.pending().find(|(pending, _)| *pending == op);
        let (_, write) = under_way.filter(|(_, op)| is_log_write(op))?;
        self.last = Some(write.file().clone());
        self.misplaced = None;
        if self.misdirects {
            self.misplaced = Some(disk.misdirect(op, rng)?);
            (self.misdirects, self.damaged) = (false, true);
            return Some(Ok(()));
        }
        None
    }
}
