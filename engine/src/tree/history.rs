//! The last events: what watches that look back are answered from.

use std::sync::Arc;

use imbl::Vector;

use super::{Event, digest};

/// A window over the last events, oldest first; cloning is O(1).
#[derive(Clone, Debug)]
pub(super) struct History {
    events: Vector<Arc<Event>>,
    window: usize,
    sum: u64,
}

impl History {
    /// No events yet, and room for `window` of them.
    pub fn new(window: usize) -> Self {
        Self { events: Vector::new(), window, sum: 0 }
    }

    /// Events it holds at most.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Events it holds.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The event at a position, 0 being the oldest.
    pub fn get(&self, at: usize) -> Option<&Arc<Event>> {
        self.events.get(at)
    }

    /// The newest event.
    pub fn last(&self) -> Option<&Arc<Event>> {
        self.events.last()
    }

    /// The events, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// The events from this store index on, oldest first: indexes follow each other
    /// without a gap.
    pub fn since(&self, index: u64) -> impl Iterator<Item = &Arc<Event>> {
        let oldest = self.events.front().map_or(index, |event| event.index());
        let skip = usize::try_from(index.saturating_sub(oldest)).unwrap_or(usize::MAX);
        // Skipping with the vector's iterator would visit what is skipped.
        (skip..self.events.len()).filter_map(|at| self.events.get(at))
    }

    /// Adds the newest event; the oldest goes if there is no room.
    pub fn push(&mut self, event: Arc<Event>) {
        self.sum = self.sum.wrapping_add(digest::of_event(&event));
        self.events.push_back(event);
        if self.events.len() > self.window
            && let Some(evicted) = self.events.pop_front()
        {
            self.sum = self.sum.wrapping_sub(digest::of_event(&evicted));
        }
    }

    /// The sum of the hashes of all events, kept up to date.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The same sum from scratch.
    pub fn recomputed_sum(&self) -> u64 {
        self.events.iter().fold(0, |sum, event| sum.wrapping_add(digest::of_event(event)))
    }
}
