//! Bounds that a request itself may exceed: it is refused, and nothing is kept of it.

use quorate_engine::tree::{Path, Watch};
use quorate_engine::{
    Bound, Change, Config, Content, Engine, Image, Input, Member, Outcome, Output, Refused,
    Request, Write,
};

/// A single node that is ready; its keys have at most 8 bytes and two components.
fn node() -> Engine {
    let member = Member { id: 1, peer_urls: Vec::new(), attributes: Default::default() };
    let mut config = Config::new(1, 7, vec![member]);
    (config.boot, config.max_key_bytes, config.max_depth) = (1, 8, 2);
    let (mut engine, first) = Engine::recover(config, Image::new()).expect("empty is sound");
    settle(&mut engine, first);
    let mut out = Vec::new();
    engine.step(Input::Tick { wall_ms: 0 }, &mut out);
    settle(&mut engine, out);
    assert!(engine.view().ready);
    engine
}

/// Lets the disk do what is asked of it; what was answered.
fn settle(engine: &mut Engine, mut out: Vec<Output>) -> Vec<Outcome> {
    let mut at = 0;
    while at < out.len() {
        if let Output::Disk { id, .. } = out[at] {
            engine.step(Input::Disk { id, result: Ok(()) }, &mut out);
        }
        at += 1;
    }
    let answer = |word| if let Output::Reply { outcome, .. } = word { Some(outcome) } else { None };
    out.into_iter().filter_map(answer).collect()
}

fn ask(engine: &mut Engine, request: Request) -> Vec<Outcome> {
    let mut out = Vec::new();
    engine.step(Input::Client { id: 1, request }, &mut out);
    settle(engine, out)
}

const KEYS: [(&str, Option<Bound>); 4] = [
    ("/a/45678", None),
    ("/a/456789", Some(Bound::KeyBytes)),
    ("/a/b/c", Some(Bound::Depth)),
    ("/a/b/c/d/e", Some(Bound::KeyBytes)),
];

#[test]
fn a_write_beyond_a_bound_of_its_key_is_refused() {
    for (key, bound) in KEYS {
        let path = Path::new(key).expect("a path");
        let change = Change::Set { content: Content::Dir, ttl: None };
        let answers = ask(&mut node(), Request::Write(Write { path, change }));
        match bound {
            None => assert!(matches!(answers[..], [Outcome::Done(_)]), "{key}: {answers:?}"),
            Some(bound) => assert_eq!(answers, [Outcome::Refused(Refused::Bound(bound))], "{key}"),
        }
    }
}

#[test]
fn a_watch_beyond_a_bound_of_its_key_does_not_wait() {
    for (key, bound) in KEYS {
        let path = Path::new(key).expect("a path");
        let watch = Watch { path, recursive: true, from: 1_000, limit: 1 };
        let answers = ask(&mut node(), Request::Watch(watch));
        let refused = bound.map(|bound| Outcome::Refused(Refused::Bound(bound)));
        assert_eq!(answers, Vec::from_iter(refused), "{key}");
    }
}
