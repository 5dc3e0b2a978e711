//! `real`: one run against real processes.

use std::path::PathBuf;

use quorate_sim::real::Setup;

use crate::arguments::Single;
use crate::single::load;

/// Carries a run out and prints what it came to; whether nothing failed.
pub fn real(single: &Single, server: Option<PathBuf>, forgets: bool) -> Result<bool, String> {
    let run = load(single)?;
    println!("{}: {}", single.file.display(), run.scenario.claim);
    println!("the plan of seed {}:", run.seed);
    run.plan.steps.iter().for_each(|step| println!("  {step}"));
    run.plan.broken.iter().for_each(|broken| println!("             {broken}"));
    let server = match server {
        Some(server) => server,
        None => beside().map_err(|error| format!("where am I? {error}; name --server"))?,
    };
    let report = Setup { run, server, forgets }.report()?;
    println!("{report}");
    Ok(report.failure.is_none())
}

/// The server that was built together with this program.
fn beside() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("quorate"))
}
