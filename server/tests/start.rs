//! How the server starts, refuses to start, and comes back.

mod common;

use std::net::TcpListener;

use common::{Cluster, assert_refused, run_to_end};

#[test]
fn a_restart_keeps_what_was_written() {
    let mut cluster = Cluster::start(1);
    let member = &mut cluster.members[0];
    let first = member.client().put("/v2/keys/a", "value=1").unwrap();
    assert_eq!(first.status, 201);
    assert_eq!(
        first.body,
        "{\"action\":\"set\",\"node\":{\"key\":\"/a\",\"value\":\"1\",\"modifiedIndex\":4,\"createdIndex\":4}}\n"
    );
    member.kill();
    member.start();
    member.wait_until_healthy();
    let kept = member.client().get("/v2/keys/a").unwrap();
    assert!(kept.body.contains("\"value\":\"1\",\"modifiedIndex\":4"), "{}", kept.body);
    assert_eq!(
        member.client().put("/v2/keys/b", "value=2").unwrap().header("x-etcd-index"),
        Some("5")
    );
    assert!(member.terminate().success());
    member.start();
    member.wait_until_healthy();
    assert_eq!(member.client().get("/v2/keys/b").unwrap().status, 200);
    member.signal("INT");
    assert!(member.terminate().success());
}

#[test]
fn mistakes_in_flags_leave_no_trace() {
    for (flags, word) in [
        (["--nonsense"].as_slice(), "unexpected argument '--nonsense'"),
        (&["--listen-client-urls", "127.0.0.1:1"], "--listen-client-urls: URL"),
        (&["--listen-peer-urls=https://127.0.0.1:1"], "not supported yet"),
        (&["--initial-cluster", "x=http://127.0.0.1:1"], "\"default\""),
        (&["--cert-file=x"], "--cert-file is not supported yet"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let mut flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--data-dir={}", data_dir.display()));
        assert_refused(&run_to_end(&flags), word);
        assert!(!data_dir.exists(), "{flags:?}");
    }
}

#[test]
fn a_port_in_use_leaves_no_trace() {
    let cluster = Cluster::new(1);
    let member = &cluster.members[0];
    let taken = TcpListener::bind(&member.address).unwrap();
    assert_refused(&member.run_to_end(), "cannot listen on");
    assert!(!member.data_dir.exists());
    drop(taken);
}

#[test]
fn joining_a_running_cluster_is_not_supported_yet_and_leaves_no_trace() {
    let mut cluster = Cluster::new(1);
    let member = &mut cluster.members[0];
    member.flag("--initial-cluster-state", "existing");
    assert_refused(&member.run_to_end(), "joining a running cluster is not supported yet");
    assert!(!member.data_dir.exists());
    std::fs::create_dir(&member.data_dir).unwrap();
    assert_refused(&member.run_to_end(), "joining a running cluster is not supported yet");
    assert!(member.files().is_empty());
}

#[test]
fn a_data_directory_in_use_is_left_alone() {
    let cluster = Cluster::start(1);
    let mut other = Cluster::new(1);
    let data_dir = cluster.members[0].data_dir.display().to_string();
    other.members[0].flag("--data-dir", &data_dir);
    assert_refused(&other.members[0].run_to_end(), "in use by another process");
}

#[test]
fn a_data_directory_of_another_cluster_is_left_alone() {
    let mut cluster = Cluster::start(1);
    let member = &mut cluster.members[0];
    assert_eq!(member.client().put("/v2/keys/a", "value=1").unwrap().status, 201);
    assert!(member.terminate().success());
    let before = member.files();
    member.flag("--initial-cluster-token", "another");
    assert_refused(&member.run_to_end(), "the data belongs to member");
    assert_eq!(member.files(), before);
}
