//! `/v2/keys`: the tree.

use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::{Method, Request};
use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Condition, Content, Done, Outcome, Refused, Write};

use super::answer::{self, Answer};
use super::body::FormBody;
use super::form::{Form, FormError, invalid_form};
use super::{Server, answer::KeyAnswers};

const METHODS: &str = "HEAD,GET,PUT,POST,DELETE";

/// Answers a request on a key.
pub async fn serve(server: &Server, key: &str, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("");
    let answered = match parts.method {
        Method::GET | Method::HEAD => read(server, key, query).await,
        Method::PUT | Method::POST => match server.bodies.read(&parts.headers, body).await {
            Ok(body) if parts.method == Method::PUT => put(server, key, query, &body).await,
            Ok(body) => post(&server.answers, query, &body),
            Err(error) => Ok(error.answer(&server.answers)),
        },
        Method::DELETE if !body.is_end_stream() => Err(invalid_form(
            "a DELETE takes its parameters from the query only, and this one has a body",
        )),
        Method::DELETE => delete(server, key, query).await,
        _ => Ok(answer::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(|error| server.answers.form_error(&error))
}

async fn read(server: &Server, key: &str, query: &str) -> Result<Answer, FormError> {
    let form = Form::parse(true, query, "")?;
    if form.wait {
        return Ok(server.answers.not_yet("wait"));
    }
    let read = Read { path: path(key)?, recursive: form.recursive };
    let local = form.local.unwrap_or(server.local_reads && !form.quorum);
    if local && !server.node.view().ready {
        return Ok(server.answers.refused(&Refused::NoLeader));
    }
    if !local {
        match server.node.ask(quorate_engine::Request::Read).await {
            Outcome::Done(_) => {}
            Outcome::Refused(refused) => return Ok(server.answers.refused(&refused)),
            Outcome::Lost(lost) => return Ok(server.answers.lost(lost)),
        }
    }
    Ok(match server.node.view().read(&read) {
        Ok((node, at)) => server.answers.read(&node, at),
        Err(fault) => server.answers.fault(&fault),
    })
}

async fn put(
    server: &Server,
    key: &str,
    query: &str,
    body: &FormBody<'_>,
) -> Result<Answer, FormError> {
    let form = Form::parse(false, query, body.text()?)?;
    if form.refresh {
        return Ok(server.answers.not_yet("refresh"));
    }
    if form.ttl.is_some() {
        return Ok(server.answers.not_yet("ttl"));
    }
    let brief = form.no_value_on_success;
    let write = Write { path: path(key)?, change: change(form) };
    Ok(ask(server, write, brief).await)
}

async fn delete(server: &Server, key: &str, query: &str) -> Result<Answer, FormError> {
    let form = Form::parse(false, query, "")?;
    let change = match condition(&form) {
        Some(condition) => Change::CompareAndDelete { condition },
        None => Change::Delete { dir: form.dir, recursive: form.recursive },
    };
    Ok(ask(server, Write { path: path(key)?, change }, false).await)
}

fn post(answers: &KeyAnswers, query: &str, body: &FormBody<'_>) -> Result<Answer, FormError> {
    Form::parse(false, query, body.text()?)?;
    Ok(answers.not_yet("POST (in-order keys)"))
}

async fn ask(server: &Server, write: Write, brief: bool) -> Answer {
    let answers = &server.answers;
    match server.node.ask(quorate_engine::Request::Write(write)).await {
        Outcome::Done(Done::Written { event, at }) => answers.written(&event, at, brief),
        Outcome::Done(done) => unreachable!("a write is answered by its event, not by {done:?}"),
        Outcome::Refused(refused) => answers.refused(&refused),
        Outcome::Lost(lost) => answers.lost(lost),
    }
}

/// What a PUT means, as etcd decides it.
fn change(form: Form) -> Change {
    let condition = condition(&form);
    let value = form.value.unwrap_or_default();
    let content = |value: Arc<str>| if form.dir { Content::Dir } else { Content::File(value) };
    match (form.prev_exist, condition) {
        (Some(false), _) => Change::Create(content(value)),
        (_, Some(condition)) => Change::CompareAndSwap { value, condition },
        (Some(true), None) => Change::Update { value },
        (None, None) => Change::Set(content(value)),
    }
}

fn condition(form: &Form) -> Option<Condition> {
    let condition = Condition { value: form.prev_value.clone(), index: form.prev_index };
    (condition != Condition::default()).then_some(condition)
}

fn path(key: &str) -> Result<Path, FormError> {
    let key = key.strip_suffix('/').unwrap_or(key);
    let path = if key.is_empty() { Ok(Path::root()) } else { Path::new(key) };
    path.map_err(|error| invalid_form(format!("the key is not a path: {error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(query: &str) -> Change {
        change(Form::parse(false, query, "").unwrap())
    }

    fn swap(value: Option<&str>, index: Option<u64>) -> Change {
        let condition = Condition { value: value.map(Into::into), index };
        Change::CompareAndSwap { value: "v".into(), condition }
    }

    #[test]
    fn a_put_means_what_etcd_takes_it_for() {
        let file = || Content::File("v".into());
        for (query, change) in [
            ("value=v", Change::Set(file())),
            ("value=v&dir=true", Change::Set(Content::Dir)),
            ("", Change::Set(Content::File("".into()))),
            ("value=v&prevExist=false&prevValue=x&prevIndex=3", Change::Create(file())),
            ("prevExist=false&dir=true", Change::Create(Content::Dir)),
            ("value=v&prevExist=true", Change::Update { value: "v".into() }),
            ("dir=true&prevExist=true", Change::Update { value: "".into() }),
            ("value=v&prevExist=true&prevValue=x", swap(Some("x"), None)),
            ("value=v&prevIndex=3&dir=true", swap(None, Some(3))),
            ("value=v&prevIndex=3&prevValue=x", swap(Some("x"), Some(3))),
            ("value=v&prevIndex=0", Change::Set(file())),
        ] {
            assert_eq!(change_of(query), change, "{query}");
        }
    }
}
