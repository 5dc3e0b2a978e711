//! Nodes and events as v2 writes them: the fields in etcd's order, those left out
//! that have nothing to say.

use std::time::{Duration, SystemTime};

use quorate_engine::tree::{Event, NodeRef};

use super::json;

/// What all but the longest take.
const BYTES: usize = 512;

/// An event as its writer is told and as watches show it, and a newline.
pub fn event(event: &Event) -> Vec<u8> {
    let mut out = action(event.action.as_str());
    out.extend(b",\"node\":");
    whole(event.node.node(), &mut out);
    if let Some(prev) = &event.prev {
        out.extend(b",\"prevNode\":");
        whole(prev.node(), &mut out);
    }
    out.extend(b"}\n");
    out
}

/// The beginning of an answer: what was done.
pub fn action(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(BYTES);
    out.extend(b"{\"action\":");
    json::string(name, &mut out);
    out
}

fn whole(node: NodeRef<'_>, out: &mut Vec<u8>) {
    begin(node, out);
    end(node.modified_index, node.created_index, out);
}

/// A node up to where `nodes` stands.
pub fn begin(node: NodeRef<'_>, out: &mut Vec<u8>) {
    let mut separator = b'{';
    let mut field = |name: &str, out: &mut Vec<u8>| {
        out.push(separator);
        separator = b',';
        out.extend(name.as_bytes());
    };
    if !node.path.is_root() {
        field("\"key\":", out);
        json::string(node.path.as_str(), out);
    }
    if let Some(value) = node.value {
        field("\"value\":", out);
        json::string(value, out);
    }
    if node.dir {
        field("\"dir\":true", out);
    }
    if let Some(expires) = node.expires {
        field("\"expiration\":", out);
        json::string(&moment(expires.wall_ms), out);
        if expires.ttl > 0 {
            field("\"ttl\":", out);
            json::number(expires.ttl, out);
        }
    }
}

/// What stands behind `nodes`: the indexes, but for the root.
pub fn end(modified_index: u64, created_index: u64, out: &mut Vec<u8>) {
    if modified_index > 0 {
        out.extend(b",\"modifiedIndex\":");
        json::number(modified_index, out);
    }
    if created_index > 0 {
        out.extend(b",\"createdIndex\":");
        json::number(created_index, out);
    }
    out.push(b'}');
}

/// As Go prints a time: trailing zeros of the fraction are left out.
fn moment(wall_ms: u64) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(wall_ms.min(LAST_MOMENT_MS));
    json::instant(at)
}

/// The end of the year 9999, beyond which no date is written.
const LAST_MOMENT_MS: u64 = 253_402_300_799_999;
