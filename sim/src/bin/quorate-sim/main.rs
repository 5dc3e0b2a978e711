//! `quorate-sim`: weather files over many seeds and their sheets added up, a run seen
//! again event by event or as a page, a failure cut down to what it takes, every
//! interleaving up to a depth, and a weather file against real processes.

mod arguments;
mod exhaust;
mod real;
mod run;
mod single;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args_os()) {
        Command::Run(run) => run::run(&run),
        Command::Merge { sheets } => run::merge(&sheets),
        Command::Exhaust(exhaust) => exhaust::exhaust(&exhaust),
        Command::Replay(single) => single::replay(&single),
        Command::Explain { single, out } => single::explain(&single, &out),
        Command::Real { single, server, canary } => real::real(&single, server, canary),
        Command::Shrink { single, out, runs } => single::shrink(&single, &out, runs),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(mistake) => {
            eprintln!("quorate-sim: {mistake}");
            ExitCode::from(2)
        }
    }
}
