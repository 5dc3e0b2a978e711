//! Servers as real processes on loopback.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{command, free_port};

/// How long a cluster may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// Some processes that live as long as this does, or shorter if it dies.
pub struct Cluster {
    /// The members' processes.
    pub processes: Vec<Child>,
    /// Where clients are served, the leader's first.
    pub ports: Vec<u16>,
}

impl Cluster {
    /// Starts members of Quorate or etcd, their data below a directory under this
    /// name, and waits until they serve.
    pub fn start(
        binary: &Path,
        nodes: usize,
        dir: &Path,
        name: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let free_ports = || (0..nodes).map(|_| free_port()).collect::<Vec<_>>();
        let (ports, peers) = (free_ports(), free_ports());
        let all: Vec<_> = (0..nodes).map(|at| format!("n{at}={}", url(peers[at]))).collect();
        let mut cluster = Self { processes: Vec::new(), ports };
        for (at, peer) in peers.into_iter().enumerate() {
            let home = dir.join(format!("{name}-{nodes}-{at}"));
            let (client, peer) = (url(cluster.ports[at]), url(peer));
            let mut command = command(binary, &home.with_extension("log"))?;
            command.arg("--enable-v2=true").arg("--data-dir").arg(&home);
            command.args(["--name", &format!("n{at}"), "--initial-cluster", &all.join(",")]);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            cluster.processes.push(command.spawn()?);
        }
        for &port in &cluster.ports {
            await_answer(port, "GET", "/health", "", "\"true\"")?;
        }
        let leads = |port: &u16| {
            ask(*port, "GET", "/v2/stats/self", "").is_ok_and(|it| it.contains("StateLeader"))
        };
        let leader = cluster.ports.iter().position(leads).ok_or("no leader")?;
        cluster.ports.swap(0, leader);
        Ok(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that is gone already is as dead as it should be.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Asks again and again until the answer holds what is wanted.
pub fn await_answer(
    port: u16,
    method: &str,
    path: &str,
    body: &str,
    wanted: &str,
) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask(port, method, path, body) {
            Ok(answer) if answer.contains(wanted) => return Ok(()),
            Ok(answer) if Instant::now() > until => return Err(answer.into()),
            Err(error) if Instant::now() > until => return Err(error),
            _ => sleep(Duration::from_millis(100)),
        }
    }
}

/// One request on a connection of its own; the whole answer as text.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (kind, length) = ("application/x-www-form-urlencoded", body.len());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
