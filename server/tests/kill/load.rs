//! Clients that write and read under way, and the one history of all they saw.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use quorate_engine::tree::Path;
use quorate_engine::{Change, Content, NodeId, Write};
use quorate_sim::history::{Answer, History, Op, OpId, Server};
use quorate_sim::real::wire;
use quorate_sim::workload::{Mix, Workload};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::common::{Client, Cluster};

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

/// What all clients share.
#[derive(Debug)]
pub struct Record {
    began: Instant,
    history: Mutex<History>,
    /// How often each member has been started again. No life begins while a
    /// client connects.
    lives: RwLock<BTreeMap<NodeId, u64>>,
}

/// A client of one member, whose every word is on record.
#[derive(Debug)]
pub struct Witness {
    record: Arc<Record>,
    id: u64,
    /// Whom the connection reaches, or the last one did.
    server: Server,
    client: Client,
}

/// The clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Record {
    /// Nothing yet; the members are numbered from 1.
    pub fn new(members: usize) -> Arc<Self> {
        let lives = (1..=members as NodeId).map(|node| (node, 0)).collect();
        let (began, history) = (Instant::now(), Mutex::default());
        Arc::new(Self { began, history, lives: RwLock::new(lives) })
    }

    /// Since the beginning, in ns.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("the test is not that old")
    }

    /// The history so far. A client that failed has said why.
    pub fn with<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// This member, which is dead, is about to be started again.
    pub fn begin_life(&self, node: NodeId) {
        let mut lives = self.lives.write().expect("no client fails while it connects");
        *lives.get_mut(&node).expect("a member") += 1;
    }

    /// When the first write that was called after `since` was acknowledged by a
    /// member other than `dead`.
    pub fn resumed(&self, since: u64, dead: NodeId) -> Option<u64> {
        self.with(|history| {
            let later = history.operations().iter().rev().take_while(|op| op.called_at >= since);
            let written = later.filter(|op| op.event().is_some() && op.server.node != dead);
            written.filter_map(|op| op.returned_at).min()
        })
    }

    fn call(&self, client: u64, server: Server, op: &Op) -> OpId {
        self.with(|history| history.call(client, server, op.clone(), self.now()))
    }

    fn done(&self, id: OpId, server: Server, answer: Answer) {
        self.with(|history| {
            history.reached(id, server);
            history.done(id, answer, self.now());
        });
    }
}

impl Witness {
    /// A client of the member `node`, which listens at `address`.
    pub fn new(record: &Arc<Record>, id: u64, node: NodeId, address: &str) -> Self {
        let (record, server) = (record.clone(), Server { node, life: 0 });
        Self { record, id, server, client: Client::new(address) }
    }

    /// Gives up on an answer after this long.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.client = self.client.patience(patience);
        self
    }

    /// One operation, from the call to its answer.
    pub fn ask(&mut self, op: &Op) -> Answer {
        let called = self.record.call(self.id, self.server, op);
        let (method, target, form) = wire::request(op);
        let answered =
            self.connect().and_then(|()| self.client.request(method, &target, form.as_deref()));
        let answer = wire::answer(op, answered).unwrap_or_else(|what| panic!("{what}"));
        self.record.done(called, self.server, answer.clone());
        answer
    }

    fn connect(&mut self) -> io::Result<()> {
        if self.client.is_connected() {
            return Ok(());
        }
        let lives = self.record.lives.read().expect("no life fails to begin");
        self.client.connect()?;
        self.server.life = lives[&self.server.node];
        Ok(())
    }
}

impl Load {
    /// Sets clients and a prober on every member.
    pub fn start(record: &Arc<Record>, cluster: &Cluster, seed: u64) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let workload = Arc::new(Mutex::new(Workload::new(rng, timeless())));
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        for (member, node) in cluster.members.iter().zip(1..) {
            for number in 1..=CLIENTS {
                let id = node * 10 + number;
                let witness = Witness::new(record, id, node, &member.address).patience(PATIENCE);
                let (workload, stop) = (workload.clone(), stop.clone());
                clients.push(thread::spawn(move || work(witness, &workload, seed + id, &stop)));
            }
            let witness = Witness::new(record, node * 10, node, &member.address);
            let (witness, stop) = (witness.patience(PROBE_PATIENCE), stop.clone());
            clients.push(thread::spawn(move || probe(witness, &stop)));
        }
        Self { stop, clients }
    }

    /// Lets every client end what it is at.
    ///
    /// # Panics
    /// When one of them has met an answer that must not be.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().expect("no client fails"));
    }
}

/// A client that does a bit of everything.
fn work(mut witness: Witness, workload: &Mutex<Workload>, seed: u64, stop: &AtomicBool) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(rng.random_range(1..=THINK_MS)));
        let op = workload.lock().expect("no client fails").next_op(witness.id);
        let answer = witness.ask(&op);
        workload.lock().expect("no client fails").observe(&answer);
    }
}

/// A client that writes and writes, and never waits for long.
fn probe(mut witness: Witness, stop: &AtomicBool) {
    let path = Path::new("/probe").expect("clean");
    for number in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let value = format!("p{}-{number}", witness.id).into();
        let change = Change::Set { content: Content::File(value), ttl: None };
        witness.ask(&Op::Write(Write { path: path.clone(), change }));
        sleep(PROBE_PAUSE);
    }
}

/// Nothing expires: the wire does not show by which clock.
fn timeless() -> Mix {
    Mix { refresh: 0, ttl_percent: 0, ..Mix::default() }
}
