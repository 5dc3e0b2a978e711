//! Real `quorate` processes on loopback.
#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../../examples/common/process.rs"]
mod process;

pub use quorate_sim::real::http::{Answer, Client, PATIENCE, Watcher};

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use process::free_port;
use tempfile::TempDir;

/// One member: its flags, its data, and its process while it runs.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    /// `host:port` of its clients' port.
    pub address: String,
    /// `host:port` of its peers' port.
    pub peer_address: String,
    pub data_dir: PathBuf,
    flags: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
}

/// Members that know each other, and the directory that all of them live in.
#[derive(Debug)]
pub struct Cluster {
    pub members: Vec<Member>,
    pub directory: TempDir,
}

impl Cluster {
    /// Plans a cluster of `size` members n1, n2, …; none is started.
    pub fn new(size: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let ports: Vec<(u16, u16)> = (0..size).map(|_| (free_port(), free_port())).collect();
        let peers = ports.iter().enumerate();
        let peers = peers.map(|(at, (_, peer))| format!("n{}=http://127.0.0.1:{peer}", at + 1));
        let cluster = peers.collect::<Vec<_>>().join(",");
        let members = ports.iter().enumerate().map(|(at, (client, peer))| {
            let name = format!("n{}", at + 1);
            let (client, peer) =
                (format!("127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
            let peer_address = peer.replacen("http://", "", 1);
            let data_dir = directory.path().join(&name);
            let flags = [
                ("--name", name.clone()),
                ("--data-dir", data_dir.display().to_string()),
                ("--listen-client-urls", format!("http://{client}")),
                ("--advertise-client-urls", format!("http://{client}")),
                ("--listen-peer-urls", peer.clone()),
                ("--initial-advertise-peer-urls", peer),
                ("--initial-cluster", cluster.clone()),
            ];
            Member {
                address: client,
                peer_address,
                data_dir,
                flags: flags.into_iter().flat_map(|(flag, value)| [flag.into(), value]).collect(),
                log: directory.path().join(format!("{name}.log")),
                name,
                process: None,
            }
        });
        Self { members: members.collect(), directory }
    }

    /// Plans, starts and waits until every member is healthy.
    pub fn start(size: usize) -> Self {
        let mut cluster = Self::new(size);
        cluster.start_all();
        cluster
    }

    /// Where clients find each member, in order.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.address.clone()).collect()
    }

    /// Starts every member and waits until all are healthy.
    pub fn start_all(&mut self) {
        self.members.iter_mut().for_each(Member::start);
        self.members.iter().for_each(Member::wait_until_healthy);
    }
}

/// A test that fails says what every member said.
impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for member in &self.members {
                eprintln!("the log of {}:\n{}", member.name, member.log());
            }
        }
    }
}

impl Member {
    /// Adds a flag for the next start.
    pub fn flag(&mut self, flag: &str, value: &str) {
        self.flags.extend([flag.to_owned(), value.to_owned()]);
    }

    /// Starts the process; its log is kept beside its data.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let process = quorate(&self.flags)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary can be started");
        self.process = Some(process);
    }

    /// Runs the process to its end, which must come by itself.
    pub fn run_to_end(&self) -> Output {
        run_to_end(&self.flags)
    }

    /// Waits until a linearizable read succeeds here.
    pub fn wait_until_healthy(&self) {
        self.wait_for("/health", |answer| answer.status == 200);
    }

    /// The first answer that it gives, whatever that is.
    pub fn first_answer(&self, path: &str) -> Answer {
        self.wait_for(path, |_| true)
    }

    /// The first answer that is enough; it is asked again and again.
    pub fn wait_for(&self, path: &str, enough: impl Fn(&Answer) -> bool) -> Answer {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match Client::new(&self.address).request("GET", path, None) {
                Ok(answer) if enough(&answer) => return answer,
                _ => sleep(Duration::from_millis(20)),
            }
        }
        panic!("{} does not answer {path} as it should", self.name);
    }

    /// Kills the process with SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// Ends the process with SIGTERM.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        self.signal_to("TERM", &process);
        process.wait().expect("it ends")
    }

    /// Sends a signal by name: STOP, CONT, INT, …
    pub fn signal(&self, name: &str) {
        self.signal_to(name, self.process.as_ref().expect("it runs"));
    }

    /// Every file of its data directory by name, whole.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(&self.data_dir).into_iter().flatten();
        let files = entries.map(|entry| entry.expect("it can be listed"));
        files
            .map(|file| {
                let name = file.file_name().into_string().expect("a name in UTF-8");
                (name, std::fs::read(file.path()).expect("it can be read"))
            })
            .collect()
    }

    /// A client of this member.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// A watch of this member.
    pub fn watch(&self, path: &str) -> Watcher {
        Watcher::open(&self.address, path, PATIENCE).expect("it answers")
    }

    /// All that it has written to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal_to(&self, name: &str, process: &Child) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(process.id().to_string());
        assert!(kill.status().expect("kill is there").success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// One line on stderr that contains `word`, and a failure.
pub fn assert_refused(output: &Output, word: &str) {
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it should have failed: {line}");
    assert!(line.contains(word), "no {word:?} in {line:?}");
    assert_eq!(line.lines().count(), 1, "not one line: {line:?}");
}

/// Runs the binary with these flags to its end, which must come by itself.
pub fn run_to_end(flags: &[String]) -> Output {
    let mut process =
        quorate(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let begin = Instant::now();
    while process.try_wait().expect("it can be waited for").is_none() {
        if begin.elapsed() > PATIENCE {
            let _ = process.kill();
            panic!("it should have refused to start: {flags:?}");
        }
        sleep(Duration::from_millis(5));
    }
    process.wait_with_output().expect("its output")
}

fn quorate(flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(flags).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ETCD_")) {
        command.env_remove(name);
    }
    command
}
