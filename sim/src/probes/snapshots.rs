//! Snapshots: written, sent, received, installed, or overtaken.

use std::collections::BTreeMap;

use quorate_engine::message::Chunk;
use quorate_engine::tree::{Action, Event};
use quorate_engine::{Config, DiskId, DiskOp, Input, Message, NodeId, Output, View};

use super::{Cluster, Observer, Probe, Probes, per_node, place};
use crate::properties::Observation;

#[derive(Debug)]
pub(super) struct Snapshots {
    bounds: Bounds,
    nodes: Vec<Life>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    election_ticks: u64,
    transfer_ticks: u64,
    chunk_bytes: usize,
}

/// What a node has to do with snapshots in this life.
#[derive(Debug, Default)]
struct Life {
    ticks: u64,
    /// Whether one was begun in this step.
    begun: bool,
    /// What is sent, by follower.
    transfers: BTreeMap<NodeId, Transfer>,
    receipt: Option<Receipt>,
    /// The rename with which one arrives, and its raft index.
    arriving: Option<(DiskId, u64)>,
    /// The raft index of one that has arrived and not taken effect.
    arrived: Option<u64>,
}

/// A snapshot on its way, as its sender sees it.
#[derive(Debug)]
struct Transfer {
    /// Its leader's term, and its raft index.
    of: (u64, u64),
    sent: u64,
    acked: u64,
    whole: bool,
    /// Ticks of the last progress, and of the last sending.
    progress: u64,
    spoke: u64,
}

/// A snapshot on its way, as its receiver sees it.
#[derive(Debug)]
struct Receipt {
    of: (NodeId, u64, u64),
    taken: u64,
    whole: bool,
}

impl Snapshots {
    pub fn new(config: &Config) -> Self {
        let bounds = Bounds {
            election_ticks: config.election_ticks.into(),
            transfer_ticks: config.transfer_ticks.into(),
            chunk_bytes: config.chunk_bytes,
        };
        Self { bounds, nodes: per_node(config) }
    }
}

impl Observer for Snapshots {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        let (bounds, life) = (self.bounds, &mut self.nodes[place(id)]);
        match what {
            Observation::Born(view) => {
                *life = Life::default();
                probes.hit_if(Probe::BornFromSnapshot, view.applied > 0);
            }
            Observation::Died => {
                let installs = life.arriving.is_some() || life.arrived.is_some();
                probes.hit_if(Probe::DiedInstalling, installs);
            }
            Observation::In(Input::Tick { .. }) => life.tick(bounds, probes),
            Observation::In(Input::Disk { id: op, .. }) => {
                life.landed(*op, cluster.node(id).committed, probes);
            }
            Observation::In(Input::Peer { from, message: Message::Chunk(chunk) }) => {
                life.take(cluster.node(id).committed, *from, chunk, probes);
            }
            Observation::In(Input::Peer {
                from,
                message: Message::ChunkAck { index, received },
            }) => life.acked(*from, *index, *received),
            Observation::Out(Output::Peer { to, message: Message::Chunk(chunk) }) => {
                life.send(*to, chunk, bounds, probes);
            }
            Observation::Out(Output::Disk { id, op }) => life.asked(*id, op, probes),
            Observation::View(view) => life.look(view, probes),
            Observation::In(_) | Observation::Out(_) | Observation::Forgot { .. } => {}
        }
    }
}

impl Life {
    fn asked(&mut self, id: DiskId, op: &DiskOp, probes: &mut Probes) {
        match op {
            DiskOp::Create { file, .. } => self.begun |= file.as_str() == "snapshot.own",
            DiskOp::Rename { from, to } => {
                let received = from.as_str() == "snapshot.received";
                probes.hit_if(Probe::SnapshotWritten, from.as_str() == "snapshot.own");
                probes.hit_if(Probe::SnapshotReceived, received);
                let index = to.as_str().strip_prefix("snap-");
                let index = index.and_then(|index| u64::from_str_radix(index, 16).ok());
                if received && let Some(index) = index {
                    self.arriving = Some((id, index));
                }
            }
            _ => {}
        }
    }

    fn landed(&mut self, id: DiskId, committed: u64, probes: &mut Probes) {
        if let Some((_, index)) = self.arriving.take_if(|(rename, _)| *rename == id) {
            probes.hit_if(Probe::SnapshotOvertaken, index <= committed);
            self.arrived = Some(index).filter(|index| *index > committed);
        }
    }

    fn look(&mut self, view: &View, probes: &mut Probes) {
        if self.arrived.take_if(|index| *index <= view.applied).is_some() {
            probes.hit(Probe::SnapshotInstalled);
        }
        if std::mem::take(&mut self.begun) {
            let gone = view.tree.history().any(|event| removes_directory(event));
            probes.hit_if(Probe::DirectoryInWindow, gone);
        }
    }

    fn send(&mut self, to: NodeId, chunk: &Chunk, bounds: Bounds, probes: &mut Probes) {
        let (of, end) = ((chunk.term, chunk.index), chunk.offset + chunk.bytes.len() as u64);
        let other = |transfer: &Transfer| transfer.of != of;
        if self.transfers.get(&to).is_none_or(other) {
            let (progress, spoke) = (self.ticks, self.ticks);
            let new = Transfer { of, sent: 0, acked: 0, whole: false, progress, spoke };
            let before = self.transfers.insert(to, new);
            let replaces = before.is_some_and(|it| !(it.whole && it.acked == it.sent));
            probes.hit(Probe::TransferBegun);
            probes.hit_if(Probe::TransferReplaced, replaces);
        }
        let transfer = self.transfers.get_mut(&to).expect("just begun");
        transfer.spoke = self.ticks;
        probes.hit_if(Probe::ChunkSentAgain, end <= transfer.sent);
        if end > transfer.sent {
            (transfer.sent, transfer.whole) = (end, chunk.last);
            probes.hit_if(Probe::RecordBeyondChunk, chunk.bytes.len() > bounds.chunk_bytes);
        }
    }

    fn acked(&mut self, from: NodeId, index: u64, received: u64) {
        let transfer = self.transfers.get_mut(&from).filter(|it| it.of.1 == index);
        if let Some(transfer) = transfer.filter(|it| it.acked < received) {
            transfer.acked = received;
            (transfer.progress, transfer.spoke) = (self.ticks, self.ticks);
        }
    }

    /// A sender that does not hear from its follower speaks again and again, until it
    /// gives up.
    fn tick(&mut self, bounds: Bounds, probes: &mut Probes) {
        self.ticks += 1;
        let now = self.ticks;
        self.transfers.retain(|_, transfer| {
            let late = now - transfer.progress >= bounds.transfer_ticks;
            let speaks = now - transfer.spoke <= bounds.election_ticks;
            probes.hit_if(Probe::TransferGivenUp, late && speaks);
            !late
        });
    }

    fn take(&mut self, committed: u64, from: NodeId, chunk: &Chunk, probes: &mut Probes) {
        if chunk.index <= committed {
            return probes.hit(Probe::ChunkTooLate);
        }
        let of = (from, chunk.term, chunk.index);
        if self.receipt.as_ref().is_none_or(|receipt| receipt.of != of) {
            if chunk.offset != 0 {
                return probes.hit(Probe::ChunkOutOfOrder);
            }
            let before = self.receipt.replace(Receipt { of, taken: 0, whole: false });
            probes.hit_if(Probe::ReceiptReplaced, before.is_some_and(|it| !it.whole));
        }
        let receipt = self.receipt.as_mut().expect("just begun");
        probes.hit_if(Probe::ChunkOutOfOrder, chunk.offset > receipt.taken);
        if chunk.offset == receipt.taken {
            receipt.taken += chunk.bytes.len() as u64;
            receipt.whole = chunk.last;
        }
    }
}

fn removes_directory(event: &Event) -> bool {
    let gone = matches!(event.action, Action::Delete | Action::Expire);
    gone && event.prev.as_ref().is_some_and(|before| before.dir)
}
