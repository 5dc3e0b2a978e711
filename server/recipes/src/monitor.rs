//! Cluster monitoring: who came, who left, who vanished.
//!
//! Members register as services do ([`registry`](crate::registry)). The monitor
//! follows their directory: a member that leaves deletes its key, one that dies stops
//! refreshing it and it expires. If the monitor itself was away too long, it compares
//! what it knew with what is there, so that nobody is missed.
//!
//! **Promised**: a member that dies is reported within its TTL, what the store takes
//! to expire it, and one watch. Nobody is reported twice for one death.
//!
//! **Not promised**: a member that is cut off looks dead. After a gap a member that
//! left cannot be told from one that vanished.

use std::collections::BTreeSet;

use crate::directory::{Change, Follower, Mirror};
use crate::store::{Refusal, Store};

/// What the monitor reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sighting {
    /// A member is there that was not.
    Joined(String),
    /// It said good-bye.
    Left(String),
    /// It went without a word.
    Vanished(String),
}

/// Somebody who watches over members.
#[derive(Clone, Debug)]
pub struct Monitor {
    follower: Follower,
    mirror: Mirror,
}

impl Monitor {
    /// Of the members under a directory.
    pub fn new(dir: &str) -> Self {
        Self { follower: Follower::new(dir), mirror: Mirror::default() }
    }

    /// Who is there, by name.
    pub fn present(&self) -> BTreeSet<String> {
        self.mirror.files().map(|node| node.name().to_owned()).collect()
    }

    /// Waits until somebody comes or goes.
    pub async fn next(&mut self, store: &impl Store) -> Result<Vec<Sighting>, Refusal> {
        loop {
            let before = self.present();
            let change = self.follower.next(store).await?;
            self.mirror.take(&change);
            let after = self.present();
            let said = matches!(&change, Change::Event(event) if event.action != "expire");
            let gone = before.difference(&after).cloned();
            let mut seen: Vec<Sighting> =
                gone.map(if said { Sighting::Left } else { Sighting::Vanished }).collect();
            seen.extend(after.difference(&before).cloned().map(Sighting::Joined));
            if !seen.is_empty() {
                return Ok(seen);
            }
        }
    }
}
