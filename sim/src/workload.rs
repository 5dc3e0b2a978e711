//! What clients do: plain data, in any world that can carry it out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_engine::tree::{NodeView, Path, Read};
use quorate_engine::{Change, Condition, Content, Write};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::history::{Answer, Op};

/// The keys in play: few, so that clients meet, with directories, hidden keys,
/// and keys that are wanted as a file by one and as a directory by another.
pub const KEYS: [&str; 16] = [
    "/", "/a", "/a/x", "/a/x/y", "/b", "/b-", "/c", "/d", "/d/a", "/d/a/b", "/d/e", "/d/_s",
    "/d/_s/t", "/_h", "/_h/u", "/f/g/h",
];

/// How many sightings of a key are remembered for conditions.
const SIGHTINGS: usize = 4;

/// How often each kind of operation comes, relative to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Set a file.
    pub set: u32,
    /// Set a directory.
    pub set_dir: u32,
    /// Create a file.
    pub create: u32,
    /// Create a directory.
    pub create_dir: u32,
    /// Update a file, or a directory with the empty value.
    pub update: u32,
    /// Compare and swap, mostly with what was seen.
    pub compare_and_swap: u32,
    /// Delete a file, or an empty directory.
    pub delete: u32,
    /// Delete with all below.
    pub delete_recursive: u32,
    /// Compare and delete, mostly with what was seen.
    pub compare_and_delete: u32,
    /// Read linearizably.
    pub read: u32,
    /// Read what a node happens to have.
    pub local_read: u32,
    /// The largest value, in bytes; most are as short as uniqueness allows.
    pub max_value_bytes: usize,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            set: 20,
            set_dir: 2,
            create: 10,
            create_dir: 2,
            update: 6,
            compare_and_swap: 12,
            delete: 8,
            delete_recursive: 8,
            compare_and_delete: 6,
            read: 20,
            local_read: 10,
            max_value_bytes: 200,
        }
    }
}

/// A kind of operation, as the mix weighs them.
#[derive(Clone, Copy)]
enum Kind {
    Set,
    SetDir,
    Create,
    CreateDir,
    Update,
    CompareAndSwap,
    Delete,
    DeleteRecursive,
    CompareAndDelete,
    Read,
    LocalRead,
}

impl Mix {
    fn weights(&self) -> [(Kind, u32); 11] {
        [
            (Kind::Set, self.set),
            (Kind::SetDir, self.set_dir),
            (Kind::Create, self.create),
            (Kind::CreateDir, self.create_dir),
            (Kind::Update, self.update),
            (Kind::CompareAndSwap, self.compare_and_swap),
            (Kind::Delete, self.delete),
            (Kind::DeleteRecursive, self.delete_recursive),
            (Kind::CompareAndDelete, self.compare_and_delete),
            (Kind::Read, self.read),
            (Kind::LocalRead, self.local_read),
        ]
    }
}

/// Clients that know each other's sightings: what any of them has seen, any may
/// compare with.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Xoshiro256PlusPlus,
    mix: Mix,
    asked: u64,
    seen: BTreeMap<Path, VecDeque<Sighting>>,
}

/// A file as somebody has seen it.
#[derive(Clone, Debug)]
struct Sighting {
    value: Arc<str>,
    index: u64,
}

impl Workload {
    /// A workload that is a function of its source of chance and of what it is
    /// told. At least one weight of the mix is not 0.
    pub fn new(rng: Xoshiro256PlusPlus, mix: Mix) -> Self {
        Self { rng, mix, asked: 0, seen: BTreeMap::new() }
    }

    /// What this client does next. Values that are not empty are unique.
    pub fn next_op(&mut self, client: u64) -> Op {
        self.asked += 1;
        let kind = self.kind();
        let path = self.key();
        let change = match kind {
            Kind::Read | Kind::LocalRead => {
                let recursive = self.rng.random_bool(0.3);
                let local = matches!(kind, Kind::LocalRead);
                return Op::Read { read: Read { path, recursive }, local };
            }
            Kind::Set => Change::Set(Content::File(self.value(client))),
            Kind::SetDir => Change::Set(Content::Dir),
            Kind::Create => Change::Create(Content::File(self.value(client))),
            Kind::CreateDir => Change::Create(Content::Dir),
            Kind::Update => Change::Update { value: self.value_or_empty(client) },
            Kind::CompareAndSwap => Change::CompareAndSwap {
                value: self.value(client),
                condition: self.condition(&path),
            },
            Kind::Delete => Change::Delete { dir: self.rng.random_bool(0.5), recursive: false },
            Kind::DeleteRecursive => Change::Delete { dir: true, recursive: true },
            Kind::CompareAndDelete => Change::CompareAndDelete { condition: self.condition(&path) },
        };
        Op::Write(Write { path, change })
    }

    /// What became of an operation: later conditions are drawn from it.
    pub fn observe(&mut self, answer: &Answer) {
        match answer {
            Answer::Written { event, .. } => self.see(&event.node),
            Answer::Read { found: Ok(node), .. } => self.see(node),
            Answer::Read { found: Err(_), .. }
            | Answer::Fault { .. }
            | Answer::Refused
            | Answer::Lost => {}
        }
    }

    fn see(&mut self, node: &NodeView) {
        if let Some(value) = &node.value {
            let seen = self.seen.entry(node.path.clone()).or_default();
            seen.push_front(Sighting { value: value.clone(), index: node.modified_index });
            seen.truncate(SIGHTINGS);
        }
        for below in &node.nodes {
            self.see(below);
        }
    }

    fn kind(&mut self) -> Kind {
        let weights = self.mix.weights();
        let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng.random_range(0..total);
        for (kind, weight) in weights {
            if drawn < weight {
                return kind;
            }
            drawn -= weight;
        }
        unreachable!("a number below the sum of the weights falls on one of them")
    }

    fn key(&mut self) -> Path {
        let at = self.rng.random_range(0..KEYS.len());
        Path::new(KEYS[at]).expect("the keys in play are clean paths")
    }

    fn value(&mut self, client: u64) -> Arc<str> {
        let mut value = format!("c{client}-{}", self.asked);
        if self.rng.random_bool(0.1) && value.len() < self.mix.max_value_bytes {
            let length = self.rng.random_range(value.len()..=self.mix.max_value_bytes);
            value.extend(std::iter::repeat_n('.', length - value.len()));
        }
        value.into()
    }

    fn value_or_empty(&mut self, client: u64) -> Arc<str> {
        if self.rng.random_bool(0.3) { "".into() } else { self.value(client) }
    }

    /// Mostly something seen at this key, newest first; else something that
    /// never was.
    fn condition(&mut self, path: &Path) -> Condition {
        let recent = usize::from(self.rng.random_bool(0.2));
        let sighting = self.seen.get(path).and_then(|seen| seen.get(recent)).cloned();
        let sighting = sighting.filter(|seen| !seen.value.is_empty());
        let sighting = sighting.unwrap_or(Sighting { value: "never".into(), index: 1 });
        let (value, index) = match self.rng.random_range(0..3) {
            0 => (Some(sighting.value), None),
            1 => (None, Some(sighting.index)),
            _ => (Some(sighting.value), Some(sighting.index)),
        };
        Condition { value, index }
    }
}
