//! What differs between two answers, after taking out only what must.

use std::time::{Duration, SystemTime};

use crate::requests::Asked;
use crate::wire::Answer;

/// How far apart the two servers may see one instant.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How far apart they may have started.
const START_TOLERANCE: Duration = Duration::from_secs(60);

/// By how many digits nanoseconds and a ttl can make one node longer than another.
const DIGITS: usize = 11;

/// Everything in which ours differs from theirs. `mortals`: how many nodes with a
/// TTL a HEAD may stand for, since it does not show the digits it has counted.
pub fn differences(asked: &Asked, ours: &Answer, theirs: &Answer, mortals: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        found.push(format!("{what}: {ours:?} instead of {theirs:?}"));
    };
    if ours.status != theirs.status {
        note("status", &ours.status, &theirs.status);
    }
    for name in header_names(ours, theirs) {
        let (mine, etcds) = (header(ours, name), header(theirs, name));
        let must = match name {
            // The time of day.
            "date" => mine.len() == etcds.len(),
            // Raft's own counting: each has its own.
            "x-raft-index" | "x-raft-term" => {
                mine.len() == etcds.len() && mine.iter().all(|value| value.parse::<u64>().is_ok())
            }
            // The bodies say it, and where etcd goes over to chunks is its own affair.
            "content-length" if asked.method != "HEAD" || etcds.is_empty() => {
                etcds.is_empty() || !mine.is_empty()
            }
            "content-length" => close_lengths(&mine, &etcds, mortals),
            "transfer-encoding" if !asked.is_watch() && mine.is_empty() => true,
            _ => mine == etcds,
        };
        if !must {
            note(name, &mine, &etcds);
        }
    }
    let (mine, etcds) = (Body::of(asked, ours), Body::of(asked, theirs));
    if mine.text != etcds.text {
        note("body", &mine.text, &etcds.text);
    } else if !mine.is_close_to(&etcds, asked.path()) {
        note("times", &mine.times, &etcds.times);
    }
    if ours.ended != theirs.ended {
        note("end of the body", &ours.ended, &theirs.ended);
    }
    found
}

fn header_names<'a>(ours: &'a Answer, theirs: &'a Answer) -> Vec<&'a str> {
    let all = ours.headers.iter().chain(&theirs.headers);
    let mut names: Vec<_> = all.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn header<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let named = answer.headers.iter().filter(|(header, _)| header == name);
    named.map(|(_, value)| value.as_str()).collect()
}

fn close_lengths(ours: &[&str], theirs: &[&str], mortals: usize) -> bool {
    let length = |values: &[&str]| values.first().and_then(|value| value.parse::<usize>().ok());
    match (length(ours), length(theirs)) {
        (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= mortals * DIGITS,
        _ => false,
    }
}

/// A body without its times, and those.
struct Body {
    text: String,
    times: Vec<String>,
}

impl Body {
    fn of(asked: &Asked, answer: &Answer) -> Self {
        let mut text = answer.body.clone();
        let (path, mut times) = (asked.path(), Vec::new());
        // etcd lists in the order of a hash map, unless it is asked to sort.
        if path.starts_with("/v2/keys") && !asked.flag("sorted") {
            text = sort_nodes(&text);
        }
        for field in Self::times(path) {
            take(&mut text, field, &mut times);
        }
        Self { text, times }
    }

    /// The fields that hold an instant or a duration.
    fn times(path: &str) -> &'static [&'static str] {
        match path {
            "/v2/stats/self" => &["startTime", "uptime"],
            path if path.starts_with("/v2/keys") => &["expiration", "ttl"],
            _ => &[],
        }
    }

    fn is_close_to(&self, other: &Self, path: &str) -> bool {
        let most = if path == "/v2/stats/self" { START_TOLERANCE } else { TOLERANCE };
        self.times.len() == other.times.len()
            && self.times.iter().zip(&other.times).all(|(ours, theirs)| close(ours, theirs, most))
    }
}

/// Two instants or two numbers of seconds that may mean the same, written alike.
fn close(ours: &str, theirs: &str, most: Duration) -> bool {
    if let (Ok(ours), Ok(theirs)) = (ours.parse::<i64>(), theirs.parse::<i64>()) {
        return ours.abs_diff(theirs) <= most.as_secs();
    }
    match (instant(ours), instant(theirs)) {
        (Some(ours), Some(theirs)) => {
            let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours));
            apart.is_ok_and(|apart| apart <= most)
        }
        _ => is_go_duration(ours) && is_go_duration(theirs),
    }
}

/// An instant as Go writes it: in UTC, without zeros at the end of its fraction.
fn instant(text: &str) -> Option<SystemTime> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let alike = text.ends_with('Z') && !(text.contains('.') && text.ends_with("0Z"));
    humantime::parse_rfc3339(text).ok().filter(|_| alike)
}

/// A duration as Go writes it, `"12m8.08s"`: whole numbers of the larger units, and
/// a fraction down to the nanosecond without zeros at its end.
fn is_go_duration(text: &str) -> bool {
    let text = text.trim_matches('"');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "1s"));
    let digits = fraction.trim_end_matches(|char: char| !char.is_ascii_digit());
    let most = match &fraction[digits.len()..] {
        "s" => 9,
        "ms" => 6,
        "µs" => 3,
        _ => 0,
    };
    text.starts_with(|char: char| char.is_ascii_digit())
        && whole.chars().all(|char| char.is_ascii_digit() || "hmsµn".contains(char))
        && digits.chars().all(|char| char.is_ascii_digit())
        && (1..=most).contains(&digits.len())
        && !digits.ends_with('0')
        && text.ends_with('s')
}

/// Takes the values of a field out of a JSON text. A string of it cannot look like
/// the field: its quotes are escaped.
fn take(text: &mut String, field: &str, values: &mut Vec<String>) {
    let name = format!("\"{field}\":");
    let (mut kept, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find(&name) {
        let (before, value) = rest.split_at(at + name.len());
        let end = value.find([',', '}']).unwrap_or(value.len());
        kept += before;
        kept.push('*');
        values.push(value[..end].to_owned());
        rest = &value[end..];
    }
    kept += rest;
    *text = kept;
}

/// Puts the members of every directory in order and leaves all else as it is.
fn sort_nodes(text: &str) -> String {
    const NODES: &str = "\"nodes\":[";
    let Some(at) = text.find(NODES) else { return text.to_owned() };
    let (before, list) = text.split_at(at + NODES.len());
    let (nodes, rest) = elements(list);
    let mut nodes: Vec<_> = nodes.into_iter().map(sort_nodes).collect();
    nodes.sort_unstable();
    format!("{before}{}{}", nodes.join(","), sort_nodes(rest))
}

/// The elements of an array that has been opened, and the text from its end on.
fn elements(text: &str) -> (Vec<&str>, &str) {
    let (mut elements, mut begin, mut depth) = (Vec::new(), 0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' if depth == 0 => {
                elements.push(&text[begin..at]);
                return (elements, &text[at..]);
            }
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                elements.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    (vec![text], "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::Request;
    use crate::seen::Seen;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let headers = headers.iter().map(owned).collect();
        Answer { status, headers, body: body.to_owned(), ended: true }
    }

    const HEADERS: [(&str, &str); 4] =
        [("x-etcd-index", "5"), ("date", "a"), ("content-length", "9"), ("x-raft-index", "7")];
    const BODY: &str = r#"{"action":"get","node":{"key":"/a","value":"1","expiration":"2030-01-01T00:00:01.25Z","ttl":9,"modifiedIndex":5,"createdIndex":4}}"#;

    fn found(method: &'static str, path: &str, ours: &Answer, theirs: &Answer) -> Vec<String> {
        let asked = Request::new(method, path).resolve(&Seen::default());
        let found = differences(&asked, ours, theirs, 0);
        found.into_iter().map(|text| text.split(':').next().unwrap_or("").to_owned()).collect()
    }

    /// What is found when their answer's body or one header is another.
    fn found_in(theirs: Answer) -> Vec<String> {
        found("GET", "/v2/keys/a", &answer(200, &HEADERS, BODY), &theirs)
    }

    fn with_body(from: &str, to: &str) -> Vec<String> {
        assert!(BODY.contains(from), "{from}");
        found_in(answer(200, &HEADERS, &BODY.replacen(from, to, 1)))
    }

    fn with_headers(change: impl Fn(&mut Vec<(&str, &str)>)) -> Vec<String> {
        let mut headers = HEADERS.to_vec();
        change(&mut headers);
        found_in(answer(200, &headers, BODY))
    }

    fn without_header(at: usize) -> Vec<String> {
        with_headers(|headers| {
            headers.remove(at);
        })
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn equal_answers_have_no_difference() {
        assert_eq!(found_in(answer(200, &HEADERS, BODY)), NOTHING);
        let turned = |headers: &mut Vec<(&str, &str)>| headers.reverse();
        assert_eq!(with_headers(turned), NOTHING);
    }

    #[test]
    fn every_header_counts_and_some_only_by_being_there() {
        assert_eq!(found_in(answer(201, &HEADERS, BODY)), ["status"]);
        assert_eq!(with_headers(|headers| headers[0].1 = "6"), ["x-etcd-index"]);
        assert_eq!(without_header(0), ["x-etcd-index"]);
        assert_eq!(with_headers(|headers| headers.push(("allow", "GET"))), ["allow"]);
        assert_eq!(with_headers(|headers| headers.push(("x-etcd-index", "5"))), ["x-etcd-index"]);
        assert_eq!(with_headers(|headers| headers[1].1 = "b"), NOTHING);
        assert_eq!(without_header(1), ["date"]);
        assert_eq!(with_headers(|headers| headers[3].1 = "8"), NOTHING);
        assert_eq!(without_header(3), ["x-raft-index"]);
    }

    #[test]
    fn etcd_may_send_chunks_where_it_is_no_watch() {
        let chunked =
            |headers: &mut Vec<(&str, &str)>| headers[2] = ("transfer-encoding", "chunked");
        assert_eq!(with_headers(chunked), NOTHING);
        let mut headers = HEADERS.to_vec();
        chunked(&mut headers);
        let (ours, theirs) = (answer(200, &HEADERS, BODY), answer(200, &headers, BODY));
        let path = "/v2/keys/a?wait=true";
        assert_eq!(found("GET", path, &ours, &theirs), ["transfer-encoding"]);
        assert_eq!(found("GET", "/v2/keys/a", &theirs, &ours).len(), 2);
    }

    #[test]
    fn a_head_counts_the_bytes() {
        let (ours, theirs) = (answer(200, &HEADERS, ""), answer(200, &[], ""));
        assert_eq!(found("HEAD", "/v2/keys/a", &theirs, &ours).len(), HEADERS.len());
        let asked = Request::new("HEAD", "/v2/keys/a").resolve(&Seen::default());
        let mut theirs = ours.clone();
        theirs.headers[2].1 = "10".into();
        assert_eq!(differences(&asked, &ours, &theirs, 0).len(), 1);
        assert_eq!(differences(&asked, &ours, &theirs, 1).len(), 0);
        theirs.headers[2].1 = "21".into();
        assert_eq!(differences(&asked, &ours, &theirs, 1).len(), 1);
    }

    #[test]
    fn every_byte_of_the_body_counts() {
        assert_eq!(with_body("\"modifiedIndex\":5", "\"modifiedIndex\":6"), ["body"]);
        assert_eq!(with_body("get", "set"), ["body"]);
        assert_eq!(with_body("}}", "}}\n"), ["body"]);
        assert_eq!(with_body("\"ttl\":9,", ""), ["body"]);
        let swapped = "\"createdIndex\":4,\"modifiedIndex\":5";
        assert_eq!(with_body("\"modifiedIndex\":5,\"createdIndex\":4", swapped), ["body"]);
    }

    #[test]
    fn times_may_be_a_second_apart_and_are_written_alike() {
        for (ours, theirs, close) in [
            ("01.25Z", "02.2Z", true),
            ("01.25Z", "02.26Z", false),
            ("01.25Z", "01.250Z", false),
            ("01.25Z", "01.25+00:00", false),
            ("01.25Z", "01Z", true),
            ("\"ttl\":9", "\"ttl\":10", true),
            ("\"ttl\":9", "\"ttl\":7", false),
        ] {
            let expected: &[&str] = if close { &[] } else { &["times"] };
            assert_eq!(with_body(ours, theirs), expected, "{ours} {theirs}");
        }
    }

    #[test]
    fn durations_are_gos() {
        for good in ["12m8.08s", "1h0m0s", "250ms", "685.807872ms", "1.5µs", "0s", "12ns"] {
            assert!(is_go_duration(good), "{good}");
        }
        for bad in ["", "s", "12", "1.0s", "685.8078720000001ms", "1.s", "-1s", "x1s", "1.5ns"] {
            assert!(!is_go_duration(bad), "{bad}");
        }
    }

    #[test]
    fn listings_have_an_order_only_if_they_are_sorted() {
        let nodes =
            [r#"{"key":"/]\"","value":"},{"}"#, r#"{"key":"/b","nodes":[{"x":[2]},{"x":[1]}]}"#];
        let list = |nodes: &[&str]| format!("{{\"nodes\":[{}],\"x\":1}}", nodes.join(","));
        let ours = answer(200, &HEADERS, &list(&[nodes[0], nodes[1]]));
        let theirs = answer(200, &HEADERS, &list(&[nodes[1], nodes[0]]));
        assert_eq!(found("GET", "/v2/keys", &ours, &theirs), NOTHING);
        assert_eq!(found("GET", "/v2/keys?sorted=true", &ours, &theirs), ["body"]);
        let fewer = answer(200, &HEADERS, &list(&[nodes[1]]));
        assert_eq!(found("GET", "/v2/keys", &ours, &fewer), ["body"]);
        assert_eq!(
            sort_nodes(&theirs.body),
            list(&[nodes[0], r#"{"key":"/b","nodes":[{"x":[1]},{"x":[2]}]}"#])
        );
    }

    #[test]
    fn a_watch_is_its_lines_in_order_and_its_end() {
        let (one, two, path) = ("{\"n\":1}\n", "{\"n\":2}\n", "/v2/keys/a?wait=true&stream=true");
        let ours = answer(200, &HEADERS, &format!("{one}{two}"));
        for lines in [one.to_owned(), format!("{two}{one}"), format!("{one}{two}{two}")] {
            assert_eq!(found("GET", path, &ours, &answer(200, &HEADERS, &lines)), ["body"]);
        }
        let mut theirs = ours.clone();
        theirs.ended = false;
        assert_eq!(found("GET", path, &ours, &theirs), ["end of the body"]);
    }
}
