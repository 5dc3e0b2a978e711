//! An immutable picture of the engine, taken between two steps.

use std::sync::Arc;

use crate::boundary::{Member, NodeId, Position};
use crate::counts::Counts;
use crate::tree::{Fault, NodeView, Read, Tree};

/// What part a node plays (raft's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it could win an election (pre-vote).
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
}

/// The state between two steps: cheap to clone, to send to other threads and to
/// hold; it never changes and so grows stale.
#[derive(Clone, Debug)]
pub struct View {
    /// Whose view this is.
    pub id: NodeId,
    /// Its role.
    pub role: Role,
    /// Its raft term.
    pub term: u64,
    /// The leader it knows, if any.
    pub leader: Option<NodeId>,
    /// Raft index up to which entries are known to be committed.
    pub committed: u64,
    /// Raft index up to which the tree has applied them.
    pub applied: u64,
    /// Whether this life has heard from a leader how far the log is committed,
    /// and has applied as much, with an entry of that leader's own term. Before
    /// it, what the tree holds may be older than what this node once showed, and
    /// local reads are not to be served.
    pub ready: bool,
    /// Equal on two members at the same applied index, always.
    pub digest: u64,
    /// What has been done to the tree in this life.
    pub counts: Counts,
    /// Every member, in order of id.
    pub members: Arc<Vec<Member>>,
    /// The tree.
    pub tree: Tree,
}

impl View {
    /// Answers a read: a local one at any time, a linearizable one after
    /// [`crate::Done::Readable`].
    pub fn read(&self, read: &Read) -> Result<(NodeView, Position), Fault> {
        self.tree.read(read).map(|node| (node, self.position()))
    }

    /// Where this view stands.
    pub fn position(&self) -> Position {
        Position {
            store_index: self.tree.store_index(),
            raft_index: self.applied,
            raft_term: self.term,
            clock: self.tree.clock(),
        }
    }
}
