//! Everything there is in one run, and one step of one node.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use madsim::time::Instant;
use quorate_engine::command::Stamp;
use quorate_engine::tree::Read;
use quorate_engine::{
    Attributes, DiskOp, Done, Engine, Image, Input, Message, NodeId, Outcome, Output, Request,
    RequestId, Role, View,
};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::sync::{mpsc, oneshot};
use xxhash_rust::xxh3::Xxh3;

use super::clocks::Clock;
use super::courier::{Courier, Parcel};
use super::disks::{Trouble, is_log};
use super::journal::{Fate, Journal, Standing, What};
use super::lies::{Liar, Lie};
use super::links::Links;
use super::plan::State;
use super::run::{Failure, NO_PANIC, Run};
use super::scenario::Scenario;
use super::stream;
use super::watcher::Waiting;
use crate::check::Hint;
use crate::check::ttl::Shown;
use crate::check::watches::Watching;
use crate::disk::{Disk, Keep};
use crate::history::{Answer, History, Server};
use crate::probes::{Observers, Probe};
use crate::properties::{Observation, Properties};

/// The world, shared by the tasks of one run. All of them run in one thread.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("one thread")
    }
}

/// One run.
pub(crate) struct World {
    pub scenario: Scenario,
    pub seed: u64,
    /// The operations that clients ask for; all without it.
    asked: Option<BTreeSet<(u64, u64)>>,
    /// How many operations each client has thought of.
    pub thought_of: BTreeMap<u64, u64>,
    pub began: Instant,
    pub nodes: Vec<Node>,
    pub links: Links,
    pub history: History,
    pub hint: Hint,
    /// What watches were told, in this order.
    pub watchings: Vec<Watching>,
    /// When any node first showed an event.
    pub shown: Shown,
    /// The shortest tick of any node, from when on, in ns.
    pub(super) shortest_ns: Vec<(u64, u64)>,
    pub properties: Properties,
    pub liar: Liar,
    /// The first thing that went wrong.
    pub failure: Option<(&'static str, String)>,
    /// Of every input, output and disk byte.
    pub digest: Xxh3,
    pub steps: u64,
    /// What rare paths were taken.
    pub observers: Observers,
    /// The oracles that had their say.
    pub judged: Vec<&'static str>,
    leader_terms: BTreeSet<u64>,
    /// Terms of which an entry is committed.
    established_terms: BTreeSet<u64>,
    pub journal: Journal,
    pub calm: bool,
    /// What stays broken in it.
    pub broken: BTreeSet<NodeId>,
    /// Nodes that have come to the same state in the end.
    pub agreed: Vec<NodeId>,
    pub(super) disk_rng: Xoshiro256PlusPlus,
    pub(super) damage_rng: Xoshiro256PlusPlus,
    /// Who waits for a node to come into a state.
    pub ambushes: Vec<(State, oneshot::Sender<NodeId>)>,
    /// Told of nodes that have halted.
    pub halted: mpsc::UnboundedSender<NodeId>,
    boots: u64,
    /// What outlives the nodes: messages and disk operations under way.
    pub(super) courier: Courier,
}

/// One member, alive or not.
pub(crate) struct Node {
    pub id: NodeId,
    pub disk: Disk,
    pub clock: Clock,
    /// How often it has been started before.
    pub life: u64,
    pub alive: Option<Alive>,
    /// Down for good.
    pub down: bool,
    /// What is wrong with its disk.
    pub trouble: Trouble,
    /// What its disk held at the beginning of an earlier life.
    pub older: Option<Image>,
    /// Store index of the last event it has shown.
    shown: u64,
    /// A received snapshot has its name, and the log has not been written since.
    pub received: bool,
    /// Requests asked of it in all its lives: none of them shares its name.
    pub asked: RequestId,
}

/// What lives only as long as the process.
pub(crate) struct Alive {
    engine: Engine,
    pub inbox: mpsc::UnboundedSender<Input>,
    pub view: View,
    waiting: BTreeMap<RequestId, (Option<Read>, oneshot::Sender<Answer>)>,
    pub watches: BTreeMap<RequestId, Waiting>,
    queued: usize,
    name: Name,
}

/// How far a process is with making its name known.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Unknown,
    Asked(RequestId),
    Known,
}

/// Messages that wait for a node at most; what comes beyond is dropped.
const INBOX: usize = 4_096;

impl World {
    pub fn new(run: &Run, halted: mpsc::UnboundedSender<NodeId>, journal: Journal) -> Self {
        let Run { scenario, seed, plan, lie, .. } = run.clone();
        let config = scenario.config(seed, 1);
        let began = Instant::now();
        let sector = [8, 64, 512][stream(seed, "sector").random_range(0..3)];
        let clocks = Clock::draw(&scenario.clocks, config.tick_ms, scenario.nodes, seed);
        let shortest_ns = clocks.iter().map(Clock::tick_ns).min().expect("there are nodes");
        let nodes = (1..=scenario.nodes).zip(clocks).map(|(id, clock)| Node {
            id,
            disk: Disk::with_sector(sector),
            clock,
            life: 0,
            alive: None,
            down: false,
            trouble: Trouble::new(began),
            older: None,
            shown: 0,
            received: false,
            asked: 0,
        });
        Self {
            began,
            nodes: nodes.collect(),
            links: Links::new(scenario.links.clone(), scenario.nodes, seed),
            history: History::new(),
            hint: Hint::new(config.genesis_index()),
            watchings: Vec::new(),
            shown: Shown::new(),
            shortest_ns: vec![(0, shortest_ns)],
            properties: Properties::new(&config),
            liar: Liar::new(lie, seed, journal.clone()),
            failure: None,
            digest: Xxh3::new(),
            steps: 0,
            observers: Observers::new(&config),
            judged: vec![NO_PANIC, "halt", "restart", "same events"],
            leader_terms: BTreeSet::new(),
            established_terms: BTreeSet::new(),
            journal,
            calm: false,
            broken: BTreeSet::new(),
            agreed: Vec::new(),
            disk_rng: stream(seed, "disks"),
            damage_rng: stream(seed, "damage"),
            ambushes: Vec::new(),
            halted,
            boots: 0,
            courier: Courier::default(),
            scenario,
            seed,
            asked: plan.asked,
            thought_of: BTreeMap::new(),
        }
    }

    pub fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::try_from(id - 1).expect("small")]
    }

    /// Whether a client asks for this operation of its, or only thinks of it.
    pub fn is_asked(&mut self, client: u64, nth: u64) -> bool {
        self.thought_of.insert(client, nth + 1);
        self.asked.as_ref().is_none_or(|asked| asked.contains(&(client, nth)))
    }

    /// Virtual time since the beginning, in ns.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("runs are short")
    }

    pub fn fail(&mut self, oracle: &'static str, what: String) {
        if self.failure.is_none() {
            self.failure = Some((oracle, what.clone()));
            self.journal.record(|| What::Failed(Failure { oracle, what }));
        }
    }

    /// Whether a node leads, as it last said.
    pub fn leads(&mut self, id: NodeId) -> bool {
        self.node(id).alive.as_ref().is_some_and(|alive| alive.view.role == Role::Leader)
    }

    /// What a node shows, if it runs.
    pub fn view(&self, id: NodeId) -> Option<&View> {
        let node = &self.nodes[usize::try_from(id - 1).expect("small")];
        node.alive.as_ref().map(|alive| &alive.view)
    }

    /// The term, leader and clock that are in force, if somebody leads.
    pub fn leader(&self) -> Option<(u64, NodeId, Stamp)> {
        let views = self.nodes.iter().filter_map(|node| Some(&node.alive.as_ref()?.view));
        let view = views.max_by_key(|view| (view.term, view.role == Role::Leader))?;
        (view.role == Role::Leader).then(|| (view.term, view.id, view.tree.clock()))
    }

    /// A process starts on what the disk holds.
    pub fn birth(&mut self, id: NodeId, inbox: mpsc::UnboundedSender<Input>) {
        let mut config = self.scenario.config(self.seed, id);
        self.boots += 1;
        config.boot = self.seed.rotate_left(20) ^ self.boots;
        let tells = self.liar.tells(Lie::OlderImage, id);
        let node = self.node(id);
        if let Some(older) = node.older.clone().filter(|_| tells) {
            node.disk.restore(older);
        }
        node.older.get_or_insert_with(|| node.disk.image());
        if node.life % 2 == 1 {
            node.older = Some(node.disk.image());
        }
        match Engine::recover(config, node.disk.image()) {
            Ok((engine, outputs)) => {
                let view = engine.view();
                let (waiting, watches) = Default::default();
                let seen = view.clone();
                let (queued, name) = (0, Name::Unknown);
                node.alive =
                    Some(Alive { engine, inbox, view: seen, waiting, watches, queued, name });
                let life = node.life;
                self.journal.record(|| What::Born(id, life, Standing::of(&view)));
                self.observe(id, Observation::Born(&view));
                self.spring(State::Recovering, id);
                self.after(id, outputs);
                self.publish(id);
            }
            Err(error) if node.trouble.damaged => {
                node.down = true;
                self.observers.probes.hit(Probe::StartRefused);
                self.journal.record(|| What::Suffers(id, format!("it refuses to start: {error}")));
            }
            Err(error) => self.fail("restart", format!("n{id} does not start again: {error}")),
        }
    }

    /// A process makes its name known, and tries again until it is.
    pub fn publish(&mut self, id: NodeId) {
        let node = self.node(id);
        let Some(alive) = node.alive.as_mut().filter(|it| it.name == Name::Unknown) else { return };
        node.asked += 1;
        let (request, life) = (node.asked, node.life);
        alive.name = Name::Asked(request);
        let client_urls = vec![format!("http://n{id}:{life}")];
        let request_of = Request::Publish(Attributes { name: format!("n{id}"), client_urls });
        self.tell(id, Input::Client { id: request, request: request_of });
    }

    /// One step of one node with all that has arrived, and everything that follows
    /// from it.
    pub fn step(&mut self, id: NodeId, inputs: Vec<Input>) {
        if self.node(id).alive.is_none() || self.failure.is_some() {
            return;
        }
        self.steps += 1;
        if let Some(alive) = &mut self.node(id).alive {
            alive.queued = alive.queued.saturating_sub(inputs.len());
        }
        for input in &inputs {
            self.hash_input(id, input);
            self.observe(id, Observation::In(input));
        }
        let mut outputs = Vec::new();
        let alive = self.node(id).alive.as_mut().expect("just seen");
        alive.engine.step_all(inputs, &mut outputs);
        self.after(id, outputs);
    }

    fn after(&mut self, id: NodeId, outputs: Vec<Output>) {
        let mut letters = VecDeque::new();
        for output in &outputs {
            letters.extend(self.hash_output(id, output));
            self.observe(id, Observation::Out(output));
        }
        self.show(id, &outputs);
        for output in outputs {
            match output {
                Output::Peer { to, message } => {
                    let bytes = letters.pop_front().expect("one for each message");
                    self.send(id, to, &message, bytes);
                }
                Output::Reply { id: request, outcome } => self.reply(id, request, outcome),
                Output::Disk { id: op_id, op } => {
                    self.node(id).disk.start(op_id, op);
                    self.complete_later(id, op_id);
                }
                Output::Halt(halt) => return self.halt(id, &halt),
            }
        }
    }

    /// What a node shows now, to all that look.
    fn show(&mut self, id: NodeId, outputs: &[Output]) {
        let at = usize::try_from(id - 1).expect("small");
        let alive = self.nodes[at].alive.as_ref().expect("it has just made a step");
        let view = alive.engine.view();
        self.journal.look(&alive.view, &view);
        self.observe(id, Observation::View(&view));
        self.learn(id, &view);
        let alive = self.node(id).alive.as_mut().expect("it lives on");
        let before = std::mem::replace(&mut alive.view, view);
        self.look_out(id, &before, outputs);
    }

    /// Every message travels as bytes.
    fn send(&mut self, from: NodeId, to: NodeId, message: &Message, bytes: Bytes) {
        let sent = (self.now(), self.lives(from, to));
        let arrivals = self.links.send(from, to);
        self.observers.sent(arrivals.len());
        if arrivals.is_empty() {
            self.flew(from, to, sent.0, message, Fate::Lost);
        }
        let now = Instant::now();
        for delay in arrivals {
            let bytes = bytes.clone();
            self.courier.take(now + delay, Parcel::Message { from, to, bytes, sent });
        }
    }

    /// Whether somebody takes a peer's word there.
    pub(super) fn hears(&mut self, id: NodeId) -> bool {
        self.node(id).alive.as_ref().is_some_and(|alive| alive.queued < INBOX)
    }

    /// Which lives of theirs these two live.
    pub(super) fn lives(&mut self, from: NodeId, to: NodeId) -> [u64; 2] {
        [from, to].map(|id| self.node(id).life)
    }

    /// Puts a word into a node's inbox; peers' words may be dropped.
    pub fn tell(&mut self, id: NodeId, input: Input) {
        if matches!(input, Input::Peer { .. }) && !self.hears(id) {
            return;
        }
        let Some(alive) = &mut self.node(id).alive else { return };
        alive.queued += 1;
        let _ = alive.inbox.send(input);
    }

    /// A client's request reaches a node.
    pub fn ask(
        &mut self,
        id: NodeId,
        request: Request,
        read: Option<Read>,
    ) -> Option<(Server, oneshot::Receiver<Answer>, RequestId)> {
        let unconfirmed = read.is_some() && self.liar.tells(Lie::UnconfirmedRead, id);
        let node = self.node(id);
        let server = Server { node: id, life: node.life };
        let alive = node.alive.as_mut()?;
        let (answer, answered) = oneshot::channel();
        node.asked += 1;
        let request_id = node.asked;
        if unconfirmed {
            let _ = answer.send(read_from(&alive.view, &read.expect("it is a read")));
            return Some((server, answered, request_id));
        }
        alive.waiting.insert(request_id, (read, answer));
        self.tell(id, Input::Client { id: request_id, request });
        Some((server, answered, request_id))
    }

    /// What a node answers from what it happens to have; nothing before it has
    /// learned a commit index.
    pub fn local_read(&mut self, id: NodeId, read: &Read) -> Option<(Server, Answer)> {
        let node = self.node(id);
        let server = Server { node: id, life: node.life };
        let view = &node.alive.as_ref()?.view;
        let answer = if view.ready { read_from(view, read) } else { Answer::Refused };
        Some((server, answer))
    }

    fn reply(&mut self, id: NodeId, request: RequestId, outcome: Outcome) {
        let outcome = self.liar.reply(outcome, id);
        let Some(alive) = &mut self.node(id).alive else { return };
        if alive.name == Name::Asked(request) {
            let known = outcome == Outcome::Done(Done::Published);
            alive.name = if known { Name::Known } else { Name::Unknown };
            return;
        }
        if let Some(waiting) = alive.watches.remove(&request) {
            return self.watched(waiting, outcome);
        }
        let Some((read, answer)) = alive.waiting.remove(&request) else { return };
        let said = match (&outcome, read) {
            (Outcome::Done(Done::Readable { .. }), Some(read)) => {
                Some(read_from(&alive.view, &read))
            }
            (Outcome::Done(Done::Readable { .. }), None) => None,
            _ => Answer::from_outcome(outcome),
        };
        if let Some(said) = said {
            let _ = answer.send(said);
        }
    }

    /// Tells those who wait for a node to come into a rare state.
    fn look_out(&mut self, id: NodeId, before: &View, outputs: &[Output]) {
        let view = self.view(id).expect("it lives on");
        let leads = |view: &View| view.role == Role::Leader;
        // A leader commits nothing but by an entry of its own term.
        let commits = leads(before) && leads(view) && view.committed > before.committed;
        let (leads, term) = (leads(view), view.term);
        if leads && self.leader_terms.insert(term) {
            self.spring(State::Elected, id);
        }
        if commits && self.established_terms.insert(term) {
            self.spring(State::Established, id);
        }
        for output in outputs {
            let Output::Disk { op, .. } = output else { continue };
            let state = match (op, op.file().as_str()) {
                (DiskOp::Write { sync: true, .. }, name) if is_log(name) => {
                    if std::mem::take(&mut self.node(id).received) {
                        self.spring(State::Replacing, id);
                    }
                    State::Writing
                }
                (DiskOp::Create { .. }, "snapshot.own") => State::Snapshotting,
                (DiskOp::Rename { .. }, "snapshot.received") => State::Installing,
                _ => continue,
            };
            self.spring(state, id);
        }
    }

    /// Waits for a node to come into a state.
    pub fn ambush(&mut self, state: State) -> oneshot::Receiver<NodeId> {
        let (tell, told) = oneshot::channel();
        self.ambushes.push((state, tell));
        told
    }

    fn spring(&mut self, state: State, id: NodeId) {
        // Who has given up waiting is not in the way of those behind.
        self.ambushes.retain(|(_, tell)| !tell.is_closed());
        if let Some(at) = self.ambushes.iter().position(|(awaited, _)| *awaited == state) {
            let (_, tell) = self.ambushes.swap_remove(at);
            self.observers.probes.hit_if(Probe::Ambushed, tell.send(id).is_ok());
        }
    }

    /// The events that a node shows for the first time: a hint for the checker.
    fn learn(&mut self, id: NodeId, view: &View) {
        let shown = std::mem::replace(&mut self.node(id).shown, view.tree.store_index());
        let fresh: Vec<_> =
            view.tree.history().rev().take_while(|event| event.index() > shown).cloned().collect();
        let now = self.now();
        for event in fresh.iter().rev() {
            if let Entry::Vacant(place) = self.shown.entry(event.index()) {
                place.insert(now);
                self.observers.shown(event, view.term);
            }
            if let Err(violation) = self.hint.learn(event) {
                self.fail("same events", violation.to_string());
            }
        }
    }

    pub(super) fn observe(&mut self, id: NodeId, what: Observation<'_>) {
        self.observers.observe(id, &what);
        if self.failure.is_none()
            && let Err(violation) = self.properties.observe(id, what)
        {
            self.fail(violation.property, violation.to_string());
        }
    }

    fn hash_input(&mut self, id: NodeId, input: &Input) {
        self.digest.update(&[1, id as u8]);
        if let Input::Peer { from, message } = input {
            self.digest.update(&from.to_le_bytes());
            self.digest.update(&message.encode());
        } else {
            self.digest_words(input);
        }
        self.journal.record(|| What::In(id, Box::new(input.clone())));
    }

    /// The bytes of a message, too.
    fn hash_output(&mut self, id: NodeId, output: &Output) -> Option<Bytes> {
        self.journal.record(|| What::Out(id, Box::new(output.clone())));
        self.digest.update(&[2, id as u8]);
        match output {
            Output::Peer { to, message } => {
                let bytes = message.encode();
                self.digest.update(&to.to_le_bytes());
                self.digest.update(&bytes);
                return Some(bytes);
            }
            Output::Disk { op: DiskOp::Write { bytes, .. }, .. } => {
                self.digest_words(output);
                self.digest.update(bytes);
            }
            _ => self.digest_words(output),
        }
        None
    }

    /// As it is written, without writing it down.
    fn digest_words(&mut self, words: &dyn fmt::Display) {
        struct Words<'a>(&'a mut Xxh3);
        impl fmt::Write for Words<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.update(text.as_bytes());
                Ok(())
            }
        }
        write!(Words(&mut self.digest), "{words}").expect("a digest takes everything");
    }

    /// The end of every crash: nothing is lost any more, for the final look.
    pub fn settle_disks(&mut self) {
        for node in &mut self.nodes {
            if node.alive.is_none() {
                node.disk.kill(&mut Keep);
            }
            self.digest.update(&node.disk.digest().to_le_bytes());
        }
    }

    /// Requests of clients, of one node.
    pub fn forget(&mut self, id: NodeId, request: RequestId) {
        if let Some(alive) = &mut self.node(id).alive {
            alive.waiting.remove(&request);
            alive.watches.remove(&request);
            self.tell(id, Input::Forget { id: request });
        }
    }
}

fn read_from(view: &View, read: &Read) -> Answer {
    let at = view.position();
    Answer::Read { found: view.read(read).map(|(node, _)| node), at }
}
