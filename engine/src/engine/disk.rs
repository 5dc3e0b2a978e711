//! What the disk answers, and what is asked of it.

use crate::boundary::{DiskError, DiskId, DiskOp, Halt, NodeId, Output};
use crate::discarded::Discarded;
use crate::snapshot::{Received, Written, snapshot_file};
use crate::state::State;
use crate::wal::Landed;

use super::{Engine, Install, reply_all};

impl Engine {
    pub(super) fn disk(
        &mut self,
        id: DiskId,
        result: Result<(), DiskError>,
        out: &mut Vec<Output>,
    ) -> Result<(), Halt> {
        let file = self.pending.remove(&id);
        let file =
            file.unwrap_or_else(|| panic!("disk operation {id} is completed but not pending"));
        result.map_err(|error| Halt::Disk { file, error })?;
        self.landed(id, out);
        Ok(())
    }

    fn landed(&mut self, id: DiskId, out: &mut Vec<Output>) {
        match self.wal.landed(id, &mut self.ids) {
            (Landed::Next(op), id) => return self.issue(Some((id, op)), out),
            (Landed::All { held, number }, _) => {
                if let Some(number) = number {
                    self.consensus.persisted(number);
                    self.install_up_to(number, out);
                }
                return self.send_all(held, out);
            }
            (Landed::NotMine, _) => {}
        }
        match self.keeper.landed(id) {
            Written::Whole => return self.snapshot_durable(),
            Written::Part => return,
            Written::NotMine => {}
        }
        match self.receiver.landed(id) {
            Received::Ack(to, message) => out.push(Output::Peer { to, message }),
            Received::Whole { from, term, state } => self.snapshot_arrived(from, term, *state, out),
            Received::Part | Received::NotMine => {}
        }
    }

    /// Starts what may be started on the disk.
    pub(super) fn start_writes(&mut self, out: &mut Vec<Output>) {
        let (hard, now) = (self.consensus.hard(), self.clock.now());
        let write = self.wal.take_off(hard, self.consensus.log(), &mut self.ids, now);
        self.issue(write, out);
        if !self.wal.sound() {
            return;
        }
        if self.install.is_none() {
            self.keeper.consider(&self.state, self.consensus.log().bytes());
        }
        self.keeper.pace(self.state.applied.0, self.consensus.log().bytes());
        let write = self.keeper.next(&mut self.ids);
        self.issue(write, out);
        let write = self.receiver.next(&mut self.ids);
        self.issue(write, out);
    }

    pub(super) fn issue(&mut self, op: Option<(DiskId, DiskOp)>, out: &mut Vec<Output>) {
        if let Some((id, op)) = op {
            if let DiskOp::Rename { to, .. } = &op {
                self.keeper.keep(to);
            }
            self.pending.insert(id, op.file().clone());
            out.push(Output::Disk { id, op });
        }
    }

    /// A snapshot is durable: what it covers may go.
    fn snapshot_durable(&mut self) {
        let (index, term) = self.keeper.durable();
        self.consensus.offer_snapshot(index, term);
        let (entries, bytes) = (self.config.catch_up_entries, self.config.max_log_bytes / 4);
        let log = self.consensus.log();
        let purge = log.compactable(index, entries, bytes);
        // A follower that is being sent a snapshot wants what comes behind it.
        let awaited = self.senders.oldest().filter(|_| log.bytes() <= bytes);
        let entries = self.consensus.compact(purge.min(awaited.unwrap_or(purge)));
        self.discarded =
            Discarded { states: self.keeper.replaced().into_iter().collect(), entries };
        // While a received snapshot is being installed, the log in memory already
        // begins behind it, and the one on disk does not.
        let covered = (self.consensus.log().first() - 1).min(index);
        self.keeper.discard(self.wal.release(covered));
    }

    /// A received snapshot is verified and durable: now raft may know. It may
    /// find that the log has got there by itself, or that the leader is gone.
    fn snapshot_arrived(&mut self, from: NodeId, term: u64, state: State, out: &mut Vec<Output>) {
        let (at, digest) = (state.applied, state.digest());
        if self.install.is_none() && at.0 > self.consensus.committed() {
            self.install = Some(Install { state, number: None });
            self.consensus.snapshot_received(from, term, at);
            while let Some(work) = self.consensus.work() {
                if let Err(halt) = self.perform(work, out) {
                    return self.halt(halt, out);
                }
            }
            if self.install.as_ref().is_some_and(|install| install.number.is_some()) {
                return;
            }
            self.install = None;
        }
        if self.state.applied == at && self.state.digest() != digest {
            return self.halt(Halt::Diverged { index: at.0 }, out);
        }
        if !self.keeper.holds(at.0) {
            self.keeper.discard([snapshot_file(at.0)]);
        }
    }

    /// The log says durably that the snapshot took its place: so it does.
    fn install_up_to(&mut self, number: u64, out: &mut Vec<Output>) {
        let durable = |install: &mut Install| install.number.is_some_and(|it| it <= number);
        let Some(Install { state, .. }) = self.install.take_if(durable) else { return };
        let before = std::mem::replace(&mut self.state, state.clone());
        let seen = before.tree.store_index();
        let mut answers = Vec::new();
        self.watches.installed(seen, &self.state.tree, &mut answers);
        reply_all(answers, out);
        self.consensus.applied(self.state.applied.0);
        self.keeper.installed(state);
        self.snapshot_durable();
        self.discarded.states.push(before);
        self.lose_writes(out);
    }
}
