//! One line per word at the border: the language of goldens, journals and
//! timelines.

use std::fmt;

use crate::boundary::{
    Bound, Change, Condition, Content, DiskOp, Done, Input, Lost, Outcome, Output, Position,
    Refresh, Refused, Request, Write,
};
use crate::tree::{Cleared, Watch};

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.change {
            Change::Set { content, .. } => write!(f, "set {path}{content}")?,
            Change::Create { content, .. } => write!(f, "create {path}{content}")?,
            Change::CreateInOrder { content, .. } => write!(f, "post {path}{content}")?,
            Change::Update { value: Some(value), .. } => {
                write!(f, "update {path}={}", brief(value))?;
            }
            Change::Update { value: None, .. } => write!(f, "update {path}")?,
            Change::CompareAndSwap { value, condition, .. } => {
                write!(f, "cas {path}={}{condition}", brief(value))?;
            }
            Change::Refresh { like: Refresh::Set, .. } => write!(f, "refresh {path}")?,
            Change::Refresh { like: Refresh::Update, .. } => write!(f, "refresh {path} if there")?,
            Change::Refresh { like: Refresh::CompareAndSwap(condition), .. } => {
                write!(f, "refresh {path}{condition}")?;
            }
            Change::Delete { recursive: true, .. } => write!(f, "delete {path} recursive")?,
            Change::Delete { dir: true, .. } => write!(f, "delete {path} dir")?,
            Change::Delete { .. } => write!(f, "delete {path}")?,
            Change::CompareAndDelete { condition } => write!(f, "cad {path}{condition}")?,
        }
        self.ttl().map_or(Ok(()), |ttl| write!(f, " ttl {ttl}"))
    }
}

fn brief(value: &str) -> String {
    if value.len() <= 24 { value.to_owned() } else { format!("({} bytes)", value.len()) }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(value) => write!(f, "={}", brief(value)),
            Self::Dir => f.write_str(" dir"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = &self.value {
            write!(f, " if value {}", brief(value))?;
        }
        if let Some(index) = self.index {
            write!(f, " if index {index}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(write) => write.fmt(f),
            Self::Read => f.write_str("read"),
            Self::Watch(watch) => watch.fmt(f),
            Self::Publish(attributes) => write!(f, "publish {}", attributes.name),
        }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recursive = if self.recursive { " recursive" } else { "" };
        write!(f, "watch {}{recursive} from {}", self.path, self.from)
    }
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the requested history has been cleared [{}/{}]", self.first, self.asked)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store {} raft {}@{}", self.store_index, self.raft_index, self.raft_term)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(Done::Written { event, at }) => {
                write!(f, "done {} {} {at}", event.action.as_str(), event.node.path)
            }
            Self::Done(Done::Readable { at }) => write!(f, "done readable {at}"),
            Self::Done(Done::Published) => f.write_str("done published"),
            Self::Done(Done::Watched { events, at }) => {
                f.write_str("done watched")?;
                for event in events {
                    let (action, path) = (event.action.as_str(), &event.node.path);
                    write!(f, " {}:{action} {path}", event.index())?;
                }
                write!(f, " {at}")
            }
            Self::Refused(Refused::Tree { fault, at }) => write!(f, "refused {fault} {at}"),
            Self::Refused(refused) => write!(f, "refused: {refused}"),
            Self::Lost(lost) => write!(f, "lost: {lost}"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree { fault, .. } => fault.fmt(f),
            Self::NoLeader => f.write_str("no leader"),
            Self::LeaderChanged => f.write_str("the leader changed before it was committed"),
            Self::Cleared(cleared) => cleared.fmt(f),
            Self::Deadline => f.write_str("no leader confirmed the read in time"),
            Self::Bound(bound) => write!(f, "over the bound {bound}"),
            Self::Stopping => f.write_str("the node is stopping"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingWrites => "max_pending_writes",
            Self::PendingBytes => "max_pending_bytes",
            Self::PendingReads => "max_pending_reads",
            Self::KeyBytes => "max_key_bytes",
            Self::ValueBytes => "max_value_bytes",
            Self::Depth => "max_key_depth",
            Self::AttributeBytes => "max_attribute_bytes",
            Self::UncommittedBytes => "max_uncommitted_bytes",
            Self::LogBytes => "max_log_bytes",
            Self::Watches => "max_watches",
        })
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the deadline passed first",
            Self::Snapshot => "a snapshot took its place",
            Self::Stopping => "the node is stopping",
        })
    }
}

impl fmt::Display for DiskOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { file, size } => write!(f, "create {file} {size}"),
            Self::Write { file, offset, bytes, sync } => {
                let sync = if *sync { " sync" } else { "" };
                write!(f, "write {file} +{offset} {} bytes{sync}", bytes.len())
            }
            Self::Rename { from, to } => write!(f, "rename {from} {to}"),
            Self::Truncate { file, len } => write!(f, "truncate {file} {len}"),
            Self::Remove { file } => write!(f, "remove {file}"),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick { .. } => f.write_str("tick"),
            Self::Peer { from, message } => write!(f, "from n{from}: {message}"),
            Self::Client { id, request } => write!(f, "client {id}: {request}"),
            Self::Forget { id } => write!(f, "forget {id}"),
            Self::Disk { id, result: Ok(()) } => write!(f, "disk {id} done"),
            Self::Disk { id, result: Err(error) } => write!(f, "disk {id} failed: {}", error.0),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { to, message } => write!(f, "to n{to}: {message}"),
            Self::Reply { id, outcome } => write!(f, "reply {id}: {outcome}"),
            Self::Disk { id, op } => write!(f, "disk {id}: {op}"),
            Self::Halt(halt) => write!(f, "halt: {halt}"),
        }
    }
}
