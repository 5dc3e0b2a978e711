//! The tail of the raft log, in memory, as raft-rs wants to read it.

use std::fmt;

use bytes::Bytes;

use crate::codec::{DecodeError, Encode, Reader};
use crate::command::Command;

/// One entry of the raft log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub index: u64,
    /// The term of the leader that proposed it.
    pub term: u64,
    /// A [`Command`] in bytes; empty in the entry with which a leader begins.
    pub data: Bytes,
}

impl Entry {
    /// The least that one takes in bytes.
    pub const LEAST_BYTES: usize = 20;

    /// Appends the entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.index);
        out.u64(self.term);
        out.bytes(&self.data);
    }

    /// Reads what [`Entry::encode`] wrote.
    pub fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { index: from.u64()?, term: from.u64()?, data: from.bytes()? })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)?;
        if self.data.is_empty() {
            return Ok(());
        }
        match Command::decode(self.data.clone()) {
            Ok(command) => write!(f, " {command}"),
            Err(error) => write!(f, " ({error})"),
        }
    }
}
