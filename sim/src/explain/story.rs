//! A run in a few sentences.

use std::collections::{BTreeMap, BTreeSet};

use super::item::{Item, Kind};
use crate::weather::Run;

/// What was done to whom, and what came of it, a sentence each.
pub(super) fn story(run: &Run, items: &[Item], end: u64) -> Vec<String> {
    let scenario = &run.scenario;
    let mut cast =
        format!("{}, {}", many(scenario.nodes, "node"), many(scenario.clients, "client"));
    if scenario.watchers > 0 {
        cast += &format!(" and {}", many(scenario.watchers, "watcher"));
    }
    if let Some(recipe) = scenario.recipe {
        cast += &format!(", and processes of the recipe “{}”", recipe.cast().name);
    }
    let storm = scenario.storm_s;
    let mut story = vec![format!("{cast}; {storm} s of storm, and then calm.")];
    let mut faults = BTreeMap::<&str, u64>::new();
    run.plan.steps.iter().for_each(|step| *faults.entry(step.action.kind()).or_default() += 1);
    let faults: Vec<_> = faults.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    story.push(match faults.is_empty() {
        true => "Nothing was planned but what links, disks and clocks do.".into(),
        false => format!("Planned: {}.", faults.join(", ")),
    });
    if let Some(lie) = run.lie {
        let told = items.iter().filter(|item| item.state == "lie").count() as u64;
        story.push(format!("Neighbours lie, {}: {}.", many(told, "time"), lie.name()));
    }
    story.push(outcome(items, end));
    story
}

fn outcome(items: &[Item], end: u64) -> String {
    let of = |kind| items.iter().filter(move |item| item.kind == kind);
    let count = |kind, state: &str| of(kind).filter(|item| item.state == state).count() as u64;
    let operations = of(Kind::Operation).count() as u64;
    let unknown = count(Kind::Operation, "lost");
    let terms: BTreeSet<&str> =
        of(Kind::Role).filter(|item| item.state == "leader").map(|item| &*item.more).collect();
    let (messages, arrived) = (of(Kind::Message).count() as u64, count(Kind::Message, "arrived"));
    format!(
        "In {:.1} s there were {}, {} without an answer, {} elected, and {} of {} did not arrive.",
        end as f64 / 1e6,
        many(operations, "operation"),
        grouped(unknown),
        many(terms.len() as u64, "leader"),
        grouped(messages - arrived),
        many(messages, "message"),
    )
}

/// So many of something.
fn many(count: u64, what: &str) -> String {
    let count_text = grouped(count);
    if count == 1 { format!("{count_text} {what}") } else { format!("{count_text} {what}s") }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let of = |number| grouped(number);
        assert_eq!([of(0), of(999), of(1_000), of(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([many(1, "node"), many(2, "node")], ["1 node", "2 nodes"]);
    }
}
