//! The two servers, as real processes on loopback.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{command, free_port, quorate_binary};
use crate::requests::{Asked, Request};
use crate::seen::Seen;
use crate::wire::{Answer, Connection};

/// How long a server may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked meanwhile.
const POLL: Duration = Duration::from_millis(50);

/// What both advertise: the same, so that identifiers and lists of members are.
const CLIENTS: &str = "http://127.0.0.1:2379";
const PEERS: &str = "http://127.0.0.1:2380";

/// Which program a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's server.
    Quorate,
    /// Debian's etcd 3.4.
    Etcd,
}

/// A server and the connection on which requests are sent to it.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    connection: Connection,
    home: PathBuf,
}

/// The server that is judged, and the etcd that it is held against.
#[derive(Debug)]
pub struct Pair {
    ours: Server,
    theirs: Server,
}

impl Kind {
    fn binary(self) -> Result<PathBuf, Box<dyn Error>> {
        if self == Self::Etcd { Ok("etcd".into()) } else { quorate_binary() }
    }
}

impl Pair {
    /// Starts both afresh with their data in a directory, and waits until they serve.
    pub fn start(kind: Kind, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let (mut ours, mut theirs) = (Server::spawn(kind, dir)?, Server::spawn(Kind::Etcd, dir)?);
        ours.wait()?;
        theirs.wait()?;
        Ok(Self { ours, theirs })
    }

    /// Asks both at once: what ours says, and what theirs says.
    pub fn ask(&mut self, asked: &Asked) -> Result<(Answer, Answer), Box<dyn Error>> {
        self.ours.connection.send(&asked.bytes())?;
        self.theirs.connection.send(&asked.bytes())?;
        Ok((self.ours.connection.receive(false)?, self.theirs.connection.receive(false)?))
    }

    /// Connections of their own, ours first.
    pub fn connect(&self) -> (Connection, Connection) {
        (Connection::new(self.ours.port), Connection::new(self.theirs.port))
    }
}

impl Server {
    fn spawn(kind: Kind, dir: &Path) -> Result<Self, Box<dyn Error>> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let home = dir.join(format!("{kind:?}-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
        let (port, peer) = (free_port(), free_port());
        let log = home.with_extension("log");
        let listen = |port| format!("http://127.0.0.1:{port}");
        let process = command(&kind.binary()?, &log)?
            .args(["--enable-v2=true", "--name", "n1", "--data-dir"])
            .arg(&home)
            .args(["--listen-client-urls", &listen(port), "--advertise-client-urls", CLIENTS])
            .args(["--listen-peer-urls", &listen(peer), "--initial-advertise-peer-urls", PEERS])
            .args(["--initial-cluster", &format!("n1={PEERS}")])
            // Short ticks, for they are what Quorate's deadlines are counted in.
            .args(["--heartbeat-interval", "20", "--election-timeout", "1000"])
            .spawn()?;
        Ok(Self { process, port, connection: Connection::new(port), home })
    }

    /// Waits until it is healthy and has made the entries that precede the first of
    /// a client: the member, what it advertises, the cluster's version.
    fn wait(&mut self) -> Result<(), Box<dyn Error>> {
        let serving = [("/health", "true"), ("/v2/machines", CLIENTS), ("/version", "\"3.4.0\"")];
        let until = Instant::now() + PATIENCE;
        loop {
            sleep(POLL);
            if serving.iter().all(|(path, word)| self.says(path, word)) {
                return Ok(());
            }
            if Instant::now() > until || self.process.try_wait()?.is_some() {
                let log = std::fs::read_to_string(self.home.with_extension("log"))?;
                return Err(format!("{} does not serve:\n{log}", self.home.display()).into());
            }
        }
    }

    fn says(&mut self, path: &str, word: &str) -> bool {
        let asked = Request::new("GET", path).resolve(&Seen::default());
        let sent = self.connection.send(&asked.bytes());
        let answer = sent.and_then(|()| self.connection.receive(false));
        if answer.is_err() {
            // What may still come of it is not to be taken for a later answer.
            self.connection = Connection::new(self.port);
        }
        answer.is_ok_and(|answer| answer.status == 200 && answer.body.contains(word))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is gone already is as dead as it should be; its directory is
        // in one that is removed anyway.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
