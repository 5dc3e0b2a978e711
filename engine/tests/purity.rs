//! The engine is a function: same config, same image, same inputs, same outputs.

use std::collections::BTreeSet;

use quorate_engine::{Config, Engine, Image, Input, Member, Output};

fn engine(seed: u64) -> (Engine, Vec<Output>) {
    let member = |id| Member { id, peer_urls: Vec::new(), attributes: Default::default() };
    let mut config = Config::new(1, 7, (1..=3).map(member).collect());
    config.seed = seed;
    config.boot = 1;
    Engine::recover(config, Image::new()).expect("an empty directory is sound")
}

/// Everything that a lonely node says in so many ticks, its disk answering at once.
fn life(seed: u64, ticks: u64) -> Vec<String> {
    let (mut engine, mut out) = engine(seed);
    let mut said = Vec::new();
    for tick in 0..ticks {
        let mut at = 0;
        while at < out.len() {
            said.push(format!("{tick} {}", out[at]));
            if let Output::Disk { id, .. } = out[at] {
                engine.step(Input::Disk { id, result: Ok(()) }, &mut out);
            }
            at += 1;
        }
        out.clear();
        engine.step(Input::Tick { wall_ms: tick }, &mut out);
    }
    said
}

/// The ticks at which a lonely node asks for votes.
fn elections(seed: u64) -> BTreeSet<String> {
    let asks = |line: &String| line.contains("pre-vote?");
    let tick = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
    life(seed, 200).into_iter().filter(asks).map(tick).collect()
}

#[test]
fn the_same_inputs_have_the_same_outputs() {
    let first = life(9, 300);
    assert!(first.iter().any(|line| line.contains("pre-vote?")), "elections are part of it");
    for _ in 0..50 {
        assert_eq!(life(9, 300), first);
    }
}

#[test]
fn election_timeouts_come_from_the_seed_and_nowhere_else() {
    let timeouts: BTreeSet<_> = (0..50).map(|_| elections(4)).collect();
    assert_eq!(timeouts.len(), 1, "raft-rs rolls its own dice again");
    let seeds: BTreeSet<_> = (0..50).map(elections).collect();
    assert!(seeds.len() > 5, "seeds differ, timeouts do too");
}
