//! Every oracle against hand-made notes: a run that is as promised, and what is wrong
//! with one that is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_engine::tree::Path;
use quorate_engine::{Change, Condition, Content, Write};
use quorate_recipes::balance::Fresh;
use quorate_recipes::config::Setting;
use quorate_recipes::directory::{Change as Seen, Event};
use quorate_recipes::election::Leader;
use quorate_recipes::monitor::Sighting;
use quorate_recipes::queue::Item;

use super::client::node;
use super::members::Life;
use super::spans::Belief;
use super::*;
use crate::model::Model;

const MS: u64 = 1_000_000;

/// A run of 40 s, the last of them calm, in which these files were written.
struct Run {
    calm_s: u64,
    lives: BTreeMap<u64, u64>,
    deaths: BTreeMap<Who, u64>,
    model: Model,
    hint: Hint,
}

impl Run {
    fn new(processes: u64, calm_s: u64, files: &[(&str, &str)]) -> Self {
        let lives = (1..=processes).map(|id| (id, 0)).collect();
        let (deaths, model, hint) = (BTreeMap::new(), Model::new(3), Hint::new(3));
        let mut run = Self { calm_s, lives, deaths, model, hint };
        for (key, value) in files {
            run.happen(key, Change::Create { content: Content::File((*value).into()), ttl: None });
        }
        run
    }

    fn happen(&mut self, key: &str, change: Change) {
        let event = self.model.apply(&Write { path: Path::new(key).unwrap(), change });
        self.hint.learn(&Arc::new(event.unwrap())).unwrap();
    }

    /// What is wrong, according to an oracle; nothing if nothing is.
    fn judge<T>(&self, oracle: fn(&[Note<T>], &End<'_>) -> Verdict, notes: &[Note<T>]) -> String {
        let tick = 50 * MS;
        let shortest_ns = &[(0, tick)];
        let pace = Pace { tick_ms: 50, shortest_ns, longest_ns: tick, commit_ns: MS };
        let calm = (40 - self.calm_s) * SECOND..40 * SECOND;
        let (lives, deaths, hint) = (&self.lives, &self.deaths, &self.hint);
        let end = End { calm, lives, deaths, nodes: 1, pace, hint };
        oracle(notes, &end).err().unwrap_or_default()
    }
}

fn note<T>(ms: u64, id: u64, what: T) -> Note<T> {
    Note { at: ms * MS, who: Who { id, life: 0 }, what }
}

fn holds(token: u64, until_ms: u64) -> Belief {
    Belief::Holds { token, until: until_ms * MS }
}

#[track_caller]
fn is(objection: &str, expected: &str) {
    let is_right =
        if expected.is_empty() { objection.is_empty() } else { objection.contains(expected) };
    assert!(is_right, "{objection:?} instead of {expected:?}");
}

#[test]
fn a_lock_that_two_believe_in() {
    use lock::{Told::*, judge};
    let run = Run::new(4, 0, &[]);
    let held = |ms, id, token, until| note(ms, id, Believed(holds(token, until)));
    let wrote = |ms, id, token, index| note(ms, id, Wrote { token, index });
    is(&run.judge(judge, &[held(0, 1, 4, 100), wrote(10, 1, 4, 5), held(100, 2, 6, 200)]), "");
    is(&run.judge(judge, &[held(0, 1, 4, 100), held(99, 2, 6, 200)]), "two believe");
    let lets = note(50, 1, Believed(Belief::Lets { token: 4 }));
    is(&run.judge(judge, &[held(0, 1, 4, 100), lets, held(60, 2, 6, 200)]), "");
    is(&run.judge(judge, &[held(0, 1, 6, 100), held(100, 2, 4, 200)]), "do not rise");
    let late = [wrote(10, 1, 4, 5), wrote(20, 2, 6, 7), wrote(30, 1, 4, 8)];
    is(&run.judge(judge, &late), "wrote 4, after 6");
    is(&run.judge(judge, &[wrote(10, 1, 4, 5), wrote(20, 2, 6, 5)]), "both wrote");
    is(&Run::new(4, 20, &[]).judge(judge, &[held(0, 1, 4, 100)]), "did not come");
}

#[test]
fn a_fair_lock_that_passes_over_and_wakes_all() {
    use fair_lock::{Told::*, judge};
    let run = Run::new(4, 0, &[]);
    let held = |ms, id, token, until| note(ms, id, Believed(holds(token, until)));
    let woken = |ticket: &str, key: &str, until: u64| {
        let (ticket, key) = (ticket.to_owned(), key.to_owned());
        note(50, 2, Woken { ticket, until: until * MS, key, index: 9 })
    };
    is(&run.judge(judge, &[held(0, 1, 4, 100), woken("05", "04", 60), held(100, 2, 5, 200)]), "");
    is(&run.judge(judge, &[held(0, 1, 5, 100), held(100, 2, 4, 200)]), "do not rise");
    is(&run.judge(judge, &[woken("05", "04", 60), woken("06", "04", 60)]), "woke 06 and 05");
    is(&run.judge(judge, &[woken("05", "04", 40), woken("06", "04", 60)]), "");
    is(&run.judge(judge, &[woken("05", "06", 60)]), "was woken by 06");
}

#[test]
fn an_office_with_two_leaders_and_observers_who_are_misled() {
    use election::{Told::*, judge};
    let run = Run::new(4, 8, &[]);
    let led = |ms, id, token, until| note(ms, id, Believed(holds(token, until)));
    let saw = |ms, id: u64, term| {
        note(ms, 4, Saw(Some(Leader { name: format!("process {id} life 0"), term })))
    };
    let good = [led(0, 1, 4, 100), saw(10, 1, 4), led(100, 2, 6, 200), saw(110, 2, 6)];
    is(&run.judge(judge, &good), "");
    is(&run.judge(judge, &good[..3]), "not heard of Span");
    let latest = |ms| [&good[..3], &[led(33_000, 1, 8, 34_000), saw(ms, 1, 8)]].concat();
    // Of the sixth by 35 s, of the eighth by 36 s.
    is(&run.judge(judge, &latest(35_000)), "");
    is(&run.judge(judge, &latest(35_001)), "token: 6");
    let latest = |ms| [&good[..], &latest(ms)[3..]].concat();
    is(&run.judge(judge, &latest(36_000)), "");
    is(&run.judge(judge, &latest(36_001)), "token: 8");
    let newest = [&good[..], &[led(37_001, 1, 8, 38_000)]].concat();
    is(&run.judge(judge, &newest), "");
    is(&run.judge(judge, &[saw(10, 2, 6), saw(20, 1, 4)]), "then Leader");
    is(&run.judge(judge, &[led(0, 1, 4, 100), saw(10, 2, 4)]), "who is Span");
    is(&run.judge(judge, &[led(0, 1, 4, 100), led(50, 2, 6, 200)]), "two believe");
}

#[test]
fn a_queue_that_gives_twice_or_loses() {
    use queue::{Told::*, judge};
    let enter = |body: &str| Change::Create {
        content: Content::File(format!("item 0 {body}").into()),
        ttl: None,
    };
    let claim = |before: &str| {
        let condition = Condition { value: Some(before.into()), index: None };
        Change::CompareAndSwap { value: "taken 0".into(), condition, ttl: None }
    };
    let (claim_a, claim_b) = (|| ("1", claim("item 0 a")), || ("2", claim("item 0 b")));
    let go = |name| (name, Change::Delete { dir: false, recursive: false });
    let run = |changes: &[(&str, Change)]| {
        let (mut run, entered) = (Run::new(4, 0, &[]), [("1", enter("a")), ("2", enter("b"))]);
        for (name, change) in entered.iter().chain(changes) {
            run.happen(&format!("/r/queue/{name}"), change.clone());
        }
        run
    };
    let took = |name: &str, body: &str, index| {
        let item = Item { key: format!("/r/queue/{name}"), body: body.into(), index };
        [note(2, 2, Takes), note(3, 2, Took(item))]
    };
    let put = |body: &str| note(1, 1, Put { body: body.into() });
    let both = || run(&[claim_a(), go("1"), claim_b()]);
    let good = [vec![put("a"), put("b")], took("1", "a", 6).into(), took("2", "b", 8).into()];
    let good = good.concat();
    is(&both().judge(judge, &good), "");
    is(&both().judge(judge, &[put("c")]), "never put in");
    is(&both().judge(judge, &[took("1", "a", 6), took("1", "a", 6)].concat()), "twice");
    is(&both().judge(judge, &took("1", "a", 8)), "never claimed");
    is(&both().judge(judge, &took("1", "b", 6)), "never claimed");
    is(&run(&[claim_a()]).judge(judge, &good), "left lying");
    is(&run(&[claim_a(), go("2")]).judge(judge, &good), "nobody had claimed it");
    is(&run(&[claim_a(), ("1", claim("taken 0")), claim_b()]).judge(judge, &good), "claimed twice");
    is(&run(&[claim_b(), claim_a()]).judge(judge, &good), "out of order");
    is(&run(&[("3", enter("a"))]).judge(judge, &good), "put in twice");
    let untold = [&good[..4], &[note(4, 4, Takes)]].concat();
    is(&both().judge(judge, &untold), "nobody has");
    let mut dead = both();
    dead.lives.insert(4, 1);
    is(&dead.judge(judge, &untold), "");
    is(&dead.judge(judge, &[note(4, 4, Takes)]), "nobody has");
}

#[test]
fn a_barrier_that_opens_early_or_leaves_somebody_behind() {
    use condition::{Told::*, judge};
    let key = |rest: &str| format!("/r/size/{:020}/{rest}", 1);
    let (a, b, fired) = (key("tasks/a"), key("tasks/b"), key("fired"));
    let both = [(a.as_str(), ""), (b.as_str(), ""), (fired.as_str(), "")];
    let run = |files| Run::new(2, 10, files);
    let goes_on = "/r/size did not come";
    let member = |at: u64, id, name: &str| {
        let name = name.to_owned();
        [note(at, id, Joins { at: 0, name }), note(at + 1, id, Joined { generation: 1 })]
    };
    let released = |ms, id| note(ms, id, Released { at: 0, generation: 1 });
    let joined = [member(0, 1, "a"), member(2, 2, "b")].concat();
    let good = [joined.clone(), vec![released(9, 1), released(10, 2)]].concat();
    // As promised, but for the calm, in which nobody comes any more.
    is(&run(&both).judge(judge, &good), goes_on);
    is(&run(&both[1..]).judge(judge, &good), "before its rule held");
    is(&run(&both[..2]).judge(judge, &good), "never went");
    is(&run(&both).judge(judge, &[joined, vec![released(9, 1)]].concat()), "left behind");
    let late = [good.clone(), member(20, 3, "c").to_vec()].concat();
    is(&run(&both).judge(judge, &late), "came late");
    let uncounted = [good, member(3, 3, "c").to_vec(), vec![released(11, 3)]].concat();
    is(&run(&both).judge(judge, &uncounted), "was not there");
}

#[test]
fn a_barrier_that_does_not_wait_for_its_signal() {
    use condition::{Told::*, judge};
    let key = |generation: u64, rest: &str| format!("/r/signal/{generation:020}/{rest}");
    let files = (1..=3).flat_map(|it| [key(it, &format!("tasks/{it}")), key(it, "fired")]);
    let files: Vec<String> = files.collect();
    let files: Vec<_> = files.iter().map(|key| (key.as_str(), "")).collect();
    // A generation each 6 s, and whoever signals may die over it.
    let goes = |generation: u64| {
        let (ms, name) = (generation * 6_000, generation.to_string());
        let joins = [note(ms, 2, Joins { at: 2, name }), note(ms + 1, 2, Joined { generation })];
        [&joins[..], &[note(ms + 2, 2, Released { at: 2, generation })]].concat()
    };
    let judged = |generations: usize, signals: &[Note<condition::Told>], deaths: &[(u64, u64)]| {
        let mut run = Run::new(9, 10, &files[..2 * generations]);
        run.deaths = deaths.iter().map(|&(id, ms)| (Who { id, life: 0 }, ms * MS)).collect();
        let gone = (1..=generations as u64).flat_map(goes);
        let mut notes: Vec<_> = signals.iter().cloned().chain(gone).collect();
        notes.sort_by_key(|note| note.at);
        run.judge(judge, &notes)
    };
    let (calls, early) = (|ms, id| note(ms, id, Signals), "before its rule held");
    let told = |ms, id, generation| [calls(ms, id), note(ms + 1, id, Signalled { generation })];
    // As promised, but for barriers to which nobody comes.
    let goes_on = "/r/size did not come";
    is(&judged(1, &[], &[]), early);
    is(&judged(1, &told(6_001, 8, 1), &[]), goes_on);
    is(&judged(1, &told(6_002, 8, 1), &[]), early);
    is(&judged(1, &told(6_001, 8, 2), &[]), early);
    is(&judged(1, &[calls(0, 8)], &[]), goes_on);
    is(&judged(1, &[calls(6_002, 8)], &[]), early);
    is(&judged(2, &[calls(0, 8)], &[]), "generation 2 of /r/signal went");
    is(&judged(2, &[calls(0, 8), calls(0, 9)], &[]), goes_on);
    is(&judged(2, &[&told(6_001, 8, 1)[..], &[calls(6_001, 9)]].concat(), &[]), goes_on);
    // A dead one's signal comes within 8 s or not at all, whoever else could stand for it.
    is(&judged(2, &[calls(0, 8), calls(0, 9)], &[(9, 3_999)]), goes_on);
    is(&judged(2, &[calls(0, 8), calls(0, 9)], &[(8, 3_999), (9, 3_999)]), "generation 2 of");
    is(&judged(2, &[calls(0, 8), calls(0, 9)], &[(8, 3_999), (9, 4_000)]), goes_on);
    is(&judged(3, &[calls(0, 8), calls(0, 9)], &[(8, 4_000)]), "generation 3 of");
    // Nobody was released from the last: it went all the same.
    let told = [told(6_001, 8, 1), told(12_001, 8, 2)].concat();
    let unseen: Vec<_> = [&files[..4], &files[5..]].concat();
    let notes: Vec<_> = [&told[..2], &goes(1)[..], &told[2..], &goes(2)[..]].concat();
    let mut run = Run::new(9, 10, &unseen);
    run.deaths.clear();
    is(&run.judge(judge, &notes), "generation 3 of");
}

#[test]
fn a_setting_that_comes_back_or_does_not_arrive() {
    use config::{Told::*, judge};
    let run = Run::new(3, 0, &[]);
    let setting = |value: &str, version| Setting { value: Some(value.into()), version };
    let saw = |value, version| note(1, 3, Saw(setting(value, version)));
    let published = |value, version| note(1, 1, Published(setting(value, version)));
    is(&run.judge(judge, &[published("a", 4), saw("a", 4), saw("b", 6)]), "");
    is(&run.judge(judge, &[published("a", 4), saw("b", 4)]), "to others");
    is(&run.judge(judge, &[saw("a", 4), saw("a", 6)]), "to others");
    is(&run.judge(judge, &[saw("b", 6), saw("a", 4)]), "then Setting");
    is(&run.judge(judge, &[saw("b", 6), saw("b", 6)]), "then Setting");
    is(&run.judge(judge, &[published("a", 4), published("b", 6), saw("a", 4)]), "ends at");
}

#[test]
fn an_index_that_is_not_the_same_for_all() {
    use index_builder::{Told::*, judge};
    let run = Run::new(4, 0, &[]);
    let builds = |index: &str| note(0, 1, Builds { version: 1, index: index.into() });
    let built = |at| note(1, 1, Built { version: 1, at });
    let fetched = |index: &str| note(2, 2, Fetched { version: 1, index: index.into() });
    is(&run.judge(judge, &[builds("a"), builds("b"), built(5), fetched("b"), fetched("b")]), "");
    is(&run.judge(judge, &[builds("a"), builds("b"), fetched("b"), fetched("a")]), "is \"b\" and");
    is(&run.judge(judge, &[built(5), built(7)]), "at 5 and at 7");
    is(&run.judge(judge, &[builds("whole"), fetched("wh")]), "nobody built");
    let second = note(2, 1, Built { version: 2, at: 4 });
    is(&run.judge(judge, &[built(5), second]), "in order");
    is(&Run::new(4, 20, &[]).judge(judge, &[built(5)]), "did not come");
}

/// An instance "a" that beats each second from 1 s on: this often.
fn beats(times: u64) -> impl Iterator<Item = (u64, Life)> {
    (1..=times).map(|s| (s * 1_000, Life::Beat { name: "a".into(), sent: (s * 1_000 - 10) * MS }))
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_registry_that_drops_the_living_or_keeps_the_dead() {
    use registry::{Told::*, judge};
    let mut run = Run::new(6, 30, &[]);
    let beat = || beats(39).map(|(ms, life)| note(ms, 1, Lived(life)));
    let listed = |ms, id, names| note(ms, id, Listed(set(names)));
    let both = || [listed(1_500, 5, &["a"]), listed(1_500, 6, &["a"])].into_iter();
    let judged = |run: &Run, more: &[Note<registry::Told>]| {
        let mut notes: Vec<_> = beat().chain(both()).chain(more.iter().cloned()).collect();
        notes.sort_by_key(|note| note.at);
        run.judge(judge, &notes)
    };
    is(&judged(&run, &[]), "");
    is(&judged(&run, &[listed(20_000, 5, &[]), listed(20_001, 5, &["a"])]), "lost a");
    is(&judged(&run, &[listed(5_100, 7, &[])]), "");
    is(&judged(&run, &[note(5_000, 7, Looks), listed(5_100, 7, &[])]), "lost a");
    is(&judged(&run, &[listed(2_000, 5, &["a", "b"])]), "knows of b");
    run.lives.insert(1, 1);
    is(&judged(&run, &[]), "knows of a");
}

#[test]
fn a_monitor_that_buries_the_living_or_forgets_the_dead() {
    use monitor::{Told::*, judge};
    let mut run = Run::new(6, 30, &[]);
    let joined = || Sighting::Joined("a".into());
    let judged = |run: &Run, more: &[(u64, Sighting)]| {
        let beats = beats(39).map(|(ms, life)| note(ms, 1, Lived(life)));
        let both = [5, 6].map(|id| note(1_500, id, Sighted(vec![joined()])));
        let more = more.iter().map(|(ms, what)| note(*ms, 5, Sighted(vec![what.clone()])));
        let mut notes: Vec<_> = beats.chain(both).chain(more).collect();
        notes.sort_by_key(|note| note.at);
        run.judge(judge, &notes)
    };
    is(&judged(&run, &[]), "");
    is(
        &judged(&run, &[(9_000, Sighting::Vanished("a".into())), (9_001, joined())]),
        "tells of Van",
    );
    is(&judged(&run, &[(9_000, Sighting::Left("a".into())), (9_001, joined())]), "tells of Left");
    is(&judged(&run, &[(9_000, joined())]), "tells of Joined");
    run.lives.insert(1, 1);
    is(&judged(&run, &[]), "knows of a");
    // It has not beaten since 39 s.
    let gone = Sighting::Vanished("a".into());
    is(&judged(&run, &[(42_500, gone.clone())]), "knows of a");
    is(&judged(&run, &[(42_500, gone.clone()), (42_600, gone)]), "tells of Van");
}

#[test]
fn a_balance_that_reads_the_past_or_what_never_was() {
    use balance::{Told::*, judge};
    let run = Run::new(3, 1, &[("/r/a", "1"), ("/r/b/x", "2")]);
    let truth = {
        let mut model = Model::new(3);
        model.install(run.hint.event(4).unwrap());
        let read = quorate_engine::tree::Read { path: Path::new("/r/a").unwrap(), recursive: true };
        node(&model.read(&read).unwrap())
    };
    let read = |node: Option<&quorate_recipes::Node>, index| {
        let fresh = Fresh { node: node.cloned(), index, member: 0 };
        note(39_500, 3, Read { key: "/r/a", fresh })
    };
    is(&run.judge(judge, &[read(None, 3), read(Some(&truth), 4), read(Some(&truth), 5)]), "");
    is(&run.judge(judge, &[read(Some(&truth), 4), read(None, 3)]), "is back before 4");
    is(&run.judge(judge, &[note(1, 3, Wrote(5)), read(Some(&truth), 4)]), "is back before 5");
    is(&run.judge(judge, &[read(None, 4)]), "read as");
    is(&run.judge(judge, &[read(Some(&truth), 3)]), "read as");
    is(&run.judge(judge, &[]), "only these members");
}

#[test]
fn a_directory_whose_followers_miss_something() {
    use directory::judge;
    let run = Run::new(3, 0, &[("/r/dir/a", "1"), ("/r/e", "2"), ("/r/dir/b", "3")]);
    let event = |index| {
        let event = run.hint.event(index).unwrap();
        let (action, node) = (event.action.as_str().into(), node(&event.node));
        note(index, 3, Seen::Event(Box::new(Event { action, node, prev_node: None })))
    };
    let listing = |index, nodes| note(index, 3, Seen::Listing { index, nodes });
    let nothing = || listing(3, Vec::new());
    is(&run.judge(judge, &[nothing(), event(4), event(6)]), "");
    is(&run.judge(judge, &[nothing(), event(6)]), "after Some(3) comes");
    is(&run.judge(judge, &[nothing(), event(4), event(4)]), "after Some(4) comes");
    is(&run.judge(judge, &[event(4)]), "after None comes");
    is(&run.judge(judge, &[nothing(), event(4)]), "has seen 4");
    is(&run.judge(judge, &[nothing(), event(4), nothing()]), "had seen Some(4)");
    is(&run.judge(judge, &[listing(6, Vec::new())]), "it was Some");
}
