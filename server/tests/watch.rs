//! Watches on the wire.

mod common;

use std::io::Write as _;
use std::net::TcpStream;

use common::{Client, Cluster, Watcher};

const EVERYTHING: &str = "/v2/keys/?wait=true&recursive=true&stream=true";

fn set(client: &mut Client, key: &str, value: &str) -> String {
    let answer = client.put(&format!("/v2/keys{key}"), &format!("value={value}")).unwrap();
    assert!(answer.status < 300, "{}", answer.body);
    answer.body.trim_end().to_owned()
}

fn next(watcher: &mut Watcher) -> String {
    watcher.line().unwrap().expect("it goes on")
}

fn ended(watcher: &mut Watcher) {
    assert_eq!(watcher.line().unwrap(), None);
}

#[test]
fn headers_come_at_once_and_a_long_poll_ends_with_one_event() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    set(&mut client, "/a", "1");
    let mut watcher = cluster.members[0].watch("/v2/keys/a?wait=true");
    let head = &watcher.head;
    assert_eq!((head.status, head.header("x-etcd-index")), (200, Some("4")));
    assert_eq!(head.header("x-etcd-history-first"), Some("1"));
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert!(head.header("x-raft-index").is_some() && head.header("x-raft-term").is_some());
    set(&mut client, "/b", "2");
    let written = set(&mut client, "/a", "3");
    set(&mut client, "/a", "4");
    assert_eq!(next(&mut watcher), written, "as its writer was told");
    ended(&mut watcher);
}

#[test]
fn a_stream_shows_everything_from_the_past_on_as_it_was_told() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    let mut told: Vec<String> = ["1", "2"].map(|value| set(&mut client, "/d/a", value)).into();
    let mut watcher = cluster.members[0].watch(&format!("{EVERYTHING}&waitIndex=4"));
    told.push(set(&mut client, "/d/b", "3"));
    set(&mut client, "/d/_hidden", "4");
    let refresh = client.put("/v2/keys/d/a", "refresh=true&ttl=100").unwrap();
    assert_eq!(refresh.status, 200, "{}", refresh.body);
    let below = cluster.members[0].watch("/v2/keys/d/deep/down?wait=true");
    told.push(client.delete("/v2/keys/d?recursive=true").unwrap().body.trim_end().to_owned());
    for line in &told {
        assert_eq!(next(&mut watcher), *line);
    }
    let mut below = below;
    assert_eq!(Some(&next(&mut below)), told.last());
    ended(&mut below);
}

#[test]
fn what_has_left_the_window_is_refused_with_its_first_index() {
    let mut cluster = Cluster::new(1);
    cluster.members[0].flag("--history-events", "2");
    cluster.start_all();
    let mut client = cluster.members[0].client();
    (0..4).for_each(|_| drop(set(&mut client, "/a", "x")));
    let answer = client.get("/v2/keys/a?wait=true&waitIndex=5").unwrap();
    assert_eq!((answer.status, answer.header("x-etcd-history-first")), (400, Some("6")));
    assert_eq!(
        answer.body.trim_end(),
        r#"{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [6/5]","index":7}"#
    );
    let mut watcher = cluster.members[0].watch("/v2/keys/a?wait=true&waitIndex=6");
    assert!(next(&mut watcher).contains("\"modifiedIndex\":6"));
}

#[test]
fn a_watch_may_begin_with_what_is_there() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    set(&mut client, "/d/a", "1");
    let path = "/v2/keys/d?wait=true&recursive=true&stream=true&initial=true";
    let mut watcher = cluster.members[0].watch(path);
    let listing = client.get("/v2/keys/d?recursive=true").unwrap().body;
    assert_eq!(next(&mut watcher), listing.trim_end());
    let told = set(&mut client, "/d/a", "2");
    assert_eq!(next(&mut watcher), told);
    assert_eq!(client.get("/v2/keys/x?wait=true&initial=true").unwrap().status, 404);
}

/// The client sends its request and reads nothing until the end: no event is kept
/// for it beyond the window.
#[test]
fn a_watch_that_is_too_slow_is_told_where_it_stopped() {
    let mut cluster = Cluster::new(1);
    cluster.members[0].flag("--history-events", "4");
    cluster.start_all();
    let member = &cluster.members[0];
    let mut watcher = member.watch(EVERYTHING);
    let mut client = member.client();
    let value = "x".repeat(1 << 20);
    (0..64).for_each(|_| drop(set(&mut client, "/a", &value)));
    let (mut shown, mut last) = (0_u64, String::new());
    while let Some(line) = watcher.line().unwrap() {
        assert!(!last.contains("errorCode"), "something behind the last line");
        if line.contains("\"action\":\"set\"") {
            shown += 1;
            assert!(line.contains(&format!("\"modifiedIndex\":{}", 3 + shown)), "skipped");
        }
        last = line;
    }
    let cleared = format!("cleared [64/{}]\",\"index\":67}}", 4 + shown);
    assert!(last.ends_with(&cleared), "{last}");
}

#[test]
fn a_client_that_goes_takes_its_watch_with_it() {
    let cluster = Cluster::start(1);
    let member = &cluster.members[0];
    let mut client = member.client();
    let mut watching = |wanted: usize| {
        let begin = std::time::Instant::now();
        let wanted = format!("\"watchers\":{wanted}}}");
        while !client.get("/v2/stats/store").unwrap().body.ends_with(&wanted) {
            assert!(begin.elapsed() < common::PATIENCE, "not {wanted}");
        }
    };
    let open: Vec<Watcher> = (0..50).map(|_| member.watch(EVERYTHING)).collect();
    watching(50);
    drop(open);
    watching(0);
    let mut half = TcpStream::connect(&member.address).unwrap();
    half.write_all(format!("GET {EVERYTHING} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    watching(1);
    half.shutdown(std::net::Shutdown::Both).unwrap();
    watching(0);
}

#[test]
fn watches_have_a_bound_and_end_with_the_server() {
    let mut cluster = Cluster::new(1);
    cluster.members[0].flag("--max-watches", "2");
    cluster.start_all();
    let mut open: Vec<Watcher> = (0..2).map(|_| cluster.members[0].watch(EVERYTHING)).collect();
    let mut client = cluster.members[0].client();
    set(&mut client, "/a", "1");
    open.iter_mut().for_each(|watcher| drop(next(watcher)));
    let mut third = cluster.members[0].watch(EVERYTHING);
    assert!(next(&mut third).contains("over the bound max_watches"));
    ended(&mut third);
    assert!(cluster.members[0].terminate().success());
    open.iter_mut().for_each(ended);
}

#[test]
fn a_watch_of_a_key_that_cannot_be_does_not_wait() {
    let mut cluster = Cluster::new(1);
    cluster.members[0].flag("--max-key-bytes", "9");
    cluster.members[0].flag("--max-key-depth", "2");
    cluster.start_all();
    for (key, bound) in [("/123456789", "max_key_bytes"), ("/a/b/c", "max_key_depth")] {
        let mut watcher = cluster.members[0].watch(&format!("/v2/keys{key}?wait=true&stream=true"));
        let line = format!(
            r#"{{"errorCode":209,"message":"Invalid field","cause":"over the bound {bound}","index":0}}"#
        );
        assert_eq!(next(&mut watcher).trim_end(), line);
        ended(&mut watcher);
    }
}

#[test]
fn the_window_outlives_a_restart_and_is_the_same_on_every_member() {
    let mut cluster = Cluster::start(3);
    let mut told = Vec::new();
    for at in 0..6 {
        let mut client = cluster.members[at % 3].client();
        told.push(set(&mut client, "/d/a", &at.to_string()));
    }
    cluster.members[2].kill();
    // It may have led: until another does, writes are refused at once.
    cluster.members[0].wait_until_healthy();
    told.push(set(&mut cluster.members[0].client(), "/d/a", "last"));
    cluster.members[2].start();
    cluster.members[2].wait_until_healthy();
    for member in &cluster.members {
        let mut watcher = member.watch(&format!("{EVERYTHING}&waitIndex=8"));
        for line in &told {
            assert_eq!(next(&mut watcher), *line, "{}", member.name);
        }
    }
}
