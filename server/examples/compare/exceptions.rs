//! Where Quorate answers otherwise than etcd on purpose. Each exception recognises
//! exactly its difference, from the request and both answers; any other fails.

use std::time::SystemTime;

use serde_json::Value;

use crate::compare::differences;
use crate::requests::{Asked, FORM};
use crate::wire::Answer;

/// A difference that is meant.
pub struct Exception {
    /// What is different.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
    rule: Rule,
}

/// How an exception recognises its difference: from the request, what ours says
/// and what theirs says.
enum Rule {
    /// The answers may differ in everything if this holds.
    Answer(fn(&Asked, &Answer, &Answer) -> bool),
    /// The bodies may differ, and when they end, if this holds.
    Body(fn(&Asked, &Answer, &Answer) -> bool),
    /// This takes it out of the answers, and nothing else.
    Edit(fn(&Asked, &mut Answer, &mut Answer)),
}

/// How many seconds of nanoseconds etcd can count: from 1970 to an instant of
/// expiry, and in a TTL.
const LAST_SECOND: u64 = 9_223_372_036;

/// All of them; numbers count from 1.
pub const EXCEPTIONS: [Exception; 24] = [
    Exception {
        name: "headers of our own",
        reason: "what became of a write, and where history begins, are not said by etcd or only \
                 in a text",
        rule: Rule::Edit(|_, ours, _| {
            let own = |name: &str| name.starts_with("x-quorate-") || name == "x-etcd-history-first";
            ours.headers.retain(|(name, _)| !own(name));
        }),
    },
    Exception {
        name: "a stream from a past waitIndex tells all of it and goes on",
        reason: "etcd tells one event and is silent ever after, on an open connection",
        rule: Rule::Edit(|asked, ours, theirs| {
            let rises = ours.body.lines().map(index_of).is_sorted_by(|a, b| a < b);
            let one = theirs.body.lines().count() == 1;
            if is_stream(asked) && is_past(asked, theirs) && one && rises {
                let first = ours.body.split_inclusive('\n').next().unwrap_or("").to_owned();
                ours.body = first;
            }
        }),
    },
    Exception {
        name: "a stream hears once that its key was deleted",
        reason: "etcd tells it twice",
        rule: Rule::Edit(|asked, _, theirs| {
            let mut lines: Vec<_> = theirs.body.split_inclusive('\n').collect();
            lines.dedup_by(|next, line| is_stream(asked) && next == line && is_removal(line));
            theirs.body = lines.concat();
        }),
    },
    Exception {
        name: "a stream below a removed directory hears of it",
        reason: "etcd tells it live only if the watched key existed, but always from history",
        rule: Rule::Edit(|asked, ours, theirs| {
            let told = |line: &&str| !is_removal_above(asked, line) || theirs.body.contains(line);
            if is_stream(asked) {
                ours.body = ours.body.split_inclusive('\n').filter(told).collect();
            }
        }),
    },
    Exception {
        name: "a watch below a removed directory hears of it",
        reason: "the same, for one event: ours has ended where etcd's waits for another",
        rule: Rule::Body(|asked, ours, theirs| {
            asked.is_watch()
                && !is_stream(asked)
                && is_removal_above(asked, &ours.body)
                && begins_before(&ours.body, &theirs.body)
        }),
    },
    Exception {
        name: "history is searched by path",
        reason: "etcd compares text: that /ab was removed is told to a watch of /abc",
        rule: Rule::Body(|asked, ours, theirs| {
            let first = theirs.body.lines().next().unwrap_or("");
            let (key, removed) = (asked.key(), key_of(first));
            let rest = key.strip_prefix(&removed).unwrap_or("");
            is_past(asked, theirs)
                && is_removal(first)
                && !rest.is_empty()
                && !rest.starts_with('/')
                && begins_before(first, &ours.body)
        }),
    },
    Exception {
        name: "history hides hidden keys",
        reason: "etcd shows them to a watch from the past, and hides them from a live one",
        rule: Rule::Body(|asked, ours, theirs| {
            let first = theirs.body.lines().next().unwrap_or("");
            let (key, changed) = (asked.key(), key_of(first));
            let below = changed.strip_prefix(key.trim_end_matches('/')).unwrap_or("");
            is_past(asked, theirs) && below.contains("/_") && begins_before(first, &ours.body)
        }),
    },
    Exception {
        name: "wait=true with quorum=true waits",
        reason: "etcd drops the wait and answers at once with a read",
        rule: Rule::Answer(|asked, ours, theirs| {
            asked.is_watch()
                && asked.flag("quorum")
                && ours.status == 200
                && ours.header("transfer-encoding") == Some("chunked")
                && json(theirs)["action"] == "get"
        }),
    },
    Exception {
        name: "dir=true over a file is refused with 104",
        reason: "etcd replaces the file by a directory, and its value is gone",
        rule: Rule::Answer(|asked, ours, theirs| {
            asked.method == "PUT"
                && asked.flag("dir")
                && is_error(ours, 400, 104, &asked.key())
                && theirs.status == 200
                && json(theirs)["prevNode"]["value"].is_string()
        }),
    },
    Exception {
        name: "refresh=true with dir=true refreshes a file",
        reason: "a refresh keeps what is there; etcd replaces the file by a directory",
        rule: Rule::Answer(|asked, ours, theirs| {
            let (mine, etcds) = (json(ours), json(theirs));
            asked.method == "PUT"
                && asked.flag("dir")
                && asked.flag("refresh")
                && (ours.status, theirs.status) == (200, 200)
                && mine["node"]["value"].is_string()
                && mine["node"]["value"] == etcds["prevNode"]["value"]
                && etcds["node"]["dir"] == true
        }),
    },
    Exception {
        name: "prevExist=true without value over a file is refused with 200",
        reason: "etcd empties the file: whoever forgot the value loses the old one",
        rule: Rule::Answer(|asked, ours, theirs| {
            let cause = "prevExist=true without a value would empty the file";
            asked.method == "PUT"
                && asked.flag("prevExist")
                && asked.param("value").is_none()
                && is_error(ours, 400, 200, cause)
                && theirs.status == 200
                && json(theirs)["node"]["value"] == ""
        }),
    },
    Exception {
        name: "conditions in the body of a DELETE are honoured",
        reason: "etcd does not read them and deletes",
        rule: Rule::Answer(|asked, ours, theirs| {
            asked.method == "DELETE"
                && is_form(asked)
                && asked.body.as_ref().is_some_and(|body| body.contains("prev"))
                && (json(ours)["errorCode"] == 101 || json(ours)["action"] == "compareAndDelete")
                && json(theirs)["action"] == "delete"
        }),
    },
    Exception {
        name: "a body that is no form is refused with 210",
        reason: "etcd does not read it: it stores an empty value, or deletes",
        rule: Rule::Answer(|asked, ours, theirs| {
            matches!(asked.method, "PUT" | "POST" | "DELETE")
                && !is_form(asked)
                && asked.body.as_ref().is_some_and(|body| !body.is_empty())
                && is_error(ours, 400, 210, "")
                && theirs.status < 300
        }),
    },
    Exception {
        name: "a ttl that ends after 2262 is kept, and one above 9223372036 refused with 202",
        reason: "etcd overflows: the key lives for ever, or dies at once",
        rule: Rule::Answer(|asked, ours, theirs| {
            let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
            let ttl = asked.param("ttl").and_then(|ttl| ttl.parse::<u64>().ok()).unwrap_or(0);
            let kept = ours.status == theirs.status && json(ours)["node"]["ttl"] == ttl;
            let refused = is_error(ours, 400, 202, "invalid value for \"ttl\"");
            ttl > LAST_SECOND.saturating_sub(now)
                && if ttl > LAST_SECOND { refused } else { kept }
                && theirs.status < 300
        }),
    },
    Exception {
        name: "an unclean path is cleaned in place",
        reason: "many clients turn a PUT into a GET when etcd's 301 sends them elsewhere",
        rule: Rule::Answer(|asked, ours, theirs| {
            let path = asked.path().trim_end_matches('/').to_owned() + "/";
            let unclean = ["//", "/./", "/../"].iter().any(|it| path.contains(it));
            (unclean || asked.path().ends_with("//")) && theirs.status == 301 && ours.status != 301
        }),
    },
    Exception {
        name: "what is not UTF-8 is refused with 210",
        reason: "etcd puts U+FFFD in its place: the data is damaged in silence",
        rule: Rule::Answer(|_, ours, theirs| {
            let causes = ["invalid UTF-8 in the key", "invalid UTF-8 in a parameter"];
            causes.iter().any(|cause| is_error(ours, 400, 210, cause))
                && ["\u{fffd}", "\\ufffd"].iter().any(|it| theirs.body.contains(it))
        }),
    },
    Exception {
        name: "a bad escape in a path is refused with 210",
        reason: "etcd ends the connection with a text; in a parameter it says 210, too",
        rule: Rule::Answer(|asked, ours, theirs| {
            let cause = json(ours)["cause"].as_str().unwrap_or("").to_owned();
            asked.path().contains('%')
                && cause.starts_with("invalid URL escape")
                && is_error(ours, 400, 210, &cause)
                && (theirs.status, &*theirs.body) == (400, "400 Bad Request")
        }),
    },
    Exception {
        name: "a fragment is not part of a key",
        reason: "a request may have none and libraries of HTTP drop it; etcd takes it for a name",
        rule: Rule::Answer(|asked, ours, theirs| {
            asked.target.contains('#') && theirs.body.contains('#') && !ours.body.contains('#')
        }),
    },
    Exception {
        name: "a long request line is answered",
        reason: "etcd ends the connection without a word",
        rule: Rule::Answer(|asked, ours, theirs| {
            asked.target.len() > 4_000 && theirs.status == 0 && ours.status != 0
        }),
    },
    Exception {
        name: "a key has bounds",
        reason: "etcd takes any: one of a megabyte, or below a thousand directories",
        rule: Rule::Answer(|asked, ours, theirs| {
            let cause = json(ours)["cause"].as_str().unwrap_or("").to_owned();
            // A watch is refused where its lines would be.
            let status = if asked.is_watch() { 200 } else { 400 };
            asked.path().len() > 500
                && cause.starts_with("over the bound")
                && is_error(ours, status, 209, &cause)
                && theirs.status < 300
        }),
    },
    Exception {
        name: "a member is found by its id",
        reason: "etcd says 404 for every one",
        rule: Rule::Answer(|asked, ours, theirs| {
            let member = json(ours);
            let id = member["id"].as_str().unwrap_or("/");
            asked.path() == format!("/v2/members/{id}")
                && ours.status == 200
                && theirs.status == 404
        }),
    },
    Exception {
        name: "statistics of the store count what clients asked for, once and as it ended",
        reason: "etcd counts its own look-ups too, some failures twice, and others as successes",
        rule: Rule::Body(|asked, ours, theirs| {
            let (mine, etcds) = (counters(ours), counters(theirs));
            let names = |counters: &[(String, u64)]| -> Vec<String> {
                counters.iter().map(|(name, _)| name.clone()).collect()
            };
            asked.path() == "/v2/stats/store"
                && names(&mine) == names(&etcds)
                && sure_counts(&mine, [2, 1]) == sure_counts(&etcds, [0, 0])
        }),
    },
    Exception {
        name: "/version names Quorate, too",
        reason: "etcd's clients look for the API that they may use, people for what it is",
        rule: Rule::Answer(|asked, ours, theirs| {
            let (mine, etcds) = (json(ours), json(theirs));
            asked.path() == "/version"
                && mine["quorate"].is_string()
                && mine["etcdcluster"] == etcds["etcdcluster"]
                && mine["etcdserver"].as_str().is_some_and(|it| it.starts_with("3.4."))
        }),
    },
    Exception {
        name: "not there yet",
        reason: "authentication, metrics, changes of members and log levels: 501 says so",
        rule: Rule::Answer(|asked, ours, _| {
            let places =
                ["/v2/auth/", "/v2/members", "/metrics", "/debug/vars", "/config/local/log"];
            places.iter().any(|place| asked.path().starts_with(place))
                && ours.status == 501
                && (asked.method == "HEAD" || ours.body.contains("not supported yet: "))
        }),
    },
];

/// Which exceptions explain every difference, by number: an empty list if there is
/// none, nothing if one is left.
pub fn explain(
    asked: &Asked,
    ours: &Answer,
    theirs: &Answer,
    mortals: usize,
) -> Option<Vec<usize>> {
    let (mut ours, mut theirs, mut used) = (ours.clone(), theirs.clone(), Vec::new());
    if differences(asked, &ours, &theirs, mortals).is_empty() {
        return Some(used);
    }
    for (number, exception) in (1..).zip(&EXCEPTIONS) {
        let before = (ours.clone(), theirs.clone());
        match exception.rule {
            Rule::Answer(holds) if holds(asked, &ours, &theirs) => ours = theirs.clone(),
            Rule::Body(holds) if holds(asked, &ours, &theirs) => {
                (ours.body, ours.ended) = (theirs.body.clone(), theirs.ended);
            }
            Rule::Edit(edit) => edit(asked, &mut ours, &mut theirs),
            Rule::Answer(_) | Rule::Body(_) => {}
        }
        if before != (ours.clone(), theirs.clone()) {
            used.push(number);
        }
        if differences(asked, &ours, &theirs, mortals).is_empty() {
            return Some(used);
        }
    }
    None
}

/// Whether a request would do to a file what is an exception, and leave the two
/// stores different.
pub fn depends_on_a_file(asked: &Asked) -> bool {
    let makes_dir = asked.flag("dir") && asked.param("prevExist").is_none();
    let empties = asked.flag("prevExist") && asked.param("value").is_none();
    let empties = empties && !asked.flag("refresh");
    asked.method == "PUT" && !is_conditional(asked) && (makes_dir || empties)
}

fn is_conditional(asked: &Asked) -> bool {
    let index = asked.param("prevIndex").is_some_and(|index| index != "0");
    index || asked.param("prevValue").is_some()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// The key of an event.
fn key_of(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    event["node"]["key"].as_str().unwrap_or("/").to_owned()
}

/// The `modifiedIndex` of an event; 0 if it is none.
pub fn index_of(line: &str) -> u64 {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    event["node"]["modifiedIndex"].as_u64().unwrap_or(0)
}

/// Whether the first event that one watch was told is older than that of another, or
/// the other was told none.
fn begins_before(lines: &str, others: &str) -> bool {
    let first = |lines: &str| lines.lines().next().map(index_of);
    first(others).is_none_or(|other| first(lines).is_some_and(|index| index < other))
}

/// Names and numbers of flat JSON, in order.
fn counters(answer: &Answer) -> Vec<(String, u64)> {
    let fields = answer.body.trim_matches(['{', '}']).split(',');
    let counter = |field: &str| {
        let (name, count) = field.split_once(':')?;
        Some((name.trim_matches('"').to_owned(), count.parse().ok()?))
    };
    fields.filter_map(counter).collect()
}

/// What both count alike, but for the sets and the create with which etcd writes down
/// the cluster that it begins.
fn sure_counts(counters: &[(String, u64)], births: [u64; 2]) -> Vec<u64> {
    let sum = |prefix: &str| -> u64 {
        let named = counters.iter().filter(|(name, _)| name.starts_with(prefix));
        named.map(|(_, count)| count).sum()
    };
    let once = ["createFail", "expireCount"];
    let ended = ["delete", "update", "compareAndDelete"];
    let mut sure = vec![sum("setsSuccess") + births[0], sum("createSuccess") + births[1]];
    sure.extend(once.iter().chain(&ended).map(|prefix| sum(prefix)));
    sure
}

fn is_form(asked: &Asked) -> bool {
    asked.content_type.is_some_and(|kind| kind.to_lowercase().starts_with(FORM))
}

fn is_stream(asked: &Asked) -> bool {
    asked.is_watch() && asked.flag("stream")
}

/// Whether a watch begins with what has already happened.
fn is_past(asked: &Asked, theirs: &Answer) -> bool {
    let index = |text: &str| text.parse::<u64>().unwrap_or(0);
    let from = asked.param("waitIndex").map_or(0, |text| index(&text));
    asked.is_watch() && from > 0 && from <= theirs.header("x-etcd-index").map_or(0, index)
}

fn is_removal(line: &str) -> bool {
    ["delete", "compareAndDelete", "expire"]
        .iter()
        .any(|action| line.starts_with(&format!("{{\"action\":\"{action}\",")))
}

/// Whether an event says that a directory above the watched key is gone.
fn is_removal_above(asked: &Asked, line: &str) -> bool {
    is_removal(line) && asked.key().starts_with(&(key_of(line) + "/"))
}

/// Whether it is this error; an empty cause stands for any.
fn is_error(answer: &Answer, status: u16, code: u16, cause: &str) -> bool {
    let body = json(answer);
    answer.status == status
        && body["errorCode"] == code
        && (cause.is_empty() || body["cause"] == cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::Request;
    use crate::seen::Seen;

    fn answer(status: u16, body: &str) -> Answer {
        let index = ("x-etcd-index".to_owned(), "9".to_owned());
        Answer { status, headers: vec![index], body: body.to_owned(), ended: true }
    }

    /// The names of the exceptions that explain the difference.
    fn explained(request: Request, ours: &Answer, theirs: &Answer) -> Option<Vec<&'static str>> {
        let asked = request.resolve(&Seen::default());
        let numbers = explain(&asked, ours, theirs, 0)?;
        Some(numbers.into_iter().map(|number| EXCEPTIONS[number - 1].name).collect())
    }

    fn event(action: &str, key: &str, index: u64) -> String {
        format!(
            "{{\"action\":\"{action}\",\"node\":{{\"key\":\"{key}\",\"modifiedIndex\":{index}}}}}\n"
        )
    }

    #[test]
    fn an_exception_explains_its_own_difference_only() {
        let asked = || Request::new("PUT", "/v2/keys/a").form("dir=true");
        let ours = answer(400, r#"{"errorCode":104,"cause":"/a","index":9}"#);
        let theirs = answer(200, r#"{"action":"set","prevNode":{"key":"/a","value":"1"}}"#);
        assert!(explained(asked(), &ours, &theirs).is_some());
        assert_eq!(explained(Request::new("PUT", "/v2/keys/a"), &ours, &theirs), None);
        assert_eq!(
            explained(Request::new("PUT", "/v2/keys/b").form("dir=1"), &ours, &theirs),
            None
        );
        let other = answer(400, r#"{"errorCode":105,"cause":"/a","index":9}"#);
        assert_eq!(explained(asked(), &other, &theirs), None);
        let directory = answer(200, r#"{"action":"set","prevNode":{"key":"/a","dir":true}}"#);
        assert_eq!(explained(asked(), &ours, &directory), None);
    }

    #[test]
    fn two_exceptions_may_meet_and_the_rest_still_counts() {
        let asked = || Request::new("GET", "/v2/keys/d/a").query("wait=true&stream=true");
        let (set, gone) = (event("set", "/d/a", 4), event("delete", "/d/a", 5));
        let above = event("delete", "/d", 6);
        let theirs = answer(200, &format!("{set}{gone}{gone}"));
        let mut ours = answer(200, &format!("{set}{gone}{above}"));
        ours.headers.push(("x-quorate-a".into(), "b".into()));
        assert_eq!(explained(asked(), &ours, &theirs).map(|names| names.len()), Some(3));
        ours.headers[0].1 = "8".into();
        assert_eq!(explained(asked(), &ours, &theirs), None);
        let fewer = answer(200, &gone);
        assert_eq!(explained(asked(), &fewer, &theirs), None);
        let twice = answer(200, &format!("{set}{set}{gone}"));
        assert_eq!(explained(asked(), &answer(200, &format!("{set}{gone}")), &twice), None);
    }

    #[test]
    fn a_stream_may_tell_more_only_from_the_past() {
        let asked = |from| {
            let request = Request::new("GET", "/v2/keys/a").query("wait=true&stream=true");
            request.query(from)
        };
        let (one, two) = (event("set", "/a", 4), event("set", "/a", 5));
        let (ours, theirs) = (answer(200, &format!("{one}{two}")), answer(200, &one));
        assert!(explained(asked("waitIndex=4"), &ours, &theirs).is_some());
        assert_eq!(explained(asked("waitIndex=10"), &ours, &theirs), None);
        assert_eq!(explained(asked("x=1"), &ours, &theirs), None);
        assert_eq!(explained(asked("waitIndex=4"), &theirs, &ours), None);
        assert_eq!(explained(asked("waitIndex=4"), &answer(200, &two), &theirs), None);
        let twice = answer(200, &format!("{one}{two}{two}"));
        assert_eq!(explained(asked("waitIndex=4"), &twice, &theirs), None);
        let back = answer(200, &format!("{one}{}{two}", event("set", "/a", 6)));
        assert_eq!(explained(asked("waitIndex=4"), &back, &theirs), None);
    }

    #[test]
    fn what_is_told_and_hidden_on_purpose_excuses_nothing_that_is_skipped() {
        let asked = |key: &str, query| Request::new("GET", key).query("wait=true").query(query);
        let below = || asked("/v2/keys/d/a", "x=1");
        let (gone, set) = (event("delete", "/d", 5), event("set", "/d/a", 4));
        let (ours, nothing) = (answer(200, &gone), answer(200, ""));
        assert!(explained(below(), &ours, &nothing).is_some());
        assert!(explained(below(), &ours, &answer(200, &event("set", "/d/a", 6))).is_some());
        assert_eq!(explained(below(), &ours, &answer(200, &set)), None);
        let past = |key| asked(key, "recursive=true&waitIndex=4");
        let hidden = answer(200, &event("set", "/d/_h", 5));
        for (told, excused) in
            [(String::new(), true), (event("set", "/d/a", 6), true), (set, false)]
        {
            let names = explained(past("/v2/keys/d"), &answer(200, &told), &hidden);
            assert_eq!(names.is_some(), excused, "{told}");
            let names = explained(past("/v2/keys/dd"), &answer(200, &told), &ours);
            assert_eq!(names.is_some(), excused, "{told}");
        }
    }
}
