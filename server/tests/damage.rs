//! Damaged data directories: what was once durable is never guessed, and what
//! was never acknowledged is in nobody's way.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Cluster, Member, assert_refused};

/// Bytes of a segment's header: the first batch follows it.
const SEGMENT_HEADER: usize = 72;

const WRITES: usize = 5;

/// One member that has acknowledged some writes, one batch each, and stopped.
fn stopped_after_writes() -> Cluster {
    let mut cluster = Cluster::start(1);
    let member = &mut cluster.members[0];
    let mut client = member.client();
    for number in 0..WRITES {
        let answer = client.put(&format!("/v2/keys/k{number}"), &format!("value={number}"));
        assert_eq!(answer.unwrap().status, 201);
    }
    assert!(member.terminate().success());
    cluster
}

/// The only log segment: its path and its bytes.
fn segment(member: &Member) -> (PathBuf, Vec<u8>) {
    let files = member.files();
    let mut segments = files.into_iter().filter(|(name, _)| name.starts_with("wal-"));
    let (name, bytes) = segments.next().expect("a segment");
    assert!(segments.next().is_none(), "one segment holds it all");
    (member.data_dir.join(name), bytes)
}

fn assert_serves_all(member: &Member) {
    let mut client = member.client();
    for number in 0..WRITES {
        let answer = client.get(&format!("/v2/keys/k{number}")).unwrap();
        assert!(answer.body.contains(&format!("\"value\":\"{number}\"")), "{}", answer.body);
    }
}

#[test]
fn a_flipped_byte_in_an_early_batch_is_refused_and_left_alone() {
    let cluster = stopped_after_writes();
    let member = &cluster.members[0];
    let (path, bytes) = segment(member);
    for at in [SEGMENT_HEADER, SEGMENT_HEADER + 30] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let before = member.files();
        let file = path.file_name().unwrap().to_str().unwrap();
        let complaint = format!("{file} is damaged from byte {SEGMENT_HEADER} on");
        assert_refused(&member.run_to_end(), &complaint);
        assert_eq!(member.files(), before, "byte {at}");
    }
}

#[test]
fn a_torn_tail_is_cut_and_nothing_acknowledged_goes_with_it() {
    let mut cluster = stopped_after_writes();
    let member = &mut cluster.members[0];
    let (path, mut bytes) = segment(member);
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let end = end.next_multiple_of(8);
    // The beginning of a batch that was being written, and something else.
    let first_batch = SEGMENT_HEADER..SEGMENT_HEADER + 28;
    bytes.copy_within(first_batch, end);
    bytes[end + 28..end + 60].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    member.start();
    member.wait_until_healthy();
    assert_serves_all(member);
    let index = member.client().put("/v2/keys/after", "value=1").unwrap();
    let expected = (3 + WRITES + 1).to_string();
    assert_eq!(index.header("x-etcd-index"), Some(expected.as_str()));
    member.kill();
    member.start();
    member.wait_until_healthy();
    assert_serves_all(member);
    assert_eq!(member.client().get("/v2/keys/after").unwrap().status, 200);
}
