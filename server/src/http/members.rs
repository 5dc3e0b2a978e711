//! `/v2/members` and `/v2/machines`: who is in the cluster.

use hyper::{Method, StatusCode};
use quorate_engine::Member;
use serde::Serialize;

use super::Server;
use super::answer::{self, Answer};

#[derive(Serialize)]
struct MembersBody<'a> {
    members: Vec<MemberBody<'a>>,
}

#[derive(Serialize)]
struct MemberBody<'a> {
    id: String,
    name: &'a str,
    #[serde(rename = "peerURLs")]
    peer_urls: &'a [String],
    #[serde(rename = "clientURLs")]
    client_urls: &'a [String],
}

impl<'a> From<&'a Member> for MemberBody<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            id: format!("{:x}", member.id),
            name: &member.attributes.name,
            peer_urls: &member.peer_urls,
            client_urls: &member.attributes.client_urls,
        }
    }
}

/// Answers a request on `/v2/members` and below; `rest` is what follows it.
pub fn serve(server: &Server, method: &Method, rest: &str) -> Answer {
    let answer = match (method, rest) {
        (&Method::GET, "" | "/") => list(server),
        (&Method::GET, "/leader") => leader(server),
        (&Method::GET, rest) => by_id(server, &rest[1..]),
        (&Method::POST | &Method::PUT | &Method::DELETE, _) => {
            answer::not_yet(&format!("{method} of members"))
        }
        _ => return answer::method_not_allowed("GET,POST,DELETE,PUT"),
    };
    server.answers.of_cluster(answer)
}

/// `/v2/machines`: the clients' URLs in one line.
pub fn machines(server: &Server, method: &Method) -> Answer {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return answer::method_not_allowed("GET,HEAD");
    }
    let view = server.node.view();
    let mut urls: Vec<&str> = view
        .members
        .iter()
        .flat_map(|member| &member.attributes.client_urls)
        .map(String::as_str)
        .collect();
    urls.sort_unstable();
    answer::text(StatusCode::OK, urls.join(", "))
}

fn list(server: &Server) -> Answer {
    let view = server.node.view();
    let mut members: Vec<&Member> = view.members.iter().collect();
    members.sort_by(|a, b| a.peer_urls.cmp(&b.peer_urls));
    let members = members.into_iter().map(MemberBody::from).collect();
    answer::json_line(&MembersBody { members })
}

/// One member; etcd finds none by its id.
fn by_id(server: &Server, id: &str) -> Answer {
    let view = server.node.view();
    match view.members.iter().find(|member| format!("{:x}", member.id) == id) {
        Some(member) => answer::json_line(&MemberBody::from(member)),
        None => answer::message(StatusCode::NOT_FOUND, "Not found"),
    }
}

fn leader(server: &Server) -> Answer {
    let view = server.node.view();
    let leader = view.members.iter().find(|member| Some(member.id) == view.leader);
    match leader {
        Some(member) => answer::json_line(&MemberBody::from(member)),
        None => answer::message(StatusCode::SERVICE_UNAVAILABLE, "During election"),
    }
}
