//! `ci/bench`: Quorate beside etcd 3.4 and beside a bare hyper server, in turns.
//!
//! For every case and number of connections the three are loaded one after the
//! other, again and again; the others stay up meanwhile, idle. Each has its
//! data in one directory, and its own defaults.

#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/figures.rs"]
mod figures;
mod load;
#[path = "../common/machine.rs"]
mod machine;
#[path = "../common/process.rs"]
mod process;
mod report;
mod server;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use figures::verdict;
use load::Case;
use report::Rounds;
use server::{Kind, Server};

const USAGE: &str = "usage: bench DIRECTORY [--seconds N] [--rounds N] [--nodes 1,3] \
    [--connections 1,64,256] [--cases put,put-spread,get,get-local]";

struct Options {
    dir: PathBuf,
    seconds: u64,
    rounds: usize,
    nodes: Vec<usize>,
    connections: Vec<usize>,
    cases: Vec<Case>,
}

fn main() -> ExitCode {
    verdict(options(std::env::args().skip(1)).and_then(|options| measure(&options)))
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        dir: args.next().ok_or(USAGE)?.into(),
        seconds: 4,
        rounds: 5,
        nodes: vec![1, 3],
        connections: vec![1, 64, 256],
        cases: Case::ALL.to_vec(),
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        let numbers = || value.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
        match flag.as_str() {
            "--seconds" => options.seconds = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--nodes" => options.nodes = numbers()?,
            "--connections" => options.connections = numbers()?,
            "--cases" => {
                let named = |name| Case::ALL.into_iter().find(|case| case.name() == name);
                let cases = value.split(',').map(named).collect::<Option<_>>();
                options.cases = cases.ok_or(USAGE)?;
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

/// Measures everything asked for; how many floors were missed.
fn measure(options: &Options) -> Result<usize, Box<dyn Error>> {
    println!(
        "{}\n{} rounds of {} s each, in turns, the others idle; \
         128-byte values on 1,000 keys; wrk on the same cores\n\
         load averages before: {}\n\n{}",
        machine::describe(&options.dir)?,
        options.rounds,
        options.seconds,
        machine::load()?,
        report::HEAD,
    );
    let mut missed = 0;
    for &nodes in &options.nodes {
        missed += measure_size(options, nodes)?;
    }
    println!("\nload averages at the end: {}", machine::load()?);
    Ok(missed)
}

fn measure_size(options: &Options, nodes: usize) -> Result<usize, Box<dyn Error>> {
    let (dir, ours) = (&options.dir, process::quorate_binary()?);
    let bare = ours.with_file_name("examples/bare");
    let quorate = Server::start(Kind::Quorate, &ours, nodes, dir)?;
    let etcd = Server::start(Kind::Etcd, Path::new("etcd"), nodes, dir)?;
    let bare = Server::bare(&bare, &quorate, dir)?;
    let script = dir.join("load.lua");
    fs::write(&script, include_str!("load.lua"))?;
    let mut missed = 0;
    for &case in &options.cases {
        for &connections in &options.connections {
            if case == Case::PutSpread && (nodes == 1 || connections < 3) {
                continue;
            }
            let mut rounds = Rounds::default();
            for _ in 0..options.rounds {
                let run = |on| load::run(case, on, connections, options.seconds, &script);
                rounds.quorate.push(run(&quorate)?);
                rounds.etcd.push(run(&etcd)?);
                rounds.bare.push(run(&bare)?);
            }
            let (row, below) = rounds.row(nodes, case, connections);
            println!("{row}");
            missed += usize::from(below);
        }
    }
    Ok(missed)
}
