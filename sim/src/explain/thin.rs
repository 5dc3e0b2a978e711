//! A page has room for so much: what tells least is left out, and said to be.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::item::{Item, Kind, Lane, Rank};

/// Items of one rank that are not on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    /// What they are.
    pub what: &'static str,
    /// How many.
    pub left_out: usize,
    /// Of how many.
    pub of: usize,
    /// None between these times, in µs, is left out: there the page is whole.
    pub whole: [u64; 2],
}

/// Moments of a run for which each node's progress is always shown.
const STEPS: u64 = 200;

/// What happened in so many µs before the focus is on the page, whatever it is.
const LAST: u64 = 2_000_000;

/// Keeps all that happened just before the focus, and just behind it.
pub(super) fn keep_last(items: &mut [Item], focus: u64) {
    for item in items {
        if item.overlaps(focus.saturating_sub(LAST), focus.saturating_add(LAST / 4)) {
            item.rank = item.rank.min(Rank::Last);
        }
    }
}

/// Keeps each node's progress at some moments, evenly spread, whatever else is left out.
pub(super) fn keep_some_progress(items: &mut [Item], end: u64) {
    let mut last = BTreeMap::<(Lane, u64), usize>::new();
    for (place, item) in items.iter().enumerate().filter(|(_, it)| it.kind == Kind::Progress) {
        last.insert((item.lane, item.from * STEPS / end.max(1)), place);
    }
    last.into_values().for_each(|place| items[place].rank = Rank::Frame);
}

/// Keeps what `room` holds: rank by rank, and within a rank what is nearest to the
/// focus. `size` says how many bytes an item takes, and is asked once for each that
/// is kept and for the first of each rank that is not. What is kept stays in order.
pub(super) fn thin(
    items: Vec<Item>,
    focus: u64,
    mut room: usize,
    mut size: impl FnMut(&Item) -> usize,
) -> (Vec<Item>, Vec<LeftOut>) {
    let distance = |item: &Item| item.from.abs_diff(focus);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|place| (items[*place].rank, distance(&items[*place]), Reverse(*place)));
    let mut kept = vec![false; items.len()];
    let mut left_out = Vec::new();
    for rank in order.chunk_by(|one, two| items[*one].rank == items[*two].rank) {
        let fits = rank.iter().position(|place| {
            let takes = size(&items[*place]);
            let fits = takes <= room;
            room = if fits { room - takes } else { 0 };
            !fits
        });
        let fits = fits.unwrap_or(rank.len());
        rank[..fits].iter().for_each(|place| kept[*place] = true);
        if let Some(first) = rank.get(fits).map(|place| &items[*place]) {
            let radius = distance(first).saturating_sub(1);
            left_out.push(LeftOut {
                what: first.rank.name(),
                left_out: rank.len() - fits,
                of: rank.len(),
                whole: [focus.saturating_sub(radius), focus.saturating_add(radius)],
            });
        }
    }
    let mut kept = kept.into_iter();
    let items = items.into_iter().filter(|_| kept.next() == Some(true)).collect();
    (items, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(rank: Rank, at: u64) -> Item {
        Item::at(Kind::Message, rank, Lane::Node(1), at)
    }

    #[test]
    fn what_tells_least_goes_first_and_what_is_far_before_what_is_near() {
        let beats = (0..10).map(|at| item(Rank::Heartbeat, at));
        let votes = (0..10).map(|at| item(Rank::Telling, at));
        let all: Vec<_> = beats.chain(votes).collect();
        let (kept, left_out) = thin(all.clone(), 9, 130, |_| 10);
        let beats = kept.iter().filter(|item| item.rank == Rank::Heartbeat).map(|item| item.from);
        assert_eq!(beats.collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(kept.len(), 13);
        let what = Rank::Heartbeat.name();
        assert_eq!(left_out, [LeftOut { what, left_out: 7, of: 10, whole: [7, 11] }]);
        let (kept, left_out) = thin(all, 9, 200, |_| 10);
        assert_eq!((kept.len(), left_out), (20, vec![]));
    }

    #[test]
    fn progress_stays_at_some_moments() {
        let progress = |at| Item::at(Kind::Progress, Rank::Progress, Lane::Node(1), at);
        let mut items: Vec<_> = (0..10_000).map(progress).collect();
        keep_some_progress(&mut items, 10_000);
        let kept = items.iter().filter(|item| item.rank == Rank::Frame).count() as u64;
        assert_eq!(kept, STEPS);
    }
}
