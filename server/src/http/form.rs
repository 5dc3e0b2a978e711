//! The parameters of a request on a key: read from query and body, checked in
//! etcd's order with etcd's errors.

use std::borrow::Cow;
use std::sync::Arc;

use super::escape::unescape;

/// The longest time to live, in seconds: 292 years. etcd takes more, and lets the
/// key expire at once or never.
const MAX_TTL_S: u64 = 9_223_372_036;

/// Why parameters are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError {
    /// etcd's error code.
    pub code: u16,
    /// etcd's `cause`.
    pub cause: String,
}

/// The parameters, read and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What to write; none when not given.
    pub value: Option<Arc<str>>,
    /// Write or delete only if this is the value; never empty.
    pub prev_value: Option<Arc<str>>,
    /// Write or delete only if this is the `modifiedIndex`; never 0.
    pub prev_index: Option<u64>,
    /// Write only if the key does, or does not, exist.
    pub prev_exist: Option<bool>,
    /// A directory is meant.
    pub dir: bool,
    /// All below it, too.
    pub recursive: bool,
    /// Wait for a change.
    pub wait: bool,
    /// From this store index on; never 0.
    pub wait_index: Option<u64>,
    /// Wait for change after change.
    pub stream: bool,
    /// Begin with what is there: ours, not etcd's.
    pub initial: bool,
    /// Ask the quorum, whatever the default is.
    pub quorum: bool,
    /// The answer need not repeat the node.
    pub no_value_on_success: bool,
    /// Seconds to live.
    pub ttl: Option<u64>,
    /// Renew the time to live only.
    pub refresh: bool,
    /// `consistency=local` or `=linearizable`: ours, not etcd's.
    pub local: Option<bool>,
}

impl Form {
    /// Reads the query and, if the request has a form in its body, that; the
    /// body's parameters come first and win.
    ///
    /// # Errors
    /// The first thing that is wrong, in etcd's order.
    pub fn parse(is_get: bool, query: &str, body: &str) -> Result<Self, FormError> {
        let fields = Fields::parse(query, body)?;
        let prev_index = fields.number("prevIndex")?.unwrap_or(0);
        let wait_index = fields.number("waitIndex")?.unwrap_or(0);
        let recursive = fields.switch("recursive")?;
        fields.switch("sorted")?;
        let wait = fields.switch("wait")?;
        let dir = fields.switch("dir")?;
        let quorum = fields.switch("quorum")?;
        let stream = fields.switch("stream")?;
        if wait && !is_get {
            return Err(invalid_field("\"wait\" can only be used with GET requests".into()));
        }
        let prev_value = fields.text("prevValue");
        if prev_value.is_some_and(str::is_empty) {
            return Err(error(201, "\"prevValue\" cannot be empty".into()));
        }
        let no_value_on_success = fields.switch("noValueOnSuccess")?;
        let ttl = fields.ttl()?;
        let prev_exist = fields.unquoted_bool("prevExist")?;
        let refresh = fields.refresh(ttl)?;
        Ok(Self {
            value: fields.text("value").map(Into::into),
            prev_value: prev_value.map(Into::into),
            prev_index: Some(prev_index).filter(|&index| index != 0),
            prev_exist,
            dir,
            recursive,
            wait,
            wait_index: Some(wait_index).filter(|&index| index != 0),
            stream,
            initial: fields.initial(wait, wait_index)?,
            quorum,
            no_value_on_success,
            ttl,
            refresh,
            local: fields.consistency()?,
        })
    }
}

/// Parameters that mean something; a body may be full of others.
const KNOWN: [&str; 16] = [
    "value",
    "prevValue",
    "prevIndex",
    "prevExist",
    "dir",
    "recursive",
    "sorted",
    "wait",
    "waitIndex",
    "stream",
    "initial",
    "quorum",
    "noValueOnSuccess",
    "ttl",
    "refresh",
    "consistency",
];

/// The parameters that mean something, as they came, each name once: the body's
/// come first, and the first wins.
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    fn parse(query: &'a str, body: &'a str) -> Result<Self, FormError> {
        let mut fields = Vec::new();
        for source in [body, query] {
            // Go finds these wherever they stand, and tells of the last thing it found.
            if source.contains(';') {
                return Err(invalid_form("invalid semicolon separator in query"));
            }
            for part in source.split('&').filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let (name, value) = (text(name)?, text(value)?);
                let known = KNOWN.contains(&&*name);
                if known && !fields.iter().any(|(before, _)| *before == name) {
                    fields.push((name, value));
                }
            }
        }
        Ok(Self(fields))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, FormError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || error(203, format!("invalid value for \"{name}\""));
        unsigned(text).map(Some).ok_or_else(wrong)
    }

    fn switch(&self, name: &str) -> Result<bool, FormError> {
        let Some(text) = self.text(name) else { return Ok(false) };
        boolean(text).ok_or_else(|| invalid_field(format!("invalid value for \"{name}\"")))
    }

    fn unquoted_bool(&self, name: &str) -> Result<Option<bool>, FormError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || invalid_field(format!("invalid value for {name}"));
        boolean(text).map(Some).ok_or_else(wrong)
    }

    fn ttl(&self) -> Result<Option<u64>, FormError> {
        let Some(text) = self.text("ttl").filter(|text| !text.is_empty()) else { return Ok(None) };
        let seconds = unsigned(text).filter(|seconds| *seconds <= MAX_TTL_S);
        seconds.map(Some).ok_or_else(|| error(202, "invalid value for \"ttl\"".into()))
    }

    fn refresh(&self, ttl: Option<u64>) -> Result<bool, FormError> {
        let refresh = self.unquoted_bool("refresh")?.unwrap_or(false);
        if refresh && self.text("value").is_some_and(|value| !value.is_empty()) {
            return Err(error(211, "A value was provided on a refresh".into()));
        }
        if refresh && ttl.is_none() {
            return Err(error(212, "No TTL value set".into()));
        }
        Ok(refresh)
    }

    fn initial(&self, wait: bool, wait_index: u64) -> Result<bool, FormError> {
        let initial = self.switch("initial")?;
        if initial && (!wait || wait_index != 0) {
            let cause = "\"initial\" goes with \"wait\" and without \"waitIndex\"";
            return Err(invalid_field(cause.into()));
        }
        Ok(initial)
    }

    fn consistency(&self) -> Result<Option<bool>, FormError> {
        match self.text("consistency") {
            None => Ok(None),
            Some("local") => Ok(Some(true)),
            Some("linearizable") => Ok(Some(false)),
            Some(_) => Err(invalid_field("invalid value for \"consistency\"".into())),
        }
    }
}

/// etcd stores other bytes with U+FFFD in their place; here they are refused.
fn text(raw: &str) -> Result<Cow<'_, str>, FormError> {
    match unescape(raw, true).map_err(invalid_form)? {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(raw)),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| invalid_form("invalid UTF-8 in a parameter")),
    }
}

fn unsigned(text: &str) -> Option<u64> {
    // Rust takes a leading plus, Go does not.
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn error(code: u16, cause: String) -> FormError {
    FormError { code, cause }
}

fn invalid_field(cause: String) -> FormError {
    error(209, cause)
}

/// etcd's error 210 for this cause.
pub fn invalid_form(cause: impl Into<String>) -> FormError {
    error(210, cause.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> (u16, String) {
        let error = Form::parse(false, query, "").unwrap_err();
        (error.code, error.cause)
    }

    #[test]
    fn the_body_wins_and_the_first_of_repeated_wins() {
        let form =
            Form::parse(false, "value=q&dir=1&prevIndex=0", "value=a+b&value=c&x=y").unwrap();
        assert_eq!(form.value.as_deref(), Some("a b"));
        assert!(form.dir);
        assert_eq!((form.prev_index, form.prev_exist), (None, None));
        assert_eq!(Form::parse(true, "", "").unwrap(), Form::default());
        assert_eq!(Form::parse(true, "ttl=&prevExist=F", "").unwrap().prev_exist, Some(false));
    }

    #[test]
    fn each_mistake_has_etcds_code_and_cause() {
        for (query, code, cause) in [
            ("a=%zz", 210, "invalid URL escape \"%zz\""),
            ("a=1;b=2", 210, "invalid semicolon separator in query"),
            ("%zz&a;b", 210, "invalid semicolon separator in query"),
            ("value=%ff", 210, "invalid UTF-8 in a parameter"),
            ("prevIndex=", 203, "invalid value for \"prevIndex\""),
            ("prevIndex=+1", 203, "invalid value for \"prevIndex\""),
            ("waitIndex=-1", 203, "invalid value for \"waitIndex\""),
            ("recursive=", 209, "invalid value for \"recursive\""),
            ("dir=yes", 209, "invalid value for \"dir\""),
            ("wait=true", 209, "\"wait\" can only be used with GET requests"),
            ("prevValue=", 201, "\"prevValue\" cannot be empty"),
            ("noValueOnSuccess=x", 209, "invalid value for \"noValueOnSuccess\""),
            ("ttl=1.5", 202, "invalid value for \"ttl\""),
            ("ttl=9223372037", 202, "invalid value for \"ttl\""),
            ("initial=x", 209, "invalid value for \"initial\""),
            ("initial=1", 209, "\"initial\" goes with \"wait\" and without \"waitIndex\""),
            ("prevExist=", 209, "invalid value for prevExist"),
            ("refresh=x", 209, "invalid value for refresh"),
            ("refresh=1&value=x", 211, "A value was provided on a refresh"),
            ("refresh=1&value=", 212, "No TTL value set"),
            ("consistency=x", 209, "invalid value for \"consistency\""),
        ] {
            assert_eq!(wrong(query), (code, cause.to_owned()), "{query}");
        }
    }

    #[test]
    fn the_first_failure_in_etcds_order_wins() {
        let mistakes = [
            ("%zz", 210),
            ("prevIndex=x", 203),
            ("recursive=x", 209),
            ("prevValue=", 201),
            ("ttl=x", 202),
            ("prevExist=x", 209),
        ];
        for (at, (first, code)) in mistakes.iter().enumerate() {
            let rest = mistakes[at..].iter().rev().map(|(query, _)| *query);
            let query = rest.collect::<Vec<_>>().join("&");
            assert_eq!(wrong(&query).0, *code, "{first} first in {query}");
        }
    }
}
