//! The verdicts are those of the judgement before.

use quorate_sim::check::{check, old};
use quorate_sim::workload::Mix;

use super::execution::execute;
use super::random::spoil;
use super::{bad, good, time};

#[test]
fn on_histories_made_by_hand() {
    let all = [good::PLAIN, good::LOCAL, time::GOOD, time::LOST, time::CROWD, bad::PLAIN, bad::HINT, bad::LOCAL,
        time::BAD, time::LOCAL, time::UNSEEN, time::CROWDED];
    let mut many = 0;
    for (claim, tell) in all.into_iter().flatten() {
        let story = tell();
        let (one, other) = (check(&story.history, &story.hint()), old::check(&story.history, &story.hint()));
        if one != other { println!("{claim}:\n  {one:?}\n  {other:?}"); }
        assert_eq!(one.is_ok(), other.is_ok(), "{claim}");
        let kind = |it: &Result<(), quorate_sim::check::Violation>| it.as_ref().err().map(std::mem::discriminant);
        assert_eq!(kind(&one), kind(&other), "{claim}");
        many += 1;
    }
    println!("{many} histories");
}

#[test]
fn on_random_histories() {
    let seeds: u64 = std::env::var("SEEDS").map_or(2_000, |it| it.parse().unwrap());
    let (mut good, mut bad, mut otherwise) = (0, 0, std::collections::BTreeMap::new());
    for seed in 0..seeds {
        let (clients, operations) = (1 + seed % 9, 5 + (seed as usize * 7) % 300);
        let (history, hint) = execute(seed, Mix::default(), clients, operations);
        assert_eq!(check(&history, &hint), old::check(&history, &hint), "seed {seed}");
        let mut spoiled = history.clone();
        for twice in 0..3 {
            let Some(next) = spoil(&spoiled, seed ^ (twice << 40)) else { break };
            spoiled = next;
            let (one, other) = (check(&spoiled, &hint), old::check(&spoiled, &hint));
            assert_eq!(one.is_ok(), other.is_ok(), "seed {seed}: {one:?}\n{other:?}");
            if one.is_ok() { good += 1 } else { bad += 1 }
            let name = |it: &quorate_sim::check::Violation| format!("{it:?}").split([' ', '{']).next().unwrap().to_owned();
            if let (Err(one), Err(other)) = (one, other) {
                *otherwise.entry((name(&other), name(&one))).or_insert(0) += 1;
            }
        }
    }
    println!("{good} good, {bad} bad; before, now: {otherwise:#?}");
}
