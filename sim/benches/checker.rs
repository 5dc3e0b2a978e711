//! The checkers by certificate, on one core: `cargo bench -p quorate-sim --bench checker`.
//!
//! `certificate/N` judges, from its beginning to its end, a history of N operations that
//! five clients or more asked of five nodes in real weather: writes, conditions, keys in
//! order, times to live, recursive reads and deletes, local reads, and what was lost on
//! the way. One element is one operation. Two sizes, for what takes linear time has the
//! same rate in both. The weather is run beforehand, and is not measured.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_sim::check::check;
use quorate_sim::history::History;
use quorate_sim::weather::{Report, Scenario, run};

criterion_group!(benches, certificate);
criterion_main!(benches);

/// Five clients that hardly think, among a few faults.
const WEATHER: &str = r#"
    claim = "A long history."
    nodes = 5
    clients = 5
    watchers = 0
    think_ms = 2
    storm_s = 1
    calm_s = 1

    [links]
    loss = 0.001
    delay_ms = [1, 2]

    [disks]
    delay_ms = [1, 1]

    [faults]
    isolate = { every_s = 30, lasts_ms = [300, 1500] }
    crash = { every_s = 20, lasts_ms = [50, 1000] }
"#;

/// Seconds of storm, and at least so many operations come of it.
const SIZES: [(u64, usize); 2] = [(120, 25_000), (600, 125_000)];

fn certificate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certificate");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (storm_s, least) in SIZES {
        let report = record(storm_s);
        let operations = report.history.operations().len();
        assert!(operations >= least, "only {operations} operations");
        println!("{operations} operations: {}", contents(&report.history));
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(BenchmarkId::from_parameter(operations), |bench| {
            bench.iter(|| check(black_box(&report.history), &report.hint).expect("it is sound"));
        });
    }
    group.finish();
}

fn record(storm_s: u64) -> Report {
    let scenario = Scenario { storm_s, ..Scenario::parse(WEATHER).expect("sound") };
    let report = run(&scenario, 1, None, false);
    assert_eq!(report.failure, None);
    report
}

fn contents(history: &History) -> String {
    let count = |is: fn(&quorate_sim::history::Operation) -> bool| {
        history.operations().iter().filter(|operation| is(operation)).count()
    };
    format!(
        "{} written, {} unknown writes, {} local reads",
        count(|it| it.event().is_some()),
        count(|it| it.is_unknown_write()),
        count(|it| it.is_local()),
    )
}
