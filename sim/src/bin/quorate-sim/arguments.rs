//! The command line.

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use quorate_sim::weather::Lie;

/// What is to be done.
pub enum Command {
    /// Many seeds of one file.
    Run(Run),
    /// Adding up the sheets of several campaigns.
    Merge { sheets: Vec<PathBuf> },
    /// One run, event by event.
    Replay(Single),
    /// One run, as a page.
    Explain { single: Single, out: PathBuf },
    /// One run against real processes.
    Real {
        single: Single,
        /// The program of `quorate`; beside this one without it.
        server: Option<PathBuf>,
        canary: bool,
    },
    /// One failing run, cut down.
    Shrink { single: Single, out: PathBuf, runs: usize },
    /// Every interleaving up to a depth.
    Exhaust(Exhaust),
}

/// Every interleaving up to a depth.
pub struct Exhaust {
    /// Choices that are free, one after the other.
    pub depth: usize,
    /// Only the first choices are.
    pub first: bool,
    pub jobs: usize,
    /// Scenes whose names contain this.
    pub scene: String,
}

/// Many seeds of one file.
pub struct Run {
    pub file: PathBuf,
    pub seeds: Range<u64>,
    /// As long as this instead of as many seeds.
    pub lasts: Option<Duration>,
    pub jobs: usize,
    pub twice: bool,
    /// Whether the first failure ends it.
    pub stop_at_first: bool,
    /// (i, n): every n-th seed, beginning with the i-th.
    pub shard: (u64, u64),
    /// Where what it came to is written.
    pub sheet: Option<PathBuf>,
}

/// One run.
#[derive(Clone)]
pub struct Single {
    /// A weather file, or a regression.
    pub file: PathBuf,
    /// Needed for a weather file.
    pub seed: Option<u64>,
    pub lie: Option<Lie>,
}

/// Reads the command line; prints help, version and mistakes itself.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Command {
    let mut matches = command().get_matches_from(arguments);
    let (name, mut of) = matches.remove_subcommand().expect("one is required");
    match name.as_str() {
        "run" => Command::Run(run(&mut of)),
        "merge" => Command::Merge { sheets: of.remove_many("SHEET").expect("required").collect() },
        "exhaust" => Command::Exhaust(Exhaust {
            depth: of.remove_one("depth").expect("a default"),
            first: of.get_flag("first"),
            jobs: of.remove_one("jobs").unwrap_or_else(cores),
            scene: of.remove_one("scene").unwrap_or_default(),
        }),
        "replay" => Command::Replay(single(&mut of)),
        "explain" => Command::Explain {
            out: of.remove_one("out").expect("a default"),
            single: single(&mut of),
        },
        "real" => Command::Real {
            server: of.remove_one("server"),
            canary: of.get_flag("canary"),
            single: Single {
                file: of.remove_one("FILE").expect("required"),
                seed: of.remove_one("seed"),
                lie: None,
            },
        },
        _ => Command::Shrink {
            out: of.remove_one("out").expect("a default"),
            runs: of.remove_one("runs").expect("a default"),
            single: single(&mut of),
        },
    }
}

fn run(of: &mut ArgMatches) -> Run {
    let minutes: Option<u64> = of.remove_one("for");
    Run {
        file: of.remove_one("FILE").expect("required"),
        seeds: of.remove_one("seeds").expect("a default"),
        lasts: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
        jobs: of.remove_one("jobs").unwrap_or_else(cores),
        twice: of.get_flag("twice"),
        stop_at_first: of.get_flag("stop-at-first"),
        shard: of.remove_one("shard").expect("a default"),
        sheet: of.remove_one("sheet"),
    }
}

fn single(of: &mut ArgMatches) -> Single {
    let lie: Option<String> = of.remove_one("lie");
    Single {
        file: of.remove_one("FILE").expect("required"),
        seed: of.remove_one("seed"),
        lie: lie.and_then(|name| Lie::ALL.into_iter().find(|lie| lie.name() == name)),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn command() -> clap::Command {
    let file = || Arg::new("FILE").required(true).value_parser(value_parser!(PathBuf));
    let option = |name: &'static str, what: &'static str| Arg::new(name).long(name).help(what);
    let seed = option("seed", "The seed, for a weather file").value_parser(value_parser!(u64));
    let lies = PossibleValuesParser::new(Lie::ALL.map(Lie::name));
    let lie = option("lie", "A promise that the engine's neighbours break").value_parser(lies);
    let of = |name: &'static str, what: &'static str| clap::Command::new(name).about(what);
    clap::Command::new("quorate-sim")
        .about("Quorate's engine in seeded weather")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            of("run", "Run many seeds of a weather file").args([
                file(),
                option("seeds", "From A to before B")
                    .value_name("A..B")
                    .default_value("0..100")
                    .value_parser(range),
                option("for", "Minutes to run for, instead of to the last seed")
                    .value_name("MINUTES")
                    .value_parser(value_parser!(u64)),
                option("jobs", "Runs at once [default: one per core]").value_parser(jobs),
                option("twice", "Run each seed twice; the runs must not differ")
                    .action(ArgAction::SetTrue)
                    .value_name(None::<&str>),
                option("stop-at-first", "Begin no seed after one that failed")
                    .action(ArgAction::SetTrue)
                    .value_name(None::<&str>),
                option("shard", "Every N-th seed only, beginning with the I-th of them")
                    .value_name("I/N")
                    .default_value("1/1")
                    .value_parser(shard),
                option("sheet", "Write what it came to, for `merge`")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf)),
            ]),
        )
        .subcommand(of("merge", "Add up what several campaigns came to").arg(
            Arg::new("SHEET").required(true).num_args(1..).value_parser(value_parser!(PathBuf)),
        ))
        .subcommand(
            of("replay", "Show every event of one run: of a weather file's seed, or a regression")
                .args([file(), seed.clone(), lie.clone()]),
        )
        .subcommand(
            of("explain", "Show one run as a page: an HTML file for a browser").args([
                file(),
                seed.clone(),
                lie.clone(),
                option("out", "Where it is written")
                    .value_name("FILE")
                    .default_value("page.html")
                    .value_parser(value_parser!(PathBuf)),
            ]),
        )
        .subcommand(
            of("exhaust", "Play every interleaving of two clients and a few faults, up to a depth")
                .args([
                    option("depth", "Choices that are free, one after the other")
                        .default_value("6")
                        .value_parser(value_parser!(usize)),
                    option("first", "Only the first choices are free, not those further on")
                        .action(ArgAction::SetTrue)
                        .value_name(None::<&str>),
                    option("jobs", "Threads [default: one per core]").value_parser(jobs),
                    option("scene", "Only scenes whose names contain this").value_name("TEXT"),
                ]),
        )
        .subcommand(
            of("real", "Run a weather file's seed, or a regression, against real processes").args(
                [
                    file(),
                    seed.clone(),
                    option("server", "The program of quorate [default: beside this one]")
                        .value_name("PATH")
                        .value_parser(value_parser!(PathBuf)),
                    option(
                        "canary",
                        "Take everybody back to the middle of the storm: it must fail",
                    )
                    .action(ArgAction::SetTrue)
                    .value_name(None::<&str>),
                ],
            ),
        )
        .subcommand(
            of("shrink", "Cut a failing run down and keep it as a regression").args([
                file(),
                seed,
                lie,
                option("out", "Where it is written")
                    .value_name("FILE")
                    .default_value("shrunk.toml")
                    .value_parser(value_parser!(PathBuf)),
                option("runs", "Runs that it may take")
                    .default_value("2000")
                    .value_parser(value_parser!(usize)),
            ]),
        )
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("two numbers with .. between them")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (from, to) = (number(from)?, number(to)?);
    if from < to { Ok(from..to) } else { Err("no seed is in it".into()) }
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let (which, of) = text.split_once('/').ok_or("two numbers with / between them")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (which, of) = (number(which)?, number(of)?);
    if (1..=of).contains(&which) { Ok((which, of)) } else { Err("I must be from 1 to N".into()) }
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("nothing would be run".into()),
        Ok(jobs) => Ok(jobs),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn ranges_and_shards() {
        assert_eq!(range("3..7"), Ok(3..7));
        assert_eq!(shard("2/3"), Ok((2, 3)));
        for wrong in ["", "3", "7..3", "3..3", "a..b", "1..", "..2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0/3", "4/3", "1/0", "1", "a/b"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
