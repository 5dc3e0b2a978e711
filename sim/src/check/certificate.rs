//! The part of the certificate that is still to be judged.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_engine::tree::Event;

use super::{Place, Violation};
use crate::history::Operation;

/// Events that were told and not judged yet, without a gap.
#[derive(Debug)]
pub(super) struct Certificate {
    genesis: u64,
    /// The store index of the first event that is here, or will be.
    next: u64,
    events: VecDeque<Arc<Event>>,
    /// No more will come.
    complete: bool,
}

impl Certificate {
    pub fn new(genesis: u64) -> Self {
        Self { genesis, next: genesis + 1, events: VecDeque::new(), complete: false }
    }

    pub fn push(&mut self, event: Arc<Event>) -> Result<(), Violation> {
        let (expected, found) = (self.last() + 1, event.index());
        if found != expected {
            return Err(Violation::Gap { expected, found });
        }
        self.events.push_back(event);
        Ok(())
    }

    pub fn pop(&mut self) -> Option<Arc<Event>> {
        let event = self.events.pop_front()?;
        self.next += 1;
        Some(event)
    }

    /// No more events will come. The last store index that there is.
    pub fn complete(&mut self) -> u64 {
        self.complete = true;
        self.last()
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The store index of the last event so far.
    fn last(&self) -> u64 {
        self.next - 1 + self.events.len() as u64
    }

    fn at(&self, index: u64) -> Option<&Arc<Event>> {
        let nth = usize::try_from(index.checked_sub(self.next)?).ok()?;
        self.events.get(nth)
    }

    /// What an acknowledged write says that it did is what was applied there, by the
    /// clock that its answer names.
    pub fn check_kept(&self, operation: &Operation) -> Result<(), Violation> {
        let Some(event) = operation.event() else { return Ok(()) };
        let boxed = || operation.clone().into();
        let place = operation.answer.position().map(Place::from);
        let index = event.index();
        if place != Some(Place { store_index: index, clock: event.stamp }) {
            return Err(Violation::Misplaced { operation: boxed() });
        }
        match self.at(index) {
            Some(applied) => check_same(operation, applied),
            None if index <= self.genesis || self.complete && index > self.last() => {
                Err(Violation::NotApplied { operation: boxed() })
            }
            None => Ok(()),
        }
    }

    /// An answer's clock is not later than the next event's, and its store index is one
    /// that there is.
    pub fn check_placed(&self, operation: &Operation, at: Place) -> Result<(), Violation> {
        let next = self.at(at.store_index.saturating_add(1));
        if next.is_some_and(|next| at.clock > next.stamp) {
            return Err(Violation::OutOfTime { operation: operation.clone().into() });
        }
        let last = self.last();
        if at.store_index < self.genesis || self.complete && at.store_index > last {
            return Err(Violation::NoSuchIndex { operation: operation.clone().into(), last });
        }
        Ok(())
    }
}

/// What a write says that it did is what was applied at its store index.
pub(super) fn check_same(operation: &Operation, applied: &Arc<Event>) -> Result<(), Violation> {
    if operation.event() == Some(applied) {
        return Ok(());
    }
    let (operation, applied) = (operation.clone().into(), applied.clone());
    Err(Violation::Replaced { operation, applied })
}
