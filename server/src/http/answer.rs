//! Answers on the wire: statuses, headers and bodies as etcd has them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use quorate_engine::tree::{Action, Cleared, Event, Fault, FaultCode, NodeView};
use quorate_engine::{Bound, Lost, Position, Refused};
use serde::Serialize;

use super::form::FormError;
use super::json;
use super::watch::Events;

/// Every body is whole, but for those of watches.
pub type Answer = Response<Either<Full<Bytes>, Events>>;

const CLUSTER_ID: HeaderName = HeaderName::from_static("x-etcd-cluster-id");
const ETCD_INDEX: HeaderName = HeaderName::from_static("x-etcd-index");
const RAFT_INDEX: HeaderName = HeaderName::from_static("x-raft-index");
const RAFT_TERM: HeaderName = HeaderName::from_static("x-raft-term");
const HISTORY_FIRST: HeaderName = HeaderName::from_static("x-etcd-history-first");
const OUTCOME: HeaderName = HeaderName::from_static("x-quorate-outcome");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers about keys: they all carry the cluster's id.
#[derive(Clone, Debug)]
pub struct KeyAnswers {
    cluster: HeaderValue,
}

#[derive(Serialize)]
struct EventBody<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<NodeBody<'a>>,
    #[serde(rename = "prevNode", skip_serializing_if = "Option::is_none")]
    prev: Option<NodeBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    ttl: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<NodeBody<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    modified_index: u64,
    #[serde(skip_serializing_if = "is_zero")]
    created_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_code: u16,
    message: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cause: &'a str,
    index: u64,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> From<&'a NodeView> for NodeBody<'a> {
    fn from(node: &'a NodeView) -> Self {
        Self {
            key: (!node.path.is_root()).then(|| node.path.as_str()),
            value: node.value.as_deref(),
            dir: node.dir,
            expiration: node.expires.map(|expires| moment(expires.wall_ms)),
            ttl: node.expires.map_or(0, |expires| expires.ttl),
            nodes: node.nodes.iter().map(Self::from).collect(),
            modified_index: node.modified_index,
            created_index: node.created_index,
        }
    }
}

impl<'a> EventBody<'a> {
    fn of(event: &'a Event) -> Self {
        let (action, node) = (event.action.as_str(), Some(NodeBody::from(&event.node)));
        Self { action, node, prev: event.prev.as_ref().map(NodeBody::from) }
    }
}

/// An event as a watch shows it: as its writer was told, and a newline.
pub fn event_line(event: &Event) -> Vec<u8> {
    line(&EventBody::of(event))
}

/// What a watch is told when it cannot go on: etcd's words, and a newline.
pub fn error_line(refused: &Refused) -> Vec<u8> {
    let cause = refused.to_string();
    let (error_code, message, index) = match refused {
        Refused::Cleared(cleared) => (401, CLEARED, cleared.index),
        Refused::Bound(_) => (300, "Raft Internal Error", 0),
        _ => (301, "During Leader Election", 0),
    };
    line(&ErrorBody { error_code, message, cause: &cause, index })
}

/// A listing as the first line of a watch, and a newline.
pub fn initial_line(node: &NodeView) -> Vec<u8> {
    line(&EventBody { action: "get", node: Some(node.into()), prev: None })
}

const CLEARED: &str = "The event in requested index is outdated and cleared";

fn line(body: &impl Serialize) -> Vec<u8> {
    let mut line = json::to_vec(body);
    line.push(b'\n');
    line
}

/// As Go prints a time: trailing zeros of the fraction are left out.
fn moment(wall_ms: u64) -> String {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(wall_ms.min(LAST_MOMENT_MS));
    let text = humantime::format_rfc3339_millis(at).to_string();
    let text = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", text.trim_end_matches('.'))
}

/// The end of the year 9999, beyond which no date is written.
const LAST_MOMENT_MS: u64 = 253_402_300_799_999;

impl KeyAnswers {
    /// Answers of this cluster.
    ///
    /// # Panics
    /// Never: hexadecimal digits are a header's value.
    pub fn new(cluster: u64) -> Self {
        Self { cluster: format!("{cluster:x}").try_into().expect("hexadecimal digits") }
    }

    /// A write was done.
    pub fn written(&self, event: &Event, at: Position, brief: bool) -> Answer {
        let created =
            event.action == Action::Create || event.action == Action::Set && event.prev.is_none();
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        let action = event.action.as_str();
        let body = match brief {
            true => EventBody { action, node: None, prev: None },
            false => EventBody::of(event),
        };
        self.success(status, &body, at)
    }

    /// A read was done.
    pub fn read(&self, node: &NodeView, at: Position) -> Answer {
        let body = EventBody { action: "get", node: Some(node.into()), prev: None };
        self.success(StatusCode::OK, &body, at)
    }

    /// A watch has begun here; its lines follow.
    pub fn watching(&self, events: Events, first: u64, at: Position) -> Answer {
        let mut answer = Response::new(Either::Right(events));
        answer.headers_mut().insert(CONTENT_TYPE, JSON);
        self.mark(&mut answer, at.store_index);
        mark_position(&mut answer, at);
        answer.headers_mut().insert(HISTORY_FIRST, first.into());
        answer
    }

    /// A watch asked for what has left the history window.
    pub fn cleared(&self, cleared: &Cleared) -> Answer {
        let cause = cleared.to_string();
        let mut answer = self.error(StatusCode::BAD_REQUEST, 401, CLEARED, &cause, cleared.index);
        answer.headers_mut().insert(HISTORY_FIRST, cleared.first.into());
        answer
    }

    /// The tree refused.
    pub fn fault(&self, fault: &Fault) -> Answer {
        let status = match fault.code {
            FaultCode::KeyNotFound => StatusCode::NOT_FOUND,
            FaultCode::NotFile | FaultCode::DirectoryNotEmpty => StatusCode::FORBIDDEN,
            FaultCode::CompareFailed | FaultCode::NodeExists => StatusCode::PRECONDITION_FAILED,
            FaultCode::NotDirectory | FaultCode::RootReadOnly | FaultCode::ValueRequired => {
                StatusCode::BAD_REQUEST
            }
        };
        self.error(status, fault.code.number(), fault.code.message(), &fault.cause, fault.index)
    }

    /// The parameters are wrong.
    pub fn form_error(&self, error: &FormError) -> Answer {
        let message = match error.code {
            200 => FaultCode::ValueRequired.message(),
            201 => "PrevValue is Required in POST form",
            202 => "The given TTL in POST form is not a number",
            203 => "The given index in POST form is not a number",
            210 => "Invalid POST form",
            211 => "Value provided on refresh",
            212 => "A TTL must be provided on refresh",
            _ => "Invalid field",
        };
        self.error(StatusCode::BAD_REQUEST, error.code, message, &error.cause, 0)
    }

    /// It certainly did not happen.
    pub fn refused(&self, refused: &Refused) -> Answer {
        match refused {
            Refused::Tree { fault, .. } => self.fault(fault),
            Refused::Bound(bound) => self.bound(*bound),
            Refused::Cleared(cleared) => self.cleared(cleared),
            Refused::NoLeader | Refused::LeaderChanged | Refused::Deadline | Refused::Stopping => {
                self.unavailable(301, "During Leader Election", &refused.to_string())
            }
        }
    }

    /// Nobody can say whether it happened.
    pub fn lost(&self, lost: Lost) -> Answer {
        tracing::debug!("a write was lost: {lost}");
        let mut answer = self.error(
            StatusCode::INTERNAL_SERVER_ERROR,
            300,
            "Raft Internal Error",
            "etcdserver: request timed out",
            0,
        );
        answer.headers_mut().insert(OUTCOME, HeaderValue::from_static("unknown"));
        answer
    }

    /// A bound that the request itself exceeds is the client's fault; one that
    /// all requests together exceed is a matter of time.
    fn bound(&self, bound: Bound) -> Answer {
        match bound {
            Bound::KeyBytes | Bound::ValueBytes | Bound::Depth | Bound::AttributeBytes => {
                let cause = format!("over the bound {bound}");
                refusing(self.error(StatusCode::BAD_REQUEST, 209, "Invalid field", &cause, 0))
            }
            Bound::PendingWrites
            | Bound::PendingBytes
            | Bound::PendingReads
            | Bound::UncommittedBytes
            | Bound::LogBytes
            | Bound::Watches => self.over_bound(&bound.to_string()),
        }
    }

    /// A bound that all requests together exceed.
    pub fn over_bound(&self, bound: &str) -> Answer {
        self.unavailable(300, "Raft Internal Error", &format!("over the bound {bound}"))
    }

    /// A body did not arrive in time: 408, and the connection ends.
    pub fn late_body(&self) -> Answer {
        let cause = "the body did not arrive in time";
        let answer = self.error(StatusCode::REQUEST_TIMEOUT, 210, "Invalid POST form", cause, 0);
        let mut answer = refusing(answer);
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn unavailable(&self, code: u16, message: &'static str, cause: &str) -> Answer {
        let answer = self.error(StatusCode::SERVICE_UNAVAILABLE, code, message, cause, 0);
        let mut answer = refusing(answer);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    fn success(&self, status: StatusCode, body: &EventBody<'_>, at: Position) -> Answer {
        let mut answer = self.answer(status, line(body), at.store_index);
        mark_position(&mut answer, at);
        answer
    }

    fn error(
        &self,
        status: StatusCode,
        error_code: u16,
        message: &'static str,
        cause: &str,
        index: u64,
    ) -> Answer {
        let body = ErrorBody { error_code, message, cause, index };
        self.answer(status, line(&body), index)
    }

    fn answer(&self, status: StatusCode, body: Vec<u8>, index: u64) -> Answer {
        let mut answer = plain(status, JSON, body);
        self.mark(&mut answer, index);
        answer
    }

    fn mark(&self, answer: &mut Answer, index: u64) {
        let headers = answer.headers_mut();
        headers.insert(CLUSTER_ID, self.cluster.clone());
        headers.insert(ETCD_INDEX, index.into());
    }

    /// A JSON answer of the cluster's that is not about a key.
    pub fn of_cluster(&self, body: &impl Serialize) -> Answer {
        self.with_cluster_id(plain(StatusCode::OK, JSON, line(body)))
    }

    /// An answer that says whose it is.
    pub fn with_cluster_id(&self, mut answer: Answer) -> Answer {
        answer.headers_mut().insert(CLUSTER_ID, self.cluster.clone());
        answer
    }
}

fn mark_position(answer: &mut Answer, at: Position) {
    let headers = answer.headers_mut();
    headers.insert(RAFT_INDEX, at.raft_index.into());
    headers.insert(RAFT_TERM, at.raft_term.into());
}

/// A JSON answer about neither.
pub fn json(body: &impl Serialize) -> Answer {
    plain(StatusCode::OK, JSON, json::to_vec(body))
}

/// A text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    plain(status, PLAIN, body)
}

/// `{"message":…}`: how everything but keys refuses.
pub fn message(status: StatusCode, message: &str) -> Answer {
    #[derive(Serialize)]
    struct Message<'a> {
        message: &'a str,
    }
    plain(status, JSON, json::to_vec(&Message { message }))
}

/// An endpoint that etcd has and this server has not yet.
pub fn not_yet(what: &str) -> Answer {
    message(StatusCode::NOT_IMPLEMENTED, &format!("not supported yet: {what}"))
}

/// 404
pub fn not_found() -> Answer {
    let mut answer = text(StatusCode::NOT_FOUND, "404 page not found\n");
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// 405
pub fn method_not_allowed(allow: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    let headers = answer.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Nothing, with a 200.
pub fn empty() -> Answer {
    Response::new(Either::Left(Full::default()))
}

/// What every answer of the client port carries.
pub fn allow_all_origins(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("accept, content-type, authorization"),
    );
    answer
}

/// Says that what was asked for certainly did not happen.
fn refusing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(OUTCOME, HeaderValue::from_static("refused"));
    answer
}

fn plain(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
