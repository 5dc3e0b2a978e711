//! Birth, life, and the one match over all that comes in. This is the only room
//! that sees all the others.

mod clients;
mod disk;
mod peers;

use std::collections::BTreeMap;
use std::fmt;

use crate::birth::{self, Born};
use crate::boundary::{
    DiskId, FileName, Halt, Image, Input, NodeId, Output, Position, RecoverError,
};
use crate::clock::Clock;
use crate::command::{Command, Do, Origin, Stamp};
use crate::config::Config;
use crate::consensus::{Consensus, Work};
use crate::counts::Counts;
use crate::discarded::Discarded;
use crate::forward::Taken;
use crate::invariants::{Heights, Invariants};
use crate::log::Log;
use crate::requests::{Answer, Requests};
use crate::snapshot::{Keeper, Receiver, Senders};
use crate::state::State;
use crate::view::{Role, View};
use crate::wal::{DiskIds, Writer};
use crate::watches::Watches;

/// One member of the cluster, as a function of its inputs.
pub struct Engine {
    config: Config,
    clock: Clock,
    consensus: Consensus,
    state: State,
    requests: Requests,
    watches: Watches,
    counts: Counts,
    taken: Taken,
    wal: Writer,
    keeper: Keeper,
    receiver: Receiver,
    senders: Senders,
    install: Option<Install>,
    /// Until the driver takes it, or more comes.
    discarded: Discarded,
    ids: DiskIds,
    /// Disk operations under way.
    pending: BTreeMap<DiskId, FileName>,
    /// The highest commit index that leaders have told in this life.
    learned: Option<u64>,
    /// See [`View::ready`].
    ready: bool,
    /// (term, leader) that reads were last asked under.
    led_by: (u64, Option<NodeId>),
    halted: bool,
    invariants: Invariants,
}

/// A received snapshot that raft has been shown.
struct Install {
    state: State,
    /// raft's number of the work that put it in the log's place; none if raft
    /// has not taken it.
    number: Option<u64>,
}

impl Engine {
    /// Birth: reads a data directory as it was found (empty on the first day).
    /// The outputs returned are to be performed like those of a step.
    ///
    /// # Errors
    /// When the directory is damaged, foreign, or of another version, or the
    /// configuration makes no sense. Nothing has been changed then.
    pub fn recover(config: Config, image: Image) -> Result<(Self, Vec<Output>), RecoverError> {
        config.check()?;
        let Born { identity, log, state, put_right } = birth::read(&config, &image)?;
        drop(image);
        let wal = Writer::new(identity, &log, config.segment_bytes);
        let keeper = Keeper::new(&config, &state);
        let voters = state.members.iter().map(|member| member.id).collect();
        let snapshot = Some(state.applied).filter(|at| at.0 > 0);
        let log = Log::new(log, snapshot, voters);
        let mut engine = Self {
            clock: Clock::new(config.tick_ms),
            consensus: Consensus::new(&config, log, state.applied.0),
            requests: Requests::new(&config),
            watches: Watches::new(config.max_watches),
            counts: Counts::default(),
            taken: Taken::new(config.forward_window),
            receiver: Receiver::new(&config),
            senders: Senders::new(&config),
            install: None,
            discarded: Discarded::default(),
            ids: DiskIds::default(),
            pending: BTreeMap::new(),
            learned: None,
            ready: false,
            led_by: (0, None),
            halted: false,
            invariants: Invariants::default(),
            config,
            state,
            wal,
            keeper,
        };
        let mut out = Vec::new();
        let first = engine.wal.put_right(put_right, &mut engine.ids);
        engine.issue(first, &mut out);
        engine.settle(&mut out);
        Ok((engine, out))
    }

    /// Life: takes one input and appends what follows from it.
    ///
    /// # Panics
    /// When an invariant does not hold, or the driver breaks its promises: it
    /// steps on after [`Output::Halt`], reuses a request id, or completes a disk
    /// operation twice.
    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        self.step_all([input], out);
    }

    /// Life, when several inputs are there at once: they are taken in their order,
    /// and what follows from them all leaves together. Writes then share one log
    /// write and one append to each follower, where each by itself would cause its
    /// own. A request answered in the same call as it is forgotten in may have its
    /// reply all the same.
    ///
    /// # Panics
    /// As [`Engine::step`].
    pub fn step_all(&mut self, inputs: impl IntoIterator<Item = Input>, out: &mut Vec<Output>) {
        assert!(!self.halted, "a halted engine is stepped on");
        for input in inputs {
            if let Err(halt) = self.take(input, out) {
                self.halt(halt, out);
            }
            if self.halted {
                return;
            }
        }
        self.settle(out);
        if !self.halted {
            self.check();
        }
    }

    /// The state between two steps.
    pub fn view(&self) -> View {
        View {
            id: self.config.id,
            role: self.consensus.role(),
            term: self.consensus.term(),
            leader: self.consensus.leader(),
            committed: self.consensus.committed(),
            applied: self.state.applied.0,
            ready: self.ready,
            digest: self.state.digest(),
            counts: self.counts,
            members: self.state.members.clone(),
            tree: self.state.tree.clone(),
        }
    }

    /// What has been done with, once: a driver may drop it where nobody waits. What it
    /// does not take is dropped when there is more.
    pub fn discarded(&mut self) -> Option<Discarded> {
        Some(std::mem::take(&mut self.discarded)).filter(|discarded| !discarded.is_empty())
    }

    /// Death in good order: an answer for every request that still waits.
    pub fn shutdown(self) -> Vec<Output> {
        let mut answers = self.requests.close();
        self.watches.close(&mut answers);
        answers.into_iter().map(|(id, outcome)| Output::Reply { id, outcome }).collect()
    }

    fn take(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Halt> {
        match input {
            Input::Tick { wall_ms } => self.tick(wall_ms, out),
            Input::Peer { from, message } => self.peer(from, message, out)?,
            Input::Client { id, request } => self.client(id, request, out),
            Input::Forget { id } => {
                if !self.watches.forget(id) {
                    self.requests.forget(id);
                }
            }
            Input::Disk { id, result } => self.disk(id, result, out)?,
        }
        Ok(())
    }

    fn tick(&mut self, wall_ms: u64, out: &mut Vec<Output>) {
        // Only ticks begin elections: what was said as a follower, and waits for
        // the disk, must not leave as what a leader says, which does not.
        self.settle(out);
        if self.halted {
            return;
        }
        self.clock.tick(wall_ms);
        let now = self.clock.now();
        if self.stalled() {
            // Its heartbeats would keep the others waiting for a disk that does
            // not answer, and its vote could not be written.
            if self.consensus.role() == Role::Leader {
                self.consensus.step_down();
            }
        } else if self.install.is_some() {
            // It must not stand for election now: raft-rs would look for entries that
            // the snapshot has replaced.
        } else if self.config.members.len() == 1 && now == 1 {
            self.consensus.campaign();
        } else {
            self.consensus.tick();
        }
        self.keeper.tick();
        self.tick_transfers(out);
        let mut answers = Vec::new();
        self.requests.expire(now, &mut answers);
        reply_all(answers, out);
    }

    /// Whether a log write has been under way for an election timeout.
    fn stalled(&self) -> bool {
        let limit = u64::from(self.config.election_ticks);
        self.wal.flying_since().is_some_and(|since| self.clock.now() - since >= limit)
    }

    /// Lets everything that can happen happen, until nothing more can.
    fn settle(&mut self, out: &mut Vec<Output>) {
        loop {
            while let Some(work) = self.consensus.work() {
                if let Err(halt) = self.perform(work, out) {
                    return self.halt(halt, out);
                }
            }
            self.follow_leader(out);
            self.tell_time();
            self.ask_reads();
            self.start_writes(out);
            if !self.consensus.has_work() {
                break;
            }
        }
        self.answer_reads(out);
        let mut answers = Vec::new();
        self.watches.answer(self.position(), &mut answers);
        reply_all(answers, out);
    }

    fn perform(&mut self, work: Work, out: &mut Vec<Output>) -> Result<(), Halt> {
        let Work { number, messages, held, must_sync, installed, entries, committed, reads } = work;
        self.send_all(messages, out);
        if must_sync {
            if installed.is_some() {
                let install = self.install.as_mut().expect("raft was shown a snapshot");
                install.number = Some(number);
            }
            self.wal.gather(number, installed, entries, held);
        } else if let Some(free) = self.wal.ride(number, held) {
            self.send_all(free, out);
            self.consensus.persisted(number);
        }
        for entry in committed {
            self.apply(entry, out)?;
        }
        for (context, index) in reads {
            self.requests.confirmed(&context, index);
        }
        Ok(())
    }

    /// Draws the consequences of who leads now.
    fn follow_leader(&mut self, out: &mut Vec<Output>) {
        if self.serving() {
            self.clock.lead(self.state.tree.clock(), self.state.applied.0);
            self.learned = self.learned.max(Some(self.state.applied.0));
        } else {
            self.clock.follow();
        }
        let caught_up = self.learned.is_some_and(|told| told <= self.state.applied.0);
        self.ready |= caught_up && self.state.applied.1 == self.consensus.term();
        let led_by = (self.consensus.term(), self.consensus.leader());
        if led_by.1 == Some(self.config.id) {
            self.taken.lead(led_by.0);
        }
        if led_by.1.is_none() {
            let mut answers = Vec::new();
            self.requests.leaderless(&mut answers);
            reply_all(answers, out);
        }
    }

    /// While keys have a time to live, a leader that has nothing else to log logs
    /// the time.
    fn tell_time(&mut self) {
        let (applied, interval) = (self.state.applied.0, self.config.stamp_interval_ms);
        let due = self.state.tree.next_deadline();
        if due.is_some_and(|due| self.clock.wants_stamp(due, applied, interval)) {
            let origin = Origin { node: self.config.id, boot: self.config.boot, seq: 0 };
            let command = Command { origin, stamp: Stamp::default(), action: Do::Stamp };
            // Without room for it, time waits like everybody's writes.
            let _ = self.propose(command);
        }
    }

    /// Asks for a round of reads, and again when the leader has changed. A leader
    /// answers none before it has committed an entry of its own term, and raft-rs
    /// drops those that come sooner without a word: once such an entry is applied
    /// here, it certainly has.
    fn ask_reads(&mut self) {
        let led_by = (self.consensus.term(), self.consensus.leader());
        if led_by.1.is_none() || self.state.applied.1 != led_by.0 {
            return;
        }
        let changed = std::mem::replace(&mut self.led_by, led_by) != led_by;
        if let Some(context) = self.requests.round(self.clock.now(), changed) {
            self.consensus.read_index(context);
        }
    }

    fn answer_reads(&mut self, out: &mut Vec<Output>) {
        let at = self.position();
        self.requests.readable(at.raft_index, |id| out.push(readable(id, at)));
    }

    /// Whether this node leads and has applied an entry of its own term: before
    /// it, it knows neither what is committed nor what time it is.
    fn serving(&self) -> bool {
        self.consensus.role() == Role::Leader && self.state.applied.1 == self.consensus.term()
    }

    fn position(&self) -> Position {
        Position {
            store_index: self.state.tree.store_index(),
            raft_index: self.state.applied.0,
            raft_term: self.consensus.term(),
            clock: self.state.tree.clock(),
        }
    }

    fn halt(&mut self, halt: Halt, out: &mut Vec<Output>) {
        self.halted = true;
        out.push(Output::Halt(halt));
    }

    fn check(&mut self) {
        let heights = Heights {
            purged: self.consensus.log().first() - 1,
            snapshot: self.keeper.durable().0,
            applied: self.state.applied.0,
            committed: self.consensus.committed(),
            term: self.consensus.term(),
            store_index: self.state.tree.store_index(),
        };
        let installing = self.install.is_some();
        let persisted = self.consensus.persisted_index();
        self.invariants.check(heights, self.consensus.log(), persisted, installing);
        self.requests.check();
        self.watches.check();
    }
}

fn readable(id: crate::boundary::RequestId, at: Position) -> Output {
    use crate::boundary::{Done, Outcome};
    Output::Reply { id, outcome: Outcome::Done(Done::Readable { at }) }
}

fn reply_all(answers: Vec<Answer>, out: &mut Vec<Output>) {
    out.extend(answers.into_iter().map(|(id, outcome)| Output::Reply { id, outcome }));
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, at) = (self.config.id, self.position());
        write!(f, "Engine n{id} {:?} store {at}", self.consensus.role())
    }
}
