//! How fast the weather is, on one core: `cargo bench -p quorate-sim --bench weather`.
//!
//! Five nodes, about ten writes a second, every fault of `five-swarm.toml` at once in
//! every seed, every property and every checker. Printed is simulated time beside the
//! wall's, and what there was in it, for time alone rewards idling; then seed by seed
//! the slowest and the quickest. `QUORATE_SEEDS=N` runs more seeds.

use std::time::Instant;

use quorate_engine::Config;
use quorate_sim::properties::Properties;
use quorate_sim::weather::{Campaign, Scenario, Sheet};

/// Mean of a client's pause, to which its waiting is added.
const THINK_MS: u64 = 640;

/// Seconds of faults in one run.
const STORM_S: u64 = 56;

const SEEDS: u64 = 40;

fn main() {
    let text = include_str!("../../scenarios/weather/five-swarm.toml");
    let swarm = Scenario::parse(text).expect("a sound file");
    let seeds = std::env::var("QUORATE_SEEDS").map_or(SEEDS, |text| text.parse().expect("many"));
    for (name, swarm) in [
        ("all faults at once", Scenario { swarm: false, ..swarm.clone() }),
        ("as drawn by five-swarm", swarm),
    ] {
        let scenario = Scenario { think_ms: THINK_MS, storm_s: STORM_S, ..swarm };
        measure(name, &scenario, seeds);
    }
    let properties = Properties::new(&Config::new(1, 1, Vec::new()));
    println!("properties  {}", properties.names().collect::<Vec<_>>().join(", "));
    println!(
        "at the end  linearizable, local reads, durable, watches, times to live, equal states"
    );
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
