//! Real time: what was answered before a call bounds the call's answer from below.

use std::collections::BTreeMap;

use quorate_engine::NodeId;

use super::{Held, Place, Violation};
use crate::history::{OpId, Operation};

/// What must not be gone behind: the highest store index that anybody had been
/// answered at, and the latest clock, each with who was told of it.
#[derive(Clone, Debug)]
struct Floor<O> {
    place: Place,
    seen_by: Option<O>,
    told_by: Option<O>,
}

impl<O: Held> Floor<O> {
    fn new() -> Self {
        Self { place: Place::default(), seen_by: None, told_by: None }
    }

    fn raise(&mut self, operation: &O, to: Place) {
        if to.store_index > self.place.store_index {
            self.place.store_index = to.store_index;
            self.seen_by = Some(operation.clone());
        }
        if to.clock > self.place.clock {
            self.place.clock = to.clock;
            self.told_by = Some(operation.clone());
        }
    }

    /// The first store index that is behind it.
    fn since(&self) -> u64 {
        self.place.store_index.saturating_add(1)
    }

    /// An answer is not from before it; that of a write, which makes a new store index,
    /// is from behind it.
    fn check(&self, operation: &Operation, at: Place) -> Result<(), Violation> {
        let written = operation.event().is_some();
        let least = if written { self.since() } else { self.place.store_index };
        let after = || operation.clone().into();
        match (&self.seen_by, &self.told_by) {
            (Some(before), _) if at.store_index < least => {
                Err(Violation::OutOfOrder { before: (**before).clone().into(), after: after() })
            }
            (_, Some(before)) if at.clock < self.place.clock => {
                Err(Violation::ClockWentBack { before: (**before).clone().into(), after: after() })
            }
            _ => Ok(()),
        }
    }
}

/// The newest answer of one life of a node.
#[derive(Clone, Debug)]
struct Newest<O> {
    place: Place,
    operation: O,
}

/// A local read under way.
#[derive(Debug)]
struct Local<O> {
    /// It is not answered from before this.
    from: Place,
    /// What its node had answered when it was called.
    newest: Option<Newest<O>>,
}

/// Who is under way, and since when.
///
/// Local reads may be old. They are not answered from before what was said to be the
/// oldest place when they were called, and within one life of one node from before
/// anything that it had answered then. When a node answers in its next life, what it
/// answered in the last one no longer matters.
#[derive(Debug)]
pub(super) struct RealTime<O> {
    floor: Floor<O>,
    called: BTreeMap<OpId, (O, Floor<O>)>,
    oldest: Place,
    local: BTreeMap<OpId, Local<O>>,
    newest: BTreeMap<NodeId, Newest<O>>,
}

impl<O: Held> RealTime<O> {
    pub fn new() -> Self {
        Self {
            floor: Floor::new(),
            called: BTreeMap::new(),
            oldest: Place::default(),
            local: BTreeMap::new(),
            newest: BTreeMap::new(),
        }
    }

    pub fn call(&mut self, operation: O) {
        if operation.is_local() {
            let newest = self.newest.get(&operation.server.node).cloned();
            self.local.insert(operation.id, Local { from: self.oldest, newest });
        } else {
            self.called.insert(operation.id, (operation, self.floor.clone()));
        }
    }

    /// Local reads called from now on are not answered from before this.
    pub fn local_reads_from(&mut self, oldest: Place) {
        self.oldest = self.oldest.max(oldest);
    }

    /// An operation is over. The store index from which on it may have had an effect.
    pub fn done(&mut self, operation: &O) -> Result<u64, Violation> {
        let (since, place) = (self.over(operation)?, operation.answer.position().map(Place::from));
        if let Some(place) = place {
            self.floor.raise(operation, place);
            self.answered(operation, place);
        }
        Ok(since)
    }

    fn over(&mut self, operation: &O) -> Result<u64, Violation> {
        let at = operation.answer.position().map(Place::from);
        let id = &operation.id;
        if operation.is_local() {
            let local = self.local.remove(id).expect("what is done was called");
            at.map_or(Ok(()), |at| local.check(operation, at))?;
            return Ok(u64::MAX);
        }
        let (_, floor) = self.called.remove(id).expect("what is done was called");
        at.map_or(Ok(()), |at| floor.check(operation, at))?;
        Ok(floor.since())
    }

    fn answered(&mut self, operation: &O, place: Place) {
        let answer = || Newest { place, operation: operation.clone() };
        let newest = self.newest.entry(operation.server.node).or_insert_with(answer);
        let before = (newest.operation.server.life, newest.place);
        if (operation.server.life, place) > before {
            *newest = answer();
        }
    }

    /// No answer that is still to come is from before this.
    pub fn low(&self) -> Place {
        let called = self.called.first_key_value().map(|(_, (_, floor))| floor.place);
        let local = self.local.first_key_value().map(|(_, local)| local.from);
        let open = called.unwrap_or(Place::END).min(local.unwrap_or(Place::END));
        open.min(self.floor.place).min(self.oldest)
    }

    /// How many operations are under way.
    pub fn under_way(&self) -> usize {
        self.called.len() + self.local.len()
    }

    /// Nobody will be answered any more: what might have had an effect, and from which
    /// store index on.
    pub fn give_up(&mut self) -> impl Iterator<Item = (O, u64)> + use<O> {
        self.local.clear();
        let called = std::mem::take(&mut self.called).into_values();
        called.map(|(operation, floor)| (operation, floor.since()))
    }
}

impl<O: Held> Local<O> {
    fn check(&self, operation: &Operation, at: Place) -> Result<(), Violation> {
        let newest = self.newest.as_ref();
        let newest = newest.filter(|newest| newest.operation.server == operation.server);
        if let Some(Newest { operation: before, .. }) = newest.filter(|newest| at < newest.place) {
            let (before, after) = ((**before).clone().into(), operation.clone().into());
            return Err(Violation::WentBack { before, after });
        }
        if at < self.from {
            let oldest = self.from.store_index;
            return Err(Violation::TooOld { operation: operation.clone().into(), oldest });
        }
        Ok(())
    }
}
