//! What a data directory may look like at birth, and what is refused.

use bytes::Bytes;
use quorate_engine::tree::Path;
use quorate_engine::{
    Change, Config, Content, DiskOp, Engine, FileName, Image, Input, Member, Output, RecoverError,
    Request, Write,
};

fn config() -> Config {
    let member = Member { id: 1, peer_urls: Vec::new(), attributes: Default::default() };
    let mut config = Config::new(1, 7, vec![member]);
    config.snapshot_entries = 10;
    config.catch_up_entries = 2;
    config.segment_bytes = 600;
    config.chunk_bytes = 64;
    config.boot = 99;
    config
}

/// The directory of a single node that has taken so many writes.
fn directory(writes: u64) -> Image {
    let (mut engine, mut out) = Engine::recover(config(), Image::new()).expect("empty is sound");
    let mut image = Image::new();
    settle(&mut engine, &mut out, &mut image);
    engine.step(Input::Tick { wall_ms: 0 }, &mut out);
    settle(&mut engine, &mut out, &mut image);
    for id in 1..=writes {
        let path = Path::new(&format!("/{}", id % 7)).expect("clean");
        let change =
            Change::Set { content: Content::File(format!("value {id}").into()), ttl: None };
        let request = Request::Write(Write { path, change });
        engine.step(Input::Client { id, request }, &mut out);
        settle(&mut engine, &mut out, &mut image);
    }
    for _ in 0..20 {
        engine.step(Input::Tick { wall_ms: 0 }, &mut out);
        settle(&mut engine, &mut out, &mut image);
    }
    image
}

fn settle(engine: &mut Engine, out: &mut Vec<Output>, image: &mut Image) {
    while !out.is_empty() {
        for output in std::mem::take(out) {
            match output {
                Output::Disk { id, op } => {
                    perform(op, image);
                    engine.step(Input::Disk { id, result: Ok(()) }, out);
                }
                Output::Halt(halt) => panic!("{halt}"),
                Output::Peer { .. } | Output::Reply { .. } => {}
            }
        }
    }
}

fn perform(op: DiskOp, image: &mut Image) {
    match op {
        DiskOp::Create { file, size } => {
            image.insert(file, vec![0; usize::try_from(size).expect("small")].into());
        }
        DiskOp::Write { file, offset, bytes, .. } => {
            let mut content = image[&file].to_vec();
            let from = usize::try_from(offset).expect("small");
            content.resize(content.len().max(from + bytes.len()), 0);
            content[from..from + bytes.len()].copy_from_slice(&bytes);
            image.insert(file, content.into());
        }
        DiskOp::Rename { from, to } => {
            let content = image.remove(&from).expect("it is there");
            image.insert(to, content);
        }
        DiskOp::Truncate { file, len } => {
            let content = image[&file].slice(..usize::try_from(len).expect("small"));
            image.insert(file, content);
        }
        DiskOp::Remove { file } => drop(image.remove(&file).expect("it is there")),
    }
}

fn refused(image: Image) -> RecoverError {
    Engine::recover(config(), image).map(|_| ()).expect_err("it must not start")
}

fn named<'a>(image: &'a Image, prefix: &str) -> Vec<&'a FileName> {
    image.keys().filter(|file| file.as_str().starts_with(prefix)).collect()
}

#[test]
fn a_directory_with_snapshot_and_log_is_read_back_whole() {
    let mut image = directory(35);
    assert_eq!(named(&image, "snap-").len(), 1, "one snapshot is kept");
    assert!(named(&image, "wal-").len() < 8, "segments that it covers are gone");
    let (mut engine, mut out) = Engine::recover(config(), image.clone()).expect("sound");
    // The last commit index is not on disk: it is found again once it leads.
    settle(&mut engine, &mut out, &mut image);
    engine.step(Input::Tick { wall_ms: 0 }, &mut out);
    settle(&mut engine, &mut out, &mut image);
    let view = engine.view();
    assert_eq!(view.tree.store_index(), 3 + 35);
    assert_eq!(view.tree.digest(), view.tree.recomputed_digest());
}

#[test]
fn the_same_directory_is_born_the_same_twice() {
    let image = directory(35);
    let (one, first) = Engine::recover(config(), image.clone()).expect("sound");
    let (two, second) = Engine::recover(config(), image).expect("sound");
    assert_eq!(first, second);
    assert_eq!(one.view().digest, two.view().digest);
}

#[test]
fn another_cluster_or_member_is_foreign() {
    let mut other = config();
    other.cluster = 8;
    let error = Engine::recover(other, directory(3)).map(|_| ()).expect_err("foreign");
    assert!(matches!(error, RecoverError::Foreign { found: (7, 1), expected: (8, 1) }), "{error}");
}

#[test]
fn another_history_window_is_a_mistake_of_the_flags() {
    let other = Config { history_events: 7, ..config() };
    let error = Engine::recover(other, directory(35)).map(|_| ()).expect_err("another window");
    assert!(matches!(error, RecoverError::Config(_)), "{error}");
}

#[test]
fn a_missing_identity_log_or_snapshot_is_named() {
    let whole = directory(35);
    let without = |prefix: &str| {
        let mut image = whole.clone();
        image.retain(|file, _| !file.as_str().starts_with(prefix));
        refused(image)
    };
    for (prefix, word) in [("identity", "identity"), ("wal-", "log"), ("snap-", "snapshot")] {
        let error = without(prefix);
        assert!(matches!(error, RecoverError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn every_flipped_byte_of_a_snapshot_is_damage_and_its_file_is_named() {
    let whole = directory(35);
    let file = named(&whole, "snap-")[0].clone();
    for at in 0..whole[&file].len() {
        let mut content = whole[&file].to_vec();
        content[at] ^= 0x10;
        let mut image = whole.clone();
        image.insert(file.clone(), content.into());
        let error = refused(image);
        assert!(matches!(&error, RecoverError::Corrupt { file: it, .. } if *it == file), "{error}");
    }
}

#[test]
fn a_snapshot_cut_at_any_byte_is_damage() {
    let whole = directory(35);
    let file = named(&whole, "snap-")[0].clone();
    for len in 0..whole[&file].len() {
        let mut image = whole.clone();
        image.insert(file.clone(), whole[&file].slice(..len));
        assert!(matches!(refused(image), RecoverError::Corrupt { .. }), "cut at {len}");
    }
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    let mut image = directory(3);
    let file = FileName::new("identity");
    let mut content = image[&file].to_vec();
    content[8] = 2;
    let covered = content.len() - 4;
    let crc = crc32c::crc32c(&content[..covered]).to_le_bytes();
    content[covered..].copy_from_slice(&crc);
    image.insert(file, Bytes::from(content));
    assert!(matches!(refused(image), RecoverError::Version { found: 2, .. }));
}
