//! `replay`, `explain` and `shrink`: one run.

use std::fs;
use std::path::Path;

use quorate_sim::explain::page;
use quorate_sim::weather::{self, Detail, Regression, Run, Scenario};

use crate::arguments::Single;
use crate::run::read;

/// Prints the plan and every event of a run; whether nothing failed.
pub fn replay(single: &Single) -> Result<bool, String> {
    let run = load(single)?;
    let report = run.report(true);
    report.lines().for_each(|line| println!("{line}"));
    println!("\nthe plan of seed {}:", run.seed);
    run.plan.steps.iter().for_each(|step| println!("  {step}"));
    run.plan.broken.iter().for_each(|broken| println!("             {broken}"));
    println!(
        "\n{} steps, {} operations, {} written, {} unknown, digest {:016x}",
        report.steps, report.operations, report.written, report.lost, report.digest
    );
    match &report.failure {
        None => println!("nothing failed"),
        Some(failure) => println!("FAILED {failure}"),
    }
    Ok(report.failure.is_none())
}

/// Writes a run as a page, whether it fails or not.
pub fn explain(single: &Single, out: &Path) -> Result<bool, String> {
    let run = load(single)?;
    let report = run.report_in(Detail::Page);
    let mut source = single.file.display().to_string();
    single.seed.iter().for_each(|seed| source += &format!(" --seed {seed}"));
    single.lie.iter().for_each(|lie| source += &format!(" --lie {}", lie.name()));
    let page = page(&run, &report, &source);
    fs::write(out, page).map_err(|error| format!("{}: {error}", out.display()))?;
    match &report.failure {
        None => println!("nothing failed"),
        Some(failure) => println!("FAILED {failure}"),
    }
    println!("the page    {}", out.display());
    Ok(true)
}

/// Cuts a failing run down and writes it as a regression.
pub fn shrink(single: &Single, out: &Path, runs: usize) -> Result<bool, String> {
    let run = load(single)?;
    let Some(shrunk) = weather::shrink(&run, runs) else {
        return Err(format!("seed {} does not fail", run.seed));
    };
    let regression = Regression::new(&shrunk.run, &shrunk.failure);
    let text = regression.to_text();
    fs::write(out, text).map_err(|error| format!("{}: {error}", out.display()))?;
    println!("{}\n", regression.story);
    let ([faults, faults_left], [asked, asked_left]) = (shrunk.faults, shrunk.operations);
    println!("{faults} faults came to {faults_left}, {asked} operations to {asked_left}, ");
    println!("in {} runs: {}", shrunk.runs, out.display());
    Ok(true)
}

/// The run that a weather file's seed draws, or that a regression holds.
pub fn load(single: &Single) -> Result<Run, String> {
    let run = read(&single.file, |text| {
        let scenario = Scenario::parse(text).map_err(|error| error.to_string());
        match (single.seed, scenario) {
            (Some(seed), scenario) => Ok(Run::draw(&scenario?, seed)),
            (None, Ok(_)) => Err("a weather file needs --seed".into()),
            (None, Err(_)) => {
                Regression::parse(text).map(|it| it.run()).map_err(|error| error.to_string())
            }
        }
    })?;
    Ok(Run { lie: single.lie.or(run.lie), ..run })
}
