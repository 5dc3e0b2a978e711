//! What is left in the end: acknowledged writes are in it, as [`super::Stream`] has found
//! them in the certificate.

use quorate_engine::command::Stamp;
use quorate_engine::tree::{NodeView, Path, Read};

use super::{Hint, Replay, Violation};
use crate::history::History;

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

/// Nothing acknowledged is beyond the final state, and the final state is what
/// the applied events make.
pub fn check_final(history: &History, hint: &Hint, last: &Final) -> Result<(), Violation> {
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
