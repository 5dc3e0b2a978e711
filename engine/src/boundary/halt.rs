//! Why an engine is not born, or stops for ever.

use std::fmt;

use super::{DiskError, FileName, NodeId};

/// Why the engine stopped for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A disk operation failed. It is never retried: after a failed sync nobody
    /// knows what the disk holds.
    Disk {
        /// On which file.
        file: FileName,
        /// What the operating system said.
        error: DiskError,
    },
    /// A leader says that this node once held entries that it does not hold: its
    /// disk has forgotten what it acknowledged.
    Amnesia {
        /// Committed, according to the leader.
        committed: u64,
        /// The last entry here.
        last: u64,
    },
    /// A committed entry says something that this version does not know.
    Unreadable {
        /// Which entry.
        index: u64,
    },
    /// A leader sent an entry that contradicts one committed here.
    Contradiction {
        /// Where the logs differ.
        index: u64,
    },
    /// A leader's snapshot holds another state than the same entries made here.
    Diverged {
        /// The last entry in it.
        index: u64,
    },
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { file, error } => write!(
                f,
                "the disk failed on {file}: {}; repair or replace it, then start again",
                error.0
            ),
            Self::Amnesia { committed, last } => write!(
                f,
                "the leader has committed up to {committed} with this member's help, but its log ends at {last}: \
                 this data directory has lost what it acknowledged; do not start it again"
            ),
            Self::Unreadable { index } => write!(
                f,
                "entry {index} was written by a version of another log format; start that version on this data directory"
            ),
            Self::Contradiction { index } => write!(
                f,
                "the leader's entry {index} contradicts the one committed here: \
                 one of the two data directories is damaged; keep both for inspection"
            ),
            Self::Diverged { index } => write!(
                f,
                "the leader's snapshot of entry {index} is not the state that this member has come to by the same \
                 entries: one of the two is damaged; keep both data directories for inspection"
            ),
        }
    }
}

/// Why a data directory was refused at birth. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoverError {
    /// Bytes that were once durable are not what they were.
    Corrupt {
        /// In which file.
        file: FileName,
        /// From which byte on.
        offset: u64,
        /// What is wrong with them.
        what: String,
    },
    /// A file that must be there is not.
    Missing {
        /// What is missing.
        what: String,
    },
    /// The directory belongs to another member or another cluster.
    Foreign {
        /// (cluster, node) that wrote it.
        found: (u64, NodeId),
        /// (cluster, node) of the configuration.
        expected: (u64, NodeId),
    },
    /// The directory was written in a format that this version does not read.
    Version {
        /// In which file.
        file: FileName,
        /// The version found.
        found: u32,
    },
    /// The configuration makes no sense.
    Config(String),
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { file, offset, what } => write!(
                f,
                "{file} is damaged from byte {offset} on: {what}; restore this member from another one"
            ),
            Self::Missing { what } => {
                write!(f, "{what} is missing; restore this member from another one")
            }
            Self::Foreign { found, expected } => write!(
                f,
                "the data belongs to member {:x} of cluster {:x}, but the flags describe member {:x} of cluster {:x}; \
                 use another --data-dir or correct --initial-cluster",
                found.1, found.0, expected.1, expected.0
            ),
            Self::Version { file, found } => {
                write!(f, "{file} is written in format {found}, which this version does not read")
            }
            Self::Config(what) => write!(f, "the configuration is not usable: {what}"),
        }
    }
}

impl std::error::Error for RecoverError {}
