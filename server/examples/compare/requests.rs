//! Requests: as a program has them, and as they are sent.

use std::fmt::Write;

use crate::seen::Seen;

/// One request of a program, with references to what will have been answered by
/// the time it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The path as on the request line.
    pub path: String,
    /// The query's parameters.
    pub query: Vec<Param>,
    /// The body, if there is one.
    pub body: Option<Body>,
    /// It is sent only if its key is no file at that time.
    pub spares_files: bool,
}

/// A parameter of a query or a form.
#[derive(Clone, Debug)]
pub enum Param {
    /// A name and a value, escaped when it is sent.
    Pair(&'static str, Value),
    /// Verbatim.
    Raw(&'static str),
}

/// What a parameter says.
#[derive(Clone, Debug)]
pub enum Value {
    /// This.
    Text(String),
    /// The `modifiedIndex` of the request's key, and so many more.
    Modified(i64),
    /// The value of the request's key.
    Current,
    /// The index of the store, and so many more.
    Now(i64),
}

/// The body of a request.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its `Content-Type`, if it has one.
    pub content_type: Option<&'static str>,
    /// Its parameters; none is an empty body.
    pub params: Vec<Param>,
}

/// The `Content-Type` of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A request as it is sent to both servers.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The method.
    pub method: &'static str,
    /// Path and query, as on the request line.
    pub target: String,
    /// The `Content-Type` of the body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Option<String>,
}

impl Request {
    /// A request without query or body.
    pub fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), query: Vec::new(), body: None, spares_files: false }
    }

    /// With this query, verbatim.
    pub fn query(mut self, query: &'static str) -> Self {
        self.query.push(Param::Raw(query));
        self
    }

    /// With this form, verbatim.
    pub fn form(self, form: &'static str) -> Self {
        self.body(Some(FORM), form)
    }

    /// With this body, verbatim.
    pub fn body(mut self, content_type: Option<&'static str>, text: &'static str) -> Self {
        self.body = Some(Body { content_type, params: vec![Param::Raw(text)] });
        self
    }

    /// The request as it is sent now.
    pub fn resolve(&self, seen: &Seen) -> Asked {
        let key = key(&self.path);
        let query = render(&self.query, &key, seen);
        let target = if query.is_empty() { self.path.clone() } else { self.path.clone() + "?" };
        Asked {
            method: self.method,
            target: target + &query,
            content_type: self.body.as_ref().and_then(|body| body.content_type),
            body: self.body.as_ref().map(|body| render(&body.params, &key, seen)),
        }
    }
}

fn render(params: &[Param], key: &str, seen: &Seen) -> String {
    let mut text = String::new();
    for param in params {
        if !text.is_empty() {
            text.push('&');
        }
        match param {
            Param::Raw(raw) => text.push_str(raw),
            Param::Pair(name, value) => {
                text.push_str(name);
                text.push('=');
                escape(&resolve(value, key, seen), &mut text);
            }
        }
    }
    text
}

fn resolve(value: &Value, key: &str, seen: &Seen) -> String {
    let near = |index: u64, more: i64| index.saturating_add_signed(more).max(1).to_string();
    match value {
        Value::Text(text) => text.clone(),
        Value::Modified(more) => near(seen.modified(key), *more),
        Value::Current => seen.value(key).unwrap_or("nothing").to_owned(),
        Value::Now(more) => near(seen.now, *more),
    }
}

impl Asked {
    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", self.method, self.target);
        if let Some(content_type) = self.content_type {
            head += &format!("Content-Type: {content_type}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        (head + "\r\n" + self.body.as_deref().unwrap_or("")).into_bytes()
    }

    /// The path as on the request line.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    /// The key of a request on keys, as answers have it.
    pub fn key(&self) -> String {
        key(self.path())
    }

    /// A parameter as the servers take it: the form's, or else the query's first.
    pub fn param(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let form = self.body.as_deref().filter(|_| matches!(self.method, "PUT" | "POST"));
        let form = form.filter(|_| self.content_type.is_some_and(|kind| kind.starts_with(FORM)));
        let mut params = form.unwrap_or("").split('&').chain(query.split('&'));
        params.find_map(|param| {
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            (key == name).then(|| unescape(&value.replace('+', " ")))
        })
    }

    /// Whether a boolean parameter is given and true.
    pub fn flag(&self, name: &str) -> bool {
        let text = self.param(name);
        matches!(text.as_deref(), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// Whether the answer comes bit by bit.
    pub fn is_watch(&self) -> bool {
        self.method == "GET" && self.path().starts_with("/v2/keys") && self.flag("wait")
    }

    /// A command that asks the same of the server at `$at`.
    pub fn curl(&self) -> String {
        let mut command = "curl -sg --path-as-is ".to_owned();
        command += match self.method {
            "HEAD" => "-I",
            _ if self.is_watch() => "-iN -m 5",
            _ => "-i",
        };
        if !matches!(self.method, "GET" | "HEAD") {
            let _ = write!(command, " -X {}", self.method);
        }
        let _ = write!(command, " \"$at\"{}", quote(&self.target));
        if let Some(body) = &self.body {
            let content_type = match self.content_type {
                Some(content_type) => format!("Content-Type: {content_type}"),
                None => "Content-Type:".to_owned(),
            };
            let _ = write!(command, " -H {} --data-raw {}", quote(&content_type), quote(body));
        }
        command
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The key that a path of `/v2/keys` stands for.
pub fn key(path: &str) -> String {
    let below = path.strip_prefix("/v2/keys").unwrap_or(path);
    let key = unescape(below);
    let key = key.trim_end_matches('/');
    if key.is_empty() { "/".to_owned() } else { key.to_owned() }
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                out.push(byte.into());
            }
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
}

/// A name with everything escaped that a path or a form needs escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape(text, &mut out);
    out
}

/// Undoes percent-escapes, and leaves those that are none.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_what_was_seen() {
        let mut seen = Seen::default();
        seen.learn(
            r#"{"action":"set","node":{"key":"/x y","value":"a&b","modifiedIndex":7,"createdIndex":7}}"#,
        );
        seen.now = 9;
        let mut request = Request::new("PUT", "/v2/keys/x%20y/").form("value=1");
        request.query = vec![
            Param::Pair("prevIndex", Value::Modified(-1)),
            Param::Pair("prevValue", Value::Current),
            Param::Pair("waitIndex", Value::Now(2)),
        ];
        let asked = request.resolve(&seen);
        assert_eq!(asked.target, "/v2/keys/x%20y/?prevIndex=6&prevValue=a%26b&waitIndex=11");
        assert_eq!((asked.key(), asked.param("prevValue")), ("/x y".into(), Some("a&b".into())));
        let text = String::from_utf8(asked.bytes()).unwrap();
        assert!(text.ends_with("Content-Length: 7\r\n\r\nvalue=1"), "{text}");
    }

    #[test]
    fn the_form_wins_and_the_first_of_repeated_wins() {
        let request = Request::new("PUT", "/v2/keys/a").query("dir=1&value=q&value=r");
        let asked = request.form("dir=false&x=%zz").resolve(&Seen::default());
        assert_eq!(asked.param("value").as_deref(), Some("q"));
        assert_eq!(asked.param("x").as_deref(), Some("%zz"));
        assert!(!asked.flag("dir"));
    }

    #[test]
    fn curl_says_the_same() {
        let request = Request::new("PUT", "/v2/keys/a").form("value=it's");
        assert_eq!(
            request.resolve(&Seen::default()).curl(),
            "curl -sg --path-as-is -i -X PUT \"$at\"'/v2/keys/a' \
             -H 'Content-Type: application/x-www-form-urlencoded' --data-raw 'value=it'\\''s'"
        );
    }
}
