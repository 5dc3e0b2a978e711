//! A FIFO queue in which each item is taken once.
//!
//! An item is a key made by POST: the store names them in order. A consumer lists the
//! directory and *claims* the first item that waits, by a compare and swap of its
//! value from the index it saw: one of all who try succeeds. The claim carries a word
//! of its own, so that one whose answer was lost is recognised; a bare compare and
//! delete would leave open who did it. The claimed key is deleted then; if its
//! consumer dies first, it goes with the TTL of the claim.
//!
//! A POST whose answer was lost is never repeated blindly, for it may still arrive.
//! [`enqueue`] looks for its item, and if it is not there, says that nobody knows:
//! the producer decides whether missing one or having one twice is worse.
//!
//! **Promised**: no item is taken twice; an acknowledged item is taken once, and
//! claims come in the order of the queue.
//!
//! **Not promised**: that a taken item is worked off. A consumer that dies with an
//! item in its hands takes it along.

use crate::calls::{self, PATIENCE_MS, Swap, change, pause, read, swap};
use crate::store::{Delete, Failure, Node, Post, Refusal, Store};

/// For how long a claimed item may lie around if its consumer dies, in s.
const CLAIM_TTL: u64 = 60;
const WAITING: &str = "item ";
const TAKEN: &str = "taken ";

/// An item that is ours alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key: its place in the queue.
    pub key: String,
    /// What was put in.
    pub body: String,
    /// The index of the claim: items are taken in this order.
    pub index: u64,
}

/// Puts an item at the end; its key.
///
/// # Errors
/// [`Failure::Unknown`]: it may be in the queue, or taken, or come late; once at most.
pub async fn enqueue(store: &impl Store, dir: &str, body: &str) -> Result<String, Failure> {
    let value = format!("{WAITING}{} {body}", calls::unique(store));
    let post = Post { key: dir.into(), value: value.clone(), ttl: None };
    loop {
        match store.request(post.clone().into()).await {
            Ok(reply) => return Ok(reply.node.unwrap_or_default().key),
            Err(Failure::NotDone(_)) => pause(store).await,
            Err(Failure::Unknown(why)) => {
                let nodes = read(store, dir).await?.node.unwrap_or_default().nodes;
                let ours = nodes.into_iter().find(|node| node.text() == value);
                return ours.map(|node| node.key).ok_or(Failure::Unknown(why));
            }
            Err(refused) => return Err(refused),
        }
    }
}

/// Waits for an item.
pub async fn take(store: &impl Store, dir: &str) -> Result<Item, Refusal> {
    loop {
        match try_take(store, dir).await? {
            Ok(item) => return Ok(item),
            Err(index) => change(store, dir, true, index, PATIENCE_MS).await,
        }
    }
}

/// Takes the first item; if there is none, the index at which there was none.
pub async fn try_take(store: &impl Store, dir: &str) -> Result<Result<Item, u64>, Refusal> {
    loop {
        let seen = read(store, dir).await?;
        let nodes = seen.node.unwrap_or_default().nodes;
        let waiting = nodes.into_iter().filter(|node| !node.text().starts_with(TAKEN));
        let Some(node) = waiting.min_by(|a, b| a.key.cmp(&b.key)) else {
            return Ok(Err(seen.index));
        };
        let claim = format!("{TAKEN}{}", calls::unique(store));
        let ttl = Some(CLAIM_TTL);
        if let Swap::Done(claimed) =
            swap(store, &node.key, &claim, node.modified_index, ttl).await?
        {
            let body = body(&node).to_owned();
            let index = claimed.modified_index;
            let (key, prev_value) = (node.key.clone(), Some(claim));
            let delete = Delete { key, prev_value, ..Delete::default() };
            // If this does not succeed, the TTL will.
            let _ = store.request(delete.into()).await;
            return Ok(Ok(Item { key: node.key, body, index }));
        }
    }
}

/// What was put in; items that others put in by hand are all body.
fn body(node: &Node) -> &str {
    let rest = node.text().strip_prefix(WAITING).and_then(|rest| rest.split_once(' '));
    rest.map_or(node.text(), |(_, body)| body)
}
