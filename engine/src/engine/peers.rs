//! What peers say, and what is said to them.

use crate::boundary::{Halt, NodeId, Output};
use crate::message::{Chunk, Message, RaftKind, RaftMessage};
use crate::view::Role;

use super::Engine;

impl Engine {
    pub(super) fn peer(
        &mut self,
        from: NodeId,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), Halt> {
        let known = self.config.members.iter().any(|member| member.id == from);
        if !known || from == self.config.id {
            return Ok(());
        }
        match message {
            Message::Raft(raft) => return self.raft(from, raft),
            Message::Forward { term, command } => self.forwarded(from, term, command, out),
            Message::NotTaken { boot, seq, bound } => self.not_taken(boot, seq, bound, out),
            Message::Chunk(chunk) => return self.chunk(from, chunk, out),
            Message::ChunkAck { index, received } => {
                let chunks = self.senders.ack(from, index, received, self.clock.now());
                send(from, chunks, out);
            }
        }
        Ok(())
    }

    fn raft(&mut self, from: NodeId, message: RaftMessage) -> Result<(), Halt> {
        let tells = matches!(message.kind, RaftKind::Append | RaftKind::Heartbeat);
        let told = tells.then_some((message.term, message.commit));
        self.consensus.step(from, message)?;
        let current = (self.consensus.term(), self.consensus.leader());
        if let Some((term, commit)) = told
            && current == (term, Some(from))
        {
            self.learned = self.learned.max(Some(commit));
        }
        Ok(())
    }

    fn chunk(&mut self, from: NodeId, chunk: Chunk, out: &mut Vec<Output>) -> Result<(), Halt> {
        let leads = self.consensus.leader() == Some(from) && self.consensus.term() == chunk.term;
        let at = (chunk.index, chunk.index_term);
        // No leader has a snapshot of nothing, or of a term after its own.
        let makes_sense = at.0 > 0 && (1..=chunk.term).contains(&at.1);
        if !leads || !makes_sense {
            return Ok(());
        }
        if at.0 > self.consensus.committed() {
            if !self.wal.begun() {
                return Ok(());
            }
            if let Some((to, ack)) = self.receiver.chunk(from, chunk) {
                send(to, [ack], out);
            }
            return Ok(());
        }
        if self.consensus.term_at(at.0).is_some_and(|term| term != at.1) {
            return Err(Halt::Contradiction { index: at.0 });
        }
        // raft answers with how far this node has come.
        self.consensus.snapshot_received(from, chunk.term, at);
        Ok(())
    }

    /// Sends raft's messages; a snapshot travels in chunks instead.
    pub(super) fn send_all(&mut self, messages: Vec<(NodeId, RaftMessage)>, out: &mut Vec<Output>) {
        for (to, message) in messages {
            if message.kind == RaftKind::Snapshot {
                // It may have waited for a write while its leader was deposed.
                let leads = self.consensus.role() == Role::Leader;
                if !leads || message.term != self.consensus.term() {
                    continue;
                }
                let stream = self.keeper.stream().expect("raft sends what was offered");
                let (term, now) = (self.consensus.term(), self.clock.now());
                send(to, self.senders.start(to, stream, term, now), out);
            } else {
                send(to, [Message::Raft(message)], out);
            }
        }
    }

    pub(super) fn tick_transfers(&mut self, out: &mut Vec<Output>) {
        let consensus = &self.consensus;
        self.senders.keep(|follower| consensus.awaits_snapshot(follower));
        let mut chunks = Vec::new();
        for given_up in self.senders.tick(self.clock.now(), &mut chunks) {
            self.consensus.snapshot_failed(given_up);
        }
        out.extend(chunks.into_iter().map(|(to, message)| Output::Peer { to, message }));
    }
}

fn send(to: NodeId, messages: impl IntoIterator<Item = Message>, out: &mut Vec<Output>) {
    out.extend(messages.into_iter().map(|message| Output::Peer { to, message }));
}
