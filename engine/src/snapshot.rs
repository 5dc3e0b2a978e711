//! Snapshots: the state at one index, as a file and on the wire the same bytes.

mod keeper;
mod receive;
mod send;
mod stream;
mod write;

pub(crate) use keeper::Keeper;
pub(crate) use receive::{Received, Receiver};
pub(crate) use send::Senders;
pub(crate) use stream::{Collector, Stream};
pub(crate) use write::{SnapshotWriter, Written};

use crate::boundary::FileName;

/// A snapshot's name once it is durable.
pub(crate) fn snapshot_file(index: u64) -> FileName {
    FileName::new(&format!("snap-{index:016x}"))
}

/// The index in a snapshot's name.
pub(crate) fn snapshot_index(file: &FileName) -> Option<u64> {
    let digits = file.as_str().strip_prefix("snap-")?;
    let index = u64::from_str_radix(digits, 16).ok()?;
    (snapshot_file(index) == *file).then_some(index)
}

/// Where this node writes its own snapshot.
pub(crate) fn own_draft() -> FileName {
    FileName::new("snapshot.own")
}

/// Where a snapshot from the leader is collected.
pub(crate) fn received_draft() -> FileName {
    FileName::new("snapshot.received")
}
