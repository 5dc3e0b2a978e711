//! Every word that crosses the engine's border.
//!
//! Five neighbours, each with its word in and its word out: the clock
//! ([`Input::Tick`]), peers ([`Input::Peer`] / [`Output::Peer`]), clients
//! ([`Input::Client`], [`Input::Forget`] / [`Output::Reply`]), the disk
//! ([`Input::Disk`] / [`Output::Disk`]) and the operator ([`Output::Halt`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::Message;
use crate::tree::{Event, Fault, Path};

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

/// A change asked of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key concerned.
    pub path: Path,
    /// What is to become of it.
    pub change: Change,
}

/// The changes etcd's v2 API knows (in-order keys and TTLs are not there yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write whether or not the key exists; `createdIndex` starts afresh.
    Set(Content),
    /// Write only if the key does not exist.
    Create(Content),
    /// Write only if the key exists; `createdIndex` is kept. On a directory only
    /// the empty value is accepted, and changes nothing but the event's index.
    Update {
        /// The new value.
        value: Arc<str>,
    },
    /// Write only if the file is as the condition says.
    CompareAndSwap {
        /// The new value.
        value: Arc<str>,
        /// What must be true first.
        condition: Condition,
    },
    /// Remove.
    Delete {
        /// Allow an empty directory.
        dir: bool,
        /// Allow any directory, with all below it.
        recursive: bool,
    },
    /// Remove only if the file is as the condition says.
    CompareAndDelete {
        /// What must be true first.
        condition: Condition,
    },
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A value: UTF-8, since JSON is all that v2 speaks.
    File(Arc<str>),
    /// Other keys.
    Dir,
}

/// What compare-and-swap and compare-and-delete compare; both parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The value before.
    pub value: Option<Arc<str>>,
    /// The `modifiedIndex` before; never 0, which in v2 means "not given".
    pub index: Option<u64>,
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
}

impl Bound {
    const ALL: [Self; 9] = [
        Self::PendingWrites,
        Self::PendingBytes,
        Self::PendingReads,
        Self::KeyBytes,
        Self::ValueBytes,
        Self::Depth,
        Self::AttributeBytes,
        Self::UncommittedBytes,
        Self::LogBytes,
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

/// A name in the node's data directory. Files the engine does not know by name
/// are left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// A file of this name: one path component.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data directory as found at birth: every file, whole.
pub type Image = BTreeMap<FileName, Bytes>;

/// What the engine asks of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Make a new file of `size` zero bytes. Done: the file, its size and its
    /// name are durable.
    Create {
        /// The new name; whatever bore it is replaced.
        file: FileName,
        /// Bytes, all zero.
        size: u64,
    },
    /// Put bytes at an offset, growing the file if they reach past its end.
    /// Done with `sync`: these and every earlier write to this file are durable.
    /// Done without: nothing is promised.
    Write {
        /// Where.
        file: FileName,
        /// Bytes from the beginning of the file.
        offset: u64,
        /// What.
        bytes: Bytes,
        /// Whether durability is asked for.
        sync: bool,
    },
    /// Give a file another name, replacing what bore it. Done: durable.
    Rename {
        /// The name before.
        from: FileName,
        /// The name after.
        to: FileName,
    },
    /// Cut a file to `len` bytes. Done: durable.
    Truncate {
        /// Which file.
        file: FileName,
        /// Bytes that stay.
        len: u64,
    },
    /// Remove a file. Done: durable.
    Remove {
        /// Which file.
        file: FileName,
    },
}

impl DiskOp {
    /// The file concerned (a rename's old name).
    pub fn file(&self) -> &FileName {
        match self {
            Self::Create { file, .. }
            | Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::Remove { file }
            | Self::Rename { from: file, .. } => file,
        }
    }
}

/// What the operating system said of a failed disk operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError(pub String);

/// Why the engine stopped for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A disk operation failed. It is never retried: after a failed sync nobody
    /// knows what the disk holds.
    Disk {
        /// On which file.
        file: FileName,
        /// What the operating system said.
        error: DiskError,
    },
    /// A leader says that this node once held entries that it does not hold: its
    /// disk has forgotten what it acknowledged.
    Amnesia {
        /// Committed, according to the leader.
        committed: u64,
        /// The last entry here.
        last: u64,
    },
    /// A committed entry says something that this version does not know.
    Unreadable {
        /// Which entry.
        index: u64,
    },
    /// A leader sent an entry that contradicts one committed here.
    Contradiction {
        /// Where the logs differ.
        index: u64,
    },
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { file, error } => write!(
                f,
                "the disk failed on {file}: {}; repair or replace it, then start again",
                error.0
            ),
            Self::Amnesia { committed, last } => write!(
                f,
                "the leader has committed up to {committed} with this member's help, but its log ends at {last}: \
                 this data directory has lost what it acknowledged; do not start it again"
            ),
            Self::Unreadable { index } => write!(
                f,
                "entry {index} was written by a newer version; start that version on this data directory"
            ),
            Self::Contradiction { index } => write!(
                f,
                "the leader's entry {index} contradicts the one committed here: \
                 one of the two data directories is damaged; keep both for inspection"
            ),
        }
    }
}

/// Why a data directory was refused at birth. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoverError {
    /// Bytes that were once durable are not what they were.
    Corrupt {
        /// In which file.
        file: FileName,
        /// From which byte on.
        offset: u64,
        /// What is wrong with them.
        what: String,
    },
    /// A file that must be there is not.
    Missing {
        /// What is missing.
        what: String,
    },
    /// The directory belongs to another member or another cluster.
    Foreign {
        /// (cluster, node) that wrote it.
        found: (u64, NodeId),
        /// (cluster, node) of the configuration.
        expected: (u64, NodeId),
    },
    /// The directory was written in a format that this version does not read.
    Version {
        /// In which file.
        file: FileName,
        /// The version found.
        found: u32,
    },
    /// The configuration makes no sense.
    Config(String),
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { file, offset, what } => write!(
                f,
                "{file} is damaged from byte {offset} on: {what}; restore this member from another one"
            ),
            Self::Missing { what } => {
                write!(f, "{what} is missing; restore this member from another one")
            }
            Self::Foreign { found, expected } => write!(
                f,
                "the data belongs to member {:x} of cluster {:x}, but the flags describe member {:x} of cluster {:x}; \
                 use another --data-dir or correct --initial-cluster",
                found.1, found.0, expected.1, expected.0
            ),
            Self::Version { file, found } => {
                write!(f, "{file} is written in format {found}, which this version does not read")
            }
            Self::Config(what) => write!(f, "the configuration is not usable: {what}"),
        }
    }
}

impl std::error::Error for RecoverError {}
