//! wrk, and what it measured.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::server::{Kind, Server};

/// What is asked of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Durable writes, all to the leader.
    Put,
    /// Durable writes, to all members alike.
    PutSpread,
    /// Linearizable reads from the leader.
    Get,
    /// Reads of what the leader holds, confirmed by nobody.
    GetLocal,
}

/// One run of wrk.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Answers per second.
    pub rate: f64,
    /// 99th percentile of the time to an answer, in ms.
    pub p99: f64,
}

impl Case {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Put, Self::PutSpread, Self::Get, Self::GetLocal];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutSpread => "put-spread",
            Self::Get => "get",
            Self::GetLocal => "get-local",
        }
    }

    /// What Quorate must reach at 64 connections, as a multiple of etcd's rate.
    pub fn floor(self, nodes: usize) -> Option<f64> {
        match self {
            Self::Put if nodes == 1 => Some(2.5),
            Self::Put => Some(1.5),
            Self::PutSpread => None,
            Self::Get => Some(2.0),
            Self::GetLocal => Some(1.5),
        }
    }

    fn method(self) -> &'static str {
        if matches!(self, Self::Put | Self::PutSpread) { "PUT" } else { "GET" }
    }

    /// The same promise has to be asked of each server in its own way.
    fn query(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Get, Kind::Etcd) => "?quorum=true",
            (Self::GetLocal, Kind::Quorate) => "?consistency=local",
            _ => "",
        }
    }
}

/// Loads a server for some seconds.
pub fn run(
    case: Case,
    server: &Server,
    connections: usize,
    seconds: u64,
    script: &Path,
) -> Result<Sample, Box<dyn Error>> {
    let spread = case == Case::PutSpread;
    let ports = if spread { server.ports() } else { &server.ports()[..1] };
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let threads = if spread { 3 } else { 1 };
    let output = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "wrk", "--timeout", "10s", "-s"])
        .arg(script)
        .args(["-t", &threads.to_string(), "-c", &connections.to_string()])
        .args(["-d", &format!("{seconds}s"), &format!("http://127.0.0.1:{}", ports[0])])
        .env("BENCH_METHOD", case.method())
        .env("BENCH_QUERY", case.query(server.kind))
        .env("BENCH_PORTS", ports.join(","))
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix("sample "));
    let said: Vec<&str> = line.unwrap_or("").split(' ').collect();
    let [rate, p99, errors] = said[..] else {
        return Err(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)).into());
    };
    if errors != "0" {
        return Err(format!("{:?} answered {errors} requests wrongly", server.kind).into());
    }
    Ok(Sample { rate: rate.parse()?, p99: p99.parse::<f64>()? / 1e3 })
}
