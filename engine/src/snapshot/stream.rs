//! A snapshot's bytes, made and read back record by record.
//!
//! ```text
//! record   kind 1 · length 4 · crc 4 · payload         the CRC covers kind, length, payload
//! 1 head   version 4 · cluster 8 · index 8 · term 8    and the CRC of the record before
//! 2 members
//! 3 tree   one part; as many as it takes
//! 4 foot   records before 8 · digest 8
//! ```
//!
//! The bytes are a function of the state alone: every member's snapshot at one
//! index is the same file.

use bytes::Bytes;

use crate::boundary::Member;
use crate::codec::{DecodeError, Encode, Reader};
use crate::state::State;
use crate::tree::{Frozen, Thaw};

const VERSION: u32 = 1;
const HEAD: u8 = 1;
const MEMBERS: u8 = 2;
const TREE: u8 = 3;
const FOOT: u8 = 4;
/// Every tree part is cut at this size, wherever the snapshot goes.
const PART_BYTES: usize = 64 << 10;

/// A state being written down.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    cluster: u64,
    state: State,
    frozen: Frozen,
    next: u8,
    records: u64,
    crc: u32,
}

impl Stream {
    /// Freezes the state: O(1).
    pub fn new(cluster: u64, state: State) -> Self {
        let frozen = state.tree.freeze();
        Self { cluster, state, frozen, next: HEAD, records: 0, crc: 0 }
    }

    /// (index, term) of the last entry in it.
    pub fn at(&self) -> (u64, u64) {
        self.state.applied
    }

    /// The state being written.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// About how many bytes it will have.
    pub fn estimated_bytes(&self) -> u64 {
        self.state.tree.bytes()
    }

    /// The next whole records, at least `max_bytes` of them if there are so many;
    /// the flag says whether these are the last.
    pub fn next(&mut self, max_bytes: usize) -> (Bytes, bool) {
        let mut out = Vec::with_capacity(max_bytes + PART_BYTES);
        while out.len() < max_bytes && self.next <= FOOT {
            self.record(&mut out);
        }
        (out.into(), self.next > FOOT)
    }

    fn record(&mut self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let kind = self.next;
        match kind {
            HEAD => {
                payload.u32(VERSION);
                payload.u64(self.cluster);
                payload.u64(self.state.applied.0);
                payload.u64(self.state.applied.1);
                self.next = MEMBERS;
            }
            MEMBERS => {
                payload = self.state.encode_members();
                self.next = TREE;
            }
            TREE => {
                if !self.frozen.next_part(PART_BYTES, &mut payload) {
                    self.next = FOOT;
                    if payload.is_empty() {
                        return;
                    }
                }
            }
            _ => {
                payload.u64(self.records);
                payload.u64(self.state.digest());
                self.next = FOOT + 1;
            }
        }
        self.records += 1;
        self.crc = encode_record(kind, self.crc, &payload, out);
    }
}

fn encode_record(kind: u8, before: u32, payload: &[u8], out: &mut Vec<u8>) -> u32 {
    let length = u32::try_from(payload.len()).expect("parts are bounded");
    let crc = record_crc(kind, length, before, payload);
    out.u8(kind);
    out.u32(length);
    out.u32(crc);
    out.extend_from_slice(payload);
    crc
}

fn record_crc(kind: u8, length: u32, before: u32, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(before, &[kind]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &length.to_le_bytes()), payload)
}

/// A state being read back.
#[derive(Debug)]
pub(crate) struct Collector {
    cluster: u64,
    history_events: usize,
    at: Option<(u64, u64)>,
    state: Option<State>,
    thaw: Thaw,
    members: Option<Vec<Member>>,
    records: u64,
    crc: u32,
}

impl Collector {
    /// Expects a snapshot of this cluster.
    pub fn new(cluster: u64, history_events: usize) -> Self {
        Self {
            cluster,
            history_events,
            at: None,
            state: None,
            thaw: Thaw::default(),
            members: None,
            records: 0,
            crc: 0,
        }
    }

    /// Takes whole records; on an error, also says how many bytes were good.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), (usize, DecodeError)> {
        let mut from = Reader::new(bytes.clone());
        while from.remaining() > 0 {
            let good = bytes.len() - from.remaining();
            self.record(&mut from).map_err(|error| (good, error))?;
        }
        Ok(())
    }

    /// (index, term) in its head, once that has been read.
    pub fn at(&self) -> Option<(u64, u64)> {
        self.at
    }

    /// Whether the footer has been read and everything was right.
    pub fn whole(&self) -> bool {
        self.state.is_some()
    }

    /// The state, if the snapshot was whole.
    pub fn finish(self) -> Result<State, DecodeError> {
        self.state.ok_or(DecodeError("the snapshot has no footer"))
    }

    fn record(&mut self, from: &mut Reader) -> Result<(), DecodeError> {
        let (kind, length, crc) = (from.u8()?, from.u32()?, from.u32()?);
        let payload = from.take(length as usize)?;
        if record_crc(kind, length, self.crc, &payload) != crc {
            return Err(DecodeError("a record's checksum does not match"));
        }
        if self.state.is_some() {
            return Err(DecodeError("records after the footer"));
        }
        let mut payload = Reader::new(payload);
        match kind {
            HEAD if self.records == 0 => self.head(&mut payload)?,
            MEMBERS if self.records == 1 => {
                self.members = Some(State::decode_members(&mut payload)?);
                payload.end()?;
            }
            TREE if self.records >= 2 => self.thaw.part(payload.rest())?,
            FOOT if self.records >= 2 => self.foot(&mut payload)?,
            _ => return Err(DecodeError("a record stands out of its order")),
        }
        self.crc = crc;
        self.records += 1;
        Ok(())
    }

    fn head(&mut self, payload: &mut Reader) -> Result<(), DecodeError> {
        if payload.u32()? != VERSION {
            return Err(DecodeError("a snapshot of another version"));
        }
        if payload.u64()? != self.cluster {
            return Err(DecodeError("a snapshot of another cluster"));
        }
        self.at = Some((payload.u64()?, payload.u64()?));
        payload.end()
    }

    fn foot(&mut self, payload: &mut Reader) -> Result<(), DecodeError> {
        if payload.u64()? != self.records {
            return Err(DecodeError("records are missing"));
        }
        let tree = std::mem::take(&mut self.thaw).finish(self.history_events)?;
        let members = self.members.take().ok_or(DecodeError("the members are missing"))?;
        let applied = self.at.ok_or(DecodeError("the head is missing"))?;
        let mut state = State::new(tree, members);
        state.applied = applied;
        if payload.u64()? != state.digest() {
            return Err(DecodeError("the digest does not match"));
        }
        self.state = Some(state);
        payload.end()
    }
}
