//! What is written in the log: versioned, stamped, and named after the request
//! that asked for it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::boundary::{Attributes, Change, Condition, Content, NodeId, Write};
use crate::codec::{DecodeError, Encode, Reader};
use crate::tree::Path;

const VERSION: u8 = 1;

/// When an entry was proposed, by its leader's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Cluster time in ms: it never goes back from one entry to the next.
    pub cluster_ms: u64,
    /// The leader's wall clock in ms since the Unix epoch; shown, never decided
    /// upon.
    pub wall_ms: u64,
}

/// The request that a command comes from: unique for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The member that accepted it.
    pub node: NodeId,
    /// That member's life.
    pub boot: u64,
    /// Its count in that life.
    pub seq: u64,
}

/// The content of one log entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Who asked.
    pub origin: Origin,
    /// When it was proposed; zero until a leader stamps it.
    pub stamp: Stamp,
    /// What to do.
    pub action: Do,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum Do {
    /// Change the tree.
    Write(Write),
    /// Record what the origin says of itself.
    Publish(Attributes),
}

impl Command {
    /// The command in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.u8(VERSION);
        out.u64(self.origin.node);
        out.u64(self.origin.boot);
        out.u64(self.origin.seq);
        out.u64(self.stamp.cluster_ms);
        out.u64(self.stamp.wall_ms);
        match &self.action {
            Do::Write(write) => {
                out.u8(1);
                out.str(write.path.as_str());
                encode_change(&write.change, &mut out);
            }
            Do::Publish(attributes) => {
                out.u8(2);
                encode_attributes(attributes, &mut out);
            }
        }
        out
    }

    /// Reads what [`Command::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        if from.u8()? != VERSION {
            return Err(DecodeError("a command of another version"));
        }
        let origin = Origin { node: from.u64()?, boot: from.u64()?, seq: from.u64()? };
        let stamp = Stamp { cluster_ms: from.u64()?, wall_ms: from.u64()? };
        let action = match from.u8()? {
            1 => {
                let path =
                    Path::try_from(from.str()?).map_err(|_| DecodeError("not a clean path"))?;
                Do::Write(Write { path, change: decode_change(&mut from)? })
            }
            2 => Do::Publish(decode_attributes(&mut from)?),
            _ => return Err(DecodeError("unknown kind of command")),
        };
        from.end()?;
        Ok(Self { origin, stamp, action })
    }

    /// Bytes of what the client gave, for the bounds.
    pub fn payload_bytes(&self) -> usize {
        match &self.action {
            Do::Write(write) => write.path.as_str().len() + value_of(&write.change).len(),
            Do::Publish(attributes) => attribute_bytes(attributes),
        }
    }
}

/// The value a change carries; empty if none.
pub(crate) fn value_of(change: &Change) -> &str {
    match change {
        Change::Set(Content::File(value)) | Change::Create(Content::File(value)) => value,
        Change::Update { value } | Change::CompareAndSwap { value, .. } => value,
        _ => "",
    }
}

/// Bytes of attributes, for the bounds.
pub(crate) fn attribute_bytes(attributes: &Attributes) -> usize {
    attributes.name.len() + attributes.client_urls.iter().map(|url| url.len() + 4).sum::<usize>()
}

fn encode_change(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Set(content) => {
            out.u8(1);
            encode_content(content, out);
        }
        Change::Create(content) => {
            out.u8(2);
            encode_content(content, out);
        }
        Change::Update { value } => {
            out.u8(3);
            out.str(value);
        }
        Change::CompareAndSwap { value, condition } => {
            out.u8(4);
            out.str(value);
            encode_condition(condition, out);
        }
        Change::Delete { dir, recursive } => {
            out.u8(5);
            out.bool(*dir);
            out.bool(*recursive);
        }
        Change::CompareAndDelete { condition } => {
            out.u8(6);
            encode_condition(condition, out);
        }
    }
}

fn decode_change(from: &mut Reader) -> Result<Change, DecodeError> {
    Ok(match from.u8()? {
        1 => Change::Set(decode_content(from)?),
        2 => Change::Create(decode_content(from)?),
        3 => Change::Update { value: from.str()? },
        4 => Change::CompareAndSwap { value: from.str()?, condition: decode_condition(from)? },
        5 => Change::Delete { dir: from.bool()?, recursive: from.bool()? },
        6 => Change::CompareAndDelete { condition: decode_condition(from)? },
        _ => return Err(DecodeError("unknown kind of change")),
    })
}

fn encode_content(content: &Content, out: &mut Vec<u8>) {
    match content {
        Content::File(value) => {
            out.u8(0);
            out.str(value);
        }
        Content::Dir => out.u8(1),
    }
}

fn decode_content(from: &mut Reader) -> Result<Content, DecodeError> {
    match from.u8()? {
        0 => Ok(Content::File(from.str()?)),
        1 => Ok(Content::Dir),
        _ => Err(DecodeError("neither file nor directory")),
    }
}

fn encode_condition(condition: &Condition, out: &mut Vec<u8>) {
    out.bool(condition.value.is_some());
    if let Some(value) = &condition.value {
        out.str(value);
    }
    out.u64(condition.index.unwrap_or(0));
}

fn decode_condition(from: &mut Reader) -> Result<Condition, DecodeError> {
    let value: Option<Arc<str>> = if from.bool()? { Some(from.str()?) } else { None };
    let index = Some(from.u64()?).filter(|index| *index != 0);
    Ok(Condition { value, index })
}

/// Writes a member's attributes.
pub(crate) fn encode_attributes(attributes: &Attributes, out: &mut Vec<u8>) {
    out.str(&attributes.name);
    encode_urls(&attributes.client_urls, out);
}

/// Reads a member's attributes.
pub(crate) fn decode_attributes(from: &mut Reader) -> Result<Attributes, DecodeError> {
    let name = from.str()?.as_ref().to_owned();
    Ok(Attributes { name, client_urls: decode_urls(from)? })
}

/// Writes a list of URLs.
pub(crate) fn encode_urls(urls: &[String], out: &mut Vec<u8>) {
    out.u32(u32::try_from(urls.len()).expect("urls are bounded"));
    for url in urls {
        out.str(url);
    }
}

/// Reads a list of URLs.
pub(crate) fn decode_urls(from: &mut Reader) -> Result<Vec<String>, DecodeError> {
    let count = from.count(4)?;
    (0..count).map(|_| Ok(from.str()?.as_ref().to_owned())).collect()
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { node, seq, .. } = self.origin;
        match &self.action {
            Do::Write(write) => write!(f, "n{node}/{seq} {write}"),
            Do::Publish(attributes) => write!(f, "n{node}/{seq} publish {}", attributes.name),
        }
    }
}
