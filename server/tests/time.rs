//! Times to live and names in order on real processes.

mod common;

use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Client, Cluster};

fn put(client: &mut Client, key: &str, form: &str) -> String {
    let answer = client.put(&format!("/v2/keys{key}"), form).unwrap();
    assert!(answer.status < 300, "{}", answer.body);
    answer.body
}

#[test]
fn a_key_lives_as_long_as_it_is_told_to_and_its_watch_hears_of_the_end() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    let began = Instant::now();
    let body = put(&mut client, "/d/k", "value=1&ttl=1");
    assert!(body.contains("\"ttl\":1,") && body.contains("\"expiration\":\"20"), "{body}");
    let mut watcher = cluster.members[0].watch("/v2/keys/d?wait=true&recursive=true");
    let line = watcher.line().unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    let expired = r#"{"action":"expire","node":{"key":"/d/k","modifiedIndex":5,"createdIndex":4},"prevNode":{"key":"/d/k","value":"1","expiration":""#;
    assert!(line.starts_with(expired), "{line}");
    assert!(!line.contains("\"ttl\""), "nothing is left: {line}");
    assert_eq!(client.get("/v2/keys/d/k").unwrap().status, 404);
}

#[test]
fn a_refreshed_key_stays_and_one_without_ttl_stays_for_ever() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    put(&mut client, "/kept", "value=1&ttl=1");
    put(&mut client, "/ever", "value=1&ttl=1");
    let body = put(&mut client, "/ever", "value=2&ttl=&prevExist=true");
    assert!(body.starts_with(r#"{"action":"update","node":{"key":"/ever","value":"2","modifiedIndex":6,"createdIndex":5}"#), "{body}");
    for _ in 0..5 {
        sleep(Duration::from_millis(300));
        put(&mut client, "/kept", "refresh=true&prevExist=true&ttl=1");
    }
    for key in ["/kept", "/ever"] {
        assert_eq!(client.get(&format!("/v2/keys{key}")).unwrap().status, 200, "{key}");
    }
}

#[test]
fn expiration_reads_the_same_on_every_member_and_outlives_the_leader() {
    let mut cluster = Cluster::start(3);
    put(&mut cluster.members[0].client(), "/k", "value=1&ttl=100");
    let shown: Vec<String> = cluster
        .members
        .iter()
        .map(|member| {
            let body = member.client().get("/v2/keys/k").unwrap().body;
            let begin = body.find("\"expiration\"").expect("it is shown");
            body[begin..begin + 40].to_owned()
        })
        .collect();
    assert!(shown.iter().all(|it| *it == shown[0]), "{shown:?}");
    let began = Instant::now();
    put(&mut cluster.members[0].client(), "/short", "value=1&ttl=2");
    let leads = |client: &mut Client| client.get("/v2/stats/leader").unwrap().status == 200;
    let leader = cluster.members.iter().position(|member| leads(&mut member.client()));
    let leader = leader.expect("somebody leads");
    cluster.members[leader].kill();
    let mut client = cluster.members[(leader + 1) % 3].client();
    while client.get("/v2/keys/short").map_or(true, |answer| answer.status != 404) {
        assert!(began.elapsed() < common::PATIENCE, "it stays for ever");
        sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn names_in_order_rise_over_members_and_restarts() {
    let mut cluster = Cluster::start(3);
    let mut names = Vec::new();
    for round in 0..3 {
        for member in &cluster.members {
            let answer = member.client().request("POST", "/v2/keys/q", Some("value=x")).unwrap();
            assert_eq!(answer.status, 201, "{}", answer.body);
            let begin = answer.body.find("/q/").expect("a key") + 3;
            names.push(answer.body[begin..begin + 20].to_owned());
        }
        cluster.members[round].kill();
        cluster.members[round].start();
        cluster.members.iter().for_each(common::Member::wait_until_healthy);
    }
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let listing = cluster.members[0].client().get("/v2/keys/q?sorted=true").unwrap().body;
    let found: Vec<usize> = names.iter().map(|name| listing.find(name).expect("kept")).collect();
    assert!(found.is_sorted(), "{listing}");
}
