//! `ci/bench`: Quorate beside etcd 3.4 and beside a bare hyper server, in turns.
//!
//! For every case and number of connections the three are loaded one after the
//! other, again and again; the others stay up meanwhile, idle. Each has its
//! data in one directory, and its own defaults.

mod cluster;
mod load;
mod report;

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use cluster::{Cluster, Kind};
use load::Case;
use report::{Rounds, median};

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
    match options(std::env::args().skip(1)).and_then(|options| measure(&options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("\n{missed} floors were missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
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
    describe(options)?;
    println!("{}", report::HEAD);
    let mut missed = 0;
    for &nodes in &options.nodes {
        missed += measure_size(options, nodes)?;
    }
    println!("\nload averages at the end: {}", fs::read_to_string("/proc/loadavg")?.trim());
    Ok(missed)
}

fn measure_size(options: &Options, nodes: usize) -> Result<usize, Box<dyn Error>> {
    let examples = std::env::current_exe()?.parent().ok_or("no directory")?.to_owned();
    let (dir, ours, bare) = (&options.dir, examples.join("../quorate"), examples.join("bare"));
    let quorate = Cluster::start(Kind::Quorate, &ours, nodes, dir)?;
    let etcd = Cluster::start(Kind::Etcd, Path::new("etcd"), nodes, dir)?;
    let bare = Cluster::bare(&bare, &quorate, dir)?;
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

/// Says what the numbers depend on.
fn describe(options: &Options) -> Result<(), Box<dyn Error>> {
    let said = |program: &str, args: &[&str]| -> Result<String, Box<dyn Error>> {
        let output = Command::new(program).args(args).arg(&options.dir).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let filesystem = said("df", &["--output=fstype"])?.lines().last().unwrap_or("?").to_owned();
    let etcd = Command::new("etcd").arg("--version").output()?;
    let etcd = String::from_utf8(etcd.stdout)?;
    let (middle, worst) = sync_times(&options.dir)?;
    println!(
        "{} cores · {} · data on {filesystem}, where 4 KiB and fdatasync take {middle:.2} ms \
         (p99 {worst:.2} ms)\n{} rounds of {} s each, in turns, the others idle; \
         128-byte values on 1,000 keys; wrk on the same cores",
        std::thread::available_parallelism()?,
        etcd.lines().next().unwrap_or("etcd ?"),
        options.rounds,
        options.seconds,
    );
    println!("load averages before: {}\n", fs::read_to_string("/proc/loadavg")?.trim());
    Ok(())
}

/// Median and 99th percentile of a synced write into a preallocated file, in ms.
fn sync_times(dir: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    const WRITES: usize = 300;
    let block = [1; 4096];
    let path = dir.join("probe");
    let file = File::create(&path)?;
    file.write_all_at(&vec![0; WRITES * block.len()], 0)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for at in 0..WRITES {
        let begin = Instant::now();
        file.write_all_at(&block, (at * block.len()) as u64)?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    Ok((median(&times), times[WRITES * 99 / 100]))
}
