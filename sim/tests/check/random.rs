//! Random executions are accepted by both checkers; spoiled ones that the search
//! rejects are rejected by the certificate.

use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use quorate_engine::tree::{Event, Fault, FaultCode, NodeView};
use quorate_sim::check::search::{Verdict, search};
use quorate_sim::check::{Hint, check};
use quorate_sim::history::{Answer, History};
use quorate_sim::workload::Mix;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::execution::{execute, retold};
use super::story::GENESIS;

/// The mix for the search, which does not judge what has lost a write with a time to
/// live.
fn searched() -> Mix {
    Mix { ttl_percent: 12, refresh: 3, ..Mix::default() }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn correct_executions_are_accepted(seed: u64, clients in 1u64..6, operations in 0usize..200) {
        let (history, hint) = execute(seed, Mix::default(), clients, operations);
        if let Err(violation) = check(&history, &hint) {
            return Err(TestCaseError::fail(violation.to_string()));
        }
    }

    #[test]
    fn what_the_search_rejects_the_certificate_rejects(
        seed: u64,
        clients in 1u64..5,
        operations in 1usize..25,
    ) {
        let (history, hint) = execute(seed, searched(), clients, operations);
        if let Some(spoiled) = spoil(&history, seed) {
            let certified = check(&spoiled, &hint);
            let verdict = search(&spoiled, GENESIS);
            prop_assert!(certified.is_err() || verdict != Verdict::Violation);
        }
    }
}

#[test]
fn both_checkers_accept_correct_executions() {
    let judged = Cell::new(0);
    let executions = (any::<u64>(), 1u64..5, 0usize..25);
    let accepted = TestRunner::new(config()).run(&executions, |(seed, clients, operations)| {
        let (history, hint) = execute(seed, searched(), clients, operations);
        prop_assert_eq!(check(&history, &hint), Ok(()));
        let verdict = search(&history, GENESIS);
        prop_assert_ne!(verdict, Verdict::Violation);
        judged.set(judged.get() + u32::from(verdict == Verdict::Linearizable));
        Ok(())
    });
    accepted.unwrap_or_else(|error| panic!("{error}"));
    let judged = judged.get();
    assert!(judged > 200, "the search has judged only {judged} of 400 executions");
}

#[test]
fn most_spoiled_histories_are_rejected_by_both() {
    let (mut spoiled, mut rejected) = (0, 0);
    for seed in 0..500 {
        let (history, hint) = execute(seed, searched(), 3, 20);
        let Some(history) = spoil(&history, seed) else { continue };
        let verdict = search(&history, GENESIS);
        if verdict == Verdict::Unknown {
            continue;
        }
        spoiled += 1;
        let certified = check(&history, &hint);
        rejected += u32::from(verdict == Verdict::Violation && certified.is_err());
    }
    assert!(spoiled > 250, "only {spoiled} of 500 histories are spoiled and judged");
    assert!(rejected * 10 > spoiled * 8, "only {rejected} of {spoiled} are rejected by both");
}

#[test]
fn two_hundred_thousand_operations_are_checked_in_one_sweep() {
    let (history, hint) = execute(1, Mix::default(), 16, 200_000);
    check(&history, &hint).unwrap_or_else(|violation| panic!("{violation}"));
    let spoiled = spoil_last(&history);
    assert!(check(&spoiled, &hint).is_err());
}

#[test]
fn a_hint_that_lacks_its_last_event_is_found_out() {
    for seed in 0..50 {
        let (history, hint) = execute(seed, searched(), 1, 30);
        let events = hint.in_order().unwrap();
        let mut shorter = Hint::new(GENESIS);
        let (last, events) = events.split_last().unwrap();
        events.iter().for_each(|event| shorter.learn(event).unwrap());
        let told = history.operations().iter().any(|operation| {
            operation.answer.store_index().is_some_and(|index| index >= last.index())
        });
        assert_eq!(check(&history, &shorter).is_err(), told, "seed {seed}");
    }
}

/// One answer of the tree, chosen by chance, is not what it was.
pub fn spoil(history: &History, seed: u64) -> Option<History> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
    let operations = history.operations().iter();
    let told: Vec<_> = operations.filter(|op| op.answer.store_index().is_some()).collect();
    let operation = told.get(rng.random_range(0..told.len().max(1)))?;
    let mut answer = operation.answer.clone();
    spoil_answer(&mut answer, &mut rng);
    Some(retold(history, operation.id, &answer))
}

fn spoil_last(history: &History) -> History {
    let mut operations = history.operations().iter().rev();
    let last = operations.find(|operation| operation.event().is_some()).unwrap();
    let mut answer = last.answer.clone();
    let Answer::Written { event, .. } = &mut answer else { unreachable!("it has an event") };
    Arc::make_mut(event).node.created_index -= 1;
    retold(history, last.id, &answer)
}

fn spoil_answer(answer: &mut Answer, rng: &mut Xoshiro256PlusPlus) {
    match answer {
        _ if rng.random_bool(0.1) => *answer = Answer::Refused,
        Answer::Written { at, .. } | Answer::Fault { at, .. } | Answer::Read { at, .. }
            if rng.random_bool(0.4) =>
        {
            if rng.random_bool(0.3) {
                at.clock.cluster_ms += 100_000;
                return;
            }
            at.store_index = at.store_index.saturating_add_signed(rng.random_range(1..4) - 2);
            at.store_index -= u64::from(at.store_index > 0);
        }
        Answer::Written { event, .. } => spoil_event(Arc::make_mut(event), rng),
        Answer::Fault { fault, .. } | Answer::Read { found: Err(fault), .. } => {
            spoil_fault(fault, rng);
        }
        Answer::Read { found: Ok(node), .. } => spoil_node(node, rng),
        Answer::Refused | Answer::Lost => unreachable!("the tree has answered"),
    }
}

fn spoil_event(event: &mut Event, rng: &mut Xoshiro256PlusPlus) {
    match event.prev.as_mut().filter(|_| rng.random_bool(0.5)) {
        Some(_) if rng.random_bool(0.3) => event.prev = None,
        Some(prev) => spoil_node(prev, rng),
        None => spoil_node(&mut event.node, rng),
    }
}

fn spoil_fault(fault: &mut Fault, rng: &mut Xoshiro256PlusPlus) {
    match rng.random_range(0..3) {
        0 => fault.index += 1,
        1 => fault.cause.push('/'),
        _ if fault.code == FaultCode::NotFile => fault.code = FaultCode::NodeExists,
        _ => fault.code = FaultCode::NotFile,
    }
}

fn spoil_node(node: &mut NodeView, rng: &mut Xoshiro256PlusPlus) {
    match rng.random_range(0..6) {
        0 => node.created_index += 1,
        4 if node.expires.is_some() => node.expires = None,
        1 => node.modified_index += 1,
        2 => node.dir = !node.dir,
        3 if !node.nodes.is_empty() => {
            node.nodes.pop();
        }
        _ => node.value = Some("spoiled".into()),
    }
}
