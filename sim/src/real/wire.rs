//! Operations as HTTP requests, and HTTP answers as a history has them.
//!
//! The wire does not show by which clock something happened, so every stamp here is
//! the same, and a node that has a time to live is no answer.

use std::io;
use std::sync::Arc;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Cleared, Event, Fault, FaultCode, NodeView, Path, Watch};
use quorate_engine::{Change, Condition, Content, Position, Refresh};
use serde::Deserialize;

use super::http;
use crate::history::{Answer, Op};

/// A request: method, target, form.
pub type Request = (&'static str, String, Option<String>);

/// How a client asks for this. The keys and values in play need no escapes.
pub fn request(op: &Op) -> Request {
    let write = match op {
        Op::Read { read, local } => {
            let recursive = if read.recursive { "recursive=true&" } else { "" };
            let consistency = if *local { "local" } else { "linearizable" };
            let query = format!("{recursive}consistency={consistency}");
            return ("GET", target(&read.path, &query), None);
        }
        Op::Write(write) => write,
    };
    let ttl = write.ttl().map(|seconds| format!("ttl={seconds}"));
    let send = |method, parts: &[&str]| {
        let parts = parts.iter().copied().chain(ttl.as_deref()).filter(|part| !part.is_empty());
        (method, target(&write.path, ""), Some(parts.collect::<Vec<_>>().join("&")))
    };
    let delete = |query: &str| ("DELETE", target(&write.path, query), None);
    match &write.change {
        Change::Set { content, .. } => send("PUT", &[&content_form(content)]),
        Change::Create { content, .. } => send("PUT", &["prevExist=false", &content_form(content)]),
        Change::CreateInOrder { content, .. } => send("POST", &[&content_form(content)]),
        Change::Update { value, .. } => {
            let value = value.as_ref().map(|value| format!("value={value}"));
            send("PUT", &["prevExist=true", value.as_deref().unwrap_or("")])
        }
        Change::CompareAndSwap { value, condition, .. } => {
            send("PUT", &[&condition_form(condition), &format!("value={value}")])
        }
        Change::Refresh { like, .. } => send("PUT", &["refresh=true", &refresh_form(like)]),
        Change::Delete { dir, recursive } => delete(&format!("dir={dir}&recursive={recursive}")),
        Change::CompareAndDelete { condition } => delete(&condition_form(condition)),
    }
}

fn refresh_form(like: &Refresh) -> String {
    match like {
        Refresh::Set => String::new(),
        Refresh::Update => "prevExist=true".into(),
        Refresh::CompareAndSwap(condition) => condition_form(condition),
    }
}

fn target(path: &Path, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/v2/keys{path}{mark}{query}")
}

fn content_form(content: &Content) -> String {
    match content {
        Content::File(value) => format!("value={value}"),
        Content::Dir => "dir=true".into(),
    }
}

fn condition_form(condition: &Condition) -> String {
    let value = condition.value.iter().map(|value| format!("prevValue={value}"));
    let index = condition.index.iter().map(|index| format!("prevIndex={index}"));
    value.chain(index).collect::<Vec<_>>().join("&")
}

/// How a client watches, for one event or for all from there on.
pub fn watch(watch: &Watch, stream: bool) -> String {
    let Watch { path, recursive, from, .. } = watch;
    let query = format!("wait=true&recursive={recursive}&stream={stream}&waitIndex={from}");
    target(path, &query)
}

/// What the client has learned.
///
/// # Errors
/// When the answer is none that this operation can have.
pub fn answer(op: &Op, answered: io::Result<http::Answer>) -> Result<Answer, String> {
    let answer = match answered {
        Ok(answer) => answer,
        // Nothing has been sent.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Ok(Answer::Refused);
        }
        Err(_) => return Ok(Answer::Lost),
    };
    let outcome = answer.header("x-quorate-outcome");
    let understood = match (answer.status, outcome) {
        (200 | 201, None) => success(op, &answer),
        (503, Some("refused")) => Some(Answer::Refused),
        (500, Some("unknown")) => Some(Answer::Lost),
        (400..=499, None) => fault(op, &answer),
        _ => None,
    };
    understood.ok_or_else(|| format!("no answer to {op}: {answer:?}"))
}

/// What a line of a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Something happened.
    Event(Arc<Event>),
    /// What was to come next is gone.
    Cleared(Cleared),
    /// The member cannot go on, now.
    Refused,
}

/// Reads a line of a watch, or the body of one that was refused.
///
/// # Errors
/// When it is neither.
pub fn line(line: &str) -> Result<Line, String> {
    let body = serde_json::from_str(line).ok();
    let understood = body.and_then(|body: Body| match body.error_code {
        0 => body.event().map(Arc::new).map(Line::Event),
        300 | 301 => Some(Line::Refused),
        401 => body.cleared().map(Line::Cleared),
        _ => None,
    });
    understood.ok_or_else(|| format!("no line of a watch: {line}"))
}

fn success(op: &Op, answer: &http::Answer) -> Option<Answer> {
    let body: Body = serde_json::from_str(&answer.body).ok()?;
    let at = Position {
        store_index: answer.number("x-etcd-index")?,
        raft_index: answer.number("x-raft-index")?,
        raft_term: answer.number("x-raft-term")?,
        clock: Stamp::default(),
    };
    match op {
        Op::Read { .. } if body.action == "get" => {
            Some(Answer::Read { found: Ok(body.node?.view()?), at })
        }
        Op::Read { .. } => None,
        Op::Write(_) => Some(Answer::Written { event: body.event()?.into(), at }),
    }
}

fn fault(op: &Op, answer: &http::Answer) -> Option<Answer> {
    let body: Body = serde_json::from_str(&answer.body).ok()?;
    let Body { error_code, message, cause, index, .. } = body;
    let code = fault_code(error_code)?;
    if answer.number("x-etcd-index") != Some(index) || message != code.message() {
        return None;
    }
    let fault = Fault { code, cause, index };
    // Refusals do not carry raft's counters.
    let at = Position { store_index: index, ..Position::default() };
    Some(match op {
        Op::Read { .. } => Answer::Read { found: Err(fault), at },
        Op::Write(_) => Answer::Fault { fault, at },
    })
}

/// An answer's body: a success or a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Body {
    action: String,
    node: Option<Node>,
    prev_node: Option<Node>,
    error_code: u64,
    message: String,
    cause: String,
    index: u64,
}

impl Body {
    fn event(self) -> Option<Event> {
        let (action, node) = (action(&self.action)?, self.node?.view()?);
        let prev = match self.prev_node {
            Some(prev) => Some(prev.view()?),
            None => None,
        };
        Some(Event { action, node, prev, refresh: false, stamp: Stamp::default() })
    }

    /// The cause ends in `[first/asked]`.
    fn cleared(self) -> Option<Cleared> {
        let (first, asked) = self.cause.strip_suffix(']')?.rsplit_once('[')?.1.split_once('/')?;
        let (first, asked) = (first.parse().ok()?, asked.parse().ok()?);
        Some(Cleared { first, asked, index: self.index })
    }
}

/// A node; v2 leaves out what is empty, false or 0.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Node {
    key: String,
    value: Option<String>,
    dir: bool,
    created_index: u64,
    modified_index: u64,
    nodes: Vec<Node>,
}

impl Default for Node {
    fn default() -> Self {
        let (value, nodes) = (None, Vec::new());
        Self { key: "/".into(), value, dir: false, created_index: 0, modified_index: 0, nodes }
    }
}

impl Node {
    fn view(self) -> Option<NodeView> {
        let Self { key, value, dir, created_index, modified_index, nodes } = self;
        Some(NodeView {
            path: Path::new(&key).ok()?,
            value: value.map(Into::into),
            dir,
            created_index,
            modified_index,
            expires: None,
            nodes: nodes.into_iter().map(Self::view).collect::<Option<_>>()?,
        })
    }
}

fn action(name: &str) -> Option<Action> {
    use Action::{CompareAndDelete, CompareAndSwap, Create, Delete, Set, Update};
    let all = [Set, Create, Update, CompareAndSwap, Delete, CompareAndDelete];
    all.into_iter().find(|action| action.as_str() == name)
}

fn fault_code(number: u64) -> Option<FaultCode> {
    use FaultCode::{
        CompareFailed, DirectoryNotEmpty, KeyNotFound, NodeExists, NotDirectory, NotFile,
        RootReadOnly, ValueRequired,
    };
    let all = [
        KeyNotFound,
        CompareFailed,
        NotFile,
        NotDirectory,
        NodeExists,
        RootReadOnly,
        DirectoryNotEmpty,
        ValueRequired,
    ];
    all.into_iter().find(|code| u64::from(code.number()) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_or_says_what_is_gone() {
        let event = r#"{"action":"delete","node":{"key":"/a","dir":true,"modifiedIndex":9,"createdIndex":4},"prevNode":{"key":"/a","dir":true,"modifiedIndex":4,"createdIndex":4}}"#;
        let Ok(Line::Event(event)) = line(event) else { panic!("an event") };
        assert_eq!((event.action, event.index()), (Action::Delete, 9));
        let gone = r#"{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [120/7]","index":180}"#;
        let cleared = Cleared { first: 120, asked: 7, index: 180 };
        assert_eq!(line(gone), Ok(Line::Cleared(cleared)));
    }

    #[test]
    fn what_no_watch_is_told_is_an_error() {
        let wrong = [
            "",
            "{}",
            r#"{"action":"get","node":{"key":"/a"}}"#,
            r#"{"action":"set","node":{"key":"/a","value":"1","ttl":3,"modifiedIndex":9}}"#,
            r#"{"errorCode":401,"cause":"[a/7]","index":180}"#,
            r#"{"errorCode":100,"index":180}"#,
        ];
        for wrong in wrong {
            assert!(line(wrong).is_err(), "{wrong}");
        }
    }
}
