//! What a write would do.

use std::sync::Arc;

use quorate_engine::tree::{Action, Event, Expires, Fault, FaultCode, NodeView, Path};
use quorate_engine::{Change, Condition, Content, Refresh, Write};

use super::{Model, Node, key};

impl Model {
    /// What [`Model::apply`] would answer, changing nothing.
    pub fn judge(&self, write: &Write) -> Result<Event, Fault> {
        let path = &write.path;
        let may_be_root =
            matches!(write.change, Change::CompareAndDelete { .. } | Change::CreateInOrder { .. });
        if path.is_root() && !may_be_root {
            return Err(self.fault(FaultCode::RootReadOnly, "/"));
        }
        match &write.change {
            Change::Set { content, ttl } => self.judge_set(path, content, *ttl),
            Change::Create { content, ttl } => self.judge_create(path, content, *ttl),
            Change::CreateInOrder { content, ttl } => {
                let name = format!("{}/{:020}", key(path), self.store_index + 1);
                let path = Path::new(&name).expect("a number is a clean name");
                self.judge_create(&path, content, *ttl)
            }
            Change::Update { value, ttl } => self.judge_update(path, value.as_ref(), *ttl),
            Change::CompareAndSwap { value, condition, ttl } => {
                let before = self.find_file_where(path, condition)?;
                let after = Some(value.clone());
                Ok(self.change(Action::CompareAndSwap, path, before, after, *ttl))
            }
            Change::Refresh { ttl, like } => self.judge_refresh(path, *ttl, like),
            Change::Delete { dir, recursive } => self.judge_delete(path, *dir, *recursive),
            Change::CompareAndDelete { condition } => {
                let before = self.find_file_where(path, condition)?;
                Ok(self.gone(Action::CompareAndDelete, path, before))
            }
        }
    }

    fn judge_set(&self, path: &Path, content: &Content, ttl: Option<u64>) -> Result<Event, Fault> {
        self.check_way(path, false)?;
        let before = self.nodes.get(key(path));
        if before.is_some_and(Node::is_dir) {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if before.is_some() && *content == Content::Dir {
            return Err(self.fault(FaultCode::NotDirectory, path.as_str()));
        }
        let prev = before.map(|node| self.view(path, node));
        Ok(self.event(Action::Set, self.fresh(path, content, ttl), prev))
    }

    fn judge_create(
        &self,
        path: &Path,
        content: &Content,
        ttl: Option<u64>,
    ) -> Result<Event, Fault> {
        self.check_way(path, false)?;
        if self.nodes.contains_key(key(path)) {
            return Err(self.fault(FaultCode::NodeExists, path.as_str()));
        }
        Ok(self.event(Action::Create, self.fresh(path, content, ttl), None))
    }

    fn judge_update(
        &self,
        path: &Path,
        value: Option<&Arc<str>>,
        ttl: Option<u64>,
    ) -> Result<Event, Fault> {
        let before = self.find(path)?;
        let empty = value.is_none_or(|value| value.is_empty());
        if before.is_dir() && !empty {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if !before.is_dir() && value.is_none() {
            let cause = "prevExist=true without a value would empty the file";
            return Err(self.fault(FaultCode::ValueRequired, cause));
        }
        let after = value.filter(|_| !before.is_dir()).cloned();
        Ok(self.change(Action::Update, path, before, after, ttl))
    }

    /// A write that gives again what is there.
    fn judge_refresh(&self, path: &Path, ttl: u64, like: &Refresh) -> Result<Event, Fault> {
        let (action, before) = match like {
            Refresh::Set => (Action::Set, self.find_file(path)?),
            Refresh::Update => (Action::Update, self.find(path)?),
            Refresh::CompareAndSwap(condition) => {
                (Action::CompareAndSwap, self.find_file_where(path, condition)?)
            }
        };
        let mut event = self.change(action, path, before, before.value.clone(), Some(ttl));
        if *like == Refresh::Set {
            event.node.created_index = self.store_index + 1;
        }
        event.refresh = true;
        Ok(event)
    }

    fn judge_delete(&self, path: &Path, dir: bool, recursive: bool) -> Result<Event, Fault> {
        let before = self.find(path)?;
        if before.is_dir() && !dir && !recursive {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if before.is_dir() && !recursive && self.below(key(path)).next().is_some() {
            return Err(self.fault(FaultCode::DirectoryNotEmpty, path.as_str()));
        }
        Ok(self.gone(Action::Delete, path, before))
    }

    /// The file at a path; of the root it is not said by name that it is none.
    fn find_file(&self, path: &Path) -> Result<&Node, Fault> {
        let node = self.find(path)?;
        if node.is_dir() { Err(self.fault(FaultCode::NotFile, key(path))) } else { Ok(node) }
    }

    fn find_file_where(&self, path: &Path, condition: &Condition) -> Result<&Node, Fault> {
        let node = self.find_file(path)?;
        let value = node.value.as_deref().unwrap_or_default();
        let mut differences = Vec::new();
        if let Some(wanted) = condition.value.as_deref().filter(|wanted| *wanted != value) {
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

    /// A node that is created by the next event.
    fn fresh(&self, path: &Path, content: &Content, ttl: Option<u64>) -> NodeView {
        let value = match content {
            Content::File(value) => Some(value.clone()),
            Content::Dir => None,
        };
        let index = self.store_index + 1;
        let node = Node { value, created: index, modified: index, deadline: None };
        NodeView { expires: self.expires(ttl), ..self.view(path, &node) }
    }

    /// A node that stays the one it was.
    fn change(
        &self,
        action: Action,
        path: &Path,
        from: &Node,
        value: Option<Arc<str>>,
        ttl: Option<u64>,
    ) -> Event {
        let prev = self.view(path, from);
        let (modified_index, expires) = (self.store_index + 1, self.expires(ttl));
        let node = NodeView { value, modified_index, expires, ..prev.clone() };
        self.event(action, node, Some(prev))
    }

    fn event(&self, action: Action, node: NodeView, prev: Option<NodeView>) -> Event {
        Event { action, node, prev, refresh: false, stamp: self.clock }
    }

    /// What is shown of a time to live that begins now. There is an end to time.
    fn expires(&self, ttl: Option<u64>) -> Option<Expires> {
        let ms = ttl?.saturating_mul(1_000);
        let begins = self.clock.cluster_ms.saturating_add(self.clock.tick_ms);
        let left = begins.saturating_add(ms) - begins;
        let wall_ms = self.clock.wall_ms.saturating_add(ms);
        Some(Expires { wall_ms, ttl: left.div_ceil(1_000) })
    }
}
