//! Times to live, held to the world's own clock: what just may be, and one ns more.

use quorate_engine::command::Stamp;
use quorate_sim::check::Violation;
use quorate_sim::check::ttl::{Calm, Pace, Shown, never_early, never_late};

use super::story::*;

const MS: u64 = 1_000_000;

/// Ticks of 100 ms take 90 to 110 on one node or another, a commit 50.
const PACE: Pace<'_> =
    Pace { tick_ms: 100, shortest_ns: &[(0, 90 * MS)], longest_ns: 110 * MS, commit_ns: 50 * MS };

/// How long 2 s are at least: 20 of the shortest ticks.
const SHORTEST: u64 = 1_800 * MS;
/// And at most: 21 of the longest, since the write may have come a tick later than its
/// stamp, and a commit.
const LONGEST: u64 = 2_360 * MS;

/// When events from the first on were shown, in ns.
fn shown(at: &[u64]) -> Shown {
    (GENESIS + 1..).zip(at.iter().copied()).collect()
}

/// A calm from one moment on, by this clock.
fn calm(from_ns: u64, cluster_ms: u64, until_ns: u64) -> Calm {
    Calm { from_ns, clock: Stamp { cluster_ms, ..Stamp::default() }, until_ns }
}

#[track_caller]
fn judge_early(story: &Story, at: &[u64], is_early: bool) {
    judge_early_at(PACE, story, at, is_early);
}

#[track_caller]
fn judge_early_at(pace: Pace<'_>, story: &Story, at: &[u64], is_early: bool) {
    let judged = never_early(&story.history, &story.hint(), &shown(at), pace);
    match &judged {
        Err(Violation::Early { lived_ns, least_ns, .. }) => {
            assert!(is_early && lived_ns < least_ns, "{judged:?}");
        }
        _ => assert!(judged == Ok(()) && !is_early, "{judged:?}"),
    }
}

#[track_caller]
fn judge_late(story: &Story, at: &[u64], calm: Calm, due_ns: Option<u64>) {
    let judged = never_late(&story.hint(), &shown(at), calm, PACE);
    match &judged {
        Err(Violation::Late { due_ns: due, .. }) => assert_eq!(Some(*due), due_ns),
        _ => assert!(judged == Ok(()) && due_ns.is_none(), "{judged:?}"),
    }
}

/// "/a" is given 2 s, by a write that is called at 1 ms, and goes.
fn story() -> Story {
    let mut story = Story::new();
    story.pass(1_000);
    story.run(1, set_for("/a", "v1", 2));
    story.pass(5_000);
    story
}

#[test]
fn a_key_that_goes_early() {
    let least = MS + SHORTEST;
    judge_early(&story(), &[2 * MS, least], false);
    judge_early(&story(), &[2 * MS, least - 1], true);
}

#[test]
fn a_key_lives_by_the_ticks_of_its_own_time() {
    // Given 20 ticks at 1 ms.
    let faster = [(0, 90 * MS), (901 * MS, 50 * MS)];
    let soon = [(0, 50 * MS), (MS, 90 * MS)];
    let between = [(0, 90 * MS), (950 * MS, 80 * MS), (1_000 * MS, 90 * MS)];
    for (shortest_ns, gone) in [
        (&faster[..], 901 + 10 * 50),
        (&soon, 1 + 1_800),
        // 10 by 901 ms, one more at 950, another at 1,000, and 8 behind it.
        (&between, 1_000 + 8 * 90),
    ] {
        let pace = Pace { shortest_ns, ..PACE };
        judge_early_at(pace, &story(), &[2 * MS, gone * MS], false);
        judge_early_at(pace, &story(), &[2 * MS, gone * MS - 1], true);
    }
    let (from, long) = (950 * MS, u64::MAX);
    assert_eq!(Pace { shortest_ns: &faster, ..PACE }.shortest_life_ns(from, long), u64::MAX - from);
}

#[test]
fn a_refresh_is_a_new_beginning() {
    let mut story = Story::new();
    story.pass(1_000);
    story.run(1, set_for("/a", "v1", 9));
    story.run(1, refresh("/a", 2));
    story.pass(5_000);
    // It was called at 3 ms.
    judge_early(&story, &[2 * MS, 4 * MS, 3 * MS + SHORTEST], false);
    judge_early(&story, &[2 * MS, 4 * MS, 3 * MS + SHORTEST - 1], true);
}

#[test]
fn a_lost_write_counts_from_the_first_that_can_be_it() {
    let mut story = Story::new();
    story.pass(1_000);
    // Called at 1, 3 and 5 ms.
    let other = story.lose(1, set_for("/a", "v1", 1));
    let lost = [3, 5].map(|_| story.lose(1, set_for("/a", "v1", 2)));
    story.take(lost[1]);
    story.pass(5_000);
    judge_early(&story, &[6 * MS, 3 * MS + SHORTEST], false);
    judge_early(&story, &[6 * MS, 3 * MS + SHORTEST - 1], true);
    assert_eq!(story.history.operations()[other].called_at, MS);
}

#[test]
fn a_key_that_stays_late() {
    let due = 2 * MS + LONGEST;
    let forever = calm(0, 0, u64::MAX);
    judge_late(&story(), &[2 * MS, due], forever, None);
    judge_late(&story(), &[2 * MS, due + 1], forever, Some(due));
    // It is there when the calm ends.
    let mut stays = story();
    stays.events.pop();
    judge_late(&stays, &[2 * MS], calm(0, 0, due), None);
    judge_late(&stays, &[2 * MS], calm(0, 0, due + 1), Some(due));
}

#[test]
fn a_key_that_stays_while_others_come() {
    let mut story = story();
    story.events.pop();
    story.truth.pop();
    story.run(1, set("/b", "v2"));
    let due = 2 * MS + LONGEST;
    let forever = |until_ns| calm(0, 0, until_ns);
    judge_late(&story, &[2 * MS, due], forever(due), None);
    judge_late(&story, &[2 * MS, due + 1], forever(due), Some(due));
}

#[test]
fn what_a_storm_has_left_is_due_from_its_end_on() {
    // The clock has not come to its deadline, 3,100 ms, yet.
    let (from, left) = (9_000 * MS, 6 * 110 * MS + 50 * MS);
    let soon = calm(from, 2_500, u64::MAX);
    judge_late(&story(), &[2 * MS, from + left], soon, None);
    judge_late(&story(), &[2 * MS, from + left + 1], soon, Some(from + left));
    // The clock is beyond it.
    let overdue = calm(from, 4_000, u64::MAX);
    judge_late(&story(), &[2 * MS, from + 50 * MS], overdue, None);
    judge_late(&story(), &[2 * MS, from + 50 * MS + 1], overdue, Some(from + 50 * MS));
    // How late it went while the storm lasted is not judged.
    judge_late(&story(), &[2 * MS, from - 1], soon, None);
}

#[test]
fn what_has_no_time_to_live_any_more_is_never_late() {
    let mut story = Story::new();
    story.pass(1_000);
    story.run(1, set_for("/a", "v1", 2));
    story.run(1, set("/a", "v2"));
    story.run(1, set_for("/d/e", "v3", 2));
    story.run(1, delete_all("/d"));
    story.run(1, set_for("/da", "v4", 2));
    let at = [2 * MS, 4 * MS, 6 * MS, 8 * MS, 10 * MS];
    let due = 10 * MS + LONGEST;
    judge_late(&story, &at, calm(0, 0, due), None);
    judge_late(&story, &at, calm(0, 0, due + 1), Some(due));
}
