//! Servers as real processes on loopback.

use std::error::Error;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a cluster may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the keys hold: as many bytes as the load writes.
const VALUE_BYTES: usize = 128;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's server.
    Quorate,
    /// Debian's etcd 3.4.
    Etcd,
    /// hyper with recorded answers.
    Bare,
}

/// Some processes that live as long as this does, or shorter if it dies.
pub struct Cluster {
    /// Of which kind they are.
    pub kind: Kind,
    processes: Vec<Child>,
    /// Where clients are served, the leader's first.
    pub ports: Vec<u16>,
}

impl Cluster {
    /// Starts members in a directory, and waits until they serve a thousand keys.
    pub fn start(
        kind: Kind,
        binary: &Path,
        nodes: usize,
        dir: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let (ports, peers) = (free_ports(nodes)?, free_ports(nodes)?);
        let all: Vec<_> = (0..nodes).map(|at| format!("n{at}={}", url(peers[at]))).collect();
        let mut cluster = Self { kind, processes: Vec::new(), ports: ports.clone() };
        for at in 0..nodes {
            let home = dir.join(format!("{kind:?}-{nodes}-{at}"));
            let (client, peer) = (url(ports[at]), url(peers[at]));
            let mut command = command(binary, &home.with_extension("log"))?;
            command.arg("--enable-v2=true").arg("--data-dir").arg(&home);
            command.args(["--name", &format!("n{at}"), "--initial-cluster", &all.join(",")]);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            cluster.processes.push(command.spawn()?);
        }
        cluster.fill()?;
        let leads = |port: &u16| {
            ask(*port, "GET", "/v2/stats/self", "").is_ok_and(|it| it.contains("StateLeader"))
        };
        let leader = ports.iter().position(leads).ok_or("no leader")?;
        cluster.ports.swap(0, leader);
        Ok(cluster)
    }

    /// Starts hyper with the answers that a cluster gives now.
    pub fn bare(binary: &Path, like: &Self, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let port = free_ports(1)?[0];
        let mut command = command(binary, &dir.join("Bare.log"))?;
        command.arg(format!("127.0.0.1:{port}"));
        for (method, body) in [("GET", String::new()), ("PUT", form())] {
            let file = dir.join(format!("{method}.answer"));
            fs::write(&file, ask(like.ports[0], method, "/v2/keys/bench/0001", &body)?)?;
            command.arg(file);
        }
        let processes = vec![command.spawn()?];
        let bare = Self { kind: Kind::Bare, processes, ports: vec![port] };
        bare.put(1)?;
        Ok(bare)
    }

    fn fill(&self) -> Result<(), Box<dyn Error>> {
        (1..=1_000).try_for_each(|key| self.put(key))
    }

    fn put(&self, key: usize) -> Result<(), Box<dyn Error>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let path = format!("/v2/keys/bench/{key:04}");
            match ask(self.ports[0], "PUT", &path, &form()) {
                Ok(answer) if answer.starts_with("HTTP/1.1 20") => return Ok(()),
                Ok(answer) if Instant::now() > until => return Err(answer.into()),
                Err(error) if Instant::now() > until => return Err(error),
                _ => sleep(Duration::from_millis(100)),
            }
        }
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

/// A command that the kernel kills when this process is gone, however it went.
fn command(binary: &Path, log: &Path) -> Result<Command, Box<dyn Error>> {
    let log = File::create(log)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
    command.stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn form() -> String {
    format!("value={}", "x".repeat(VALUE_BYTES))
}

fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let bind = |_| TcpListener::bind("127.0.0.1:0");
    let listeners = (0..count).map(bind).collect::<std::io::Result<Vec<_>>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// One request on a connection of its own; the whole answer as text.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Result<String, Box<dyn Error>> {
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
