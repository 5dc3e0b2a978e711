//! What clients do: plain data, in any world that can carry it out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_engine::tree::{NodeView, Path, Read};
use quorate_engine::{Change, Condition, Content, Refresh, Write};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::history::{Answer, Op};

/// The keys in play: few, so that clients meet, with directories, hidden keys,
/// and keys that are wanted as a file by one and as a directory by another.
pub const KEYS: [&str; 17] = [
    "/", "/a", "/a/x", "/a/x/y", "/b", "/b-", "/c", "/d", "/d/a", "/d/a/b", "/d/e", "/d/_s",
    "/d/_s/t", "/_h", "/_h/u", "/f/g/h", "/q",
];

/// The directories in which keys are created in order. Like all keys they are
/// deleted now and then, so these stay few.
const QUEUES: [&str; 3] = ["/q", "/q", "/d"];

/// How many of the keys last created in order are remembered.
const ITEMS: usize = 8;

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
    /// Create a key in order.
    pub create_in_order: u32,
    /// Update a file, or a directory with an empty value or none.
    pub update: u32,
    /// Compare and swap, mostly with what was seen.
    pub compare_and_swap: u32,
    /// Give another time to live, mostly under a condition on what was seen.
    pub refresh: u32,
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
    /// Of a hundred writes that may give a time to live, how many do.
    pub ttl_percent: u32,
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
            create_in_order: 6,
            update: 6,
            compare_and_swap: 12,
            refresh: 8,
            delete: 8,
            delete_recursive: 8,
            compare_and_delete: 6,
            read: 20,
            local_read: 10,
            ttl_percent: 25,
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
    CreateInOrder,
    Update,
    CompareAndSwap,
    Refresh,
    Delete,
    DeleteRecursive,
    CompareAndDelete,
    Read,
    LocalRead,
}

impl Mix {
    fn weights(&self) -> [(Kind, u32); 13] {
        [
            (Kind::Set, self.set),
            (Kind::SetDir, self.set_dir),
            (Kind::Create, self.create),
            (Kind::CreateDir, self.create_dir),
            (Kind::CreateInOrder, self.create_in_order),
            (Kind::Update, self.update),
            (Kind::CompareAndSwap, self.compare_and_swap),
            (Kind::Refresh, self.refresh),
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
    /// Keys created in order, newest first.
    items: VecDeque<Path>,
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
        Self { rng, mix, asked: 0, seen: BTreeMap::new(), items: VecDeque::new() }
    }

    /// What this client does next. Values that are not empty are unique.
    pub fn next_op(&mut self, client: u64) -> Op {
        self.asked += 1;
        let kind = self.kind();
        let path = if matches!(kind, Kind::CreateInOrder) { self.queue() } else { self.key() };
        let ttl = self.ttl();
        let change = match kind {
            Kind::Read | Kind::LocalRead => {
                let recursive = self.rng.random_bool(0.3);
                let local = matches!(kind, Kind::LocalRead);
                return Op::Read { read: Read { path, recursive }, local };
            }
            Kind::Set => Change::Set { content: Content::File(self.value(client)), ttl },
            Kind::SetDir => Change::Set { content: Content::Dir, ttl },
            Kind::Create => Change::Create { content: Content::File(self.value(client)), ttl },
            Kind::CreateDir => Change::Create { content: Content::Dir, ttl },
            Kind::CreateInOrder => {
                let file = self.rng.random_bool(0.9);
                let content = if file { Content::File(self.value(client)) } else { Content::Dir };
                Change::CreateInOrder { content, ttl }
            }
            Kind::Update => Change::Update { value: self.value_or_none(client), ttl },
            Kind::CompareAndSwap => Change::CompareAndSwap {
                value: self.value(client),
                condition: self.condition(&path),
                ttl,
            },
            Kind::Refresh => {
                let like = match self.rng.random_range(0..4) {
                    0 => Refresh::Set,
                    1 => Refresh::Update,
                    _ => Refresh::CompareAndSwap(self.condition(&path)),
                };
                Change::Refresh { ttl: self.seconds(), like }
            }
            Kind::Delete => Change::Delete { dir: self.rng.random_bool(0.5), recursive: false },
            Kind::DeleteRecursive => Change::Delete { dir: true, recursive: true },
            Kind::CompareAndDelete => Change::CompareAndDelete { condition: self.condition(&path) },
        };
        Op::Write(Write { path, change })
    }

    /// What became of an operation: later conditions are drawn from it.
    pub fn observe(&mut self, answer: &Answer) {
        match answer {
            Answer::Written { event, .. } => {
                self.see(&event.node);
                if event.node.path.name() == format!("{:020}", event.index()) {
                    self.items.push_front(event.node.path.clone());
                    self.items.truncate(ITEMS);
                }
            }
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
        if self.rng.random_bool(0.05) && !self.items.is_empty() {
            return self.items[self.rng.random_range(0..self.items.len())].clone();
        }
        let at = self.rng.random_range(0..KEYS.len());
        Path::new(KEYS[at]).expect("the keys in play are clean paths")
    }

    fn queue(&mut self) -> Path {
        let at = self.rng.random_range(0..QUEUES.len());
        Path::new(QUEUES[at]).expect("queues are clean paths")
    }

    fn ttl(&mut self) -> Option<u64> {
        (self.rng.random_range(0..100) < self.mix.ttl_percent).then(|| self.seconds())
    }

    /// Mostly so few that they pass while somebody looks; none, or many.
    fn seconds(&mut self) -> u64 {
        match self.rng.random_range(0..10) {
            0 => 0,
            1 => self.rng.random_range(60..=3_600),
            _ => self.rng.random_range(1..=3),
        }
    }

    fn value(&mut self, client: u64) -> Arc<str> {
        let mut value = format!("c{client}-{}", self.asked);
        if self.rng.random_bool(0.1) && value.len() < self.mix.max_value_bytes {
            let length = self.rng.random_range(value.len()..=self.mix.max_value_bytes);
            value.extend(std::iter::repeat_n('.', length - value.len()));
        }
        value.into()
    }

    fn value_or_none(&mut self, client: u64) -> Option<Arc<str>> {
        match self.rng.random_range(0..6) {
            0 => None,
            1 => Some("".into()),
            _ => Some(self.value(client)),
        }
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
