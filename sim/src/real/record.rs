//! What clients and watchers of one run saw, put together as it comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use quorate_engine::NodeId;
use quorate_engine::tree::Event;

use crate::check::Hint;
use crate::check::watches::Watching;
use crate::history::{Answer, History, Op, OpId, Server};
use crate::weather::Failure;

/// What all threads of a run share.
#[derive(Debug)]
pub struct Record {
    began: Instant,
    told: Mutex<Told>,
    /// How often each member has been started again. No life begins while a client
    /// connects.
    pub(super) lives: RwLock<BTreeMap<NodeId, u64>>,
    sessions: AtomicU64,
}

/// All that was told.
#[derive(Debug)]
pub struct Told {
    /// What clients saw.
    pub history: History,
    /// The order of events: from watches of everything, and from answers.
    pub hint: Hint,
    /// What watches were told.
    pub watchings: Vec<Watching>,
    /// Which events each member has shown to watches of everything.
    pub shown: BTreeMap<NodeId, BTreeSet<u64>>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

impl Told {
    pub(super) fn fail(&mut self, oracle: &'static str, what: String) {
        self.failure.get_or_insert(Failure { oracle, what });
    }

    /// An event, from an answer or a watch. Whoever tells of another one at the same
    /// index is found out.
    pub(super) fn learn(&mut self, event: &Arc<Event>) {
        if let Err(violation) = self.hint.learn(event) {
            self.fail(violation.oracle(), violation.to_string());
        }
    }
}

impl Record {
    /// Nothing yet, in a cluster of so many members that was born at this store index.
    pub fn new(nodes: u64, genesis: u64) -> Self {
        let told = Told {
            history: History::new(),
            hint: Hint::new(genesis),
            watchings: Vec::new(),
            shown: BTreeMap::new(),
            failure: None,
        };
        Self {
            began: Instant::now(),
            told: Mutex::new(told),
            lives: RwLock::new((1..=nodes).map(|node| (node, 0)).collect()),
            sessions: AtomicU64::new(0),
        }
    }

    /// Real time since the beginning, in ns.
    ///
    /// # Panics
    /// After five hundred years.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("runs are short")
    }

    /// All that was told so far.
    pub fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, oracle: &'static str, what: String) {
        self.lock().fail(oracle, what);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// This member, which is dead, is about to be started again.
    pub fn begin_life(&self, node: NodeId) {
        let mut lives = self.lives.write().unwrap_or_else(PoisonError::into_inner);
        *lives.entry(node).or_default() += 1;
    }

    /// A watch is a session of its own: what two connections tell may arrive here in
    /// another order than it was said.
    pub(super) fn session(&self, node: NodeId) -> Server {
        Server { node, life: self.sessions.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn call(&self, client: u64, server: Server, op: &Op) -> OpId {
        let mut told = self.lock();
        let now = self.now();
        told.history.call(client, server, op.clone(), now)
    }

    pub(super) fn done(&self, id: OpId, server: Server, answer: &Answer) {
        let mut told = self.lock();
        let now = self.now();
        told.history.reached(id, server);
        told.history.done(id, answer.clone(), now);
        if let Answer::Written { event, .. } = answer {
            told.learn(event);
        }
    }

    /// A watch of everything was shown this.
    pub(super) fn shown(&self, node: NodeId, event: &Arc<Event>) {
        let mut told = self.lock();
        told.learn(event);
        told.shown.entry(node).or_default().insert(event.index());
    }

    /// What came of a watch.
    pub(super) fn watched(&self, watching: Watching) {
        self.lock().watchings.push(watching);
    }
}
