//! A client: asks, waits, gives up, tries elsewhere. As in the simulator, but in real
//! time.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use quorate_engine::NodeId;
use rand::RngExt;

use super::http::Client;
use super::record::Record;
use super::wire;
use crate::history::{Answer, Op, Server};
use crate::weather::{PATIENCE_MS, Run, TRIES, stream};
use crate::workload::Workload;

/// A client of every member, whose every word is on record.
#[derive(Debug)]
pub struct Caller {
    record: Arc<Record>,
    id: u64,
    addresses: Vec<String>,
    /// A connection to a member, and the life of it that it reaches.
    connections: BTreeMap<NodeId, (u64, Client)>,
}

impl Caller {
    /// The client `id`; member `n` listens at the `n`-th of these addresses.
    pub fn new(record: &Arc<Record>, id: u64, addresses: &[String]) -> Self {
        let (record, addresses) = (record.clone(), addresses.to_vec());
        Self { record, id, addresses, connections: BTreeMap::new() }
    }

    /// One operation, from the call to its answer. An answer that must not be is a
    /// failure on record.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn ask(&mut self, node: NodeId, op: &Op, patience: Duration) -> Answer {
        let known = self.connections.get(&node).map_or(0, |(life, _)| *life);
        let called = self.record.call(self.id, Server { node, life: known }, op);
        let (method, target, form) = wire::request(op);
        let answered = self.connected(node, patience).and_then(|(life, client)| {
            let answered = client.request(method, &target, form.as_deref());
            answered.map(|answer| (*life, answer))
        });
        let (life, answered) = match answered {
            Ok((life, answer)) => (life, Ok(answer)),
            Err(error) => (known, Err(error)),
        };
        let answer = wire::answer(op, answered).unwrap_or_else(|what| {
            self.record.fail("answers", what);
            Answer::Lost
        });
        self.record.done(called, Server { node, life }, &answer);
        answer
    }

    /// No life begins while this connects: it is known which one is reached.
    fn connected(&mut self, node: NodeId, patience: Duration) -> io::Result<&mut (u64, Client)> {
        let address = &self.addresses[usize::try_from(node - 1).expect("small")];
        let connection = self.connections.entry(node).or_insert_with(|| (0, Client::new(address)));
        let (life, client) = connection;
        client.wait_at_most(patience)?;
        if !client.is_connected() {
            let lives = self.record.lives.read().unwrap_or_else(PoisonError::into_inner);
            client.connect()?;
            *life = lives[&node];
        }
        Ok(connection)
    }
}

/// Asks until told to stop.
pub(super) fn live(mut caller: Caller, run: &Run, workload: &Mutex<Workload>, stop: &AtomicBool) {
    let id = caller.id;
    let mut rng = stream(run.seed, &format!("client {id}"));
    let (nodes, think_ms) = (run.scenario.nodes, run.scenario.think_ms.max(1));
    let mut node = rng.random_range(1..=nodes);
    for nth in 0.. {
        sleep(Duration::from_millis(rng.random_range(1..=think_ms)));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let op = lock(workload).next_op(id);
        if run.plan.asked.as_ref().is_some_and(|asked| !asked.contains(&(id, nth))) {
            continue;
        }
        for _ in 0..TRIES {
            let patience = PATIENCE_MS[rng.random_range(0..PATIENCE_MS.len())];
            let answer = caller.ask(node, &op, Duration::from_millis(patience));
            lock(workload).observe(&answer);
            if matches!(answer, Answer::Refused | Answer::Lost) {
                node = rng.random_range(1..=nodes);
            }
            if answer != Answer::Refused {
                break;
            }
        }
    }
}

fn lock(workload: &Mutex<Workload>) -> std::sync::MutexGuard<'_, Workload> {
    workload.lock().unwrap_or_else(PoisonError::into_inner)
}
