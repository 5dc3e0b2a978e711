//! What a change did, and what a read found: the words of v2's answers.

use std::sync::Arc;

use super::Path;
use crate::command::Stamp;

/// What a change is called in v2's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `set`
    Set,
    /// `create`
    Create,
    /// `update`
    Update,
    /// `compareAndSwap`
    CompareAndSwap,
    /// `delete`
    Delete,
    /// `compareAndDelete`
    CompareAndDelete,
    /// `expire`
    Expire,
}

impl Action {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Create => "create",
            Self::Update => "update",
            Self::CompareAndSwap => "compareAndSwap",
            Self::Delete => "delete",
            Self::CompareAndDelete => "compareAndDelete",
            Self::Expire => "expire",
        }
    }
}

/// A node as v2 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its key.
    pub path: Path,
    /// Its value; none for a directory and for what was deleted.
    pub value: Option<Arc<str>>,
    /// Whether it is a directory.
    pub dir: bool,
    /// Store index at which it was created; 0 for the root.
    pub created_index: u64,
    /// Store index at which it was last changed; 0 for the root.
    pub modified_index: u64,
    /// When it goes by itself, if it does.
    pub expires: Option<Expires>,
    /// What is listed below it, in byte order; always empty in events.
    pub nodes: Vec<NodeView>,
}

/// A node as v2 shows it, without what lies below it: borrowed from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRef<'a> {
    /// Its key.
    pub path: &'a Path,
    /// Its value; none for a directory and for what was deleted.
    pub value: Option<&'a Arc<str>>,
    /// Whether it is a directory.
    pub dir: bool,
    /// Store index at which it was created; 0 for the root.
    pub created_index: u64,
    /// Store index at which it was last changed; 0 for the root.
    pub modified_index: u64,
    /// When it goes by itself, if it does.
    pub expires: Option<Expires>,
}

impl NodeRef<'_> {
    /// The same on its own, with nothing below it yet.
    pub fn to_view(self) -> NodeView {
        NodeView {
            path: self.path.clone(),
            value: self.value.cloned(),
            dir: self.dir,
            created_index: self.created_index,
            modified_index: self.modified_index,
            expires: self.expires,
            nodes: Vec::new(),
        }
    }
}

impl NodeView {
    /// The node without what lies below it.
    pub fn node(&self) -> NodeRef<'_> {
        NodeRef {
            path: &self.path,
            value: self.value.as_ref(),
            dir: self.dir,
            created_index: self.created_index,
            modified_index: self.modified_index,
            expires: self.expires,
        }
    }
}

/// When a key goes, as v2 shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expires {
    /// `expiration`, in ms since the Unix epoch: by the wall clock of the leader
    /// that took the write, the same on every member. It decides nothing.
    pub wall_ms: u64,
    /// `ttl`: seconds left when it was shown, rounded up; 0 when overdue.
    pub ttl: u64,
}

/// One change of the tree: one store index each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was done.
    pub action: Action,
    /// The node after; its `modified_index` is the event's store index.
    pub node: NodeView,
    /// The node before, if there was one and v2 shows it.
    pub prev: Option<NodeView>,
    /// Whether it only renewed a time to live: no watch is shown it.
    pub refresh: bool,
    /// The tree's clock when it happened.
    pub stamp: Stamp,
}

impl Event {
    /// The event's store index.
    pub fn index(&self) -> u64 {
        self.node.modified_index
    }
}
