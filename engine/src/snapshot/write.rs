//! Writing this node's own snapshot beside live traffic.

use crate::boundary::{DiskId, DiskOp};
use crate::state::State;
use crate::wal::DiskIds;

use super::{Stream, own_draft, snapshot_file};

/// Bytes written between two syncs, so that none of them keeps the log waiting for long.
const SYNC_BYTES: u64 = 4 << 20;

/// One snapshot on its way to the disk, one operation at a time: created under a
/// draft's name, written unsynced as fast as it is allowed to, synced with its
/// footer, renamed.
#[derive(Debug)]
pub(crate) struct SnapshotWriter {
    stream: Stream,
    chunk_bytes: usize,
    offset: u64,
    /// How far it was synced.
    synced: u64,
    stage: Stage,
    pending: Option<DiskId>,
    allowance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Creating,
    Writing,
    Syncing,
    Renaming,
}

/// What the end of a disk operation means for the snapshot.
#[derive(Debug)]
pub(crate) enum Written {
    /// It was not the snapshot's.
    NotMine,
    /// It goes on.
    Part,
    /// The snapshot is durable under its name.
    Whole,
}

impl SnapshotWriter {
    /// Freezes the state and begins.
    pub fn begin(cluster: u64, state: State, chunk_bytes: usize) -> Self {
        let stream = Stream::new(cluster, state);
        let stage = Stage::Creating;
        Self { stream, chunk_bytes, offset: 0, synced: 0, stage, pending: None, allowance: 1 }
    }

    /// (index, term) of the last entry in it.
    pub fn at(&self) -> (u64, u64) {
        self.stream.at()
    }

    /// The state in it.
    pub fn state(&self) -> &State {
        self.stream.state()
    }

    /// Lets so many more chunks be written.
    pub fn allow(&mut self, chunks: u64) {
        self.allowance = self.allowance.saturating_add(chunks);
    }

    /// The log has grown by so much since this began; be whole when it has grown to
    /// the goal.
    pub fn pace(&mut self, (grown, goal): (u64, u64)) {
        let size = u128::from(self.stream.estimated_bytes());
        let share = size * u128::from(grown) / u128::from(goal.max(1));
        if share > self.offset.into() || grown >= goal {
            self.allowance = self.allowance.max(1);
        }
    }

    /// The next operation, if one may start.
    pub fn next(&mut self, ids: &mut DiskIds) -> Option<(DiskId, DiskOp)> {
        if self.pending.is_some() {
            return None;
        }
        let file = own_draft();
        let op = match self.stage {
            Stage::Creating => DiskOp::Create { file, size: 0 },
            Stage::Writing if self.allowance == 0 => return None,
            Stage::Writing => {
                self.allowance -= 1;
                let (bytes, last) = self.stream.next(self.chunk_bytes);
                let offset = self.offset;
                self.offset += bytes.len() as u64;
                if last {
                    self.stage = Stage::Syncing;
                }
                let sync = last || self.offset - self.synced >= SYNC_BYTES;
                if sync {
                    self.synced = self.offset;
                }
                DiskOp::Write { file, offset, bytes, sync }
            }
            Stage::Syncing => unreachable!("the footer's write is pending"),
            Stage::Renaming => DiskOp::Rename { from: file, to: snapshot_file(self.at().0) },
        };
        let id = ids.next();
        self.pending = Some(id);
        Some((id, op))
    }

    /// Whether it is about to appear under its final name.
    pub fn renaming(&self) -> bool {
        self.stage == Stage::Renaming && self.pending.is_some()
    }

    /// A disk operation has ended well.
    pub fn landed(&mut self, id: DiskId) -> Written {
        if self.pending != Some(id) {
            return Written::NotMine;
        }
        self.pending = None;
        match self.stage {
            Stage::Creating => self.stage = Stage::Writing,
            Stage::Writing => {}
            Stage::Syncing => self.stage = Stage::Renaming,
            Stage::Renaming => return Written::Whole,
        }
        Written::Part
    }
}
