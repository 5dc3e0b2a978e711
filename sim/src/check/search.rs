//! A second opinion without any hint: search for an order that explains what
//! clients saw (Wing and Gong 1993, with Lowe's memory of configurations, 2017).
//!
//! Exponential in the number of concurrent operations, so for small histories
//! only. It shares no code with [`super::linearizable`] but the model.

use std::collections::BTreeSet;

use crate::history::{Answer, History, Moment, Op};
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
    /// The history is too large to say.
    TooLarge,
}

/// Which tasks have taken effect, and the tree that they made.
type Configuration = (u64, Model);

/// Searches for a linearization of everything but local reads.
pub fn search(history: &History, genesis_store_index: u64) -> Verdict {
    let tasks = tasks(history);
    if tasks.len() > MAX_OPERATIONS {
        return Verdict::TooLarge;
    }
    let start: Configuration = (0, Model::new(genesis_store_index));
    let mut visited = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some((taken, model)) = open.pop() {
        let Some(deadline) = deadline(&tasks, taken) else { return Verdict::Linearizable };
        for (bit, task) in remaining(&tasks, taken) {
            if task.called > deadline {
                continue;
            }
            let Some(next) = task.take(&model) else { continue };
            let configuration = (taken | bit, next);
            if visited.insert(configuration.clone()) {
                open.push(configuration);
            }
        }
        if visited.len() > MAX_CONFIGURATIONS {
            return Verdict::TooLarge;
        }
    }
    Verdict::Violation
}

/// An operation that may have to be placed, with its place in real time.
struct Task<'a> {
    op: &'a Op,
    answer: &'a Answer,
    called: usize,
    returned: usize,
}

impl Task<'_> {
    fn is_answered(&self) -> bool {
        *self.answer != Answer::Lost
    }

    /// The tree after this task, if its answer is the one that it would get now.
    fn take(&self, model: &Model) -> Option<Model> {
        let mut next = model.clone();
        let fits = match (self.op, self.answer) {
            (Op::Write(write), Answer::Written { event, at }) => {
                next.apply(write).as_ref() == Ok(&**event) && at.store_index == next.store_index()
            }
            (Op::Write(write), Answer::Fault { fault, at }) => {
                next.apply(write).as_ref() == Err(fault) && at.store_index == next.store_index()
            }
            (Op::Write(write), Answer::Lost) => next.apply(write).is_ok(),
            (Op::Read { read, .. }, Answer::Read { found, at }) => {
                next.read(read) == *found && at.store_index == next.store_index()
            }
            _ => false,
        };
        fits.then_some(next)
    }
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
        let local = matches!(operation.op, Op::Read { local: true, .. });
        let read = matches!(operation.op, Op::Read { .. });
        let nothing = match operation.answer {
            Answer::Refused => true,
            Answer::Lost => read,
            _ => false,
        };
        !local && !nothing
    });
    placed
        .map(|(operation, (called, returned))| {
            let (op, answer) = (&operation.op, &operation.answer);
            Task { op, answer, called, returned }
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
