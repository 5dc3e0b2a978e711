//! A resource that a paused holder of a lock cannot spoil.
//!
//! No lock in the world keeps a process from writing after it has slept through the
//! end of its lease. The resource has to refuse it. Here the resource is a key, and
//! two plain comparisons do that: a new holder first *takes it over*, a compare and
//! swap that stores its token in the value; from then on it writes only with
//! `prevIndex` chained from its own last write. The take-over breaks the chain of
//! whoever wrote before, and whoever comes with a lower token than the one stored
//! there is turned away.
//!
//! The value is `TOKEN.SEQ BODY`: no two writes have the same first word, so one
//! whose answer was lost is recognised.
//!
//! **Promised**: in the order of the key's changes tokens never fall, and nobody
//! writes between two writes of a [`Writer`] without the second being refused.
//!
//! **Not promised**: a refused write whose answer had been lost before may have been
//! there for a while ([`Fenced::doubtful`]). Whoever deletes the key deletes its
//! memory of tokens.

use crate::calls::{self, Claim, Swap, read, swap};
use crate::store::{Node, Refusal, Store};

/// What a guarded key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Of the holder who wrote it.
    pub token: u64,
    /// Which of its writes it was; 0 is the take-over.
    pub seq: u64,
    /// What was written.
    pub body: String,
}

/// The right to write, until another takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    key: String,
    index: u64,
    stored: Stored,
}

/// Another has taken over: this holder is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// Whether the refused write may have happened before that.
    pub doubtful: bool,
}

impl Stored {
    /// What a node holds; a value of another form is a body that nobody guarded yet.
    pub fn of(node: &Node) -> Self {
        let text = node.text();
        let parts = || {
            let (head, body) = text.split_once(' ')?;
            let (token, seq) = head.split_once('.')?;
            Some(Self { token: token.parse().ok()?, seq: seq.parse().ok()?, body: body.into() })
        };
        parts().unwrap_or_else(|| Self { token: 0, seq: 0, body: text.into() })
    }

    fn text(&self) -> String {
        format!("{}.{} {}", self.token, self.seq, self.body)
    }
}

/// Takes a resource over with the token of a lock just acquired; the body stays.
/// None if a higher token is there already.
pub async fn take_over(
    store: &impl Store,
    key: &str,
    token: u64,
) -> Result<Option<Writer>, Refusal> {
    loop {
        let node = read(store, key).await?.node;
        let before = node.as_ref().map(Stored::of);
        let stored = match before {
            Some(before) if before.token > token => return Ok(None),
            // Ours already: a writer of the same holder, which ends with this one.
            Some(before) if before.token == token => Stored { seq: before.seq + 1, ..before },
            Some(before) => Stored { token, seq: 0, body: before.body },
            None => Stored { token, seq: 0, body: String::new() },
        };
        let taken = match &node {
            None => match calls::create(store, key, &stored.text(), None).await? {
                Claim::Mine(node) => Some(node),
                Claim::Others { .. } => None,
            },
            Some(node) => {
                match swap(store, key, &stored.text(), node.modified_index, None).await? {
                    Swap::Done(node) => Some(node),
                    Swap::Overtaken { .. } => None,
                }
            }
        };
        if let Some(node) = taken {
            return Ok(Some(Writer { key: key.into(), index: node.modified_index, stored }));
        }
    }
}

impl Writer {
    /// What is there now, if nobody has taken over.
    pub fn body(&self) -> &str {
        &self.stored.body
    }

    /// The index of our last write.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Writes, unless another has taken over: then this writer is of no more use.
    ///
    /// A writer dropped in the middle of a write has to take over again.
    pub async fn write(
        &mut self,
        store: &impl Store,
        body: &str,
    ) -> Result<Result<(), Fenced>, Refusal> {
        self.stored.seq += 1;
        self.stored.body = body.into();
        match swap(store, &self.key, &self.stored.text(), self.index, None).await? {
            Swap::Done(node) => {
                self.index = node.modified_index;
                Ok(Ok(()))
            }
            Swap::Overtaken { doubtful } => Ok(Err(Fenced { doubtful })),
        }
    }
}
