//! A store over plain HTTP: etcd's v2 keys API of a list of members.
//!
//! One member is asked until it fails, then the next. What a failure means for a
//! write: a connection that was never made, or an answer that says so
//! (`X-Quorate-Outcome: refused`), and it did not happen; anything else that is not an
//! answer of the tree (a time-out, a broken connection, etcd's 500), and nobody can
//! say.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;

use crate::store::{Failure, Refusal, Reply, Request, Store, code};

/// How long to wait for an answer: a little longer than a server without quorum takes
/// to say so.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest body read.
const BODY_BYTES: usize = 64 << 20;
/// Everything in a key but what a path may hold as it is.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of a cluster.
#[derive(Debug)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoints: Vec<String>,
    current: Cell<usize>,
    began: Instant,
}

impl Http {
    /// A client of these members: URLs such as `http://127.0.0.1:2379`.
    ///
    /// # Errors
    /// One line, if there is none or one is not a plain HTTP URL.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, String> {
        let endpoints: Vec<String> = endpoints.into_iter().map(Into::into).collect();
        let is_odd = |url: &&String| {
            let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
            authority.is_none_or(|it| it.parse::<hyper::http::uri::Authority>().is_err())
        };
        if let Some(url) = endpoints.iter().find(is_odd) {
            return Err(format!("endpoint \"{url}\" is not of the form http://host:port"));
        }
        if endpoints.is_empty() {
            return Err("no endpoints given".into());
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let endpoints = endpoints.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Ok(Self { client, endpoints, current: Cell::new(0), began: Instant::now() })
    }

    /// Sends a request to the current member; waits for the head of the answer.
    async fn send(&self, request: &Request) -> Result<Response<Incoming>, Failure> {
        let (method, key, form) = form(request);
        let key = utf8_percent_encode(key.trim_start_matches('/'), KEY);
        let url = format!("{}/v2/keys/{key}", self.endpoints[self.current.get()]);
        let has_body = matches!(method, Method::PUT | Method::POST);
        let (url, body) = match has_body {
            true => (url, form),
            false => (format!("{url}?{form}"), String::new()),
        };
        let mut builder = hyper::Request::builder().method(method).uri(url);
        if has_body {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = builder.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| Failure::NotDone(error.to_string()))?;
        match timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(Failure::NotDone(chain(&error))),
            Ok(Err(error)) => Err(Failure::Unknown(chain(&error))),
            Err(_) => Err(Failure::Unknown(format!("no answer within {TIMEOUT:?}"))),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        let response = self.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let index = number(&headers, "x-etcd-index");
        let patience = match request {
            Request::Watch(watch) => Duration::from_millis(watch.patience_ms),
            _ => TIMEOUT,
        };
        let body = Limited::new(response.into_body(), BODY_BYTES).collect();
        let body = match timeout(patience, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => return Err(Failure::Unknown(error.to_string())),
            Err(_) if status.is_success() && matches!(request, Request::Watch(_)) => {
                return Ok(Reply { index, ..Reply::default() });
            }
            Err(_) => return Err(Failure::Unknown(format!("half an answer in {TIMEOUT:?}"))),
        };
        // A watch that waited and cannot go on says so behind its 200.
        if !status.is_success() || body.starts_with(b"{\"errorCode\":") {
            return Err(failure(status, &headers, &body));
        }
        match serde_json::from_slice(&body) {
            Ok(reply) => Ok(Reply { index, ..reply }),
            Err(error) => Err(Failure::Unknown(format!("an answer that is none: {error}"))),
        }
    }
}

impl Store for Http {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let answer = self.ask(&request).await;
        if let Err(Failure::NotDone(_) | Failure::Unknown(_)) = &answer {
            self.current.set((self.current.get() + 1) % self.endpoints.len());
        }
        answer
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// # Panics
    /// If the operating system has no randomness to give.
    fn random(&self) -> u64 {
        getrandom::u64().expect("the operating system gives randomness")
    }
}

/// Method, key and parameters of a request.
fn form(request: &Request) -> (Method, &str, String) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut set = |name: &str, value: &str| {
        form.append_pair(name, value);
    };
    let (method, key) = match request {
        Request::Get(get) => {
            flag(&mut set, "recursive", get.recursive);
            // etcd reads locally unless told otherwise, Quorate the other way round.
            match get.local {
                true => set("consistency", "local"),
                false => set("quorum", "true"),
            }
            (Method::GET, &get.key)
        }
        Request::Put(put) => {
            if let Some(value) = &put.value {
                set("value", value);
            }
            flag(&mut set, "dir", put.dir);
            flag(&mut set, "refresh", put.refresh);
            given(&mut set, "ttl", put.ttl);
            given(&mut set, "prevExist", put.prev_exist);
            given(&mut set, "prevValue", put.prev_value.as_ref());
            given(&mut set, "prevIndex", put.prev_index);
            (Method::PUT, &put.key)
        }
        Request::Post(post) => {
            set("value", &post.value);
            given(&mut set, "ttl", post.ttl);
            (Method::POST, &post.key)
        }
        Request::Delete(delete) => {
            flag(&mut set, "dir", delete.dir);
            flag(&mut set, "recursive", delete.recursive);
            given(&mut set, "prevValue", delete.prev_value.as_ref());
            given(&mut set, "prevIndex", delete.prev_index);
            (Method::DELETE, &delete.key)
        }
        Request::Watch(watch) => {
            set("wait", "true");
            set("waitIndex", &watch.wait_index.to_string());
            flag(&mut set, "recursive", watch.recursive);
            (Method::GET, &watch.key)
        }
    };
    (method, key, form.finish())
}

fn flag(set: &mut impl FnMut(&str, &str), name: &str, is_on: bool) {
    if is_on {
        set(name, "true");
    }
}

fn given(set: &mut impl FnMut(&str, &str), name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        set(name, &value.to_string());
    }
}

/// What an answer means that is no success.
fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Body {
        error_code: u16,
        message: String,
        cause: String,
        index: u64,
    }
    let Body { error_code: code, message, cause, index } = serde_json::from_slice(body)
        .unwrap_or_else(|_| Body {
            cause: String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned(),
            ..Body::default()
        });
    let refused = headers.get("x-quorate-outcome").is_some_and(|it| it == "refused");
    let is_passing = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || matches!(code, code::RAFT | code::ELECTION);
    match (is_passing, refused) {
        (true, true) => Failure::NotDone(format!("{status}: {message}: {cause}")),
        (true, false) => Failure::Unknown(format!("{status}: {message}: {cause}")),
        (false, _) => {
            let message = if message.is_empty() { status.to_string() } else { message };
            Failure::Refused(Refusal { code, message, cause, index })
        }
    }
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// An error with its causes: hyper's own words alone say little.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
