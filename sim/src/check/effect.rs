//! What can be told of a write by its effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::tree::{Action, Event};
use quorate_engine::{Change, Content, Write};

use super::Held;
use crate::history::{History, OpId, Operation};

/// What an event shows of the write behind it. A key created in order is named
/// here by its directory, and what a refresh keeps is left out.
type Effect = (Action, Box<str>, Option<Arc<str>>);

/// The effects that an event may be the one of.
fn effects_of(event: &Event) -> impl Iterator<Item = Effect> {
    let key = event.node.path.as_str();
    let value = event.node.value.clone().filter(|_| !event.refresh);
    let in_order = key.rsplit_once('/').filter(|_| event.action == Action::Create);
    let in_order = in_order.map(|(directory, _)| (event.action, directory.into(), value.clone()));
    [(event.action, key.into(), value)].into_iter().chain(in_order)
}

/// The effects that a write can have: an empty update changes a file or shows a
/// directory.
fn effects(write: &Write) -> Vec<Effect> {
    let (action, key) = (write.action(), write.path.as_str());
    let value = match &write.change {
        Change::Set { content, .. } | Change::Create { content, .. } => content_of(content),
        Change::CreateInOrder { content, .. } => {
            return vec![(action, key.trim_end_matches('/').into(), content_of(content))];
        }
        Change::Update { value: Some(value), .. } if value.is_empty() => {
            return vec![(action, key.into(), Some(value.clone())), (action, key.into(), None)];
        }
        Change::Update { value, .. } => value.clone(),
        Change::CompareAndSwap { value, .. } => Some(value.clone()),
        Change::Refresh { .. } | Change::Delete { .. } | Change::CompareAndDelete { .. } => None,
    };
    vec![(action, key.into(), value)]
}

fn content_of(content: &Content) -> Option<Arc<str>> {
    match content {
        Content::File(value) => Some(value.clone()),
        Content::Dir => None,
    }
}

/// A write of unknown outcome.
#[derive(Debug)]
pub(super) struct Lost<O> {
    pub operation: O,
    /// The first store index at which it may have taken effect.
    pub since: u64,
}

/// The writes of unknown outcome, by the effect they would have.
#[derive(Debug)]
pub(super) struct Unknown<O> {
    lost: BTreeMap<OpId, Lost<O>>,
    by_effect: BTreeMap<Effect, Vec<OpId>>,
}

impl<'a> Unknown<&'a Operation> {
    /// All of a history, whenever they were called.
    pub fn of(history: &'a History) -> Self {
        let mut unknown = Self::new();
        let lost = history.operations().iter().filter(|it| it.is_unknown_write());
        lost.for_each(|operation| unknown.insert(operation, 0));
        unknown
    }
}

impl<O: Held> Unknown<O> {
    pub fn new() -> Self {
        Self { lost: BTreeMap::new(), by_effect: BTreeMap::new() }
    }

    /// This write may take effect at any store index from this one on.
    pub fn insert(&mut self, operation: O, since: u64) {
        for effect in operation.write().into_iter().flat_map(effects) {
            self.by_effect.entry(effect).or_default().push(operation.id);
        }
        self.lost.insert(operation.id, Lost { operation, since });
    }

    /// It is known by now what this write has done.
    pub fn remove(&mut self, id: OpId) {
        let lost = self.lost.remove(&id);
        for effect in lost.iter().filter_map(|lost| lost.operation.write()).flat_map(effects) {
            if let Some(alike) = self.by_effect.get_mut(&effect) {
                alike.retain(|other| *other != id);
            }
            if self.by_effect.get(&effect).is_some_and(Vec::is_empty) {
                self.by_effect.remove(&effect);
            }
        }
    }

    /// Those that may have caused an event, by what it shows.
    pub fn alike(&self, event: &Event) -> impl Iterator<Item = &Lost<O>> {
        let alike = effects_of(event).filter_map(|effect| self.by_effect.get(&effect));
        alike.flatten().map(|id| &self.lost[id])
    }

    pub fn len(&self) -> usize {
        self.lost.len()
    }
}
