//! The corpus of the fuzz target `request_parse`, replayed on stable Rust, and
//! random requests beside it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use quorate_server::request_parse;

/// More than this is no small corpus any more: `cargo fuzz cmin`.
const MAX_FILES: usize = 80;

#[test]
fn what_the_fuzzer_kept_is_parsed_without_a_panic() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    assert!(fuzz.join("fuzz_targets/request_parse.rs").exists(), "request_parse is no binary");
    let files = fs::read_dir(fuzz.join("corpus/request_parse")).expect("a corpus");
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty(), "the corpus is empty");
    assert!(files.len() <= MAX_FILES, "the corpus has {} files", files.len());
    for file in files {
        let path = file.expect("a readable folder").path();
        println!("{}", path.display());
        request_parse(&fs::read(path).expect("a readable file"));
    }
}

/// Requests near those that mean something.
fn requests() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "value=",
        "prevValue=",
        "prevIndex=",
        "waitIndex=",
        "ttl=",
        "prevExist=",
        "dir=",
        "wait=",
        "recursive=",
        "stream=",
        "initial=",
        "quorum=",
        "refresh=",
        "consistency=",
        "true",
        "0",
        "1",
        "local",
        "%41",
        "%zz",
        "%",
        "+",
        "&",
        "&&",
        "=",
        ";",
        "\n",
        "\n",
        "/",
        "/",
        ".",
        "..",
        "é",
        "_x",
        "18446744073709551616",
        "-1",
    ]);
    ("[\\x00-\\x03]", prop::collection::vec(word, 0..24))
        .prop_map(|(kind, words)| kind + &words.concat())
}

proptest! {
    #[test]
    fn any_request_is_parsed_without_a_panic(request in requests()) {
        request_parse(request.as_bytes());
    }
}
