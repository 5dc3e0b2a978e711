//! A directory that many follow: each sees every change once, and in order.
//!
//! A [`Follower`] lists the directory and then asks for one event after the other,
//! each time by `waitIndex` one past the last. The store remembers a bounded number
//! of events; for one that stays away longer, 401 says so, and it lists again: the
//! [`Change::Listing`] tells that there is a gap in the events, and none in the state.
//! A quiet directory must not run into that while others are busy: a watch that ends
//! with nothing says up to which index nothing happened, and the next begins there.
//!
//! A lost answer costs nothing: the same question is asked again. Drop `next` at any
//! time and nothing is skipped.
//!
//! **Promised**: between two listings, every event below the key, once and in order;
//! a listing is never older than what was seen before.
//!
//! **Not promised**: hidden keys (`_…`) and refreshes are not seen.

use std::collections::BTreeMap;

use crate::calls::{PATIENCE_MS, pause, read};
use crate::store::{Failure, Node, Refusal, Reply, Store, Watch, code};

/// What a follower sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// All there is, after a gap: at first, and when events were missed.
    Listing {
        /// The index at which it was so.
        index: u64,
        /// The key itself and all below, parents first; empty if it is not there.
        nodes: Vec<Node>,
    },
    /// One event.
    Event(Box<Event>),
}

/// One event, at the index `node.modified_index`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// As in [`Reply::action`].
    pub action: String,
    /// What it did to which key: one below, or a directory above that was deleted.
    pub node: Node,
    /// What was there before.
    pub prev_node: Option<Node>,
}

/// A place in the sequence of events below a key.
#[derive(Clone, Debug)]
pub struct Follower {
    key: String,
    /// The first index not seen yet.
    from: u64,
    /// Whether all before `from` has been seen.
    caught_up: bool,
}

impl Follower {
    /// Follows a key and all below it from now on.
    pub fn new(key: &str) -> Self {
        Self { key: key.into(), from: 0, caught_up: false }
    }

    /// Goes on where one left off that had seen everything before `from`.
    pub fn resume(key: &str, from: u64) -> Self {
        Self { key: key.into(), from, caught_up: true }
    }

    /// The key that is followed.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The first index not seen yet: what to [`resume`](Self::resume) from.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Waits for the next change.
    pub async fn next(&mut self, store: &impl Store) -> Result<Change, Refusal> {
        loop {
            if !self.caught_up {
                return self.list(store).await;
            }
            let (key, wait_index) = (self.key.clone(), self.from);
            let watch = Watch { key, recursive: true, wait_index, patience_ms: PATIENCE_MS };
            match store.request(watch.into()).await {
                Ok(Reply { node: None, index, .. }) => self.from = self.from.max(index + 1),
                Ok(Reply { action, node: Some(node), prev_node, .. }) => {
                    self.from = node.modified_index + 1;
                    if !self.is_hidden(&node.key) {
                        let event = Event { action, node, prev_node };
                        return Ok(Change::Event(Box::new(event)));
                    }
                }
                Err(Failure::Refused(refusal)) if refusal.code == code::CLEARED => {
                    self.caught_up = false;
                }
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::NotDone(_) | Failure::Unknown(_)) => pause(store).await,
            }
        }
    }

    async fn list(&mut self, store: &impl Store) -> Result<Change, Refusal> {
        let seen = read(store, &self.key).await?;
        (self.from, self.caught_up) = (seen.index + 1, true);
        let bare = |node: &Node| Node { nodes: Vec::new(), ..node.clone() };
        let nodes = seen
            .node
            .iter()
            .flat_map(|node| std::iter::once(bare(node)).chain(node.below().into_iter().map(bare)));
        Ok(Change::Listing { index: seen.index, nodes: nodes.collect() })
    }

    /// Whether a key below has a hidden part, which listings leave out.
    fn is_hidden(&self, key: &str) -> bool {
        let below = key.strip_prefix(&self.key).unwrap_or("");
        below.split('/').any(|part| part.starts_with('_'))
    }
}

/// A copy of a directory, kept by the changes that a follower sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    nodes: BTreeMap<String, Node>,
}

impl Mirror {
    /// Every node there is, by key.
    pub fn nodes(&self) -> &BTreeMap<String, Node> {
        &self.nodes
    }

    /// Every file there is, in the order of keys.
    pub fn files(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| !node.dir)
    }

    /// Takes a change in.
    pub fn take(&mut self, change: &Change) {
        match change {
            Change::Listing { nodes, .. } => {
                let all = nodes.iter().map(|node| (node.key.clone(), node.clone()));
                self.nodes = all.collect();
            }
            Change::Event(event) => match event.action.as_str() {
                "delete" | "compareAndDelete" | "expire" => {
                    let below = format!("{}/", event.node.key);
                    self.nodes.retain(|key, _| *key != event.node.key && !key.starts_with(&below));
                }
                _ => {
                    self.nodes.insert(event.node.key.clone(), event.node.clone());
                }
            },
        }
    }
}
