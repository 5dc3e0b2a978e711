//! Times to live, by a clock that no node has: the world's own.
//!
//! The tree's checkers hold nodes to the clock that they tell themselves. Here that
//! clock is held to real time. Leaders count it in ticks, and each tick takes at
//! least what [`Pace::shortest_ns`] says of the moment when it begins and, left alone,
//! at most [`Pace::longest_ns`].
//!
//! **Never early.** Let `n` be the ticks in a time to live, rounded up. Its deadline
//! lies more than `n` ticks behind the stamp of the write, since the moment of the
//! write may have been almost a tick later than its stamp. Whoever counts them, the
//! first of these ticks came after the write was asked for, the first tick of a new
//! leader does not count, and between any two that one leader counts lies one tick's
//! time: when the key goes, at least the time of `n` ticks has passed since the call,
//! one after the other, each as short as any node's at its beginning.
//!
//! **Never late.** While one leader is left alone, its clock comes to a deadline
//! `d` ms behind a stamp at most `⌈d / tick⌉ × longest` after that stamp was first
//! applied anywhere; then it logs the time at once, and that is applied within one
//! commit. Storms are not judged: only what they left overdue is, once they are
//! over.

use std::collections::BTreeMap;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Event};

use super::effect::{Lost, Unknown};
use super::{Hint, Violation};
use crate::history::{History, Operation};

/// How fast time goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// What one tick adds to cluster time, in ms.
    pub tick_ms: u64,
    /// The shortest time that one takes on any node, in ns, and from when on, in ns since
    /// the beginning: in order, the first from 0 on.
    pub shortest_ns: &'a [(u64, u64)],
    /// The longest in a calm, in ns.
    pub longest_ns: u64,
    /// Within so many ns an entry proposed by a leader that is left alone is
    /// applied.
    pub commit_ns: u64,
}

impl Pace<'_> {
    /// In so many ticks so many ms have passed.
    fn ticks(self, ms: u64) -> u64 {
        ms.div_ceil(self.tick_ms)
    }

    /// How long a key that was given so many seconds to live is there at least, in ns, if
    /// the request was made at this moment.
    pub fn shortest_life_ns(self, from_ns: u64, ttl: u64) -> u64 {
        let (mut left, mut now) = (self.ticks(ttl.saturating_mul(1_000)), from_ns);
        let ends = self.shortest_ns.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
        for ((_, tick_ns), end) in self.shortest_ns.iter().zip(ends) {
            if end <= now {
                continue;
            }
            if left <= (end - now) / tick_ns {
                now += left * tick_ns;
                break;
            }
            // One that has begun by then may end just behind it.
            (left, now) = (left - (end - now).div_ceil(*tick_ns), end);
        }
        now - from_ns
    }
}

/// When any node first showed what was applied at a store index, in ns.
pub type Shown = BTreeMap<u64, u64>;

/// A time without faults, under one leader.
#[derive(Clone, Copy, Debug)]
pub struct Calm {
    /// When it began, in ns.
    pub from_ns: u64,
    /// The clock that some node showed then.
    pub clock: Stamp,
    /// When it ended, in ns.
    pub until_ns: u64,
}

/// What is held against keys that have been given a time to live, by key.
struct Given<T>(BTreeMap<String, T>);

impl<T> Given<T> {
    /// An event has happened: its key has been given this, or nothing, or has gone
    /// with all below it. Says what was held against it before.
    fn happen(&mut self, event: &Event, given: Option<T>) -> Option<T> {
        let key = event.node.path.as_str();
        let before = self.0.remove(key);
        if event.node.dir && matches!(event.action, Action::Delete | Action::Expire) {
            self.0.retain(|other, _| !other.starts_with(&format!("{key}/")));
        }
        self.0.extend(given.map(|given| (key.to_owned(), given)));
        before
    }
}

/// No key goes before its time: see above.
pub fn never_early(
    history: &History,
    hint: &Hint,
    shown: &Shown,
    pace: Pace<'_>,
) -> Result<(), Violation> {
    let told = history.operations().iter();
    let told = told.filter_map(|operation| Some((operation.event()?.index(), operation)));
    let writers: BTreeMap<u64, &Operation> = told.collect();
    let unknown = Unknown::of(history);
    let mut given = Given(BTreeMap::new());
    for event in hint.in_order()? {
        let by = event.node.expires.and_then(|expires| {
            let by = writers.get(&event.index()).copied();
            Some((by.or_else(|| earliest(unknown.alike(event), expires.ttl))?, expires.ttl))
        });
        let before = given.happen(event, by);
        if event.action != Action::Expire {
            continue;
        }
        let Some(((operation, ttl), &gone)) = before.zip(shown.get(&event.index())) else {
            continue;
        };
        let least_ns = pace.shortest_life_ns(operation.called_at, ttl);
        let lived_ns = gone.saturating_sub(operation.called_at);
        if lived_ns < least_ns {
            let (event, operation) = ((**event).clone().into(), operation.clone().into());
            return Err(Violation::Early { event, operation, lived_ns, least_ns });
        }
    }
    Ok(())
}

/// Of the lost writes that may have given this time to live, the first.
fn earliest<'a>(
    alike: impl Iterator<Item = &'a Lost<&'a Operation>>,
    ttl: u64,
) -> Option<&'a Operation> {
    let alike = alike.map(|lost| lost.operation);
    let able = alike.filter(|operation| operation.write().and_then(|it| it.ttl()) == Some(ttl));
    able.min_by_key(|operation| operation.called_at)
}

/// In a calm no key stays beyond its time: see above.
pub fn never_late(hint: &Hint, shown: &Shown, calm: Calm, pace: Pace<'_>) -> Result<(), Violation> {
    let mut given = Given(BTreeMap::new());
    for event in hint.in_order()? {
        let Some(&now) = shown.get(&event.index()) else { continue };
        let now = now.max(calm.from_ns);
        check_late(&given, now)?;
        let due_ns = event.node.expires.map(|expires| {
            let ms = expires.ttl.saturating_mul(1_000).saturating_add(pace.tick_ms);
            let deadline = event.stamp.cluster_ms.saturating_add(ms);
            let clock = event.stamp.cluster_ms;
            let clock = if now > calm.from_ns { clock } else { calm.clock.cluster_ms };
            let left = pace.ticks(deadline.saturating_sub(clock));
            now.saturating_add(left.saturating_mul(pace.longest_ns)).saturating_add(pace.commit_ns)
        });
        given.happen(event, due_ns.map(|due_ns| (due_ns, (**event).clone())));
    }
    check_late(&given, calm.until_ns)
}

fn check_late(given: &Given<(u64, Event)>, now: u64) -> Result<(), Violation> {
    match given.0.values().find(|(due_ns, _)| *due_ns < now) {
        None => Ok(()),
        Some((due_ns, event)) => {
            let (event, due_ns) = (event.clone().into(), *due_ns);
            Err(Violation::Late { event, due_ns, seen_ns: now })
        }
    }
}
