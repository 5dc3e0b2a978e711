//! The page of a run: whole, alone and bounded; and the journal that it is made of
//! changes nothing.

mod common;

use common::load;
use quorate_sim::explain::{PAGE_BYTES, page};
use quorate_sim::weather::{Detail, Lie, Report, Run, Scenario};
use serde_json::Value;

/// A run of the largest weather, its report with a journal, and its page.
fn explained(change: impl Fn(&mut Scenario), lie: Option<Lie>) -> (Report, String) {
    let mut scenario = load("five-swarm");
    change(&mut scenario);
    let run = Run { lie, ..Run::draw(&scenario, 3) };
    let report = run.report_in(Detail::Page);
    let page = page(&run, &report, "five-swarm.toml --seed 3");
    (report, page)
}

/// The run inside a page.
fn data(page: &str) -> Value {
    let (_, data) = page.split_once(r#"type="application/json">"#).expect("a run");
    let (data, _) = data.split_once("</script>").expect("its end");
    serde_json::from_str(data).expect("JSON")
}

/// The items of a kind, by the numbers of `item.rs`.
fn count(data: &Value, kind: u64) -> usize {
    data["items"].as_array().expect("items").iter().filter(|item| item[0] == kind).count()
}

#[test]
fn a_failing_run_says_what_failed_and_what_led_to_it() {
    let (report, page) = explained(|_| {}, Some(Lie::EarlySync));
    let failure = report.failure.expect("nobody can keep a promise on such disks");
    let data = data(&page);
    assert_eq!(data["objection"]["oracle"], failure.oracle);
    assert_eq!(data["objection"]["what"], failure.what);
    assert!(data["objection"]["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()));
    let leads = data["items"].as_array().expect("items").iter().filter(|item| item[9] == 1);
    assert!((1..60).contains(&leads.count()), "a person reads it in a minute");
}

#[test]
fn a_passing_run_has_no_objection_and_every_kind_of_event() {
    let (report, page) = explained(|_| {}, None);
    assert_eq!(report.failure, None);
    let data = data(&page);
    assert_eq!(data["objection"], Value::Null);
    let nodes = data["lanes"].as_array().expect("lanes").iter().filter(|lane| lane[0] == "node");
    assert_eq!(nodes.count(), 5);
    for kind in 0..9 {
        assert!(count(&data, kind) > 0, "nothing of kind {kind} is on the page");
    }
    let operations = count(&data, 7);
    assert_eq!(operations, report.operations, "every operation is on the page");
}

#[test]
fn a_page_fetches_nothing() {
    let (_, page) = explained(|_| {}, Some(Lie::EarlySync));
    for fetch in ["http:", "https:", " src=", " href=", "url(", "@import", "fetch(", "XMLHttp"] {
        assert!(!page.contains(fetch), "{fetch}");
    }
}

#[test]
fn a_long_run_is_thinned_and_says_so() {
    let (report, page) = explained(|scenario| scenario.storm_s = 90, None);
    assert!(page.len() <= PAGE_BYTES, "{} bytes", page.len());
    let data = data(&page);
    let left_out = data["left_out"].as_array().expect("a list");
    assert_eq!(left_out.last().expect("too much for a page")["what"], "heartbeats");
    let number = |of: &Value, what| usize::try_from(of[what].as_u64().expect(what)).expect("small");
    let left_out: usize = left_out.iter().map(|it| number(it, "left_out")).sum();
    assert!(left_out > 0 && left_out < report.journal.len());
}

#[test]
fn a_journal_changes_nothing() {
    let scenario = load("five-swarm");
    for (seed, lie) in [(0, None), (1, None), (2, Some(Lie::ForgedVote)), (3, Some(Lie::EarlySync))]
    {
        let run = Run { lie, ..Run::draw(&scenario, seed) };
        let (with, without) = (run.report(true), run.report(false));
        assert_eq!(run.report_in(Detail::Page).digest, without.digest, "seed {seed}");
        assert_eq!(with.digest, without.digest, "seed {seed}");
        assert_eq!((with.steps, with.failure), (without.steps, without.failure), "seed {seed}");
        assert!(without.journal.is_empty() && !with.journal.is_empty());
    }
}
