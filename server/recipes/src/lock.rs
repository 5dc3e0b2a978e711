//! An exclusive lock: whoever creates the key has it.
//!
//! `PUT key?prevExist=false&ttl=…` succeeds for one of all who try. The value is
//! drawn anew for each try, so that a creation whose answer was lost is recognised
//! as our own. The holder refreshes the key ([`Lease`]); the others watch it and try
//! again when it goes. They all wake then, and who is first gets it: where order
//! matters, take a [`fair_lock`](crate::fair_lock).
//!
//! **Promised**: among those who believe to hold it ([`Lease::is_held`]) there is one
//! at a time, as long as no clock runs half as fast again as another. Tokens only grow
//! from holder to holder. A dead holder's lock is free one TTL later.
//!
//! **Not promised**: that a holder who was paused notices before it acts. What the
//! lock protects has to compare tokens: [`guarded`](crate::guarded).

use crate::calls::{self, PATIENCE_MS, change};
use crate::lease::Lease;
use crate::store::{Refusal, Store};

/// Takes the lock if it is free.
pub async fn try_acquire(
    store: &impl Store,
    key: &str,
    ttl: u64,
) -> Result<Option<Lease>, Refusal> {
    Ok(Lease::create(store, key, &calls::unique(store), ttl).await?.ok())
}

/// Waits for the lock.
pub async fn acquire(store: &impl Store, key: &str, ttl: u64) -> Result<Lease, Refusal> {
    acquire_as(store, key, ttl, "").await
}

/// Waits for the lock; `tag` stands in its value for others to read.
pub async fn acquire_as(
    store: &impl Store,
    key: &str,
    ttl: u64,
    tag: &str,
) -> Result<Lease, Refusal> {
    loop {
        let value = format!("{tag} {}", calls::unique(store));
        match Lease::create(store, key, value.trim_start(), ttl).await? {
            Ok(lease) if lease.is_held(store) => return Ok(lease),
            // It took too long to learn that it is ours.
            Ok(lease) => lease.release(store).await?,
            Err(index) => change(store, key, false, index, PATIENCE_MS).await,
        }
    }
}
