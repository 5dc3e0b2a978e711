//! The corpus of the fuzz target `request_parse`, replayed on stable Rust, and
//! random requests beside it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use quorate_server::request_parse;

#[test]
fn what_the_fuzzer_kept_is_parsed_without_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/request_parse");
    let files: Vec<_> = fs::read_dir(folder).expect("a corpus").collect();
    assert!(!files.is_empty());
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
