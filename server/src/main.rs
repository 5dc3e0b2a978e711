//! The binary: parses the command line, runs the server, and says in one line
//! what went wrong.

use std::process::ExitCode;

use quorate_server::{Command, Flags, run};

fn main() -> ExitCode {
    let outcome = match Flags::parse(std::env::args().skip(1), std::env::vars()) {
        Ok(Command::Print(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Serve(flags)) => run(flags),
        Err(line) => Err(line),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("quorate: {line}");
            ExitCode::FAILURE
        }
    }
}
