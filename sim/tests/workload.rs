//! The workload does what it promises: a function of its seed, values that are
//! unique, and every kind of answer among those that it provokes.

use std::collections::BTreeSet;

use quorate_engine::tree::{Action, FaultCode};
use quorate_engine::{Change, Content, Position, Write};
use quorate_sim::history::{Answer, Op};
use quorate_sim::model::Model;
use quorate_sim::workload::{Mix, Workload};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// Operations of five clients, one after the other, with what the model answers.
fn run(seed: u64, operations: u64) -> Vec<(Op, Answer)> {
    let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut workload = Workload::new(rng, Mix::default());
    let mut model = Model::new(3);
    let mut told = Vec::new();
    for client in (0..5).cycle().take(operations as usize) {
        let op = workload.next_op(client);
        let answer = answer(&mut model, &op);
        workload.observe(&answer);
        told.push((op, answer));
    }
    told
}

fn answer(model: &mut Model, op: &Op) -> Answer {
    let at = Position::default();
    match op {
        Op::Read { read, .. } => Answer::Read { found: model.read(read), at },
        Op::Write(write) => match model.apply(write) {
            Ok(event) => Answer::Written { event: event.into(), at },
            Err(fault) => Answer::Fault { fault, at },
        },
    }
}

fn value(op: &Op) -> Option<&str> {
    let Op::Write(Write { change, .. }) = op else { return None };
    match change {
        Change::Set { content: Content::File(value), .. }
        | Change::Create { content: Content::File(value), .. }
        | Change::CreateInOrder { content: Content::File(value), .. }
        | Change::Update { value: Some(value), .. }
        | Change::CompareAndSwap { value, .. } => Some(value),
        _ => None,
    }
}

#[test]
fn the_same_seed_does_the_same() {
    assert_eq!(run(1, 500), run(1, 500));
    assert_ne!(run(1, 500), run(2, 500));
}

#[test]
fn values_are_unique_unless_empty() {
    let told = run(1, 5_000);
    let values: Vec<&str> = told.iter().filter_map(|(op, _)| value(op)).collect();
    let values: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
    let unique: BTreeSet<&str> = values.iter().copied().collect();
    assert!(values.len() > 1_000, "only {} values", values.len());
    assert_eq!(unique.len(), values.len());
    assert!(values.iter().all(|value| value.len() <= Mix::default().max_value_bytes));
}

#[test]
fn every_action_and_every_refusal_comes_up() {
    let (mut actions, mut faults) = (BTreeSet::new(), BTreeSet::new());
    for (_, answer) in run(1, 2_000) {
        match answer {
            Answer::Written { event, .. } => drop(actions.insert(event.action)),
            Answer::Fault { fault, .. } => drop(faults.insert(fault.code)),
            _ => {}
        }
    }
    let all = [
        Action::Set,
        Action::Create,
        Action::Update,
        Action::CompareAndSwap,
        Action::Delete,
        Action::CompareAndDelete,
    ];
    assert_eq!(actions, all.into());
    let all = [
        FaultCode::KeyNotFound,
        FaultCode::CompareFailed,
        FaultCode::NotFile,
        FaultCode::NotDirectory,
        FaultCode::NodeExists,
        FaultCode::RootReadOnly,
        FaultCode::DirectoryNotEmpty,
        FaultCode::ValueRequired,
    ];
    assert_eq!(faults, all.into());
}
