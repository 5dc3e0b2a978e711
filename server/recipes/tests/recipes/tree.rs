//! A v2 tree on one node, small and naive: what recipes are tried on.

use std::collections::BTreeMap;

use quorate_recipes::directory::Event;
use quorate_recipes::{Delete, Node, Post, Put, Refusal, Reply, Request, Watch};

/// How many events a watch may look back at: few, so that followers miss some.
pub const WINDOW: usize = 40;

struct Entry {
    /// None for a directory.
    value: Option<String>,
    created: u64,
    modified: u64,
    expires_ms: Option<u64>,
}

/// An event as it happened.
#[derive(Clone, Debug)]
pub struct Happened {
    pub at_ms: u64,
    pub index: u64,
    /// Seen by watchers: everything but refreshes.
    pub is_shown: bool,
    pub event: Event,
}

impl Happened {
    pub fn is_removal(&self) -> bool {
        matches!(self.event.action.as_str(), "delete" | "compareAndDelete" | "expire")
    }
}

#[derive(Default)]
pub struct Tree {
    pub index: u64,
    entries: BTreeMap<String, Entry>,
    /// Everything that ever happened; watches look back at the end only.
    pub history: Vec<Happened>,
}

type Answer = Result<Reply, Refusal>;

impl Tree {
    /// Carries a request out, at a time in ms. A watch that has to wait is answered
    /// with nothing.
    pub fn apply(&mut self, request: &Request, now_ms: u64) -> Answer {
        match request {
            Request::Get(get) => {
                let node = self.node(&get.key, now_ms, true);
                let node = node.ok_or_else(|| self.refusal(100, &get.key))?;
                let (node, index) = (Some(node), self.index);
                Ok(Reply { action: "get".into(), node, prev_node: None, index })
            }
            Request::Put(put) => self.put(put, now_ms),
            Request::Post(post) => self.post(post, now_ms),
            Request::Delete(delete) => self.delete(delete, now_ms),
            Request::Watch(watch) => self.watch(watch),
        }
    }

    /// Removes what has outlived its time.
    pub fn expire(&mut self, now_ms: u64) {
        let due = |entry: &Entry| entry.expires_ms.is_some_and(|at| at <= now_ms);
        while let Some(key) =
            self.entries.iter().find(|(_, it)| due(it)).map(|(key, _)| key.clone())
        {
            self.remove(&key, "expire", now_ms);
        }
    }

    fn put(&mut self, put: &Put, now_ms: u64) -> Answer {
        self.check_parents(&put.key)?;
        let old = self.entries.get(&put.key);
        let compares = put.prev_value.is_some() || put.prev_index.is_some();
        let action = match put.prev_exist {
            Some(false) => "create",
            _ if compares => "compareAndSwap",
            Some(true) => "update",
            None => "set",
        };
        match (action, old) {
            ("create", Some(_)) => return Err(self.refusal(105, &put.key)),
            ("update" | "compareAndSwap", None) => return Err(self.refusal(100, &put.key)),
            (_, None) if put.refresh => return Err(self.refusal(100, &put.key)),
            ("set" | "compareAndSwap", Some(Entry { value: None, .. })) => {
                return Err(self.refusal(102, &put.key));
            }
            ("compareAndSwap", Some(_)) => {
                self.compare(&put.key, put.prev_value.as_ref(), put.prev_index)?;
            }
            _ => {}
        }
        let is_dir = put.dir || old.is_some_and(|old| old.value.is_none());
        let kept = old.filter(|_| put.refresh).map(|old| old.value.clone());
        let value =
            kept.unwrap_or_else(|| (!is_dir).then(|| put.value.clone().unwrap_or_default()));
        let created = old.filter(|_| action != "set" && action != "create").map(|old| old.created);
        let prev_node = self.node(&put.key, now_ms, false);
        self.insert(&put.key, value, created, put.ttl, now_ms);
        Ok(self.record(action, &put.key, prev_node, !put.refresh, now_ms))
    }

    fn post(&mut self, post: &Post, now_ms: u64) -> Answer {
        let key = format!("{}/{:020}", post.key, self.index + 1);
        self.check_parents(&key)?;
        self.insert(&key, Some(post.value.clone()), None, post.ttl, now_ms);
        Ok(self.record("create", &key, None, true, now_ms))
    }

    fn delete(&mut self, delete: &Delete, now_ms: u64) -> Answer {
        let Delete { key, dir, recursive, prev_value, prev_index } = delete;
        let Some(entry) = self.entries.get(key) else { return Err(self.refusal(100, key)) };
        let compares = prev_value.is_some() || prev_index.is_some();
        if entry.value.is_none() && (compares || !dir && !recursive) {
            return Err(self.refusal(102, key));
        }
        self.compare(key, prev_value.as_ref(), *prev_index)?;
        let has_children = self.entries.keys().any(|other| is_below(other, key));
        if has_children && !recursive {
            return Err(self.refusal(108, key));
        }
        Ok(self.remove(key, if compares { "compareAndDelete" } else { "delete" }, now_ms))
    }

    fn watch(&self, watch: &Watch) -> Answer {
        let window = &self.history[self.history.len().saturating_sub(WINDOW)..];
        if window.len() == WINDOW && watch.wait_index < window[0].index {
            return Err(self.refusal(401, &watch.key));
        }
        let found = window.iter().find(|happened| {
            let key = &happened.event.node.key;
            let is_meant = *key == watch.key
                || watch.recursive && is_below(key, &watch.key)
                || happened.is_removal() && is_below(&watch.key, key);
            happened.is_shown && happened.index >= watch.wait_index && is_meant
        });
        let index = self.index;
        Ok(found.map_or(Reply { index, ..Reply::default() }, |happened| {
            let Event { action, node, prev_node } = happened.event.clone();
            Reply { action, node: Some(node), prev_node, index }
        }))
    }

    fn compare(
        &self,
        key: &str,
        value: Option<&String>,
        index: Option<u64>,
    ) -> Result<(), Refusal> {
        let entry = &self.entries[key];
        let is_equal = value.is_none_or(|value| entry.value.as_ref() == Some(value))
            && index.is_none_or(|index| entry.modified == index);
        is_equal.then_some(()).ok_or_else(|| self.refusal(101, key))
    }

    fn check_parents(&self, key: &str) -> Result<(), Refusal> {
        let file =
            parents(key).find(|up| self.entries.get(*up).is_some_and(|it| it.value.is_some()));
        file.map_or(Ok(()), |file| Err(self.refusal(104, file)))
    }

    fn insert(
        &mut self,
        key: &str,
        value: Option<String>,
        created: Option<u64>,
        ttl: Option<u64>,
        now_ms: u64,
    ) {
        self.index += 1;
        let index = self.index;
        for parent in parents(key) {
            let dir = Entry { value: None, created: index, modified: index, expires_ms: None };
            self.entries.entry(parent.to_owned()).or_insert(dir);
        }
        let expires_ms = ttl.map(|s| now_ms + s * 1000);
        let created = created.unwrap_or(index);
        self.entries.insert(key.into(), Entry { value, created, modified: index, expires_ms });
    }

    fn remove(&mut self, key: &str, action: &str, now_ms: u64) -> Reply {
        let prev_node = self.node(key, now_ms, false);
        self.index += 1;
        let entry = self.entries.get_mut(key).expect("it was found");
        (entry.modified, entry.expires_ms) = (self.index, None);
        let reply = self.record(action, key, prev_node, true, now_ms);
        let event = &mut self.history.last_mut().expect("just recorded").event;
        event.node.value = None;
        self.entries.retain(|other, _| other != key && !is_below(other, key));
        let node = Some(event.node.clone());
        Reply { node, ..reply }
    }

    fn record(
        &mut self,
        action: &str,
        key: &str,
        prev_node: Option<Node>,
        is_shown: bool,
        at_ms: u64,
    ) -> Reply {
        let node = self.node(key, at_ms, false).expect("just written");
        let (action, index) = (action.to_owned(), self.index);
        let event = Event { action: action.clone(), node: node.clone(), prev_node };
        let prev_node = event.prev_node.clone();
        self.history.push(Happened { at_ms, index, is_shown, event });
        Reply { action, node: Some(node), prev_node, index }
    }

    /// A node as a reply shows it, with all below if asked for.
    pub fn node(&self, key: &str, now_ms: u64, with_children: bool) -> Option<Node> {
        let entry = self.entries.get(key)?;
        let is_child = |other: &&String| {
            parents(other).next() == Some(key) && !other[key.len()..].starts_with("/_")
        };
        let children = self.entries.keys().filter(|other| with_children && is_child(other));
        let left =
            |at: u64| i64::try_from(at.saturating_sub(now_ms).div_ceil(1000)).expect("small");
        Some(Node {
            key: key.into(),
            value: entry.value.clone(),
            dir: entry.value.is_none(),
            ttl: entry.expires_ms.map(left),
            // The other way round: order is nothing to rely on.
            nodes: children.rev().filter_map(|child| self.node(child, now_ms, true)).collect(),
            modified_index: entry.modified,
            created_index: entry.created,
        })
    }

    fn refusal(&self, code: u16, cause: &str) -> Refusal {
        Refusal { code, message: String::new(), cause: cause.into(), index: self.index }
    }
}

pub fn is_below(key: &str, dir: &str) -> bool {
    key.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

/// The directories above a key, the nearest first, without the root.
fn parents(key: &str) -> impl Iterator<Item = &str> {
    let ends = key.char_indices().rev().filter(|(at, letter)| *at > 0 && *letter == '/');
    ends.map(|(at, _)| &key[..at])
}
