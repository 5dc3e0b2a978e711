//! What the engine asks of its disk, and what comes back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::snapshot::snapshot_index;

/// A name in the node's data directory. Files the engine does not know by name
/// are left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// A file of this name: one path component.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a durable snapshot would bear it.
    pub fn is_snapshot(&self) -> bool {
        snapshot_index(self).is_some()
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data directory as found at birth: every file, whole.
pub type Image = BTreeMap<FileName, Bytes>;

/// What the engine asks of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Make a new file of `size` zero bytes. Done: the file, its size and its
    /// name are durable. But one of no bytes is a draft until it is renamed: after a
    /// crash there may be any bytes behind those written.
    Create {
        /// The new name; whatever bore it is replaced.
        file: FileName,
        /// Bytes, all zero.
        size: u64,
    },
    /// Put bytes at an offset, growing the file if they reach past its end.
    /// Done with `sync`: these and every earlier write to this file are durable.
    /// Done without: nothing is promised.
    Write {
        /// Where.
        file: FileName,
        /// Bytes from the beginning of the file.
        offset: u64,
        /// What.
        bytes: Bytes,
        /// Whether durability is asked for.
        sync: bool,
    },
    /// Give a file another name, replacing what bore it. Done: durable.
    Rename {
        /// The name before.
        from: FileName,
        /// The name after.
        to: FileName,
    },
    /// Cut a file to `len` bytes. Done: durable.
    Truncate {
        /// Which file.
        file: FileName,
        /// Bytes that stay.
        len: u64,
    },
    /// Remove a file. Done: durable.
    Remove {
        /// Which file.
        file: FileName,
    },
}

impl DiskOp {
    /// The file concerned (a rename's old name).
    pub fn file(&self) -> &FileName {
        match self {
            Self::Create { file, .. }
            | Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::Remove { file }
            | Self::Rename { from: file, .. } => file,
        }
    }
}

/// What the operating system said of a failed disk operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError(pub String);
