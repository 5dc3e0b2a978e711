//! Collecting a snapshot from the leader: verified part by part, made durable,
//! and only then shown to raft.

use std::collections::VecDeque;

use crate::boundary::{DiskId, DiskOp, NodeId};
use crate::config::Config;
use crate::message::{Chunk, Message};
use crate::state::State;
use crate::wal::DiskIds;

use super::{Collector, received_draft, snapshot_file};

/// At most one snapshot being collected: a newer one takes its place.
#[derive(Debug)]
pub(crate) struct Receiver {
    cluster: u64,
    history_events: usize,
    receipt: Option<Receipt>,
}

#[derive(Debug)]
struct Receipt {
    from: NodeId,
    term: u64,
    at: (u64, u64),
    collector: Collector,
    /// Bytes taken in order, and how many of them the disk has.
    taken: u64,
    written: u64,
    whole: bool,
    queue: VecDeque<DiskOp>,
    pending: Option<(DiskId, DiskOp)>,
}

/// What the end of a disk operation means for the snapshot.
#[derive(Debug)]
pub(crate) enum Received {
    /// It was not this room's.
    NotMine,
    /// It goes on.
    Part,
    /// Tell the leader how much has arrived.
    Ack(NodeId, Message),
    /// It is verified and durable: raft may be told.
    Whole {
        /// The leader that sent it.
        from: NodeId,
        /// In this term.
        term: u64,
        /// What it holds.
        state: Box<State>,
    },
}

impl Receiver {
    /// Nothing is being collected yet.
    pub fn new(config: &Config) -> Self {
        let (cluster, history_events) = (config.cluster, config.history_events);
        Self { cluster, history_events, receipt: None }
    }

    /// Takes a chunk. One that does not come next is answered with how far we
    /// are, or, if it begins another snapshot, starts afresh. Damaged ones are
    /// dropped with all that came before: the sender begins again.
    pub fn chunk(&mut self, from: NodeId, chunk: Chunk) -> Option<(NodeId, Message)> {
        let at = (chunk.index, chunk.index_term);
        let same =
            |receipt: &Receipt| (receipt.from, receipt.term, receipt.at) == (from, chunk.term, at);
        if !self.receipt.as_ref().is_some_and(same) {
            // A late first chunk of an older transfer begins nothing.
            let older =
                |receipt: &Receipt| (receipt.term, receipt.at.0) > (chunk.term, chunk.index);
            if chunk.offset != 0 || self.receipt.as_ref().is_some_and(older) {
                return None;
            }
            let collector = Collector::new(self.cluster, self.history_events);
            self.receipt = Some(Receipt::new(from, chunk.term, at, collector));
        }
        let receipt = self.receipt.as_mut()?;
        if chunk.offset != receipt.taken || receipt.whole {
            return receipt.idle().then(|| receipt.ack());
        }
        if !receipt.take(chunk) {
            self.receipt = None;
        }
        None
    }

    /// The next disk operation, if one may start.
    pub fn next(&mut self, ids: &mut DiskIds) -> Option<(DiskId, DiskOp)> {
        let receipt = self.receipt.as_mut().filter(|receipt| receipt.pending.is_none())?;
        let op = receipt.queue.pop_front()?;
        let id = ids.next();
        receipt.pending = Some((id, op.clone()));
        Some((id, op))
    }

    /// A disk operation has ended well.
    pub fn landed(&mut self, id: DiskId) -> Received {
        let Some(receipt) = &mut self.receipt else { return Received::NotMine };
        let Some((_, op)) = receipt.pending.take_if(|(pending, _)| *pending == id) else {
            return Received::NotMine;
        };
        match op {
            DiskOp::Write { bytes, .. } => {
                receipt.written += bytes.len() as u64;
                let (to, ack) = receipt.ack();
                Received::Ack(to, ack)
            }
            DiskOp::Rename { .. } => {
                let Receipt { from, term, collector, .. } = self.receipt.take().expect("just used");
                let state = collector.finish().expect("it was whole before it was written");
                Received::Whole { from, term, state: Box::new(state) }
            }
            _ => Received::Part,
        }
    }
}

impl Receipt {
    fn new(from: NodeId, term: u64, at: (u64, u64), collector: Collector) -> Self {
        Self {
            from,
            term,
            at,
            collector,
            taken: 0,
            written: 0,
            whole: false,
            queue: VecDeque::from([DiskOp::Create { file: received_draft(), size: 0 }]),
            pending: None,
        }
    }

    /// `false` if the chunk is damaged.
    fn take(&mut self, chunk: Chunk) -> bool {
        let bytes = chunk.bytes;
        if self.collector.push(bytes.clone()).is_err() || self.collector.at() != Some(self.at) {
            return false;
        }
        if chunk.last != self.collector.whole() {
            return false;
        }
        let (file, offset, sync) = (received_draft(), self.taken, chunk.last);
        self.taken += bytes.len() as u64;
        self.whole = chunk.last;
        self.queue.push_back(DiskOp::Write { file: file.clone(), offset, bytes, sync });
        if chunk.last {
            self.queue.push_back(DiskOp::Rename { from: file, to: snapshot_file(self.at.0) });
        }
        true
    }

    fn idle(&self) -> bool {
        self.queue.is_empty() && self.pending.is_none()
    }

    fn ack(&self) -> (NodeId, Message) {
        (self.from, Message::ChunkAck { index: self.at.0, received: self.written })
    }
}
