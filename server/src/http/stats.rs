//! `/v2/stats`, `/version` and `/health`: how this member is doing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use hyper::{Method, StatusCode};
use quorate_engine::{Outcome, Request, Role};
use serde::Serialize;

use super::Server;
use super::answer::{self, Answer};
use super::json;
use crate::statistics::{Follower, Latency};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelfBody<'a> {
    name: &'a str,
    id: String,
    state: &'static str,
    start_time: String,
    leader_info: LeaderInfo,
    recv_append_request_cnt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recv_pkg_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recv_bandwidth_rate: Option<f64>,
    send_append_request_cnt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_pkg_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_bandwidth_rate: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeaderInfo {
    leader: String,
    uptime: String,
    start_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoreBody {
    gets_success: u64,
    gets_fail: u64,
    sets_success: u64,
    sets_fail: u64,
    delete_success: u64,
    delete_fail: u64,
    update_success: u64,
    update_fail: u64,
    create_success: u64,
    create_fail: u64,
    compare_and_swap_success: u64,
    compare_and_swap_fail: u64,
    compare_and_delete_success: u64,
    compare_and_delete_fail: u64,
    expire_count: u64,
    watchers: u64,
}

#[derive(Serialize)]
struct LeaderBody {
    leader: String,
    followers: BTreeMap<String, FollowerBody>,
}

#[derive(Serialize)]
struct FollowerBody {
    latency: LatencyBody,
    counts: CountsBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LatencyBody {
    current: f64,
    average: f64,
    standard_deviation: f64,
    minimum: f64,
    maximum: f64,
}

#[derive(Serialize)]
struct CountsBody {
    fail: u64,
    success: u64,
}

/// Answers a request on `/v2/stats/` and below; `rest` is what follows it.
pub async fn serve(server: &Server, method: &Method, rest: &str) -> Answer {
    match rest {
        "self" | "leader" | "store" if *method != Method::GET => answer::method_not_allowed("GET"),
        "self" => own(server).await,
        "leader" => followers(server).await,
        "store" => store(server),
        _ => answer::not_found(),
    }
}

/// `/version`: etcd's clients look for the API they may use.
pub fn version(method: &Method) -> Answer {
    #[derive(Serialize)]
    struct Version {
        etcdserver: &'static str,
        etcdcluster: &'static str,
        quorate: &'static str,
    }
    if *method != Method::GET {
        return answer::method_not_allowed("GET");
    }
    let quorate = env!("CARGO_PKG_VERSION");
    answer::json(&Version { etcdserver: "3.4.0", etcdcluster: "3.4.0", quorate })
}

/// `/health`: whether a linearizable read succeeds here and now.
pub async fn health(server: &Server, method: &Method) -> Answer {
    if *method != Method::GET {
        return answer::method_not_allowed("GET");
    }
    match server.node.ask(Request::Read).await {
        Outcome::Done(_) => answer::text(StatusCode::OK, "{\"health\":\"true\"}"),
        _ => answer::text(StatusCode::SERVICE_UNAVAILABLE, "{\"health\":\"false\"}"),
    }
}

/// What was done to the tree in this life of the member, and what was read of it.
fn store(server: &Server) -> Answer {
    let counts = server.node.view().counts;
    answer::json(&StoreBody {
        gets_success: server.gets.success.load(Ordering::Relaxed),
        gets_fail: server.gets.fail.load(Ordering::Relaxed),
        sets_success: counts.set.success,
        sets_fail: counts.set.fail,
        delete_success: counts.delete.success,
        delete_fail: counts.delete.fail,
        update_success: counts.update.success,
        update_fail: counts.update.fail,
        create_success: counts.create.success,
        create_fail: counts.create.fail,
        compare_and_swap_success: counts.compare_and_swap.success,
        compare_and_swap_fail: counts.compare_and_swap.fail,
        compare_and_delete_success: counts.compare_and_delete.success,
        compare_and_delete_fail: counts.compare_and_delete.fail,
        expire_count: counts.expire,
        watchers: server.watchers.load(Ordering::Relaxed),
    })
}

async fn own(server: &Server) -> Answer {
    let Some(statistics) = server.node.statistics().await else { return stopping() };
    let view = server.node.view();
    let now = Instant::now();
    let (received, sent) = (statistics.received.rates(now), statistics.sent.rates(now));
    let (leader, since) = match statistics.leader {
        Some((leader, since)) => (format!("{leader:x}"), since),
        None => (String::new(), SystemTime::now()),
    };
    answer::json(&SelfBody {
        name: &server.attributes.name,
        id: format!("{:x}", view.id),
        state: match view.role {
            Role::Leader => "StateLeader",
            Role::Candidate => "StateCandidate",
            Role::PreCandidate => "StatePreCandidate",
            Role::Follower => "StateFollower",
        },
        start_time: json::instant(statistics.started),
        leader_info: LeaderInfo {
            leader,
            uptime: go_duration(since.elapsed().unwrap_or_default()),
            start_time: json::instant(since),
        },
        recv_append_request_cnt: statistics.received.count,
        recv_pkg_rate: received.map(|(packages, _)| packages),
        recv_bandwidth_rate: received.map(|(_, bytes)| bytes),
        send_append_request_cnt: statistics.sent.count,
        send_pkg_rate: sent.map(|(packages, _)| packages),
        send_bandwidth_rate: sent.map(|(_, bytes)| bytes),
    })
}

async fn followers(server: &Server) -> Answer {
    let leads = |server: &Server| server.node.view().role == Role::Leader;
    if !leads(server) {
        return answer::message(StatusCode::FORBIDDEN, "not current leader");
    }
    let Some(statistics) = server.node.statistics().await else { return stopping() };
    answer::json(&LeaderBody {
        leader: format!("{:x}", server.node.view().id),
        followers: statistics
            .followers
            .iter()
            .map(|(id, follower)| (format!("{id:x}"), follower.into()))
            .collect(),
    })
}

fn stopping() -> Answer {
    answer::message(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping")
}

impl From<&Follower> for FollowerBody {
    fn from(follower: &Follower) -> Self {
        Self {
            latency: (&follower.latency).into(),
            counts: CountsBody { fail: follower.failed, success: follower.succeeded },
        }
    }
}

impl From<&Latency> for LatencyBody {
    fn from(latency: &Latency) -> Self {
        Self {
            current: latency.current,
            average: latency.average(),
            standard_deviation: latency.standard_deviation(),
            minimum: latency.minimum,
            maximum: latency.maximum,
        }
    }
}

/// A duration as Go prints it: `12m8.08s`, `250ms`, `1.5µs`.
fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => return "0s".into(),
        1..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => return decimal(nanos, 1_000) + "µs",
        1_000_000..1_000_000_000 => return decimal(nanos, 1_000_000) + "ms",
        _ => {}
    }
    let minutes = duration.as_secs() / 60;
    let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// So many units and their exact fraction, without zeros at its end; a unit is a
/// power of a thousand.
fn decimal(nanos: u128, unit: u128) -> String {
    let fraction = format!("{:09}", nanos % unit * (1_000_000_000 / unit));
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_look_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_500, "1.5µs"),
            (250_000_000, "250ms"),
            (685_807_872, "685.807872ms"),
            (1_000_000_000, "1s"),
            (1_000_000_001, "1.000000001s"),
            (728_080_000_000, "12m8.08s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
