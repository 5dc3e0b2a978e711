//! The frozen form of the tree, record by record: a head, the events of the
//! window from the oldest on, then every node in the order of paths.

use std::sync::Arc;

use super::node::{Deadline, Node};
use super::{Action, Event, Expires, NodeView, Path, Tree};
use crate::boundary::Content;
use crate::codec::{DecodeError, Encode, Reader};
use crate::command::Stamp;

const VERSION: u8 = 2;

const HEAD: u8 = 1;
const EVENT: u8 = 2;
const NODE: u8 = 3;

const FILE: u8 = 1;
const DIRECTORY: u8 = 2;
const DELETED_FILE: u8 = 3;

/// One record of the frozen form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// What is known before the rest.
    Head(Head),
    /// One event of the history window.
    Event(Event),
    /// One node.
    Node(Path, Node),
}

/// The first record: what is small, and what the rest must add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Store index of the last event.
    pub store_index: u64,
    /// The highest stamp applied.
    pub clock: Stamp,
    /// Events that the history window holds at most.
    pub window: u64,
    /// Events that follow.
    pub events: u64,
    /// Nodes that follow.
    pub nodes: u64,
    /// The digest of the whole tree.
    pub digest: u64,
}

impl Head {
    /// The head of this tree's frozen form.
    pub fn of(tree: &Tree) -> Self {
        Self {
            store_index: tree.store_index,
            clock: tree.clock,
            window: tree.history.window() as u64,
            events: tree.history.len() as u64,
            nodes: tree.nodes.len() as u64,
            digest: tree.digest(),
        }
    }

    /// Appends the head as a record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.u8(HEAD);
        out.u8(VERSION);
        out.u64(self.store_index);
        encode_stamp(self.clock, out);
        out.u64(self.window);
        out.u64(self.events);
        out.u64(self.nodes);
        out.u64(self.digest);
    }

    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        if from.u8()? != VERSION {
            return Err(DecodeError("a tree of another version"));
        }
        Ok(Self {
            store_index: from.u64()?,
            clock: decode_stamp(from)?,
            window: from.u64()?,
            events: from.u64()?,
            nodes: from.u64()?,
            digest: from.u64()?,
        })
    }
}

impl Record {
    /// Reads the next record.
    pub fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        match from.u8()? {
            HEAD => Head::decode(from).map(Self::Head),
            EVENT => decode_event(from).map(Self::Event),
            NODE => decode_node(from),
            _ => Err(DecodeError("unknown kind of record in a tree")),
        }
    }
}

/// Appends an event as a record.
pub(super) fn encode_event(event: &Event, out: &mut Vec<u8>) {
    out.u8(EVENT);
    out.u8(action_number(event.action));
    out.str(event.node.path.as_str());
    encode_view(&event.node, out);
    out.bool(event.prev.is_some());
    if let Some(prev) = &event.prev {
        encode_view(prev, out);
    }
    out.bool(event.refresh);
    encode_stamp(event.stamp, out);
}

fn decode_event(from: &mut Reader) -> Result<Event, DecodeError> {
    let action = decode_action(from)?;
    let path = decode_path(from)?;
    let node = decode_view(path.clone(), from)?;
    let prev = if from.bool()? { Some(decode_view(path, from)?) } else { None };
    Ok(Event { action, node, prev, refresh: from.bool()?, stamp: decode_stamp(from)? })
}

/// Appends a node as a record.
pub(super) fn encode_node(path: &Path, node: &Node, out: &mut Vec<u8>) {
    out.u8(NODE);
    out.str(path.as_str());
    match &node.content {
        Content::File(value) => {
            out.u8(FILE);
            out.str(value);
        }
        Content::Dir => out.u8(DIRECTORY),
    }
    out.u64(node.created);
    out.u64(node.modified);
    encode_pair(node.deadline.map(|deadline| [deadline.cluster_ms, deadline.wall_ms]), out);
}

fn decode_node(from: &mut Reader) -> Result<Record, DecodeError> {
    let path = decode_path(from)?;
    let content = match from.u8()? {
        FILE => Content::File(from.str()?),
        DIRECTORY => Content::Dir,
        _ => return Err(DecodeError("neither file nor directory")),
    };
    let (created, modified) = (from.u64()?, from.u64()?);
    let deadline = decode_pair(from)?.map(|[cluster_ms, wall_ms]| Deadline { cluster_ms, wall_ms });
    Ok(Record::Node(path, Node { content, created, modified, deadline }))
}

/// A node in an event: it has no children, and its path is the event's.
fn encode_view(view: &NodeView, out: &mut Vec<u8>) {
    match &view.value {
        Some(value) => {
            out.u8(FILE);
            out.str(value);
        }
        None if view.dir => out.u8(DIRECTORY),
        None => out.u8(DELETED_FILE),
    }
    out.u64(view.created_index);
    out.u64(view.modified_index);
    encode_pair(view.expires.map(|expires| [expires.wall_ms, expires.ttl]), out);
}

fn decode_view(path: Path, from: &mut Reader) -> Result<NodeView, DecodeError> {
    let (value, dir): (Option<Arc<str>>, bool) = match from.u8()? {
        FILE => (Some(from.str()?), false),
        DIRECTORY => (None, true),
        DELETED_FILE => (None, false),
        _ => return Err(DecodeError("neither file nor directory")),
    };
    let (created_index, modified_index) = (from.u64()?, from.u64()?);
    let expires = decode_pair(from)?.map(|[wall_ms, ttl]| Expires { wall_ms, ttl });
    Ok(NodeView { path, value, dir, created_index, modified_index, expires, nodes: Vec::new() })
}

fn encode_pair(pair: Option<[u64; 2]>, out: &mut Vec<u8>) {
    out.bool(pair.is_some());
    pair.into_iter().flatten().for_each(|number| out.u64(number));
}

fn decode_pair(from: &mut Reader) -> Result<Option<[u64; 2]>, DecodeError> {
    if from.bool()? { Ok(Some([from.u64()?, from.u64()?])) } else { Ok(None) }
}

fn encode_stamp(stamp: Stamp, out: &mut Vec<u8>) {
    out.u64(stamp.cluster_ms);
    out.u64(stamp.wall_ms);
    out.u64(stamp.tick_ms);
}

fn decode_stamp(from: &mut Reader) -> Result<Stamp, DecodeError> {
    Ok(Stamp { cluster_ms: from.u64()?, wall_ms: from.u64()?, tick_ms: from.u64()? })
}

fn decode_path(from: &mut Reader) -> Result<Path, DecodeError> {
    let path = Path::try_from(from.str()?).map_err(|_| DecodeError("not a clean path"))?;
    if path.is_root() { Err(DecodeError("the root is not a stored node")) } else { Ok(path) }
}

fn action_number(action: Action) -> u8 {
    match action {
        Action::Set => 1,
        Action::Create => 2,
        Action::Update => 3,
        Action::CompareAndSwap => 4,
        Action::Delete => 5,
        Action::CompareAndDelete => 6,
        Action::Expire => 7,
    }
}

fn decode_action(from: &mut Reader) -> Result<Action, DecodeError> {
    Ok(match from.u8()? {
        1 => Action::Set,
        2 => Action::Create,
        3 => Action::Update,
        4 => Action::CompareAndSwap,
        5 => Action::Delete,
        6 => Action::CompareAndDelete,
        7 => Action::Expire,
        _ => return Err(DecodeError("unknown action")),
    })
}
