//! Services register, clients discover them.
//!
//! An instance is a key with a TTL under the service's directory, its value the
//! address. It beats: refreshes its key often enough that two lost beats do no harm.
//! If the key has gone all the same (the instance slept, or was cut off), the next
//! beat puts it back under the same name. Every start takes a new name, so that a
//! late write of an earlier life never speaks for this one.
//!
//! **Promised**: an instance whose beats get through is never dropped; one that died
//! is gone after its TTL and what the store takes to expire it.
//!
//! **Not promised**: that an instance that is listed answers. Between its death and
//! the end of its TTL it is listed still; callers have to be ready to try another.

use std::convert::Infallible;

use crate::calls;
use crate::directory::{Follower, Mirror};
use crate::lease::Lease;
use crate::store::{Refusal, Store};

/// An instance's entry, as long as it beats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    lease: Lease,
}

/// Registers an instance of a service.
pub async fn register(
    store: &impl Store,
    service: &str,
    address: &str,
    ttl: u64,
) -> Result<Registration, Refusal> {
    let key = format!("{service}/{}", calls::unique(store));
    Ok(Registration { lease: create(store, &key, address, ttl).await? })
}

impl Registration {
    /// The key, which is this instance's name.
    pub fn key(&self) -> &str {
        &self.lease.key
    }

    /// How often to beat, in ms.
    pub fn beat_ms(&self) -> u64 {
        self.lease.beat_ms()
    }

    /// One beat.
    pub async fn beat(&mut self, store: &impl Store) -> Result<(), Refusal> {
        if !self.lease.keep(store).await? {
            let Lease { key, value, ttl, .. } = &self.lease;
            self.lease = create(store, key, value, *ttl).await?;
        }
        Ok(())
    }

    /// Beats for ever.
    pub async fn serve(&mut self, store: &impl Store) -> Result<Infallible, Refusal> {
        loop {
            store.sleep(self.beat_ms()).await;
            self.beat(store).await?;
        }
    }

    /// Leaves at once.
    pub async fn deregister(self, store: &impl Store) -> Result<(), Refusal> {
        self.lease.release(store).await
    }
}

async fn create(store: &impl Store, key: &str, address: &str, ttl: u64) -> Result<Lease, Refusal> {
    loop {
        if let Ok(lease) = Lease::create(store, key, address, ttl).await? {
            return Ok(lease);
        }
        calls::pause(store).await;
    }
}

/// An instance as others see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
}

/// A client's list of the instances of a service, kept up to date.
#[derive(Clone, Debug)]
pub struct Discovery {
    follower: Follower,
    mirror: Mirror,
}

impl Discovery {
    /// Of this service.
    pub fn new(service: &str) -> Self {
        Self { follower: Follower::new(service), mirror: Mirror::default() }
    }

    /// Waits for a change; at first, for the list as it is.
    pub async fn next(&mut self, store: &impl Store) -> Result<Vec<Instance>, Refusal> {
        let change = self.follower.next(store).await?;
        self.mirror.take(&change);
        let instance =
            |node: &crate::Node| Instance { name: node.name().into(), address: node.text().into() };
        Ok(self.mirror.files().map(instance).collect())
    }
}
