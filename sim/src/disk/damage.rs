//! Damage: what no disk promises away, and what nobody can make good alone.
//!
//! One kind of it cannot be told from an honest end: a log that lacks its very last
//! batch looks like one whose last batch was torn. So whoever damages a disk says which
//! write is to be spared, or sees to it that others have what is in it.

use std::ops::Range;

use quorate_engine::{DiskId, DiskOp, FileName};
use rand::{Rng, RngExt};

use super::{Disk, File, Piece};

/// Some bytes of a file.
pub type Place = (FileName, Range<u64>);

/// Changes of names that a disk remembers.
const NAMES: usize = 8;

/// A change of names, with what it replaced or removed.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Created(FileName, Option<File>),
    Renamed { from: FileName, to: FileName, before: Option<File> },
    Removed(FileName, File),
}

impl Named {
    fn names(&self) -> Vec<&FileName> {
        match self {
            Self::Created(file, _) | Self::Removed(file, _) => vec![file],
            Self::Renamed { from, to, .. } => vec![from, to],
        }
    }
}

/// A write that went to another place.
#[derive(Clone, Debug)]
pub struct Misplaced {
    meant: DiskOp,
    at: FileName,
    before: Piece,
}

impl Disk {
    /// One durable byte, or a sector, is no longer what it was; says where, or nothing
    /// if there is nothing to harm.
    pub fn rot_somewhere(&mut self, rng: &mut impl Rng, spare: Option<&Place>) -> Option<Place> {
        let flip = rng.random_range(1..=u8::MAX);
        let whole_sector = rng.random_bool(0.3);
        let (file, offset) = self.draw_place(rng)?;
        let range = match whole_sector {
            true => offset - offset % self.sector..offset - offset % self.sector + self.sector,
            false => offset..offset + 1,
        };
        let place = (file, range);
        if spare.is_some_and(|spare| overlap(spare, &place)) {
            return None;
        }
        self.rot_at(&place, flip);
        Some(place)
    }

    /// The same within these bytes, of which there is at least one.
    pub fn rot_within(&mut self, rng: &mut impl Rng, (file, range): &Place) -> Place {
        let flip = rng.random_range(1..=u8::MAX);
        let whole_sector = rng.random_bool(0.3);
        let offset = rng.random_range(range.clone());
        let sector = offset - offset % self.sector;
        let rotten = match whole_sector {
            true => sector.max(range.start)..(sector + self.sector).min(range.end),
            false => offset..offset + 1,
        };
        let place = (file.clone(), rotten);
        self.rot_at(&place, flip);
        place
    }

    fn rot_at(&mut self, (file, range): &Place, flip: u8) {
        range.clone().for_each(|offset| {
            self.rot(file, offset, flip);
        });
    }

    /// Ends a write that has happened in another place than it was meant for; nothing,
    /// and it has not ended, if there is no such place.
    ///
    /// # Panics
    /// If it is not under way.
    pub fn misdirect(&mut self, id: DiskId, rng: &mut impl Rng) -> Option<Misplaced> {
        let (at, offset) = self.draw_place(rng)?;
        let at_sector = offset - offset % self.sector;
        let nth = self.place(id).expect("it is under way");
        let DiskOp::Write { bytes, file, offset, .. } = &self.pending[nth].1 else { return None };
        if *file == at && *offset == at_sector {
            return None;
        }
        let target = self.files.get_mut(&at).expect("just drawn");
        let from = usize::try_from(at_sector).expect("files fit in memory");
        let end = target.durable.len().min(from + bytes.len());
        let before = target.durable[from..end].to_vec().into();
        let bytes = bytes.slice(..end - from);
        Piece { offset: at_sector, bytes }.put(&mut target.durable);
        let (_, meant) = self.take(id);
        Some(Misplaced { meant, at, before: Piece { offset: at_sector, bytes: before } })
    }

    /// Puts a write where it was meant, and what it overwrote back.
    pub fn make_good(&mut self, misplaced: Misplaced) {
        let Misplaced { meant, at, before } = misplaced;
        if let Some(file) = self.files.get_mut(&at) {
            before.put(&mut file.durable);
        }
        // Its file may have been removed since.
        let _ = self.perform(meant, true);
    }

    /// The last changes of names are undone, at most so many: files that were made are
    /// gone, files that were removed are back. The file to be spared keeps its name.
    /// Says how many were undone.
    pub fn undo_names(&mut self, most: usize, spare: Option<&FileName>) -> usize {
        let mut undone = 0;
        for at in (0..self.named.len()).rev() {
            if undone == most {
                break;
            }
            let change = &self.named[at];
            if spare.is_some_and(|spare| change.names().contains(&spare)) {
                continue;
            }
            undone += 1;
            match self.named.remove(at).expect("just seen") {
                Named::Created(file, before) => self.put_back(file, before),
                Named::Renamed { from, to, before } => {
                    let file = self.files.remove(&to);
                    self.put_back(from, file);
                    self.put_back(to, before);
                }
                Named::Removed(file, before) => self.put_back(file, Some(before)),
            }
        }
        undone
    }

    pub(super) fn named(&mut self, change: Named) {
        self.named.push_back(change);
        if self.named.len() > NAMES {
            self.named.pop_front();
        }
    }

    fn put_back(&mut self, name: FileName, file: Option<File>) {
        match file {
            Some(file) => self.files.insert(name, file),
            None => self.files.remove(&name),
        };
    }

    /// A durable byte: any file is as likely as any other, so that small ones are hit
    /// too.
    fn draw_place(&self, rng: &mut impl Rng) -> Option<(FileName, u64)> {
        let files: Vec<_> = self.files.iter().filter(|(_, it)| !it.durable.is_empty()).collect();
        let (name, file) = files.get(rng.random_range(0..files.len().max(1)))?;
        Some(((*name).clone(), rng.random_range(0..file.durable.len() as u64)))
    }
}

fn overlap(one: &Place, two: &Place) -> bool {
    one.0 == two.0 && one.1.start < two.1.end && two.1.start < one.1.end
}
