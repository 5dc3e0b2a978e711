//! Small histories told step by step, with the truth beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Event, NodeView, Path, Read};
use quorate_engine::{Change, Condition, Content, Position, Refresh, Write};
use quorate_sim::check::{self, Hint, Violation, search};
use quorate_sim::history::{Answer, History, Op, OpId, Server};
use quorate_sim::model::Model;

/// The store index at birth: the first event has index 4.
pub const GENESIS: u64 = 3;

/// A history in the making. Operations are called, take effect on the truth, and
/// are answered: truly, or not.
pub struct Story {
    pub history: History,
    /// The tree at every store index since birth.
    pub truth: Vec<Model>,
    /// What the nodes will say that they applied.
    pub events: Vec<Arc<Event>>,
    answers: BTreeMap<OpId, Answer>,
    now: u64,
}

impl Story {
    pub fn new() -> Self {
        let truth = vec![Model::new(GENESIS)];
        Self { history: History::new(), truth, events: vec![], answers: BTreeMap::new(), now: 0 }
    }

    pub fn call(&mut self, client: u64, op: Op) -> OpId {
        self.call_on(1, 0, client, op)
    }

    pub fn call_on(&mut self, node: u64, life: u64, client: u64, op: Op) -> OpId {
        let now = self.tick();
        self.history.call(client, Server { node, life }, op, now)
    }

    /// The operation takes effect.
    pub fn take(&mut self, id: OpId) {
        let mut model = self.truth[self.truth.len() - 1].clone();
        let op = self.history.operations()[id].op.clone();
        let answer = answer(&mut model, &op);
        if let Answer::Written { event, .. } = &answer {
            self.events.push(event.clone());
            self.truth.push(model);
        }
        self.answers.insert(id, answer);
    }

    /// So much cluster time passes, and what is due goes.
    pub fn pass(&mut self, ms: u64) {
        let last = self.truth.last_mut().expect("there is a beginning");
        last.tell_time(later(last, ms));
        while let Some(event) = self.truth[self.truth.len() - 1].due() {
            self.happen(event);
        }
    }

    /// An event that nobody asked for, or not like this.
    pub fn happen(&mut self, event: Event) {
        let mut model = self.truth[self.truth.len() - 1].clone();
        model.install(&event);
        self.truth.push(model);
        self.events.push(Arc::new(event));
    }

    /// A read finds the tree as it was at this store index.
    pub fn take_at(&mut self, id: OpId, index: u64) {
        let op = self.history.operations()[id].op.clone();
        let mut model = self.at(index).clone();
        self.answers.insert(id, answer(&mut model, &op));
    }

    /// The true answer arrives.
    pub fn answer(&mut self, id: OpId) {
        self.tell(id, |_| {});
    }

    /// The answer arrives, spoiled.
    pub fn tell(&mut self, id: OpId, spoil: impl FnOnce(&mut Answer)) {
        let mut answer = self.answers.remove(&id).expect("an operation takes effect, then answers");
        spoil(&mut answer);
        self.answer_with(id, answer);
    }

    /// Any answer arrives.
    pub fn answer_with(&mut self, id: OpId, answer: Answer) {
        let now = self.tick();
        self.history.done(id, answer, now);
    }

    /// Called, done and answered, with nothing in between.
    pub fn run(&mut self, client: u64, op: Op) -> OpId {
        self.run_on(1, 0, client, op)
    }

    pub fn run_on(&mut self, node: u64, life: u64, client: u64, op: Op) -> OpId {
        let id = self.call_on(node, life, client, op);
        self.take(id);
        self.answer(id);
        id
    }

    /// As `run`, but the answer is spoiled.
    pub fn run_told(&mut self, client: u64, op: Op, spoil: impl FnOnce(&mut Answer)) {
        let id = self.call(client, op);
        self.take(id);
        self.tell(id, spoil);
    }

    /// A read called and answered now from the tree as it was.
    pub fn run_at(&mut self, index: u64, client: u64, op: Op) {
        let id = self.call(client, op);
        self.take_at(id, index);
        self.answer(id);
    }

    /// Called and never answered, without effect so far.
    pub fn lose(&mut self, client: u64, op: Op) -> OpId {
        let id = self.call(client, op);
        self.answer_with(id, Answer::Lost);
        id
    }

    /// An operation takes effect once more, behind everybody's back.
    pub fn take_again(&mut self, id: OpId) {
        let told = self.answers.remove(&id);
        self.take(id);
        self.answers.extend(told.map(|answer| (id, answer)));
    }

    pub fn at(&self, index: u64) -> &Model {
        &self.truth[(index - GENESIS) as usize]
    }

    pub fn hint(&self) -> Hint {
        let mut hint = Hint::new(GENESIS);
        self.events.iter().for_each(|event| hint.learn(event).expect("one event per index"));
        hint
    }

    /// What the checkers by certificate say, after making sure that the search says
    /// the same.
    pub fn judge(&self) -> Result<(), Violation> {
        let certified = self.judge_all();
        let searched = search::search(&self.history, GENESIS);
        let expected = match certified {
            Ok(()) => search::Verdict::Linearizable,
            Err(_) => search::Verdict::Violation,
        };
        assert_eq!(searched, expected, "the checkers differ: {certified:?}");
        certified
    }

    /// What the checkers by certificate say.
    pub fn judge_all(&self) -> Result<(), Violation> {
        check::check(&self.history, &self.hint())
    }

    fn tick(&mut self) -> u64 {
        self.now += 1_000_000;
        self.now
    }
}

/// The nodes applied, and the client was told of, something else than the write.
pub fn spoil_event(story: &mut Story, op: Op, spoil: impl FnOnce(&mut Event)) {
    story.run_told(1, op, |told| spoil(event(told)));
    let told = story.history.operations().last().unwrap().event().unwrap().clone();
    *story.events.last_mut().unwrap() = told;
}

/// The nodes did `done` and acknowledged `asked`, which they should have refused.
pub fn acknowledge(story: &mut Story, asked: Op, done: Op, action: Action) {
    let mut model = story.truth.last().unwrap().clone();
    let mut told = answer(&mut model, &done);
    event(&mut told).action = action;
    if action == Action::Create {
        event(&mut told).prev = None;
    }
    story.events.push(Arc::new(event(&mut told).clone()));
    story.truth.push(model);
    let id = story.call(3, asked);
    story.answer_with(id, told);
}

/// What the model answers, taking the effect.
pub fn answer(model: &mut Model, op: &Op) -> Answer {
    let written = match op {
        Op::Read { read, .. } => {
            return Answer::Read { found: model.read(read), at: position(model) };
        }
        Op::Write(write) => model.apply(write),
    };
    let at = position(model);
    match written {
        Ok(event) => Answer::Written { event: event.into(), at },
        Err(fault) => Answer::Fault { fault, at },
    }
}

fn position(model: &Model) -> Position {
    let (store_index, clock) = (model.store_index(), model.clock());
    Position { store_index, clock, ..Position::default() }
}

/// The clock of a tree, so much later.
pub fn later(model: &Model, ms: u64) -> Stamp {
    let cluster_ms = model.clock().cluster_ms + ms;
    Stamp { cluster_ms, wall_ms: 1_000_000 + cluster_ms, tick_ms: 100 }
}

/// Spoils the event that a client is told of.
pub fn event(answer: &mut Answer) -> &mut Event {
    match answer {
        Answer::Written { event, .. } => Arc::make_mut(event),
        other => panic!("not written: {other:?}"),
    }
}

/// Spoils the node that a client reads.
pub fn node(answer: &mut Answer) -> &mut NodeView {
    match answer {
        Answer::Read { found: Ok(node), .. } => node,
        other => panic!("nothing found: {other:?}"),
    }
}

/// The seconds left that a client reads.
pub fn ttl(answer: &mut Answer) -> u64 {
    node(answer).expires.expect("it goes by itself").ttl
}

/// Spoils the clock of an answer.
pub fn clock(answer: &mut Answer) -> &mut u64 {
    match answer {
        Answer::Written { at, .. } | Answer::Fault { at, .. } | Answer::Read { at, .. } => {
            &mut at.clock.cluster_ms
        }
        other => panic!("no clock: {other:?}"),
    }
}

/// Spoils the place of an answer.
pub fn place(answer: &mut Answer) -> &mut u64 {
    match answer {
        Answer::Written { at, .. } | Answer::Fault { at, .. } | Answer::Read { at, .. } => {
            &mut at.store_index
        }
        other => panic!("no place: {other:?}"),
    }
}

pub fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

pub fn write(at: &str, change: Change) -> Op {
    Op::Write(Write { path: path(at), change })
}

pub fn set(at: &str, value: &str) -> Op {
    write(at, Change::Set { content: Content::File(value.into()), ttl: None })
}

pub fn set_dir(at: &str) -> Op {
    write(at, Change::Set { content: Content::Dir, ttl: None })
}

pub fn set_for(at: &str, value: &str, ttl: u64) -> Op {
    write(at, Change::Set { content: Content::File(value.into()), ttl: Some(ttl) })
}

pub fn set_dir_for(at: &str, ttl: u64) -> Op {
    write(at, Change::Set { content: Content::Dir, ttl: Some(ttl) })
}

pub fn refresh(at: &str, ttl: u64) -> Op {
    write(at, Change::Refresh { ttl, like: Refresh::Set })
}

pub fn post(at: &str, value: &str) -> Op {
    write(at, Change::CreateInOrder { content: Content::File(value.into()), ttl: None })
}

pub fn create(at: &str, value: &str) -> Op {
    write(at, Change::Create { content: Content::File(value.into()), ttl: None })
}

pub fn update(at: &str, value: &str) -> Op {
    write(at, Change::Update { value: Some(value.into()), ttl: None })
}

pub fn cas(at: &str, value: &str, before: &str) -> Op {
    let condition = Condition { value: Some(before.into()), index: None };
    write(at, Change::CompareAndSwap { value: value.into(), condition, ttl: None })
}

pub fn cas_index(at: &str, value: &str, index: u64) -> Op {
    let condition = Condition { value: None, index: Some(index) };
    write(at, Change::CompareAndSwap { value: value.into(), condition, ttl: None })
}

pub fn cad(at: &str, before: &str) -> Op {
    let condition = Condition { value: Some(before.into()), index: None };
    write(at, Change::CompareAndDelete { condition })
}

pub fn delete(at: &str) -> Op {
    write(at, Change::Delete { dir: false, recursive: false })
}

pub fn delete_dir(at: &str) -> Op {
    write(at, Change::Delete { dir: true, recursive: false })
}

pub fn delete_all(at: &str) -> Op {
    write(at, Change::Delete { dir: true, recursive: true })
}

pub fn get(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: false }, local: false }
}

pub fn list(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: true }, local: false }
}

pub fn local_list(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: true }, local: true }
}

pub fn local(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: false }, local: true }
}

/// A history by its name, which is a claim.
pub type Told = (&'static str, fn() -> Story);

/// The history of this name.
pub fn told(histories: &[Told], name: &str) -> Story {
    histories.iter().find(|(claim, _)| *claim == name).expect("it is there").1()
}

macro_rules! histories {
    ($list:ident; $($name:ident |$story:ident| $body:block)*) => {
        pub const $list: &[Told] = &[$((stringify!($name), || {
            let mut $story = Story::new();
            $body
            $story
        })),*];
    };
}

macro_rules! bad {
    ($list:ident, $judge:ident; $($name:ident: $violation:ident |$story:ident| $body:block)*) => {
        histories! { $list; $($name |$story| $body)* }
        $(
            #[test]
            fn $name() {
                let judged = told($list, stringify!($name)).$judge();
                let violation = judged.expect_err("it is not to be accepted");
                assert!(matches!(violation, Violation::$violation { .. }), "{violation}");
            }
        )*
    };
}

macro_rules! good {
    ($list:ident, $judge:ident; $($name:ident: |$story:ident| $body:block)*) => {
        histories! { $list; $($name |$story| $body)* }
        $(
            #[test]
            fn $name() {
                let judged = told($list, stringify!($name)).$judge();
                judged.unwrap_or_else(|violation| panic!("{violation}"));
            }
        )*
    };
}

pub(crate) use {bad, good, histories};
