//! The most that hyper can do on this machine: it answers every GET with one
//! recorded answer and every PUT with another, as `ci/bench` gives them.
//!
//! `bare ADDRESS GET-ANSWER PUT-ANSWER`, the answers being files as recorded.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Answer = Response<Full<Bytes>>;

/// What is answered.
#[derive(Clone)]
struct Answers {
    get: Answer,
    put: Answer,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, get, put] = &args[..] else {
        return Err("usage: bare ADDRESS GET-ANSWER PUT-ANSWER".into());
    };
    let answers = Arc::new(Answers { get: recorded(get)?, put: recorded(put)? });
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, answers.clone()));
    }
}

/// An answer from a file; what hyper adds by itself is left to it.
fn recorded(path: &str) -> Result<Answer, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no body")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
    let mut answer = Response::builder().status(status);
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("not a header")?;
        let name: HeaderName = name.parse()?;
        if ![CONTENT_LENGTH, DATE, CONNECTION].contains(&name) {
            answer = answer.header(name, value);
        }
    }
    Ok(answer.body(Full::from(body.to_owned()))?)
}

async fn converse(stream: TcpStream, answers: Arc<Answers>) {
    // As the real server: slower without it, not wrong.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, &answers));
    let connection = http1::Builder::new()
        .pipeline_flush(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        eprintln!("a connection ended: {error}");
    }
}

async fn answer(request: Request<Incoming>, answers: &Answers) -> Result<Answer, Infallible> {
    if request.method() != Method::PUT {
        return Ok(answers.get.clone());
    }
    // A body that breaks off ends the connection by itself.
    let _ = request.into_body().collect().await;
    Ok(answers.put.clone())
}
