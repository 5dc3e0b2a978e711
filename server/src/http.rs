//! The clients' port: etcd's v2 API over HTTP/1.

mod answer;
mod escape;
mod form;
mod json;
mod keys;
mod members;
mod stats;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::node::Node;
use answer::{Answer, KeyAnswers};

/// Client connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 16_384;

/// What every connection shares.
#[derive(Debug)]
pub struct Server {
    /// The way to the engine.
    node: Node,
    /// This member's name.
    name: String,
    /// Whether reads that do not say are answered as this node stands.
    local_reads: bool,
    answers: KeyAnswers,
}

impl Server {
    /// A server in front of this node.
    pub fn new(node: Node, name: String, cluster: u64, local_reads: bool) -> Arc<Self> {
        Arc::new(Self { node, name, local_reads, answers: KeyAnswers::new(cluster) })
    }

    /// Accepts clients for ever; each connection ends in good order when `stopping`
    /// changes, and drops its copy then.
    pub async fn listen(self: Arc<Self>, listener: TcpListener, stopping: watch::Receiver<()>) {
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
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

    async fn converse(self: Arc<Self>, stream: TcpStream, mut stopping: watch::Receiver<()>) {
        // Without it answers are only slower.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .pipeline_flush(true)
            .title_case_headers(true)
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
            "/metrics" => return answer::not_yet("/metrics"),
            _ => {}
        }
        if let Some(rest) = below(&path, "/v2/members") {
            return members::serve(self, method, rest);
        }
        if let Some(rest) = path.strip_prefix("/v2/stats/") {
            return stats::serve(self, method, rest).await;
        }
        for prefix in ["/v2/auth/", "/debug/", "/config/local/"] {
            if path.starts_with(prefix) {
                return answer::not_yet(prefix.trim_end_matches('/'));
            }
        }
        answer::not_found()
    }
}

/// What follows an endpoint in a path: nothing, or something after a slash.
fn below<'a>(path: &'a str, endpoint: &str) -> Option<&'a str> {
    path.strip_prefix(endpoint).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}
