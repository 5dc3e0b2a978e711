//! Reads spread over all members, each as fresh as its index says.
//!
//! A local read costs one member and no round of the others, but may be old. How old
//! is told by its X-Etcd-Index. The balancer asks members in turn, remembers the
//! highest index it has seen, in its own reads and in what its user tells it of
//! writes, and turns away an answer from before that: time never runs backwards for
//! one client, whichever member answers. A member that does not answer is left alone
//! for a while; when a whole round is of no use, the next try is linearizable, which
//! no member can answer from the past.
//!
//! **Promised**: indexes never fall; a read after [`Balance::see`] contains that
//! write; with one member that serves, reads are answered.
//!
//! **Not promised**: the newest state. Another client's write of a moment ago may be
//! missing.

use crate::calls::pause;
use crate::store::{Failure, Get, Node, Refusal, Store, code};

/// How long a member that failed is left alone, in ms.
const REST_MS: u64 = 2_000;

/// Members of one cluster, each with a way to it alone.
#[derive(Debug)]
pub struct Balance<S> {
    members: Vec<Member<S>>,
    next: usize,
    floor: u64,
}

#[derive(Debug)]
struct Member<S> {
    store: S,
    rests_until_ms: u64,
}

/// What a member answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The node; none if it is not there.
    pub node: Option<Node>,
    /// Every event up to here is in it.
    pub index: u64,
    /// Which member answered.
    pub member: usize,
}

impl<S: Store> Balance<S> {
    /// Over these members.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(members: Vec<S>) -> Self {
        assert!(!members.is_empty(), "a balance over no members");
        let members = members.into_iter().map(|store| Member { store, rests_until_ms: 0 });
        Self { members: members.collect(), next: 0, floor: 0 }
    }

    /// Nothing older than this index is wanted any more: that of an own write, say.
    pub fn see(&mut self, index: u64) {
        self.floor = self.floor.max(index);
    }

    /// Reads a key, with all below.
    pub async fn read(&mut self, key: &str) -> Result<Fresh, Refusal> {
        loop {
            for _ in 0..self.members.len() {
                let member = self.turn();
                let Member { store, rests_until_ms } = &self.members[member];
                if store.now_ms() < *rests_until_ms {
                    continue;
                }
                if let Some(fresh) = self.ask(member, key, true).await? {
                    return Ok(fresh);
                }
            }
            let member = self.turn();
            if let Some(fresh) = self.ask(member, key, false).await? {
                return Ok(fresh);
            }
            pause(&self.members[member].store).await;
        }
    }

    fn turn(&mut self) -> usize {
        let member = self.next;
        self.next = (member + 1) % self.members.len();
        member
    }

    /// One member's answer, if it comes and is fresh enough.
    async fn ask(
        &mut self,
        member: usize,
        key: &str,
        local: bool,
    ) -> Result<Option<Fresh>, Refusal> {
        let Member { store, rests_until_ms } = &mut self.members[member];
        let get = Get { key: key.into(), recursive: true, local };
        let (node, index) = match store.request(get.into()).await {
            Ok(reply) => (reply.node, reply.index),
            Err(Failure::Refused(refusal)) if refusal.code == code::NOT_FOUND => {
                (None, refusal.index)
            }
            Err(Failure::Refused(refusal)) => return Err(refusal),
            Err(Failure::NotDone(_) | Failure::Unknown(_)) => {
                *rests_until_ms = store.now_ms() + REST_MS;
                return Ok(None);
            }
        };
        if index < self.floor {
            return Ok(None);
        }
        self.floor = index;
        Ok(Some(Fresh { node, index, member }))
    }
}
