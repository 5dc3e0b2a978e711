//! The engine's tree and the naive model answer every program alike.

use proptest::prelude::*;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{Path, Read, Tree};
use quorate_sim::model::Model;
use quorate_sim::program::{Step, decode};

/// The store index at birth.
const GENESIS: u64 = 3;
/// Events that the tree remembers: fewer than a program has steps.
const HISTORY: usize = 16;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_answers_as_the_model_does(bytes in prop::collection::vec(any::<u8>(), 0..1_200)) {
        let mut tree = Tree::new(GENESIS, HISTORY);
        let mut model = Model::new(GENESIS);
        for step in decode(&bytes) {
            run(&step, &mut tree, &mut model)?;
        }
        let root = Read { path: Path::root(), recursive: true };
        prop_assert_eq!(tree.read(&root), model.read(&root));
    }
}

fn run(step: &Step, tree: &mut Tree, model: &mut Model) -> Result<(), TestCaseError> {
    match step {
        Step::Read(read) => prop_assert_eq!(tree.read(read), model.read(read), "read {:?}", read),
        Step::Write(write) => {
            let applied = tree.apply(write, Stamp::default()).map(|event| (*event).clone());
            prop_assert_eq!(applied, model.apply(write), "{}", write);
            prop_assert_eq!(tree.store_index(), model.store_index());
            prop_assert_eq!(tree.digest(), tree.recomputed_digest());
        }
    }
    Ok(())
}
