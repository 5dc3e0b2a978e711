//! Executions made at random: a correct cluster as clients see it, with answers
//! lost, refused and late, and nodes that lag.

use std::sync::Arc;

use quorate_engine::Position;
use quorate_engine::tree::Event;
use quorate_sim::check::{Hint, Place};
use quorate_sim::history::{Answer, History, Moment, Op, OpId, Server};
use quorate_sim::model::Model;
use quorate_sim::workload::{Mix, Workload};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::story::{GENESIS, answer, later};

const NODES: u64 = 3;

/// A client waits for nothing, for its operation to take effect, or for the
/// answer.
enum Client {
    Idle,
    Called(OpId),
    Taken(OpId, Answer),
}

/// What a node shows to local readers.
struct Node {
    life: u64,
    model: Model,
}

pub struct Execution {
    rng: Xoshiro256PlusPlus,
    workload: Workload,
    /// What clients have seen so far.
    pub history: History,
    truth: Model,
    /// What has been applied so far.
    pub events: Vec<Arc<Event>>,
    nodes: Vec<Node>,
    late: Vec<OpId>,
    now: u64,
    /// Whether answers are lost and nodes restart.
    losses: bool,
}

/// A correct execution of so many operations by so many clients.
pub fn execute(seed: u64, mix: Mix, clients: u64, operations: usize) -> (History, Hint) {
    Execution::new(seed, mix, true).run(clients, operations, |_| {})
}

impl Execution {
    /// Nothing yet; answers will be lost, or never are.
    pub fn new(seed: u64, mix: Mix, losses: bool) -> Self {
        let node = || Node { life: 0, model: Model::new(GENESIS) };
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            workload: Workload::new(Xoshiro256PlusPlus::seed_from_u64(!seed), mix),
            history: History::new(),
            truth: Model::new(GENESIS),
            events: vec![],
            nodes: (0..NODES).map(|_| node()).collect(),
            late: vec![],
            now: 0,
            losses,
        }
    }

    /// So many operations by so many clients, seen as they happen.
    pub fn run(
        mut self,
        clients: u64,
        operations: usize,
        mut see: impl FnMut(&Self),
    ) -> (History, Hint) {
        self.let_time_pass();
        let mut clients: Vec<Client> = (0..clients).map(|_| Client::Idle).collect();
        while self.history.operations().len() < operations {
            let at = self.rng.random_range(0..clients.len());
            clients[at] =
                self.advance(at as u64, std::mem::replace(&mut clients[at], Client::Idle));
            see(&self);
        }
        let mut hint = Hint::new(GENESIS);
        self.events.iter().for_each(|event| hint.learn(event).unwrap());
        (self.history, hint)
    }

    /// What no local read that is called from now on is answered from before.
    pub fn oldest(&self) -> Place {
        let place =
            |model: &Model| Place { store_index: model.store_index(), clock: model.clock() };
        self.nodes.iter().map(|node| place(&node.model)).min().expect("there are nodes")
    }

    fn advance(&mut self, client: u64, state: Client) -> Client {
        self.now += 1_000;
        if self.rng.random_bool(0.1) {
            self.take_late();
        }
        if self.rng.random_bool(0.2) {
            self.let_time_pass();
        }
        match state {
            Client::Idle => {
                let node = self.rng.random_range(0..NODES);
                let server = Server { node, life: self.nodes[node as usize].life };
                let op = self.workload.next_op(client);
                Client::Called(self.history.call(client, server, op, self.now))
            }
            Client::Called(id) => self.take(id),
            Client::Taken(id, answer) => {
                let lost = self.rng.random_bool(0.05) && self.losses;
                self.done(id, if lost { Answer::Lost } else { answer });
                Client::Idle
            }
        }
    }

    /// The operation takes effect, or is refused, or lost before or after it.
    fn take(&mut self, id: OpId) -> Client {
        match self.rng.random_range(0..20) {
            0 => self.done(id, Answer::Refused),
            1 if self.losses => {
                self.done(id, Answer::Lost);
                self.late.push(id);
            }
            2 if self.losses => self.restart(id),
            _ => {
                let answer = self.effect(id);
                return Client::Taken(id, answer);
            }
        }
        Client::Idle
    }

    /// The node asked has restarted, with what some node knew: nobody answers.
    fn restart(&mut self, id: OpId) {
        let from = self.rng.random_range(0..self.nodes.len());
        let model = self.nodes[from].model.clone();
        let asked = self.history.operations()[id].server;
        let node = &mut self.nodes[asked.node as usize];
        *node = Node { life: node.life + 1, model };
    }

    fn effect(&mut self, id: OpId) -> Answer {
        let Server { node, life } = self.history.operations()[id].server;
        let op = self.history.operations()[id].op.clone();
        if self.nodes[node as usize].life != life {
            return Answer::Lost;
        }
        if matches!(op, Op::Read { local: true, .. }) {
            let known = self.known(node);
            let behind = self.rng.random_range(known..=self.events.len());
            self.catch_up(node, behind);
            // Nobody sees an entry half applied.
            while self.nodes[node as usize].model.due().is_some() {
                self.catch_up(node, self.known(node) + 1);
            }
            return answer(&mut self.nodes[node as usize].model, &op);
        }
        let answer = self.effect_on_truth(&op);
        self.catch_up(node, self.events.len());
        self.nodes[node as usize].model.tell_time(self.truth.clock());
        answer
    }

    fn effect_on_truth(&mut self, op: &Op) -> Answer {
        let mut answer = answer(&mut self.truth, op);
        if let Answer::Written { event, at } = &mut answer {
            self.events.push(event.clone());
            *at = Position { store_index: event.index(), ..*at };
        }
        answer
    }

    /// A leader logs the time.
    fn let_time_pass(&mut self) {
        let ms = self.rng.random_range(0..600);
        let stamp = later(&self.truth, ms);
        self.events.extend(self.truth.advance(stamp).into_iter().map(Arc::new));
    }

    fn take_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.late.len());
        let id = self.late.swap_remove(at);
        let op = self.history.operations()[id].op.clone();
        self.effect_on_truth(&op);
    }

    fn known(&self, node: u64) -> usize {
        (self.nodes[node as usize].model.store_index() - GENESIS) as usize
    }

    fn catch_up(&mut self, node: u64, known: usize) {
        let from = self.known(node);
        let missed = self.events.get(from..known).unwrap_or_default();
        missed.iter().for_each(|event| self.nodes[node as usize].model.install(event));
    }

    fn done(&mut self, id: OpId, answer: Answer) {
        self.workload.observe(&answer);
        self.history.done(id, answer, self.now);
    }
}

/// The same history, but one operation was answered otherwise.
pub fn retold(history: &History, id: OpId, answer: &Answer) -> History {
    let mut told = History::new();
    for moment in history.moments() {
        match *moment {
            Moment::Called(id) => {
                let operation = &history.operations()[id];
                let (op, at) = (operation.op.clone(), operation.called_at);
                told.call(operation.client, operation.server, op, at);
            }
            Moment::Returned(returned) => {
                let operation = &history.operations()[returned];
                let answer = if returned == id { answer } else { &operation.answer };
                let at = operation.returned_at.expect("it has returned");
                told.done(returned, answer.clone(), at);
            }
        }
    }
    told
}
