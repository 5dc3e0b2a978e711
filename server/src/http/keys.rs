//! `/v2/keys`: the tree.

use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::{Method, Request};
use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Condition, Content, Done, Outcome, Refresh, Refused, Write};

use super::answer::{self, Answer};
use super::form::{Form, FormError, invalid_form};
use super::listing::Listing;
use super::{Server, watch};

const METHODS: &str = "HEAD,GET,PUT,POST,DELETE";

/// Answers a request on a key.
pub async fn serve(server: &Server, key: &str, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("");
    let answered = match parts.method {
        Method::GET | Method::HEAD => {
            let form = Form::parse(parts.method == Method::GET, query, "");
            match form {
                Ok(form) => read(server, key, form).await,
                Err(error) => Err(error),
            }
        }
        Method::PUT | Method::POST | Method::DELETE => {
            match server.bodies.read(&parts.headers, body).await {
                Ok(body) => match body.text().and_then(|body| Form::parse(false, query, body)) {
                    Ok(form) => write(server, &parts.method, key, form).await,
                    Err(error) => Err(error),
                },
                Err(error) => Ok(error.answer(&server.answers)),
            }
        }
        _ => Ok(answer::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(|error| server.answers.form_error(&error))
}

async fn read(server: &Server, key: &str, form: Form) -> Result<Answer, FormError> {
    let path = path(key)?;
    // A watch is behind or ahead of others by itself, unless it begins with a read.
    let local_by_default = server.local_reads || form.wait && !form.initial;
    let local = form.local.unwrap_or(local_by_default && !form.quorum);
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
    if form.wait {
        return Ok(watch::serve(server, path, &form));
    }
    let view = server.node.view();
    let found = Listing::new(&view.tree, Read { path, recursive: form.recursive });
    let counter = if found.is_ok() { &server.gets.success } else { &server.gets.fail };
    counter.fetch_add(1, Ordering::Relaxed);
    Ok(match found {
        Ok(listing) => server.answers.read(listing, view),
        Err(fault) => server.answers.fault(&fault),
    })
}

async fn write(
    server: &Server,
    method: &Method,
    key: &str,
    form: Form,
) -> Result<Answer, FormError> {
    let path = path(key)?;
    let brief = form.no_value_on_success && method != Method::DELETE;
    let change = change(method, form);
    let answers = &server.answers;
    let asked = quorate_engine::Request::Write(Write { path, change });
    Ok(match server.node.ask(asked).await {
        Outcome::Done(Done::Written { event, at }) => answers.written(&event, at, brief),
        Outcome::Done(done) => unreachable!("a write is answered by its event, not by {done:?}"),
        Outcome::Refused(refused) => answers.refused(&refused),
        Outcome::Lost(lost) => answers.lost(lost),
    })
}

/// What a PUT, a POST or a DELETE means.
pub(super) fn change(method: &Method, form: Form) -> Change {
    match *method {
        Method::PUT => put(form),
        Method::POST => Change::CreateInOrder { ttl: form.ttl, content: content(form) },
        _ => delete(form),
    }
}

/// What a PUT means, as etcd decides it.
fn put(form: Form) -> Change {
    let (condition, ttl) = (condition(&form), form.ttl);
    let refreshed = ttl.filter(|_| form.refresh);
    match (form.prev_exist, condition, refreshed) {
        (Some(false), ..) => Change::Create { content: content(form), ttl },
        (_, Some(condition), Some(ttl)) => {
            Change::Refresh { ttl, like: Refresh::CompareAndSwap(condition) }
        }
        (Some(true), None, Some(ttl)) => Change::Refresh { ttl, like: Refresh::Update },
        (None, None, Some(ttl)) => Change::Refresh { ttl, like: Refresh::Set },
        (_, Some(condition), None) => {
            Change::CompareAndSwap { value: form.value.unwrap_or_default(), condition, ttl }
        }
        (Some(true), None, None) => Change::Update { value: form.value, ttl },
        (None, None, None) => Change::Set { content: content(form), ttl },
    }
}

fn delete(form: Form) -> Change {
    match condition(&form) {
        Some(condition) => Change::CompareAndDelete { condition },
        None => Change::Delete { dir: form.dir, recursive: form.recursive },
    }
}

fn content(form: Form) -> Content {
    if form.dir { Content::Dir } else { Content::File(form.value.unwrap_or_default()) }
}

fn condition(form: &Form) -> Option<Condition> {
    let condition = Condition { value: form.prev_value.clone(), index: form.prev_index };
    (condition != Condition::default()).then_some(condition)
}

/// The key behind `/v2/keys`.
pub(super) fn path(key: &str) -> Result<Path, FormError> {
    let key = key.strip_suffix('/').unwrap_or(key);
    let path = if key.is_empty() { Ok(Path::root()) } else { Path::new(key) };
    path.map_err(|error| invalid_form(format!("the key is not a path: {error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(query: &str) -> Change {
        put(Form::parse(false, query, "").unwrap())
    }

    fn condition(value: Option<&str>, index: Option<u64>) -> Condition {
        Condition { value: value.map(Into::into), index }
    }

    fn swap(value: Option<&str>, index: Option<u64>) -> Change {
        let condition = condition(value, index);
        Change::CompareAndSwap { value: "v".into(), condition, ttl: None }
    }

    fn set(content: Content) -> Change {
        Change::Set { content, ttl: None }
    }

    fn create(content: Content) -> Change {
        Change::Create { content, ttl: None }
    }

    fn update(value: Option<&str>) -> Change {
        Change::Update { value: value.map(Into::into), ttl: None }
    }

    fn refresh(like: Refresh) -> Change {
        Change::Refresh { ttl: 5, like }
    }

    #[test]
    fn a_put_means_what_etcd_takes_it_for() {
        let file = || Content::File("v".into());
        let empty = || Content::File("".into());
        let where_x = Refresh::CompareAndSwap(condition(Some("x"), None));
        for (query, change) in [
            ("value=v", set(file())),
            ("value=v&dir=true", set(Content::Dir)),
            ("", set(empty())),
            ("value=v&ttl=5", Change::Set { content: file(), ttl: Some(5) }),
            ("value=v&ttl=", set(file())),
            ("value=v&prevExist=false&prevValue=x&prevIndex=3", create(file())),
            ("prevExist=false&dir=true", create(Content::Dir)),
            ("value=v&prevExist=true", update(Some("v"))),
            ("dir=true&prevExist=true", update(None)),
            ("prevExist=true&value=", update(Some(""))),
            ("value=v&prevExist=true&prevValue=x", swap(Some("x"), None)),
            ("value=v&prevIndex=3&dir=true", swap(None, Some(3))),
            ("value=v&prevIndex=3&prevValue=x", swap(Some("x"), Some(3))),
            ("value=v&prevIndex=0", set(file())),
            ("refresh=true&ttl=5", refresh(Refresh::Set)),
            ("refresh=true&ttl=5&prevExist=true", refresh(Refresh::Update)),
            ("refresh=true&ttl=5&prevValue=x", refresh(where_x.clone())),
            ("refresh=true&ttl=5&prevExist=true&prevValue=x", refresh(where_x)),
            (
                "refresh=true&ttl=5&prevExist=false",
                Change::Create { content: empty(), ttl: Some(5) },
            ),
        ] {
            assert_eq!(change_of(query), change, "{query}");
        }
    }
}
