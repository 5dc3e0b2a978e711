//! Histories made by hand, each judged by the checkers by certificate and by the one
//! that searches: enough of them, of every kind of operation.

use std::collections::BTreeMap;

use quorate_engine::{Change, tree::Action};
use quorate_sim::check::check;
use quorate_sim::check::search::{Verdict, search};
use quorate_sim::history::{History, Op};

use super::story::{GENESIS, Story, Told};
use super::{bad, good, time};

/// Accepted by both.
const GOOD: [&[Told]; 3] = [good::PLAIN, good::LOCAL, time::GOOD];

/// Rejected by both.
const BAD: [&[Told]; 4] = [bad::PLAIN, bad::LOCAL, time::BAD, time::LOCAL];

#[test]
fn both_checkers_agree_on_histories_made_by_hand() {
    let mut kinds = BTreeMap::new();
    for (is_good, histories) in [(true, &GOOD[..]), (false, &BAD[..])] {
        let mut judged = 0;
        for (claim, tell) in histories.iter().copied().flatten() {
            let story = tell();
            let expected = if is_good { Verdict::Linearizable } else { Verdict::Violation };
            assert_eq!(search(&story.history, GENESIS), expected, "{claim}");
            let certified = check(&story.history, &story.hint());
            assert_eq!(certified.is_ok(), is_good, "{claim}: {certified:?}");
            for kind in kinds_of(&story) {
                *kinds.entry((kind, is_good)).or_insert(0) += 1;
            }
            judged += 1;
        }
        println!("{judged} histories are {}", if is_good { "good" } else { "bad" });
        assert!(judged >= 40, "{judged}");
    }
    println!("{kinds:?}");
    assert!(kinds.len() == 14 && kinds.values().all(|many| *many >= 2), "{kinds:?}");
}

/// What is in a history that concerns several keys, or time.
fn kinds_of(story: &Story) -> Vec<&'static str> {
    let history: &History = &story.history;
    let any = |is: fn(&Op) -> bool| history.operations().iter().any(|it| is(&it.op));
    let writes = |op: &Op, is: fn(&Change) -> bool| match op {
        Op::Write(write) => is(&write.change),
        Op::Read { .. } => false,
    };
    let change = |is: fn(&Change) -> bool| history.operations().iter().any(|it| writes(&it.op, is));
    let mut kinds = Vec::new();
    let mut add = |kind, is| kinds.extend(Some(kind).filter(|_| is));
    add("recursive read", any(|op| matches!(op, Op::Read { read, .. } if read.recursive)));
    add("local read", any(|op| matches!(op, Op::Read { local: true, .. })));
    add("recursive delete", change(|it| matches!(it, Change::Delete { recursive: true, .. })));
    add("key in order", change(|it| matches!(it, Change::CreateInOrder { .. })));
    add(
        "swap on an index",
        change(|it| match it {
            Change::CompareAndSwap { condition, .. } => condition.index.is_some(),
            _ => false,
        }),
    );
    add("expiry", story.events.iter().any(|event| event.action == Action::Expire));
    add("unknown write", history.operations().iter().any(|it| it.is_unknown_write()));
    kinds
}
