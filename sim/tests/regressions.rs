//! Every run of `scenarios/regressions`: where the engine was wrong it holds now, and
//! where neighbours lie the oracle still objects.

use std::path::Path;

use quorate_sim::weather::Regression;

#[test]
fn what_was_mended_holds_and_what_lies_is_caught() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/regressions"));
    let mut lies = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let file = entry.expect("readable").path();
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("readable");
        let kept = Regression::parse(&text).unwrap_or_else(|it| panic!("{}: {it}", file.display()));
        let failure = kept.run().report(false).failure;
        let oracle = failure.as_ref().map(|failure| failure.oracle.to_owned());
        lies += usize::from(kept.lie.is_some());
        let expected = kept.lie.map(|_| kept.oracle);
        assert_eq!(oracle, expected, "{}: {failure:?}", file.display());
    }
    assert!(lies > 0, "no run is left that must fail: nothing proves that failures are seen");
}
