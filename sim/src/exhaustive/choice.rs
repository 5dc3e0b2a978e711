//! What may happen next.

use std::fmt;

use quorate_engine::NodeId;

use crate::disk::{Keep, Lose, Mercy, Tear};

/// A directed link.
pub(super) type Link = (NodeId, NodeId);

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A client asks for the next of its operations.
    Call {
        /// Which client, from 0.
        client: usize,
    },
    /// The first message on a link arrives.
    Deliver {
        /// Who sent it.
        from: NodeId,
        /// Whom it is for.
        to: NodeId,
    },
    /// A disk operation completes.
    Disk {
        /// Whose.
        node: NodeId,
        /// Which of those that may complete next, from 0.
        nth: usize,
    },
    /// The crashed node is born again.
    Restart {
        /// Which.
        node: NodeId,
    },
    /// The first message on a link is lost.
    Drop {
        /// Who sent it.
        from: NodeId,
        /// Whom it was for.
        to: NodeId,
    },
    /// The power fails on a node.
    Crash {
        /// Which.
        node: NodeId,
        /// What becomes of what its disk has under way.
        fate: Fate,
    },
    /// Nobody has heard of a leader for so long that a node stands for election.
    Stand {
        /// Which.
        node: NodeId,
    },
}

/// What becomes of what is under way on a disk when the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it has happened.
    Dropped,
    /// Of every write the first sector is kept.
    Torn,
    /// All of it has happened.
    Kept,
}

impl Fate {
    pub(super) const ALL: [Self; 3] = [Self::Dropped, Self::Torn, Self::Kept];

    pub(super) fn mercy(self) -> Box<dyn Mercy> {
        match self {
            Self::Dropped => Box::new(Lose),
            Self::Torn => Box::new(Tear(1)),
            Self::Kept => Box::new(Keep),
        }
    }
}

impl Choice {
    /// Whether it is of the kind of which there is only one in a schedule.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Drop { .. } | Self::Crash { .. } | Self::Stand { .. })
    }

    /// A number that no other choice has.
    pub(super) fn number(self) -> u64 {
        let [kind, one, other] = match self {
            Self::Call { client } => [0, client as u64, 0],
            Self::Deliver { from, to } => [1, from, to],
            Self::Disk { node, nth } => [2, node, nth as u64],
            Self::Restart { node } => [3, node, 0],
            Self::Drop { from, to } => [4, from, to],
            Self::Crash { node, fate } => [5, node, fate as u64],
            Self::Stand { node } => [6, node, 0],
        };
        kind << 32 | one << 16 | other
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { client } => write!(f, "client {client} asks"),
            Self::Deliver { from, to } => write!(f, "n{from} to n{to} arrives"),
            Self::Disk { node, nth } => write!(f, "n{node}'s disk completes (choice {nth})"),
            Self::Restart { node } => write!(f, "n{node} starts again"),
            Self::Drop { from, to } => write!(f, "n{from} to n{to} is lost"),
            Self::Crash { node, fate } => {
                write!(f, "n{node} loses power, what was under way is {fate}")
            }
            Self::Stand { node } => write!(f, "n{node} stands for election"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "dropped",
            Self::Torn => "torn",
            Self::Kept => "kept",
        })
    }
}
