//! A recipe's way to the simulated cluster.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use quorate_engine::tree::{Event, Fault, NodeView, Path, Read};
use quorate_engine::{Change, Condition, Content, NodeId, Refresh, Write, tree};
use quorate_recipes::{
    Delete, Failure, Node, Post, Put, Refusal, Reply, Request, Store, Watch, code,
};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::process::Stage;
use super::{Note, Notes, Who};
use crate::check::watches::Told;
use crate::history::{Answer, Op};
use crate::weather::client::ask;
use crate::weather::journal::What;
use crate::weather::world::Shared;

/// Clients of recipes bear numbers from here on in histories.
const FIRST: u64 = 1_000;

/// One life of a process, as it sees the world: a store with a clock and dice of its
/// own. It stays with a node until that fails it, then goes to any.
pub(crate) struct Client {
    pub who: Who,
    shared: Shared,
    stage: Arc<Stage>,
    /// What its clock shows after 1,000,000 ns, in ns.
    speed: u64,
    rng: RefCell<Xoshiro256PlusPlus>,
    node: Cell<NodeId>,
    /// Whether it stays with its node whatever happens.
    stays: bool,
}

impl Client {
    pub fn new(who: Who, shared: Shared, stage: Arc<Stage>, speed: u64, seed: u64) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let client = Self {
            who,
            shared,
            stage,
            speed,
            rng: RefCell::new(rng),
            node: Cell::new(1),
            stays: false,
        };
        client.go_elsewhere();
        client
    }

    /// A client of each node alone, with the same clock.
    pub fn each_node(&self) -> Vec<Self> {
        let nodes = 1..=self.shared.lock().scenario.nodes;
        let alone = |node| {
            let Self { who, shared, stage, speed, .. } = self;
            let (shared, stage) = (shared.clone(), stage.clone());
            let client = Self::new(*who, shared, stage, *speed, self.random());
            client.node.set(node);
            Self { stays: true, ..client }
        };
        nodes.map(alone).collect()
    }

    fn go_elsewhere(&self) {
        let nodes = self.shared.lock().scenario.nodes;
        if !self.stays {
            self.node.set(self.between(1, nodes));
        }
    }

    /// A random number of this range, both ends included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.rng.borrow_mut().random_range(low..=high)
    }

    pub fn chance(&self, percent: u32) -> bool {
        self.rng.borrow_mut().random_ratio(percent, 100)
    }

    /// True time, in ns since the beginning.
    pub fn now_ns(&self) -> u64 {
        self.shared.lock().now()
    }

    /// The true time at which its clock shows so many ms.
    pub fn true_ns(&self, shown_ms: u64) -> u64 {
        shown_ms.saturating_mul(1_000_000_000_000).div_ceil(self.speed)
    }

    /// How long nothing has disturbed anybody, in ms; 0 in the storm.
    pub fn calm_ms(&self) -> u64 {
        let calm = self.stage.calm_from();
        calm.map_or(0, |from| self.now_ns().saturating_sub(from) / 1_000_000)
    }

    /// Notes what it believes, or was told, now.
    pub fn note<T: std::fmt::Debug>(&self, notes: &Notes<T>, what: T) {
        let world = self.shared.lock();
        let at = world.now();
        world.journal.record(|| What::Noted(format!("{}: {what:?}", self.who)));
        notes.lock().push(Note { at, who: self.who, what });
    }

    async fn watch(&self, watch: Watch) -> Result<Reply, Failure> {
        madsim::time::sleep(Duration::from_millis(self.between(1, 3))).await;
        let node = self.node.get();
        let refused = || Failure::NotDone(format!("n{node} takes no watches"));
        let (index, id, told) = {
            let mut world = self.shared.lock();
            let view = &world.node(node).alive.as_ref().ok_or_else(refused)?.view;
            if !view.ready {
                return Err(refused());
            }
            let index = view.tree.store_index();
            let from = if watch.wait_index == 0 { index + 1 } else { watch.wait_index };
            let (path, recursive) = (path(&watch.key)?, watch.recursive);
            let asked = tree::Watch { path, recursive, from, limit: 1 };
            let (id, told) = world.watch(node, FIRST + self.who.id, asked).ok_or_else(refused)?;
            (index, id, told)
        };
        let patience = Duration::from_nanos(self.true_ns(watch.patience_ms));
        match madsim::time::timeout(patience, told).await {
            Ok(Ok(Told::Shown { events, .. })) => Ok(written(&events[0], index)),
            Ok(Ok(Told::Cleared(cleared))) => Err(Failure::Refused(Refusal {
                code: code::CLEARED,
                message: "The event in requested index is outdated and cleared".into(),
                cause: format!("{} [{}]", cleared.first, cleared.asked),
                index: cleared.index,
            })),
            Ok(Err(_)) => Err(Failure::Unknown(format!("n{node} broke the connection"))),
            Err(_) => {
                self.shared.lock().forget(node, id);
                Ok(Reply { index, ..Reply::default() })
            }
        }
    }
}

impl Store for Client {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let answer = match request {
            Request::Watch(watch) => self.watch(watch).await,
            request => {
                let rng = &mut Xoshiro256PlusPlus::seed_from_u64(self.random());
                let client = FIRST + self.who.id;
                reply(ask(&self.shared, client, self.node.get(), op(request)?, rng).await)
            }
        };
        if let Err(Failure::NotDone(_) | Failure::Unknown(_)) = &answer {
            self.go_elsewhere();
        }
        answer
    }

    async fn sleep(&self, ms: u64) {
        madsim::time::sleep(Duration::from_nanos(self.true_ns(ms))).await;
    }

    fn now_ms(&self) -> u64 {
        self.now_ns() / 1_000 * self.speed / 1_000_000_000
    }

    fn random(&self) -> u64 {
        self.rng.borrow_mut().random()
    }
}

fn path(key: &str) -> Result<Path, Failure> {
    Path::new(key).map_err(|error| Failure::NotDone(format!("{key} is no path: {error:?}")))
}

/// What is asked of a node, by the rules of its HTTP face.
fn op(request: Request) -> Result<Op, Failure> {
    let (key, change) = match request {
        Request::Get(get) => {
            let read = Read { path: path(&get.key)?, recursive: get.recursive };
            return Ok(Op::Read { read, local: get.local });
        }
        Request::Put(put) => (put.key.clone(), change(put)),
        Request::Post(Post { key, value, ttl }) => {
            (key, Change::CreateInOrder { content: Content::File(value.into()), ttl })
        }
        Request::Delete(Delete { key, dir, recursive, prev_value, prev_index }) => {
            let change = match condition(prev_value, prev_index) {
                Some(condition) => Change::CompareAndDelete { condition },
                None => Change::Delete { dir, recursive },
            };
            (key, change)
        }
        Request::Watch(_) => unreachable!("watches go another way"),
    };
    Ok(Op::Write(Write { path: path(&key)?, change }))
}

/// What a PUT means.
fn change(put: Put) -> Change {
    let value: Option<Arc<str>> = put.value.map(Into::into);
    let text = value.clone().unwrap_or_default();
    let content = if put.dir { Content::Dir } else { Content::File(text.clone()) };
    let condition = condition(put.prev_value, put.prev_index);
    match (put.prev_exist, condition, put.ttl.filter(|_| put.refresh)) {
        (Some(false), ..) => Change::Create { content, ttl: put.ttl },
        (_, Some(condition), Some(ttl)) => {
            Change::Refresh { ttl, like: Refresh::CompareAndSwap(condition) }
        }
        (Some(true), None, Some(ttl)) => Change::Refresh { ttl, like: Refresh::Update },
        (None, None, Some(ttl)) => Change::Refresh { ttl, like: Refresh::Set },
        (_, Some(condition), None) => {
            Change::CompareAndSwap { value: text, condition, ttl: put.ttl }
        }
        (Some(true), None, None) => Change::Update { value, ttl: put.ttl },
        (None, None, None) => Change::Set { content, ttl: put.ttl },
    }
}

fn condition(value: Option<String>, index: Option<u64>) -> Option<Condition> {
    let condition = Condition { value: value.map(Into::into), index };
    (condition != Condition::default()).then_some(condition)
}

/// What a recipe is told.
fn reply(answer: Answer) -> Result<Reply, Failure> {
    match answer {
        Answer::Written { event, at } => Ok(written(&event, at.store_index)),
        Answer::Read { found: Ok(view), at } => Ok(Reply {
            action: "get".into(),
            node: Some(node(&view)),
            prev_node: None,
            index: at.store_index,
        }),
        Answer::Fault { fault, .. } | Answer::Read { found: Err(fault), .. } => {
            Err(Failure::Refused(refusal(fault)))
        }
        Answer::Refused => Err(Failure::NotDone("the node refused it".into())),
        Answer::Lost => Err(Failure::Unknown("no answer".into())),
    }
}

fn written(event: &Event, index: u64) -> Reply {
    let action = event.action.as_str().into();
    Reply { action, node: Some(node(&event.node)), prev_node: event.prev.as_ref().map(node), index }
}

fn refusal(Fault { code, cause, index }: Fault) -> Refusal {
    Refusal { code: code.number(), message: code.message().into(), cause, index }
}

/// A node as clients know it.
pub(super) fn node(view: &NodeView) -> Node {
    Node {
        key: view.path.to_string(),
        value: view.value.as_deref().map(Into::into),
        dir: view.dir,
        ttl: view.expires.map(|expires| i64::try_from(expires.ttl).unwrap_or(i64::MAX)),
        nodes: view.nodes.iter().map(node).collect(),
        modified_index: view.modified_index,
        created_index: view.created_index,
    }
}
