//! The servers that are loaded, each with a thousand keys.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::cluster::{self, Cluster};
use crate::process::{command, free_port};

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

/// The processes of one kind.
pub struct Server {
    /// Of which kind they are.
    pub kind: Kind,
    cluster: Cluster,
}

impl Server {
    /// Starts members in a directory and gives them a thousand keys.
    pub fn start(
        kind: Kind,
        binary: &Path,
        nodes: usize,
        dir: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::start(binary, nodes, dir, &format!("{kind:?}"))?;
        let server = Self { kind, cluster };
        (1..=1_000).try_for_each(|key| server.put(key))?;
        Ok(server)
    }

    /// Starts hyper with the answers that a server gives now.
    pub fn bare(binary: &Path, like: &Self, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let port = free_port();
        let mut command = command(binary, &dir.join("Bare.log"))?;
        command.arg(format!("127.0.0.1:{port}"));
        for (method, body) in [("GET", String::new()), ("PUT", form())] {
            let file = dir.join(format!("{method}.answer"));
            let answer = cluster::ask(like.ports()[0], method, "/v2/keys/bench/0001", &body)?;
            fs::write(&file, answer)?;
            command.arg(file);
        }
        let processes = vec![command.spawn()?];
        let bare = Self { kind: Kind::Bare, cluster: Cluster { processes, ports: vec![port] } };
        bare.put(1)?;
        Ok(bare)
    }

    /// Where clients are served, the leader's first.
    pub fn ports(&self) -> &[u16] {
        &self.cluster.ports
    }

    fn put(&self, key: usize) -> Result<(), Box<dyn Error>> {
        let path = format!("/v2/keys/bench/{key:04}");
        cluster::await_answer(self.ports()[0], "PUT", &path, &form(), "HTTP/1.1 20")
    }
}

fn form() -> String {
    format!("value={}", "x".repeat(VALUE_BYTES))
}
