//! What watches may be told of one short story, and what they may not.

use std::sync::Arc;

use quorate_engine::Position;
use quorate_engine::tree::{Cleared, Event, Watch};
use quorate_sim::check::Violation;
use quorate_sim::check::watches::{Told, Watching, check};
use quorate_sim::history::Server;

use super::story::*;

/// Events remembered.
const WINDOW: u64 = 4;

/// 4 to 10: two files and a hidden one, a refresh, a directory with a file, and its
/// end.
fn story() -> Story {
    let mut story = Story::new();
    story.pass(1_000);
    story.run(1, set("/a", "v1"));
    story.run(1, set("/d/_s", "v2"));
    story.run(1, refresh("/a", 60));
    story.run(1, set("/d/e", "v3"));
    story.run(1, set("/d/e", "v4"));
    story.run(1, delete_all("/d"));
    story.run(1, set("/a", "v5"));
    story
}

fn watch(at: &str, recursive: bool, from: u64) -> Watch {
    Watch { path: path(at), recursive, from, limit: 100 }
}

fn shown(indexes: &[u64], store_index: u64) -> Option<Told> {
    let events = story().events;
    let event = |index: &u64| events[usize::try_from(index - GENESIS - 1).unwrap()].clone();
    let at = Position { store_index, ..Position::default() };
    Some(Told::Shown { events: indexes.iter().map(event).collect(), at })
}

fn cleared(first: u64, asked: u64, index: u64) -> Option<Told> {
    Some(Told::Cleared(Cleared { first, asked, index }))
}

fn judge(told: impl IntoIterator<Item = (Watch, Option<Told>)>) -> Result<(), Violation> {
    let server = Server { node: 1, life: 0 };
    let told = told.into_iter();
    let watchings = told.map(|(watch, told)| Watching { watcher: 1, server, watch, told });
    check(&watchings.collect::<Vec<_>>(), &story().hint(), WINDOW)
}

#[track_caller]
fn right(watch: Watch, told: Option<Told>) {
    judge([(watch, told)]).unwrap_or_else(|violation| panic!("{violation}"));
}

#[track_caller]
fn wrong(watch: Watch, told: Option<Told>) {
    let violation = judge([(watch, told)]).expect_err("it is not to be accepted");
    assert!(matches!(violation, Violation::WatchedWrong { .. }), "{violation}");
}

#[test]
fn the_truth() {
    right(watch("/", true, 4), shown(&[4, 7, 8, 9, 10], 10));
    right(watch("/", true, 5), shown(&[7], 7));
    right(watch("/a", false, 5), shown(&[10], 10));
    right(watch("/d/_s", false, 4), shown(&[5, 9], 10));
    right(watch("/d/never/was", false, 4), shown(&[9], 9));
    right(Watch { limit: 2, ..watch("/", true, 4) }, shown(&[4, 7], 10));
    right(watch("/a", false, 11), None);
    right(watch("/a", false, 3), cleared(7, 3, 10));
    right(watch("/a", false, 5), cleared(7, 6, 10));
}

#[test]
fn an_event_is_missing() {
    wrong(watch("/", true, 4), shown(&[4, 8, 9, 10], 10));
    wrong(watch("/", true, 4), shown(&[7, 8, 9, 10], 10));
    wrong(watch("/", true, 4), shown(&[4, 7], 10));
    wrong(watch("/d/e", false, 8), shown(&[8], 9));
}

#[test]
fn an_event_is_shown_twice_or_out_of_order() {
    wrong(watch("/", true, 7), shown(&[7, 7, 8, 9, 10], 10));
    wrong(watch("/", true, 7), shown(&[8, 7, 9, 10], 10));
    wrong(watch("/a", false, 5), shown(&[4, 10], 10));
}

#[test]
fn an_event_is_shown_that_does_not_concern() {
    wrong(watch("/", true, 4), shown(&[4, 5], 5));
    wrong(watch("/a", false, 5), shown(&[6, 10], 10));
    wrong(watch("/d", false, 4), shown(&[7], 7));
    wrong(Watch { limit: 1, ..watch("/", true, 4) }, shown(&[4, 7], 10));
}

#[test]
fn an_event_is_shown_from_the_future_or_otherwise_than_it_happened() {
    wrong(watch("/", true, 10), shown(&[10], 9));
    let Some(Told::Shown { mut events, at }) = shown(&[10], 10) else { panic!() };
    let event: &mut Event = Arc::make_mut(&mut events[0]);
    event.prev = None;
    wrong(watch("/", true, 10), Some(Told::Shown { events, at }));
}

#[test]
fn it_waits_though_something_has_happened() {
    wrong(watch("/a", false, 5), None);
}

#[test]
fn it_is_told_that_something_is_gone_which_is_there() {
    wrong(watch("/a", false, 7), cleared(7, 7, 10));
    wrong(watch("/a", false, 4), cleared(8, 4, 10));
    wrong(watch("/a", false, 4), cleared(7, 6, 10));
}

#[test]
fn a_node_goes_back() {
    let before = (watch("/", true, 9), shown(&[9], 9));
    let after = (watch("/", true, 8), shown(&[8], 8));
    let violation = judge([before, after]).unwrap_err();
    assert!(matches!(violation, Violation::WatchedElsewhere { .. }), "{violation}");
    let never = [(watch("/a", false, 4), cleared(18, 4, 21))];
    let violation = judge(never).unwrap_err();
    assert!(matches!(violation, Violation::WatchedElsewhere { .. }), "{violation}");
}
