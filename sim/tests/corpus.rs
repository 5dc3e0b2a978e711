//! The corpora of the fuzz targets below the server, replayed on stable Rust: every
//! file that a fuzzer found worth keeping, and every one that once showed a fault.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use quorate_sim::fuzzing::{TARGETS, Target};

/// More than this is no small corpus any more: `cargo fuzz cmin`.
const MAX_FILES: usize = 80;

fn files(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

fn replay(name: &str) {
    let (_, target): (_, Target) =
        *TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let files = files(name);
    assert!(!files.is_empty(), "the corpus of {name} is empty");
    assert!(files.len() <= MAX_FILES, "the corpus of {name} has {} files", files.len());
    let mut failed = Vec::new();
    for file in files {
        let bytes = fs::read(&file).expect("a readable file");
        if catch_unwind(|| target(&bytes)).is_err() {
            failed.push(file);
        }
    }
    assert!(failed.is_empty(), "{name} fails on {failed:#?}");
}

#[test]
fn wal_recover() {
    replay("wal_recover");
}

#[test]
fn message_decode() {
    replay("message_decode");
}

#[test]
fn tree_vs_model() {
    replay("tree_vs_model");
}

#[test]
fn every_binary_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let binaries: BTreeSet<String> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    // `server/tests/corpus.rs` replays the server's own.
    let replayed = TARGETS.iter().map(|(name, _)| *name).chain(["request_parse"]);
    assert_eq!(binaries, replayed.map(String::from).collect());
}
