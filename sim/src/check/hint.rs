//! The order in which writes were applied, according to the nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::tree::Event;

use super::Violation;

/// Applied events by store index, collected from any number of nodes or from a
/// watch of everything. A witness, not a judge.
#[derive(Clone, Debug)]
pub struct Hint {
    genesis: u64,
    events: BTreeMap<u64, Arc<Event>>,
}

impl Hint {
    /// No events yet, in a cluster that was born at this store index.
    pub fn new(genesis_store_index: u64) -> Self {
        Self { genesis: genesis_store_index, events: BTreeMap::new() }
    }

    /// A node has applied this event. The same event may be told any number of
    /// times; two different ones at one index are a violation.
    pub fn learn(&mut self, event: &Arc<Event>) -> Result<(), Violation> {
        let index = event.index();
        let known = self.events.entry(index).or_insert_with(|| event.clone());
        if known == event {
            return Ok(());
        }
        Err(Violation::Fork { one: known.clone(), other: event.clone() })
    }

    /// The store index at birth, before the first event.
    pub fn genesis(&self) -> u64 {
        self.genesis
    }

    /// The event at this store index.
    pub fn event(&self, index: u64) -> Option<&Arc<Event>> {
        self.events.get(&index)
    }

    /// Every event in order, with what gaps there may be.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.values()
    }

    /// Every event in order; a violation if an index is missing.
    pub fn in_order(&self) -> Result<Vec<&Arc<Event>>, Violation> {
        let mut expected = self.genesis;
        for &found in self.events.keys() {
            expected += 1;
            if found != expected {
                return Err(Violation::Gap { expected, found });
            }
        }
        Ok(self.events.values().collect())
    }
}
