//! The tree under random programs: the digest says what it should, the frozen
//! form carries everything or is refused, clones do not move.

use std::fmt::Debug;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quorate_engine::codec::DecodeError;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{NodeView, Path, Read, Thaw, Tree};
use quorate_engine::{Change, Condition, Content, Refresh, Write};

const WINDOW: usize = 8;

type Program = Vec<(Write, Stamp)>;

/// Paths that meet each other often: names around `/` in byte order, hidden ones.
fn paths() -> impl Strategy<Value = Path> {
    let name = select(vec!["a", "a!", "a0", "b", "_h", "_", "é"]);
    vec(name, 0..5).prop_map(|names| Path::new(&format!("/{}", names.join("/"))).unwrap())
}

fn values() -> impl Strategy<Value = std::sync::Arc<str>> {
    select(vec!["", "1", "a longer value"]).prop_map(Into::into)
}

fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![3 => values().prop_map(Content::File), 1 => Just(Content::Dir)]
}

fn conditions() -> impl Strategy<Value = Condition> {
    (prop::option::of(values()), prop::option::of(4u64..40))
        .prop_map(|(value, index)| Condition { value, index })
}

fn ttls() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0u64..3)
}

fn refreshes() -> impl Strategy<Value = Refresh> {
    prop_oneof![
        Just(Refresh::Set),
        Just(Refresh::Update),
        conditions().prop_map(Refresh::CompareAndSwap),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (contents(), ttls()).prop_map(|(content, ttl)| Change::Set { content, ttl }),
        3 => (contents(), ttls()).prop_map(|(content, ttl)| Change::Create { content, ttl }),
        2 => (contents(), ttls()).prop_map(|(content, ttl)| Change::CreateInOrder { content, ttl }),
        2 => (prop::option::of(values()), ttls())
            .prop_map(|(value, ttl)| Change::Update { value, ttl }),
        2 => (values(), conditions(), ttls()).prop_map(|(value, condition, ttl)| {
            Change::CompareAndSwap { value, condition, ttl }
        }),
        2 => (0u64..3, refreshes()).prop_map(|(ttl, like)| Change::Refresh { ttl, like }),
        2 => any::<(bool, bool)>().prop_map(|(dir, recursive)| Change::Delete { dir, recursive }),
        1 => conditions().prop_map(|condition| Change::CompareAndDelete { condition }),
    ]
}

fn programs() -> impl Strategy<Value = Program> {
    let stamps = (0u64..5_000, 0u64..50).prop_map(|(cluster_ms, wall_ms)| Stamp {
        cluster_ms,
        wall_ms,
        tick_ms: 100,
    });
    let writes = (paths(), changes(), stamps)
        .prop_map(|(path, change, stamp)| (Write { path, change }, stamp));
    vec(writes, 0..40)
}

fn run(tree: &mut Tree, program: &Program) {
    for (write, stamp) in program {
        tree.advance(*stamp);
        // A refusal is as good as an event here.
        let _ = tree.apply(write);
    }
}

fn grown(program: &Program) -> Tree {
    let mut tree = Tree::new(3, WINDOW);
    run(&mut tree, program);
    tree
}

fn parts(tree: &Tree, max_bytes: usize) -> Vec<Bytes> {
    let mut frozen = tree.freeze();
    let mut parts = Vec::new();
    loop {
        let mut part = Vec::new();
        if !frozen.next_part(max_bytes, &mut part) {
            assert!(part.is_empty());
            return parts;
        }
        parts.push(part.into());
    }
}

fn thawed(parts: impl IntoIterator<Item = Bytes>, window: usize) -> Result<Tree, DecodeError> {
    let mut thaw = Thaw::default();
    for part in parts {
        thaw.part(part)?;
    }
    thaw.finish(window)
}

fn read(tree: &Tree, path: &Path, recursive: bool) -> Result<NodeView, u16> {
    tree.read(&Read { path: path.clone(), recursive }).map_err(|fault| fault.code.number())
}

/// Every path that a program names, with all above it.
fn named(program: &Program) -> Vec<Path> {
    let paths = program.iter().map(|(write, _)| &write.path);
    paths.flat_map(|path| path.ancestors().chain([path.clone(), Path::root()])).collect()
}

/// Everything that anybody can see of a tree, hidden keys by their names.
fn picture(tree: &Tree, paths: &[Path]) -> impl PartialEq + Debug + use<> {
    let reads: Vec<_> = paths
        .iter()
        .flat_map(|path| [false, true].map(|recursive| read(tree, path, recursive)))
        .collect();
    let history: Vec<_> = tree.history().cloned().collect();
    (tree.store_index(), tree.clock(), tree.digest(), history, reads)
}

proptest! {
    #[test]
    fn the_digest_kept_is_the_digest_recomputed(program in programs()) {
        let mut tree = Tree::new(3, WINDOW);
        for (write, stamp) in &program {
            let before = (tree.digest(), tree.store_index(), tree.clock());
            let expired = tree.advance(*stamp).len() as u64;
            prop_assert_eq!(tree.digest(), tree.recomputed_digest());
            prop_assert_eq!(tree.clock(), before.2.max(*stamp));
            prop_assert!(tree.next_deadline().is_none_or(|due| due > tree.clock().cluster_ms));
            let result = tree.apply(write);
            prop_assert_eq!(tree.digest(), tree.recomputed_digest());
            prop_assert_eq!(tree.store_index(), before.1 + expired + u64::from(result.is_ok()));
            let still = expired == 0 && result.is_err() && tree.clock() == before.2;
            prop_assert_eq!(still, tree.digest() == before.0);
            prop_assert!(tree.history().count() <= WINDOW);
            if let Ok(event) = result {
                prop_assert_eq!(tree.history().last(), Some(&event));
                prop_assert_eq!(event.index(), tree.store_index());
            }
        }
    }

    #[test]
    fn equal_programs_make_equal_trees(program in programs()) {
        let paths = named(&program);
        prop_assert_eq!(picture(&grown(&program), &paths), picture(&grown(&program), &paths));
    }

    #[test]
    fn clones_and_frozen_trees_do_not_move(first in programs(), second in programs()) {
        let mut tree = grown(&first);
        let (clone, mut frozen) = (tree.clone(), tree.freeze());
        let paths = named(&[first, second.clone()].concat());
        let (before, bytes) = (picture(&clone, &paths), parts(&clone, 100).concat());
        run(&mut tree, &second);
        prop_assert_eq!(before, picture(&clone, &paths));
        prop_assert_eq!(&bytes, &parts(&clone, 100).concat());
        let mut late = Vec::new();
        while frozen.next_part(100, &mut late) {}
        prop_assert_eq!(bytes, late);
    }

    #[test]
    fn thaw_gives_back_what_was_frozen(
        program in programs(),
        max_bytes in prop_oneof![Just(0), 1usize..300, Just(1 << 20)],
        after in programs(),
    ) {
        let mut tree = grown(&program);
        let paths = named(&[program, after.clone()].concat());
        let mut back = thawed(parts(&tree, max_bytes), WINDOW).unwrap();
        prop_assert_eq!(picture(&tree, &paths), picture(&back, &paths));
        prop_assert_eq!(back.digest(), back.recomputed_digest());
        run(&mut tree, &after);
        run(&mut back, &after);
        prop_assert_eq!(picture(&tree, &paths), picture(&back, &paths));
    }

    #[test]
    fn parts_keep_to_their_size(program in programs(), max_bytes in 240usize..600) {
        let tree = grown(&program);
        let parts = parts(&tree, max_bytes);
        // No single record of these programs is longer than 240 bytes.
        prop_assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= max_bytes));
        prop_assert_eq!(parts.len() == 1, parts.concat().len() <= max_bytes);
    }

    #[test]
    fn a_flipped_bit_is_seen(program in programs(), at in any::<Index>(), bit in 0..8) {
        let mut whole = parts(&grown(&program), usize::MAX).concat();
        let at = at.index(whole.len());
        whole[at] ^= 1u8 << bit;
        prop_assert!(thawed([whole.into()], WINDOW).is_err());
    }

    #[test]
    fn a_cut_is_seen(program in programs(), at in any::<Index>()) {
        let whole = Bytes::from(parts(&grown(&program), usize::MAX).concat());
        let cut = whole.slice(..at.index(whole.len()));
        prop_assert!(thawed([cut], WINDOW).is_err());
    }

    #[test]
    fn a_part_lost_doubled_or_out_of_turn_is_seen(program in programs(), at in any::<Index>()) {
        let parts = parts(&grown(&program), 60);
        let at = at.index(parts.len());
        let (mut lost, mut doubled, mut turned) = (parts.clone(), parts.clone(), parts.clone());
        lost.remove(at);
        prop_assert!(thawed(lost, WINDOW).is_err());
        doubled.insert(at, parts[at].clone());
        prop_assert!(thawed(doubled, WINDOW).is_err());
        turned.rotate_left(at);
        prop_assert_eq!(thawed(turned, WINDOW).is_ok(), at == 0);
    }

    #[test]
    fn no_bytes_make_a_thaw_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(thawed([bytes.into()], WINDOW).is_err());
    }

    #[test]
    fn another_window_is_refused(program in programs()) {
        let tree = grown(&program);
        prop_assert!(thawed(parts(&tree, 100), WINDOW + 1).is_err());
        prop_assert!(thawed(parts(&tree, 100), WINDOW - 1).is_err());
    }

    #[test]
    fn listings_agree_with_single_reads(program in programs()) {
        let tree = grown(&program);
        for path in named(&program) {
            let (Ok(flat), Ok(deep)) = (read(&tree, &path, false), read(&tree, &path, true)) else {
                continue;
            };
            let mut shown = deep.clone();
            for child in &mut shown.nodes {
                child.nodes.clear();
            }
            prop_assert_eq!(&flat, &shown);
            for child in &deep.nodes {
                prop_assert_eq!(child.path.parent(), Some(path.clone()));
                prop_assert!(!child.path.is_hidden_below(&path));
                prop_assert_eq!(read(&tree, &child.path, true), Ok(child.clone()));
            }
            let names: Vec<_> = flat.nodes.iter().map(|node| node.path.name().as_bytes()).collect();
            prop_assert!(names.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn what_is_stored_is_listed_unless_hidden(program in programs()) {
        let tree = grown(&program);
        for path in named(&program) {
            let Some(parent) = path.parent() else { continue };
            let Ok(found) = read(&tree, &path, false) else { continue };
            let listed = read(&tree, &parent, false).unwrap().nodes;
            let listed = listed.iter().find(|node| node.path == path);
            prop_assert_eq!(listed.is_none(), path.name().starts_with('_'));
            prop_assert!(listed.is_none_or(|node| node.modified_index == found.modified_index));
        }
    }

    #[test]
    fn a_directory_is_directly_followed_by_what_lies_below(
        mut all in vec(paths(), 0..40),
        directory in paths(),
    ) {
        all.push(directory.clone());
        all.sort();
        all.dedup();
        let begin = all.binary_search(&directory).unwrap();
        let within = all.iter().filter(|path| path.is_within(&directory)).count();
        prop_assert!(all[begin..begin + within].iter().all(|path| path.is_within(&directory)));
    }

    #[test]
    fn order_is_byte_order_component_by_component(a in paths(), b in paths()) {
        let names = |path: &Path| -> Vec<Vec<u8>> {
            let names = path.as_str().split('/').filter(|name| !name.is_empty());
            names.map(|name| name.as_bytes().to_vec()).collect()
        };
        prop_assert_eq!(a.cmp(&b), names(&a).cmp(&names(&b)));
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        prop_assert_eq!(a.is_within(&b), names(&a).starts_with(&names(&b)));
    }

    #[test]
    fn ancestors_are_the_parents_from_the_top(path in paths()) {
        let mut above: Vec<Path> = std::iter::successors(path.parent(), Path::parent).collect();
        above.reverse();
        let expected: Vec<Path> = above.into_iter().filter(|path| !path.is_root()).collect();
        let depth = if path.is_root() { 0 } else { expected.len() + 1 };
        prop_assert_eq!(path.depth(), depth);
        prop_assert_eq!(path.ancestors().collect::<Vec<_>>(), expected);
        let joined = path.parent().map(|parent| match parent.as_str() {
            "/" => format!("/{}", path.name()),
            parent => format!("{parent}/{}", path.name()),
        });
        prop_assert_eq!(joined.as_deref().unwrap_or("/"), path.as_str());
    }

    #[test]
    fn only_clean_paths_are_taken(text in "[/a.é]{0,8}") {
        let clean = text == "/"
            || text.strip_prefix('/').is_some_and(|names| {
                names.split('/').all(|name| !["", ".", ".."].contains(&name))
            });
        prop_assert_eq!(Path::new(&text).is_ok(), clean);
    }
}
