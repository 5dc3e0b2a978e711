//! Writing the log: while one write flies, everything else gathers into the
//! next. What must wait for a write rides on it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::boundary::{DiskId, DiskOp, FileName, NodeId};
use crate::log::{Entry, Log};
use crate::message::RaftMessage;

use super::record::{Hard, Identity, Item, SegmentHeader, encode_batch, segment_file};
use super::recover::Recovered;

/// Messages that wait for a write.
type Held = Vec<(NodeId, RaftMessage)>;

/// The writing end of the log.
#[derive(Debug)]
pub(crate) struct Writer {
    identity: Identity,
    segment_bytes: u64,
    /// (number, base index), oldest first; the last one is written to.
    segments: VecDeque<(u64, u64)>,
    /// The last segment holds nothing durable yet.
    newborn: bool,
    offset: u64,
    next_batch: u64,
    crc: u32,
    gathering: Gathering,
    flying: Option<Flight>,
    /// Whether what recovery found has been put right.
    sound: bool,
}

/// What the next write will hold.
#[derive(Debug, Default)]
struct Gathering {
    wanted: bool,
    snapshot: Option<(u64, u64)>,
    entries: Vec<Entry>,
    rides: Rides,
}

/// What a write carries for others.
#[derive(Debug, Default)]
struct Rides {
    held: Held,
    /// raft's number of the last work in it.
    number: Option<u64>,
}

/// A write on its way to the disk: operations done one after the other.
#[derive(Debug)]
struct Flight {
    id: DiskId,
    rest: VecDeque<DiskOp>,
    rides: Rides,
    since: u64,
}

/// What the end of a disk operation means for the log.
#[derive(Debug)]
pub(crate) enum Landed {
    /// It was not the log's.
    NotMine,
    /// The flight goes on with this operation.
    Next(DiskOp),
    /// Everything in the flight is durable.
    All {
        /// May leave now.
        held: Held,
        /// raft's number of the last work that is durable.
        number: Option<u64>,
    },
}

impl Writer {
    /// Goes on where the recovered log ends.
    pub fn new(identity: Identity, recovered: &Recovered, segment_bytes: u64) -> Self {
        Self {
            identity,
            segment_bytes,
            segments: recovered.segments.iter().copied().collect(),
            newborn: false,
            offset: recovered.end,
            next_batch: recovered.next_batch,
            crc: recovered.crc,
            gathering: Gathering::default(),
            flying: None,
            sound: false,
        }
    }

    /// The first flight: what recovery found to be put right. Nothing else is
    /// written before it has landed.
    pub fn put_right(&mut self, ops: Vec<DiskOp>, ids: &mut DiskIds) -> Option<(DiskId, DiskOp)> {
        assert!(self.flying.is_none() && !self.sound, "birth comes first, and once");
        self.sound = ops.is_empty();
        self.launch(ops.into(), Rides::default(), ids, 0)
    }

    /// Adds to the next write.
    pub fn gather(
        &mut self,
        number: u64,
        snapshot: Option<(u64, u64)>,
        entries: Vec<Entry>,
        held: Held,
    ) {
        let next = &mut self.gathering;
        next.wanted = true;
        if snapshot.is_some() {
            next.snapshot = snapshot;
            next.entries.clear();
        }
        if let Some(first) = entries.first().map(|entry| entry.index) {
            let keep = next.entries.partition_point(|entry| entry.index < first);
            next.entries.truncate(keep);
        }
        next.entries.extend(entries);
        next.rides.add(number, held);
    }

    /// Lets messages ride that need no write of their own but must not overtake
    /// one: with what gathers, else with what flies. If there is neither, they
    /// come back: they may leave, and the work is as durable as it will be.
    pub fn ride(&mut self, number: u64, held: Held) -> Option<Held> {
        if self.gathering.wanted {
            self.gathering.rides.add(number, held);
        } else if let Some(flight) = &mut self.flying {
            flight.rides.add(number, held);
        } else {
            return Some(held);
        }
        None
    }

    /// Starts the next write, if there is one to start and nothing flies.
    pub fn take_off(
        &mut self,
        hard: Hard,
        log: &Log,
        ids: &mut DiskIds,
        now: u64,
    ) -> Option<(DiskId, DiskOp)> {
        if self.flying.is_some() || !self.gathering.wanted {
            return None;
        }
        let Gathering { snapshot, entries, rides, .. } = std::mem::take(&mut self.gathering);
        let mut items = Vec::with_capacity(32 + entries.iter().map(room).sum::<usize>());
        if let Some((index, term)) = snapshot {
            Item::Snapshot(index, term).encode(&mut items);
        }
        let first = entries.first().map(|entry| entry.index);
        // The batch after this one will be about as large.
        self.gathering.entries.reserve(entries.len());
        for entry in entries {
            Item::Entry(entry).encode(&mut items);
        }
        let mut bytes = Vec::with_capacity(items.len() + 160);
        let mut ops = VecDeque::new();
        // Entries that cut back below this segment's base begin another: when the
        // ones before are removed, the log must still be readable from a base.
        let below = |base| first.is_some_and(|first| first <= base);
        let base = self.segments.back().map(|(_, base)| *base);
        if self.offset >= self.segment_bytes || base.is_none_or(below) {
            let base = first.map_or(log.last(), |first| first - 1);
            let base =
                snapshot.unwrap_or_else(|| (base, log.term_at(base).expect("not durable yet")));
            ops.push_back(self.new_segment(base, &mut bytes));
        }
        let seed = self.identity.crc_seed();
        self.crc = encode_batch(seed, self.next_batch, self.crc, hard, &items, &mut bytes);
        self.next_batch += 1;
        let (number, _) = *self.segments.back().expect("there is a segment by now");
        let bytes = Bytes::from(bytes);
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        ops.push_back(DiskOp::Write { file: segment_file(number), offset, bytes, sync: true });
        self.launch(ops, rides, ids, now)
    }

    /// Begins a segment: its header goes in front of the batch.
    fn new_segment(&mut self, base: (u64, u64), bytes: &mut Vec<u8>) -> DiskOp {
        let number = self.segments.back().map_or(1, |(number, _)| number + 1);
        self.segments.push_back((number, base.0));
        self.newborn = true;
        self.offset = 0;
        let (identity, batch, crc) = (self.identity, self.next_batch, self.crc);
        SegmentHeader { identity, number, base, batch, crc }.encode(bytes);
        DiskOp::Create { file: segment_file(number), size: self.segment_bytes }
    }

    fn launch(
        &mut self,
        mut rest: VecDeque<DiskOp>,
        rides: Rides,
        ids: &mut DiskIds,
        since: u64,
    ) -> Option<(DiskId, DiskOp)> {
        let op = rest.pop_front()?;
        let id = ids.next();
        self.flying = Some(Flight { id, rest, rides, since });
        Some((id, op))
    }

    /// A disk operation has ended well.
    pub fn landed(&mut self, id: DiskId, ids: &mut DiskIds) -> (Landed, DiskId) {
        let Some(flight) = self.flying.as_mut().filter(|flight| flight.id == id) else {
            return (Landed::NotMine, id);
        };
        if let Some(op) = flight.rest.pop_front() {
            flight.id = ids.next();
            return (Landed::Next(op), flight.id);
        }
        let Rides { held, number } = std::mem::take(&mut flight.rides);
        self.flying = None;
        self.sound = true;
        self.newborn = false;
        (Landed::All { held, number }, id)
    }

    /// Whether the directory is as recovery wants it: before that, nobody else
    /// may touch it.
    pub fn sound(&self) -> bool {
        self.sound
    }

    /// Whether the log holds something durable. Before that, a snapshot in the
    /// directory would be one that no log knows of.
    pub fn begun(&self) -> bool {
        self.segments.len() > usize::from(self.newborn)
    }

    /// Since which tick a write has been flying.
    pub fn flying_since(&self) -> Option<u64> {
        self.flying.as_ref().map(|flight| flight.since)
    }

    /// Segments that hold nothing beyond `index`; they are no longer counted. The
    /// last one with a durable batch stays: it holds term and vote.
    pub fn release(&mut self, index: u64) -> Vec<FileName> {
        let mut out = Vec::new();
        let least = 1 + usize::from(self.newborn);
        while self.segments.len() > least && self.segments[1].1 <= index {
            let (number, _) = self.segments.pop_front().expect("there are two");
            out.push(segment_file(number));
        }
        out
    }
}

impl Rides {
    fn add(&mut self, number: u64, held: Held) {
        self.number = Some(number);
        self.held.extend(held);
    }
}

fn room(entry: &Entry) -> usize {
    entry.data.len() + Entry::LEAST_BYTES + 1
}

/// Names for disk operations.
#[derive(Debug, Default)]
pub(crate) struct DiskIds(DiskId);

impl DiskIds {
    /// A name not used before in this life.
    pub fn next(&mut self) -> DiskId {
        self.0 += 1;
        self.0
    }
}
