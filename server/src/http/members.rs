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
    let members = known(server);
    let mut urls: Vec<&str> = members
        .iter()
        .flat_map(|member| &member.attributes.client_urls)
        .map(String::as_str)
        .collect();
    urls.sort_unstable();
    answer::text(StatusCode::OK, urls.join(", "))
}

/// The members as the cluster has been told of them; of itself this one tells more,
/// for whoever asks it first needs to know where it serves.
fn known(server: &Server) -> Vec<Member> {
    let mut members = server.node.view().members.to_vec();
    for own in members.iter_mut().filter(|member| member.id == server.id) {
        own.attributes = server.attributes.clone();
    }
    members
}

fn list(server: &Server) -> Answer {
    let mut members = known(server);
    members.sort_by(|a, b| a.peer_urls.cmp(&b.peer_urls));
    answer::json_line(&MembersBody { members: members.iter().map(MemberBody::from).collect() })
}

/// One member; etcd finds none by its id.
fn by_id(server: &Server, id: &str) -> Answer {
    match known(server).iter().find(|member| format!("{:x}", member.id) == id) {
        Some(member) => answer::json_line(&MemberBody::from(member)),
        None => answer::message(StatusCode::NOT_FOUND, "Not found"),
    }
}

fn leader(server: &Server) -> Answer {
    let leader = server.node.view().leader;
    match known(server).iter().find(|member| Some(member.id) == leader) {
        Some(member) => answer::json_line(&MemberBody::from(member)),
        None => answer::message(StatusCode::SERVICE_UNAVAILABLE, "During election"),
    }
}
