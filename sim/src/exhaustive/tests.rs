//! The exhaustive corner, checked.

use std::collections::BTreeMap;

use super::play::{NODES, Play};
use super::*;

/// Steps of the plain run before the choices that are free.
const BEFORE: usize = 8;

const FREE: usize = 3;

/// All that is outside the engines, and how each of them looks.
fn outside(play: &mut Play<'_>) -> String {
    let mut all = play.table.under_way();
    for id in 1..=NODES {
        all.push(format!("{:?}", play.table.view(id).map(|view| (view.position(), view.digest))));
        all.push(format!("{:x}", play.table.disk_of(id).expect("a node").digest()));
    }
    let mut answers: Vec<String> = play
        .history
        .operations()
        .iter()
        .map(|it| format!("client {} {}: {:?}", it.client, it.op, it.answer))
        .collect();
    answers.sort();
    all.extend(answers);
    all.join("\n")
}

#[test]
fn what_is_not_tried_twice_is_the_same() {
    let mut again = 0;
    for scene in Scene::all().into_iter().take(5) {
        let exploration = Exploration { scene, depth: FREE, anywhere: false, lie: None };
        let plain = exploration.plain(false).expect("nothing is wrong");
        let mut known: BTreeMap<u64, String> = BTreeMap::new();
        let mut open = vec![plain[..BEFORE].to_vec()];
        while let Some(schedule) = open.pop() {
            let mut play = Play::begin(&exploration.scene, None, true).expect("sound");
            let mut key = 0;
            for choice in &schedule {
                key = play.key_after(*choice);
                play.take(*choice).expect("nothing is wrong");
            }
            let found = outside(&mut play);
            again += usize::from(known.contains_key(&key));
            let first = known.entry(key).or_insert_with(|| found.clone());
            assert_eq!(*first, found, "{schedule:?}");
            if schedule.len() < BEFORE + FREE {
                open.extend(play.choices().iter().map(|it| [&schedule[..], &[*it]].concat()));
            }
        }
    }
    assert!(again > 1_000, "only {again} schedules came to what was known");
}

#[test]
fn all_faults_are_tried_and_the_end_is_come_to() {
    let scene = Scene::all().remove(0);
    let exploration = Exploration { scene, depth: 2, anywhere: true, lie: None };
    let sheet = explore(&[exploration], 1, |_| {}).unwrap_or_else(|found| panic!("{found}"));
    assert!(sheet.faults[..3].iter().all(|many| *many > 0) && sheet.quiet > 0, "{sheet}");
}
