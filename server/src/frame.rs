//! What travels between members: checksummed frames, and the greeting that
//! opens a connection.
//!
//! ```text
//! frame    length u32 · crc32c of the payload u32 · payload
//! greeting magic u32 · protocol version u32 · cluster u64 · history u64 · from u64 · to u64
//! ```
//! All integers are little-endian.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use quorate_engine::NodeId;
use quorate_engine::codec::{DecodeError, Encode, Reader};
use quorate_engine::message::PROTOCOL_VERSION;

use crate::identity::Identity;

const HEADER: usize = 8;
const MAGIC: u32 = u32::from_le_bytes(*b"qrt2");

/// Bytes of a greeting, which is also the most that a stranger may send.
pub const GREETING_BYTES: usize = 40;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It announces more than anybody here would send.
    TooLong(u32),
    /// The payload is not what was sent.
    Checksum,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => write!(f, "a frame of {length} bytes"),
            Self::Checksum => f.write_str("a frame with a wrong checksum"),
        }
    }
}

/// Appends a frame.
///
/// # Panics
/// On 4 GiB or more: every message is bounded far below.
pub fn put(out: &mut Vec<u8>, payload: &[u8]) {
    out.u32(u32::try_from(payload.len()).expect("a bounded message fits u32"));
    out.u32(crc32c::crc32c(payload));
    out.extend_from_slice(payload);
}

/// Takes the first frame from what has arrived; `None` until all of it is there.
/// The payload is a copy: it does not keep the buffer alive.
pub fn take(arrived: &mut BytesMut, max_bytes: usize) -> Result<Option<Bytes>, FrameError> {
    let Some((header, rest)) = arrived.split_at_checked(HEADER) else {
        return Ok(None);
    };
    let mut header = header;
    let (length, crc) = (header.get_u32_le(), header.get_u32_le());
    if length as usize > max_bytes {
        return Err(FrameError::TooLong(length));
    }
    let Some(payload) = rest.get(..length as usize) else {
        return Ok(None);
    };
    if crc32c::crc32c(payload) != crc {
        return Err(FrameError::Checksum);
    }
    let payload = Bytes::copy_from_slice(payload);
    arrived.advance(HEADER + payload.len());
    Ok(Some(payload))
}

/// The first frame in each direction: who speaks to whom, and in what language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version of the messages that follow.
    pub protocol: u32,
    /// The cluster.
    pub cluster: u64,
    /// Events in its history window.
    pub history: u64,
    /// Who speaks.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
}

impl Greeting {
    /// A greeting in this version's protocol.
    pub fn new(identity: &Identity, to: NodeId) -> Self {
        let (cluster, history) = (identity.cluster, identity.history_events as u64);
        Self { protocol: PROTOCOL_VERSION, cluster, history, from: identity.id, to }
    }

    /// The greeting as a whole frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(GREETING_BYTES);
        payload.u32(MAGIC);
        payload.u32(self.protocol);
        payload.u64(self.cluster);
        payload.u64(self.history);
        payload.u64(self.from);
        payload.u64(self.to);
        let mut out = Vec::with_capacity(HEADER + GREETING_BYTES);
        put(&mut out, &payload);
        out
    }

    /// Reads a frame's payload.
    pub fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader::new(payload);
        if from.u32()? != MAGIC {
            return Err(DecodeError("not a member of a Quorate cluster"));
        }
        let greeting = Self {
            protocol: from.u32()?,
            cluster: from.u64()?,
            history: from.u64()?,
            from: from.u64()?,
            to: from.u64()?,
        };
        from.end()?;
        Ok(greeting)
    }

    /// What is wrong with this greeting for one who expected `expected`.
    pub fn differs(&self, expected: &Self) -> Option<String> {
        let theirs = self;
        if theirs.protocol != expected.protocol {
            return Some(format!(
                "it speaks protocol {}, this member {}",
                theirs.protocol, expected.protocol
            ));
        }
        if theirs.cluster != expected.cluster {
            return Some(format!(
                "it belongs to cluster {:x}, this member to {:x}",
                theirs.cluster, expected.cluster
            ));
        }
        if theirs.history != expected.history {
            return Some(format!(
                "its --history-events is {}, this member's {}",
                theirs.history, expected.history
            ));
        }
        if (theirs.from, theirs.to) != (expected.from, expected.to) {
            return Some(format!(
                "it is {:x} and looks for {:x}; expected {:x} looking for {:x}",
                theirs.from, theirs.to, expected.from, expected.to
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let mut wire = Vec::new();
        let payloads: [&[u8]; 3] = [b"one", b"", &[7; 300]];
        payloads.iter().for_each(|payload| put(&mut wire, payload));
        let (mut arrived, mut found) = (BytesMut::new(), Vec::new());
        for byte in wire {
            arrived.extend_from_slice(&[byte]);
            while let Some(payload) = take(&mut arrived, 300).unwrap() {
                found.push(payload);
            }
        }
        assert_eq!(found, payloads);
        assert!(arrived.is_empty());
    }

    #[test]
    fn a_flipped_bit_and_a_long_frame_are_refused() {
        let mut wire = Vec::new();
        put(&mut wire, b"hello");
        for bit in 32..wire.len() * 8 {
            let mut flipped = BytesMut::from(&wire[..]);
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(take(&mut flipped, 5), Err(FrameError::Checksum), "bit {bit}");
        }
        assert_eq!(take(&mut BytesMut::from(&wire[..]), 4), Err(FrameError::TooLong(5)));
    }

    #[test]
    fn a_greeting_is_read_back_and_each_difference_named() {
        let ours = Greeting { protocol: PROTOCOL_VERSION, cluster: 1, history: 4, from: 2, to: 3 };
        let mut arrived = BytesMut::from(&ours.frame()[..]);
        let payload = take(&mut arrived, GREETING_BYTES).unwrap().unwrap();
        assert_eq!(Greeting::decode(payload), Ok(ours));
        assert_eq!(ours.differs(&ours), None);
        let others = [
            (Greeting { protocol: 9, ..ours }, "protocol 9"),
            (Greeting { cluster: 9, ..ours }, "cluster 9"),
            (Greeting { history: 9, ..ours }, "--history-events is 9, this member's 4"),
            (Greeting { from: 9, ..ours }, "it is 9"),
            (Greeting { to: 9, ..ours }, "looks for 9"),
        ];
        for (other, word) in others {
            assert!(other.differs(&ours).unwrap().contains(word));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut arrived = BytesMut::from(&bytes[..]);
            while let Ok(Some(payload)) = take(&mut arrived, 256) {
                prop_assert!(payload.len() <= 256);
                let _ = Greeting::decode(payload.clone());
                let _ = quorate_engine::Message::decode(payload);
            }
            prop_assert!(arrived.len() <= bytes.len());
        }

        #[test]
        fn no_payload_breaks_the_decoders(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut wire = Vec::new();
            put(&mut wire, &bytes);
            let payload = take(&mut BytesMut::from(&wire[..]), 600).unwrap().unwrap();
            let _ = Greeting::decode(payload.clone());
            let _ = quorate_engine::Message::decode(payload);
        }
    }
}
