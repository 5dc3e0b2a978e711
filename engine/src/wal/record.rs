//! The log's format, byte by byte. All integers are little-endian.
//!
//! ```text
//! identity    magic 8 · version 4 · cluster 8 · node 8 · nonce 8 · crc 4
//! segment     magic 8 · version 4 · cluster 8 · node 8 · number 8 ·
//!             base index 8 · base term 8 · first batch 8 · crc before 4 · crc 4
//! batch       magic 4 · payload length 4 · number 8 · crc before 4 · crc 4 · payload · padding to 8
//! payload     term 8 · vote 8 · commit 8 · items
//! item        1 · index 8 · term 8 · length 4 · data          an entry
//!             2 · index 8 · term 8                            a snapshot took the log's place
//! ```
//!
//! Every CRC begins from the directory's nonce, drawn at random on its first
//! day, so that no client can write a value that looks like a batch; a batch's
//! covers its header, and the CRC of the batch before.

use bytes::Bytes;

use crate::boundary::{FileName, NodeId};
use crate::codec::{DecodeError, Encode, Reader};
use crate::log::Entry;

/// The version of identity, segments and batches.
pub const VERSION: u32 = 1;
const IDENTITY_MAGIC: u64 = u64::from_le_bytes(*b"QUORIDEN");
const SEGMENT_MAGIC: u64 = u64::from_le_bytes(*b"QUORWAL\n");
const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"QBAT");
/// Bytes of a segment's header.
pub const SEGMENT_HEADER: usize = 72;
/// Bytes of a batch's header.
pub const BATCH_HEADER: usize = 24;

/// What raft calls the hard state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hard {
    /// The latest term seen.
    pub term: u64,
    /// Who got this node's vote in it; 0 for nobody.
    pub vote: NodeId,
    /// The commit index; it may lag behind.
    pub commit: u64,
}

/// Whose directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: u64,
    /// The member.
    pub node: NodeId,
    /// Drawn at random on the first day.
    pub nonce: u64,
}

impl Identity {
    /// Where it is kept.
    pub fn file() -> FileName {
        FileName::new("identity")
    }

    /// Where it is made.
    pub fn draft() -> FileName {
        FileName::new("identity.new")
    }

    /// The file's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        out.u64(IDENTITY_MAGIC);
        out.u32(VERSION);
        out.u64(self.cluster);
        out.u64(self.node);
        out.u64(self.nonce);
        let crc = crc32c::crc32c(&out);
        out.u32(crc);
        out.into()
    }

    /// The version and, if it is ours, the identity.
    pub fn decode(bytes: &Bytes) -> Result<(u32, Self), DecodeError> {
        let mut from = Reader::new(bytes.clone());
        if from.u64()? != IDENTITY_MAGIC {
            return Err(DecodeError("not an identity"));
        }
        let version = from.u32()?;
        let identity = Self { cluster: from.u64()?, node: from.u64()?, nonce: from.u64()? };
        let covered = bytes.len() - from.remaining();
        let crc = from.u32()?;
        from.end()?;
        if crc32c::crc32c(&bytes[..covered]) != crc {
            return Err(DecodeError("the checksum does not match"));
        }
        Ok((version, identity))
    }

    /// Where every CRC of this directory's log begins.
    pub fn crc_seed(&self) -> u32 {
        crc32c::crc32c(&self.nonce.to_le_bytes())
    }
}

/// A segment's name.
pub fn segment_file(number: u64) -> FileName {
    FileName::new(&format!("wal-{number:016x}"))
}

/// The number in a segment's name.
pub fn segment_number(file: &FileName) -> Option<u64> {
    let digits = file.as_str().strip_prefix("wal-")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (segment_file(number) == *file).then_some(number)
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Whose it is.
    pub identity: Identity,
    /// Its place in the row.
    pub number: u64,
    /// (index, term) of the last entry in memory before its first batch.
    pub base: (u64, u64),
    /// The number of its first batch.
    pub batch: u64,
    /// The CRC of the batch before its first.
    pub crc: u32,
}

impl SegmentHeader {
    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u64(SEGMENT_MAGIC);
        out.u32(VERSION);
        for number in [
            self.identity.cluster,
            self.identity.node,
            self.number,
            self.base.0,
            self.base.1,
            self.batch,
        ] {
            out.u64(number);
        }
        out.u32(self.crc);
        let crc = crc32c::crc32c_append(self.identity.crc_seed(), &out[start..]);
        out.u32(crc);
        out.u32(0);
        debug_assert_eq!(out.len() - start, SEGMENT_HEADER, "the header's size is fixed");
    }

    /// Reads a header written by `identity`.
    pub fn decode(bytes: &Bytes, identity: Identity) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes.clone());
        if from.u64()? != SEGMENT_MAGIC {
            return Err(DecodeError("not a log segment"));
        }
        if from.u32()? != VERSION {
            return Err(DecodeError("a log segment of another version"));
        }
        let (cluster, node, number) = (from.u64()?, from.u64()?, from.u64()?);
        let (base, batch, crc) = ((from.u64()?, from.u64()?), from.u64()?, from.u32()?);
        let covered = bytes.len() - from.remaining();
        if crc32c::crc32c_append(identity.crc_seed(), &bytes[..covered]) != from.u32()? {
            return Err(DecodeError("the segment header's checksum does not match"));
        }
        if (cluster, node) != (identity.cluster, identity.node) {
            return Err(DecodeError("a log segment of another member"));
        }
        Ok(Self { identity, number, base, batch, crc })
    }
}

/// One thing in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An entry; it cuts off whatever stood at its index and behind.
    Entry(Entry),
    /// A snapshot of (index, term) took the log's place.
    Snapshot(u64, u64),
}

impl Item {
    /// Appends the item to a batch's payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Entry(entry) => {
                out.u8(1);
                entry.encode(out);
            }
            Self::Snapshot(index, term) => {
                out.u8(2);
                out.u64(*index);
                out.u64(*term);
            }
        }
    }

    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        match from.u8()? {
            1 => Ok(Self::Entry(Entry::decode(from)?)),
            2 => Ok(Self::Snapshot(from.u64()?, from.u64()?)),
            _ => Err(DecodeError("unknown kind of item")),
        }
    }
}

/// One batch, as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its place in the stream.
    pub number: u64,
    /// The CRC of the batch before.
    pub before: u32,
    /// Its own CRC.
    pub crc: u32,
    /// Its bytes, header and padding included.
    pub size: usize,
    /// The hard state after it.
    pub hard: Hard,
    /// What it holds.
    pub items: Vec<Item>,
}

/// Appends a batch whose items are already encoded; returns its CRC.
pub fn encode_batch(
    seed: u32,
    number: u64,
    before: u32,
    hard: Hard,
    items: &[u8],
    out: &mut Vec<u8>,
) -> u32 {
    let start = out.len();
    out.u32(BATCH_MAGIC);
    out.u32(u32::try_from(24 + items.len()).expect("batches are bounded"));
    out.u64(number);
    out.u32(before);
    out.u32(0);
    out.u64(hard.term);
    out.u64(hard.vote);
    out.u64(hard.commit);
    out.extend_from_slice(items);
    let crc = batch_crc(seed, &out[start..]);
    out[start + 20..start + 24].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + (out.len() - start).next_multiple_of(8), 0);
    crc
}

/// Everything but the CRC's own four bytes.
fn batch_crc(seed: u32, batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &batch[..20]), &batch[24..])
}

/// Reads the batch at the beginning of `bytes`, whatever its place in the stream.
pub fn decode_batch(seed: u32, bytes: &Bytes) -> Result<Batch, DecodeError> {
    let mut from = Reader::new(bytes.clone());
    if from.u32()? != BATCH_MAGIC {
        return Err(DecodeError("no batch begins here"));
    }
    let length = from.u32()? as usize;
    let (number, before, crc) = (from.u64()?, from.u32()?, from.u32()?);
    if length > from.remaining() {
        return Err(DecodeError("the batch is cut short"));
    }
    if batch_crc(seed, &bytes[..BATCH_HEADER + length]) != crc {
        return Err(DecodeError("the batch's checksum does not match"));
    }
    let mut payload = Reader::new(bytes.slice(BATCH_HEADER..BATCH_HEADER + length));
    let hard = Hard { term: payload.u64()?, vote: payload.u64()?, commit: payload.u64()? };
    let mut items = Vec::new();
    while payload.remaining() > 0 {
        items.push(Item::decode(&mut payload)?);
    }
    let size = (BATCH_HEADER + length).next_multiple_of(8);
    Ok(Batch { number, before, crc, size, hard, items })
}

/// Whether a batch may begin here: cheap, before anything is summed.
pub fn looks_like_batch(bytes: &[u8]) -> bool {
    bytes.len() >= BATCH_HEADER && bytes[..4] == BATCH_MAGIC.to_le_bytes()
}
