//! What is drawn: every event of a run as a span of time on a lane.

use std::borrow::Cow;
use std::fmt;

use crate::weather::journal::{Caller, JUDGE};

/// A row of the page. Rows stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// What befalls several at once: links, processes, all neighbours.
    World,
    /// A member of the cluster.
    Node(u64),
    /// A client's operations.
    Client(u64),
    /// What a watcher waits for.
    Watcher(u64),
}

impl Lane {
    /// What kind of row it is.
    pub fn kind(self) -> &'static str {
        match self {
            Self::World => "world",
            Self::Node(_) => "node",
            Self::Client(_) => "client",
            Self::Watcher(_) => "watcher",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::World => f.write_str("links"),
            Self::Node(id) => write!(f, "n{id}"),
            Self::Client(JUDGE) => f.write_str("judge"),
            Self::Client(id) => Caller(id).fmt(f),
            Self::Watcher(id) => write!(f, "watcher {id}"),
        }
    }
}

/// What an item is; the page knows them by these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One life of a process.
    Life,
    /// A role in a term.
    Role,
    /// A fault while it lasts.
    Fault,
    /// How far a node has got.
    Progress,
    /// A moment: a step of the plan, a lie, a word of or to a client.
    Mark,
    /// A message on its way.
    Message,
    /// A disk operation under way.
    Disk,
    /// A client's operation.
    Operation,
    /// A watch that waits.
    Watch,
}

/// How much an item tells: what comes first stays when there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The frame of every run: lives, roles, faults, steps; and what led to a failure.
    Frame,
    /// The last seconds before a failure.
    Last,
    /// What is rare: votes, snapshots, refusals, lies, operations without an answer.
    Telling,
    /// Operations that were answered.
    Operation,
    /// Messages that did not arrive.
    Lost,
    /// Watches.
    Watch,
    /// How far nodes had got, step by step.
    Progress,
    /// Appends with entries, forwards, chunks.
    Append,
    /// Acknowledgements and read indexes.
    Ack,
    /// Disk operations.
    Disk,
    /// Words of and to clients, as the node has them.
    Line,
    /// Heartbeats, their answers, and appends of nothing.
    Heartbeat,
}

impl Rank {
    /// The items of this rank, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frame => "roles, faults and steps",
            Self::Last => "events before the end",
            Self::Telling => "votes, snapshots, lies and unanswered operations",
            Self::Operation => "answered operations",
            Self::Lost => "lost messages",
            Self::Watch => "watches",
            Self::Progress => "commits",
            Self::Append => "appends and forwards",
            Self::Ack => "acknowledgements",
            Self::Disk => "disk operations",
            Self::Line => "requests and replies of nodes",
            Self::Heartbeat => "heartbeats",
        }
    }
}

/// One event. Times are virtual, in µs since the beginning.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub kind: Kind,
    pub rank: Rank,
    pub from: u64,
    pub to: u64,
    pub lane: Lane,
    /// The other end: whom a message goes to, whom a client asks.
    pub other: Lane,
    /// What became of it, or which sort of its kind it is: one word.
    pub state: Cow<'static, str>,
    /// The key it is about, if it is about one.
    pub key: String,
    /// What it is.
    pub text: String,
    /// What came of it.
    pub more: String,
    /// Whether it led to the failure.
    pub leads: bool,
}

impl Item {
    /// A moment on a lane.
    pub fn at(kind: Kind, rank: Rank, lane: Lane, at: u64) -> Self {
        let (key, text, more) = Default::default();
        let state = Cow::Borrowed("");
        Self {
            kind,
            rank,
            from: at,
            to: at,
            lane,
            other: lane,
            state,
            key,
            text,
            more,
            leads: false,
        }
    }

    /// The same to the end of the page, until something ends it.
    pub fn open(self, end: u64) -> Self {
        Self { to: end, ..self }
    }

    /// The same, of this sort and with these words.
    pub fn says(self, state: impl Into<Cow<'static, str>>, text: impl fmt::Display) -> Self {
        Self { state: state.into(), text: text.to_string(), ..self }
    }

    /// Whether it overlaps this span.
    pub fn overlaps(&self, from: u64, to: u64) -> bool {
        self.from <= to && self.to >= from
    }

    /// Whether it is on a node's lane, or comes from or to it.
    pub fn concerns(&self, node: u64) -> bool {
        self.lane == Lane::Node(node) || self.other == Lane::Node(node)
    }
}
