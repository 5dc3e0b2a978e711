//! A second opinion on the tree: etcd's v2 semantics as plainly as they can be
//! said, sharing nothing with the engine but the words of its border.

mod judge;
mod watch;

pub use watch::{concerns, first_index, watch};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_engine::Write;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{
    Action, EXPIRIES_PER_ENTRY, Event, Expires, Fault, FaultCode, NodeView, Path, Read,
};

/// The naive tree: one map from key to node, every question a scan but the one that is
/// asked at every event, what is due.
///
/// The root's key is the empty string, so that `key + "/"` begins whatever lies
/// below a key. Equality and order are those of the whole state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    store_index: u64,
    clock: Stamp,
    nodes: BTreeMap<String, Node>,
    /// What goes by itself: when, at which store index it was changed, and its key.
    going: BTreeSet<(u64, u64, String)>,
}

/// A file has a value; a directory has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    value: Option<Arc<str>>,
    created: u64,
    modified: u64,
    deadline: Option<Deadline>,
}

/// When a node goes by itself, by cluster time and as clients are shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    cluster_ms: u64,
    wall_ms: u64,
}

impl Node {
    fn is_dir(&self) -> bool {
        self.value.is_none()
    }

    /// When it goes by itself, at which store index it was changed, and its key.
    fn goes(&self, key: &str) -> Option<(u64, u64, String)> {
        self.deadline.map(|deadline| (deadline.cluster_ms, self.modified, key.to_owned()))
    }
}

impl Model {
    /// The empty tree of a fresh cluster: its first event will have the index
    /// after this one.
    pub fn new(genesis_store_index: u64) -> Self {
        let root = Node { value: None, created: 0, modified: 0, deadline: None };
        Self {
            store_index: genesis_store_index,
            clock: Stamp::default(),
            nodes: BTreeMap::from([(String::new(), root)]),
            going: BTreeSet::new(),
        }
    }

    /// The store index of the last event.
    pub fn store_index(&self) -> u64 {
        self.store_index
    }

    /// What time it is: what times to live are counted from.
    pub fn clock(&self) -> Stamp {
        self.clock
    }

    /// An entry with this stamp is applied: time passes, and what is due goes, as
    /// far as one entry may remove it.
    pub fn advance(&mut self, stamp: Stamp) -> Vec<Event> {
        self.tell_time(stamp);
        let mut events = Vec::new();
        while events.len() < EXPIRIES_PER_ENTRY
            && let Some(event) = self.due()
        {
            self.install(&event);
            events.push(event);
        }
        events
    }

    /// Moves the clock, never back, and nothing else.
    pub fn tell_time(&mut self, stamp: Stamp) {
        self.clock = self.clock.max(stamp);
    }

    /// What has to go next: of what is due now, what was due first, and of that
    /// what was changed first.
    pub fn due(&self) -> Option<Event> {
        let (deadline, _, first) = self.going.first()?;
        if *deadline > self.clock.cluster_ms {
            return None;
        }
        let path = Path::new(first).expect("keys of the model are clean paths");
        Some(self.gone(Action::Expire, &path, &self.nodes[first]))
    }

    /// Every key that goes by itself, and at what cluster time in ms.
    pub fn deadlines(&self) -> impl Iterator<Item = (&str, u64)> {
        self.going.iter().map(|(deadline, _, key)| (key.as_str(), *deadline))
    }

    /// Applies a write now. A refusal changes nothing.
    pub fn apply(&mut self, write: &Write) -> Result<Event, Fault> {
        let event = self.judge(write)?;
        self.install(&event);
        Ok(event)
    }

    /// Makes the tree what it is after this event, whoever says that it
    /// happened.
    pub fn install(&mut self, event: &Event) {
        self.store_index = event.index();
        self.tell_time(event.stamp);
        let key = key(&event.node.path);
        match event.action {
            Action::Delete | Action::CompareAndDelete | Action::Expire => self.remove(key),
            Action::Update if event.node.dir => {
                let deadline = deadline(&event.node, event.stamp);
                if let Some(node) = self.nodes.get(key).cloned() {
                    self.place(key, Node { deadline, ..node });
                }
            }
            _ => self.put(&event.node, event.stamp),
        }
    }

    /// Reads a key or a listing.
    pub fn read(&self, read: &Read) -> Result<NodeView, Fault> {
        let node = self.find(&read.path)?;
        let mut view = self.view(&read.path, node);
        view.nodes = self.list(&read.path, read.recursive);
        Ok(view)
    }

    fn find(&self, path: &Path) -> Result<&Node, Fault> {
        self.check_way(path, true)?;
        let found = self.nodes.get(key(path));
        found.ok_or_else(|| self.fault(FaultCode::KeyNotFound, path.as_str()))
    }

    /// Directories lead to a path, as far as there is anything; to its parent,
    /// if they `must_exist`.
    fn check_way(&self, path: &Path, must_exist: bool) -> Result<(), Fault> {
        for step in path.ancestors() {
            match self.nodes.get(key(&step)) {
                Some(node) if node.is_dir() => {}
                Some(_) => return Err(self.fault(FaultCode::NotDirectory, step.as_str())),
                None if must_exist => {
                    return Err(self.fault(FaultCode::KeyNotFound, step.as_str()));
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn fault(&self, code: FaultCode, cause: &str) -> Fault {
        Fault { code, cause: cause.to_owned(), index: self.store_index }
    }

    /// The event of a node's removal.
    fn gone(&self, action: Action, path: &Path, node: &Node) -> Event {
        let prev = self.view(path, node);
        let (value, expires) = (None, None);
        let modified_index = self.store_index + 1;
        let node = NodeView { value, expires, modified_index, ..prev.clone() };
        Event { action, node, prev: Some(prev), refresh: false, stamp: self.clock }
    }

    fn put(&mut self, view: &NodeView, stamp: Stamp) {
        let index = view.modified_index;
        for step in view.path.ancestors() {
            if !self.nodes.contains_key(key(&step)) {
                let dir = Node { value: None, created: index, modified: index, deadline: None };
                self.place(key(&step), dir);
            }
        }
        let (value, created) = (view.value.clone(), view.created_index);
        let node = Node { value, created, modified: index, deadline: deadline(view, stamp) };
        self.place(key(&view.path), node);
    }

    /// There is this node now, whatever was there before.
    fn place(&mut self, key: &str, node: Node) {
        let goes = node.goes(key);
        let before = self.nodes.insert(key.to_owned(), node);
        if let Some(went) = before.and_then(|node| node.goes(key)) {
            self.going.remove(&went);
        }
        self.going.extend(goes);
    }

    fn remove(&mut self, key: &str) {
        let gone: Vec<String> = self.below(key).map(|(below, _)| below.clone()).collect();
        for below in gone {
            self.take_out(&below);
        }
        self.take_out(key);
    }

    fn take_out(&mut self, key: &str) {
        let gone = self.nodes.remove(key);
        if let Some(goes) = gone.and_then(|node| node.goes(key)) {
            self.going.remove(&goes);
        }
    }

    fn list(&self, directory: &Path, recursive: bool) -> Vec<NodeView> {
        let prefix = key(directory).len() + 1;
        let mut nodes = Vec::new();
        for (below, node) in self.below(key(directory)) {
            let name = &below[prefix..];
            if name.starts_with('_') || name.contains('/') {
                continue;
            }
            let path = Path::new(below).expect("keys of the model are clean paths");
            let mut view = self.view(&path, node);
            if recursive {
                view.nodes = self.list(&path, true);
            }
            nodes.push(view);
        }
        nodes
    }

    fn below(&self, key: &str) -> impl Iterator<Item = (&String, &Node)> {
        let prefix = format!("{key}/");
        let from = self.nodes.range(prefix.clone()..);
        from.take_while(move |(below, _)| below.starts_with(&prefix))
    }

    /// A node as it is shown now. The moment of the write may have been a tick
    /// later than its stamp; that tick is not shown as time left.
    fn view(&self, path: &Path, node: &Node) -> NodeView {
        let passed = self.clock.cluster_ms.saturating_add(self.clock.tick_ms);
        let expires = node.deadline.map(|Deadline { cluster_ms, wall_ms }| Expires {
            wall_ms,
            ttl: cluster_ms.saturating_sub(passed).div_ceil(1_000),
        });
        NodeView {
            path: path.clone(),
            value: node.value.clone(),
            dir: node.is_dir(),
            created_index: node.created,
            modified_index: node.modified,
            expires,
            nodes: Vec::new(),
        }
    }
}

/// When a node goes that is shown like this by the write that gave it its time
/// to live, which was applied at `now`.
fn deadline(shown: &NodeView, now: Stamp) -> Option<Deadline> {
    let Expires { wall_ms, ttl } = shown.expires?;
    let left = ttl.saturating_mul(1_000).saturating_add(now.tick_ms);
    Some(Deadline { cluster_ms: now.cluster_ms.saturating_add(left), wall_ms })
}

fn key(path: &Path) -> &str {
    if path.is_root() { "" } else { path.as_str() }
}
