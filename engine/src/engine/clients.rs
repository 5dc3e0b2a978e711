//! What clients ask, and how they are answered.

use crate::boundary::{
    Bound, Done, Halt, Lost, NodeId, Outcome, Output, Refused, Request, RequestId,
};
use crate::command::{Command, Do, Origin, Stamp, attribute_bytes, value_of};
use crate::log::Entry;
use crate::message::Message;
use crate::state::Applied;
use crate::tree::Watch;
use crate::view::Role;

use super::{Engine, reply_all};

impl Engine {
    pub(super) fn client(&mut self, id: RequestId, request: Request, out: &mut Vec<Output>) {
        let taken = match request {
            Request::Read => self.client_read(id),
            Request::Write(write) => self.submit(id, Do::Write(write), out),
            Request::Watch(watch) => self.watch(id, watch, out),
            Request::Publish(attributes) => self.submit(id, Do::Publish(attributes), out),
        };
        if let Err(refused) = taken {
            out.push(Output::Reply { id, outcome: Outcome::Refused(refused) });
        }
    }

    fn client_read(&mut self, id: RequestId) -> Result<(), Refused> {
        self.consensus.leader().ok_or(Refused::NoLeader)?;
        self.requests.read(id, self.clock.now()).map_err(Refused::Bound)
    }

    /// Answers a watch from the history window, or lets it wait. Before this node
    /// is ready, what it would answer may be older than what it once showed.
    fn watch(&mut self, id: RequestId, watch: Watch, out: &mut Vec<Output>) -> Result<(), Refused> {
        if !self.ready {
            return Err(Refused::NoLeader);
        }
        assert!(watch.limit > 0, "a watch for no event would never be answered");
        let events = self.state.tree.watch(&watch).map_err(Refused::Cleared)?;
        if events.is_empty() {
            let path = &watch.path;
            self.key_within_bounds(path.as_str().len(), path.depth()).map_err(Refused::Bound)?;
            return self.watches.wait(id, watch).map_err(Refused::Bound);
        }
        let outcome = Outcome::Done(Done::Watched { events, at: self.position() });
        out.push(Output::Reply { id, outcome });
        Ok(())
    }

    /// Gives a write to the leader, which may be this node. Nothing is ever
    /// forwarded twice.
    fn submit(&mut self, id: RequestId, action: Do, out: &mut Vec<Output>) -> Result<(), Refused> {
        self.within_bounds(&action).map_err(Refused::Bound)?;
        let origin = Origin { node: self.config.id, boot: self.config.boot, seq: id };
        let command = Command { origin, stamp: Stamp::default(), action };
        let bytes = command.payload_bytes();
        self.requests.room_for_write(bytes).map_err(Refused::Bound)?;
        let term = self.consensus.term();
        let leader = self.consensus.leader().ok_or(Refused::NoLeader)?;
        if leader == self.config.id {
            self.propose(command)?;
        } else {
            out.push(Output::Peer { to: leader, message: Message::Forward { term, command } });
        }
        self.requests.write(id, term, bytes, self.clock.now());
        Ok(())
    }

    /// Stamps a command and appends it to the log of this leader.
    pub(super) fn propose(&mut self, mut command: Command) -> Result<(), Refused> {
        // It serves a little before its clock does: see `follow_leader`.
        if !self.serving() || !self.clock.leads() {
            return Err(Refused::NoLeader);
        }
        if self.consensus.log().bytes() > self.config.max_log_bytes {
            return Err(Refused::Bound(Bound::LogBytes));
        }
        command.stamp = self.clock.stamp();
        let proposed = self.consensus.propose(command.encode());
        let index = proposed.ok_or(Refused::Bound(Bound::UncommittedBytes))?;
        self.clock.stamped(index);
        Ok(())
    }

    fn within_bounds(&self, action: &Do) -> Result<(), Bound> {
        let config = &self.config;
        match action {
            Do::Write(write) => {
                self.key_within_bounds(write.key_bytes(), write.depth())?;
                let large = value_of(&write.change).len() > config.max_value_bytes;
                if large { Err(Bound::ValueBytes) } else { Ok(()) }
            }
            Do::Publish(attributes) if attribute_bytes(attributes) > config.max_attribute_bytes => {
                Err(Bound::AttributeBytes)
            }
            _ => Ok(()),
        }
    }

    fn key_within_bounds(&self, bytes: usize, depth: usize) -> Result<(), Bound> {
        if bytes > self.config.max_key_bytes {
            return Err(Bound::KeyBytes);
        }
        if depth > self.config.max_depth { Err(Bound::Depth) } else { Ok(()) }
    }

    /// A write that another member accepted. What is refused here is refused for
    /// ever: a copy that comes later finds its name taken, or this term over.
    pub(super) fn forwarded(
        &mut self,
        from: NodeId,
        term: u64,
        command: Command,
        out: &mut Vec<Output>,
    ) {
        let Origin { node, boot, seq } = command.origin;
        // Nobody tells a leader the time.
        if node != from || command.action == Do::Stamp {
            return;
        }
        let leads = self.consensus.role() == Role::Leader && self.consensus.term() == term;
        if !self.taken.first(term, command.origin) {
            return;
        }
        let taken = if leads {
            let bounded = self.within_bounds(&command.action).map_err(Refused::Bound);
            bounded.and_then(|()| self.propose(command))
        } else {
            Err(Refused::NoLeader)
        };
        if let Err(refused) = taken {
            let bound = if let Refused::Bound(bound) = refused { Some(bound) } else { None };
            out.push(Output::Peer { to: from, message: Message::NotTaken { boot, seq, bound } });
        }
    }

    /// The leader did not take a write of ours.
    pub(super) fn not_taken(
        &mut self,
        boot: u64,
        seq: u64,
        bound: Option<Bound>,
        out: &mut Vec<Output>,
    ) {
        if boot == self.config.boot && self.requests.write_ended(seq) {
            let refused = bound.map_or(Refused::NoLeader, Refused::Bound);
            out.push(Output::Reply { id: seq, outcome: Outcome::Refused(refused) });
        }
    }

    /// Applies a committed entry and answers whoever waits for it here.
    pub(super) fn apply(&mut self, entry: Entry, out: &mut Vec<Output>) -> Result<(), Halt> {
        let (index, term) = (entry.index, entry.term);
        let later_term = term > self.state.applied.1;
        let applied = self.state.apply(entry).map_err(|_| Halt::Unreadable { index })?;
        self.consensus.applied(index);
        if let Some(Applied { expired, origin, action, result }) = applied {
            self.counts.expired(expired.len());
            self.counts.applied(action, result.is_ok());
            let event = result.as_ref().ok().and_then(Option::as_ref);
            expired.iter().chain(event).for_each(|event| self.watches.notify(event));
            let ours = (origin.node, origin.boot) == (self.config.id, self.config.boot);
            if ours && self.requests.write_ended(origin.seq) {
                out.push(Output::Reply { id: origin.seq, outcome: self.outcome(result) });
            }
        }
        if later_term {
            let mut answers = Vec::new();
            self.requests.term_applied(term, &mut answers);
            reply_all(answers, out);
        }
        Ok(())
    }

    fn outcome(&self, result: crate::state::Outcome) -> Outcome {
        let at = self.position();
        match result {
            Ok(Some(event)) => Outcome::Done(Done::Written { event, at }),
            Ok(None) => Outcome::Done(Done::Published),
            Err(fault) => Outcome::Refused(Refused::Tree { fault, at }),
        }
    }

    /// A snapshot has taken the place of entries.
    pub(super) fn lose_writes(&mut self, out: &mut Vec<Output>) {
        let mut answers = Vec::new();
        self.requests.snapshot_installed(&mut answers);
        debug_assert!(
            answers.iter().all(|(_, outcome)| *outcome == Outcome::Lost(Lost::Snapshot)),
            "only writes are lost"
        );
        reply_all(answers, out);
    }
}
