//! The waiting room: every request of this node's clients, until it is answered.

use std::collections::{BTreeMap, VecDeque};

use crate::boundary::{Bound, Lost, NodeId, Outcome, Refused, RequestId};
use crate::codec::Encode;
use crate::config::Config;

/// An answer on its way out.
pub(crate) type Answer = (RequestId, Outcome);

/// Who waits for what. Nobody waits for ever: there is an exit for being
/// applied, for certainty that it never will be, for the deadline, for a
/// snapshot, and for shutdown.
#[derive(Debug)]
pub(crate) struct Requests {
    node: NodeId,
    boot: u64,
    deadline_ticks: u64,
    retry_ticks: u64,
    max_writes: usize,
    max_bytes: usize,
    max_reads: usize,
    writes: BTreeMap<RequestId, Write>,
    bytes: usize,
    reads: Reads,
}

#[derive(Debug)]
struct Write {
    /// The term of the leader it was given to.
    term: u64,
    deadline: u64,
    bytes: usize,
    forgotten: bool,
}

#[derive(Debug, Default)]
struct Reads {
    /// For the next round.
    gathering: Vec<Read>,
    /// The round on its way.
    round: Option<Round>,
    /// Confirmed: waiting for this raft index to be applied.
    confirmed: VecDeque<(u64, Vec<Read>)>,
    /// Rounds asked in this life.
    rounds: u64,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Read {
    id: RequestId,
    deadline: u64,
}

#[derive(Debug)]
struct Round {
    /// The counters it was asked under: any of them confirms it.
    first: u64,
    last: u64,
    asked: u64,
    reads: Vec<Read>,
}

impl Requests {
    /// An empty waiting room.
    pub fn new(config: &Config) -> Self {
        Self {
            node: config.id,
            boot: config.boot,
            deadline_ticks: config.deadline_ticks.into(),
            retry_ticks: config.election_ticks.into(),
            max_writes: config.max_pending_writes,
            max_bytes: config.max_pending_bytes,
            max_reads: config.max_pending_reads,
            writes: BTreeMap::new(),
            bytes: 0,
            reads: Reads::default(),
        }
    }

    /// Whether there is room for a write of this size.
    pub fn room_for_write(&self, bytes: usize) -> Result<(), Bound> {
        if self.writes.len() >= self.max_writes {
            return Err(Bound::PendingWrites);
        }
        // One write always fits, whatever the bound.
        if !self.writes.is_empty() && self.bytes + bytes > self.max_bytes {
            return Err(Bound::PendingBytes);
        }
        Ok(())
    }

    /// A write waits: it was given to the leader of `term`.
    pub fn write(&mut self, id: RequestId, term: u64, bytes: usize, now: u64) {
        let deadline = now + self.deadline_ticks;
        let before = self.writes.insert(id, Write { term, deadline, bytes, forgotten: false });
        assert!(before.is_none(), "request {id} is already waiting: drivers never reuse an id");
        self.bytes += bytes;
    }

    /// A write waits no more; whether somebody still wants its answer.
    pub fn write_ended(&mut self, id: RequestId) -> bool {
        self.writes.remove(&id).is_some_and(|write| {
            self.bytes -= write.bytes;
            !write.forgotten
        })
    }

    /// An entry of `term` has been applied. Terms never fall along the log, and a
    /// write is only ever proposed in the term it was given for: those of earlier
    /// terms that have not been applied never will be.
    pub fn term_applied(&mut self, term: u64, out: &mut Vec<Answer>) {
        self.end_writes(|write| write.term < term, &Outcome::Refused(Refused::LeaderChanged), out);
    }

    /// A snapshot took the place of entries: which writes were among them, nobody
    /// can say.
    pub fn snapshot_installed(&mut self, out: &mut Vec<Answer>) {
        self.end_writes(|_| true, &Outcome::Lost(Lost::Snapshot), out);
    }

    /// Ends what has waited too long.
    pub fn expire(&mut self, now: u64, out: &mut Vec<Answer>) {
        self.end_writes(|write| write.deadline <= now, &Outcome::Lost(Lost::Deadline), out);
        self.end_reads(|read| read.deadline <= now, Refused::Deadline, out);
    }

    /// There is no leader: no read will be confirmed.
    pub fn leaderless(&mut self, out: &mut Vec<Answer>) {
        let reads = &mut self.reads;
        let asked = reads.round.take().map(|round| round.reads).unwrap_or_default();
        for read in reads.gathering.drain(..).chain(asked) {
            reads.count -= 1;
            out.push((read.id, Outcome::Refused(Refused::NoLeader)));
        }
    }

    /// The node stops: everybody is told.
    pub fn close(mut self) -> Vec<Answer> {
        let mut out = Vec::new();
        self.end_writes(|_| true, &Outcome::Lost(Lost::Stopping), &mut out);
        self.end_reads(|_| true, Refused::Stopping, &mut out);
        out
    }

    /// A read waits for the next round.
    pub fn read(&mut self, id: RequestId, now: u64) -> Result<(), Bound> {
        if self.reads.count >= self.max_reads {
            return Err(Bound::PendingReads);
        }
        self.reads.count += 1;
        self.reads.gathering.push(Read { id, deadline: now + self.deadline_ticks });
        Ok(())
    }

    /// The name of the round to ask raft for now, if any: a new one when reads
    /// have gathered and none is on its way, or the same again, under a new name,
    /// when the last was not answered (raft-rs drops them without a word).
    pub fn round(&mut self, now: u64, again: bool) -> Option<Vec<u8>> {
        let reads = &mut self.reads;
        match &mut reads.round {
            Some(round) if !again && now < round.asked + self.retry_ticks => return None,
            Some(round) => {
                reads.rounds += 1;
                (round.last, round.asked) = (reads.rounds, now);
            }
            None if reads.gathering.is_empty() => return None,
            None => {
                reads.rounds += 1;
                let (first, last) = (reads.rounds, reads.rounds);
                let reads_now = std::mem::take(&mut reads.gathering);
                reads.round = Some(Round { first, last, asked: now, reads: reads_now });
            }
        }
        let mut context = Vec::with_capacity(24);
        context.u64(self.node);
        context.u64(self.boot);
        context.u64(reads.rounds);
        Some(context)
    }

    /// raft has confirmed a round: its reads wait for `index` to be applied.
    pub fn confirmed(&mut self, context: &[u8], index: u64) {
        let Some(number) = self.round_number(context) else { return };
        let asked = |round: &mut Round| (round.first..=round.last).contains(&number);
        if let Some(round) = self.reads.round.take_if(asked) {
            self.reads.confirmed.push_back((index, round.reads));
        }
    }

    fn round_number(&self, context: &[u8]) -> Option<u64> {
        let (node, rest) = context.split_first_chunk::<8>()?;
        let (boot, number) = rest.split_first_chunk::<8>()?;
        let mine = u64::from_le_bytes(*node) == self.node && u64::from_le_bytes(*boot) == self.boot;
        Some(u64::from_le_bytes(number.try_into().ok()?)).filter(|_| mine)
    }

    /// The reads that may be answered now that `applied` is.
    pub fn readable(&mut self, applied: u64, mut answer: impl FnMut(RequestId)) {
        let reads = &mut self.reads;
        // Indexes may fall when the leader changes: look at every one.
        reads.confirmed.retain(|(index, group)| {
            if *index > applied {
                return true;
            }
            reads.count -= group.len();
            group.iter().for_each(|read| answer(read.id));
            false
        });
    }

    /// Nobody wants this answer any more.
    pub fn forget(&mut self, id: RequestId) {
        if let Some(write) = self.writes.get_mut(&id) {
            write.forgotten = true;
            return;
        }
        self.end_reads(|read| read.id == id, Refused::Stopping, &mut Vec::new());
    }

    /// What must always hold.
    pub fn check(&self) {
        assert!(self.writes.len() <= self.max_writes, "more writes wait than max_pending_writes");
        assert!(self.reads.count <= self.max_reads, "more reads wait than max_pending_reads");
    }

    fn end_writes(
        &mut self,
        ends: impl Fn(&Write) -> bool,
        outcome: &Outcome,
        out: &mut Vec<Answer>,
    ) {
        self.writes.retain(|id, write| {
            if !ends(write) {
                return true;
            }
            self.bytes -= write.bytes;
            if !write.forgotten {
                out.push((*id, outcome.clone()));
            }
            false
        });
    }

    fn end_reads(&mut self, ends: impl Fn(&Read) -> bool, why: Refused, out: &mut Vec<Answer>) {
        let reads = &mut self.reads;
        let mut end = |read: &Read| {
            let ended = ends(read);
            if ended {
                reads.count -= 1;
                out.push((read.id, Outcome::Refused(why.clone())));
            }
            !ended
        };
        reads.gathering.retain(&mut end);
        if let Some(round) = &mut reads.round {
            round.reads.retain(&mut end);
        }
        for (_, group) in &mut reads.confirmed {
            group.retain(&mut end);
        }
        reads.round.take_if(|round| round.reads.is_empty());
        reads.confirmed.retain(|(_, group)| !group.is_empty());
    }
}
