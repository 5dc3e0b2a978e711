//! The alphabet of everything the engine writes: little-endian integers and
//! length-prefixed bytes, read back without trust.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};

/// Bytes from outside that do not mean anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub &'static str);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for DecodeError {}

/// Appends values to a buffer.
pub trait Encode {
    /// One byte.
    fn u8(&mut self, value: u8);
    /// Four bytes.
    fn u32(&mut self, value: u32);
    /// Eight bytes.
    fn u64(&mut self, value: u64);
    /// Four bytes of length, then the bytes.
    ///
    /// # Panics
    /// If there are 4 GiB or more: every size is bounded far below.
    fn bytes(&mut self, value: &[u8]);

    /// As [`Encode::bytes`].
    fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// One byte, 0 or 1.
    fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }
}

impl Encode for Vec<u8> {
    fn u8(&mut self, value: u8) {
        self.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("a bounded size fits u32"));
        self.extend_from_slice(value);
    }
}

/// Takes values from the front of untrusted bytes; each read says what was
/// missing.
#[derive(Clone, Debug)]
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    /// Reads from the first byte on.
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Fails unless everything has been read.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError("bytes after the end")) }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.rest.try_get_u8().map_err(|_| DecodeError("cut short"))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.rest.try_get_u32_le().map_err(|_| DecodeError("cut short"))
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.rest.try_get_u64_le().map_err(|_| DecodeError("cut short"))
    }

    /// One byte that must be 0 or 1.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError("neither true nor false")),
        }
    }

    /// So many bytes, shared with the buffer they came in.
    pub fn take(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.rest.len() {
            return Err(DecodeError("cut short"));
        }
        Ok(self.rest.split_to(len))
    }

    /// Length-prefixed bytes, shared with the buffer they came in.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// Everything not read yet.
    pub fn rest(self) -> Bytes {
        self.rest
    }

    /// Length-prefixed UTF-8, copied, so that it does not keep a whole buffer
    /// alive.
    pub fn str(&mut self) -> Result<Arc<str>, DecodeError> {
        let len = self.u32()? as usize;
        let bytes = self.rest.get(..len).ok_or(DecodeError("cut short"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError("not UTF-8"))?.into();
        self.rest.advance(len);
        Ok(text)
    }

    /// A count of things that each take at least `least` bytes: bounded by what
    /// is there, so that a lie cannot make anybody allocate.
    pub fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.u32()? as usize;
        if count.saturating_mul(least) > self.rest.len() {
            return Err(DecodeError("more things announced than there are bytes"));
        }
        Ok(count)
    }
}
