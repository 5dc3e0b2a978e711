//! What recipes do again and again: reads that try until they are answered, and
//! writes that find out what became of them.
//!
//! A write whose answer was lost may have happened, or may still happen: a late one
//! can arrive after its own repetition. So every write here carries a condition
//! under which the second arrival is refused, and is recognised by its value.

use crate::store::{Failure, Get, Node, Put, Refusal, Reply, Request, Store, Watch, code};

/// How long one watch waits before the recipe looks for itself, in ms.
pub const PATIENCE_MS: u64 = 10_000;

/// What a linearizable read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The node, if it is there.
    pub node: Option<Node>,
    /// The index of the tree that was read.
    pub index: u64,
}

/// What became of an attempt to create a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is there, and it is ours.
    Mine(Node),
    /// It is another's.
    Others {
        /// The index at which it was so.
        index: u64,
        /// Whether it may have been ours before that all the same.
        doubtful: bool,
    },
}

/// What became of an attempt to change a key from a known index on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It is changed.
    Done(Node),
    /// Another changed or deleted the key.
    Overtaken {
        /// Whether ours may have happened before that all the same.
        doubtful: bool,
    },
}

/// A value that nobody else has.
pub fn unique(store: &impl Store) -> String {
    format!("{:016x}", store.random())
}

/// A breath before the next try: 50 to 150 ms.
pub async fn pause(store: &impl Store) {
    store.sleep(50 + store.random() % 101).await;
}

/// Repeats a request until the tree has answered it. The second part says whether
/// an unanswered try may have happened as well.
pub async fn settle(
    store: &impl Store,
    request: impl Into<Request>,
) -> (Result<Reply, Refusal>, bool) {
    let request = request.into();
    let mut doubtful = false;
    loop {
        match store.request(request.clone()).await {
            Ok(reply) => return (Ok(reply), doubtful),
            Err(Failure::Refused(refusal)) => return (Err(refusal), doubtful),
            Err(Failure::NotDone(_)) => {}
            Err(Failure::Unknown(_)) => doubtful = true,
        }
        pause(store).await;
    }
}

/// Reads a key, with all below it if it is a directory.
pub async fn read(store: &impl Store, key: &str) -> Result<Seen, Refusal> {
    let get = Get { key: key.into(), recursive: true, local: false };
    match settle(store, get).await.0 {
        Ok(reply) => Ok(Seen { node: reply.node, index: reply.index }),
        Err(refusal) if refusal.code == code::NOT_FOUND => {
            Ok(Seen { node: None, index: refusal.index })
        }
        Err(refusal) => Err(refusal),
    }
}

/// Creates a key that must not be there yet. The value tells ours from others', so
/// it has to be unique, unless the key is.
pub async fn create(
    store: &impl Store,
    key: &str,
    value: &str,
    ttl: Option<u64>,
) -> Result<Claim, Refusal> {
    let (key, value, prev_exist) = (key.to_owned(), Some(value.to_owned()), Some(false));
    let put = Put { key, value, ttl, prev_exist, ..Put::default() };
    let (answer, doubtful) = settle(store, put.clone()).await;
    let index = match answer {
        Ok(reply) => return Ok(Claim::Mine(reply.node.unwrap_or_default())),
        Err(refusal) if refusal.code == code::EXISTS => refusal.index,
        Err(refusal) => return Err(refusal),
    };
    match read(store, &put.key).await?.node {
        Some(node) if node.value == put.value => Ok(Claim::Mine(node)),
        _ => Ok(Claim::Others { index, doubtful }),
    }
}

/// Changes a key's value if nobody else has changed it since `prev_index`. The value
/// has to be unique: that is how a change whose answer was lost is recognised.
pub async fn swap(
    store: &impl Store,
    key: &str,
    value: &str,
    prev_index: u64,
    ttl: Option<u64>,
) -> Result<Swap, Refusal> {
    let (key, value, prev_index) = (key.to_owned(), Some(value.to_owned()), Some(prev_index));
    let put = Put { key, value, ttl, prev_index, ..Put::default() };
    let (answer, doubtful) = settle(store, put.clone()).await;
    match answer {
        Ok(reply) => return Ok(Swap::Done(reply.node.unwrap_or_default())),
        Err(refusal) if matches!(refusal.code, code::NOT_FOUND | code::COMPARE_FAILED) => {}
        Err(refusal) => return Err(refusal),
    }
    if doubtful
        && let Some(node) = read(store, &put.key).await?.node
        && node.value == put.value
    {
        return Ok(Swap::Done(node));
    }
    Ok(Swap::Overtaken { doubtful })
}

/// Waits until something may have changed after `index` at a key, and below it if
/// `recursive`; at most `patience_ms`. It may come back for nothing: look.
pub async fn change(store: &impl Store, key: &str, recursive: bool, index: u64, patience_ms: u64) {
    let watch = Watch { key: key.into(), recursive, wait_index: index + 1, patience_ms };
    if store.request(watch.into()).await.is_err() {
        pause(store).await;
    }
}
