//! Linearizability of the whole tree, by a certificate that is verified while it comes
//! in.
//!
//! Every answer of the tree carries its place: a write's is its store index,
//! that of a read or of a refusal is between its X-Etcd-Index and the next
//! write. So the order is known, and only three things are left to check:
//!
//! 1. Every event of the certificate has exactly one writer. Acknowledged writes name
//!    theirs; the rest are seated among writes of unknown outcome by
//!    [`Seating`], which is exact.
//! 2. Every answer is the model's at its place: one replay.
//! 3. Real time: what returned before another was called has no later place, and
//!    an earlier one if the other is a write ([`RealTime`]). An unknown write never
//!    returned, so it is only bounded from below, by what had been seen before its call.
//!
//! Time is part of every place: an answer names the clock that its times to live
//! are counted from, and an event the one it happened at. So what has to expire
//! before an event or an answer is known exactly, and [`Expiry`] holds the nodes to
//! it: what goes is what was due first, and nothing that is due stays.
//!
//! Local reads may be old: they must have been true, and within one life of one node
//! none is older than what that node had answered before the read was called. Its own
//! writes and linearizable reads count too, so a client that stays with one node reads
//! what it wrote. And what local reads have seen has been committed: nothing
//! linearizable that is called afterwards may be placed before it.
//!
//! **What is held.** By the third rule nobody who is under way, or will be, can be
//! answered from before the lowest of their floors. All that is placed before that is
//! complete: it is judged at once, in order, and let go of. What stays is what is
//! concurrent: the operations under way, the answers and events from the lowest floor
//! on, and the model's tree. How long the history is does not matter, but for two
//! things that no checker can know:
//!
//! - *How old a local read may be.* A node that was cut off answers from as far back as
//!   it got to. Who feeds the stream says from where on those are answered that are
//!   called from now on ([`Stream::local_reads_from`]): an observer of the nodes by what
//!   the one furthest behind shows, a record by looking ahead.
//! - *What became of a lost write.* It is under way for ever, and stays until its effect
//!   was seen and cannot be another's: one write is held for each that never happened.
//!
//! The cost is O(n log n) in the operations, plus, for each key, the square of
//! its unknown writes that cannot be told apart by value (deletes, directories).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Event};

use super::certificate::{Certificate, check_same};
use super::effect::Unknown;
use super::expiry::Expiry;
use super::real_time::RealTime;
use super::seating::Seating;
use super::{Place, Violation};
use crate::history::{Answer, Op, OpId, Operation};
use crate::model::Model;

/// How a stream holds an operation: by reference where there is a record of all of them,
/// or shared, so that it is gone when nothing needs it any more.
pub trait Held: Deref<Target = Operation> + Clone {}

impl<T: Deref<Target = Operation> + Clone> Held for T {}

/// What a stream holds: how many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Operations under way.
    pub under_way: usize,
    /// Answers that are not judged yet.
    pub answers: usize,
    /// Events that are not judged yet.
    pub events: usize,
    /// Writes of unknown outcome: of each it is open whether it has happened.
    pub unknown: usize,
    /// Events of which it is open which of these is behind them.
    pub seated: usize,
}

/// A history and its certificate as they come in, judged as they do.
///
/// Calls and ends of operations are told in the order of real time, events in that of
/// store indexes; which comes first, an event or the answer that tells of it, does not
/// matter to the verdict. After its first objection a stream has nothing more to say.
#[derive(Debug)]
pub struct Stream<O> {
    real_time: RealTime<O>,
    certificate: Certificate,
    /// Acknowledged writes whose event is not judged yet, by store index.
    writers: BTreeMap<u64, O>,
    /// Reads, and refusals by the tree, that are not judged yet.
    answers: BTreeMap<(Place, OpId), O>,
    /// The last of them that was judged.
    judged: Option<O>,
    unknown: Unknown<O>,
    seating: Seating,
    model: Model,
    expiry: Expiry,
}

impl<O: Held> Stream<O> {
    /// Nothing yet, in a cluster that was born at this store index.
    pub fn new(genesis_store_index: u64) -> Self {
        Self {
            real_time: RealTime::new(),
            certificate: Certificate::new(genesis_store_index),
            writers: BTreeMap::new(),
            answers: BTreeMap::new(),
            judged: None,
            unknown: Unknown::new(),
            seating: Seating::default(),
            model: Model::new(genesis_store_index),
            expiry: Expiry::default(),
        }
    }

    /// An operation is called. Until it is over, nothing is judged beyond what had been
    /// answered by now.
    pub fn call(&mut self, operation: O) {
        self.real_time.call(operation);
    }

    /// Local reads that are called from now on are not answered from before this place;
    /// [`Place::END`] if there will be none. Until it is told, nothing is let go of.
    pub fn local_reads_from(&mut self, oldest: Place) -> Result<(), Violation> {
        self.real_time.local_reads_from(oldest);
        self.advance()
    }

    /// An operation is over: it has its answer, or nobody waits for one any more.
    ///
    /// # Panics
    /// If it was not called, or is over already.
    pub fn done(&mut self, operation: O) -> Result<(), Violation> {
        self.certificate.check_kept(&operation)?;
        self.check_alone(&operation)?;
        let place = operation.answer.position().map(Place::from);
        let since = self.real_time.done(&operation)?;
        if let Some(place) = place {
            self.certificate.check_placed(&operation, place)?;
            self.answered(operation, place);
        } else if operation.is_unknown_write() {
            self.unknown.insert(operation, since);
        }
        self.advance()
    }

    /// The next event of the certificate.
    pub fn applied(&mut self, event: Arc<Event>) -> Result<(), Violation> {
        let index = event.index();
        if let Some(before) = self.last_before(index).filter(|it| clock(it) > Some(event.stamp)) {
            return Err(Violation::OutOfTime { operation: (**before).clone().into() });
        }
        if let Some(operation) = self.writers.get(&index) {
            check_same(operation, &event)?;
        }
        self.certificate.push(event)?;
        self.advance()
    }

    /// No more events will come: there is nothing behind the last one.
    pub fn complete(&mut self) -> Result<(), Violation> {
        let last = self.certificate.complete();
        let behind = last.saturating_add(1);
        if let Some((_, operation)) = self.writers.range(behind..).next() {
            return Err(Violation::NotApplied { operation: (**operation).clone().into() });
        }
        if let Some((_, operation)) = self.answers.range((Place::first_at(behind), 0)..).next() {
            return Err(Violation::NoSuchIndex { operation: (**operation).clone().into(), last });
        }
        Ok(())
    }

    /// It is all over: nobody is answered any more, and no more events will come.
    pub fn end(&mut self) -> Result<(), Violation> {
        for (operation, since) in self.real_time.give_up() {
            if operation.is_unknown_write() {
                self.unknown.insert(operation, since);
            }
        }
        self.complete()?;
        self.judge_to(Place::END)
    }

    /// What is held now.
    pub fn holding(&self) -> Holding {
        Holding {
            under_way: self.real_time.under_way(),
            answers: self.answers.len() + self.writers.len(),
            events: self.certificate.len(),
            unknown: self.unknown.len(),
            seated: self.seating.len(),
        }
    }

    /// Whether this operation would have had this effect on the tree as it is behind the
    /// last event that was judged.
    pub(super) fn explains(&self, operation: &Operation, event: &Event) -> bool {
        let judged = operation.write().map(|write| self.model.judge(write));
        judged.is_some_and(|judged| judged.as_ref() == Ok(event))
    }

    fn answered(&mut self, operation: O, place: Place) {
        if operation.event().is_some() {
            self.writers.insert(place.store_index, operation);
        } else {
            self.answers.insert((place, operation.id), operation);
        }
    }

    /// No other write was acknowledged at the same store index.
    fn check_alone(&self, operation: &Operation) -> Result<(), Violation> {
        let Some(event) = operation.event() else { return Ok(()) };
        let Some(one) = self.writers.get(&event.index()) else { return Ok(()) };
        let (one, other) = ((**one).clone().into(), operation.clone().into());
        Err(Violation::SharedIndex { one, other })
    }

    /// The last answer at the store index before this one, so far.
    fn last_before(&self, index: u64) -> Option<&O> {
        let waiting = self.answers.range(..(Place::first_at(index), 0)).next_back();
        let last = waiting.map(|(_, operation)| operation).or(self.judged.as_ref());
        last.filter(|operation| operation.answer.store_index() == index.checked_sub(1))
    }

    fn advance(&mut self) -> Result<(), Violation> {
        self.judge_to(self.real_time.low())
    }

    /// Judges what is placed before this, for nothing more will be.
    fn judge_to(&mut self, low: Place) -> Result<(), Violation> {
        loop {
            let index = self.model.store_index();
            while let Some(first) = self.answers.first_entry() {
                let (place, _) = *first.key();
                if place > low || place.store_index > index {
                    break;
                }
                let operation = first.remove();
                self.judge_answer(&operation, place)?;
                self.judged = Some(operation);
            }
            if low.store_index <= index {
                return Ok(());
            }
            let Some(event) = self.certificate.pop() else { return Ok(()) };
            self.judge_event(&event)?;
            self.model.install(&event);
        }
    }

    /// A read, or a refusal by the tree: the model is at its store index.
    fn judge_answer(&mut self, operation: &Operation, place: Place) -> Result<(), Violation> {
        if place.clock < self.model.clock() {
            return Err(Violation::OutOfTime { operation: operation.clone().into() });
        }
        self.expiry.answered(&mut self.model, operation)?;
        self.check_answer(operation)
    }

    fn judge_event(&mut self, event: &Arc<Event>) -> Result<(), Violation> {
        self.expiry.happened(&mut self.model, event)?;
        match self.writers.remove(&event.index()) {
            Some(operation) => self.check_answer(&operation),
            None if event.action == Action::Expire => Ok(()),
            None => self.find_writer(event),
        }
    }

    /// The answer is the one that the model gives here.
    fn check_answer(&self, operation: &Operation) -> Result<(), Violation> {
        let Some(&at) = operation.answer.position() else { return Ok(()) };
        let expected = match &operation.op {
            Op::Read { read, .. } => Answer::Read { found: self.model.read(read), at },
            Op::Write(write) => match self.model.judge(write) {
                Ok(event) => Answer::Written { event: event.into(), at },
                Err(fault) => Answer::Fault { fault, at },
            },
        };
        if operation.answer == expected {
            return Ok(());
        }
        Err(Violation::Wrong { operation: operation.clone().into(), expected: expected.into() })
    }

    /// An event of which nobody was told is the doing of an unknown write.
    fn find_writer(&mut self, event: &Arc<Event>) -> Result<(), Violation> {
        let index = event.index();
        let able = self.unknown.alike(event).filter(|lost| lost.since <= index);
        let able = able.filter(|lost| self.explains(&lost.operation, event));
        let able: Vec<OpId> = able.map(|lost| lost.operation.id).collect();
        let Some(settled) = self.seating.seat(index, able) else {
            return Err(Violation::Phantom { event: event.clone(), suspect: None });
        };
        settled.into_iter().for_each(|id| self.unknown.remove(id));
        Ok(())
    }
}

fn clock(operation: &Operation) -> Option<Stamp> {
    operation.answer.position().map(|at| at.clock)
}
