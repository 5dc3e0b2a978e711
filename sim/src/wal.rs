//! The log on a disk, read by its format (`engine/src/wal/record.rs`) and not by the
//! engine's own reader: a judge has to know what a log says without asking the one it
//! judges.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_engine::codec::{DecodeError, Reader};
use quorate_engine::{FileName, Image, NodeId};

use crate::disk::damage::Place;

/// Bytes of a segment's header.
const SEGMENT_HEADER: usize = 72;

/// Bytes of a batch's header.
const BATCH_HEADER: usize = 24;

const BATCH_MAGIC: &[u8] = b"QBAT";

/// One write to the log.
#[derive(Debug)]
pub struct Batch {
    /// Its place in the stream.
    pub number: u64,
    /// The checksum of the batch before.
    before: u32,
    crc: u32,
    /// Without padding.
    size: usize,
    /// The term of whoever wrote it.
    pub term: u64,
    /// For whom it has voted in it; 0 for nobody.
    pub vote: NodeId,
    /// The commit index; it may lag behind.
    pub commit: u64,
    /// What it holds.
    pub items: Vec<Item>,
}

/// One thing in a batch.
#[derive(Debug)]
pub enum Item {
    /// An entry; it cuts off whatever stood at its index and behind.
    Entry {
        /// Its index.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// A snapshot took the log's place.
    Snapshot {
        /// The last entry in it.
        index: u64,
    },
}

impl Batch {
    /// Reads what is given to a disk to write to the log.
    ///
    /// # Errors
    /// If it is no batch.
    pub fn written(bytes: &Bytes) -> Result<Self, DecodeError> {
        let begins_segment = bytes.starts_with(b"QUORWAL\n") && bytes.len() >= SEGMENT_HEADER;
        Self::read(bytes.slice(if begins_segment { SEGMENT_HEADER } else { 0 }..))
    }

    /// Index up to which the log reaches with it, if it changes that.
    pub fn last(&self) -> Option<u64> {
        self.items.last().map(|item| match item {
            Item::Entry { index, .. } | Item::Snapshot { index } => *index,
        })
    }

    fn read(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        let (_magic, length) = (from.u32()?, from.u32()? as usize);
        let (number, before, crc) = (from.u64()?, from.u32()?, from.u32()?);
        let mut payload = Reader::new(from.take(length)?);
        let (term, vote, commit) = (payload.u64()?, payload.u64()?, payload.u64()?);
        let mut items = Vec::new();
        while payload.remaining() > 0 {
            let (kind, index, term) = (payload.u8()?, payload.u64()?, payload.u64()?);
            items.push(if kind == 1 {
                payload.bytes()?;
                Item::Entry { index, term }
            } else {
                Item::Snapshot { index }
            });
        }
        let size = BATCH_HEADER + length;
        Ok(Self { number, before, crc, size, term, vote, commit, items })
    }

    /// Reads a batch that has not changed since it was written.
    fn sound(seed: u32, bytes: Bytes) -> Option<Self> {
        let batch = Self::read(bytes.clone()).ok()?;
        let crc = crc32c::crc32c_append(seed, &bytes[..20]);
        let crc = crc32c::crc32c_append(crc, &bytes[BATCH_HEADER..batch.size]);
        (crc == batch.crc).then_some(batch)
    }
}

/// A log as it is found, sound batch by sound batch, in order of place.
#[derive(Debug, Default)]
pub struct Log(Vec<Found>);

#[derive(Debug)]
struct Found {
    /// Where it is, with the header of the segment that it begins.
    place: Place,
    /// The index before the segment that it begins.
    base: Option<u64>,
    batch: Batch,
}

impl Log {
    /// Reads all segments; nothing without an identity to know them by.
    pub fn read(image: &Image) -> Self {
        let nonce = image.get(&FileName::new("identity")).and_then(|bytes| bytes.get(28..36));
        let Some(nonce) = nonce else { return Self::default() };
        let seed = crc32c::crc32c(nonce);
        let mut log = Self::default();
        for (file, bytes) in image.iter().filter(|(file, _)| file.as_str().starts_with("wal-")) {
            log.segment(seed, file, bytes);
        }
        log
    }

    fn segment(&mut self, seed: u32, file: &FileName, bytes: &Bytes) {
        for at in (0..bytes.len()).step_by(8) {
            if !bytes[at..].starts_with(BATCH_MAGIC) {
                continue;
            }
            let first = at == SEGMENT_HEADER;
            let base = if first { base(seed, bytes) } else { None };
            let Some(batch) = Batch::sound(seed, bytes.slice(at..)) else { continue };
            if first && base.is_none() {
                continue;
            }
            let begin = if first { 0 } else { at };
            let place = (file.clone(), begin as u64..(at + batch.size) as u64);
            self.0.push(Found { place, base, batch });
        }
    }

    /// Where its last sound batch is.
    pub fn end(&self) -> Option<&Place> {
        self.0.iter().max_by_key(|found| found.batch.number).map(|found| &found.place)
    }

    /// Its last batch, and the one before.
    pub fn last_two(&self) -> Option<[&Batch; 2]> {
        match &self.0[..] {
            [.., before, last] => Some([&last.batch, &before.batch]),
            _ => None,
        }
    }

    /// The same without its last batch.
    pub fn cut(mut self) -> Self {
        self.0.pop();
        self
    }

    /// What it holds; nothing if a batch is missing between two.
    pub fn held(&self) -> Option<Held> {
        let follows = |pair: &[Found]| {
            let [one, two] = [&pair[0].batch, &pair[1].batch];
            two.number == one.number + 1 && two.before == one.crc
        };
        self.0.windows(2).all(follows).then(|| {
            let mut held = Held::default();
            self.0.iter().for_each(|found| held.take(found));
            held
        })
    }
}

/// The index before a segment, if its header has not changed since it was written.
fn base(seed: u32, bytes: &Bytes) -> Option<u64> {
    let mut sum = Reader::new(bytes.slice(64..68));
    let mut base = Reader::new(bytes.slice(36..44));
    (sum.u32().ok()? == crc32c::crc32c_append(seed, &bytes[..64])).then(|| base.u64().ok())?
}

/// What a log holds.
#[derive(Debug, Default)]
pub struct Held {
    /// Everything up to here is in a snapshot.
    base: u64,
    /// Term by index, from there on.
    entries: BTreeMap<u64, u64>,
}

impl Held {
    fn take(&mut self, found: &Found) {
        match found.base {
            Some(base) if self.entries.is_empty() => self.base = base,
            // A suffix was cut back into segments that are gone.
            Some(base) if base < self.base => (self.base, self.entries) = (base, BTreeMap::new()),
            _ => {}
        }
        for item in &found.batch.items {
            match item {
                Item::Entry { index, term } => {
                    self.entries.split_off(index);
                    self.entries.insert(*index, *term);
                }
                Item::Snapshot { index } => (self.base, self.entries) = (*index, BTreeMap::new()),
            }
        }
    }

    /// Index of its last entry.
    pub fn last(&self) -> u64 {
        self.entries.last_key_value().map_or(self.base, |(index, _)| *index)
    }

    /// Whether it holds this entry, or what was committed in its place.
    pub fn holds(&self, index: u64, term: u64) -> bool {
        index <= self.base || self.entries.get(&index) == Some(&term)
    }
}

#[cfg(test)]
mod tests {
    use quorate_engine::tree::Path;
    use quorate_engine::{Change, Content, Request, Write};

    use super::*;
    use crate::tabletop::Tabletop;

    /// What a node holds that has written so many values, two or three to a segment.
    fn image(writes: u64) -> (Image, u64) {
        let mut table = Tabletop::new(1, |config| config.segment_bytes = 300).expect("sound");
        table.settle().expect("quiet");
        table.elect(1).expect("alone");
        for nth in 0..writes {
            let path = Path::new("/a").expect("clean");
            let content = Content::File(nth.to_string().into());
            let write = Write { path, change: Change::Set { content, ttl: None } };
            table.client(1, Request::Write(write)).expect("up");
            table.settle().expect("quiet");
        }
        let committed = table.view(1).expect("up").committed;
        (table.disk_of(1).expect("there").durable(), committed)
    }

    fn flipped(image: &Image, file: &FileName, at: u64) -> Image {
        let mut image = image.clone();
        let mut bytes = image[file].to_vec();
        bytes[usize::try_from(at).expect("small")] ^= 1;
        image.insert(file.clone(), bytes.into());
        image
    }

    #[test]
    fn a_log_says_what_was_written() {
        let (image, committed) = image(20);
        assert!(image.len() > 5, "several segments");
        let log = Log::read(&image);
        let held = log.held().expect("whole");
        assert_eq!(held.base, 0);
        assert!(held.entries.keys().copied().eq(1..=committed));
        assert!(held.holds(committed, 1) && !held.holds(committed, 2));
        assert!(!held.holds(committed + 1, 1));
        let left = log.cut().held().expect("whole");
        assert_eq!(left.entries.len() + 1, held.entries.len());
    }

    #[test]
    fn a_batch_that_has_changed_is_not_there() {
        for writes in 10..16 {
            let (image, committed) = image(writes);
            let (file, range) = Log::read(&image).end().expect("there").clone();
            for at in range.clone() {
                let changed = Log::read(&flipped(&image, &file, at));
                // The last four bytes of a segment's header mean nothing.
                if range.start > 0 || !(68..72).contains(&at) {
                    assert_ne!(changed.end(), Some(&(file.clone(), range.clone())), "{at}");
                    let held = changed.held().expect("whole");
                    assert!(!held.holds(committed, 1) && held.holds(committed - 1, 1));
                }
            }
            let first = FileName::new("wal-0000000000000002");
            let broken = Log::read(&flipped(&image, &first, 100));
            assert!(broken.held().is_none(), "there is a gap");
            assert_eq!(broken.end(), Some(&(file, range)), "and more behind it");
        }
    }
}
