//! What an objection names, and what led to it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::item::{Item, Kind, Lane, Rank};
use super::read::Items;
use crate::weather::Failure;

/// How long ago something may be that still led to the objection, in µs.
const SHORTLY: u64 = 2_000_000;

/// The objection, and whom it names. That is read from its text, which every oracle
/// writes alike: `n3` is a node, `#17` an operation, `/a/b` a key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Objection {
    /// Which oracle objects.
    pub oracle: String,
    /// What it says.
    pub what: String,
    /// When it does, in µs.
    pub at: u64,
    /// Where to look: the end of the last operation or watch that it names, or the moment
    /// of the objection.
    pub focus: u64,
    /// Nodes named.
    pub nodes: BTreeSet<u64>,
    /// Operations named.
    pub operations: BTreeSet<usize>,
    /// Keys named.
    pub keys: BTreeSet<String>,
}

impl Objection {
    /// Reads what an oracle that objected at this time says.
    pub fn new(failure: &Failure, at: u64, items: &Items) -> Self {
        let text = &failure.what;
        let nodes: BTreeSet<u64> = numbers(text, 'n').collect();
        let operations: BTreeSet<usize> = numbers(text, '#')
            .filter_map(|id| usize::try_from(id).ok())
            .filter(|id| items.operations.contains_key(id))
            .collect();
        let of = |id: &usize| &items.all[items.operations[id]];
        let known: BTreeSet<&str> = items.all.iter().map(|item| item.key.as_str()).collect();
        let paths = words(text).filter(|word| word.len() > 1 && known.contains(word));
        let keys = paths.map(str::to_owned).chain(operations.iter().map(|id| of(id).key.clone()));
        let watches = items.all.iter().filter(|item| names_watch(text, item));
        let named = operations.iter().map(of).chain(watches);
        let focus = named.map(|item| item.to).max().unwrap_or(at).min(at);
        let (oracle, what) = (failure.oracle.to_owned(), text.clone());
        Self { oracle, what, at, focus, nodes, keys: keys.collect(), operations }
    }

    /// Marks what led to it.
    pub fn mark(&self, items: &mut Items) {
        let named: BTreeSet<_> = self.operations.iter().map(|id| items.operations[id]).collect();
        for (place, item) in items.all.iter_mut().enumerate() {
            item.leads =
                named.contains(&place) || self.hinders(item) || names_watch(&self.what, item);
        }
        let focus = self.focus;
        let before = |item: &Item| item.from <= focus;
        let lately = |item: &Item| before(item) && item.from + SHORTLY >= focus;
        let about = |item: &Item| item.kind == Kind::Operation && self.keys.contains(&item.key);
        last(&mut items.all, 4, |item| before(item) && about(item));
        last(&mut items.all, 2, |item| before(item) && leads(item));
        for node in &self.nodes {
            let on = |item: &Item| item.lane == Lane::Node(*node) && lately(item);
            let done = |item: &Item| lately(item) && item.to <= focus && item.concerns(*node);
            let done = |item: &Item| done(item) && item.state == "arrived";
            let tells = |item: &Item| item.kind == Kind::Message && item.rank != Rank::Heartbeat;
            last(&mut items.all, 4, |item| tells(item) && done(item));
            last(&mut items.all, 2, |item| item.kind == Kind::Role && on(item));
            last(&mut items.all, 3, |item| item.state == "lie" && on(item));
            last(&mut items.all, 2, |item| item.state == "unfinished" && on(item));
        }
        for item in items.all.iter_mut().filter(|item| item.leads) {
            item.rank = Rank::Frame;
        }
    }

    /// Whether it is a fault in force, or was shortly before.
    fn hinders(&self, item: &Item) -> bool {
        item.kind == Kind::Fault && item.overlaps(self.focus.saturating_sub(SHORTLY), self.focus)
    }
}

/// Whether the text names this watch: who watches, where, and for what.
fn names_watch(text: &str, item: &Item) -> bool {
    item.kind == Kind::Watch
        && text.contains(&format!("{}, {} ", item.lane, item.other))
        && text.contains(&format!("{} (", item.text))
}

fn leads(item: &Item) -> bool {
    item.kind == Kind::Role && item.state == "leader"
}

/// Marks the last so many of these as having led to it.
fn last(items: &mut [Item], most: usize, which: impl Fn(&Item) -> bool) {
    let mut places: Vec<_> = (0..items.len()).filter(|place| which(&items[*place])).collect();
    places.sort_by_key(|place| std::cmp::Reverse((items[*place].from, *place)));
    places.into_iter().take(most).for_each(|place| items[place].leads = true);
}

/// The words of a text: what stands between blanks and signs that no key has.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| sign.is_whitespace() || "=,:;()[]{}".contains(sign))
}

/// Numbers that stand right behind this sign, as words.
fn numbers(text: &str, sign: char) -> impl Iterator<Item = u64> {
    words(text).filter_map(move |word| {
        let digits = word.strip_prefix(sign)?;
        digits.strip_suffix("'s").unwrap_or(digits).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_text() {
        let text =
            "a wrong answer: #17 client 4, n3 life 0: set /a/b=c1-2 (called) n12's log, note 5";
        assert_eq!(numbers(text, 'n').collect::<Vec<_>>(), [3, 12]);
        assert_eq!(numbers(text, '#').collect::<Vec<_>>(), [17]);
        assert!(words(text).any(|word| word == "/a/b"));
    }
}
