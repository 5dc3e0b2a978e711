//! What clients saw, as plain data.

use std::fmt;
use std::sync::Arc;

use quorate_engine::tree::{Event, Fault, NodeView, Read};
use quorate_engine::{Done, NodeId, Outcome, Position, Refused, Write};

/// An operation's place in its history.
pub type OpId = usize;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Change the tree.
    Write(Write),
    /// Read it.
    Read {
        /// What is read.
        read: Read,
        /// Whether the node may answer from what it has, however old.
        local: bool,
    },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The write was applied.
    Written {
        /// What it did.
        event: Arc<Event>,
        /// Where.
        at: Position,
    },
    /// The tree refused the write.
    Fault {
        /// Why.
        fault: Fault,
        /// Where it was judged.
        at: Position,
    },
    /// The read was answered, with a node or with the tree's refusal.
    Read {
        /// With what.
        found: Result<NodeView, Fault>,
        /// Where.
        at: Position,
    },
    /// It certainly did not happen.
    Refused,
    /// Nobody can say: a write may take effect at any time after its call,
    /// or never.
    Lost,
}

impl Answer {
    /// What the engine's outcome tells a client that writes or reads. None if it is
    /// readable, for the view has the answer then, or another request's.
    pub fn from_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Done(Done::Written { event, at }) => Some(Self::Written { event, at }),
            Outcome::Done(Done::Readable { .. } | Done::Published | Done::Watched { .. }) => None,
            Outcome::Refused(Refused::Tree { fault, at }) => Some(Self::Fault { fault, at }),
            Outcome::Refused(_) => Some(Self::Refused),
            Outcome::Lost(_) => Some(Self::Lost),
        }
    }

    /// Where it was found, if the tree answered.
    pub fn position(&self) -> Option<&Position> {
        match self {
            Self::Written { at, .. } | Self::Fault { at, .. } | Self::Read { at, .. } => Some(at),
            Self::Refused | Self::Lost => None,
        }
    }

    /// The X-Etcd-Index, if the tree answered.
    pub fn store_index(&self) -> Option<u64> {
        self.position().map(|at| at.store_index)
    }
}

/// One life of one node: what a session with it can rely on ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// Which node.
    pub node: NodeId,
    /// How often it has been started before.
    pub life: u64,
}

/// One thing a client asked for and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its place in the history.
    pub id: OpId,
    /// Who asked.
    pub client: u64,
    /// Who was asked.
    pub server: Server,
    /// What was asked for.
    pub op: Op,
    /// When it was called: virtual time in ns.
    pub called_at: u64,
    /// When the answer came: virtual time in ns. Open to the end without one.
    pub returned_at: Option<u64>,
    /// The answer; [`Answer::Lost`] until one came.
    pub answer: Answer,
}

impl Operation {
    /// The write that was asked for.
    pub fn write(&self) -> Option<&Write> {
        match &self.op {
            Op::Write(write) => Some(write),
            Op::Read { .. } => None,
        }
    }

    /// The event that the client was told of.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match &self.answer {
            Answer::Written { event, .. } => Some(event),
            _ => None,
        }
    }

    /// Whether it is a read that may be old.
    pub fn is_local(&self) -> bool {
        matches!(self.op, Op::Read { local: true, .. })
    }

    /// Whether it is a write of which nobody can say whether it happened.
    pub fn is_unknown_write(&self) -> bool {
        self.answer == Answer::Lost && self.write().is_some()
    }
}

/// A moment of a history. Their order is the real-time order, and it is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This operation was called.
    Called(OpId),
    /// This operation was answered.
    Returned(OpId),
}

/// All that clients asked and were told.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    moments: Vec<Moment>,
}

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client calls. `now` is virtual time in ns; calls and answers are given
    /// in the order in which they happen.
    pub fn call(&mut self, client: u64, server: Server, op: Op, now: u64) -> OpId {
        let id = self.operations.len();
        let (returned_at, answer) = (None, Answer::Lost);
        self.operations.push(Operation {
            id,
            client,
            server,
            op,
            called_at: now,
            returned_at,
            answer,
        });
        self.moments.push(Moment::Called(id));
        id
    }

    /// The call has reached a server: this life of the node it was meant for.
    pub fn reached(&mut self, id: OpId, server: Server) {
        assert_eq!(self.operations[id].server.node, server.node, "a call reaches whom it is for");
        self.operations[id].server = server;
    }

    /// A client is answered, once. An operation that never is stays unknown.
    pub fn done(&mut self, id: OpId, answer: Answer, now: u64) {
        let operation = &mut self.operations[id];
        assert!(operation.returned_at.is_none(), "operation {id} was answered twice");
        let is_write = operation.write().is_some();
        match &answer {
            Answer::Written { .. } | Answer::Fault { .. } => {
                assert!(is_write, "operation {id} is a read that was answered as a write");
            }
            Answer::Read { .. } => {
                assert!(!is_write, "operation {id} is a write that was answered as a read");
            }
            Answer::Refused | Answer::Lost => {}
        }
        operation.returned_at = Some(now);
        operation.answer = answer;
        self.moments.push(Moment::Returned(id));
    }

    /// Every operation, in order of call.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Every call and every answer, in real-time order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(write) => write.fmt(f),
            Self::Read { read, local } => {
                let kind = if *local { "local read" } else { "read" };
                let recursive = if read.recursive { " recursive" } else { "" };
                write!(f, "{kind} {}{recursive}", read.path)
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, client, server, op, .. } = self;
        write!(f, "#{id} client {client}, n{} life {}: {op} (", server.node, server.life)?;
        write!(f, "called at {}", Seconds(self.called_at))?;
        match self.returned_at {
            Some(at) => write!(f, ", answered at {})", Seconds(at)),
            None => f.write_str(", never answered)"),
        }
    }
}

/// Nanoseconds, shown in seconds.
pub(crate) struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1_000;
        write!(f, "{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
    }
}
