//! Programs for the tree, decoded from arbitrary bytes: what a fuzzer or a
//! property test runs on the engine's tree and on the model to compare them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{Event, Fault, Path, Read, Thaw, Tree};
use quorate_engine::{Change, Condition, Content, Write};

use crate::model::Model;
use crate::workload::KEYS;

/// One thing done to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Change it.
    Write(Write),
    /// Read it.
    Read(Read),
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

/// The values in play: few, so that conditions hold now and then.
const VALUES: [&str; 4] = ["", "x", "y", "zz"];

/// Any bytes are a program, four bytes a step; what is left over is ignored.
pub fn decode(bytes: &[u8]) -> Vec<Step> {
    let (steps, _) = bytes.as_chunks();
    steps.iter().take(MAX_STEPS).map(decode_step).collect()
}

fn decode_step(&[kind, key, value, condition]: &[u8; 4]) -> Step {
    let path = Path::new(pick(&KEYS, key)).expect("the keys in play are clean paths");
    let file = || -> Arc<str> { pick(&VALUES, value).into() };
    let condition = decode_condition(condition);
    let change = match kind % 16 {
        0 | 1 => return Step::Read(Read { path, recursive: kind % 16 == 1 }),
        2 => return Step::Carry { part_bytes: usize::from(value) },
        3..=5 => Change::Set(Content::File(file())),
        6 => Change::Set(Content::Dir),
        7 | 8 => Change::Create(Content::File(file())),
        9 => Change::Create(Content::Dir),
        10 => Change::Update { value: file() },
        11 => Change::CompareAndSwap { value: file(), condition },
        12 | 13 => Change::Delete { dir: kind & 16 != 0, recursive: false },
        14 => Change::Delete { dir: kind & 16 != 0, recursive: true },
        _ => Change::CompareAndDelete { condition },
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
    let mut pair = Pair {
        step: 0,
        tree: Tree::new(GENESIS, HISTORY),
        model: Model::new(GENESIS),
        history: VecDeque::new(),
    };
    for (at, step) in program.iter().enumerate() {
        pair.step = at;
        pair.run(step)?;
    }
    Ok(())
}

/// The tree and the model, side by side.
struct Pair {
    step: usize,
    tree: Tree,
    model: Model,
    history: VecDeque<Event>,
}

impl Pair {
    fn run(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Read(read) => {
                let what = format!("reading {} recursive {}", read.path, read.recursive);
                self.equal(&what, &self.tree.read(read), &self.model.read(read))
            }
            Step::Write(write) => {
                let applied = self.tree.apply(write, Stamp::default());
                let judged = self.model.apply(write);
                self.remember(&judged);
                let applied = applied.map(|event| (*event).clone());
                self.equal(&write.to_string(), &applied, &judged)?;
                self.equal_state()
            }
            Step::Carry { part_bytes } => {
                self.tree = carry(&self.tree, *part_bytes);
                self.equal_state()
            }
        }
    }

    fn remember(&mut self, judged: &Result<Event, Fault>) {
        self.history.extend(judged.iter().cloned());
        let forgotten = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..forgotten);
    }

    fn equal_state(&self) -> Result<(), Difference> {
        let root = Read { path: Path::root(), recursive: true };
        self.equal("the store index", &self.tree.store_index(), &self.model.store_index())?;
        self.equal("the whole tree", &self.tree.read(&root), &self.model.read(&root))?;
        let history = self.tree.history().map(|event| (**event).clone()).collect();
        self.equal("the history", &history, &self.history)?;
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

fn carry(tree: &Tree, part_bytes: usize) -> Tree {
    let (mut frozen, mut thaw) = (tree.freeze(), Thaw::default());
    let mut part = Vec::new();
    while frozen.next_part(part_bytes, &mut part) {
        thaw.part(Bytes::from(std::mem::take(&mut part))).expect("a frozen part can be read");
    }
    thaw.finish(HISTORY).expect("all parts make a tree")
}
