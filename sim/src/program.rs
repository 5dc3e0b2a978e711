//! Programs for the tree, decoded from arbitrary bytes: what a fuzzer or a
//! property test runs on the engine's tree and on the model to compare them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{Event, Path, Read, Thaw, Tree, Watch};
use quorate_engine::{Change, Condition, Content, Refresh, Write};

use crate::model::{self, Model};
use crate::workload::KEYS;

/// One thing done to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Change it.
    Write(Write),
    /// Read it.
    Read(Read),
    /// Look at what it remembers.
    Watch(Watch),
    /// Let so much cluster time pass, by a leader whose wall clock shows this.
    Advance {
        /// In ms.
        ms: u64,
        /// In ms since 1970.
        wall_ms: u64,
    },
    /// Freeze it in parts of so many bytes and go on with what they thaw to.
    Carry {
        /// At most this many bytes a part, if its first record is not longer.
        part_bytes: usize,
    },
}

/// Steps beyond this many are not decoded.
pub const MAX_STEPS: usize = 10_000;

/// The store index at birth of what programs run on.
const GENESIS: u64 = 3;

/// Events that the tree remembers: fewer than most programs have.
const HISTORY: usize = 16;

/// How coarse the clock of all leaders is, in ms.
const TICK_MS: u64 = 100;

/// The values in play: few, so that conditions hold now and then.
const VALUES: [&str; 4] = ["", "x", "y", "zz"];

/// The times to live in play, in seconds: mostly none, and one beyond all time.
const TTLS: [Option<u64>; 8] =
    [None, None, None, Some(0), Some(1), Some(2), Some(3), Some(u64::MAX)];

/// Any bytes are a program, four bytes a step; what is left over is ignored.
pub fn decode(bytes: &[u8]) -> Vec<Step> {
    let (steps, _) = bytes.as_chunks();
    steps.iter().take(MAX_STEPS).map(decode_step).collect()
}

/// The kind has a flag in its sixth bit; the value has the time to live behind
/// its low two bits.
fn decode_step(&[kind, key, value, more]: &[u8; 4]) -> Step {
    let path = Path::new(pick(&KEYS, key)).expect("the keys in play are clean paths");
    let file = || -> Arc<str> { pick(&VALUES, value & 3).into() };
    let (ttl, flag) = (TTLS[usize::from(value >> 2) % TTLS.len()], kind & 32 != 0);
    let seconds = ttl.unwrap_or(1);
    let content = || if flag { Content::Dir } else { Content::File(file()) };
    let condition = || decode_condition(more);
    let change = match kind % 32 {
        0 | 1 => return Step::Read(Read { path, recursive: flag }),
        2 => return Step::Carry { part_bytes: usize::from(value) },
        3 | 4 => {
            let (from, limit) = (u64::from(more), usize::from(value % 8) + 1);
            return Step::Watch(Watch { path, recursive: flag, from, limit });
        }
        5..=8 => {
            let ms = u64::from(value) + 16 * u64::from(more);
            return Step::Advance { ms, wall_ms: 1_000_000 * u64::from(key) };
        }
        9..=12 => Change::Set { content: Content::File(file()), ttl },
        13 => Change::Set { content: Content::Dir, ttl },
        14 | 15 => Change::Create { content: content(), ttl },
        16 | 17 => Change::CreateInOrder { content: content(), ttl },
        18 | 19 => Change::Update { value: (!flag).then(file), ttl },
        20 | 21 => Change::CompareAndSwap { value: file(), condition: condition(), ttl },
        22 => Change::Refresh { ttl: seconds, like: Refresh::Set },
        23 => Change::Refresh { ttl: seconds, like: Refresh::Update },
        24 => Change::Refresh { ttl: seconds, like: Refresh::CompareAndSwap(condition()) },
        25..=27 => Change::Delete { dir: flag, recursive: false },
        28 | 29 => Change::Delete { dir: flag, recursive: true },
        _ => Change::CompareAndDelete { condition: condition() },
    };
    Step::Write(Write { path, change })
}

/// The low two bits choose the value, the next whether to compare it, the rest
/// the index, 0 for none. On the wire, an empty value and the index 0 mean that
/// nothing is to be compared, so neither is ever compared with here.
fn decode_condition(byte: u8) -> Condition {
    let value = pick(&VALUES, byte & 3);
    let value = (byte & 4 != 0 && !value.is_empty()).then(|| value.into());
    let index = u64::from(byte >> 3);
    let index = if value.is_none() { Some(index + 1) } else { (index != 0).then_some(index) };
    Condition { value, index }
}

fn pick<'a>(from: &[&'a str], at: u8) -> &'a str {
    from[usize::from(at) % from.len()]
}

/// Where the tree and the model part ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step, from 0.
    pub step: usize,
    /// What was compared.
    pub what: String,
    /// The engine's answer.
    pub tree: String,
    /// The model's.
    pub model: String,
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, what, tree, model } = self;
        write!(f, "step {step}, {what}:\n  tree:  {tree}\n  model: {model}")
    }
}

/// Runs a program on the engine's tree and on the model, and compares every
/// answer, the whole state and the history after every change, and the digest
/// with the one computed from scratch.
pub fn compare(program: &[Step]) -> Result<(), Difference> {
    let (tree, model) = (Tree::new(GENESIS, HISTORY), Model::new(GENESIS));
    let mut pair = Pair { step: 0, tree, model, events: Vec::new() };
    for (at, step) in program.iter().enumerate() {
        pair.step = at;
        pair.run(step)?;
    }
    Ok(())
}

/// The tree and the model, side by side, and all that ever happened.
struct Pair {
    step: usize,
    tree: Tree,
    model: Model,
    events: Vec<Event>,
}

impl Pair {
    fn run(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Read(read) => {
                let what = format!("reading {} recursive {}", read.path, read.recursive);
                self.equal(&what, &self.tree.read(read), &self.model.read(read))
            }
            Step::Watch(watch) => self.watch(watch),
            Step::Write(write) => {
                let applied = self.tree.apply(write).map(|event| (*event).clone());
                let judged = self.model.apply(write);
                self.events.extend(judged.iter().cloned());
                self.equal(&write.to_string(), &applied, &judged)?;
                self.equal_state()
            }
            &Step::Advance { ms, wall_ms } => {
                let cluster_ms = self.model.clock().cluster_ms + ms;
                let stamp = Stamp { cluster_ms, wall_ms, tick_ms: TICK_MS };
                let expired = owned(&self.tree.advance(stamp));
                let judged = self.model.advance(stamp);
                self.events.extend(judged.iter().cloned());
                self.equal(&format!("advancing to {cluster_ms} ms"), &expired, &judged)?;
                self.equal_state()
            }
            Step::Carry { part_bytes } => {
                self.tree = carry(&self.tree, *part_bytes);
                self.equal_state()
            }
        }
    }

    fn watch(&self, watch: &Watch) -> Result<(), Difference> {
        let shown = self.tree.watch(watch).map(|events| owned(&events));
        let index = self.model.store_index();
        let expected = model::watch(&self.events, index, HISTORY as u64, watch);
        let expected = expected.map(|events| events.into_iter().cloned().collect());
        self.equal(&watch.to_string(), &shown, &expected)
    }

    fn equal_state(&self) -> Result<(), Difference> {
        let root = Read { path: Path::root(), recursive: true };
        self.equal("the store index", &self.tree.store_index(), &self.model.store_index())?;
        self.equal("the clock", &self.tree.clock(), &self.model.clock())?;
        self.equal("the whole tree", &self.tree.read(&root), &self.model.read(&root))?;
        let next = self.model.deadlines().map(|(_, deadline)| deadline).min();
        self.equal("the next deadline", &self.tree.next_deadline(), &next)?;
        let history: Vec<&Event> = self.tree.history().map(|event| &**event).collect();
        let last: Vec<&Event> = self.events.iter().rev().take(HISTORY).rev().collect();
        self.equal("the history", &history, &last)?;
        self.equal("the digest", &self.tree.digest(), &self.tree.recomputed_digest())
    }

    fn equal<T: PartialEq + fmt::Debug>(
        &self,
        what: &str,
        tree: &T,
        model: &T,
    ) -> Result<(), Difference> {
        if tree == model {
            return Ok(());
        }
        let (tree, model) = (format!("{tree:?}"), format!("{model:?}"));
        Err(Difference { step: self.step, what: what.to_owned(), tree, model })
    }
}

fn owned(events: &[Arc<Event>]) -> Vec<Event> {
    events.iter().map(|event| (**event).clone()).collect()
}

fn carry(tree: &Tree, part_bytes: usize) -> Tree {
    let (mut frozen, mut thaw) = (tree.freeze(), Thaw::default());
    let mut part = Vec::new();
    while frozen.next_part(part_bytes, &mut part) {
        thaw.part(Bytes::from(std::mem::take(&mut part))).expect("a frozen part can be read");
    }
    thaw.finish(HISTORY).expect("all parts make a tree")
}
