//! The engine's tree and the naive model answer every program alike.

use proptest::prelude::*;
use quorate_sim::program::{compare, decode};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_answers_as_the_model_does(bytes in prop::collection::vec(any::<u8>(), 0..1_200)) {
        let compared = compare(&decode(&bytes));
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }
}
