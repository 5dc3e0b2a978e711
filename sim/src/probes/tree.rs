//! What clients' writes met with, and what went with a directory: told from a history
//! when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_engine::tree::{Action, Event, FaultCode, Path};
use quorate_engine::{Change, Write};

use super::{Observers, Probe, Probes, clients};
use crate::check::Hint;
use crate::history::{Answer, History};

impl Observers {
    /// The run is over: this is what clients saw, and what nodes showed.
    pub fn over(&mut self, history: &History, hint: &Hint) {
        let probes = &mut self.probes;
        clients::lost(history, hint, probes);
        let mut orders = BTreeMap::new();
        for operation in history.operations() {
            let Some(write) = operation.write() else { continue };
            match &operation.answer {
                Answer::Written { event, at } => {
                    done(write, event, probes);
                    if let Change::CreateInOrder { .. } = write.change {
                        let terms: &mut BTreeSet<u64> = orders.entry(&write.path).or_default();
                        terms.insert(at.raft_term);
                    }
                }
                Answer::Fault { fault, .. } => refused(fault.code, probes),
                Answer::Read { .. } | Answer::Refused | Answer::Lost => {}
            }
        }
        let orders = orders.values().map(|terms| terms.len().saturating_sub(1) as u64);
        probes.hit_times(Probe::OrderAcrossLeaders, orders.sum());
        directories(hint, probes);
    }
}

fn done(write: &Write, event: &Event, probes: &mut Probes) {
    match &write.change {
        Change::CompareAndSwap { condition, .. } => {
            probes.hit_if(Probe::SwappedByValue, condition.value.is_some());
            probes.hit_if(Probe::SwappedByIndex, condition.index.is_some());
        }
        Change::CompareAndDelete { .. } => probes.hit(Probe::ComparedAndDeleted),
        Change::Delete { recursive: true, .. } => {
            let dir = event.prev.as_ref().is_some_and(|before| before.dir);
            probes.hit_if(Probe::TreeDeleted, dir);
        }
        _ => {}
    }
}

fn refused(code: FaultCode, probes: &mut Probes) {
    match code {
        FaultCode::CompareFailed => probes.hit(Probe::CompareFailed),
        FaultCode::NotDirectory => probes.hit(Probe::FileInTheWay),
        FaultCode::DirectoryNotEmpty => probes.hit(Probe::DirectoryNotEmpty),
        FaultCode::RootReadOnly => probes.hit(Probe::RootRefused),
        _ => {}
    }
}

/// Directories that went by themselves while something was in them.
fn directories(hint: &Hint, probes: &mut Probes) {
    let events = hint.in_order().unwrap_or_default();
    for (at, event) in events.iter().enumerate() {
        if event.action != Action::Expire {
            continue;
        }
        let Some(before) = event.prev.as_ref().filter(|before| before.dir) else { continue };
        let held = holds(&events[..at], &before.path, before.created_index);
        probes.hit_if(Probe::DirectoryExpired, held);
    }
}

/// Whether a directory held something after these events: what was last said of a key
/// below it was not that it went.
fn holds(events: &[&Arc<Event>], directory: &Path, created: u64) -> bool {
    let mut gone: Vec<&Path> = Vec::new();
    let since = events.iter().rev().take_while(|event| event.index() > created);
    for event in since {
        let path = &event.node.path;
        if path == directory || !path.is_within(directory) {
            continue;
        }
        match event.action {
            Action::Delete | Action::Expire | Action::CompareAndDelete => gone.push(path),
            _ if gone.iter().any(|gone| *gone == path || path.is_within(gone)) => {}
            _ => return true,
        }
    }
    false
}
