//! `run` and `merge`: many seeds, one sheet.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_sim::weather::{Campaign, Scenario, Sheet};

use crate::arguments::Run;

/// Runs a campaign and prints its sheet; whether nothing failed.
pub fn run(run: &Run) -> Result<bool, String> {
    let scenario = read(&run.file, |text| Scenario::parse(text).map_err(|it| it.to_string()))?;
    println!("{}: {}", run.file.display(), scenario.claim);
    let (which, of) = run.shard;
    let last = if run.lasts.is_some() { u64::MAX } else { run.seeds.end };
    let seeds = (run.seeds.start..last).filter(|seed| seed % of == which - 1);
    let (bar, begun, stop) = (bar(run), Instant::now(), AtomicBool::new(false));
    let campaign = Campaign { scenario: &scenario, jobs: run.jobs, twice: run.twice };
    let sheet = campaign.run(seeds, &stop, |sheet| {
        let elapsed = begun.elapsed();
        bar.set_position(if run.lasts.is_some() { elapsed.as_secs() } else { sheet.seeds });
        let rate = sheet.seeds as f64 / elapsed.as_secs_f64();
        bar.set_message(format!("{rate:.1} seeds/s, {} failed", sheet.failures.len()));
        let over = run.lasts.is_some_and(|lasts| elapsed >= lasts);
        if over || run.stop_at_first && !sheet.failures.is_empty() {
            stop.store(true, Ordering::Relaxed);
        }
    });
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    print!("{sheet}");
    println!(
        "speed       {:.1} seeds/s, {:.0} × real time, {seconds:.1} s on {} threads",
        sheet.seeds as f64 / seconds,
        sheet.simulated_ms as f64 / 1_000.0 / seconds,
        run.jobs
    );
    for seed in sheet.failures.keys() {
        let file = run.file.display();
        println!("look at it     quorate-sim explain {file} --seed {seed}");
        println!("see it again   quorate-sim replay {file} --seed {seed}");
        println!("cut it down    quorate-sim shrink {file} --seed {seed}");
    }
    if let Some(file) = &run.sheet {
        let text = toml::to_string(&sheet).map_err(|error| error.to_string())?;
        fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(sheet.failures.is_empty())
}

/// Adds up sheets and prints the sum; whether nothing failed in any of them.
pub fn merge(files: &[PathBuf]) -> Result<bool, String> {
    let mut sum = Sheet::default();
    for file in files {
        sum.add(read(file, |text| toml::from_str(text).map_err(|error| error.to_string()))?);
    }
    print!("{sum}");
    Ok(sum.failures.is_empty())
}

/// Reads a file and what it says; a mistake names the file.
pub fn read<T>(file: &Path, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string());
    text.and_then(|text| parse(&text)).map_err(|error| format!("{}: {error}", file.display()))
}

fn bar(run: &Run) -> ProgressBar {
    let length = match run.lasts {
        Some(lasts) => lasts.as_secs(),
        None => (run.seeds.end - run.seeds.start).div_ceil(run.shard.1),
    };
    let unit = if run.lasts.is_some() { "s" } else { "seeds" };
    let style = format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{msg}}, {{eta}} left");
    let style = ProgressStyle::with_template(&style).expect("a sound template");
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr_with_hz(4),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}
