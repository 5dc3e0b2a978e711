//! A lock that is given in the order of asking.
//!
//! Who wants it POSTs a ticket into a directory; the store names tickets by a number
//! that only grows. The lowest ticket has the lock. Everybody else watches only the
//! ticket right before its own, so that a release wakes one waiter and not all. A
//! predecessor that goes may have given up: the waiter looks again before it believes
//! anything. Tickets have a TTL and are refreshed while waiting, too.
//!
//! A POST cannot be repeated safely: it makes another ticket. Each carries a value of
//! its own; after a lost answer we look for it, and a spare one that turns up later
//! is removed when we see it, or goes with its TTL.
//!
//! **Promised**: as for the plain [`lock`](crate::lock); and who has the lower ticket
//! comes first, as long as it keeps its ticket.
//!
//! **Not promised**: a place after a pause longer than the TTL. The ticket is gone
//! then, and a new one is drawn at the end of the queue.

use crate::calls::{self, change, pause, read, settle};
use crate::lease::Lease;
use crate::store::{Delete, Failure, Node, Post, Refusal, Store};

/// Waits for the lock.
pub async fn acquire(store: &impl Store, dir: &str, ttl: u64) -> Result<Lease, Refusal> {
    loop {
        let mut ticket = draw(store, dir, ttl).await?;
        if wait(store, dir, &mut ticket).await? && ticket.is_held(store) {
            return Ok(ticket);
        }
    }
}

/// Draws a ticket: a place in the queue that has to be kept.
pub async fn draw(store: &impl Store, dir: &str, ttl: u64) -> Result<Lease, Refusal> {
    let value = calls::unique(store);
    let sent_ms = store.now_ms();
    let post = Post { key: dir.into(), value: value.clone(), ttl: Some(ttl) };
    loop {
        match store.request(post.clone().into()).await {
            Ok(reply) => {
                let node = reply.node.unwrap_or_default();
                return Ok(Lease::of(&node, &value, ttl, sent_ms));
            }
            Err(Failure::Refused(refusal)) => return Err(refusal),
            Err(Failure::NotDone(_)) => {}
            Err(Failure::Unknown(_)) => {
                let (tickets, _) = tickets(store, dir).await?;
                if let Some(node) = tickets.iter().find(|node| node.text() == value) {
                    return Ok(Lease::of(node, &value, ttl, sent_ms));
                }
            }
        }
        pause(store).await;
    }
}

/// Waits until a ticket is the lowest. `false`: it is gone.
pub async fn wait(store: &impl Store, dir: &str, ticket: &mut Lease) -> Result<bool, Refusal> {
    loop {
        if !ticket.keep(store).await? {
            return Ok(false);
        }
        let (tickets, index) = tickets(store, dir).await?;
        let is_spare = |node: &&Node| node.text() == ticket.value && node.key != ticket.key;
        for spare in tickets.iter().filter(is_spare) {
            let delete = Delete { key: spare.key.clone(), ..Delete::default() };
            // It is gone, or it was already.
            let _ = settle(store, delete).await;
        }
        if !tickets.iter().any(|node| node.key == ticket.key) {
            return Ok(false);
        }
        let before = tickets.iter().filter(|node| !is_spare(node) && node.key < ticket.key);
        match before.max_by_key(|node| &node.key) {
            None => return Ok(true),
            Some(node) => change(store, &node.key, false, index, ticket.beat_ms()).await,
        }
    }
}

/// All tickets, in any order, and the index of that look.
async fn tickets(store: &impl Store, dir: &str) -> Result<(Vec<Node>, u64), Refusal> {
    let seen = read(store, dir).await?;
    Ok((seen.node.map(|node| node.nodes).unwrap_or_default(), seen.index))
}
