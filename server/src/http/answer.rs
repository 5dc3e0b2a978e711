//! Answers on the wire: statuses, headers and bodies as etcd has them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::Guard;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use hyper::body::Body;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use quorate_engine::tree::{Action, Event, Fault, FaultCode};
use quorate_engine::{Bound, Lost, Position, Refused, View};
use serde::Serialize;

use super::form::FormError;
use super::listing::{Listing, Parts};
use super::watch::Events;
use super::{event, json};

/// What is answered.
pub type Answer = Response<Contents>;

/// Most bodies are whole; watches and long listings come in parts.
pub type Contents = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;

fn whole(body: impl Into<Bytes>) -> Contents {
    Either::Left(Full::new(body.into()))
}

fn in_parts(body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static) -> Contents {
    Either::Right(UnsyncBoxBody::new(body))
}

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
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_code: u16,
    message: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cause: &'a str,
    index: u64,
}

/// A refusal in etcd's words.
struct Words<'a> {
    status: StatusCode,
    code: u16,
    message: &'static str,
    cause: Cow<'a, str>,
    index: u64,
}

fn words(refused: &Refused) -> Words<'_> {
    let (status, code, message, index) = match refused {
        Refused::Tree { fault, .. } => return fault.into(),
        Refused::Cleared(cleared) => (StatusCode::BAD_REQUEST, 401, CLEARED, cleared.index),
        Refused::Bound(bound) if is_its_own(*bound) => {
            (StatusCode::BAD_REQUEST, 209, INVALID_FIELD, 0)
        }
        Refused::Bound(_) => (StatusCode::SERVICE_UNAVAILABLE, 300, RAFT_ERROR, 0),
        Refused::NoLeader | Refused::LeaderChanged | Refused::Deadline | Refused::Stopping => {
            (StatusCode::SERVICE_UNAVAILABLE, 301, "During Leader Election", 0)
        }
    };
    Words { status, code, message, cause: refused.to_string().into(), index }
}

/// Whether a request exceeds a bound by itself, which is the client's fault, and not
/// together with all others, which is a matter of time.
fn is_its_own(bound: Bound) -> bool {
    match bound {
        Bound::KeyBytes | Bound::ValueBytes | Bound::Depth | Bound::AttributeBytes => true,
        Bound::PendingWrites
        | Bound::PendingBytes
        | Bound::PendingReads
        | Bound::UncommittedBytes
        | Bound::LogBytes
        | Bound::Watches => false,
    }
}

impl<'a> From<&'a Fault> for Words<'a> {
    fn from(fault: &'a Fault) -> Self {
        let status = match fault.code {
            FaultCode::KeyNotFound => StatusCode::NOT_FOUND,
            FaultCode::NotFile | FaultCode::DirectoryNotEmpty => StatusCode::FORBIDDEN,
            FaultCode::CompareFailed | FaultCode::NodeExists => StatusCode::PRECONDITION_FAILED,
            FaultCode::NotDirectory | FaultCode::RootReadOnly | FaultCode::ValueRequired => {
                StatusCode::BAD_REQUEST
            }
        };
        let (code, message) = (fault.code.number(), fault.code.message());
        Self { status, code, message, cause: fault.cause.as_str().into(), index: fault.index }
    }
}

impl<'a> Words<'a> {
    /// What is said at no index.
    fn new(
        status: StatusCode,
        code: u16,
        message: &'static str,
        cause: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self { status, code, message, cause: cause.into(), index: 0 }
    }

    fn line(&self) -> Vec<u8> {
        let Self { code: error_code, message, ref cause, index, .. } = *self;
        line(&ErrorBody { error_code, message, cause, index })
    }
}

/// What a watch is told when it cannot go on: etcd's words, and a newline.
pub fn error_line(refused: &Refused) -> Vec<u8> {
    words(refused).line()
}

const CLEARED: &str = "The event in requested index is outdated and cleared";
const RAFT_ERROR: &str = "Raft Internal Error";
const INVALID_FIELD: &str = "Invalid field";
const INVALID_FORM: &str = "Invalid POST form";

fn line(body: &impl Serialize) -> Vec<u8> {
    let mut line = json::to_vec(body);
    line.push(b'\n');
    line
}

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
        let body = match brief {
            true => [event::action(event.action.as_str()), b"}\n".to_vec()].concat(),
            false => event::event(event),
        };
        self.success(whole(body), status, at)
    }

    /// A read was done.
    pub fn read(&self, mut listing: Listing, view: Guard<Arc<View>>) -> Answer {
        let at = view.position();
        let body = match listing.is_whole() {
            true => whole(listing.take()),
            false => in_parts(Parts::new(Guard::into_inner(view), listing)),
        };
        self.success(body, StatusCode::OK, at)
    }

    /// A watch has begun here; its lines follow.
    pub fn watching(&self, events: Events, first: u64, at: Position) -> Answer {
        let mut answer = self.success(in_parts(events), StatusCode::OK, at);
        answer.headers_mut().insert(HISTORY_FIRST, first.into());
        answer
    }

    /// The tree refused.
    pub fn fault(&self, fault: &Fault) -> Answer {
        self.error(&fault.into())
    }

    /// The parameters are wrong.
    pub fn form_error(&self, error: &FormError) -> Answer {
        let message = match error.code {
            201 => "PrevValue is Required in POST form",
            202 => "The given TTL in POST form is not a number",
            203 => "The given index in POST form is not a number",
            210 => INVALID_FORM,
            211 => "Value provided on refresh",
            212 => "A TTL must be provided on refresh",
            _ => INVALID_FIELD,
        };
        self.error(&Words::new(StatusCode::BAD_REQUEST, error.code, message, error.cause.as_str()))
    }

    /// It certainly did not happen.
    pub fn refused(&self, refused: &Refused) -> Answer {
        let mut answer = self.error(&words(refused));
        match refused {
            Refused::Tree { .. } => answer,
            Refused::Cleared(cleared) => {
                answer.headers_mut().insert(HISTORY_FIRST, cleared.first.into());
                answer
            }
            _ => refusing(answer),
        }
    }

    /// Nobody can say whether it happened.
    pub fn lost(&self, lost: Lost) -> Answer {
        tracing::debug!("a write was lost: {lost}");
        let mut answer = self.error(&Words::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            300,
            RAFT_ERROR,
            "etcdserver: request timed out",
        ));
        answer.headers_mut().insert(OUTCOME, HeaderValue::from_static("unknown"));
        answer
    }

    /// A bound that all requests together exceed.
    pub fn over_bound(&self, bound: &str) -> Answer {
        refusing(self.error(&Words::new(
            StatusCode::SERVICE_UNAVAILABLE,
            300,
            RAFT_ERROR,
            format!("over the bound {bound}"),
        )))
    }

    /// A body did not arrive in time: 408, and the connection ends.
    pub fn late_body(&self) -> Answer {
        let mut answer = refusing(self.error(&Words::new(
            StatusCode::REQUEST_TIMEOUT,
            210,
            INVALID_FORM,
            "the body did not arrive in time",
        )));
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn success(&self, body: Contents, status: StatusCode, at: Position) -> Answer {
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        self.mark(&mut answer, at.store_index);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(RAFT_INDEX, at.raft_index.into());
        headers.insert(RAFT_TERM, at.raft_term.into());
        answer
    }

    fn error(&self, words: &Words<'_>) -> Answer {
        let mut answer = plain(words.status, JSON, words.line());
        self.mark(&mut answer, words.index);
        answer
    }

    fn mark(&self, answer: &mut Answer, index: u64) {
        let headers = answer.headers_mut();
        headers.insert(CLUSTER_ID, self.cluster.clone());
        headers.insert(ETCD_INDEX, index.into());
    }

    /// An answer about the cluster: it bears its id, too.
    pub fn of_cluster(&self, mut answer: Answer) -> Answer {
        answer.headers_mut().insert(CLUSTER_ID, self.cluster.clone());
        answer
    }
}

/// A JSON answer on a line of its own.
pub fn json_line(body: &impl Serialize) -> Answer {
    plain(StatusCode::OK, JSON, line(body))
}

/// A JSON answer.
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
    Response::new(whole(Bytes::new()))
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

/// Says that what was asked for certainly did not happen, and when to try again if
/// that may help.
fn refusing(mut answer: Answer) -> Answer {
    let unavailable = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = answer.headers_mut();
    headers.insert(OUTCOME, HeaderValue::from_static("refused"));
    if unavailable {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn plain(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
