//! Configuration: published by one, followed by many.
//!
//! A setting is a key; its version is the key's modifiedIndex. Publishing is a
//! compare and swap from the version just read: a plain set whose answer was lost
//! could arrive late and bring an old setting back over a newer one. For the same
//! reason a publication of which nobody can say whether it was there before somebody
//! else's is not repeated.
//!
//! **Promised**: every subscriber sees versions only grow, and comes to the last one
//! without polling.
//!
//! **Not promised**: that a subscriber sees every version on the way. One that was
//! away for longer than the store remembers goes on from what is there now.

use crate::calls::{self, Claim, Swap, read, swap};
use crate::directory::{Change, Follower};
use crate::store::{Failure, Refusal, Store};

/// A setting at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value; none if it is not set.
    pub value: Option<String>,
    /// The index at which it became that, or was found to be that.
    pub version: u64,
}

/// Publishes a value over whatever is there; its version.
///
/// # Errors
/// [`Failure::Unknown`]: another has published since; ours may have been there before.
pub async fn publish(store: &impl Store, key: &str, value: &str) -> Result<u64, Failure> {
    loop {
        let doubtful = match read(store, key).await?.node {
            Some(node) => match swap(store, key, value, node.modified_index, None).await? {
                Swap::Done(node) => return Ok(node.modified_index),
                Swap::Overtaken { doubtful } => doubtful,
            },
            None => match calls::create(store, key, value, None).await? {
                Claim::Mine(node) => return Ok(node.modified_index),
                Claim::Others { doubtful, .. } => doubtful,
            },
        };
        if doubtful {
            return Err(Failure::Unknown("another has published since".into()));
        }
    }
}

/// Somebody who follows a setting.
#[derive(Clone, Debug)]
pub struct Subscription {
    follower: Follower,
    /// The last version told.
    version: Option<u64>,
}

impl Subscription {
    /// To this key.
    pub fn new(key: &str) -> Self {
        Self { follower: Follower::new(key), version: None }
    }

    /// The setting as it is at first, then each later one.
    pub async fn next(&mut self, store: &impl Store) -> Result<Setting, Refusal> {
        loop {
            let setting = match self.follower.next(store).await? {
                Change::Listing { index, nodes } => {
                    let node = nodes.into_iter().find(|node| node.key == self.follower.key());
                    let version = node.as_ref().map_or(index, |node| node.modified_index);
                    Setting { value: node.and_then(|node| node.value), version }
                }
                Change::Event(event) => {
                    Setting { value: event.node.value, version: event.node.modified_index }
                }
            };
            // A listing after a gap may find what was known.
            if Some(setting.version) > self.version {
                self.version = Some(setting.version);
                return Ok(setting);
            }
        }
    }
}
