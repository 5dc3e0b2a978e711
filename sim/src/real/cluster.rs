//! The members as real processes on loopback.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quorate_engine::NodeId;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use socket2::{Domain, SockAddr, Socket, Type};

use super::http::Client;
use super::proxy::Proxy;
use crate::weather::Scenario;

/// How long a fresh cluster may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// Events in the history window. The certificate is a watch of everything, and must
/// not fall out of it while a member is away.
pub(super) const WINDOW: u64 = 5_000;

/// Lines of a log that a failure shows.
const LAST_LINES: usize = 20;

/// A port of loopback that is ours until this is dropped. The socket never listens:
/// while no server does, connections are refused; and nobody else is given the port
/// while its server is dead.
#[derive(Debug)]
pub(super) struct Port {
    _socket: Socket,
    pub number: u16,
}

impl Port {
    fn reserve() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // As servers do: otherwise theirs could not bind beside it.
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        let address = socket.local_addr()?.as_socket();
        let number = address.ok_or_else(|| io::Error::other("a port without a number"))?.port();
        Ok(Self { _socket: socket, number })
    }
}

/// One member: its flags, its data, and its process while it runs.
#[derive(Debug)]
pub(super) struct Member {
    pub id: NodeId,
    /// `IP:port` of its clients' port.
    pub address: String,
    /// Its ports, which stay its own.
    _ports: [Port; 2],
    /// Down for good.
    pub down: bool,
    /// Broken for ever.
    pub broken: bool,
    server: PathBuf,
    flags: Vec<String>,
    home: PathBuf,
    process: Option<Child>,
}

/// Members that know each other by the proxies in front of them.
#[derive(Debug)]
pub(super) struct Cluster {
    pub members: Vec<Member>,
}

impl Cluster {
    /// Plans a cluster whose data lives below a directory; none of it is started. Says
    /// where the proxies are to carry what comes to them.
    pub fn new(
        scenario: &Scenario,
        seed: u64,
        server: &Path,
        home: &Path,
        proxies: &[Proxy],
    ) -> io::Result<Self> {
        let config = scenario.config(seed, 1);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all: Vec<String> =
            (1..).zip(proxies).map(|(id, proxy)| format!("n{id}={}", url(proxy.port()))).collect();
        let mut members = Vec::new();
        for (id, proxy) in (1..).zip(proxies) {
            let ports = [Port::reserve()?, Port::reserve()?];
            let [clients, peers] = [ports[0].number, ports[1].number];
            proxy.carry_to(peers);
            let home = home.join(format!("n{id}"));
            fs::create_dir(&home)?;
            let flags = [
                ("name", format!("n{id}")),
                ("data-dir", data(&home).display().to_string()),
                ("listen-client-urls", url(clients)),
                ("advertise-client-urls", url(clients)),
                ("listen-peer-urls", url(peers)),
                ("initial-advertise-peer-urls", url(proxy.port())),
                ("initial-cluster", all.join(",")),
                ("heartbeat-interval", config.tick_ms.to_string()),
                (
                    "election-timeout",
                    (config.tick_ms * u64::from(config.election_ticks)).to_string(),
                ),
                ("snapshot-count", config.snapshot_entries.to_string()),
                ("history-events", WINDOW.to_string()),
            ];
            members.push(Member {
                id,
                address: format!("127.0.0.1:{clients}"),
                _ports: ports,
                down: false,
                broken: false,
                server: server.to_owned(),
                flags: flags.map(|(name, value)| format!("--{name}={value}")).into(),
                home,
                process: None,
            });
        }
        Ok(Self { members })
    }

    /// Starts all and waits until all serve; the first that does not is named.
    pub fn start(&mut self) -> Result<(), String> {
        self.members.iter_mut().try_for_each(Member::start)?;
        let begin = Instant::now();
        for member in &mut self.members {
            while !member.is_healthy() {
                member.check()?;
                if begin.elapsed() > PATIENCE {
                    return Err(format!("n{} does not serve{}", member.id, member.log()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    pub fn member(&mut self, id: NodeId) -> &mut Member {
        &mut self.members[usize::try_from(id - 1).expect("small")]
    }

    /// Where each member, from the first, serves its clients.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.address.clone()).collect()
    }

    /// Those that are not down for good.
    pub fn up(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.down)
    }

    /// Those of them that do not stay broken in another way either.
    pub fn core(&self) -> impl Iterator<Item = &Member> {
        self.up().filter(|member| !member.broken)
    }

    /// A complaint if a process has ended that nobody has killed.
    pub fn check(&mut self) -> Result<(), String> {
        self.members.iter_mut().try_for_each(Member::check)
    }

    /// By what ids the members know each other, as they tell it themselves: peers
    /// greet with them. They are computed from the proxies' URLs.
    pub fn names(&self, proxies: &[Proxy]) -> Result<Vec<(u64, NodeId)>, String> {
        let first = &self.members[0];
        let answer = Client::new(&first.address).get("/v2/members");
        let answer = answer.map_err(|error| format!("n1 does not tell its members: {error}"))?;
        let told: Told = serde_json::from_str(&answer.body)
            .map_err(|error| format!("n1's list of members is none: {error}"))?;
        let name = |told: &ToldMember| {
            let (_, port) = told.peer_urls.first()?.rsplit_once(':')?;
            let at = proxies.iter().position(|proxy| proxy.port().to_string() == port)?;
            Some((u64::from_str_radix(&told.id, 16).ok()?, at as NodeId + 1))
        };
        let names: Option<Vec<_>> = told.members.iter().map(name).collect();
        names.ok_or_else(|| format!("n1 knows other members: {}", answer.body))
    }
}

#[derive(Deserialize)]
struct Told {
    members: Vec<ToldMember>,
}

#[derive(Deserialize)]
struct ToldMember {
    id: String,
    #[serde(rename = "peerURLs")]
    peer_urls: Vec<String>,
}

impl Member {
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Starts the process, which does not run.
    pub fn start(&mut self) -> Result<(), String> {
        let mut command = Command::new(&self.server);
        command.args(&self.flags).stdin(Stdio::null()).stdout(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"ETCD_") {
                command.env_remove(name);
            }
        }
        let log = File::options().create(true).append(true).open(self.home.join("log"));
        let process = log.and_then(|log| command.stderr(log).spawn());
        let cannot =
            |error| format!("n{}: cannot start {}: {error}", self.id, self.server.display());
        self.process = Some(process.map_err(cannot)?);
        Ok(())
    }

    /// SIGKILL, if it runs. What it had written stays in the page cache.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // One that has ended by itself meanwhile has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGSTOP or SIGCONT, if it runs.
    pub fn signal(&self, signal: Signal) {
        let pid = self.process.as_ref().map(Pid::from_child);
        // The same.
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    /// Whether a linearizable read succeeds here.
    fn is_healthy(&self) -> bool {
        let answer = Client::new(&self.address).get("/health");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// A complaint if it has ended by itself.
    fn check(&mut self) -> Result<(), String> {
        let ended = self.process.as_mut().and_then(|process| process.try_wait().transpose());
        match ended {
            None => Ok(()),
            Some(Ok(status)) => Err(format!("n{} ended: {status}{}", self.id, self.log())),
            Some(Err(error)) => Err(format!("n{} cannot be looked at: {error}", self.id)),
        }
    }

    /// Keeps a copy of its data, while it is dead.
    pub fn keep_copy(&self) -> io::Result<()> {
        copy(&data(&self.home), &self.home.join("copy"))
    }

    /// Puts the copy in the place of its data, while it is dead.
    pub fn take_copy(&self) -> io::Result<()> {
        fs::remove_dir_all(data(&self.home))?;
        copy(&self.home.join("copy"), &data(&self.home))
    }

    /// The last lines that it has written to stderr.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.home.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        last.iter().map(|line| format!("\n    {line}")).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn data(home: &Path) -> PathBuf {
    home.join("data")
}

/// Data directories are flat.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_refuses_until_somebody_listens_and_again_afterwards() {
        let port = Port::reserve().unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.number);
        for _ in 0..2 {
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).unwrap();
            drop(listener);
        }
    }
}
