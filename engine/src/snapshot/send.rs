//! Sending snapshots to followers whose next entry is no longer in the log.

use std::collections::{BTreeMap, VecDeque};

use crate::boundary::NodeId;
use crate::config::Config;
use crate::message::{Chunk, Message};

use super::Stream;

/// The transfers under way, one per follower at most.
#[derive(Debug)]
pub(crate) struct Senders {
    chunk_bytes: usize,
    window: usize,
    resend_ticks: u64,
    give_up_ticks: u64,
    transfers: BTreeMap<NodeId, Transfer>,
}

#[derive(Debug)]
struct Transfer {
    stream: Stream,
    term: u64,
    sent: u64,
    done: bool,
    outstanding: VecDeque<Chunk>,
    /// Ticks of the last progress, and of the last sending.
    progress: u64,
    spoke: u64,
}

impl Senders {
    /// No transfer is under way.
    pub fn new(config: &Config) -> Self {
        Self {
            chunk_bytes: config.chunk_bytes,
            window: usize::try_from(config.chunk_window).unwrap_or(usize::MAX),
            resend_ticks: u64::from(config.election_ticks),
            give_up_ticks: u64::from(config.transfer_ticks),
            transfers: BTreeMap::new(),
        }
    }

    /// Begins a transfer, in place of an older one to the same follower.
    pub fn start(&mut self, to: NodeId, stream: Stream, term: u64, now: u64) -> Vec<Message> {
        let mut transfer = Transfer {
            stream,
            term,
            sent: 0,
            done: false,
            outstanding: VecDeque::new(),
            progress: now,
            spoke: now,
        };
        let out = transfer.advance(self.chunk_bytes, self.window);
        self.transfers.insert(to, transfer);
        out
    }

    /// A follower has so many bytes: send what comes next.
    pub fn ack(&mut self, from: NodeId, index: u64, received: u64, now: u64) -> Vec<Message> {
        let Some(transfer) = self.transfers.get_mut(&from) else { return Vec::new() };
        if transfer.stream.at().0 != index {
            return Vec::new();
        }
        let before = transfer.outstanding.len();
        transfer.outstanding.retain(|chunk| chunk.offset + chunk.bytes.len() as u64 > received);
        if transfer.outstanding.len() == before {
            return Vec::new();
        }
        (transfer.progress, transfer.spoke) = (now, now);
        transfer.advance(self.chunk_bytes, self.window)
    }

    /// Sends again what seems lost; names the followers given up.
    pub fn tick(&mut self, now: u64, out: &mut Vec<(NodeId, Message)>) -> Vec<NodeId> {
        let mut given_up = Vec::new();
        for (to, transfer) in &mut self.transfers {
            if now - transfer.progress >= self.give_up_ticks {
                given_up.push(*to);
            } else if now - transfer.spoke >= self.resend_ticks {
                transfer.spoke = now;
                let again = transfer.outstanding.iter().cloned().map(Message::Chunk);
                out.extend(again.map(|chunk| (*to, chunk)));
            }
        }
        for to in &given_up {
            self.transfers.remove(to);
        }
        given_up
    }

    /// The index of the oldest snapshot under way.
    pub fn oldest(&self) -> Option<u64> {
        self.transfers.values().map(|transfer| transfer.stream.at().0).min()
    }

    /// Drops the transfers that nobody waits for any more.
    pub fn keep(&mut self, mut awaited: impl FnMut(NodeId) -> bool) {
        self.transfers.retain(|to, _| awaited(*to));
    }
}

impl Transfer {
    fn advance(&mut self, chunk_bytes: usize, window: usize) -> Vec<Message> {
        let mut out = Vec::new();
        while !self.done && self.outstanding.len() < window {
            let (bytes, last) = self.stream.next(chunk_bytes);
            let (index, index_term) = self.stream.at();
            let chunk =
                Chunk { term: self.term, index, index_term, offset: self.sent, bytes, last };
            self.sent += chunk.bytes.len() as u64;
            self.done = last;
            self.outstanding.push_back(chunk.clone());
            out.push(Message::Chunk(chunk));
        }
        out
    }
}
