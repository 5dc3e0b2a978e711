//! Operations as HTTP requests, and HTTP answers as a history has them.

use std::io;

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, Event, Fault, FaultCode, NodeView, Path};
use quorate_engine::{Change, Condition, Content, Position, Refresh};
use quorate_sim::history::{Answer, Op};
use serde_json::Value;

use crate::common;

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

/// What the client has learned.
///
/// # Panics
/// When the answer is none that this operation can have.
pub fn answer(op: &Op, answered: io::Result<common::Answer>) -> Answer {
    let answer = match answered {
        Ok(answer) => answer,
        // Nothing has been sent.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Answer::Refused,
        Err(_) => return Answer::Lost,
    };
    let outcome = answer.header("x-quorate-outcome");
    match (answer.status, outcome) {
        (200 | 201, None) => success(op, &answer),
        (503, Some("refused")) => Answer::Refused,
        (500, Some("unknown")) => Answer::Lost,
        (400..=499, None) => fault(op, &answer),
        _ => panic!("no answer to {op}: {answer:?}"),
    }
}

fn success(op: &Op, answer: &common::Answer) -> Answer {
    let body = json(answer);
    let at = Position {
        store_index: number(answer, "x-etcd-index"),
        raft_index: number(answer, "x-raft-index"),
        raft_term: number(answer, "x-raft-term"),
        clock: Stamp::default(),
    };
    let action = body["action"].as_str().expect("an action");
    let node = node(&body["node"]);
    if let Op::Read { .. } = op {
        assert_eq!(action, "get", "{answer:?}");
        return Answer::Read { found: Ok(node), at };
    }
    let prev = body.get("prevNode").map(self::node);
    let (action, stamp) = (self::action(action), Stamp::default());
    Answer::Written { event: Event { action, node, prev, refresh: false, stamp }.into(), at }
}

fn fault(op: &Op, answer: &common::Answer) -> Answer {
    let body = json(answer);
    let index = body["index"].as_u64().expect("an index");
    assert_eq!(index, number(answer, "x-etcd-index"), "{answer:?}");
    let fault = Fault {
        code: fault_code(body["errorCode"].as_u64().expect("a code")),
        cause: body["cause"].as_str().unwrap_or("").to_owned(),
        index,
    };
    assert_eq!(body["message"], fault.code.message(), "{answer:?}");
    // Refusals do not carry raft's counters.
    let at = Position { store_index: index, ..Position::default() };
    match op {
        Op::Read { .. } => Answer::Read { found: Err(fault), at },
        Op::Write(_) => Answer::Fault { fault, at },
    }
}

/// What v2 leaves out when it is empty, false or 0 is put back.
fn node(body: &Value) -> NodeView {
    let number = |name| body.get(name).map_or(0, |number| number.as_u64().expect("a number"));
    NodeView {
        path: Path::new(body["key"].as_str().unwrap_or("/")).expect("a path"),
        value: body["value"].as_str().map(Into::into),
        dir: body["dir"].as_bool().unwrap_or(false),
        created_index: number("createdIndex"),
        modified_index: number("modifiedIndex"),
        expires: None,
        nodes: body["nodes"].as_array().into_iter().flatten().map(node).collect(),
    }
}

fn action(name: &str) -> Action {
    use Action::{CompareAndDelete, CompareAndSwap, Create, Delete, Set, Update};
    let all = [Set, Create, Update, CompareAndSwap, Delete, CompareAndDelete];
    all.into_iter().find(|action| action.as_str() == name).expect("an action of v2's")
}

fn fault_code(number: u64) -> FaultCode {
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
    let found = all.into_iter().find(|code| u64::from(code.number()) == number);
    found.unwrap_or_else(|| panic!("{number} is none of the tree's refusals"))
}

fn json(answer: &common::Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn number(answer: &common::Answer, name: &str) -> u64 {
    let number = answer.header(name).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in {answer:?}"))
}
