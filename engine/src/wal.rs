//! The write-ahead log: term, vote and entries in one stream of batches, each
//! durable before what depends on it leaves the node.
//!
//! A log is a row of segment files. A segment is a header and then batches; a
//! batch is one write to the disk. Only one write flies at a time, so only the
//! very last batch can be torn.

mod record;
mod recover;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use record::{Hard, Identity, VERSION, segment_file, segment_number};
pub(crate) use recover::{MAX_COUNT, Recovered, recover};
pub(crate) use writer::{DiskIds, Landed, Writer};
