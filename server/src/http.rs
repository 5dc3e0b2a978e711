//! The clients' port: etcd's v2 API over HTTP/1.

mod answer;
mod body;
mod escape;
mod event;
mod form;
mod fuzzing;
mod json;
mod keys;
mod listing;
mod members;
mod stats;
mod watch;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use quorate_engine::{Attributes, NodeId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch as signal};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::flags::{Consistency, Flags};
use crate::keepalive::Patience;
use crate::node::Node;
use answer::{Answer, KeyAnswers};
use body::Bodies;
pub use fuzzing::request_parse;
use watch::Lines;

/// Client connections at once, beside those that `--max-watches` may take; more wait
/// to be accepted.
const MOST_CONNECTIONS: usize = 16_384;

/// How long a client may take over a request's head, idling before it included.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// How long a client may take over a request's body.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Who vanishes over a watch does not keep its place for ever.
const PATIENCE: Patience = Patience {
    idle: Duration::from_secs(30),
    probe_interval: Duration::from_secs(10),
    unacknowledged: None,
};

/// Bytes of bodies that are being read or whose requests wait for an answer.
const MAX_PENDING_BODY_BYTES: usize = 256 << 20;

/// What every connection shares.
#[derive(Debug)]
pub struct Server {
    /// The way to the engine.
    node: Node,
    /// This member's identity.
    id: NodeId,
    /// What it publishes of itself.
    attributes: Attributes,
    /// Whether reads that do not say are answered as this node stands.
    local_reads: bool,
    answers: KeyAnswers,
    bodies: Bodies,
    head_patience: Duration,
    /// Reads answered in this life.
    gets: Gets,
    /// Client connections at once.
    connections: usize,
    /// Watches open.
    watchers: Arc<AtomicU64>,
    /// What they have been shown lately.
    lines: Arc<Lines>,
}

/// How reads were answered.
#[derive(Debug, Default)]
struct Gets {
    success: AtomicU64,
    fail: AtomicU64,
}

impl Server {
    /// A server in front of this node.
    pub fn new(node: Node, flags: &Flags) -> Arc<Self> {
        let answers = KeyAnswers::new(flags.identity.cluster);
        let bodies = Bodies::new(flags.bounds.body_bytes, MAX_PENDING_BODY_BYTES, BODY_PATIENCE);
        Arc::new(Self {
            node,
            id: flags.identity.id,
            attributes: flags.attributes(),
            local_reads: flags.read_consistency == Consistency::Local,
            answers,
            bodies,
            head_patience: HEAD_PATIENCE,
            connections: MOST_CONNECTIONS + flags.bounds.watches,
            gets: Gets::default(),
            watchers: Arc::default(),
            lines: Arc::default(),
        })
    }

    /// tokio wakes a thread for every timer that is the next one due, and under load the
    /// timer of a request's head is: a nearer one that is always there saves that.
    pub async fn keep_a_timer_near() {
        loop {
            sleep(HEAD_PATIENCE / 30).await;
        }
    }

    /// Accepts clients for ever; each connection ends in good order when `stopping`
    /// changes, and drops its copy then.
    pub async fn listen(self: Arc<Self>, listener: TcpListener, stopping: signal::Receiver<()>) {
        let room = Arc::new(Semaphore::new(self.connections));
        loop {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (server, stopping) = (self.clone(), stopping.clone());
                    tokio::spawn(async move {
                        server.converse(stream, stopping).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!("cannot accept a client's connection: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn converse(self: Arc<Self>, stream: TcpStream, mut stopping: signal::Receiver<()>) {
        // Without it answers are only slower.
        let _ = stream.set_nodelay(true);
        if let Err(error) = PATIENCE.apply(&stream) {
            return debug!("a client's connection cannot be watched over: {error}");
        }
        let head_patience = self.head_patience;
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .title_case_headers(true)
            .timer(TokioTimer::new())
            .header_read_timeout(head_patience)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!("a client's connection ended: {error}");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answer = if request.method() == Method::OPTIONS {
            answer::empty()
        } else {
            self.route(request).await
        };
        answer::allow_all_origins(answer)
    }

    async fn route(&self, request: Request<Incoming>) -> Answer {
        let uri = request.uri().clone();
        let path = match escape::clean_path(uri.path()) {
            Ok(path) => path,
            Err(cause) => return self.answers.form_error(&form::FormError { code: 210, cause }),
        };
        if let Some(key) = below(&path, "/v2/keys") {
            return keys::serve(self, key, request).await;
        }
        let method = request.method();
        match &*path {
            "/v2/machines" => return members::machines(self, method),
            "/version" => return stats::version(method),
            "/health" => return stats::health(self, method).await,
            "/metrics" | "/debug/vars" | "/config/local/log" => return answer::not_yet(&path),
            _ => {}
        }
        if let Some(rest) = below(&path, "/v2/members") {
            return members::serve(self, method, rest);
        }
        if let Some(rest) = path.strip_prefix("/v2/stats/") {
            return stats::serve(self, method, rest).await;
        }
        let of_auth = ["/v2/auth/users", "/v2/auth/roles"];
        if path == "/v2/auth/enable" || of_auth.iter().any(|it| below(&path, it).is_some()) {
            return answer::not_yet("/v2/auth");
        }
        answer::not_found()
    }
}

/// What follows an endpoint in a path: nothing, or something after a slash.
fn below<'a>(path: &'a str, endpoint: &str) -> Option<&'a str> {
    path.strip_prefix(endpoint).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use quorate_engine::{Config, Engine, Image, Member};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::node::Word;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    const HEAD: &str = "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\n";

    /// A server with room for one body of the largest size, whose engine never
    /// answers.
    async fn server(head: Duration, body: Duration) -> (String, std::sync::mpsc::Receiver<Word>) {
        let (peer_urls, attributes) = (vec!["http://h:1".to_owned()], Default::default());
        let config = Config::new(1, 1, vec![Member { id: 1, peer_urls, attributes }]);
        let (engine, _) = Engine::recover(config, Image::new()).unwrap();
        let (node, inbox) = Node::new(engine.view());
        let server = Server {
            node,
            id: 1,
            attributes: Attributes::default(),
            local_reads: false,
            answers: KeyAnswers::new(1),
            bodies: Bodies::new(10 << 20, 10 << 20, body),
            head_patience: head,
            connections: MOST_CONNECTIONS,
            gets: Gets::default(),
            watchers: Arc::default(),
            lines: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (farewell, stopping) = signal::channel(());
        tokio::spawn(async move {
            Arc::new(server).listen(listener, stopping).await;
            drop(farewell);
        });
        (address, inbox)
    }

    async fn send(address: &str, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// All that comes until the server closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(LONG, stream.read_to_string(&mut text));
        read.await.expect("it closes").unwrap();
        text
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_or_half_a_head_is_let_go() {
        let (address, _inbox) = server(SHORT, LONG).await;
        for said in ["", "GET /version HTTP/1.1\r\nHost"] {
            let text = rest(send(&address, said).await).await;
            assert!(!text.contains("200 OK"), "{text}");
        }
        let idle = send(&address, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(rest(idle).await.starts_with("HTTP/1.1 200 OK"));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (address, _inbox) = server(LONG, SHORT).await;
        let text = rest(send(&address, &format!("{HEAD}Content-Length: 7\r\n\r\nval")).await).await;
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
        assert!(text.contains("X-Quorate-Outcome: refused"), "{text}");
    }

    #[tokio::test]
    async fn bodies_have_a_bound_together_until_their_requests_are_answered() {
        let (address, inbox) = server(LONG, LONG).await;
        let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n7\r\nvalue=1\r\n0\r\n\r\n");
        let first = send(&address, &chunked).await;
        let asked = tokio::task::spawn_blocking(move || {
            let word = inbox.recv_timeout(LONG).unwrap();
            (word, inbox)
        });
        let asked = asked.await.unwrap();
        let small = format!("{HEAD}Connection: close\r\nContent-Length: 7\r\n\r\nvalue=1");
        let text = rest(send(&address, &small).await).await;
        assert!(text.starts_with("HTTP/1.1 503"), "{text}");
        assert!(text.contains("over the bound max_pending_body_bytes"), "{text}");
        assert!(text.contains("X-Quorate-Outcome: refused"), "{text}");
        drop(asked);
        let mut answered = [0; 12];
        let mut first = first;
        first.read_exact(&mut answered).await.unwrap();
        assert_eq!(&answered, b"HTTP/1.1 500");
        let text = rest(send(&address, &small).await).await;
        assert!(!text.contains("max_pending_body_bytes"), "{text}");
    }
}
