//! Clients that write and read under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use quorate_engine::tree::Path;
use quorate_engine::{Change, Content, NodeId, Write};
use quorate_sim::history::Op;
use quorate_sim::real::{Caller, Record};
use quorate_sim::workload::{Mix, Workload};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::common::Cluster;

/// Clients of each member that do a bit of everything.
const CLIENTS: u64 = 2;
/// How long such a client waits for an answer: less than the server might take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long such a client thinks at most between two operations, in ms.
const THINK_MS: u64 = 20;

/// How long a prober waits for an answer before it tries anew.
const PROBE_PATIENCE: Duration = Duration::from_millis(300);
/// How long a prober waits between two writes.
const PROBE_PAUSE: Duration = Duration::from_millis(20);

/// The clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// When the first write that was called after `since` was acknowledged by a member other
/// than `dead`.
pub fn resumed(record: &Record, since: u64, dead: NodeId) -> Option<u64> {
    let told = record.lock();
    let later = told.history.operations().iter().rev().take_while(|op| op.called_at >= since);
    let written = later.filter(|op| op.event().is_some() && op.server.node != dead);
    written.filter_map(|op| op.returned_at).min()
}

impl Load {
    /// Sets clients and a prober on every member.
    pub fn start(record: &Arc<Record>, cluster: &Cluster, seed: u64) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let workload = Arc::new(Mutex::new(Workload::new(rng, timeless())));
        let stop = Arc::new(AtomicBool::new(false));
        let addresses = cluster.addresses();
        let caller = |id| Caller::new(record, id, &addresses);
        let mut clients = Vec::new();
        for node in 1..=addresses.len() as NodeId {
            for number in 1..=CLIENTS {
                let at = At { node, id: node * 10 + number, caller: caller(node * 10 + number) };
                let (workload, stop) = (workload.clone(), stop.clone());
                clients.push(thread::spawn(move || work(at, &workload, seed, &stop)));
            }
            let at = At { node, id: node * 10, caller: caller(node * 10) };
            let stop = stop.clone();
            clients.push(thread::spawn(move || probe(at, &stop)));
        }
        Self { stop, clients }
    }

    /// Lets every client end what it is at.
    ///
    /// # Panics
    /// When one of them has failed.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().expect("no client fails"));
    }
}

/// A client of one member.
struct At {
    node: NodeId,
    id: u64,
    caller: Caller,
}

/// A client that does a bit of everything.
fn work(mut at: At, workload: &Mutex<Workload>, seed: u64, stop: &AtomicBool) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed + at.id);
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(rng.random_range(1..=THINK_MS)));
        let op = workload.lock().expect("no client fails").next_op(at.id);
        let answer = at.caller.ask(at.node, &op, PATIENCE);
        workload.lock().expect("no client fails").observe(&answer);
    }
}

/// A client that writes and writes, and never waits for long.
fn probe(mut at: At, stop: &AtomicBool) {
    let path = Path::new("/probe").expect("clean");
    for number in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let value = format!("p{}-{number}", at.id).into();
        let change = Change::Set { content: Content::File(value), ttl: None };
        let write = Op::Write(Write { path: path.clone(), change });
        at.caller.ask(at.node, &write, PROBE_PATIENCE);
        sleep(PROBE_PAUSE);
    }
}

/// Nothing expires: the wire does not show by which clock.
fn timeless() -> Mix {
    Mix { refresh: 0, ttl_percent: 0, ..Mix::default() }
}
