//! The store over HTTP against servers of a few bytes each, on loopback.

#![cfg(feature = "http")]

use std::time::Duration;

use quorate_recipes::http::Http;
use quorate_recipes::{Delete, Failure, Get, Post, Put, Refusal, Reply, Request, Store, Watch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Reads one request: its first line and its body.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.expect("readable");
        text += std::str::from_utf8(&bytes[..read]).expect("text");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().expect("a number")) {
            return format!("{} | {body}", head.lines().next().expect("a line"));
        }
    }
}

/// A server that answers each connection's only request with the next of these
/// texts, and hangs up; what it was asked comes out at the end.
async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            asked.push(request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.expect("writable");
        }
        asked
    });
    (url, serving)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

const NODE: &str = r#"{"action":"set","node":{"key":"/a","value":"1","ttl":5,"modifiedIndex":7,"createdIndex":6}}"#;

#[tokio::test]
async fn requests_are_written_as_etcd_reads_them() {
    let created = answer("201 Created", "X-Etcd-Index: 9\r\n", NODE);
    let (url, serving) = server(vec![created; 8]).await;
    let store = Http::new([format!("{url}/")]).unwrap();
    let (key, value) = (String::from("/a b/ü%?#"), String::from("x&y=z +\n"));
    let requests: [Request; 8] = [
        Get { key: key.clone(), recursive: true, local: false }.into(),
        Get { key: "/".into(), recursive: false, local: true }.into(),
        Put { key: key.clone(), value: Some(value.clone()), ttl: Some(3), ..Put::default() }.into(),
        Put { prev_exist: Some(true), dir: true, ..Put { key: "/d".into(), ..Put::default() } }
            .into(),
        Put {
            key: "/a".into(),
            refresh: true,
            prev_index: Some(4),
            ttl: Some(5),
            ..Put::default()
        }
        .into(),
        Post { key: "/q".into(), value: value.clone(), ttl: None }.into(),
        Delete { key: "/a".into(), prev_value: Some(value), ..Delete::default() }.into(),
        Watch { key: "/a".into(), recursive: true, wait_index: 8, patience_ms: 5_000 }.into(),
    ];
    for request in requests {
        let reply = store.request(request).await.unwrap();
        let node = reply.node.unwrap();
        assert_eq!((reply.action.as_str(), reply.index), ("set", 9));
        assert_eq!(
            (node.text(), node.ttl, node.modified_index, node.created_index),
            ("1", Some(5), 7, 6)
        );
    }
    let path = "/v2/keys/a%20b/%C3%BC%25%3F%23";
    let form = "value=x%26y%3Dz+%2B%0A";
    assert_eq!(
        serving.await.unwrap(),
        [
            format!("GET {path}?recursive=true&quorum=true HTTP/1.1 | "),
            "GET /v2/keys/?consistency=local HTTP/1.1 | ".into(),
            format!("PUT {path} HTTP/1.1 | {form}&ttl=3"),
            "PUT /v2/keys/d HTTP/1.1 | dir=true&prevExist=true".into(),
            "PUT /v2/keys/a HTTP/1.1 | refresh=true&ttl=5&prevIndex=4".into(),
            format!("POST /v2/keys/q HTTP/1.1 | {form}"),
            "DELETE /v2/keys/a?prevValue=x%26y%3Dz+%2B%0A HTTP/1.1 | ".into(),
            "GET /v2/keys/a?wait=true&waitIndex=8&recursive=true HTTP/1.1 | ".into(),
        ]
    );
}

#[tokio::test]
async fn a_failure_says_what_is_known_about_the_write() {
    let error = |code: u16, cause: &str| {
        format!(r#"{{"errorCode":{code},"message":"M","cause":"{cause}","index":3}}"#)
    };
    let refused = "X-Quorate-Outcome: refused\r\nX-Etcd-Index: 3\r\n";
    let unknown = "X-Quorate-Outcome: unknown\r\n";
    let index = "X-Etcd-Index: 3\r\n";
    let put = || Put { key: "/a".into(), value: Some("1".into()), ..Put::default() }.into();
    let (url, _serving) = server(vec![
        answer("412 Precondition Failed", index, &error(101, "[4 != 5]")),
        answer("400 Bad Request", refused, &error(209, "over the bound")),
        answer("404 Not Found", "", "404 page not found\n"),
        answer("503 Service Unavailable", refused, &error(301, "no leader")),
        answer("500 Internal Server Error", unknown, &error(300, "timed out")),
        answer("500 Internal Server Error", "", &error(300, "etcd does not say")),
        answer("502 Bad Gateway", "", "<html>"),
        answer("200 OK", "", "no json"),
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf".into(),
        String::new(),
    ])
    .await;
    let store = Http::new([url]).unwrap();
    let refusal = |code, message: &str, cause: &str, index| {
        Err(Failure::Refused(Refusal { code, message: message.into(), cause: cause.into(), index }))
    };
    assert_eq!(store.request(put()).await, refusal(101, "M", "[4 != 5]", 3));
    assert_eq!(store.request(put()).await, refusal(209, "M", "over the bound", 3));
    assert_eq!(store.request(put()).await, refusal(0, "404 Not Found", "404 page not found\n", 0));
    assert!(matches!(store.request(put()).await, Err(Failure::NotDone(_))));
    for _ in 0..6 {
        let answer = store.request(put()).await;
        assert!(matches!(answer, Err(Failure::Unknown(_))), "{answer:?}");
    }
    // Nobody listens any more.
    assert!(matches!(store.request(put()).await, Err(Failure::NotDone(_))));
}

#[tokio::test]
async fn the_next_member_is_asked_after_a_failure() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (url, serving) = server(vec![answer("200 OK", "X-Etcd-Index: 9\r\n", NODE); 2]).await;
    let store = Http::new([format!("http://{gone}"), url]).unwrap();
    let get = || Get { key: "/a".into(), ..Get::default() }.into();
    assert!(matches!(store.request(get()).await, Err(Failure::NotDone(_))));
    store.request(get()).await.unwrap();
    store.request(get()).await.unwrap();
    assert_eq!(serving.await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_quiet_watch_ends_with_its_patience_and_tells_its_index() {
    let head = "HTTP/1.1 200 OK\r\nX-Etcd-Index: 41\r\nTransfer-Encoding: chunked\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // Until the client hangs up.
        stream.read_u8().await.unwrap_err();
    });
    let store = Http::new([url]).unwrap();
    let watch = Watch { key: "/a".into(), recursive: false, wait_index: 8, patience_ms: 100 };
    let reply = store.request(watch.into()).await;
    assert_eq!(reply, Ok(Reply { index: 41, ..Reply::default() }));
    tokio::time::timeout(Duration::from_secs(30), serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_watch_that_cannot_go_on_says_so_behind_its_200() {
    let ended = |code| {
        let line =
            format!("{{\"errorCode\":{code},\"message\":\"M\",\"cause\":\"C\",\"index\":50}}\n");
        answer("200 OK", "X-Etcd-Index: 41\r\n", &line)
    };
    let (url, _serving) = server([401, 209, 300, 301].map(ended).to_vec()).await;
    let store = Http::new([url]).unwrap();
    let watch = Watch { key: "/a".into(), recursive: true, wait_index: 8, patience_ms: 5_000 };
    for code in [401, 209] {
        let refusal = Refusal { code, message: "M".into(), cause: "C".into(), index: 50 };
        let answer = store.request(watch.clone().into()).await;
        assert_eq!(answer, Err(Failure::Refused(refusal)));
    }
    for _ in 0..2 {
        let answer = store.request(watch.clone().into()).await;
        assert!(matches!(answer, Err(Failure::Unknown(_))), "{answer:?}");
    }
}

#[test]
fn endpoints_are_checked() {
    for wrong in ["", "127.0.0.1:2379", "https://h:1", "http://", "http://h:1/x", "http://h h"] {
        let line = Http::new([wrong]).unwrap_err();
        assert!(line.contains("http://host:port") && !line.contains('\n'), "{line}");
    }
    assert!(Http::new([""; 0]).unwrap_err().contains("no endpoints"));
    Http::new(["http://h:1", "http://[::1]:2/", "http://h"]).unwrap();
}
