//! Acknowledged writes are kept.

use quorate_engine::command::Stamp;
use quorate_engine::tree::{NodeView, Path, Read};

use super::{Hint, Replay, Violation};
use crate::history::{History, Operation};

/// The whole tree as a healthy node shows it at the end: a recursive read of the
/// root.
#[derive(Clone, Debug)]
pub struct Final {
    /// The store index at which it was read.
    pub store_index: u64,
    /// The clock by which it was read.
    pub clock: Stamp,
    /// The root with all below it that is not hidden.
    pub root: NodeView,
}

/// Every acknowledged write was applied, at the store index, by the clock and with
/// the effect that its client was told.
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    history.operations().iter().try_for_each(|operation| check_kept(operation, hint))
}

/// Nothing acknowledged is beyond the final state, and the final state is what
/// the applied events make.
pub fn check_final(history: &History, hint: &Hint, last: &Final) -> Result<(), Violation> {
    check(history, hint)?;
    let acknowledged = history.operations().iter().filter(|operation| operation.event().is_some());
    for operation in acknowledged {
        if operation.answer.store_index() > Some(last.store_index) {
            return Err(Violation::Forgotten {
                operation: operation.clone().into(),
                last: last.store_index,
            });
        }
    }
    check_state(hint, last)
}

fn check_kept(operation: &Operation, hint: &Hint) -> Result<(), Violation> {
    let Some(event) = operation.event() else { return Ok(()) };
    let boxed = || operation.clone().into();
    let place = operation.answer.position().map(|at| (at.store_index, at.clock));
    if place != Some((event.index(), event.stamp)) {
        return Err(Violation::Misplaced { operation: boxed() });
    }
    match hint.event(event.index()) {
        Some(applied) if applied == event => Ok(()),
        Some(applied) => Err(Violation::Replaced { operation: boxed(), applied: applied.clone() }),
        None => Err(Violation::NotApplied { operation: boxed() }),
    }
}

/// The state of a node that need not have all there is is what the applied events make.
pub fn check_state(hint: &Hint, last: &Final) -> Result<(), Violation> {
    let mut replay = Replay::new(hint)?;
    let model = replay.at(last.store_index);
    model.tell_time(last.clock);
    let read = Read { path: Path::root(), recursive: true };
    let expected = model.read(&read).expect("the root is always there");
    if model.store_index() == last.store_index && expected == last.root {
        return Ok(());
    }
    Err(Violation::FinalState {
        index: last.store_index,
        found: last.root.clone().into(),
        expected: expected.into(),
    })
}
