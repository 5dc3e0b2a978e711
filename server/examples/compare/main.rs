//! `ci/compare-etcd`: the same programs of requests to Quorate and to etcd 3.4, and
//! every difference between the answers that is not a documented exception.
//!
//! Programs are drawn from a seed. One that shows a difference is made small, each
//! smaller one played to fresh servers, and printed as commands with both answers.

mod cases;
mod compare;
mod exceptions;
mod generator;
#[path = "../common/process.rs"]
mod process;
mod program;
mod requests;
mod seen;
mod servers;
mod tally;
mod told;
mod transcript;
mod wire;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use exceptions::EXCEPTIONS;
use program::{Played, Step, Stop, play};
use servers::{Kind, Pair};
use tally::Tally;
use transcript::transcripts;

const USAGE: &str = "usage: compare DIRECTORY [--seed N] [--requests N] \
    [--against quorate|etcd] [--only cases,keys,in-order,ttl,watch,expire,malformed,elsewhere]";

/// The kind of what is no random program: the cases of the exceptions.
const CASES: &str = "cases";

/// How long a difference may be made smaller.
const SHRINKING: Duration = Duration::from_secs(120);

struct Options {
    dir: PathBuf,
    seed: u64,
    requests: usize,
    kind: Kind,
    only: Vec<&'static str>,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| compare(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        dir: args.next().ok_or(USAGE)?.into(),
        seed: 1,
        requests: 20_000,
        kind: Kind::Quorate,
        only: [&[CASES], &generator::KINDS[..]].concat(),
    };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match (flag.as_str(), value.as_str()) {
            ("--seed", seed) => options.seed = seed.parse()?,
            ("--requests", requests) => options.requests = requests.parse()?,
            ("--against", "quorate") => options.kind = Kind::Quorate,
            ("--against", "etcd") => options.kind = Kind::Etcd,
            ("--only", only) => {
                let kind = |name| options.only.iter().find(|&&kind| kind == name).copied();
                options.only = only.split(',').map(kind).collect::<Option<_>>().ok_or(USAGE)?;
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

/// Plays the cases and then random programs; whether all was as it should be.
fn compare(options: &Options) -> Result<bool> {
    let mut well = true;
    if options.only.contains(&CASES) {
        let cases = cases::cases();
        for case in &cases {
            if let Some(wrong) = cases::check(case, options.kind, &options.dir)? {
                println!("{wrong}\n");
                well = false;
            }
        }
        println!("{} cases of {} exceptions were played", cases.len(), EXCEPTIONS.len());
    }
    let only_cases = options.only == [CASES];
    Ok((only_cases || compare_at_random(options)?) && well)
}

/// Plays programs until enough requests were answered alike; whether they were.
fn compare_at_random(options: &Options) -> Result<bool> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&options.seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let programs = generator::program(&options.only);
    let mut pair = Pair::start(options.kind, &options.dir)?;
    let (begin, mut tally) = (Instant::now(), Tally::default());
    while tally.requests < options.requests {
        let tree = programs.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let program = tree.current();
        let found = play_in_time(&program, &mut pair, options)?;
        tally.add(&found);
        if found.stop.is_some() {
            println!("program {} of seed {} shows a difference", tally.programs, options.seed);
            let (found, how) = smaller(tree, found, options)?;
            println!("{how}:\n\n{}", transcripts(&found, options.kind));
            return Ok(false);
        }
    }
    print!("seed {}, {} s: {tally}", options.seed, begin.elapsed().as_secs());
    Ok(true)
}

/// Plays a program; once more if this machine was too busy for its short TTLs.
fn play_in_time(program: &[Step], pair: &mut Pair, options: &Options) -> Result<Played> {
    let program = [program, &[Step::Clean]].concat();
    for _ in 0..5 {
        let played = play(&program, pair)?;
        if !matches!(played.stop, Some(Stop::Late)) {
            return Ok(played);
        }
        *pair = Pair::start(options.kind, &options.dir)?;
    }
    Err("this machine is too busy: a few writes took a second, five times".into())
}

/// Makes a program that shows a difference smaller, each try on fresh servers; what
/// the smallest shows, and how it came about.
fn smaller(
    mut tree: impl ValueTree<Value = Vec<Step>>,
    found: Played,
    options: &Options,
) -> Result<(Played, String)> {
    let (begin, mut tries) = (Instant::now(), 0);
    let mut smallest = None;
    while begin.elapsed() < SHRINKING {
        let mut pair = Pair::start(options.kind, &options.dir)?;
        let played = play_in_time(&tree.current(), &mut pair, options)?;
        tries += 1;
        let differs = played.stop.is_some();
        if differs {
            smallest = Some(played);
        } else if tries == 1 {
            break;
        }
        if !(if differs { tree.simplify() } else { tree.complicate() }) {
            break;
        }
    }
    Ok(match smallest {
        Some(smallest) => {
            let (from, to) = (found.exchanges.len(), smallest.exchanges.len());
            (
                smallest,
                format!("{to} of its {from} requests show it on fresh servers, {tries} tries"),
            )
        }
        None => (found, "only after the programs before it, not on fresh servers".to_owned()),
    })
}
