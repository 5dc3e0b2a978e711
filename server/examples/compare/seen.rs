//! What the answers so far have shown of the store.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::Answer;

/// Keys with their indexes and values, and the index of the store.
#[derive(Debug, Default)]
pub struct Seen {
    /// The newest `X-Etcd-Index`.
    pub now: u64,
    nodes: BTreeMap<String, (u64, Option<String>)>,
}

impl Seen {
    /// Takes in an answer.
    pub fn answer(&mut self, answer: &Answer) {
        if let Some(index) = answer.header("x-etcd-index").and_then(|index| index.parse().ok()) {
            // An error of parsing says 0.
            self.now = self.now.max(index);
        }
        self.learn(&answer.body);
    }

    /// Takes in the body of an answer.
    pub fn learn(&mut self, body: &str) {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return };
        let gone = matches!(body["action"].as_str(), Some("delete" | "compareAndDelete"));
        match body["node"]["key"].as_str() {
            Some(key) if gone => {
                let below = format!("{key}/");
                self.nodes.retain(|node, _| node != key && !node.starts_with(&below));
            }
            _ => self.node(&body["node"]),
        }
    }

    fn node(&mut self, node: &Value) {
        if let (Some(key), Some(index)) = (node["key"].as_str(), node["modifiedIndex"].as_u64()) {
            let value = node["value"].as_str().map(str::to_owned);
            self.nodes.insert(key.to_owned(), (index, value));
        }
        node["nodes"].as_array().into_iter().flatten().for_each(|node| self.node(node));
    }

    /// The `modifiedIndex` of a key, or the store's index.
    pub fn modified(&self, key: &str) -> u64 {
        self.nodes.get(key).map_or(self.now, |(index, _)| *index)
    }

    /// The value of a key, if it is a file that is not empty.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.nodes.get(key).and_then(|(_, value)| value.as_deref()).filter(|it| !it.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_show_keys_until_they_are_deleted() {
        let mut seen = Seen::default();
        seen.learn(
            r#"{"action":"get","node":{"key":"/d","dir":true,"nodes":[{"key":"/d/a","value":"1","modifiedIndex":5,"createdIndex":4}],"modifiedIndex":4,"createdIndex":4}}"#,
        );
        assert_eq!((seen.modified("/d"), seen.modified("/d/a")), (4, 5));
        assert_eq!(seen.value("/d/a"), Some("1"));
        seen.now = 9;
        seen.learn(
            r#"{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":6,"createdIndex":4}}"#,
        );
        assert_eq!((seen.modified("/d/a"), seen.value("/d/a")), (9, None));
    }
}
