//! What ours must have told a watch: where etcd's lines are no measure, the answers to
//! those who wrote meanwhile are.

use serde_json::Value;

use crate::exceptions::index_of;
use crate::program::Exchange;
use crate::requests::Asked;

/// Whether ours told a watch every write of its program that concerns it, and in the
/// words of the writer's answer. What another program wrote, what expires, and what a
/// writer was not told in full, is not judged.
pub fn agrees_with_writers(watch: &Exchange, program: &[Exchange]) -> bool {
    let Exchange { asked, ours, .. } = watch;
    if ours.status != 200 {
        return true;
    }
    let lines: Vec<_> = ours.body.split_inclusive('\n').map(|it| (index_of(it), it)).collect();
    let begun = ours.header("x-etcd-index").and_then(|index| index.parse::<u64>().ok());
    let from = asked.param("waitIndex").and_then(|index| index.parse().ok());
    let from = from.filter(|&index| index > 0).or(begun.map(|index| index + 1)).unwrap_or(0);
    let last =
        lines.first().filter(|_| !asked.flag("stream")).map_or(u64::MAX, |(index, _)| *index);
    program.iter().filter(|exchange| is_write(exchange)).all(|write| {
        let index = index_of(&write.ours.body);
        match lines.iter().find(|(line, _)| *line == index) {
            Some((_, line)) => *line == write.ours.body,
            None => !(from..=last).contains(&index) || !concerns(&write.ours.body, asked),
        }
    })
}

/// Whether it was done and its answer is an event; a refresh is one that nobody hears of.
fn is_write(exchange: &Exchange) -> bool {
    let Exchange { asked, ours, .. } = exchange;
    matches!(asked.method, "PUT" | "POST" | "DELETE")
        && matches!(ours.status, 200 | 201)
        && index_of(&ours.body) > 0
        && !asked.flag("refresh")
}

/// Whether a watch is to hear of an event.
fn concerns(event: &str, watch: &Asked) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let (changed, watched) = (event["node"]["key"].as_str().unwrap_or("/"), watch.key());
    let removed = event["node"]["dir"] == true && event["action"] == "delete";
    let below = |key: &str, top: &str| {
        let rest = key.strip_prefix(top.trim_end_matches('/')).unwrap_or("");
        rest.starts_with('/').then(|| rest.to_owned())
    };
    changed == watched
        || watch.flag("recursive") && below(changed, &watched).is_some_and(|it| !it.contains("/_"))
        || removed && below(&watched, changed).is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::requests::Request;
    use crate::seen::Seen;
    use crate::wire::Answer;

    fn exchange(request: &Request, body: &str) -> Exchange {
        let index = ("x-etcd-index".to_owned(), "5".to_owned());
        let ours = Answer { status: 200, headers: vec![index], body: body.into(), ended: false };
        let asked = request.resolve(&Seen::default());
        Exchange { asked, theirs: ours.clone(), ours, pause: Duration::ZERO }
    }

    fn event(action: &str, key: &str, index: u64) -> String {
        let dir = if key.len() > 2 { "" } else { "\"dir\":true," };
        format!(
            "{{\"action\":\"{action}\",\"node\":{{\"key\":\"{key}\",{dir}\"modifiedIndex\":{index}}}}}\n"
        )
    }

    /// Whether these lines may be all that a watch of `/d` was told by now.
    fn agrees(query: &'static str, lines: &[&str]) -> bool {
        let put = Request::new("PUT", "/v2/keys/d/a");
        let program = [
            exchange(&put, &event("set", "/d/a", 4)),
            exchange(&put, &event("set", "/d/_b", 5)),
            exchange(&put.clone().query("refresh=true"), &event("set", "/d/a", 6)),
            exchange(&put, &event("set", "/dd/a", 7)),
            exchange(&put, &event("set", "/d/c", 8)),
            exchange(&put, "{\"action\":\"set\"}\n"),
            exchange(&Request::new("DELETE", "/v2/keys/d"), &event("delete", "/d", 10)),
        ];
        let watch = Request::new("GET", "/v2/keys/d").query("wait=true").query(query);
        agrees_with_writers(&exchange(&watch, &lines.concat()), &program)
    }

    #[test]
    fn a_stream_is_told_everything_that_concerns_it() {
        let (a, c, gone) =
            (&*event("set", "/d/a", 4), &*event("set", "/d/c", 8), &*event("delete", "/d", 10));
        let all = "recursive=true&stream=true&waitIndex=4";
        assert!(agrees(all, &[a, c, gone]));
        assert!(agrees(all, &[a, c, &event("expire", "/d/e", 9), gone]));
        assert!(!agrees(all, &[a, gone]), "one is skipped");
        assert!(!agrees(all, &[a, c]), "one is missing");
        assert!(!agrees(all, &[a, &event("set", "/d/x", 8), gone]), "another event");
        assert!(agrees("recursive=true&stream=true", &[c, gone]), "from its index on");
        assert!(agrees("stream=true&waitIndex=1", &[gone]), "of its own key alone");
        assert!(!agrees("stream=true&waitIndex=1", &[]));
        assert!(agrees("stream=true&waitIndex=11", &[]));
    }

    #[test]
    fn a_watch_is_told_the_first_that_concerns_it() {
        let (a, c) = (&*event("set", "/d/a", 4), &*event("set", "/d/c", 8));
        assert!(agrees("recursive=true&waitIndex=4", &[a]));
        assert!(!agrees("recursive=true&waitIndex=4", &[c]));
        assert!(!agrees("recursive=true&waitIndex=4", &[]));
        assert!(agrees("recursive=true&waitIndex=5", &[c]));
    }

    #[test]
    fn a_watch_hears_of_the_removal_of_what_it_is_in() {
        let gone = event("delete", "/d", 10);
        let asked =
            |key: &str| Request::new("GET", key).query("wait=true").resolve(&Seen::default());
        assert!(concerns(&gone, &asked("/v2/keys/d/x/y")));
        assert!(!concerns(&gone, &asked("/v2/keys/dd/x")));
        assert!(!concerns(&event("set", "/d", 10), &asked("/v2/keys/d/x/y")));
    }
}
