//! How fast the weather is, on one core: `cargo bench -p quorate-sim --bench weather`.
//!
//! Five nodes, about ten acknowledged writes a second, every property and every checker;
//! the faults of `five-swarm.toml`, a part of them for each seed, as it draws them, and
//! then all of them in every seed, which leaves little time in which a write can be
//! acknowledged. Printed is simulated time beside the wall's, and what there was in it,
//! for time alone rewards idling. `QUORATE_SEEDS=N` runs so many seeds.

use std::time::Instant;

use quorate_sim::weather::{Campaign, Scenario, Sheet};

/// How long a client thinks at most, so that there are so many writes.
const THINK_MS: u64 = 55;

/// Seconds of faults in one run: with the calm and what is between them, about 60.
const STORM_S: u64 = 55;

const SEEDS: u64 = 40;

fn main() {
    let text = include_str!("../../scenarios/weather/five-swarm.toml");
    let drawn = Scenario::parse(text).expect("a sound file");
    let drawn = Scenario { think_ms: THINK_MS, storm_s: STORM_S, ..drawn };
    let all = Scenario { swarm: false, ..drawn.clone() };
    let seeds = std::env::var("QUORATE_SEEDS").map_or(SEEDS, |text| text.parse().expect("many"));
    measure("faults as five-swarm draws them", &drawn, seeds);
    measure("all faults at once", &all, seeds);
    measure_day(&drawn, seeds);
}

/// How many seeds of a minute a machine does in a day, on all its cores at once.
fn measure_day(scenario: &Scenario, seeds: u64) {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let campaign = Campaign { scenario, jobs, twice: false };
    let sheet = campaign.run(0..seeds * jobs as u64, &Default::default(), |_| {});
    let minutes = sheet.simulated_ms as f64 / 60_000.0;
    let day = minutes / begun.elapsed().as_secs_f64() * 86_400.0;
    println!("{day:.0} seeds of 60 simulated seconds a day on {jobs} cores");
    assert!(sheet.failures.is_empty(), "what fails early is quick");
}

fn measure(name: &str, scenario: &Scenario, seeds: u64) {
    let campaign = Campaign { scenario, jobs: 1, twice: false };
    let mut rates = Vec::new();
    let mut sheet = Sheet::default();
    let begun = Instant::now();
    for seed in 0..seeds {
        let begun = Instant::now();
        let one = campaign.run(seed..seed + 1, &Default::default(), |_| {});
        rates.push(one.simulated_ms as f64 / 1_000.0 / begun.elapsed().as_secs_f64());
        sheet.add(one);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let simulated = sheet.simulated_ms as f64 / 1_000.0;
    rates.sort_by(f64::total_cmp);
    let rate = |share: f64| rates[((rates.len() - 1) as f64 * share) as usize];
    println!(
        "{name}: {} nodes, {} clients, {} watchers",
        scenario.nodes, scenario.clients, scenario.watchers
    );
    println!("{sheet}");
    println!(
        "simulated   {:.0} × real time on one core; slowest seed {:.0}, median {:.0}, quickest {:.0}",
        simulated / seconds,
        rate(0.0),
        rate(0.5),
        rate(1.0)
    );
    println!(
        "in it       {:.1} writes/s, {:.0} steps/s of simulated time; {:.0} steps/s of real time\n",
        sheet.written as f64 / simulated,
        sheet.steps as f64 / simulated,
        sheet.steps as f64 / seconds
    );
    assert!(sheet.failures.is_empty(), "what fails early is quick");
}
