//! `ci/bench-tree`: what Quorate's tree costs beside etcd 3.4's, in turns.
//!
//! Memory, listings, watches and times to live, on one member each with its own
//! defaults. In every round each case starts its servers afresh, first ours and
//! then etcd's, and nothing else runs meanwhile.

#[path = "../common/cluster.rs"]
mod cluster;
mod expiry;
mod fanout;
#[path = "../common/figures.rs"]
mod figures;
mod full;
#[path = "../common/machine.rs"]
mod machine;
#[path = "../common/process.rs"]
mod process;
mod server;
mod table;
mod watchers;
mod wire;
mod writers;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use figures::verdict;
use server::{Kind, Site};
use table::{Figure, Table};

const USAGE: &str = "usage: bench_tree DIRECTORY [--seconds N] [--rounds N] \
    [--cases full,fanout,watchers,expiry]";

const CASES: [&str; 4] = ["full", "fanout", "watchers", "expiry"];

struct Options {
    dir: PathBuf,
    seconds: u64,
    rounds: usize,
    cases: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let measured = match options(std::env::args().skip(1)) {
        Ok(options) => measure(&options).await,
        Err(error) => Err(error),
    };
    verdict(measured)
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        dir: args.next().ok_or(USAGE)?.into(),
        seconds: 4,
        rounds: 3,
        cases: CASES.map(str::to_owned).to_vec(),
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--seconds" => options.seconds = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--cases" => options.cases = value.split(',').map(str::to_owned).collect(),
            _ => return Err(USAGE.into()),
        }
    }
    if options.cases.iter().any(|case| !CASES.contains(&case.as_str())) || options.rounds == 0 {
        return Err(USAGE.into());
    }
    Ok(options)
}

/// Measures everything asked for; how many floors were missed.
async fn measure(options: &Options) -> Result<usize, Box<dyn Error>> {
    println!(
        "{}\n{} rounds of {} s a measurement, in turns; 128-byte values; clients on the same \
         cores\nload averages before: {}\n\n{}",
        machine::describe(&options.dir)?,
        options.rounds,
        options.seconds,
        machine::load()?,
        table::HEAD,
    );
    let mut missed = 0;
    for case in &options.cases {
        let mut table = Table::default();
        for round in 0..options.rounds {
            for kind in [Kind::Quorate, Kind::Etcd] {
                let dir = options.dir.join(format!("{round}-{kind:?}"));
                std::fs::create_dir_all(&dir)?;
                let site = Site { kind, dir: dir.clone(), seconds: options.seconds };
                let figures = run(case, &site).await;
                table.add(kind, figures.map_err(|error| format!("{case}, {kind:?}: {error}"))?);
                std::fs::remove_dir_all(dir)?;
            }
        }
        let (lines, below) = table.lines();
        println!("{}", lines.join("\n"));
        missed += below;
    }
    println!("\nload averages at the end: {}", machine::load()?);
    Ok(missed)
}

async fn run(case: &str, site: &Site) -> Result<Vec<Figure>, Box<dyn Error>> {
    match case {
        "full" => full::measure(site).await,
        "fanout" => fanout::measure(site).await,
        "watchers" => watchers::measure(site).await,
        _ => expiry::measure(site).await,
    }
}
