//! What watches were shown: every event that concerns them, once and in order, or
//! the plain word that it is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::Position;
use quorate_engine::tree::{Cleared, Event, Watch};

use super::{Hint, Violation};
use crate::history::Server;
use crate::model;

/// One watch and what came of it. One that was given up, or refused, or whose node
/// has died, was told nothing and is not judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Watching {
    /// Who watches.
    pub watcher: u64,
    /// Who was asked.
    pub server: Server,
    /// What for.
    pub watch: Watch,
    /// What came of it; nothing while it waits.
    pub told: Option<Told>,
}

/// What a watch was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// These events.
    Shown {
        /// Oldest first.
        events: Vec<Arc<Event>>,
        /// Where the node stood after them.
        at: Position,
    },
    /// That what it asked for is gone.
    Cleared(Cleared),
}

/// Every watch was told the truth, given `window` events of history; in the order in
/// which they were told. What still waits when all nodes have come to rest at the
/// last event has truly missed nothing.
pub fn check<'a>(
    watchings: impl IntoIterator<Item = &'a Watching>,
    hint: &Hint,
    window: u64,
) -> Result<(), Violation> {
    let events = hint.in_order()?;
    let last = events.last().map_or(hint.genesis(), |event| event.index());
    let mut newest = BTreeMap::new();
    for watching in watchings {
        let index = match &watching.told {
            None => {
                check_shown(watching, &events, &[], last)?;
                continue;
            }
            Some(Told::Shown { events: shown, at }) => {
                check_shown(watching, &events, shown, at.store_index)?;
                at.store_index
            }
            Some(Told::Cleared(cleared)) => {
                check_cleared(watching, &events, *cleared, window)?;
                cleared.index
            }
        };
        let before = newest.insert(watching.server, index);
        if before.is_some_and(|before| before > index) || index > last {
            return Err(Violation::WatchedElsewhere { watching: watching.clone().into(), before });
        }
    }
    Ok(())
}

/// It was shown exactly what has happened up to this store index and concerns it,
/// as far as it wanted.
fn check_shown(
    watching: &Watching,
    events: &[&Arc<Event>],
    shown: &[Arc<Event>],
    index: u64,
) -> Result<(), Violation> {
    let watch = &watching.watch;
    let wanted = expected(watch, events, index);
    let wanted: Vec<&Event> = wanted.take(watch.limit).collect();
    if shown.iter().map(|event| &**event).eq(wanted.iter().copied()) {
        return Ok(());
    }
    let expected = wanted.into_iter().map(Event::index).collect();
    Err(Violation::WatchedWrong { watching: watching.clone().into(), expected })
}

/// What it was told is gone is gone, and nothing before it concerned it: a watch
/// that has waited on a node may ask for less than it did at first.
fn check_cleared(
    watching: &Watching,
    events: &[&Arc<Event>],
    Cleared { first, asked, index }: Cleared,
    window: u64,
) -> Result<(), Violation> {
    let watch = &watching.watch;
    let skipped = asked.checked_sub(1).and_then(|end| expected(watch, events, end).next());
    let right = first == model::first_index(index, window);
    if right && asked < first && watch.from <= asked && skipped.is_none() {
        return Ok(());
    }
    let expected = expected(watch, events, index).map(Event::index).collect();
    Err(Violation::WatchedWrong { watching: watching.clone().into(), expected })
}

/// The events from what a watch asks for up to a store index that concern it.
fn expected<'a>(
    watch: &'a Watch,
    events: &'a [&Arc<Event>],
    index: u64,
) -> impl Iterator<Item = &'a Event> {
    let asked_for = move |event: &&Event| (watch.from..=index).contains(&event.index());
    let events = events.iter().map(|event| &***event);
    events.filter(asked_for).filter(|event| model::concerns(event, watch))
}
