//! What is written in the log: versioned, stamped, and named after the request
//! that asked for it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::boundary::{Attributes, Change, Condition, Content, NodeId, Refresh, Write};
use crate::codec::{DecodeError, Encode, Reader};
use crate::tree::Path;

const VERSION: u8 = 2;

/// When an entry was proposed, by its leader's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Cluster time in ms: it never goes back from one entry to the next.
    pub cluster_ms: u64,
    /// The leader's wall clock in ms since the Unix epoch; shown, never decided
    /// upon.
    pub wall_ms: u64,
    /// How coarse the leader's cluster time is, in ms: it was at least
    /// `cluster_ms`, and less than that plus this.
    pub tick_ms: u64,
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
    /// Let time pass: a leader's own doing, for nobody (its `seq` is 0).
    Stamp,
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
        out.u64(self.stamp.tick_ms);
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
            Do::Stamp => out.u8(3),
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
        let stamp = Stamp { cluster_ms: from.u64()?, wall_ms: from.u64()?, tick_ms: from.u64()? };
        let action = match from.u8()? {
            1 => {
                let path =
                    Path::try_from(from.str()?).map_err(|_| DecodeError("not a clean path"))?;
                Do::Write(Write { path, change: decode_change(&mut from)? })
            }
            2 => Do::Publish(decode_attributes(&mut from)?),
            3 => Do::Stamp,
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
            Do::Stamp => 0,
        }
    }
}

/// The value a change carries; empty if none.
pub(crate) fn value_of(change: &Change) -> &str {
    match change {
        Change::Set { content: Content::File(value), .. }
        | Change::Create { content: Content::File(value), .. }
        | Change::CreateInOrder { content: Content::File(value), .. }
        | Change::Update { value: Some(value), .. }
        | Change::CompareAndSwap { value, .. } => value,
        _ => "",
    }
}

/// Bytes of attributes, for the bounds.
pub(crate) fn attribute_bytes(attributes: &Attributes) -> usize {
    attributes.name.len() + attributes.client_urls.iter().map(|url| url.len() + 4).sum::<usize>()
}

fn encode_change(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Set { content, ttl } => {
            out.u8(1);
            encode_content(content, out);
            encode_ttl(*ttl, out);
        }
        Change::Create { content, ttl } => {
            out.u8(2);
            encode_content(content, out);
            encode_ttl(*ttl, out);
        }
        Change::Update { value, ttl } => {
            out.u8(3);
            encode_text(value.as_deref(), out);
            encode_ttl(*ttl, out);
        }
        Change::CompareAndSwap { value, condition, ttl } => {
            out.u8(4);
            out.str(value);
            encode_condition(condition, out);
            encode_ttl(*ttl, out);
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
        Change::CreateInOrder { content, ttl } => {
            out.u8(7);
            encode_content(content, out);
            encode_ttl(*ttl, out);
        }
        Change::Refresh { ttl, like } => {
            out.u8(8);
            out.u64(*ttl);
            encode_refresh(like, out);
        }
    }
}

fn decode_change(from: &mut Reader) -> Result<Change, DecodeError> {
    Ok(match from.u8()? {
        1 => Change::Set { content: decode_content(from)?, ttl: decode_ttl(from)? },
        2 => Change::Create { content: decode_content(from)?, ttl: decode_ttl(from)? },
        3 => Change::Update { value: decode_text(from)?, ttl: decode_ttl(from)? },
        4 => Change::CompareAndSwap {
            value: from.str()?,
            condition: decode_condition(from)?,
            ttl: decode_ttl(from)?,
        },
        5 => Change::Delete { dir: from.bool()?, recursive: from.bool()? },
        6 => Change::CompareAndDelete { condition: decode_condition(from)? },
        7 => Change::CreateInOrder { content: decode_content(from)?, ttl: decode_ttl(from)? },
        8 => Change::Refresh { ttl: from.u64()?, like: decode_refresh(from)? },
        _ => return Err(DecodeError("unknown kind of change")),
    })
}

fn encode_refresh(like: &Refresh, out: &mut Vec<u8>) {
    match like {
        Refresh::Set => out.u8(1),
        Refresh::Update => out.u8(2),
        Refresh::CompareAndSwap(condition) => {
            out.u8(3);
            encode_condition(condition, out);
        }
    }
}

fn decode_refresh(from: &mut Reader) -> Result<Refresh, DecodeError> {
    Ok(match from.u8()? {
        1 => Refresh::Set,
        2 => Refresh::Update,
        3 => Refresh::CompareAndSwap(decode_condition(from)?),
        _ => return Err(DecodeError("unknown kind of refresh")),
    })
}

fn encode_ttl(ttl: Option<u64>, out: &mut Vec<u8>) {
    out.bool(ttl.is_some());
    if let Some(seconds) = ttl {
        out.u64(seconds);
    }
}

fn decode_ttl(from: &mut Reader) -> Result<Option<u64>, DecodeError> {
    if from.bool()? { from.u64().map(Some) } else { Ok(None) }
}

fn encode_text(text: Option<&str>, out: &mut Vec<u8>) {
    out.bool(text.is_some());
    if let Some(text) = text {
        out.str(text);
    }
}

fn decode_text(from: &mut Reader) -> Result<Option<Arc<str>>, DecodeError> {
    if from.bool()? { from.str().map(Some) } else { Ok(None) }
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
    encode_text(condition.value.as_deref(), out);
    out.u64(condition.index.unwrap_or(0));
}

fn decode_condition(from: &mut Reader) -> Result<Condition, DecodeError> {
    let value = decode_text(from)?;
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
            Do::Stamp => write!(f, "n{node} stamp {}", self.stamp.cluster_ms),
        }
    }
}
