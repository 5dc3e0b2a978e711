//! Linearizability of the whole tree, by a certificate that is verified.
//!
//! Every answer of the tree carries its place: a write's is its store index,
//! that of a read or of a refusal is between its X-Etcd-Index and the next
//! write. So the order is known, and only three things are left to check:
//!
//! 1. Every write in the hint has exactly one writer. Acknowledged writes name
//!    theirs; the rest are seated among writes of unknown outcome by
//!    [`Seating`], which is exact.
//! 2. Every answer is the model's at its place: one replay.
//! 3. Real time: what returned before another was called has no later place, and
//!    an earlier one if the other is a write: one pass over the moments, with the
//!    highest place seen so far. An unknown write never returned, so it is only
//!    bounded from below, by what had been seen before its call.
//!
//! Time is part of every place: an answer names the clock that its times to live
//! are counted from, and an event the one it happened at. So what has to expire
//! before an event or an answer is known exactly, and [`Expiry`] holds the nodes to
//! it: what goes is what was due first, and nothing that is due stays.
//!
//! Local reads may be old and are judged elsewhere, but what they have seen has
//! been committed: nothing linearizable that is called afterwards may be placed
//! before it.
//!
//! The cost is O(n log n) in the operations, plus, for each key, the square of
//! its unknown writes that cannot be told apart by value (deletes, directories).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_engine::Position;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Event};

use super::effect::Unknown;
use super::expiry::Expiry;
use super::{Hint, Violation, durable};
use crate::history::{Answer, History, Moment, Op, OpId, Operation};
use crate::model::Model;

/// Verifies that the history is linearizable in the order that the hint claims.
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    durable::check(history, hint)?;
    let events = hint.in_order()?;
    placed_in_time(history, &events)?;
    let writers = writers(history)?;
    let floors = floors(history)?;
    let mut sweep = Sweep {
        history,
        floors,
        unknown: Unknown::new(history),
        seating: Seating::default(),
        model: Model::new(hint.genesis()),
        expiry: Expiry::default(),
    };
    sweep.run(&events, &writers)
}

/// Who says to have written each index.
fn writers(history: &History) -> Result<BTreeMap<u64, OpId>, Violation> {
    let mut writers = BTreeMap::new();
    for operation in history.operations() {
        let Some(event) = operation.event() else { continue };
        if let Some(first) = writers.insert(event.index(), operation.id) {
            let one = history.operations()[first].clone().into();
            return Err(Violation::SharedIndex { one, other: operation.clone().into() });
        }
    }
    Ok(writers)
}

/// The highest store index that anybody had been answered at before a call, and
/// the latest clock.
#[derive(Clone, Copy, Default)]
struct Floor {
    index: u64,
    seen_by: OpId,
    clock: Stamp,
    told_by: OpId,
}

/// Checks real time, and tells every operation's floor.
fn floors(history: &History) -> Result<Vec<Floor>, Violation> {
    let mut floors = vec![Floor::default(); history.operations().len()];
    let mut highest = Floor::default();
    for moment in history.moments() {
        match *moment {
            Moment::Called(id) => floors[id] = highest,
            Moment::Returned(id) => {
                let operation = &history.operations()[id];
                let Some(&Position { store_index, clock, .. }) = operation.answer.position() else {
                    continue;
                };
                check_floor(history, operation, store_index, clock, floors[id])?;
                if store_index > highest.index {
                    (highest.index, highest.seen_by) = (store_index, id);
                }
                if clock > highest.clock {
                    (highest.clock, highest.told_by) = (clock, id);
                }
            }
        }
    }
    Ok(floors)
}

fn check_floor(
    history: &History,
    operation: &Operation,
    index: u64,
    clock: Stamp,
    floor: Floor,
) -> Result<(), Violation> {
    let told = |id: OpId| history.operations()[id].clone().into();
    let written = operation.event().is_some();
    let too_low = if written { index <= floor.index } else { index < floor.index };
    if operation.is_local() {
        return Ok(());
    }
    if too_low {
        let (before, after) = (told(floor.seen_by), told(operation.id));
        return Err(Violation::OutOfOrder { before, after });
    }
    if clock < floor.clock {
        let (before, after) = (told(floor.told_by), told(operation.id));
        return Err(Violation::ClockWentBack { before, after });
    }
    Ok(())
}

/// Every answer's clock lies between that of the event at its place and that of
/// the next one.
fn placed_in_time(history: &History, events: &[&Arc<Event>]) -> Result<(), Violation> {
    let Some(first) = events.first().map(|event| event.index()) else { return Ok(()) };
    let at = |index: u64| {
        let nth = usize::try_from(index.checked_sub(first)?).ok()?;
        events.get(nth).map(|event| event.stamp)
    };
    for operation in history.operations() {
        let Some(&Position { store_index, clock, .. }) = operation.answer.position() else {
            continue;
        };
        let early = at(store_index).is_some_and(|stamp| clock < stamp);
        let late = at(store_index.saturating_add(1)).is_some_and(|stamp| clock > stamp);
        if early || late {
            return Err(Violation::OutOfTime { operation: operation.clone().into() });
        }
    }
    Ok(())
}

/// One pass over the writes, with the model beside them.
struct Sweep<'a> {
    history: &'a History,
    floors: Vec<Floor>,
    unknown: Unknown<'a>,
    seating: Seating,
    model: Model,
    expiry: Expiry,
}

impl Sweep<'_> {
    fn run(
        &mut self,
        events: &[&Arc<Event>],
        writers: &BTreeMap<u64, OpId>,
    ) -> Result<(), Violation> {
        let answers = answers(self.history);
        let mut answers = answers.into_iter().peekable();
        let mut events = events.iter();
        loop {
            let index = self.model.store_index();
            while let Some((_, operation)) = answers.next_if(|((place, _), _)| *place == index) {
                self.expiry.answered(&mut self.model, operation)?;
                self.check_answer(operation)?;
            }
            let Some(event) = events.next() else { break };
            self.expiry.happened(&mut self.model, event)?;
            match writers.get(&event.index()) {
                Some(&id) => self.check_answer(&self.history.operations()[id])?,
                None if event.action == Action::Expire => {}
                None => self.find_writer(event)?,
            }
            self.model.install(event);
        }
        let last = self.model.store_index();
        answers.next().map_or(Ok(()), |(_, operation)| {
            Err(Violation::NoSuchIndex { operation: operation.clone().into(), last })
        })
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
        let able = self.unknown.alike(event).filter(|&id| {
            self.floors[id].index < index && self.explains(&self.history.operations()[id], event)
        });
        let able: Vec<OpId> = able.collect();
        if self.seating.seat(index, able) {
            return Ok(());
        }
        Err(Violation::Phantom { event: event.clone(), suspect: self.suspect(event) })
    }

    fn explains(&self, operation: &Operation, event: &Event) -> bool {
        let judged = operation.write().map(|write| self.model.judge(write));
        judged.is_some_and(|judged| judged.as_ref() == Ok(event))
    }

    /// The last operation that would have had this effect, were it not for its
    /// answer, its time or its having had it already.
    fn suspect(&self, event: &Event) -> Option<Box<Operation>> {
        let mut operations = self.history.operations().iter().rev();
        operations.find(|operation| self.explains(operation, event)).cloned().map(Box::new)
    }
}

/// Linearizable reads and refusals by the tree, in order of place and clock.
fn answers(history: &History) -> Vec<((u64, Stamp), &Operation)> {
    let placed = history.operations().iter().filter(|operation| !operation.is_local());
    let mut answers: Vec<_> = placed
        .filter(|operation| operation.event().is_none())
        .filter_map(|operation| {
            let at = operation.answer.position()?;
            Some(((at.store_index, at.clock), operation))
        })
        .collect();
    answers.sort_by_key(|(place, _)| *place);
    answers
}

/// Which unknown write stands behind which event: a matching in the bipartite
/// graph of events and writes able to explain them.
///
/// A writer taken in haste may be the only one for a later event (two deletes of
/// one key may both explain the first, and only one the second), so when no
/// able writer is free the ones seated are asked to move, along an augmenting
/// path. By Berge's theorem there is one if the events so far can be explained
/// at all: nothing is given up.
#[derive(Default)]
struct Seating {
    able: BTreeMap<u64, Vec<OpId>>,
    writer: BTreeMap<u64, OpId>,
    event: BTreeMap<OpId, u64>,
}

impl Seating {
    /// Finds a writer for the event at this index; `false` if there is none.
    fn seat(&mut self, index: u64, able: Vec<OpId>) -> bool {
        let free = able.iter().copied().find(|id| !self.event.contains_key(id));
        self.able.insert(index, able);
        match free {
            Some(id) => {
                self.event.insert(id, index);
                self.writer.insert(index, id);
                true
            }
            None => self.make_room(index),
        }
    }

    /// Looks for an augmenting path, breadth first.
    fn make_room(&mut self, index: u64) -> bool {
        let mut wanted_by: BTreeMap<OpId, u64> = BTreeMap::new();
        let mut queue = VecDeque::from([index]);
        while let Some(event) = queue.pop_front() {
            for &id in &self.able[&event] {
                if wanted_by.contains_key(&id) {
                    continue;
                }
                wanted_by.insert(id, event);
                match self.event.get(&id) {
                    Some(&seated) => queue.push_back(seated),
                    None => {
                        self.shift(id, &wanted_by);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Gives a free writer to the event that wants it, and the one that had to
    /// the event that wants that, up to the event that had none.
    fn shift(&mut self, free: OpId, wanted_by: &BTreeMap<OpId, u64>) {
        let mut next = Some(free);
        while let Some(id) = next {
            let event = wanted_by[&id];
            self.event.insert(id, event);
            next = self.writer.insert(event, id);
        }
    }
}
