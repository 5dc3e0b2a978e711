//! Programs drawn at random: few keys and small values, so that requests meet.

use proptest::collection::vec;
use proptest::option::{self, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::exceptions::depends_on_a_file;
use crate::program::Step;
use crate::requests::{Body, FORM, Param, Request, Value};
use crate::seen::Seen;

/// The kinds of steps, by the names that `--only` knows.
pub const KINDS: [&str; 7] =
    ["keys", "in-order", "ttl", "watch", "expire", "malformed", "elsewhere"];

/// Parameters that are wrong, odd, or nobody's; divided by spaces.
const WRONG: &str = "\
    prevIndex=x prevIndex=-1 prevIndex= prevIndex=%2B1 prevIndex=18446744073709551616 \
    waitIndex=1.5 waitIndex= recursive=maybe recursive= sorted=yes wait=x wait= dir=tRUE \
    dir= quorum=2 stream=y prevValue= noValueOnSuccess=? ttl=-1 ttl=1.5 ttl=%2B1 ttl=%205 \
    ttl=x ttl=1e3 ttl=18446744073709551616 prevExist=maybe prevExist= refresh=x refresh= \
    refresh=true %zz value=%4 value=% a;b ; && = =x unknown=1 Value=x value ttl dir \
    wait=false";

/// Paths of other endpoints than keys, and of none; divided by spaces.
const PLACES: &str = "\
    /version /health /v2/machines /v2/machines/ /v2/members /v2/members/ /v2/members/leader \
    /v2/members/1 /v2/members/leader/ /v2/stats/self /v2/stats/leader /v2/stats/store \
    /v2/stats /v2/stats/ /v2/stats/x / /v2 /v2/ /v2/keysfoo /v2/leader /v2/auth /v2/security \
    /v1/keys /v2/auth/enable /v2/auth/users /v2/auth/roles /v2/auth/x /debug/x \
    /config/local/log /config/local/x /v2/keys/a/../b /v2//keys/a /v2/keys/./ /nope//x";

/// A program of steps of these kinds.
pub fn program(kinds: &[&'static str]) -> BoxedStrategy<Vec<Step>> {
    let steps = steps(kinds);
    let mut programs = vec![(100, vec(steps.clone(), 4..36).boxed())];
    if kinds.contains(&"expire") {
        programs.push((2, with_expiry(steps.clone(), kinds.contains(&"watch")).boxed()));
    }
    if kinds.contains(&"watch") {
        programs.push((1, with_full_history(steps).boxed()));
    }
    Union::new_weighted(programs).boxed()
}

fn steps(kinds: &[&'static str]) -> BoxedStrategy<Step> {
    let all = [
        (66, "keys", on_keys(false).boxed()),
        (6, "in-order", in_order(false).boxed()),
        (8, "ttl", prop_oneof![3 => on_keys(true), 1 => in_order(true)].boxed()),
        (12, "watch", watch(-12..3).boxed()),
        (6, "malformed", malformed().boxed()),
        (4, "elsewhere", elsewhere().boxed()),
    ];
    let asked = all.into_iter().filter(|(_, kind, _)| kinds.contains(kind));
    let mut drawn: Vec<_> = asked.map(|(weight, _, steps)| (weight, steps)).collect();
    if drawn.is_empty() {
        // Only `expire` has been asked for: something for it to be about.
        drawn.push((1, on_keys(false).boxed()));
    }
    Union::new_weighted(drawn).prop_map(Step::Send).boxed()
}

/// Some steps, watches that wait, keys that expire, and some more steps and watches.
fn with_expiry(steps: BoxedStrategy<Step>, watched: bool) -> impl Strategy<Value = Vec<Step>> {
    let all = Request::new("GET", "/v2/keys").query("wait=true&recursive=true&stream=true");
    let (all, most) = if watched { (vec![Step::Send(all)], 4) } else { (Vec::new(), 1) };
    let watches = || vec(watch(-8..1).prop_map(Step::Send), 0..most);
    let parts = (vec(steps.clone(), 0..8), watches(), expire(), watches(), vec(steps, 0..12));
    parts.prop_map(move |(before, live, expire, past, after)| {
        [before, all.clone(), live, vec![expire], past, after].concat()
    })
}

/// As many events as are remembered, and watches from about the first of them.
fn with_full_history(steps: BoxedStrategy<Step>) -> impl Strategy<Value = Vec<Step>> {
    let watches = watch(-1_002..-994).prop_map(Step::Send);
    let parts = (vec(watches, 1..5), vec(steps, 0..8));
    parts.prop_map(|(watches, after)| [vec![Step::Fill], watches, after].concat())
}

/// Names as they are in a path. None begins with another: etcd's history takes
/// prefixes for parents, which is an exception with a case of its own.
fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => select(&["a", "b", "c"][..]),
        2 => Just("_h"),
        2 => select(&["x%20y", "%C3%BC", "p+q", "%3c%26%3E", "d%2Fe", "%22%5c", "..z", "%e2%80%A8"][..]),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let depth = prop_oneof![8 => 1..2_usize, 8 => 2..3_usize, 4 => 3..4_usize, 1 => 4..8_usize];
    let deep = depth.prop_flat_map(|depth| vec(name(), depth));
    let names = prop_oneof![24 => deep, 1 => Just(Vec::new())];
    (names, weighted(0.06, Just("/"))).prop_map(|(names, slash)| {
        let names: String = names.iter().map(|name| format!("/{name}")).collect();
        format!("/v2/keys{names}{}", slash.unwrap_or(""))
    })
}

fn value() -> impl Strategy<Value = Value> {
    let texts =
        select(&["1", "2", "x y", "<a&b>", "ü\u{2028}", "\0\"\\\n\t\u{7f}", "a=b;c+d%"][..]);
    prop_oneof![
        20 => texts.prop_map(|text| Value::Text(text.into())),
        2 => Just(Value::Text(String::new())),
        1 => Just(Value::Text("long ".repeat(700))),
    ]
}

fn boolean() -> impl Strategy<Value = Value> {
    let texts = select(&["true", "true", "true", "1", "T", "TRUE", "false", "0", "F"][..]);
    texts.prop_map(|text| Value::Text(text.into()))
}

fn index() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(Value::Modified(0)),
        2 => select(&[-1, 1][..]).prop_map(Value::Modified),
        1 => Just(Value::Text("0".into())),
    ]
}

fn old_value() -> impl Strategy<Value = Value> {
    prop_oneof![3 => Just(Value::Current), 2 => value()]
}

/// Nothing that would expire while a program is played.
fn long_ttl() -> impl Strategy<Value = Value> {
    let texts = select(&["100", "100", "86400", "7000000000", ""][..]);
    texts.prop_map(|text| Value::Text(text.into()))
}

/// A parameter that is there so many times in a hundred.
fn maybe(
    name: &'static str,
    percent: u32,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Vec<Param>> {
    let there = value.prop_map(move |value| vec![Param::Pair(name, value)]);
    prop_oneof![100 - percent => Just(Vec::new()), percent => there].boxed()
}

/// What a request says, each with its chance.
fn params(list: Vec<BoxedStrategy<Vec<Param>>>) -> impl Strategy<Value = Vec<Param>> {
    list.prop_map(|params| params.concat())
}

fn put_params(mortal: bool) -> impl Strategy<Value = Vec<Param>> {
    params(vec![
        maybe("value", 85, value()),
        maybe("prevExist", 25, boolean()),
        maybe("prevValue", 12, old_value()),
        maybe("prevIndex", 12, index()),
        maybe("dir", 12, boolean()),
        maybe("noValueOnSuccess", 6, boolean()),
        maybe("ttl", if mortal { 90 } else { 0 }, long_ttl()),
        maybe("refresh", if mortal { 30 } else { 1 }, boolean()),
        maybe("recursive", 3, boolean()),
    ])
}

/// Parameters in the query, in the body, or some here and some there.
fn write(
    method: &'static str,
    params: impl Strategy<Value = Vec<Param>> + 'static,
) -> impl Strategy<Value = Request> {
    let places = prop_oneof![6 => Just(Some(true)), 3 => Just(Some(false)), 1 => Just(None)];
    let twice = weighted(0.04, value());
    (path(), params, places, twice).prop_map(move |(path, params, in_body, twice)| {
        let half = match in_body {
            Some(true) => 0,
            Some(false) => params.len(),
            None => params.len() / 2,
        };
        let mut query = params;
        let mut form = query.split_off(half);
        if let Some(value) = twice {
            query.push(Param::Pair("value", value.clone()));
            form.push(Param::Pair("value", value));
        }
        let body = (in_body != Some(false) || !form.is_empty())
            .then_some(Body { content_type: Some(FORM), params: form });
        let mut request = Request { query, body, ..Request::new(method, &path) };
        request.spares_files = depends_on_a_file(&request.resolve(&Seen::default()));
        request
    })
}

fn on_keys(mortal: bool) -> impl Strategy<Value = Request> {
    let delete = params(vec![
        maybe("dir", 30, boolean()),
        maybe("recursive", 30, boolean()),
        maybe("prevValue", 15, old_value()),
        maybe("prevIndex", 15, index()),
        maybe("prevExist", 4, boolean()),
    ]);
    let get = params(vec![
        maybe("recursive", 40, boolean()),
        maybe("sorted", 60, boolean()),
        maybe("quorum", 20, boolean()),
        maybe("stream", 2, boolean()),
        maybe("waitIndex", 2, Just(Value::Now(0))),
    ]);
    let without = |method| {
        move |(path, query): (String, Vec<Param>)| Request { query, ..Request::new(method, &path) }
    };
    let get = get.boxed();
    prop_oneof![
        8 => write("PUT", put_params(mortal)),
        3 => (path(), delete).prop_map(without("DELETE")),
        5 => (path(), get.clone()).prop_map(without("GET")),
        1 => (path(), get).prop_map(without("HEAD")),
    ]
}

fn in_order(mortal: bool) -> impl Strategy<Value = Request> {
    let params = params(vec![
        maybe("value", 85, value()),
        maybe("dir", 12, boolean()),
        maybe("ttl", if mortal { 90 } else { 0 }, long_ttl()),
        maybe("prevExist", 6, boolean()),
        maybe("prevIndex", 6, index()),
        maybe("noValueOnSuccess", 6, boolean()),
    ]);
    write("POST", params)
}

/// A watch from so many events before or after the newest.
fn watch(from: std::ops::Range<i64>) -> impl Strategy<Value = Request> {
    let index = from.prop_map(Value::Now);
    let params = params(vec![
        maybe("waitIndex", 50, index),
        maybe("recursive", 60, boolean()),
        maybe("stream", 50, boolean()),
    ]);
    let paths = prop_oneof![
        1 => Just("/v2/keys".to_owned()),
        3 => name().prop_map(|name| format!("/v2/keys/{name}")),
        2 => path(),
    ];
    (paths, params).prop_map(|(path, mut query)| {
        query.insert(0, Param::Pair("wait", Value::Text("true".into())));
        Request { query, ..Request::new("GET", &path) }
    })
}

/// Writes of short lives. What dies at once comes last: when exactly is not known.
fn expire() -> impl Strategy<Value = Step> {
    let ttl = select(&["1", "1", "1", "2", "2", "", "100"][..]);
    let ttl = || ttl.clone().prop_map(|text| Value::Text(text.into()));
    let put = params(vec![
        maybe("ttl", 90, ttl()),
        maybe("value", 80, value()),
        maybe("dir", 25, boolean()),
        maybe("prevExist", 10, boolean()),
        maybe("refresh", 8, boolean()),
    ]);
    let post = params(vec![maybe("ttl", 100, ttl()), maybe("value", 80, value())]);
    let writes = prop_oneof![3 => write("PUT", put), 2 => write("POST", post)];
    let now = params(vec![maybe("ttl", 100, Just(Value::Text("0".into())))]);
    (vec(writes, 3..11), weighted(0.3, write("PUT", now))).prop_map(|(mut writes, last)| {
        writes.extend(last);
        Step::Expire(writes)
    })
}

/// Requests with something wrong in them.
fn malformed() -> impl Strategy<Value = Request> {
    let wrong = select(WRONG.split_whitespace().collect::<Vec<_>>());
    let wrong = || vec(wrong.clone().prop_map(Param::Raw), 1..4);
    let kinds = select(
        &[
            Some("application/x-www-form-urlencoded; charset=utf-8"),
            Some("Application/X-WWW-Form-Urlencoded"),
            Some("application/x-www-form-urlencoded;"),
            Some("application/x-www-form-urlencoded; x"),
            Some(FORM),
        ][..],
    );
    let bodies = (kinds, wrong()).prop_map(|(content_type, params)| Body { content_type, params });
    let methods = prop_oneof![
        4 => Just("PUT"), 2 => Just("POST"), 2 => Just("GET"), 1 => Just("DELETE"), 1 => Just("HEAD"),
        1 => select(&["PATCH", "OPTIONS", "FOO", "TRACE", "put"][..]),
    ];
    (methods, path(), wrong(), option::of(bodies)).prop_map(|(method, path, query, body)| {
        let body = body.filter(|_| method != "DELETE");
        let mut request = Request { query, body, ..Request::new(method, &path) };
        request.spares_files = depends_on_a_file(&request.resolve(&Seen::default()));
        request
    })
}

/// Other endpoints than keys, and what is none.
fn elsewhere() -> impl Strategy<Value = Request> {
    let methods = prop_oneof![
        8 => Just("GET"), 2 => Just("HEAD"), 1 => Just("OPTIONS"), 1 => Just("PATCH"),
    ];
    let paths = select(PLACES.split_whitespace().collect::<Vec<_>>());
    let writes = (
        select(&["PUT", "POST", "DELETE"][..]),
        select(&["/version", "/health", "/v2/machines", "/v2/stats/self", "/nope"][..]),
    );
    prop_oneof![
        6 => (methods, paths).prop_map(|(method, path)| Request::new(method, path)),
        1 => writes.prop_map(|(method, path)| Request::new(method, path)),
    ]
}
