//! A key that lives as long as its owner says so.
//!
//! The key has a TTL. Its owner refreshes it in time; if the owner dies, is cut off
//! or sleeps too long, it goes by itself. A refresh keeps the value and the
//! createdIndex, wakes no watcher, and is chained by `prevIndex` from our own last
//! one: we can never prolong what has become another's.
//!
//! What the owner may believe is [`Lease::until_ms`]: two thirds of the TTL, on its own
//! clock, counted from *before* the request was sent. The rest is for clocks that run
//! differently, here and in the cluster. It is a belief: a process that is
//! paused right after looking at the clock acts later than it thinks. Only a fencing
//! token ([`Lease::token`], see [`guarded`](crate::guarded)) protects from that.
//!
//! A creation whose answer was lost may arrive after the release. Then a key stays
//! behind that nobody owns, for one TTL.

use crate::calls::{self, Claim, read, settle};
use crate::race::{Either, first};
use crate::store::{Delete, Node, Put, Refusal, Store, code};

/// How long after a request a TTL that it set is believed in, in ms.
pub fn belief_ms(ttl: u64) -> u64 {
    ttl.saturating_mul(2_000) / 3
}

/// A key with a TTL that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The key.
    pub key: String,
    /// The value that marks it as ours.
    pub value: String,
    /// Its createdIndex: greater than that of every earlier owner.
    pub token: u64,
    /// Its modifiedIndex, as far as we know: our last refresh.
    pub index: u64,
    /// Its time to live, in s.
    pub ttl: u64,
    /// Until when we may believe it to be ours, in ms of the client's clock.
    pub until_ms: u64,
}

impl Lease {
    /// Creates the key, if it is free; otherwise the index at which it was not. The
    /// value has to be new for every call, unless the key is.
    pub async fn create(
        store: &impl Store,
        key: &str,
        value: &str,
        ttl: u64,
    ) -> Result<Result<Self, u64>, Refusal> {
        let sent_ms = store.now_ms();
        Ok(match calls::create(store, key, value, Some(ttl)).await? {
            Claim::Mine(node) => Ok(Self::of(&node, value, ttl, sent_ms)),
            Claim::Others { index, .. } => Err(index),
        })
    }

    /// The lease of a node that was made by a request sent at `sent_ms` or later.
    pub fn of(node: &Node, value: &str, ttl: u64, sent_ms: u64) -> Self {
        Self {
            key: node.key.clone(),
            value: value.to_owned(),
            token: node.created_index,
            index: node.modified_index,
            ttl,
            until_ms: sent_ms.saturating_add(belief_ms(ttl)),
        }
    }

    /// Whether we may still believe it to be ours.
    pub fn is_held(&self, store: &impl Store) -> bool {
        store.now_ms() < self.until_ms
    }

    /// How long we may still believe it, in ms.
    fn left_ms(&self, store: &impl Store) -> u64 {
        self.until_ms.saturating_sub(store.now_ms())
    }

    /// How often to refresh, in ms: three times in what may be believed.
    pub fn beat_ms(&self) -> u64 {
        belief_ms(self.ttl) / 3
    }

    /// Refreshes once. `false`: it is gone, or another's.
    pub async fn keep(&mut self, store: &impl Store) -> Result<bool, Refusal> {
        loop {
            let sent_ms = store.now_ms();
            let put = Put {
                key: self.key.clone(),
                ttl: Some(self.ttl),
                prev_index: Some(self.index),
                refresh: true,
                ..Put::default()
            };
            match settle(store, put).await.0 {
                Ok(reply) => {
                    self.index = reply.node.unwrap_or_default().modified_index;
                    self.until_ms = sent_ms.saturating_add(belief_ms(self.ttl));
                    return Ok(true);
                }
                Err(refusal) if refusal.code == code::NOT_FOUND => return Ok(false),
                Err(refusal) if refusal.code == code::COMPARE_FAILED => {}
                Err(refusal) => return Err(refusal),
            }
            if !self.catch_up(store).await? {
                return Ok(false);
            }
        }
    }

    /// Refreshes in time, for ever; ends when the lease is lost or no longer to be
    /// believed.
    pub async fn keep_on(&mut self, store: &impl Store) -> Result<(), Refusal> {
        loop {
            store.sleep(self.beat_ms().min(self.left_ms(store) / 2)).await;
            let left_ms = self.left_ms(store);
            match first(self.keep(store), store.sleep(left_ms)).await {
                Either::Left(Ok(true)) => {}
                Either::Left(Ok(false)) | Either::Right(()) => return Ok(()),
                Either::Left(Err(refusal)) => return Err(refusal),
            }
        }
    }

    /// Does some work while the lease is kept. If the lease is lost first, the work is
    /// dropped where it stands, and there is nothing.
    pub async fn hold<T>(
        &mut self,
        store: &impl Store,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Refusal> {
        match first(work, self.keep_on(store)).await {
            Either::Left(done) => Ok(Some(done)),
            Either::Right(lost) => lost.map(|()| None),
        }
    }

    /// Deletes the key if it is still ours.
    pub async fn release(mut self, store: &impl Store) -> Result<(), Refusal> {
        loop {
            let (key, prev_index) = (self.key.clone(), Some(self.index));
            let delete = Delete { key, prev_index, ..Delete::default() };
            match settle(store, delete).await.0 {
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.code == code::NOT_FOUND => return Ok(()),
                Err(refusal) if refusal.code == code::COMPARE_FAILED => {}
                Err(refusal) => return Err(refusal),
            }
            if !self.catch_up(store).await? {
                return Ok(());
            }
        }
    }

    /// The index is not what we know: a refresh of ours whose answer was lost, or the
    /// key is another's.
    async fn catch_up(&mut self, store: &impl Store) -> Result<bool, Refusal> {
        let Some(node) = read(store, &self.key).await?.node else { return Ok(false) };
        let is_ours = node.created_index == self.token && node.text() == self.value;
        if is_ours {
            self.index = node.modified_index;
        }
        Ok(is_ours)
    }
}
