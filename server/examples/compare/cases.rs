//! A program by hand for each exception: Quorate must show it, and in this way.

use std::error::Error;
use std::path::Path;

use crate::exceptions::EXCEPTIONS;
use crate::program::{Step, Stop, play};
use crate::requests::Request;
use crate::servers::{Kind, Pair};
use crate::transcript::transcripts;

/// A program for fresh servers that shows an exception.
pub struct Case {
    /// The exception's name.
    pub exception: &'static str,
    /// What is played.
    pub program: Vec<Step>,
    /// What Quorate's answer must hold where the exception is met.
    pub ours: &'static str,
}

fn put(key: &str, form: &'static str) -> Request {
    Request::new("PUT", &format!("/v2/keys{key}")).form(form)
}

fn get(key: &str, query: &'static str) -> Request {
    Request::new("GET", &format!("/v2/keys{key}")).query(query)
}

fn delete(key: &str, query: &'static str) -> Request {
    Request::new("DELETE", &format!("/v2/keys{key}")).query(query)
}

fn case<const N: usize>(
    exception: &'static str,
    program: [Request; N],
    ours: &'static str,
) -> Case {
    Case { exception, program: program.map(Step::Send).into(), ours }
}

/// All cases, at least one for each exception.
pub fn cases() -> Vec<Case> {
    [watches(), writes(), wire(), elsewhere()].into_iter().flatten().collect()
}

fn watches() -> Vec<Case> {
    let mut cleared = case("headers of our own", [get("/fill", "wait=true&waitIndex=3")], "[4/3]");
    cleared.program.insert(0, Step::Fill);
    let removed = r#"{"action":"delete","node":{"key":"/d","dir":true,"#;
    vec![
        cleared,
        case(
            "a stream from a past waitIndex tells all of it and goes on",
            [
                put("/a", "value=1"),
                put("/a", "value=2"),
                get("/a", "wait=true&stream=true&waitIndex=4"),
                put("/a", "value=3"),
            ],
            r#"{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}
{"action":"set","node":{"key":"/a","value":"2","modifiedIndex":5,"createdIndex":5},"prevNode":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}
{"action":"set","node":{"key":"/a","value":"3","modifiedIndex":6,"createdIndex":6},"prevNode":{"key":"/a","value":"2","modifiedIndex":5,"createdIndex":5}}
"#,
        ),
        case(
            "a stream hears once that its key was deleted",
            [put("/a", "value=1"), get("/a", "wait=true&stream=true"), delete("/a", "")],
            r#"{"action":"delete","node":{"key":"/a","#,
        ),
        case(
            "a stream below a removed directory hears of it",
            [
                put("/d/a", "value=1"),
                get("/d/b", "wait=true&stream=true"),
                delete("/d", "recursive=true"),
            ],
            removed,
        ),
        case(
            "a watch below a removed directory hears of it",
            [put("/d/a", "value=1"), get("/d/b", "wait=true"), delete("/d", "recursive=true")],
            removed,
        ),
        case(
            "history is searched by path",
            [
                put("/ab/x", "value=1"),
                delete("/ab", "recursive=true"),
                get("/abc", "wait=true&waitIndex=4"),
                put("/abc", "value=1"),
            ],
            r#"{"key":"/abc","value":"1","modifiedIndex":6,"#,
        ),
        case(
            "history hides hidden keys",
            [
                put("/d/_h", "value=1"),
                get("/d", "wait=true&recursive=true&waitIndex=4"),
                put("/d/a", "value=1"),
            ],
            r#"{"key":"/d/a","value":"1","modifiedIndex":5,"#,
        ),
        case(
            "wait=true with quorum=true waits",
            [put("/a", "value=1"), get("/a", "wait=true&quorum=true"), put("/a", "value=2")],
            r#"{"action":"set","node":{"key":"/a","value":"2","modifiedIndex":5,"#,
        ),
    ]
}

fn writes() -> Vec<Case> {
    let no_form = |request: Request| request.body(Some("text/plain"), "value=2");
    vec![
        case(
            "dir=true over a file is refused with 104",
            [put("/a", "value=1"), put("/a", "dir=true")],
            r#"{"errorCode":104,"message":"Not a directory","cause":"/a","index":4}"#,
        ),
        case(
            "refresh=true with dir=true refreshes a file",
            [put("/a", "value=1"), put("/a", "dir=true&refresh=true&ttl=100")],
            r#"{"action":"set","node":{"key":"/a","value":"1","expiration":""#,
        ),
        case(
            "prevExist=true without value over a file is refused with 200",
            [put("/a", "value=1"), put("/a", "prevExist=true")],
            r#"{"errorCode":200,"message":"Value is Required in POST form","cause":"prevExist=true without a value would empty the file","index":4}"#,
        ),
        case(
            "conditions in the body of a DELETE are honoured",
            [put("/a", "value=1"), delete("/a", "").form("prevValue=2")],
            r#"{"errorCode":101,"message":"Compare failed","cause":"[2 != 1]","index":4}"#,
        ),
        case(
            "conditions in the body of a DELETE are honoured",
            [put("/a", "value=1"), delete("/a", "").form("prevIndex=4")],
            r#"{"action":"compareAndDelete","node":{"key":"/a","modifiedIndex":5,"createdIndex":4},"#,
        ),
        case(
            "a body that is no form is refused with 210",
            [put("/a", "value=1"), no_form(put("/a", ""))],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":""#,
        ),
        case(
            "a body that is no form is refused with 210",
            [put("/a", "value=1"), put("/a", "").body(None, "value=2")],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":""#,
        ),
        case(
            "a body that is no form is refused with 210",
            [no_form(Request::new("POST", "/v2/keys/q"))],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":""#,
        ),
        case(
            "a body that is no form is refused with 210",
            [put("/a", "value=1"), no_form(delete("/a", ""))],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":""#,
        ),
        case(
            "a ttl that ends after 2262 is kept, and one above 9223372036 refused with 202",
            [put("/a", "value=1&ttl=9223372037")],
            r#"{"errorCode":202,"message":"The given TTL in POST form is not a number","cause":"invalid value for \"ttl\"","index":0}"#,
        ),
        case(
            "a ttl that ends after 2262 is kept, and one above 9223372036 refused with 202",
            [put("/a", "value=1&ttl=9223372036")],
            r#","ttl":9223372036,"modifiedIndex":4,"createdIndex":4}}"#,
        ),
        case(
            "what is not UTF-8 is refused with 210",
            [put("/a", "value=%ff")],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":"invalid UTF-8 in a parameter","index":0}"#,
        ),
        case(
            "what is not UTF-8 is refused with 210",
            [put("/%ff", "value=1")],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":"invalid UTF-8 in the key","index":0}"#,
        ),
    ]
}

fn wire() -> Vec<Case> {
    vec![
        case(
            "an unclean path is cleaned in place",
            [put("//x/./../a", "value=1")],
            r#"{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}"#,
        ),
        case(
            "a bad escape in a path is refused with 210",
            [get("/%zz", "")],
            r#"{"errorCode":210,"message":"Invalid POST form","cause":"invalid URL escape \"%zz\"","index":0}"#,
        ),
        case(
            "a fragment is not part of a key",
            [put("/a#b", "value=1")],
            r#"{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}"#,
        ),
        case(
            "a long request line is answered",
            // On a connection of its own, as a watch has it: etcd looks at its beginning.
            [
                Request::new("GET", &format!("/v2/keys/a?wait=true&{}", "x".repeat(9_000))),
                put("/a", "value=1"),
            ],
            r#"{"action":"set","node":{"key":"/a","value":"1","modifiedIndex":4,"createdIndex":4}}"#,
        ),
        case(
            "a key has bounds",
            [put(&"/d".repeat(300), "value=1")],
            r#"{"errorCode":209,"message":"Invalid field","cause":"over the bound "#,
        ),
        case(
            "a key has bounds",
            [get(&"/d".repeat(300), "wait=true&stream=true")],
            r#"{"errorCode":209,"message":"Invalid field","cause":"over the bound "#,
        ),
    ]
}

fn elsewhere() -> Vec<Case> {
    let get = |path| Request::new("GET", path);
    vec![
        case(
            "a member is found by its id",
            [get("/v2/members/b71f75320dc06a6c")],
            r#"{"id":"b71f75320dc06a6c","name":"n1","#,
        ),
        case(
            "statistics of the store count what clients asked for, once and as it ended",
            [put("/a", "value=1"), delete("/a", "prevValue=2"), get("/v2/stats/store")],
            r#""setsSuccess":1,"setsFail":0,"deleteSuccess":0,"deleteFail":0,"updateSuccess":0,"updateFail":0,"createSuccess":0,"createFail":0,"compareAndSwapSuccess":0,"compareAndSwapFail":0,"compareAndDeleteSuccess":0,"compareAndDeleteFail":1,"#,
        ),
        case("/version names Quorate, too", [get("/version")], r#","etcdcluster":"3.4.0","#),
        case("not there yet", [get("/v2/auth/enable")], "not supported yet: /v2/auth"),
        case(
            "not there yet",
            [Request::new("PUT", "/config/local/log").body(None, "{\"Level\":\"INFO\"}")],
            "not supported yet: /config/local",
        ),
    ]
}

/// Plays a case: what is wrong, if anything is. Two etcds must not differ at all.
pub fn check(case: &Case, kind: Kind, dir: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let played = play(&case.program, &mut Pair::start(kind, dir)?)?;
    if let Some(Stop::Different(..)) = played.stop {
        let told = transcripts(&played, kind);
        return Ok(Some(format!(
            "the case of {:?} shows another difference:\n{told}",
            case.exception
        )));
    }
    let named = |&&(_, number): &&(usize, usize)| EXCEPTIONS[number - 1].name == case.exception;
    let met = played.exceptions.iter().find(named);
    let ours = met.map(|&(at, _)| &played.exchanges[at].ours.body);
    Ok(match (kind, ours) {
        (Kind::Etcd, _) => None,
        (Kind::Quorate, Some(ours)) if ours.contains(case.ours) => None,
        (Kind::Quorate, Some(ours)) => {
            Some(format!("{:?} holds, but Quorate said {ours}", case.exception))
        }
        (Kind::Quorate, None) => {
            Some(format!("{:?} is an exception no more: Quorate does as etcd", case.exception))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_has_a_case_and_every_case_an_exception() {
        let cases = cases();
        for exception in &EXCEPTIONS {
            let name = exception.name;
            assert!(cases.iter().any(|case| case.exception == name), "no case of {name:?}");
        }
        for case in &cases {
            let name = case.exception;
            assert!(EXCEPTIONS.iter().any(|it| it.name == name), "no exception {name:?}");
        }
    }
}
