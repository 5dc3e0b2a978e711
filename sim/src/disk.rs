//! A disk that forgets.
//!
//! What it promises, and what it may lose:
//!
//! - Operations on one name happen in the order given; a rename concerns two.
//! - `Create`, `Rename`, `Truncate` and `Remove` are durable once finished. Behind what was
//!   written of a draft, which is a file made empty and not renamed yet, there are bytes of
//!   another file after the end of a life.
//! - A finished write with `sync` is durable, and so is every earlier write to
//!   that file. A finished write without is in the page cache: a [power
//!   failure](Disk::crash) may lose any subset of its sectors of [`SECTOR`]
//!   bytes, whatever came before or after.
//! - An operation under way when the power fails may have happened wholly, or
//!   not at all; a write also in any subset of its sectors. Those behind one
//!   that did not wholly happen have not begun.
//! - When only the [process dies](Disk::kill), the page cache stays: what it
//!   wrote is read back at the next birth and may still be lost by a later power
//!   failure.
//! - A write past the end of a file grows it only as far as its last sector that
//!   was kept; sectors lost in between read as zeros.
//! - A failed operation has not happened, but for a write: of its sectors, and of all
//!   of its file that were in the page cache, any may be durable and the others are
//!   gone. The next operation succeeds, as after a failed fsync on Linux.
//! - An operation that makes a file longer fails while there is [no
//!   space](Disk::grows).
//!
//! Left out: no sector is ever half written. Names are durable because the driver syncs
//! the directory before it says so.
//!
//! Beyond the promise there is [damage]: rot in what was durable, writes that went
//! elsewhere, names that are lost. A lone node may refuse to start because of it, and
//! must never be wrong.
//!
//! And there are lies, for proving that somebody notices: [`Disk::rot`],
//! [`Disk::pretend`], [`Disk::skip`], [`Disk::restore`].

pub mod damage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use quorate_engine::{DiskError, DiskId, DiskOp, FileName, Image};
use rand::{Rng, RngExt};
use xxhash_rust::xxh3::Xxh3;

use damage::Named;

/// What a disk writes wholly or not at all, in bytes.
pub const SECTOR: u64 = 512;

/// What is found behind a draft after the end of a life.
const ANOTHER: &[u8] = b"what another file held";

/// One node's disk.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<FileName, File>,
    pending: VecDeque<(DiskId, DiskOp)>,
    pretends: bool,
    sector: u64,
    /// The last changes of names.
    named: VecDeque<Named>,
}

/// How far an operation under way came before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// To its end.
    Wholly,
    /// A write: in some of its sectors. Anything else: not at all.
    Partly,
    /// Not at all.
    Not,
}

/// Who decides what the end of a life takes.
pub trait Mercy {
    /// How far an operation under way came.
    fn op(&mut self, op: &DiskOp) -> Happened;
    /// Whether the `nth` sector of a write that is not durable is kept.
    fn sector(&mut self, nth: u64) -> bool;
}

/// Everything that may be lost is lost.
#[derive(Clone, Copy, Debug)]
pub struct Lose;

/// Everything under way happens.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

/// Of every write that is not durable, this many first sectors are kept.
#[derive(Clone, Copy, Debug)]
pub struct Tear(pub u64);

/// Everything is drawn.
#[derive(Debug)]
pub struct Chance<'a, R: Rng>(pub &'a mut R);

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    cached: Vec<Piece>,
    draft: bool,
}

#[derive(Clone, Debug)]
struct Piece {
    offset: u64,
    bytes: Bytes,
}

impl Default for Disk {
    fn default() -> Self {
        let (files, pending, named) = Default::default();
        Self { files, pending, pretends: false, sector: SECTOR, named }
    }
}

impl Disk {
    /// An empty disk whose sectors have so many bytes, at least one: small ones
    /// tear what a large one would keep whole.
    pub fn with_sector(sector: u64) -> Self {
        Self { sector: sector.max(1), ..Self::default() }
    }

    /// A disk that holds this, durably.
    pub fn new(image: Image) -> Self {
        let mut disk = Self::default();
        disk.restore(image);
        disk
    }

    /// Takes an operation; it happens when it is [finished](Self::finish).
    pub fn start(&mut self, id: DiskId, op: DiskOp) {
        self.pending.push_back((id, op));
    }

    /// Whether nothing is under way and all is durable: a power failure takes nothing.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.files.values().all(|file| file.cached.is_empty())
    }

    /// Operations under way, in the order given.
    pub fn pending(&self) -> impl Iterator<Item = (DiskId, &DiskOp)> {
        self.pending.iter().map(|(id, op)| (*id, op))
    }

    /// Whether nothing before it concerns the same name.
    pub fn may_finish(&self, id: DiskId) -> bool {
        let Some(at) = self.place(id) else { return false };
        let names = names(&self.pending[at].1);
        self.pending.range(..at).all(|(_, op)| self::names(op).is_disjoint(&names))
    }

    /// Performs an operation. The answer is what the driver tells the engine.
    ///
    /// # Panics
    /// If it is not under way, or out of order.
    pub fn finish(&mut self, id: DiskId) -> Result<(), DiskError> {
        assert!(self.may_finish(id), "disk operation {id} is not the next on its file");
        let (_, op) = self.take(id);
        let durably = !self.pretends;
        self.perform(op, durably)
    }

    /// Whether an operation under way needs space.
    pub fn grows(&self, id: DiskId) -> bool {
        let op = self.pending().find(|(pending, _)| *pending == id).map(|(_, op)| op);
        match op {
            Some(DiskOp::Create { .. }) => true,
            Some(DiskOp::Write { file, offset, bytes, .. }) => {
                let len = self.files.get(file).map_or(0, |file| file.read().len() as u64);
                offset + bytes.len() as u64 > len
            }
            _ => false,
        }
    }

    /// Fails an operation: it does not happen, but for any sectors of a write and of
    /// what its file had in the page cache; the others are gone.
    ///
    /// # Panics
    /// If it is not under way.
    pub fn fail(&mut self, id: DiskId, why: &str, mercy: &mut dyn Mercy) -> DiskError {
        let (_, op) = self.take(id);
        if let Some(file) = self.files.get_mut(op.file()) {
            if let DiskOp::Write { offset, bytes, .. } = op {
                file.cached.push(Piece { offset, bytes });
            }
            file.forget(self.sector, mercy);
        }
        DiskError(why.to_owned())
    }

    /// The power fails.
    pub fn crash(&mut self, mercy: &mut dyn Mercy) {
        for (op, happened) in self.stop(mercy) {
            // An error has nobody to go to.
            let _ = self.perform(op, happened == Happened::Wholly);
        }
        for file in self.files.values_mut() {
            file.forget(self.sector, mercy);
        }
        self.named.clear();
        self.spoil_drafts();
    }

    /// The process dies and the machine goes on.
    pub fn kill(&mut self, mercy: &mut dyn Mercy) {
        for (op, happened) in self.stop(mercy) {
            match op {
                DiskOp::Write { file, offset, bytes, .. } if happened == Happened::Partly => {
                    let Some(file) = self.files.get_mut(&file) else { continue };
                    let kept = kept(Piece { offset, bytes }, self.sector, mercy);
                    file.cached.extend(kept);
                }
                op => {
                    let _ = self.perform(op, false);
                }
            }
        }
        self.spoil_drafts();
    }

    fn spoil_drafts(&mut self) {
        for file in self.files.values_mut().filter(|file| file.draft) {
            let end = file.read().len() as u64;
            Piece { offset: end, bytes: Bytes::from_static(ANOTHER) }.put(&mut file.durable);
        }
    }

    /// What a process that starts now reads.
    pub fn image(&self) -> Image {
        self.files.iter().map(|(name, file)| (name.clone(), file.read().into())).collect()
    }

    /// What is left of it at least, if the power fails now.
    pub fn durable(&self) -> Image {
        self.files.iter().map(|(name, file)| (name.clone(), file.durable.clone().into())).collect()
    }

    /// A digest of every byte that a process would read.
    pub fn digest(&self) -> u64 {
        let mut hash = Xxh3::new();
        for (name, file) in &self.files {
            let bytes = file.read();
            hash.update(name.as_str().as_bytes());
            hash.update(&[0]);
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        hash.digest()
    }

    /// A lie: flips bits of a durable byte. `false` if there is no such byte.
    pub fn rot(&mut self, file: &FileName, offset: u64, flip: u8) -> bool {
        let byte = self.files.get_mut(file).and_then(|file| {
            usize::try_from(offset).ok().and_then(|offset| file.durable.get_mut(offset))
        });
        if let Some(byte) = byte {
            *byte ^= flip;
            return true;
        }
        false
    }

    /// A lie: while it pretends, a finished sync makes nothing durable.
    pub fn pretend(&mut self, pretends: bool) {
        self.pretends = pretends;
    }

    /// A lie: an operation ends without having happened.
    ///
    /// # Panics
    /// If it is not under way.
    pub fn skip(&mut self, id: DiskId) {
        self.take(id);
    }

    /// A lie: this is what the disk holds, and always held.
    pub fn restore(&mut self, image: Image) {
        let file = |bytes: Bytes| File { durable: bytes.into(), ..File::default() };
        self.files = image.into_iter().map(|(name, bytes)| (name, file(bytes))).collect();
        self.pending.clear();
        self.named.clear();
    }

    fn place(&self, id: DiskId) -> Option<usize> {
        self.pending.iter().position(|(pending, _)| *pending == id)
    }

    fn take(&mut self, id: DiskId) -> (DiskId, DiskOp) {
        self.place(id)
            .and_then(|at| self.pending.remove(at))
            .unwrap_or_else(|| panic!("disk operation {id} is not under way"))
    }

    /// Ends all that is under way, and says what of it has happened, in order.
    fn stop(&mut self, mercy: &mut dyn Mercy) -> Vec<(DiskOp, Happened)> {
        let mut stuck = BTreeSet::new();
        let mut happened = Vec::new();
        for (_, op) in std::mem::take(&mut self.pending) {
            let names = names(&op);
            let far = if names.is_disjoint(&stuck) { mercy.op(&op) } else { Happened::Not };
            if far != Happened::Wholly {
                stuck.extend(names);
            }
            if far == Happened::Wholly || (far == Happened::Partly && is_write(&op)) {
                happened.push((op, far));
            }
        }
        happened
    }

    fn perform(&mut self, op: DiskOp, durably: bool) -> Result<(), DiskError> {
        match op {
            DiskOp::Create { file, size } => {
                let size = usize::try_from(size).expect("files fit in memory");
                let new = File { durable: vec![0; size], draft: size == 0, ..File::default() };
                let before = self.files.insert(file.clone(), new);
                self.named(Named::Created(file, before));
            }
            DiskOp::Write { file, offset, bytes, sync } => {
                let file = self.file(&file)?;
                file.cached.push(Piece { offset, bytes });
                if sync && durably {
                    file.sync();
                }
            }
            DiskOp::Rename { from, to } => {
                let mut file = self.files.remove(&from).ok_or_else(|| missing(&from))?;
                file.draft = false;
                let before = self.files.insert(to.clone(), file);
                self.named(Named::Renamed { from, to, before });
            }
            DiskOp::Truncate { file, len } => self.file(&file)?.truncate(len),
            DiskOp::Remove { file } => {
                let before = self.files.remove(&file).ok_or_else(|| missing(&file))?;
                self.named(Named::Removed(file, before));
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &FileName) -> Result<&mut File, DiskError> {
        self.files.get_mut(name).ok_or_else(|| missing(name))
    }
}

impl File {
    fn read(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.cached.iter().for_each(|piece| piece.put(&mut bytes));
        bytes
    }

    fn sync(&mut self) {
        for piece in self.cached.drain(..) {
            piece.put(&mut self.durable);
        }
    }

    fn truncate(&mut self, len: u64) {
        self.durable.truncate(usize::try_from(len).expect("files fit in memory"));
        self.cached.retain_mut(|piece| {
            let stays = len.saturating_sub(piece.offset).min(piece.bytes.len() as u64);
            piece.bytes.truncate(usize::try_from(stays).expect("no more than there was"));
            stays > 0
        });
    }

    fn forget(&mut self, sector: u64, mercy: &mut dyn Mercy) {
        for piece in std::mem::take(&mut self.cached) {
            for sector in kept(piece, sector, mercy) {
                sector.put(&mut self.durable);
            }
        }
    }
}

impl Piece {
    fn put(&self, bytes: &mut Vec<u8>) {
        let from = usize::try_from(self.offset).expect("files fit in memory");
        let end = from + self.bytes.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[from..end].copy_from_slice(&self.bytes);
    }

    /// Cuts at the disk's sectors.
    fn sectors(mut self, size: u64) -> Vec<Self> {
        let mut sectors = Vec::new();
        while !self.bytes.is_empty() {
            let room = usize::try_from(size - self.offset % size).expect("a sector is small");
            let bytes = self.bytes.split_to(room.min(self.bytes.len()));
            let next = self.offset + bytes.len() as u64;
            sectors.push(Self { offset: self.offset, bytes });
            self.offset = next;
        }
        sectors
    }
}

impl Mercy for Lose {
    fn op(&mut self, _: &DiskOp) -> Happened {
        Happened::Not
    }

    fn sector(&mut self, _: u64) -> bool {
        false
    }
}

impl Mercy for Keep {
    fn op(&mut self, _: &DiskOp) -> Happened {
        Happened::Wholly
    }

    fn sector(&mut self, _: u64) -> bool {
        true
    }
}

impl Mercy for Tear {
    fn op(&mut self, _: &DiskOp) -> Happened {
        Happened::Partly
    }

    fn sector(&mut self, nth: u64) -> bool {
        nth < self.0
    }
}

impl<R: Rng> Mercy for Chance<'_, R> {
    fn op(&mut self, _: &DiskOp) -> Happened {
        match self.0.random_range(0..3) {
            0 => Happened::Wholly,
            1 => Happened::Partly,
            _ => Happened::Not,
        }
    }

    fn sector(&mut self, _: u64) -> bool {
        self.0.random_bool(0.5)
    }
}

fn kept(piece: Piece, size: u64, mercy: &mut dyn Mercy) -> Vec<Piece> {
    let sectors = (0..).zip(piece.sectors(size));
    sectors.filter(|(nth, _)| mercy.sector(*nth)).map(|(_, sector)| sector).collect()
}

fn names(op: &DiskOp) -> BTreeSet<FileName> {
    let mut names = BTreeSet::from([op.file().clone()]);
    if let DiskOp::Rename { to, .. } = op {
        names.insert(to.clone());
    }
    names
}

fn is_write(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Write { .. })
}

fn missing(file: &FileName) -> DiskError {
    DiskError(format!("{file}: no such file"))
}

#[cfg(test)]
mod tests;
