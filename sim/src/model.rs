//! A second opinion on the tree: etcd's v2 semantics as plainly as they can be
//! said, sharing nothing with the engine but the words of its border.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_engine::tree::{Action, Event, Fault, FaultCode, NodeView, Path, Read};
use quorate_engine::{Change, Condition, Content, Write};

/// The naive tree: one map from key to node, every question a scan.
///
/// The root's key is the empty string, so that `key + "/"` begins whatever lies
/// below a key. Equality and order are those of the whole state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Model {
    store_index: u64,
    nodes: BTreeMap<String, Node>,
}

/// A file has a value; a directory has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    value: Option<Arc<str>>,
    created: u64,
    modified: u64,
}

impl Node {
    fn is_dir(&self) -> bool {
        self.value.is_none()
    }
}

impl Model {
    /// The empty tree of a fresh cluster: its first event will have the index
    /// after this one.
    pub fn new(genesis_store_index: u64) -> Self {
        let root = Node { value: None, created: 0, modified: 0 };
        Self { store_index: genesis_store_index, nodes: BTreeMap::from([(String::new(), root)]) }
    }

    /// The store index of the last event.
    pub fn store_index(&self) -> u64 {
        self.store_index
    }

    /// Applies a write. A refusal changes nothing.
    pub fn apply(&mut self, write: &Write) -> Result<Event, Fault> {
        let event = self.judge(write)?;
        self.install(&event);
        Ok(event)
    }

    /// What [`Model::apply`] would answer, changing nothing.
    pub fn judge(&self, write: &Write) -> Result<Event, Fault> {
        let path = &write.path;
        let may_be_root = matches!(write.change, Change::CompareAndDelete { .. });
        if path.is_root() && !may_be_root {
            return Err(self.fault(FaultCode::RootReadOnly, "/"));
        }
        match &write.change {
            Change::Set(content) => self.judge_set(path, content),
            Change::Create(content) => self.judge_create(path, content),
            Change::Update { value } => self.judge_update(path, value),
            Change::CompareAndSwap { value, condition } => {
                let before = self.find_file_where(path, condition)?;
                let after = Some(value.clone());
                Ok(self.change(Action::CompareAndSwap, path, before, after))
            }
            Change::Delete { dir, recursive } => self.judge_delete(path, *dir, *recursive),
            Change::CompareAndDelete { condition } => {
                let before = self.find_file_where(path, condition)?;
                Ok(self.change(Action::CompareAndDelete, path, before, None))
            }
        }
    }

    /// Makes the tree what it is after this event, whoever says that it
    /// happened.
    pub fn install(&mut self, event: &Event) {
        self.store_index = event.index();
        let key = key(&event.node.path);
        match event.action {
            Action::Delete | Action::CompareAndDelete => self.remove(key),
            Action::Update if event.node.dir => {}
            _ => self.put(&event.node),
        }
    }

    /// Reads a key or a listing.
    pub fn read(&self, read: &Read) -> Result<NodeView, Fault> {
        let node = self.find(&read.path)?;
        let mut view = view(&read.path, node);
        view.nodes = self.list(&read.path, read.recursive);
        Ok(view)
    }

    fn judge_set(&self, path: &Path, content: &Content) -> Result<Event, Fault> {
        self.check_way(path, false)?;
        let before = self.nodes.get(key(path));
        if before.is_some_and(Node::is_dir) {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        let prev = before.map(|node| view(path, node));
        Ok(Event { action: Action::Set, node: self.fresh(path, content), prev })
    }

    fn judge_create(&self, path: &Path, content: &Content) -> Result<Event, Fault> {
        self.check_way(path, false)?;
        if self.nodes.contains_key(key(path)) {
            return Err(self.fault(FaultCode::NodeExists, path.as_str()));
        }
        Ok(Event { action: Action::Create, node: self.fresh(path, content), prev: None })
    }

    fn judge_update(&self, path: &Path, value: &Arc<str>) -> Result<Event, Fault> {
        let before = self.find(path)?;
        if before.is_dir() && !value.is_empty() {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        let after = if before.is_dir() { None } else { Some(value.clone()) };
        Ok(self.change(Action::Update, path, before, after))
    }

    fn judge_delete(&self, path: &Path, dir: bool, recursive: bool) -> Result<Event, Fault> {
        let before = self.find(path)?;
        if before.is_dir() && !dir && !recursive {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if before.is_dir() && !recursive && self.below(key(path)).next().is_some() {
            return Err(self.fault(FaultCode::DirectoryNotEmpty, path.as_str()));
        }
        Ok(self.change(Action::Delete, path, before, None))
    }

    fn find_file_where(&self, path: &Path, condition: &Condition) -> Result<&Node, Fault> {
        let node = self.find(path)?;
        let Some(value) = &node.value else {
            return Err(self.fault(FaultCode::NotFile, key(path)));
        };
        let mut differences = Vec::new();
        if let Some(wanted) = condition.value.as_ref().filter(|wanted| *wanted != value) {
            differences.push(format!("[{wanted} != {value}]"));
        }
        if let Some(wanted) = condition.index.filter(|wanted| *wanted != node.modified) {
            differences.push(format!("[{wanted} != {}]", node.modified));
        }
        if differences.is_empty() {
            return Ok(node);
        }
        Err(self.fault(FaultCode::CompareFailed, &differences.join(" ")))
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

    fn fresh(&self, path: &Path, content: &Content) -> NodeView {
        let value = match content {
            Content::File(value) => Some(value.clone()),
            Content::Dir => None,
        };
        let index = self.store_index + 1;
        view(path, &Node { value, created: index, modified: index })
    }

    fn change(&self, action: Action, path: &Path, from: &Node, to: Option<Arc<str>>) -> Event {
        let prev = view(path, from);
        let node = NodeView { value: to, modified_index: self.store_index + 1, ..prev.clone() };
        Event { action, node, prev: Some(prev) }
    }

    fn fault(&self, code: FaultCode, cause: &str) -> Fault {
        Fault { code, cause: cause.to_owned(), index: self.store_index }
    }

    fn put(&mut self, view: &NodeView) {
        let index = view.modified_index;
        for step in view.path.ancestors() {
            let dir = Node { value: None, created: index, modified: index };
            self.nodes.entry(key(&step).to_owned()).or_insert(dir);
        }
        let node = Node { value: view.value.clone(), created: view.created_index, modified: index };
        self.nodes.insert(key(&view.path).to_owned(), node);
    }

    fn remove(&mut self, key: &str) {
        let gone: Vec<String> = self.below(key).map(|(below, _)| below.clone()).collect();
        for below in gone {
            self.nodes.remove(&below);
        }
        self.nodes.remove(key);
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
            let mut view = view(&path, node);
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
}

fn key(path: &Path) -> &str {
    if path.is_root() { "" } else { path.as_str() }
}

fn view(path: &Path, node: &Node) -> NodeView {
    NodeView {
        path: path.clone(),
        value: node.value.clone(),
        dir: node.is_dir(),
        created_index: node.created,
        modified_index: node.modified,
        nodes: Vec::new(),
    }
}
