//! What etcd 3.4.23 answered, step by step.

use super::*;
use crate::command::Stamp;

/// A tree on a fresh single node, where the first write gets 4.
fn tree() -> Tree {
    Tree::new(3, 1000)
}

fn file(value: &str) -> Content {
    Content::File(value.into())
}

fn cas(value: &str, prev_value: Option<&str>, index: Option<u64>) -> Change {
    let condition = Condition { value: prev_value.map(Into::into), index };
    Change::CompareAndSwap { value: value.into(), condition, ttl: None }
}

fn cad(prev_value: Option<&str>, index: Option<u64>) -> Change {
    Change::CompareAndDelete { condition: Condition { value: prev_value.map(Into::into), index } }
}

fn set(content: Content) -> Change {
    Change::Set { content, ttl: None }
}

fn create(content: Content) -> Change {
    Change::Create { content, ttl: None }
}

fn in_order(content: Content) -> Change {
    Change::CreateInOrder { content, ttl: None }
}

fn update(value: &str) -> Change {
    Change::Update { value: Some(value.into()), ttl: None }
}

fn refresh(like: Refresh) -> Change {
    Change::Refresh { ttl: 9, like }
}

/// The same with a time to live.
fn lasting(change: Change, ttl: u64) -> Change {
    let ttl = Some(ttl);
    match change {
        Change::Set { content, .. } => Change::Set { content, ttl },
        Change::Create { content, .. } => Change::Create { content, ttl },
        Change::CreateInOrder { content, .. } => Change::CreateInOrder { content, ttl },
        Change::Update { value, .. } => Change::Update { value, ttl },
        Change::CompareAndSwap { value, condition, .. } => {
            Change::CompareAndSwap { value, condition, ttl }
        }
        other => panic!("{other:?} takes no time to live"),
    }
}

const DELETE: Change = Change::Delete { dir: false, recursive: false };
const DELETE_DIR: Change = Change::Delete { dir: true, recursive: false };
const DELETE_ALL: Change = Change::Delete { dir: false, recursive: true };

/// Applies a change and says what came of it, as `path=value created/modified`
/// for nodes and `code cause @index` for refusals.
fn apply(tree: &mut Tree, path: &str, change: Change) -> String {
    let path = Path::new(path).unwrap();
    let result = tree.apply(&Write { path, change });
    assert_eq!(tree.digest(), tree.recomputed_digest());
    match result {
        Err(fault) => format!("{} {} @{}", fault.code.number(), fault.cause, fault.index),
        Ok(event) => {
            assert_eq!(event.index(), tree.store_index());
            let prev = event.prev.as_ref().map(|prev| format!(" was {}", show(prev)));
            let action = event.action.as_str();
            let quiet = if event.refresh { "quiet " } else { "" };
            format!("{quiet}{action} {}{}", show(&event.node), prev.unwrap_or_default())
        }
    }
}

fn show(view: &NodeView) -> String {
    let NodeView { path, created_index, modified_index, .. } = view;
    let value = view.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
    let dir = if view.dir { " dir" } else { "" };
    let ttl = view.expires.map(|expires| format!(" {}s", expires.ttl)).unwrap_or_default();
    format!("{path}{value}{dir} {created_index}/{modified_index}{ttl}")
}

/// What stands at a path now.
fn stored(tree: &Tree, path: &str) -> String {
    tree.find(&Path::new(path).unwrap()).map_or_else(
        |fault| fault.code.number().to_string(),
        |node| show(&node.view(&Path::new(path).unwrap(), tree.clock())),
    )
}

/// A program and what etcd 3.4.23 answered to it.
fn expect(tree: &mut Tree, program: Vec<(&str, Change, &str)>) {
    for (path, change, answer) in program {
        let write = format!("{change:?} at {path}");
        assert_eq!(apply(tree, path, change), answer, "{write}");
    }
}

#[test]
fn set_starts_created_index_afresh() {
    expect(
        &mut tree(),
        vec![
            ("/f", set(file("a")), "set /f=a 4/4"),
            ("/f", set(file("b")), "set /f=b 5/5 was /f=a 4/4"),
            ("/d", set(Content::Dir), "set /d dir 6/6"),
            ("/d", set(Content::Dir), "102 /d @6"),
            ("/d", set(file("x")), "102 /d @6"),
            // etcd puts a directory in the file's place.
            ("/f", set(Content::Dir), "104 /f @6"),
        ],
    );
}

#[test]
fn create_wants_nothing_there() {
    expect(
        &mut tree(),
        vec![
            ("/f", create(file("a")), "create /f=a 4/4"),
            ("/f", create(file("b")), "105 /f @4"),
            ("/d", create(Content::Dir), "create /d dir 5/5"),
            ("/d", create(Content::Dir), "105 /d @5"),
        ],
    );
}

#[test]
fn parents_are_made_with_the_index_of_their_child() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/a/b/c", set(file("1")), "set /a/b/c=1 4/4"),
            ("/a/b/d", create(file("2")), "create /a/b/d=2 5/5"),
            ("/a/b/c", DELETE, "delete /a/b/c 4/6 was /a/b/c=1 4/4"),
        ],
    );
    assert_eq!(stored(&tree, "/a"), "/a dir 4/4");
    assert_eq!(stored(&tree, "/a/b"), "/a/b dir 4/4");
}

#[test]
fn update_keeps_created_index_and_makes_no_parents() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/f", set(file("a")), "set /f=a 4/4"),
            ("/f", update("b"), "update /f=b 4/5 was /f=a 4/4"),
            ("/f", update(""), "update /f= 4/6 was /f=b 4/5"),
            ("/new/x", update("1"), "100 /new @6"),
            ("/new", update("1"), "100 /new @6"),
            // etcd empties the file.
            (
                "/f",
                Change::Update { value: None, ttl: None },
                "200 prevExist=true without a value would empty the file @6",
            ),
        ],
    );
}

#[test]
fn update_of_a_directory_moves_only_the_event() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/d", set(Content::Dir), "set /d dir 4/4"),
            ("/d", update(""), "update /d dir 4/5 was /d dir 4/4"),
            ("/d", update("x"), "102 /d @5"),
            ("/d", Change::Update { value: None, ttl: None }, "update /d dir 4/6 was /d dir 4/4"),
        ],
    );
    assert_eq!(stored(&tree, "/d"), "/d dir 4/4");
    assert_eq!(tree.store_index(), 6);
}

#[test]
fn compare_and_swap_names_what_differs() {
    expect(
        &mut tree(),
        vec![
            ("/f", set(file("a")), "set /f=a 4/4"),
            ("/d", set(Content::Dir), "set /d dir 5/5"),
            ("/d", cas("x", Some("a"), None), "102 /d @5"),
            ("/m/x", cas("x", Some("a"), None), "100 /m @5"),
            ("/f", cas("x", Some("b"), Some(77)), "101 [b != a] [77 != 4] @5"),
            ("/f", cas("x", Some("a"), Some(77)), "101 [77 != 4] @5"),
            ("/f", cas("x", Some("b"), Some(4)), "101 [b != a] @5"),
            ("/f", cas("x", None, Some(5)), "101 [5 != 4] @5"),
            ("/f", cas("x", Some("a"), Some(4)), "compareAndSwap /f=x 4/6 was /f=a 4/4"),
            ("/f", cas("y", None, Some(6)), "compareAndSwap /f=y 4/7 was /f=x 4/6"),
        ],
    );
}

#[test]
fn compare_and_delete_names_what_differs() {
    expect(
        &mut tree(),
        vec![
            ("/f", set(file("a")), "set /f=a 4/4"),
            ("/d", set(Content::Dir), "set /d dir 5/5"),
            ("/d", cad(None, Some(5)), "102 /d @5"),
            ("/m", cad(None, Some(5)), "100 /m @5"),
            ("/f", cad(Some("b"), Some(77)), "101 [b != a] [77 != 4] @5"),
            ("/f", cad(Some("a"), None), "compareAndDelete /f 4/6 was /f=a 4/4"),
            ("/f", cad(Some("a"), None), "100 /f @6"),
        ],
    );
}

#[test]
fn delete_wants_to_be_told_of_directories() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/d/_hidden", set(file("1")), "set /d/_hidden=1 4/4"),
            ("/d/e/f", set(file("2")), "set /d/e/f=2 5/5"),
            ("/d!", set(file("3")), "set /d!=3 6/6"),
            ("/d", DELETE, "102 /d @6"),
            ("/d", DELETE_DIR, "108 /d @6"),
            ("/d", DELETE_ALL, "delete /d dir 4/7 was /d dir 4/4"),
            ("/d/e/f", DELETE_ALL, "100 /d @7"),
            ("/d!", DELETE_ALL, "delete /d! 6/8 was /d!=3 6/6"),
            ("/d", set(Content::Dir), "set /d dir 9/9"),
            ("/d", DELETE, "102 /d @9"),
            ("/d", DELETE_DIR, "delete /d dir 9/10 was /d dir 9/9"),
            ("/g", set(file("4")), "set /g=4 11/11"),
            ("/g", DELETE_DIR, "delete /g 11/12 was /g=4 11/11"),
        ],
    );
    assert_eq!(tree.nodes.len(), 0);
}

#[test]
fn a_file_in_the_way_is_named() {
    let mut tree = tree();
    apply(&mut tree, "/d/f", set(file("a")));
    let refused = "104 /d/f @4";
    for path in ["/d/f/x", "/d/f/x/y"] {
        let changes = [set(file("1")), create(file("1")), update("1"), DELETE_ALL];
        for change in changes.into_iter().chain([cas("1", Some("a"), None), cad(None, Some(4))]) {
            expect(&mut tree, vec![(path, change, refused)]);
        }
    }
}

#[test]
fn the_root_is_read_only() {
    let mut tree = tree();
    let changes = [
        set(file("1")),
        set(Content::Dir),
        create(file("1")),
        update(""),
        cas("1", Some("a"), None),
        refresh(Refresh::Set),
        refresh(Refresh::Update),
        refresh(Refresh::CompareAndSwap(Condition::default())),
        DELETE,
        DELETE_ALL,
    ];
    for change in changes {
        expect(&mut tree, vec![("/", change, "107 / @3")]);
    }
    expect(&mut tree, vec![("/", cad(Some("a"), None), "102  @3")]);
}

#[test]
fn names_in_order_are_store_indexes() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/q", in_order(file("a")), "create /q/00000000000000000004=a 4/4"),
            ("/", in_order(Content::Dir), "create /00000000000000000005 dir 5/5"),
            ("/f", set(file("x")), "set /f=x 6/6"),
            ("/f", in_order(file("b")), "104 /f @6"),
            ("/f/x", in_order(file("b")), "104 /f @6"),
            ("/q/00000000000000000008", set(file("x")), "set /q/00000000000000000008=x 7/7"),
            ("/q", in_order(file("b")), "105 /q/00000000000000000008 @7"),
        ],
    );
    assert_eq!(stored(&tree, "/q"), "/q dir 4/4");
}

#[test]
fn a_write_without_a_time_to_live_takes_the_old_one_away() {
    let mut tree = tree();
    expect(
        &mut tree,
        vec![
            ("/f", lasting(set(file("a")), 5), "set /f=a 4/4 5s"),
            ("/f", update("b"), "update /f=b 4/5 was /f=a 4/4 5s"),
            ("/f", lasting(update("c"), 0), "update /f=c 4/6 0s was /f=b 4/5"),
            (
                "/f",
                lasting(cas("d", Some("c"), None), 7),
                "compareAndSwap /f=d 4/7 7s was /f=c 4/6 0s",
            ),
            ("/f", cas("e", None, Some(7)), "compareAndSwap /f=e 4/8 was /f=d 4/7 7s"),
            ("/f", DELETE, "delete /f 4/9 was /f=e 4/8"),
            ("/d", lasting(create(Content::Dir), 6), "create /d dir 10/10 6s"),
            ("/d", update(""), "update /d dir 10/11 was /d dir 10/10 6s"),
            ("/d", lasting(update(""), 8), "update /d dir 10/12 8s was /d dir 10/10"),
            ("/d", DELETE_DIR, "delete /d dir 10/13 was /d dir 10/10 8s"),
            ("/q", lasting(in_order(file("x")), 3), "create /q/00000000000000000014=x 14/14 3s"),
        ],
    );
}

#[test]
fn a_refresh_keeps_the_value() {
    let same = |value: &str| {
        refresh(Refresh::CompareAndSwap(Condition { value: Some(value.into()), index: None }))
    };
    expect(
        &mut tree(),
        vec![
            ("/f", refresh(Refresh::Set), "100 /f @3"),
            ("/f", refresh(Refresh::Update), "100 /f @3"),
            ("/f", same("a"), "100 /f @3"),
            ("/f", lasting(set(file("a")), 5), "set /f=a 4/4 5s"),
            ("/f", refresh(Refresh::Set), "quiet set /f=a 5/5 9s was /f=a 4/4 5s"),
            ("/f", refresh(Refresh::Update), "quiet update /f=a 5/6 9s was /f=a 5/5 9s"),
            ("/f", same("a"), "quiet compareAndSwap /f=a 5/7 9s was /f=a 5/6 9s"),
            ("/f", same("b"), "101 [b != a] @7"),
            ("/d", set(Content::Dir), "set /d dir 8/8"),
            ("/d", refresh(Refresh::Set), "102 /d @8"),
            ("/d", same("a"), "102 /d @8"),
            ("/d", refresh(Refresh::Update), "quiet update /d dir 8/9 9s was /d dir 8/8"),
            ("/d", refresh(Refresh::Update), "quiet update /d dir 8/10 9s was /d dir 8/8 9s"),
        ],
    );
}

#[test]
fn the_clock_never_goes_back() {
    let mut tree = tree();
    let stamp = |cluster_ms, wall_ms| Stamp { cluster_ms, wall_ms, tick_ms: 1 };
    tree.advance(stamp(7, 90));
    tree.advance(stamp(6, 100));
    assert_eq!((tree.clock(), tree.store_index()), (stamp(7, 90), 3));
    assert_eq!(tree.digest(), tree.recomputed_digest());
}
