//! Local reads may be old. They must have been true, and never go back.

use std::collections::BTreeMap;

use quorate_engine::command::Stamp;

use super::expiry::Expiry;
use super::{Hint, Replay, Violation};
use crate::history::{Answer, History, Moment, Op, OpId, Operation, Server};

/// Every local read equals the tree at its store index and clock, and within one
/// life of one node no local read is older than what that node had answered before
/// the read was called: its own writes and linearizable reads count too, so a client
/// that stays with one node reads what it wrote.
///
/// The events are taken as [`super::linearizable`] has verified them; that
/// nothing was read before it was called for is checked there as well.
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    check_never_back(history)?;
    check_once_true(history, hint)
}

/// Where an answer was found: store index, and clock.
type Place = (u64, Stamp);

/// The newest answer so far, by node and life.
type Newest = BTreeMap<Server, (Place, OpId)>;

fn check_never_back(history: &History) -> Result<(), Violation> {
    let mut newest = Newest::new();
    let mut floors = BTreeMap::new();
    for moment in history.moments() {
        match *moment {
            Moment::Called(id) => {
                let operation = &history.operations()[id];
                let known = newest.get(&operation.server).filter(|_| operation.is_local());
                floors.extend(known.map(|&floor| (id, floor)));
            }
            Moment::Returned(id) => {
                let operation = &history.operations()[id];
                let Some(place) = place(operation) else { continue };
                if let Some((floor, before)) = floors.remove(&id)
                    && place < floor
                {
                    let before = history.operations()[before].clone().into();
                    let after = operation.clone().into();
                    return Err(Violation::WentBack { before, after });
                }
                let newest = newest.entry(operation.server).or_insert((place, id));
                *newest = (*newest).max((place, id));
            }
        }
    }
    Ok(())
}

fn check_once_true(history: &History, hint: &Hint) -> Result<(), Violation> {
    let (mut replay, mut expiry) = (Replay::new(hint)?, Expiry::default());
    for ((index, _), operation) in local_reads(history) {
        let model = replay.judged_at(index, |model, event| expiry.happened(model, event))?;
        let Op::Read { read, .. } = &operation.op else { continue };
        let Answer::Read { found, at } = &operation.answer else { continue };
        if model.store_index() != index {
            let last = model.store_index();
            return Err(Violation::NoSuchIndex { operation: operation.clone().into(), last });
        }
        expiry.answered(model, operation)?;
        let expected = model.read(read);
        if *found != expected {
            let expected = Answer::Read { found: expected, at: *at }.into();
            return Err(Violation::Wrong { operation: operation.clone().into(), expected });
        }
    }
    Ok(())
}

fn place(operation: &Operation) -> Option<Place> {
    operation.answer.position().map(|at| (at.store_index, at.clock))
}

fn local_reads(history: &History) -> Vec<(Place, &Operation)> {
    let local = history.operations().iter().filter(|operation| operation.is_local());
    let mut reads: Vec<_> =
        local.filter_map(|operation| place(operation).map(|place| (place, operation))).collect();
    reads.sort_by_key(|(place, _)| *place);
    reads
}
