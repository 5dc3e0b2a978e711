//! A second opinion without any hint: search for an order that explains what
//! clients saw (Wing and Gong 1993, with Lowe's memory of configurations, 2017).
//!
//! Exponential in the number of concurrent operations, so for small histories
//! only. It shares no code with [`super::linearizable`] but the model.
//!
//! A local read may be old: it takes effect at any moment before its answer, after
//! whatever its node had answered, in that life, before it was called.
//!
//! Time: an answer names the clock of its place, so before it takes effect the
//! model's is moved there, and what is due goes. A lost write names none: it is
//! tried at every moment at which it makes a difference, between any two expiries.
//! When the key of a lost write itself goes, only its clock could say; a history
//! with such a write is not judged.

use std::collections::BTreeSet;

use quorate_engine::Position;
use quorate_engine::command::Stamp;

use crate::history::{Answer, History, Moment, Op, Server};
use crate::model::Model;

/// Operations beyond this many are not searched.
pub const MAX_OPERATIONS: usize = 40;

/// Configurations beyond this many are not visited.
pub const MAX_CONFIGURATIONS: usize = 50_000;

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none.
    Violation,
    /// Nobody can say: the history is too large, or a write was lost whose key goes
    /// by itself.
    Unknown,
}

/// Which tasks have taken effect, and the tree that they made.
type Configuration = (u64, Model);

/// Searches for an order that explains every answer.
pub fn search(history: &History, genesis_store_index: u64) -> Verdict {
    let tasks = tasks(history);
    if tasks.len() > MAX_OPERATIONS || tasks.iter().any(Task::is_lost_in_time) {
        return Verdict::Unknown;
    }
    let start: Configuration = (0, Model::new(genesis_store_index));
    let mut visited = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some((taken, model)) = open.pop() {
        let Some(deadline) = deadline(&tasks, taken) else { return Verdict::Linearizable };
        for (bit, task) in remaining(&tasks, taken) {
            if !task.may_be_next(&tasks, taken, deadline) {
                continue;
            }
            for next in task.take(&model) {
                let configuration = (taken | bit, next);
                if visited.insert(configuration.clone()) {
                    open.push(configuration);
                }
            }
        }
        if visited.len() > MAX_CONFIGURATIONS {
            return Verdict::Unknown;
        }
    }
    Verdict::Violation
}

/// An operation that may have to be placed, with its place in real time.
struct Task<'a> {
    op: &'a Op,
    answer: &'a Answer,
    server: Server,
    called: usize,
    returned: usize,
}

impl Task<'_> {
    fn is_answered(&self) -> bool {
        *self.answer != Answer::Lost
    }

    /// Whether real time lets it take effect before all that remain.
    fn may_be_next(&self, tasks: &[Task<'_>], taken: u64, deadline: usize) -> bool {
        if !matches!(self.op, Op::Read { local: true, .. }) {
            return self.called <= deadline;
        }
        remaining(tasks, taken)
            .filter(|(_, task)| task.is_answered())
            .all(|(_, before)| before.server != self.server || before.returned >= self.called)
    }

    /// Whether it is a lost write whose key goes by itself, nobody knows when.
    fn is_lost_in_time(&self) -> bool {
        matches!(self.op, Op::Write(write) if write.ttl().is_some()) && !self.is_answered()
    }

    /// The trees that there may be after this task; none if its answer is not the
    /// one that it would get now.
    fn take(&self, model: &Model) -> Vec<Model> {
        match (self.op, self.answer.position()) {
            (op, Some(at)) => Vec::from_iter(self.take_at(model, op, at)),
            (Op::Write(write), None) => {
                let taken = moments(model).map(|mut model| model.apply(write).map(|_| model));
                taken.flatten().collect()
            }
            _ => Vec::new(),
        }
    }

    fn take_at(&self, model: &Model, op: &Op, at: &Position) -> Option<Model> {
        if at.clock < model.clock() {
            return None;
        }
        let mut next = model.clone();
        next.advance(at.clock);
        let fits = match (op, self.answer) {
            (Op::Write(write), Answer::Written { event, .. }) => {
                next.apply(write).as_ref() == Ok(&**event)
            }
            (Op::Write(write), Answer::Fault { fault, .. }) => {
                next.apply(write).as_ref() == Err(fault)
            }
            (Op::Read { read, .. }, Answer::Read { found, .. }) => next.read(read) == *found,
            _ => false,
        };
        (fits && at.store_index == next.store_index()).then_some(next)
    }
}

/// The tree now, and as it will be after each of the expiries that are to come.
fn moments(model: &Model) -> impl Iterator<Item = Model> {
    std::iter::successors(Some(model.clone()), |model| {
        let cluster_ms = model.deadlines().map(|(_, deadline)| deadline).min()?;
        let mut next = model.clone();
        next.advance(Stamp { cluster_ms, ..Stamp::default() });
        Some(next)
    })
}

fn tasks(history: &History) -> Vec<Task<'_>> {
    let mut times = vec![(0, usize::MAX); history.operations().len()];
    for (now, moment) in history.moments().iter().enumerate() {
        match *moment {
            Moment::Called(id) => times[id].0 = now,
            Moment::Returned(id) => times[id].1 = now,
        }
    }
    let placed = history.operations().iter().zip(times).filter(|(operation, _)| {
        let read = matches!(operation.op, Op::Read { .. });
        let nothing = match operation.answer {
            Answer::Refused => true,
            Answer::Lost => read,
            _ => false,
        };
        !nothing
    });
    placed
        .map(|(operation, (called, returned))| {
            let (op, answer) = (&operation.op, &operation.answer);
            Task { op, answer, server: operation.server, called, returned }
        })
        .collect()
}

fn remaining<'a>(
    tasks: &'a [Task<'a>],
    taken: u64,
) -> impl Iterator<Item = (u64, &'a Task<'a>)> + 'a {
    let all = tasks.iter().enumerate().map(|(at, task)| (1 << at, task));
    all.filter(move |(bit, _)| taken & bit == 0)
}

/// The first answer that is still to be explained: what was called after it must
/// wait. None when every answer is explained.
fn deadline(tasks: &[Task<'_>], taken: u64) -> Option<usize> {
    let answered = remaining(tasks, taken).filter(|(_, task)| task.is_answered());
    answered.map(|(_, task)| task.returned).min()
}
