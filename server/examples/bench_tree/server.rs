//! One server of either kind, alone in its cluster.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::Cluster;
use crate::process::quorate_binary;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's server.
    Quorate,
    /// Debian's etcd 3.4.
    Etcd,
}

/// Where servers of one kind are started in one round.
#[derive(Clone, Debug)]
pub struct Site {
    /// Of which kind they are.
    pub kind: Kind,
    /// The data of each in a directory of its own below this one.
    pub dir: PathBuf,
    /// How long a measurement lasts, in seconds.
    pub seconds: u64,
}

/// A server with nothing in it.
pub struct Server {
    cluster: Cluster,
}

impl Site {
    /// Starts an empty server; its data goes below this name.
    pub fn start(&self, name: &str) -> Result<Server, Box<dyn Error>> {
        let binary = match self.kind {
            Kind::Quorate => quorate_binary()?,
            Kind::Etcd => Path::new("etcd").to_owned(),
        };
        let cluster = Cluster::start(&binary, 1, &self.dir, name)?;
        Ok(Server { cluster })
    }
}

impl Server {
    /// Where it serves clients.
    pub fn port(&self) -> u16 {
        self.cluster.ports[0]
    }

    /// Bytes of memory that its process holds now.
    pub fn resident(&self) -> Result<f64, Box<dyn Error>> {
        let id = self.cluster.processes[0].id();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
        Ok(kib.parse::<f64>()? * 1024.0)
    }
}
