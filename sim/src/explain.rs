//! The page: one run as one HTML file, for a person who wants to see what happened.
//!
//! `page.html`, `page.css` and its three scripts are read as they stand, and put into
//! one file with the run as JSON: it fetches nothing. What there is no room for is
//! left out by rank and said to be (`thin`); what an objection names is read from
//! its text (`named`).

mod faults;
mod item;
mod named;
mod read;
mod story;
mod thin;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::weather::{Report, Run, What};
use item::{Item, Kind, Lane};
use named::Objection;
use thin::LeftOut;

/// The size of a page, at most, in bytes.
pub const PAGE_BYTES: usize = 2_000_000;

/// What is shown of a run behind its failure, in µs.
const AFTER: u64 = 300_000;

/// Spans of time over which it is counted how much happened.
const SPANS: u64 = 400;

const HTML: &str = include_str!("explain/page.html");
const PARTS: [(&str, &str, &str); 4] = [
    (r#"<link rel="stylesheet" href="page.css">"#, "style", include_str!("explain/page.css")),
    (r#"<script src="run.js"></script>"#, "script", include_str!("explain/run.js")),
    (r#"<script src="draw.js"></script>"#, "script", include_str!("explain/draw.js")),
    (r#"<script src="page.js"></script>"#, "script", include_str!("explain/page.js")),
];
/// Where the run goes.
const RUN: &str = r#"<script id="run" type="application/json">null</script>"#;

/// What a page knows; `page.js` reads it.
#[derive(Serialize)]
struct Page<'a> {
    /// The arguments that name the run.
    source: &'a str,
    claim: &'a str,
    seed: u64,
    lie: Option<&'static str>,
    story: Vec<String>,
    objection: Option<Objection>,
    /// Its end, in µs.
    end: u64,
    /// The end of the storm, in µs.
    calm: Option<u64>,
    lanes: Vec<(&'static str, String)>,
    left_out: Vec<LeftOut>,
    activity: Activity,
    items: Vec<Row>,
    /// Every word of the items, once.
    texts: Vec<String>,
}

/// How much happened in each span of time, also of what is left out.
#[derive(Default, Serialize)]
struct Activity {
    answered: Vec<u32>,
    refused: Vec<u32>,
    unanswered: Vec<u32>,
}

/// An item as numbers: kind, from, how long, lane, other lane; state, key, text and
/// more as places in `texts`; whether it led to the failure.
type Row = (u8, u64, u64, usize, usize, usize, usize, usize, usize, u8);

/// One run, as one HTML file. `source` are the arguments that name it on the command
/// line: the file, and what is needed beside it. The report must have a journal,
/// in the detail of a page at least.
///
/// # Panics
/// Never: what is written is plain data, and the template's parts are tested.
pub fn page(run: &Run, report: &Report, source: &str) -> String {
    let failed = report.journal.iter().find(|it| matches!(it.what, What::Failed(_)));
    let last = report.journal.last().map_or(0, |record| record.at_ns / 1_000);
    let failed = failed.map_or(last, |record| record.at_ns / 1_000);
    let end = if report.failure.is_some() { last.min(failed + AFTER) } else { last };
    let mut items = read::read(&report.journal, end);
    thin::keep_some_progress(&mut items.all, end);
    let objection = report.failure.as_ref().map(|it| Objection::new(it, failed, &items));
    objection.iter().for_each(|objection| objection.mark(&mut items));
    let story = story::story(run, &items.all, end);
    let activity = Activity::of(&items.all, end);
    let focus = objection.as_ref().map(|it| it.focus).or(items.calm).unwrap_or(end);
    thin::keep_last(&mut items.all, focus);
    let mut rows = Rows::new(run.scenario.nodes, &items.all);
    let room = PAGE_BYTES - template_bytes() - ROOM_BESIDE;
    let (kept, left_out) = thin::thin(items.all, focus, room, |item| rows.bytes(item));
    let page = Page {
        source,
        claim: &run.scenario.claim,
        seed: run.seed,
        lie: run.lie.map(|lie| lie.name()),
        story,
        objection,
        end,
        calm: items.calm,
        lanes: rows.lanes.keys().map(|lane| (lane.kind(), lane.to_string())).collect(),
        left_out,
        activity,
        items: kept.iter().map(|item| rows.row(item)).collect(),
        texts: rows.texts,
    };
    assemble(&serde_json::to_string(&page).expect("plain data"))
}

/// Bytes for what is neither template nor item: story, objection, counts, lanes.
const ROOM_BESIDE: usize = 60_000;

fn template_bytes() -> usize {
    HTML.len() + PARTS.iter().map(|(_, _, text)| text.len()).sum::<usize>()
}

/// The template with its parts and a run in it.
fn assemble(run: &str) -> String {
    // Inside strings alone; so nothing ends the element, or begins another.
    let run = run.replace('<', "\\u003c");
    let (before, after) = HTML.split_once(RUN).expect("the template has a place for it");
    let tag = RUN.strip_suffix("null</script>").expect("an empty run");
    let run = format!("{tag}{run}</script>");
    let put = |half: &str| {
        PARTS.iter().fold(half.to_owned(), |html, (place, element, text)| {
            html.replace(place, &format!("<{element}>\n{text}</{element}>"))
        })
    };
    [put(before), run, put(after)].concat()
}

/// Items on their way into rows.
struct Rows {
    lanes: BTreeMap<Lane, usize>,
    texts: Vec<String>,
    places: BTreeMap<String, usize>,
    text_bytes: usize,
}

impl Rows {
    fn new(nodes: u64, items: &[Item]) -> Self {
        let lanes: BTreeSet<Lane> = items.iter().map(|item| item.lane).collect();
        let all = [Lane::World].into_iter().chain((1..=nodes).map(Lane::Node)).chain(lanes);
        let all: BTreeSet<Lane> = all.collect();
        let lanes = all.into_iter().enumerate().map(|(at, lane)| (lane, at)).collect();
        Self { lanes, texts: Vec::new(), places: BTreeMap::new(), text_bytes: 0 }
    }

    fn text(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let json = serde_json::to_string(text).expect("a string");
        self.text_bytes += json.len() + 1 + 5 * text.matches('<').count();
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }

    fn row(&mut self, item: &Item) -> Row {
        let Item { kind, from, to, lane, other, leads, .. } = item;
        let [state, key] = [self.text(&item.state), self.text(&item.key)];
        let [text, more] = [self.text(&item.text), self.text(&item.more)];
        let (lane, other) = (self.lanes[lane], self.lanes[other]);
        let lasts = to.saturating_sub(*from);
        (*kind as u8, *from, lasts, lane, other, state, key, text, more, u8::from(*leads))
    }

    /// How many bytes an item adds to the page.
    fn bytes(&mut self, item: &Item) -> usize {
        let before = self.text_bytes;
        let row = serde_json::to_string(&self.row(item)).expect("numbers");
        row.len() + 1 + self.text_bytes - before
    }
}

impl Activity {
    fn of(items: &[Item], end: u64) -> Self {
        let spans = usize::try_from(SPANS).expect("small");
        let none = || vec![0; spans];
        let mut activity = Self { answered: none(), refused: none(), unanswered: none() };
        for item in items.iter().filter(|item| item.kind == Kind::Operation) {
            let span = usize::try_from(item.from * SPANS / (end + 1)).expect("below SPANS");
            let counts = match &*item.state {
                "done" | "fault" => &mut activity.answered,
                "refused" => &mut activity.refused,
                _ => &mut activity.unanswered,
            };
            counts[span] += 1;
        }
        activity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place_and_a_run_cannot_leave_its_element() {
        for (place, ..) in PARTS {
            assert_eq!(HTML.matches(place).count(), 1, "{place}");
        }
        let page = assemble(r#"{"a":"</script><script>alert(1)</script>"}"#);
        assert!(!page.contains("<script>alert"));
        assert!(page.contains(r#"{"a":"\u003c/script>\u003cscript>alert(1)\u003c/script>"}"#));
        assert!(PARTS.iter().all(|(place, ..)| !page.contains(place)));
    }

    #[test]
    fn the_scripts_cannot_end_their_own_element() {
        for (_, element, text) in PARTS {
            assert!(!text.contains(&format!("</{element}")));
        }
    }
}
