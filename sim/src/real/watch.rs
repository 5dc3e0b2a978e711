//! Who watches: everything, for the certificate; and by chance, as in the simulator.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use quorate_engine::tree::{Path, Watch};
use quorate_engine::{NodeId, Position};
use rand::RngExt;

use super::http::Watcher;
use super::record::Record;
use super::wire::{self, Line};
use crate::check::watches::{Told, Watching};
use crate::weather::{Run, WATCH_PATIENCE_MS, draw_watch, stream};
use crate::workload::KEYS;

/// How long a watch of everything waits before it looks whether the run has ended.
const GLANCE: Duration = Duration::from_secs(1);

/// How long before it asks again whoever did not answer.
const PAUSE: Duration = Duration::from_millis(30);

/// What has to be watched to be shown every event: the root, and every hidden key, which
/// no watch from above is shown.
pub(super) fn roots() -> Vec<Path> {
    let hidden = KEYS.iter().filter_map(|key| {
        let at = key.find("/_")?;
        let end = key[at + 1..].find('/').map_or(key.len(), |end| at + 1 + end);
        Some(&key[..end])
    });
    let roots: BTreeSet<&str> = hidden.chain(["/"]).collect();
    roots.into_iter().map(|root| Path::new(root).expect("the keys in play are clean")).collect()
}

/// Watches all below a root on one member, through all its lives, until told to stop.
pub(super) fn follow(record: &Record, node: NodeId, address: &str, root: &Path, stop: &AtomicBool) {
    let mut from = record.lock().hint.genesis() + 1;
    while !stop.load(Ordering::Relaxed) {
        let watch = Watch { path: root.clone(), recursive: true, from, limit: usize::MAX };
        let Some(last) = follow_once(record, node, address, watch) else {
            sleep(PAUSE);
            continue;
        };
        from = last + 1;
    }
}

/// One connection, until it ends; the last event that it was shown.
fn follow_once(record: &Record, node: NodeId, address: &str, watch: Watch) -> Option<u64> {
    let mut watcher = Watcher::open(address, &wire::watch(&watch, true), GLANCE).ok()?;
    let mut events = Vec::new();
    while let Ok(Some(line)) = watcher.line() {
        match wire::line(&line) {
            Ok(Line::Event(event)) => {
                record.shown(node, &event);
                events.push(event);
            }
            Ok(Line::Refused) => break,
            Ok(Line::Cleared(cleared)) => {
                record.fail("watches", format!("a watch of everything at n{node}: {cleared}"));
                break;
            }
            Err(what) => {
                record.fail("watches", what);
                break;
            }
        }
    }
    let last = events.last()?.index();
    let told = Some(Told::Shown { events, at: standing_at(last) });
    record.watched(Watching { watcher: 0, server: record.session(node), watch, told });
    Some(last)
}

/// Watches this and that, one event at a time, until told to stop.
pub(super) fn wander(record: &Record, run: &Run, id: u64, addresses: &[String], stop: &AtomicBool) {
    let rng = &mut stream(run.seed, &format!("watcher {id}"));
    let mut node = rng.random_range(1..=run.scenario.nodes);
    let mut watch = draw_watch(rng, 1);
    while !stop.load(Ordering::Relaxed) {
        // 0 means something else on the wire: whatever comes next.
        watch = Watch { from: watch.from.max(1), limit: 1, ..watch };
        let patience = WATCH_PATIENCE_MS[rng.random_range(0..WATCH_PATIENCE_MS.len())];
        let patience = Duration::from_millis(patience).min(GLANCE);
        let address = &addresses[usize::try_from(node - 1).expect("small")];
        match look(record, address, &watch, patience) {
            Some(told) => {
                let next = match &told {
                    Told::Shown { events, .. } => events[0].index() + 1,
                    Told::Cleared(cleared) => cleared.index + 1,
                };
                let (server, told) = (record.session(node), Some(told));
                record.watched(Watching { watcher: id, server, watch: watch.clone(), told });
                watch.from = next;
            }
            None => node = rng.random_range(1..=run.scenario.nodes),
        }
        if rng.random_bool(0.1) {
            watch = draw_watch(rng, watch.from);
        }
        sleep(Duration::from_millis(rng.random_range(1..50)));
    }
}

/// One watch for one event, as long as patience lasts.
fn look(record: &Record, address: &str, watch: &Watch, patience: Duration) -> Option<Told> {
    let mut watcher = Watcher::open(address, &wire::watch(watch, false), patience).ok()?;
    match wire::line(&watcher.line().ok()??) {
        Ok(Line::Event(event)) => {
            let stood = watcher.head.number("x-etcd-index").unwrap_or(0);
            let at = standing_at(stood.max(event.index()));
            Some(Told::Shown { events: vec![event], at })
        }
        Ok(Line::Cleared(cleared)) => Some(Told::Cleared(cleared)),
        Ok(Line::Refused) => None,
        Err(what) => {
            record.fail("watches", what);
            None
        }
    }
}

/// Where a member stood at least.
fn standing_at(store_index: u64) -> Position {
    Position { store_index, ..Position::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_play_is_shown_to_a_watch_of_some_root() {
        let roots = roots();
        let roots: Vec<&str> = roots.iter().map(Path::as_str).collect();
        assert_eq!(roots, ["/", "/_h", "/d/_s"]);
    }
}
