//! What strangers do at the peers' port, and what members do without each other.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Cluster, PATIENCE};
use quorate_engine::message::PROTOCOL_VERSION;

/// A frame as members send it.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    frame.extend(crc32c::crc32c(payload).to_le_bytes());
    frame.extend(payload);
    frame
}

/// A greeting of a member 2 of cluster 1, who looks for member 3.
fn greeting() -> Vec<u8> {
    let mut greeting = b"qrt2".to_vec();
    greeting.extend(PROTOCOL_VERSION.to_le_bytes());
    [1u64, 1_000, 2, 3].iter().for_each(|id| greeting.extend(id.to_le_bytes()));
    greeting
}

#[test]
fn strangers_lose_their_connection_and_nothing_else_happens() {
    let cluster = Cluster::start(1);
    let member = &cluster.members[0];
    let mut wrong_checksum = frame(&greeting());
    wrong_checksum[5] ^= 1;
    for (bytes, complaint) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "a frame of"),
        (wrong_checksum, "wrong checksum"),
        (frame(&[7; 32]), "not a member of a Quorate cluster"),
        (frame(&greeting()), "it belongs to cluster 1"),
        (vec![1, 0], "closed within a frame"),
    ] {
        let mut stream = TcpStream::connect(&member.peer_address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Closed, with or without an answer; a reset is a close, too.
        let _ = stream.read_to_end(&mut Vec::new());
        let begin = Instant::now();
        while !member.log().contains(complaint) {
            assert!(begin.elapsed() < PATIENCE, "no {complaint:?} in:\n{}", member.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(member.client().put("/v2/keys/a", "value=1").unwrap().status, 201);
}

#[test]
fn a_member_without_a_majority_refuses_at_once_and_serves_again_with_one() {
    let mut cluster = Cluster::start(3);
    let mut client = cluster.members[0].client();
    assert_eq!(client.put("/v2/keys/a", "value=1").unwrap().status, 201);
    cluster.members[1].kill();
    cluster.members[2].kill();
    let begin = Instant::now();
    let refused = loop {
        let answer = client.put("/v2/keys/a", "value=2").unwrap();
        if answer.status == 503 {
            break answer;
        }
        // While it still believes in a leader, the outcome is not known.
        assert_eq!(answer.header("x-quorate-outcome"), Some("unknown"), "{answer:?}");
        assert!(begin.elapsed() < PATIENCE);
    };
    assert!(refused.body.contains("\"errorCode\":301"), "{}", refused.body);
    assert_eq!(refused.header("x-quorate-outcome"), Some("refused"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(client.get("/v2/keys/a").unwrap().status, 503);
    assert_eq!(client.get("/health").unwrap().body, "{\"health\":\"false\"}");
    assert_eq!(client.get("/v2/keys/a?consistency=local").unwrap().status, 200);
    cluster.members[1].start();
    cluster.members[1].wait_until_healthy();
    let answer = cluster.members[1].client().put("/v2/keys/a", "value=3").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    cluster.members[0].wait_until_healthy();
    assert!(client.get("/v2/keys/a").unwrap().body.contains("\"value\":\"3\""));
}

#[test]
fn members_with_another_history_window_are_told_apart() {
    let mut cluster = Cluster::new(2);
    cluster.members[1].flag("--history-events", "7");
    cluster.members.iter_mut().for_each(common::Member::start);
    let begin = Instant::now();
    let complaint = "--history-events is";
    while !cluster.members.iter().all(|member| member.log().contains(complaint)) {
        assert!(begin.elapsed() < PATIENCE, "no {complaint:?} in:\n{}", cluster.members[0].log());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(cluster.members[0].client().get("/health").unwrap().status, 503);
}

#[test]
fn what_others_have_agreed_upon_reaches_a_member_with_smaller_bounds() {
    let mut cluster = Cluster::new(3);
    cluster.members[2].flag("--max-body-bytes", "1000");
    cluster.members[..2].iter_mut().for_each(common::Member::start);
    cluster.members[..2].iter().for_each(common::Member::wait_until_healthy);
    let value = "x".repeat(4 << 20);
    let answer = cluster.members[0].client().put("/v2/keys/a", &format!("value={value}")).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    cluster.members[2].start();
    cluster.members[2].wait_until_healthy();
    assert!(cluster.members[2].client().get("/v2/keys/a").unwrap().body.contains(&value));
}
