//! What is wrong with a history, told to a person.

use std::fmt;
use std::sync::Arc;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Event, NodeView};

use super::watches::{Told, Watching};
use crate::history::{Answer, Operation, Seconds};

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Violation {
    /// Two nodes applied different events at one store index.
    Fork {
        /// What one applied.
        one: Arc<Event>,
        /// What another did.
        other: Arc<Event>,
    },
    /// A store index that no node has applied anything at, with others behind.
    Gap {
        /// The index that should be next.
        expected: u64,
        /// The one that is.
        found: u64,
    },
    /// A write answered with a position that is not its event's.
    Misplaced {
        /// The write.
        operation: Box<Operation>,
    },
    /// An acknowledged write that no node has applied.
    NotApplied {
        /// The write.
        operation: Box<Operation>,
    },
    /// An acknowledged write at whose store index something else was applied.
    Replaced {
        /// The write.
        operation: Box<Operation>,
        /// What was applied.
        applied: Arc<Event>,
    },
    /// An acknowledged write that is beyond the final state.
    Forgotten {
        /// The write.
        operation: Box<Operation>,
        /// The store index of the final state.
        last: u64,
    },
    /// Two writes acknowledged at one store index.
    SharedIndex {
        /// One.
        one: Box<Operation>,
        /// The other.
        other: Box<Operation>,
    },
    /// An applied event that no acknowledged and no unknown write explains.
    Phantom {
        /// The event.
        event: Arc<Event>,
        /// An operation that would have had this effect, but cannot be it.
        suspect: Option<Box<Operation>>,
    },
    /// An answer that the model does not give at its place.
    Wrong {
        /// The operation with its answer.
        operation: Box<Operation>,
        /// What the model answers.
        expected: Box<Answer>,
    },
    /// An answer at a store index that there never was.
    NoSuchIndex {
        /// The operation with its answer.
        operation: Box<Operation>,
        /// The last store index that there is below it.
        last: u64,
    },
    /// An operation placed before one that had returned when it was called.
    OutOfOrder {
        /// The one that had returned.
        before: Box<Operation>,
        /// The one called afterwards.
        after: Box<Operation>,
    },
    /// A local read older than what the same node had answered before.
    WentBack {
        /// What the node had answered.
        before: Box<Operation>,
        /// The read.
        after: Box<Operation>,
    },
    /// A local read older than any was said to be by who observes the nodes.
    TooOld {
        /// The read.
        operation: Box<Operation>,
        /// The store index that every node was said to have come to.
        oldest: u64,
    },
    /// An answer whose clock is not one of its place.
    OutOfTime {
        /// The operation with its answer.
        operation: Box<Operation>,
    },
    /// An answer by an earlier clock than one that had been given when it was
    /// called for.
    ClockWentBack {
        /// The one that had returned.
        before: Box<Operation>,
        /// The one called afterwards.
        after: Box<Operation>,
    },
    /// An event stamped with an earlier clock than was known before it.
    StampFell {
        /// The event.
        event: Box<Event>,
        /// The clock before.
        before: Stamp,
    },
    /// A key that expired and was not the one to do so.
    NotDue {
        /// What the nodes say.
        event: Box<Event>,
        /// What was due then, if anything was.
        first: Option<Box<Event>>,
    },
    /// A key that is still there although its time is over.
    Overdue {
        /// What has to happen first.
        event: Box<Event>,
    },
    /// A key that went before its time.
    Early {
        /// Its going.
        event: Box<Event>,
        /// The write that had given it its time to live.
        operation: Box<Operation>,
        /// How long it lived since that was called, in ns.
        lived_ns: u64,
        /// How long it should have lived at least.
        least_ns: u64,
    },
    /// A key that stayed beyond its time, though nothing hindered anybody.
    Late {
        /// The event that gave it its time to live.
        event: Box<Event>,
        /// When it should have gone at the latest, in ns.
        due_ns: u64,
        /// When it was still there.
        seen_ns: u64,
    },
    /// A watch that was not shown what it was to be shown.
    WatchedWrong {
        /// The watch with what it was told.
        watching: Box<Watching>,
        /// The store indexes of what concerns it.
        expected: Vec<u64>,
    },
    /// A watch that was told of a time before one that its node had told of, or of
    /// one that never was.
    WatchedElsewhere {
        /// The watch with what it was told.
        watching: Box<Watching>,
        /// The store index that the node had told of, if any.
        before: Option<u64>,
    },
    /// A final state that is not what the applied events make.
    FinalState {
        /// The store index at which it was read.
        index: u64,
        /// What was read.
        found: Box<NodeView>,
        /// What the model says.
        expected: Box<NodeView>,
    },
}

impl std::error::Error for Violation {}

impl Violation {
    /// The promise that is broken.
    pub fn oracle(&self) -> &'static str {
        match self {
            Self::NotApplied { .. } | Self::Replaced { .. } | Self::Forgotten { .. } => "durable",
            Self::Fork { .. } => "same events",
            Self::WentBack { .. } | Self::TooOld { .. } => "local reads",
            Self::NotDue { .. } | Self::Overdue { .. } | Self::StampFell { .. } => "expiry",
            Self::WatchedWrong { .. } | Self::WatchedElsewhere { .. } => "watches",
            Self::Early { .. } | Self::Late { .. } => "times to live",
            _ => "linearizable",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fork { one, other } => {
                let index = one.index();
                write!(f, "nodes differ at store index {index}: ")?;
                write!(f, "one applied {}, another {}", InShort(&**one), InShort(&**other))
            }
            Self::Gap { expected, found } => {
                write!(f, "no node applied store index {expected}; the next known is {found}")
            }
            Self::Misplaced { operation } => {
                write!(f, "a write answered at another place than its own: {}", Answered(operation))
            }
            Self::NotApplied { operation } => {
                write!(f, "an acknowledged write was never applied: {}", Answered(operation))
            }
            Self::Replaced { operation, applied } => {
                write!(
                    f,
                    "an acknowledged write is not what was applied: {}",
                    Answered(operation)
                )?;
                write!(f, "\n  applied: {}", InShort(&**applied))
            }
            Self::Forgotten { operation, last } => {
                write!(f, "an acknowledged write was forgotten: {}", Answered(operation))?;
                write!(f, "\n  the final state is at store index {last}")
            }
            Self::SharedIndex { one, other } => {
                write!(f, "two writes at one store index: {}\n  {}", Answered(one), Answered(other))
            }
            Self::Phantom { event, suspect } => fmt_phantom(f, event, suspect.as_deref()),
            Self::Wrong { operation, expected } => {
                write!(f, "a wrong answer: {}", Answered(operation))?;
                write!(f, "\n  the model says: {}", InShort(&**expected))
            }
            Self::NoSuchIndex { operation, last } => {
                write!(f, "an answer from a store index that never was: {}", Answered(operation))?;
                write!(f, "\n  the last one below it is {last}")
            }
            Self::OutOfOrder { before, after } => {
                write!(f, "real time was not respected: {}", Answered(after))?;
                write!(f, "\n  had been answered before it was called: {}", Answered(before))
            }
            Self::WentBack { before, after } => {
                write!(f, "a node went back in time: {}", Answered(after))?;
                write!(f, "\n  it had answered before: {}", Answered(before))
            }
            Self::TooOld { operation, oldest } => {
                write!(f, "a node was behind what it was said to have: {}", Answered(operation))?;
                write!(f, "\n  every node was said to have come to store index {oldest}")
            }
            Self::OutOfTime { operation } => {
                write!(f, "an answer by a clock that its place never had: {}", Answered(operation))
            }
            Self::ClockWentBack { before, after } => {
                write!(f, "the clock went back: {}", Answered(after))?;
                write!(f, "\n  had been answered before it was called: {}", Answered(before))
            }
            Self::StampFell { event, before } => {
                let before = before.cluster_ms;
                write!(f, "the clock went back from {before} ms: {}", InShort(&**event))
            }
            Self::NotDue { event, first } => {
                write!(f, "it was not to expire: {}", InShort(&**event))?;
                match first {
                    Some(first) => write!(f, "\n  due was: {}", InShort(&**first)),
                    None => f.write_str("\n  nothing was due"),
                }
            }
            Self::Overdue { event } => {
                write!(f, "its time is over and it is still there: {}", InShort(&**event))
            }
            Self::Early { event, operation, lived_ns, least_ns } => {
                let (lived, least) = (Seconds(*lived_ns), Seconds(*least_ns));
                write!(f, "it went after {lived} of at least {least}: {}", InShort(&**event))?;
                write!(f, "\n  its time to live was given by {}", Answered(operation))
            }
            Self::Late { event, due_ns, seen_ns } => {
                let (due, seen) = (Seconds(*due_ns), Seconds(*seen_ns));
                write!(f, "it should have gone by {due}, and stayed to {seen}: ")?;
                InShort(&**event).fmt(f)
            }
            Self::WatchedWrong { watching, expected } => {
                write!(f, "a watch was told wrongly: {watching}\n  it is concerned by {expected:?}")
            }
            Self::WatchedElsewhere { watching, before: Some(before) } => {
                write!(f, "a watch was told of a time before {before}: {watching}")
            }
            Self::WatchedElsewhere { watching, before: None } => {
                write!(f, "a watch was told of a time that never was: {watching}")
            }
            Self::FinalState { index, found, expected } => {
                write!(f, "the final state at store index {index} is {}", InShort(&**found))?;
                write!(f, "\n  the model says: {}", InShort(&**expected))
            }
        }
    }
}

fn fmt_phantom(
    f: &mut fmt::Formatter<'_>,
    event: &Event,
    suspect: Option<&Operation>,
) -> fmt::Result {
    write!(f, "nobody can have done what was applied: {}", InShort(event))?;
    let Some(operation) = suspect else { return f.write_str("\n  no write is like it") };
    let why = match operation.answer {
        Answer::Written { .. } => "it had been applied already",
        Answer::Fault { .. } | Answer::Refused => "it was refused",
        Answer::Lost => "it was applied already, or called too late",
        Answer::Read { .. } => "it is a read",
    };
    write!(f, "\n  like it, but {why}: {}", Answered(operation))
}

impl fmt::Display for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watcher, server, watch, told } = self;
        write!(f, "watcher {watcher}, n{} life {}: {watch} (", server.node, server.life)?;
        write!(f, "at most {})\n    was told: ", watch.limit)?;
        match told {
            None => f.write_str("nothing so far"),
            Some(Told::Shown { events, at }) => {
                let indexes: Vec<u64> = events.iter().map(|event| event.index()).collect();
                write!(f, "{indexes:?} at {}", at.store_index)
            }
            Some(Told::Cleared(cleared)) => write!(f, "{cleared} at {}", cleared.index),
        }
    }
}

/// An operation with its answer.
struct Answered<'a>(&'a Operation);

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    was told: {}", self.0, InShort(&self.0.answer))
    }
}

/// What the tree said, in short.
pub(crate) struct InShort<'a, T>(pub &'a T);

impl fmt::Display for InShort<'_, Answer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Answer::Written { event, .. } => InShort(&**event).fmt(f),
            Answer::Fault { fault, .. } => write!(f, "{fault} at {}", fault.index),
            Answer::Read { found: Ok(node), at } => {
                write!(f, "{} at {}", InShort(node), at.store_index)
            }
            Answer::Read { found: Err(fault), at } => write!(f, "{fault} at {}", at.store_index),
            Answer::Refused => f.write_str("refused, it did not happen"),
            Answer::Lost => f.write_str("nothing, the outcome is unknown"),
        }
    }
}

impl fmt::Display for InShort<'_, Event> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        write!(f, "{} {}", event.action.as_str(), InShort(&event.node))?;
        write!(f, " at {} ms", event.stamp.cluster_ms)?;
        match &event.prev {
            Some(prev) => write!(f, ", before {}", InShort(prev)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for InShort<'_, NodeView> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.0;
        write!(f, "{}", node.path)?;
        if let Some(value) = &node.value {
            write!(f, "={value}")?;
        }
        if node.dir {
            f.write_str(" dir")?;
        }
        write!(f, " [created {}, modified {}", node.created_index, node.modified_index)?;
        match node.expires {
            Some(expires) => write!(f, ", ttl {} until {}]", expires.ttl, expires.wall_ms)?,
            None => f.write_str("]")?,
        }
        if node.nodes.is_empty() {
            return Ok(());
        }
        f.write_str(" {")?;
        for (at, below) in node.nodes.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "; " }, InShort(below))?;
        }
        f.write_str("}")
    }
}
