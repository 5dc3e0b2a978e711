//! Every word that crosses the engine's border.
//!
//! Five neighbours, each with its word in and its word out: the clock
//! ([`Input::Tick`]), peers ([`Input::Peer`] / [`Output::Peer`]), clients
//! ([`Input::Client`], [`Input::Forget`] / [`Output::Reply`]), the disk
//! ([`Input::Disk`] / [`Output::Disk`]) and the operator ([`Output::Halt`]).

mod change;
mod disk;
mod halt;

pub use change::{Change, Condition, Content, Refresh, Write};
pub use disk::{DiskError, DiskOp, FileName, Image};
pub use halt::{Halt, RecoverError};

use std::sync::Arc;

use crate::command::Stamp;
use crate::message::Message;
use crate::tree::{Cleared, Event, Fault, Watch};

/// A member's identity: raft's node id and etcd's member id. Never 0.
pub type NodeId = u64;

/// A client request's name, chosen by the driver, never used twice in one life
/// of the node, about increasing, at least 1; echoed in the one
/// [`Output::Reply`] to it. With the node and its life it names a write for ever.
pub type RequestId = u64;

/// A disk operation's name, chosen by the engine, never reused within one life,
/// echoed in the one [`Input::Disk`] that completes it.
pub type DiskId = u64;

/// What a driver tells the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// One tick interval has passed. A driver that has fallen behind gives one
    /// tick, never a burst.
    Tick {
        /// What this node believes the wall clock to be, in ms since the Unix
        /// epoch. It is only ever shown to clients; it decides nothing.
        wall_ms: u64,
    },
    /// A message has arrived from a peer whose identity the driver has
    /// established.
    Peer {
        /// The sender.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// A client asks for something.
    Client {
        /// The name under which the reply will come.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// The client behind this request has gone; no reply is wanted. A write
    /// that was asked for may still happen.
    Forget {
        /// The request that nobody waits for any more.
        id: RequestId,
    },
    /// A disk operation has ended.
    Disk {
        /// Which one.
        id: DiskId,
        /// `Ok` only when all that [`DiskOp`] promises is true.
        result: Result<(), DiskError>,
    },
}

/// What the engine tells its driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message to a peer. It may be dropped, duplicated or delayed.
    Peer {
        /// The addressee.
        to: NodeId,
        /// What to say.
        message: Message,
    },
    /// Answer a client: exactly one per [`Input::Client`] that was not forgotten.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        outcome: Outcome,
    },
    /// Perform a disk operation and answer it once with [`Input::Disk`].
    /// Operations on one file are performed in the order given.
    Disk {
        /// The name to complete it under.
        id: DiskId,
        /// What to do.
        op: DiskOp,
    },
    /// The engine can do nothing further that is safe: tell the operator and
    /// never call `step` again.
    Halt(Halt),
}

/// What a client may ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Change the tree. Answered by [`Done::Written`] or [`Refused::Tree`] once
    /// this node has applied it.
    Write(Write),
    /// Read linearizably: answered by [`Done::Readable`] when this node's
    /// [`crate::View`], taken after the step that answers, holds every write
    /// acknowledged anywhere before the request arrived (raft's ReadIndex).
    Read,
    /// Wait for events; those still in the history window are answered at once.
    /// Answered by [`Done::Watched`] with at least one event, however long that
    /// takes, or by [`Refused::Cleared`].
    Watch(Watch),
    /// Make this member's name and client addresses known to all members.
    Publish(Attributes),
}

/// What a member says of itself once it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its name, unique in the cluster.
    pub name: String,
    /// The URLs at which clients reach it.
    pub client_urls: Vec<String>,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its identity.
    pub id: NodeId,
    /// The URLs at which peers reach it.
    pub peer_urls: Vec<String>,
    /// What it has published; empty until it has.
    pub attributes: Attributes,
}

/// The answer to a request. The three kinds never mix.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It happened.
    Done(Done),
    /// It certainly did not happen and never will.
    Refused(Refused),
    /// Nobody can say; only writes are ever lost.
    Lost(Lost),
}

/// Where an answer was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The store index (X-Etcd-Index).
    pub store_index: u64,
    /// The raft index applied (X-Raft-Index).
    pub raft_index: u64,
    /// The answering node's raft term (X-Raft-Term).
    pub raft_term: u64,
    /// The tree's clock: what `ttl`s are counted from.
    pub clock: Stamp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// A write was applied.
    Written {
        /// What it did.
        event: Arc<Event>,
        /// Where it was applied; `store_index` is the event's.
        at: Position,
    },
    /// The view taken after this step may answer the read.
    Readable {
        /// The view's position at this moment.
        at: Position,
    },
    /// What a watch waited for.
    Watched {
        /// The events, oldest first; at least one, at most [`Watch::limit`]. To miss
        /// nothing, watch next from the index behind the last one.
        events: Vec<Arc<Event>>,
        /// Where this node stands after them.
        at: Position,
    },
    /// The attributes are in the log and applied here.
    Published,
}

/// Why it certainly did not happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// The tree refused it when it was applied (etcd's error codes).
    Tree {
        /// What the tree says.
        fault: Fault,
        /// Where it was judged.
        at: Position,
    },
    /// This node knows of no leader that is ready to serve.
    NoLeader,
    /// The leader it was given to lost its place before it was committed.
    LeaderChanged,
    /// Events that a watch asked for have left the history window.
    Cleared(Cleared),
    /// A read that no leader confirmed in time.
    Deadline,
    /// A bound of the configuration would be exceeded.
    Bound(Bound),
    /// The node is shutting down.
    Stopping,
}

/// Why nobody can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The deadline passed first.
    Deadline,
    /// A snapshot took the place of the entries it may have been among.
    Snapshot,
    /// The node is shutting down.
    Stopping,
}

/// Which bound of [`crate::Config`] refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// `max_pending_writes`
    PendingWrites,
    /// `max_pending_bytes`
    PendingBytes,
    /// `max_pending_reads`
    PendingReads,
    /// `max_key_bytes`
    KeyBytes,
    /// `max_value_bytes`
    ValueBytes,
    /// `max_depth`
    Depth,
    /// `max_attribute_bytes`
    AttributeBytes,
    /// `max_uncommitted_bytes`
    UncommittedBytes,
    /// `max_log_bytes`
    LogBytes,
    /// `max_watches`
    Watches,
}

impl Bound {
    const ALL: [Self; 10] = [
        Self::PendingWrites,
        Self::PendingBytes,
        Self::PendingReads,
        Self::KeyBytes,
        Self::ValueBytes,
        Self::Depth,
        Self::AttributeBytes,
        Self::UncommittedBytes,
        Self::LogBytes,
        Self::Watches,
    ];

    /// Its number on the wire, from 1 on.
    pub(crate) fn number(self) -> u8 {
        let at = Self::ALL.iter().position(|bound| *bound == self);
        u8::try_from(at.expect("every bound is listed") + 1).expect("few bounds")
    }

    /// The bound of this number.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }
}
