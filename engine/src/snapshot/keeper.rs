//! All that this node does about snapshots: when one is due, how fast it is
//! written, what may be removed once it is durable.

use std::collections::VecDeque;

use crate::boundary::{DiskId, DiskOp, FileName};
use crate::config::Config;
use crate::state::State;
use crate::wal::DiskIds;

use super::{SnapshotWriter, Stream, Written, snapshot_file};

/// The snapshots of one node: at most one durable, at most one being written.
#[derive(Debug)]
pub(crate) struct Keeper {
    cluster: u64,
    chunk_bytes: usize,
    entries: u64,
    /// What the log may hold at most.
    bytes: u64,
    writer: Option<SnapshotWriter>,
    /// The state in the durable snapshot, kept frozen to be sent.
    durable: Option<State>,
    /// The state that it replaced.
    replaced: Option<State>,
    /// The raft index at which the last one began, and the log's bytes then.
    begun: u64,
    begun_bytes: u64,
    /// Files that are no longer needed, removed one after the other.
    rubbish: VecDeque<FileName>,
    removing: Option<DiskId>,
}

impl Keeper {
    /// The durable snapshot is the one found at birth.
    pub fn new(config: &Config, found: &State) -> Self {
        let (begun, _) = found.applied;
        Self {
            cluster: config.cluster,
            chunk_bytes: config.chunk_bytes,
            entries: config.snapshot_entries,
            bytes: config.max_log_bytes,
            writer: None,
            durable: (begun > 0).then(|| found.clone()),
            replaced: None,
            begun,
            begun_bytes: 0,
            rubbish: VecDeque::new(),
            removing: None,
        }
    }

    /// (index, term) of the durable snapshot; (0, 0) if there is none.
    pub fn durable(&self) -> (u64, u64) {
        self.durable.as_ref().map_or((0, 0), |state| state.applied)
    }

    /// Whether the file of this index is the durable snapshot's, or about to be.
    pub fn holds(&self, index: u64) -> bool {
        self.durable().0 == index || self.writer.as_ref().is_some_and(|it| it.at().0 == index)
    }

    /// The durable snapshot, to be sent.
    pub fn stream(&self) -> Option<Stream> {
        self.durable.clone().map(|state| Stream::new(self.cluster, state))
    }

    /// Begins a snapshot if one is due: so many entries after the last began, or
    /// when the log has grown too large, but never two at once.
    pub fn consider(&mut self, state: &State, log_bytes: u64) {
        let (applied, _) = state.applied;
        let too_large = log_bytes > self.bytes / 2 && applied > self.begun;
        if (applied >= self.begun + self.entries || too_large) && self.writer.is_none() {
            (self.begun, self.begun_bytes) = (applied, log_bytes);
            self.writer =
                Some(SnapshotWriter::begin(self.cluster, state.clone(), self.chunk_bytes));
        }
    }

    /// Lets the snapshot grow with the log: so slowly that writes hardly feel it, but
    /// whole before the next one is due, by entries or by bytes, whichever is further.
    pub fn pace(&mut self, applied: u64, log_bytes: u64) {
        if let Some(writer) = &mut self.writer {
            let entries = (applied - self.begun, self.entries - self.entries / 8);
            let bytes = (log_bytes.saturating_sub(self.begun_bytes), self.bytes.div_ceil(8));
            writer.pace(entries);
            writer.pace(bytes);
        }
    }

    /// A tick has passed: an idle node finishes its snapshot too.
    pub fn tick(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.allow(1);
        }
    }

    /// The next disk operation, if one may start.
    pub fn next(&mut self, ids: &mut DiskIds) -> Option<(DiskId, DiskOp)> {
        if let Some(op) = self.writer.as_mut().and_then(|writer| writer.next(ids)) {
            return Some(op);
        }
        if self.removing.is_some() {
            return None;
        }
        let file = self.rubbish.pop_front()?;
        let id = ids.next();
        self.removing = Some(id);
        Some((id, DiskOp::Remove { file }))
    }

    /// A disk operation has ended well.
    pub fn landed(&mut self, id: DiskId) -> Written {
        if self.removing.take_if(|removing| *removing == id).is_some() {
            return Written::Part;
        }
        let Some(writer) = &mut self.writer else { return Written::NotMine };
        let written = writer.landed(id);
        if let Written::Whole = written {
            let state = writer.state().clone();
            self.writer = None;
            self.replace(state);
        }
        written
    }

    /// A snapshot from the leader is installed: its file is durable under its
    /// name. What was being written is overtaken.
    pub fn installed(&mut self, state: State) {
        self.begun = state.applied.0;
        if let Some(writer) = self.writer.take().filter(SnapshotWriter::renaming) {
            self.rubbish.push_back(snapshot_file(writer.at().0));
        }
        self.replace(state);
    }

    /// These files are no longer needed.
    pub fn discard(&mut self, files: impl IntoIterator<Item = FileName>) {
        self.rubbish.extend(files);
    }

    /// This name is about to be another file's, which is not to be removed in the place of
    /// one that bore it before.
    pub fn keep(&mut self, name: &FileName) {
        self.rubbish.retain(|file| file != name);
    }

    /// The state of the snapshot that the durable one replaced, once.
    pub fn replaced(&mut self) -> Option<State> {
        self.replaced.take()
    }

    fn replace(&mut self, state: State) {
        let (index, _) = state.applied;
        self.replaced = self.durable.replace(state);
        if let Some(old) = self.replaced.as_ref().filter(|old| old.applied.0 != index) {
            self.rubbish.push_back(snapshot_file(old.applied.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_again_is_not_removed() {
        let config = Config::new(1, 1, Vec::new());
        let tree = crate::tree::Tree::new(1, 10);
        let mut keeper = Keeper::new(&config, &State::new(tree, Vec::new()));
        keeper.discard([snapshot_file(3), snapshot_file(4)]);
        keeper.keep(&snapshot_file(3));
        let ids = &mut DiskIds::default();
        let (id, op) = keeper.next(ids).expect("the other one goes");
        assert_eq!(op, DiskOp::Remove { file: snapshot_file(4) });
        assert!(matches!(keeper.landed(id), Written::Part));
        assert_eq!(keeper.next(ids), None);
    }
}
