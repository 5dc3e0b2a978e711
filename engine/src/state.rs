//! The replicated state: the tree, and what the members say of themselves.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::boundary::{Attributes, Member, NodeId};
use crate::codec::{DecodeError, Encode, Reader};
use crate::command::{
    Command, Do, Origin, decode_attributes, decode_urls, encode_attributes, encode_urls,
};
use crate::log::Entry;
use crate::tree::{Action, Event, Fault, Tree};

/// What the log has made of the cluster so far. Cloning is O(1).
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The tree.
    pub tree: Tree,
    /// Every member, in order of id.
    pub members: Arc<Vec<Member>>,
    /// Of the members in bytes, which hardly ever change, while every view is asked for
    /// its digest.
    members_hash: u64,
    /// (index, term) of the last entry applied.
    pub applied: (u64, u64),
}

/// What a command did: nothing to be shown for a member's attributes or a stamp.
pub(crate) type Outcome = Result<Option<Arc<Event>>, Fault>;

/// What became of an entry.
#[derive(Debug)]
pub(crate) struct Applied {
    /// What had to go first, since its time was over.
    pub expired: Vec<Arc<Event>>,
    /// Whose it was.
    pub origin: Origin,
    /// What was asked of the tree, if anything.
    pub action: Option<Action>,
    /// What it did.
    pub result: Outcome,
}

impl State {
    /// The state of a cluster in which nothing has happened.
    pub fn new(tree: Tree, mut members: Vec<Member>) -> Self {
        members.sort_unstable_by_key(|member| member.id);
        let members_hash = xxh3_64(&encode_members(&members));
        Self { tree, members: Arc::new(members), members_hash, applied: (0, 0) }
    }

    /// Applies the next entry; `None` for the empty one with which a leader
    /// begins.
    ///
    /// # Errors
    /// If this version does not know what the entry says.
    pub fn apply(&mut self, entry: Entry) -> Result<Option<Applied>, DecodeError> {
        assert!(
            entry.index == self.applied.0 + 1 && entry.term >= self.applied.1,
            "entry {} is applied after {}",
            entry.index,
            self.applied.0
        );
        let at = (entry.index, entry.term);
        if entry.data.is_empty() {
            self.applied = at;
            return Ok(None);
        }
        let Command { origin, stamp, action } = Command::decode(entry.data)?;
        self.applied = at;
        let expired = self.tree.advance(stamp);
        let (action, result) = match action {
            Do::Write(write) => (Some(write.action()), self.tree.apply(&write).map(Some)),
            Do::Publish(attributes) => {
                self.publish(origin.node, attributes);
                (None, Ok(None))
            }
            Do::Stamp => (None, Ok(None)),
        };
        Ok(Some(Applied { expired, origin, action, result }))
    }

    fn publish(&mut self, id: NodeId, attributes: Attributes) {
        if let Ok(at) = self.members.binary_search_by_key(&id, |member| member.id) {
            Arc::make_mut(&mut self.members)[at].attributes = attributes;
            self.members_hash = xxh3_64(&self.encode_members());
        }
    }

    /// A number that is equal on two members only if their states are.
    pub fn digest(&self) -> u64 {
        self.tree.digest() ^ self.members_hash
    }

    /// The members in bytes.
    pub fn encode_members(&self) -> Vec<u8> {
        encode_members(&self.members)
    }

    /// Reads what [`State::encode_members`] wrote.
    pub fn decode_members(from: &mut Reader) -> Result<Vec<Member>, DecodeError> {
        let count = from.count(20)?;
        (0..count)
            .map(|_| {
                let id = from.u64()?;
                let peer_urls = decode_urls(from)?;
                Ok(Member { id, peer_urls, attributes: decode_attributes(from)? })
            })
            .collect()
    }
}

fn encode_members(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    out.u32(u32::try_from(members.len()).expect("members are few"));
    for member in members {
        out.u64(member.id);
        encode_urls(&member.peer_urls, &mut out);
        encode_attributes(&member.attributes, &mut out);
    }
    out
}
