//! The v2 API on the wire, request by request.

mod common;

use common::{Answer, Client, Cluster};

/// (method, path, form, status, body)
type Case = (&'static str, &'static str, Option<&'static str>, u16, &'static str);

fn check(client: &mut Client, cases: &[Case]) {
    for &(method, path, form, status, body) in cases {
        let answer = client.request(method, path, form).unwrap();
        let asked = format!("{method} {path} {form:?}");
        assert_eq!((answer.status, answer.body.trim_end()), (status, body), "{asked}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{asked}");
        if path.starts_with("/v2/keys") && body.starts_with('{') {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{asked}");
            assert!(answer.header("x-etcd-index").is_some(), "{asked}");
            assert_eq!(answer.header("x-raft-term").is_some(), status < 400, "{asked}");
        }
    }
}

#[test]
fn keys() {
    let cluster = Cluster::start(1);
    check(
        &mut cluster.members[0].client(),
        &[
            (
                "PUT",
                "/v2/keys/a",
                Some("value=1"),
                201,
                r#"{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}"#,
            ),
            (
                "PUT",
                "/v2/keys/a",
                Some("value=<2>"),
                200,
                r#"{"action":"set","node":{"key":"/a","value":"\u003c2\u003e","modifiedIndex":5,"createdIndex":5},"prevNode":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}"#,
            ),
            (
                "GET",
                "/v2/keys/a?quorum=false",
                None,
                200,
                r#"{"action":"get","node":{"key":"/a","value":"\u003c2\u003e","modifiedIndex":5,"createdIndex":5}}"#,
            ),
            (
                "GET",
                "/v2/keys/a?consistency=local",
                None,
                200,
                r#"{"action":"get","node":{"key":"/a","value":"\u003c2\u003e","modifiedIndex":5,"createdIndex":5}}"#,
            ),
            ("HEAD", "/v2/keys/a", None, 200, ""),
            (
                "PUT",
                "/v2/keys/a?prevExist=false&value=3",
                None,
                412,
                r#"{"errorCode":105,"message":"Key already exists","cause":"/a","index":5}"#,
            ),
            (
                "PUT",
                "/v2/keys/a?prevIndex=5",
                Some("value=3"),
                200,
                r#"{"action":"compareAndSwap","node":{"key":"/a","value":"3","modifiedIndex":6,"createdIndex":5},"prevNode":{"key":"/a","value":"\u003c2\u003e","modifiedIndex":5,"createdIndex":5}}"#,
            ),
            (
                "PUT",
                "/v2/keys/a",
                Some("value=4&prevValue=x&prevIndex=9"),
                412,
                r#"{"errorCode":101,"message":"Compare failed","cause":"[x != 3] [9 != 6]","index":6}"#,
            ),
            (
                "PUT",
                "/v2/keys/d/e/f",
                Some("value=&noValueOnSuccess=true"),
                201,
                r#"{"action":"set"}"#,
            ),
            (
                "GET",
                "/v2/keys/d?recursive=true",
                None,
                200,
                r#"{"action":"get","node":{"key":"/d","dir":true,"nodes":[{"key":"/d/e","dir":true,"nodes":[{"key":"/d/e/f","value":"","modifiedIndex":7,"createdIndex":7}],"modifiedIndex":7,"createdIndex":7}],"modifiedIndex":7,"createdIndex":7}}"#,
            ),
            (
                "GET",
                "/v2/keys//d/./x/../e//",
                None,
                200,
                r#"{"action":"get","node":{"key":"/d/e","dir":true,"nodes":[{"key":"/d/e/f","value":"","modifiedIndex":7,"createdIndex":7}],"modifiedIndex":7,"createdIndex":7}}"#,
            ),
            (
                "GET",
                "/v2/keys",
                None,
                200,
                r#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","value":"3","modifiedIndex":6,"createdIndex":5},{"key":"/d","dir":true,"modifiedIndex":7,"createdIndex":7}]}}"#,
            ),
            (
                "DELETE",
                "/v2/keys/d",
                None,
                403,
                r#"{"errorCode":102,"message":"Not a file","cause":"/d","index":7}"#,
            ),
            (
                "DELETE",
                "/v2/keys/d?dir=true",
                None,
                403,
                r#"{"errorCode":108,"message":"Directory not empty","cause":"/d","index":7}"#,
            ),
            (
                "DELETE",
                "/v2/keys/d?recursive=true",
                None,
                200,
                r#"{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":8,"createdIndex":7},"prevNode":{"key":"/d","dir":true,"modifiedIndex":7,"createdIndex":7}}"#,
            ),
            (
                "DELETE",
                "/v2/keys/a?prevValue=3",
                None,
                200,
                r#"{"action":"compareAndDelete","node":{"key":"/a","modifiedIndex":9,"createdIndex":5},"prevNode":{"key":"/a","value":"3","modifiedIndex":6,"createdIndex":5}}"#,
            ),
            (
                "GET",
                "/v2/keys/a",
                None,
                404,
                r#"{"errorCode":100,"message":"Key not found","cause":"/a","index":9}"#,
            ),
            (
                "PUT",
                "/v2/keys/",
                Some("value=1"),
                400,
                r#"{"errorCode":107,"message":"Root is read only","cause":"/","index":9}"#,
            ),
        ],
    );
}

#[test]
fn refusals() {
    let cluster = Cluster::start(1);
    check(
        &mut cluster.members[0].client(),
        &[
            (
                "PUT",
                "/v2/keys/a?prevValue=",
                Some("value=1"),
                400,
                r#"{"errorCode":201,"message":"PrevValue is Required in POST form","cause":"\"prevValue\" cannot be empty","index":0}"#,
            ),
            (
                "GET",
                "/v2/keys/a?recursive=x",
                None,
                400,
                r#"{"errorCode":209,"message":"Invalid field","cause":"invalid value for \"recursive\"","index":0}"#,
            ),
            (
                "GET",
                "/v2/keys/%ff",
                None,
                400,
                r#"{"errorCode":210,"message":"Invalid POST form","cause":"invalid UTF-8 in the key","index":0}"#,
            ),
            (
                "PUT",
                "/v2/keys/a",
                Some("value=%ff"),
                400,
                r#"{"errorCode":210,"message":"Invalid POST form","cause":"invalid UTF-8 in a parameter","index":0}"#,
            ),
            (
                "DELETE",
                "/v2/keys/a",
                Some("prevValue=1"),
                404,
                r#"{"errorCode":100,"message":"Key not found","cause":"/a","index":3}"#,
            ),
            (
                "PUT",
                "/v2/keys/a",
                Some("ttl=5&refresh=true"),
                404,
                r#"{"errorCode":100,"message":"Key not found","cause":"/a","index":3}"#,
            ),
            (
                "PUT",
                "/v2/keys/a?ttl=9223372037",
                Some("value=1"),
                400,
                r#"{"errorCode":202,"message":"The given TTL in POST form is not a number","cause":"invalid value for \"ttl\"","index":0}"#,
            ),
            (
                "PUT",
                "/v2/keys/a",
                Some("ttl=x"),
                400,
                r#"{"errorCode":202,"message":"The given TTL in POST form is not a number","cause":"invalid value for \"ttl\"","index":0}"#,
            ),
            (
                "PUT",
                "/v2/keys/a?wait=true",
                Some("value=1"),
                400,
                r#"{"errorCode":209,"message":"Invalid field","cause":"\"wait\" can only be used with GET requests","index":0}"#,
            ),
            (
                "GET",
                "/v2/keys/a?initial=true",
                None,
                400,
                r#"{"errorCode":209,"message":"Invalid field","cause":"\"initial\" goes with \"wait\" and without \"waitIndex\"","index":0}"#,
            ),
            ("PATCH", "/v2/keys/a", None, 405, "Method Not Allowed"),
            ("OPTIONS", "/v2/keys/a", None, 200, ""),
            ("GET", "/v2/keysfoo", None, 404, "404 page not found"),
            ("GET", "/v2/machines/", None, 404, "404 page not found"),
            ("GET", "/", None, 404, "404 page not found"),
            (
                "POST",
                "/v2/members",
                None,
                501,
                r#"{"message":"not supported yet: POST of members"}"#,
            ),
            ("GET", "/v2/members/x", None, 404, r#"{"message":"Not found"}"#),
            ("GET", "/v2/auth/users", None, 501, r#"{"message":"not supported yet: /v2/auth"}"#),
            ("PUT", "/v2/stats/self", None, 405, "Method Not Allowed"),
            ("GET", "/health", None, 200, r#"{"health":"true"}"#),
        ],
    );
    let key = format!("/v2/keys/{}", "k".repeat(9_000));
    let answer = cluster.members[0].client().put(&key, "value=1").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("over the bound max_key_bytes"), "{}", answer.body);
    assert_eq!(answer.header("x-quorate-outcome"), Some("refused"));
}

#[test]
fn bodies_that_are_no_forms_or_too_large_are_refused() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    let body = "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nvalue=1";
    let answer = client.send(body, false).unwrap();
    assert!(answer.status == 400 && answer.body.contains("\"errorCode\":210"), "{answer:?}");
    assert_eq!(client.get("/v2/keys/a").unwrap().status, 404);
    let chunked = "PUT /v2/keys/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n4\r\nvalu\r\n3\r\ne=1\r\n0\r\n\r\n";
    assert_eq!(client.send(chunked, false).unwrap().status, 201);
    let large = format!("value={}", "x".repeat(10 << 20));
    let answer = client.put("/v2/keys/a", &large).unwrap();
    assert!(answer.status == 400 && answer.body.contains("http: POST too large"), "{answer:?}");
}

#[test]
fn the_cluster_describes_itself() {
    let cluster = Cluster::start(1);
    let member = &cluster.members[0];
    let mut client = member.client();
    let url = format!("http://{}", member.address);
    let members = client.get("/v2/members").unwrap();
    assert!(members.body.contains(&url), "{}", members.body);
    assert!(members.body.starts_with("{\"members\":[{\"id\":\""), "{}", members.body);
    assert!(members.body.contains("\"name\":\"n1\",\"peerURLs\":[\"http://127.0.0.1:"));
    assert!(members.header("x-etcd-cluster-id").is_some());
    assert!(client.get("/v2/members/leader").unwrap().body.contains(&url));
    assert_eq!(client.get("/v2/machines").unwrap().body, url);
    let own = client.get("/v2/stats/self").unwrap();
    assert!(own.body.contains("\"name\":\"n1\"") && own.body.contains("\"state\":\"StateLeader\""));
    let followers = client.get("/v2/stats/leader").unwrap();
    assert!(followers.body.ends_with("\"followers\":{}}"), "{}", followers.body);
    assert!(client.get("/version").unwrap().body.contains("\"etcdserver\":\"3.4"));
}

#[test]
fn a_member_tells_where_it_serves_before_the_cluster_has_heard_of_it() {
    let mut cluster = Cluster::new(3);
    cluster.members[0].start();
    let member = &cluster.members[0];
    let members = member.first_answer("/v2/members");
    let own = format!("\"clientURLs\":[\"http://{}\"]", member.address);
    assert_eq!(members.status, 200);
    assert!(members.body.contains("\"name\":\"n1\"") && members.body.contains(&own), "{members:?}");
    assert_eq!(members.body.matches("\"clientURLs\":[]").count(), 2, "{members:?}");
    assert_eq!(member.client().get("/health").unwrap().status, 503);
}

#[test]
fn statistics_count_what_was_done_and_nothing_else() {
    let cluster = Cluster::start(1);
    let mut client = cluster.members[0].client();
    for (method, path, form) in [
        ("PUT", "/v2/keys/a", Some("value=1")),
        ("PUT", "/v2/keys/a?prevIndex=9", Some("value=2")),
        ("POST", "/v2/keys/q", Some("value=1")),
        ("GET", "/v2/keys/a", None),
        ("GET", "/v2/keys/nothing", None),
        ("DELETE", "/v2/keys/a?prevValue=x", None),
        ("DELETE", "/v2/keys/a", None),
    ] {
        client.request(method, path, form).unwrap();
    }
    let watcher = cluster.members[0].watch("/v2/keys/a?wait=true");
    let counted = r#"{"getsSuccess":1,"getsFail":1,"setsSuccess":1,"setsFail":0,"deleteSuccess":1,"deleteFail":0,"updateSuccess":0,"updateFail":0,"createSuccess":1,"createFail":0,"compareAndSwapSuccess":0,"compareAndSwapFail":1,"compareAndDeleteSuccess":0,"compareAndDeleteFail":1,"expireCount":0,"watchers":1}"#;
    assert_eq!(client.get("/v2/stats/store").unwrap().body, counted);
    drop(watcher);
    let begin = std::time::Instant::now();
    while !client.get("/v2/stats/store").unwrap().body.ends_with("\"watchers\":0}") {
        assert!(begin.elapsed() < common::PATIENCE, "a watch whose client has gone stays");
    }
}

#[test]
fn bounds_can_be_set() {
    let mut cluster = Cluster::new(1);
    for (flag, value) in
        [("--max-key-bytes", "9"), ("--max-key-depth", "2"), ("--max-body-bytes", "12")]
    {
        cluster.members[0].flag(flag, value);
    }
    cluster.start_all();
    let mut client = cluster.members[0].client();
    for (path, form, answered) in [
        ("/v2/keys/12345678", "value=1", "\"action\":\"set\""),
        ("/v2/keys/123456789", "value=1", "over the bound max_key_bytes"),
        ("/v2/keys/a/b/c", "value=1", "over the bound max_key_depth"),
        ("/v2/keys/a", "value=1234567", "http: POST too large"),
    ] {
        let answer = client.put(path, form).unwrap();
        assert!(answer.body.contains(answered), "{path} {form}: {}", answer.body);
    }
    let answer = client.request("POST", "/v2/keys/a", Some("value=1")).unwrap();
    assert!(answer.body.contains("over the bound max_key_bytes"), "{}", answer.body);
}

#[test]
fn what_is_no_request_is_answered_before_the_connection_ends() {
    let cluster = Cluster::start(1);
    let long = "a".repeat(70_000);
    let many: String = (0..150).map(|at| format!("h{at}: 1\r\n")).collect();
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
    ] {
        let answer = cluster.members[0].client().send(&request, false).unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[test]
fn reads_are_local_by_default_if_a_flag_says_so() {
    let mut cluster = Cluster::new(3);
    cluster.members[0].flag("--read-consistency", "local");
    cluster.start_all();
    let mut client = cluster.members[0].client();
    assert_eq!(client.put("/v2/keys/a", "value=1").unwrap().status, 201);
    cluster.members[1..].iter_mut().for_each(common::Member::kill);
    cluster.members[0].wait_for("/v2/keys/a?quorum=true", |answer| answer.status == 503);
    let mut status = |query: &str| client.get(&format!("/v2/keys/a{query}")).unwrap().status;
    for (query, expected) in [
        ("", 200),
        ("?quorum=false", 200),
        ("?quorum=true", 503),
        ("?consistency=linearizable", 503),
    ] {
        assert_eq!(status(query), expected, "{query}");
    }
    let leads_nobody =
        |own: &Answer| own.body.contains("\"leader\":\"\"") && !own.body.contains("StateLeader");
    cluster.members[0].wait_for("/v2/stats/self", leads_nobody);
}

#[test]
fn three_members_serve_as_one() {
    let cluster = Cluster::start(3);
    for (at, member) in cluster.members.iter().enumerate() {
        let answer = member.client().put(&format!("/v2/keys/{at}"), "value=x").unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    for member in &cluster.members {
        let listing = member.client().get("/v2/keys").unwrap();
        assert_eq!(listing.body.matches("\"value\":\"x\"").count(), 3, "{}", listing.body);
    }
    for member in &cluster.members {
        let mut client = member.client();
        let told = (0..10).any(|_| {
            assert_eq!(client.put("/v2/keys/a", "value=x").unwrap().status / 100, 2);
            let own = client.get("/v2/stats/self").unwrap().body;
            let way = if own.contains("StateLeader") { "send" } else { "recv" };
            ["PkgRate", "BandwidthRate"].iter().all(|it| own.contains(&format!("\"{way}{it}\":")))
        });
        assert!(told, "a member that is busy tells its rates");
    }
}
