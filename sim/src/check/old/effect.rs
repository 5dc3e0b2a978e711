//! What can be told of a write by its effect.

use std::collections::BTreeMap;

use quorate_engine::tree::{Action, Event};
use quorate_engine::{Change, Content, Write};

use crate::history::{History, OpId};

/// What an event shows of the write behind it. A key created in order is named
/// here by its directory, and what a refresh keeps is left out.
pub(super) type Effect<'a> = (Action, &'a str, Option<&'a str>);

/// The effects that an event may be the one of.
fn effects_of(event: &Event) -> impl Iterator<Item = Effect<'_>> {
    let key = event.node.path.as_str();
    let value = event.node.value.as_deref().filter(|_| !event.refresh);
    let directory = key.rsplit_once('/').map(|(directory, _)| (event.action, directory, value));
    let in_order = directory.filter(|_| event.action == Action::Create);
    [(event.action, key, value)].into_iter().chain(in_order)
}

/// The effects that a write can have: an empty update changes a file or shows a
/// directory.
fn effects(write: &Write) -> Vec<Effect<'_>> {
    let (action, key) = (write.action(), write.path.as_str());
    let value = match &write.change {
        Change::Set { content, .. } | Change::Create { content, .. } => content_of(content),
        Change::CreateInOrder { content, .. } => {
            return vec![(action, key.trim_end_matches('/'), content_of(content))];
        }
        Change::Update { value: Some(value), .. } if value.is_empty() => {
            return vec![(action, key, Some("")), (action, key, None)];
        }
        Change::Update { value, .. } => value.as_deref(),
        Change::CompareAndSwap { value, .. } => Some(&**value),
        Change::Refresh { .. } | Change::Delete { .. } | Change::CompareAndDelete { .. } => None,
    };
    vec![(action, key, value)]
}

fn content_of(content: &Content) -> Option<&str> {
    match content {
        Content::File(value) => Some(value),
        Content::Dir => None,
    }
}

/// The writes of unknown outcome, by the effect they would have.
pub(super) struct Unknown<'a>(BTreeMap<Effect<'a>, Vec<OpId>>);

impl<'a> Unknown<'a> {
    pub fn new(history: &'a History) -> Self {
        let mut unknown: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for operation in history.operations().iter().filter(|it| it.is_unknown_write()) {
            for effect in operation.write().into_iter().flat_map(effects) {
                unknown.entry(effect).or_default().push(operation.id);
            }
        }
        Self(unknown)
    }

    /// Those that may have caused an event, by what it shows.
    pub fn alike<'b>(&'b self, event: &'b Event) -> impl Iterator<Item = OpId> + use<'a, 'b> {
        effects_of(event).filter_map(|effect| self.0.get(&effect)).flatten().copied()
    }
}
