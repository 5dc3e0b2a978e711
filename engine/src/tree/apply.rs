//! Changing the tree, exactly as etcd 3.4's v2 store does.

use std::sync::Arc;

use super::node::{Deadline, Node};
use super::{Action, Event, Fault, FaultCode, NodeView, Path, Tree};
use crate::boundary::{Change, Condition, Content, Refresh, Write};

impl Tree {
    /// Applies a write at the tree's clock: one event and one store index, or a
    /// refusal that changes nothing.
    pub fn apply(&mut self, write: &Write) -> Result<Arc<Event>, Fault> {
        let path = &write.path;
        match &write.change {
            Change::Set { content, ttl } => self.set(path, content, *ttl),
            Change::Create { content, ttl } => self.create(path, content, *ttl),
            Change::CreateInOrder { content, ttl } => {
                let name = format!("{:020}", self.store_index + 1);
                self.create(&path.child(&name), content, *ttl)
            }
            Change::Update { value, ttl } => self.update(path, value.as_ref(), *ttl),
            Change::CompareAndSwap { value, condition, ttl } => {
                let old = self.find_where(path, condition)?;
                Ok(self.replace(Action::CompareAndSwap, path, value, &old, *ttl))
            }
            Change::Refresh { ttl, like } => self.refresh(path, *ttl, like),
            Change::Delete { dir, recursive } => self.delete(path, *dir || *recursive, *recursive),
            Change::CompareAndDelete { condition } => self.compare_and_delete(path, condition),
        }
    }

    fn set(
        &mut self,
        path: &Path,
        content: &Content,
        ttl: Option<u64>,
    ) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let prev = match self.nodes.get(path.as_str()) {
            Some(node) if node.is_dir() => {
                return Err(self.fault(FaultCode::NotFile, path.as_str()));
            }
            // etcd puts the directory in the file's place, and the value is lost.
            Some(_) if *content == Content::Dir => {
                return Err(self.fault(FaultCode::NotDirectory, path.as_str()));
            }
            Some(node) => Some(node.view(path, self.clock)),
            None => {
                self.make_parents(path)?;
                None
            }
        };
        let node = Node::new(content.clone(), self.store_index + 1, self.deadline(ttl));
        Ok(self.put(Action::Set, path, node, prev))
    }

    fn create(
        &mut self,
        path: &Path,
        content: &Content,
        ttl: Option<u64>,
    ) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        if self.nodes.get(path.as_str()).is_some() {
            return Err(self.fault(FaultCode::NodeExists, path.as_str()));
        }
        self.make_parents(path)?;
        let node = Node::new(content.clone(), self.store_index + 1, self.deadline(ttl));
        Ok(self.put(Action::Create, path, node, None))
    }

    fn update(
        &mut self,
        path: &Path,
        value: Option<&Arc<str>>,
        ttl: Option<u64>,
    ) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let old = self.find(path)?.clone();
        match value {
            Some(value) if !old.is_dir() => {
                Ok(self.replace(Action::Update, path, value, &old, ttl))
            }
            Some(value) if !value.is_empty() => Err(self.fault(FaultCode::NotFile, path.as_str())),
            None if !old.is_dir() => {
                let cause = "prevExist=true without a value would empty the file";
                Err(self.fault(FaultCode::ValueRequired, cause))
            }
            _ => Ok(self.update_directory(path, &old, ttl)),
        }
    }

    /// As in etcd, the event has the new index and the directory keeps its own.
    fn update_directory(&mut self, path: &Path, old: &Node, ttl: Option<u64>) -> Arc<Event> {
        let prev = old.view(path, self.clock);
        let new = Node { deadline: self.deadline(ttl), ..old.clone() };
        let view = NodeView { modified_index: self.store_index + 1, ..new.view(path, self.clock) };
        self.nodes.put(path, new);
        self.record(Action::Update, view, Some(prev))
    }

    /// A write that keeps the value, shown to no watch.
    fn refresh(&mut self, path: &Path, ttl: u64, like: &Refresh) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let (action, old) = match like {
            Refresh::Set => (Action::Set, self.find_file(path)?),
            Refresh::Update => (Action::Update, self.find(path)?.clone()),
            Refresh::CompareAndSwap(condition) => {
                (Action::CompareAndSwap, self.find_where(path, condition)?)
            }
        };
        let index = self.store_index + 1;
        let mut new = Node { deadline: self.deadline(Some(ttl)), ..(*old).clone() };
        if !old.is_dir() {
            new.modified = index;
        }
        if *like == Refresh::Set {
            new.created = index;
        }
        let node = NodeView { modified_index: index, ..new.view(path, self.clock) };
        let prev = Some(old.view(path, self.clock));
        self.nodes.put(path, new);
        let stamp = self.clock;
        Ok(self.happened(Event { action, node, prev, refresh: true, stamp }))
    }

    fn delete(&mut self, path: &Path, dir: bool, recursive: bool) -> Result<Arc<Event>, Fault> {
        self.refuse_root(path)?;
        let old = self.find(path)?.clone();
        if old.is_dir() && !dir {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        if !recursive && self.nodes.below(path).next().is_some() {
            return Err(self.fault(FaultCode::DirectoryNotEmpty, path.as_str()));
        }
        Ok(self.remove(Action::Delete, path, &old))
    }

    fn compare_and_delete(
        &mut self,
        path: &Path,
        condition: &Condition,
    ) -> Result<Arc<Event>, Fault> {
        // etcd forgets here that the root is read only, and finds a directory.
        if path.is_root() {
            return Err(self.fault(FaultCode::NotFile, ""));
        }
        let old = self.find_where(path, condition)?;
        Ok(self.remove(Action::CompareAndDelete, path, &old))
    }

    fn refuse_root(&self, path: &Path) -> Result<(), Fault> {
        if path.is_root() { Err(self.fault(FaultCode::RootReadOnly, "/")) } else { Ok(()) }
    }

    /// The file at a path.
    fn find_file(&self, path: &Path) -> Result<Arc<Node>, Fault> {
        let node = self.find(path)?;
        if node.is_dir() {
            return Err(self.fault(FaultCode::NotFile, path.as_str()));
        }
        Ok(node.clone())
    }

    /// The file at a path, if it is as the condition says.
    fn find_where(&self, path: &Path, condition: &Condition) -> Result<Arc<Node>, Fault> {
        self.refuse_root(path)?;
        let node = self.find_file(path)?;
        let Content::File(value) = &node.content else { unreachable!("a file was found") };
        let wrong_value = condition.value.as_ref().filter(|wanted| *wanted != value);
        let wrong_index = condition.index.filter(|wanted| *wanted != node.modified);
        let cause = match (wrong_value, wrong_index) {
            (None, None) => return Ok(node),
            (Some(wanted), None) => format!("[{wanted} != {value}]"),
            (None, Some(wanted)) => format!("[{wanted} != {}]", node.modified),
            (Some(wanted), Some(index)) => {
                format!("[{wanted} != {value}] [{index} != {}]", node.modified)
            }
        };
        Err(self.fault(FaultCode::CompareFailed, cause))
    }

    /// Makes the directories that are missing above a path, with the index that
    /// the change itself will have.
    fn make_parents(&mut self, path: &Path) -> Result<(), Fault> {
        // Mostly the parent is there, and then so is everything above it.
        let parent = path.directories().next_back();
        if parent.and_then(|parent| self.nodes.get(parent)).is_some_and(|node| node.is_dir()) {
            return Ok(());
        }
        for directory in path.directories() {
            match self.nodes.get(directory) {
                Some(node) if node.is_dir() => {}
                Some(_) => return Err(self.fault(FaultCode::NotDirectory, directory)),
                None => break,
            }
        }
        for directory in path.ancestors() {
            if self.nodes.get(directory.as_str()).is_none() {
                self.nodes.put(&directory, Node::new(Content::Dir, self.store_index + 1, None));
            }
        }
        Ok(())
    }

    fn deadline(&self, ttl: Option<u64>) -> Option<Deadline> {
        ttl.map(|seconds| Deadline::after(seconds, self.clock))
    }

    /// Gives a file another value; it stays the one that was created.
    fn replace(
        &mut self,
        action: Action,
        path: &Path,
        value: &Arc<str>,
        old: &Node,
        ttl: Option<u64>,
    ) -> Arc<Event> {
        let node = Node {
            content: Content::File(value.clone()),
            created: old.created,
            modified: self.store_index + 1,
            deadline: self.deadline(ttl),
        };
        self.put(action, path, node, Some(old.view(path, self.clock)))
    }

    fn put(
        &mut self,
        action: Action,
        path: &Path,
        node: Node,
        prev: Option<NodeView>,
    ) -> Arc<Event> {
        let view = node.view(path, self.clock);
        self.nodes.put(path, node);
        self.record(action, view, prev)
    }

    /// Removes a node with all below it.
    pub(super) fn remove(&mut self, action: Action, path: &Path, old: &Node) -> Arc<Event> {
        self.nodes.remove(path);
        let prev = old.view(path, self.clock);
        let node = NodeView {
            value: None,
            modified_index: self.store_index + 1,
            expires: None,
            ..prev.clone()
        };
        self.record(action, node, Some(prev))
    }

    fn record(&mut self, action: Action, node: NodeView, prev: Option<NodeView>) -> Arc<Event> {
        let stamp = self.clock;
        self.happened(Event { action, node, prev, refresh: false, stamp })
    }

    /// The change has been made: it takes the next store index.
    fn happened(&mut self, event: Event) -> Arc<Event> {
        let event = Arc::new(event);
        self.store_index = event.index();
        self.history.push(event.clone());
        event
    }
}

#[cfg(test)]
mod tests;
