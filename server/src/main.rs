//! The binary: parses the command line, runs the server, and says in one line
//! what went wrong.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use quorate_server::{Command, Flags, run};

fn main() -> ExitCode {
    let outcome = match Flags::parse(std::env::args_os().skip(1), std::env::vars_os()) {
        Ok(Command::Print(text)) => {
            // Whoever closed stdout does not want to read it.
            let _ = writeln!(stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Serve(flags)) => run(flags),
        Err(line) => Err(line),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            let _ = writeln!(stderr(), "quorate: {line}");
            ExitCode::FAILURE
        }
    }
}
