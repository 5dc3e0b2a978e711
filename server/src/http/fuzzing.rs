//! What the fuzz target of the request parser runs.

use std::fmt::Write as _;

use hyper::Method;

use super::form::Form;
use super::{escape, keys};

/// Any bytes as a request: a byte for the method, then target, query and body, a
/// line each. Nothing panics; what is understood is understood the same when it is
/// written out with every escape that there is.
///
/// # Panics
/// When that is not so.
pub fn request_parse(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let method =
        [Method::GET, Method::PUT, Method::POST, Method::DELETE][usize::from(kind % 4)].clone();
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or("");
    let (target, query, body) = (line(), line(), line());
    if let Ok(path) = escape::clean_path(target) {
        let spelt = escaped(&path);
        let again = escape::clean_path(&spelt).expect("escapes of UTF-8");
        assert_eq!(again, path, "a clean path is clean");
        keys::path(&path).expect("a clean path is a key");
    }
    let Ok(form) = Form::parse(method == Method::GET, query, body) else { return };
    let again = Form::parse(method == Method::GET, &written_out(&form), "");
    assert_eq!(again.as_ref(), Ok(&form), "a form written out means the same");
    keys::change(&method, form);
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02x}").expect("into memory");
        out
    })
}

fn written_out(form: &Form) -> String {
    let mut out = String::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(out, "{}={}&", escaped(name), escaped(&value)).expect("into memory");
        }
    };
    let text = |value: &Option<std::sync::Arc<str>>| value.as_ref().map(ToString::to_string);
    let number = |value: Option<u64>| value.map(|number| number.to_string());
    put("value", text(&form.value));
    put("prevValue", text(&form.prev_value));
    put("prevIndex", number(form.prev_index));
    put("waitIndex", number(form.wait_index));
    put("ttl", number(form.ttl));
    put("prevExist", form.prev_exist.map(|flag| flag.to_string()));
    put("consistency", form.local.map(|local| if local { "local" } else { "linearizable" }.into()));
    for (name, flag) in [
        ("dir", form.dir),
        ("recursive", form.recursive),
        ("wait", form.wait),
        ("stream", form.stream),
        ("initial", form.initial),
        ("quorum", form.quorum),
        ("noValueOnSuccess", form.no_value_on_success),
        ("refresh", form.refresh),
    ] {
        put(name, Some(flag.to_string()));
    }
    out
}
