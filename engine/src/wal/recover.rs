//! Reading the log back at birth, and telling a torn tail from damage.
//!
//! The rule. Only one write flew at a time, so a crash can have torn only the
//! last batch of the last segment, or the last segment's creation. Such a tail
//! was never acknowledged: it is cut. Bad bytes with a good batch behind them,
//! or in any segment but the last, were once durable: that is damage, and it is
//! refused. One thing cannot be told apart by one copy alone: rot in the very
//! last durable batch looks like a tear.

use bytes::Bytes;

use crate::boundary::{FileName, Image, RecoverError};
use crate::log::Entry;

use super::record::{
    self, Batch, Hard, Identity, Item, SEGMENT_HEADER, SegmentHeader, decode_batch,
    looks_like_batch, segment_number,
};

/// No index, term or number grows this large in the life of a cluster: one that
/// does is forged, and would overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 62;

/// What the log says, and where it ends.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The last hard state.
    pub hard: Hard,
    /// (index, term) before the first entry.
    pub base: (u64, u64),
    /// The entries, without gap.
    pub entries: Vec<Entry>,
    /// (index, term) of the last snapshot that took the log's place.
    pub installed: Option<(u64, u64)>,
    /// The segments, oldest first: (number, base index).
    pub segments: Vec<(u64, u64)>,
    /// Where the last segment's good bytes end.
    pub end: u64,
    /// The number the next batch takes.
    pub next_batch: u64,
    /// The CRC of the last batch.
    pub crc: u32,
    /// A torn tail: the last segment is to be cut at `end`.
    pub torn: bool,
    /// A last segment whose creation did not complete: to be removed.
    pub unborn: Option<FileName>,
}

/// Reads every segment of the image.
pub(crate) fn recover(image: &Image, identity: Identity) -> Result<Recovered, RecoverError> {
    let mut files: Vec<(u64, &FileName, &Bytes)> = image
        .iter()
        .filter_map(|(file, bytes)| Some((segment_number(file)?, file, bytes)))
        .collect();
    files.sort_unstable_by_key(|(number, ..)| *number);
    let mut log = Recovered::nothing(identity);
    for (at, (number, file, bytes)) in files.iter().enumerate() {
        let last = at + 1 == files.len();
        log.segment(*number, file, bytes, identity, last)?;
    }
    Ok(log)
}

impl Recovered {
    fn nothing(identity: Identity) -> Self {
        Self {
            hard: Hard::default(),
            base: (0, 0),
            entries: Vec::new(),
            installed: None,
            segments: Vec::new(),
            end: 0,
            next_batch: 1,
            crc: identity.crc_seed(),
            torn: false,
            unborn: None,
        }
    }

    /// Index of the last entry.
    pub fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// The term of an entry held, or of the one before the first.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        let at = usize::try_from(index.checked_sub(self.base.0 + 1)?).ok()?;
        self.entries.get(at).map(|entry| entry.term)
    }

    fn segment(
        &mut self,
        number: u64,
        file: &FileName,
        bytes: &Bytes,
        identity: Identity,
        last: bool,
    ) -> Result<(), RecoverError> {
        let seed = identity.crc_seed();
        let header = match SegmentHeader::decode(bytes, identity) {
            Ok(header) => header,
            // The header is written with the first batch, in one write.
            Err(_) if last && !batch_behind(seed, bytes, 0, self.next_batch + 1) => {
                self.unborn = Some(file.clone());
                return Ok(());
            }
            Err(error) => return Err(corrupt(file, 0, error.0)),
        };
        // Header durable, first batch torn: the creation did not complete either.
        if last
            && !self.segments.is_empty()
            && !batch_behind(seed, bytes, SEGMENT_HEADER, self.next_batch)
        {
            self.unborn = Some(file.clone());
            return Ok(());
        }
        let mut begins = Some(header.base);
        self.follow(number, file, header)?;
        let mut at = SEGMENT_HEADER;
        loop {
            let rest = bytes.slice(at.min(bytes.len())..);
            match decode_batch(seed, &rest) {
                Ok(batch) if batch.number == self.next_batch && batch.before == self.crc => {
                    // When the segments before are gone, it will be believed.
                    if begins.take().is_some_and(|base| Some(base) != self.before(&batch)) {
                        return Err(corrupt(file, 0, "the segment does not begin where it says"));
                    }
                    at += batch.size;
                    self.batch(batch).map_err(|what| corrupt(file, at, what))?;
                }
                Ok(_) => return Err(corrupt(file, at, "a batch stands out of its order")),
                Err(_) if rest.iter().all(|byte| *byte == 0) => break,
                Err(_) if last && !batch_behind(seed, &rest, 1, self.next_batch) => {
                    self.torn = true;
                    break;
                }
                Err(error) => return Err(corrupt(file, at, error.0)),
            }
        }
        self.end = at as u64;
        Ok(())
    }

    /// Checks that a segment continues the row.
    fn follow(
        &mut self,
        number: u64,
        file: &FileName,
        header: SegmentHeader,
    ) -> Result<(), RecoverError> {
        if header.number != number {
            return Err(corrupt(file, 0, "the segment bears another one's name"));
        }
        let counts = [number, header.batch, header.base.0, header.base.1];
        if counts.iter().any(|count| *count >= MAX_COUNT) {
            return Err(corrupt(file, 0, "numbers beyond any honest count"));
        }
        if let Some((before, _)) = self.segments.last() {
            if number != before + 1 {
                let what = format!("log segment {}", record::segment_file(before + 1));
                return Err(RecoverError::Missing { what });
            }
            if (header.batch, header.crc) != (self.next_batch, self.crc) {
                return Err(corrupt(file, 0, "the segment does not continue the one before"));
            }
            if header.base.0 < self.base.0 {
                // A conflicting suffix was cut back into segments long removed.
                self.base = header.base;
                self.entries.clear();
            }
        } else {
            self.base = header.base;
            self.next_batch = header.batch;
            self.crc = header.crc;
        }
        self.segments.push((number, header.base.0));
        Ok(())
    }

    /// (index, term) before what a batch begins with.
    fn before(&self, batch: &Batch) -> Option<(u64, u64)> {
        let index = match batch.items.first() {
            Some(Item::Snapshot(index, term)) => return Some((*index, *term)),
            Some(Item::Entry(entry)) => entry.index.checked_sub(1)?,
            None => self.last(),
        };
        Some((index, self.term_at(index)?))
    }

    fn batch(&mut self, batch: Batch) -> Result<(), &'static str> {
        self.next_batch += 1;
        self.crc = batch.crc;
        for item in batch.items {
            match item {
                Item::Entry(entry) => self.entry(entry)?,
                Item::Snapshot(index, term) => {
                    if index.max(term) >= MAX_COUNT {
                        return Err("numbers beyond any honest count");
                    }
                    self.base = (index, term);
                    self.entries.clear();
                    self.installed = Some((index, term));
                }
            }
        }
        if batch.hard.term >= MAX_COUNT {
            return Err("numbers beyond any honest count");
        }
        if batch.hard.term < self.hard.term || batch.hard.commit < self.hard.commit {
            return Err("term or commit index goes back");
        }
        if batch.hard.commit > self.last() {
            return Err("more is committed than there is");
        }
        if self.term_at(self.last()).is_some_and(|last| last > batch.hard.term) {
            return Err("an entry is of a later term than the log");
        }
        self.hard = batch.hard;
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<(), &'static str> {
        if entry.index <= self.base.0 || entry.index > self.last() + 1 {
            return Err("an entry stands out of its order");
        }
        if self.hard.commit >= entry.index {
            return Err("an entry takes a committed one's place");
        }
        if self.term_at(entry.index - 1).is_none_or(|before| before > entry.term) {
            return Err("an entry's term is lower than the one before");
        }
        let keep = usize::try_from(entry.index - self.base.0 - 1).expect("bounded by the length");
        self.entries.truncate(keep);
        self.entries.push(entry);
        Ok(())
    }
}

/// Whether a good batch numbered `least` or later begins at or after `from`.
/// Batches begin at multiples of 8.
fn batch_behind(seed: u32, bytes: &Bytes, from: usize, least: u64) -> bool {
    (from.next_multiple_of(8)..bytes.len()).step_by(8).any(|at| {
        looks_like_batch(&bytes[at..])
            && decode_batch(seed, &bytes.slice(at..)).is_ok_and(|batch| batch.number >= least)
    })
}

fn corrupt(file: &FileName, at: usize, what: &str) -> RecoverError {
    RecoverError::Corrupt { file: file.clone(), offset: at as u64, what: what.to_owned() }
}
