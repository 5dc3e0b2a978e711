//! Leader election: one of many candidates, known to all.
//!
//! The office is a [`lock`] whose value begins with the holder's name;
//! its token is the term. A candidate waits for the office, the leader keeps it, an
//! observer follows the key. Resigning frees it at once, dying after one TTL.
//!
//! **Promised**: terms only grow; of those who believe to lead, there is one at a
//! time; an observer sees leaders in the order of their terms.
//!
//! **Not promised**: that a leader who was paused knows that it is deposed. What it
//! then does must carry its term, to something that compares:
//! [`guarded`](crate::guarded), as [`index_builder`](crate::index_builder) shows.

use crate::directory::{Change, Follower};
use crate::lease::Lease;
use crate::lock;
use crate::store::{Node, Refusal, Store};

/// Stands for election, and waits to be elected. Keep the lease while leading
/// ([`Lease::hold`]); release it to resign.
pub async fn campaign(
    store: &impl Store,
    key: &str,
    name: &str,
    ttl: u64,
) -> Result<Lease, Refusal> {
    lock::acquire_as(store, key, ttl, name).await
}

/// Who leads, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its name.
    pub name: String,
    /// Its term: the token of its lease.
    pub term: u64,
}

impl Leader {
    fn of(node: &Node) -> Option<Self> {
        let (name, _) = node.value.as_deref()?.rsplit_once(' ')?;
        Some(Self { name: name.into(), term: node.created_index })
    }
}

/// Somebody who wants to know who leads.
#[derive(Clone, Debug)]
pub struct Observer {
    follower: Follower,
    /// What was told last.
    told: Option<Option<Leader>>,
}

impl Observer {
    /// Of this office.
    pub fn new(key: &str) -> Self {
        Self { follower: Follower::new(key), told: None }
    }

    /// Who leads at first, then whenever it changes; none if the office is empty.
    pub async fn next(&mut self, store: &impl Store) -> Result<Option<Leader>, Refusal> {
        loop {
            let leader = match self.follower.next(store).await? {
                Change::Listing { nodes, .. } => nodes.first().and_then(Leader::of),
                Change::Event(event) => Leader::of(&event.node),
            };
            if self.told.as_ref() != Some(&leader) {
                self.told = Some(leader.clone());
                return Ok(leader);
            }
        }
    }
}
