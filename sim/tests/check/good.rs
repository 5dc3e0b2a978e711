//! Histories that must be accepted.

use quorate_engine::tree::FaultCode;
use quorate_sim::check::durable::{self, Final};
use quorate_sim::history::{Answer, OpId};

use super::story::*;

fn fault(story: &Story, id: OpId) -> (FaultCode, &str, u64) {
    match &story.history.operations()[id].answer {
        Answer::Fault { fault, .. } | Answer::Read { found: Err(fault), .. } => {
            (fault.code, &fault.cause, fault.index)
        }
        other => panic!("not refused: {other:?}"),
    }
}

good! { PLAIN, judge;
    a_write_and_then_its_read: |story| {
        story.run(1, set("/a", "v1"));
        story.run(2, get("/a"));
    }

    the_root_is_readable_at_birth: |story| {
        story.run_at(GENESIS, 1, list("/"));
    }

    concurrent_writes_take_effect_in_either_order: |story| {
        let (one, two) = (story.call(1, set("/a", "v1")), story.call(2, set("/a", "v2")));
        story.take(two);
        story.take(one);
        story.answer(one);
        story.answer(two);
        story.run(3, get("/a"));
    }

    a_read_beside_a_write_may_miss_it: |story| {
        story.run(1, set("/a", "v1"));
        let (write, read) = (story.call(1, set("/a", "v2")), story.call(2, get("/a")));
        story.take(write);
        story.answer(write);
        story.take_at(read, 4);
        story.answer(read);
    }

    a_read_beside_a_write_may_see_it: |story| {
        let (write, read) = (story.call(1, set("/a", "v1")), story.call(2, get("/a")));
        story.take(write);
        story.take(read);
        story.answer(read);
        story.answer(write);
    }

    reads_at_one_index_come_in_any_order: |story| {
        story.run(1, set("/a", "v1"));
        let (one, two) = (story.call(1, get("/a")), story.call(2, list("/")));
        story.take(two);
        story.take(one);
        story.answer(two);
        story.answer(one);
        story.run(1, get("/b"));
    }

    an_unanswered_write_may_have_happened: |story| {
        let lost = story.call(1, set("/a", "v1"));
        story.take(lost);
        story.run(2, get("/a"));
    }

    an_unanswered_write_may_not_have_happened: |story| {
        story.lose(1, set("/a", "v1"));
        story.run(2, get("/a"));
    }

    a_lost_write_may_happen_long_after_it_was_called: |story| {
        let lost = story.lose(1, set("/a", "v1"));
        story.run(1, set("/b", "v2"));
        story.run(2, get("/a"));
        story.take(lost);
        story.run(2, get("/a"));
    }

    lost_writes_happen_in_any_order: |story| {
        let (one, two) = (story.lose(1, set("/a", "v1")), story.lose(1, set("/a", "v2")));
        story.take(two);
        story.take(one);
        story.run(2, get("/a"));
    }

    a_refused_write_leaves_nothing: |story| {
        let refused = story.call(1, set("/a", "v1"));
        story.answer_with(refused, Answer::Refused);
        story.run(1, get("/a"));
    }

    a_read_that_is_never_answered_says_nothing: |story| {
        story.lose(1, get("/a"));
        story.run(1, set("/a", "v1"));
    }

    a_set_starts_created_index_afresh: |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, set("/a", "v2"), |told| {
            assert_eq!(event(told).node.created_index, 5);
            assert_eq!(event(told).prev.as_ref().unwrap().created_index, 4);
        });
    }

    an_update_keeps_created_index: |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, update("/a", "v2"), |told| {
            assert_eq!((event(told).node.created_index, event(told).node.modified_index), (4, 5));
        });
    }

    an_update_of_a_directory_moves_only_the_event: |story| {
        story.run(1, set_dir("/d"));
        story.run_told(1, update("/d", ""), |told| {
            assert_eq!(event(told).node.modified_index, 5);
        });
        story.run_told(1, get("/d"), |told| assert_eq!(node(told).modified_index, 4));
    }

    no_directory_takes_the_place_of_a_file: |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, set_dir("/a"), |told| assert!(matches!(told, Answer::Fault { .. })));
        story.run(1, set("/a/b", "v2"));
        story.run(1, list("/"));
    }

    one_of_two_creates_wins: |story| {
        let (one, two) = (story.call(1, create("/a", "v1")), story.call(2, create("/a", "v2")));
        story.take(two);
        story.take(one);
        story.answer(one);
        story.answer(two);
        assert_eq!(fault(&story, one), (FaultCode::NodeExists, "/a", 4));
    }

    one_of_two_swaps_wins: |story| {
        story.run(1, set("/a", "v1"));
        let (one, two) = (story.call(1, cas("/a", "v2", "v1")), story.call(2, cas_index("/a", "v3", 4)));
        story.take(one);
        story.take(two);
        story.answer(two);
        story.answer(one);
        assert_eq!(fault(&story, two), (FaultCode::CompareFailed, "[4 != 5]", 5));
    }

    a_refusal_may_precede_the_write_beside_it: |story| {
        let (write, delete) = (story.call(1, set("/a", "v1")), story.call(2, delete("/a")));
        story.take(delete);
        story.take(write);
        story.answer(write);
        story.answer(delete);
        assert_eq!(fault(&story, delete), (FaultCode::KeyNotFound, "/a", 3));
    }

    a_file_in_the_way_is_named: |story| {
        story.run(1, set("/a", "v1"));
        let below = story.run(1, set("/a/b/c", "v2"));
        assert_eq!(fault(&story, below), (FaultCode::NotDirectory, "/a", 4));
    }

    the_first_missing_step_is_named: |story| {
        let read = story.run(1, get("/a/b/c"));
        assert_eq!(fault(&story, read), (FaultCode::KeyNotFound, "/a", 3));
    }

    the_root_cannot_be_changed: |story| {
        let write = story.run(1, delete_all("/"));
        assert_eq!(fault(&story, write), (FaultCode::RootReadOnly, "/", 3));
        let compare = story.run(1, cad("/", "v"));
        assert_eq!(fault(&story, compare), (FaultCode::NotFile, "", 3));
    }

    a_hidden_child_keeps_its_directory_from_deletion: |story| {
        story.run(1, set("/d/_s", "v1"));
        let refused = story.run(1, delete_dir("/d"));
        assert_eq!(fault(&story, refused), (FaultCode::DirectoryNotEmpty, "/d", 4));
        story.run_told(1, get("/d"), |told| assert!(node(told).nodes.is_empty()));
        story.run(1, get("/d/_s"));
    }

    a_recursive_delete_is_one_event: |story| {
        story.run(1, set("/d/a/b", "v1"));
        story.run(1, set("/d/c", "v2"));
        story.run_told(1, delete_all("/d"), |told| assert_eq!(*place(told), 6));
        story.run(1, get("/d/c"));
    }

    siblings_do_not_go_with_a_deleted_directory: |story| {
        story.run(1, set("/d/a", "v1"));
        story.run(1, set("/d-", "v2"));
        story.run(1, delete_all("/d"));
        story.run(1, get("/d-"));
    }

    a_lost_delete_is_explained_by_its_effect: |story| {
        story.run(1, set("/a", "v1"));
        let lost = story.lose(2, delete("/a"));
        story.take(lost);
        story.run(1, create("/a", "v2"));
    }

    two_lost_deletes_explain_two_deletions: |story| {
        let (one, two) = (story.lose(2, delete("/a")), story.lose(3, delete("/a")));
        story.run(1, set("/a", "v1"));
        story.take(two);
        story.run(1, set("/a", "v2"));
        story.take(one);
        story.run(1, get("/a"));
    }

    a_writer_seated_in_haste_makes_room: |story| {
        // Either delete explains the file's end, only one the directory's.
        story.run(1, set("/a", "v1"));
        let any = story.lose(2, delete_all("/a"));
        let plain = story.lose(3, delete("/a"));
        story.take(plain);
        story.run(1, set("/a/b", "v2"));
        story.take(any);
        story.run(1, get("/a"));
    }

    a_lost_write_that_the_tree_would_refuse_is_nothing: |story| {
        let lost = story.lose(1, delete("/a"));
        story.take(lost);
        story.run(1, get("/a"));
    }

    a_recursive_delete_beside_a_set_below_it: |story| {
        story.run(1, set("/d/a", "v1"));
        let (delete, set) = (story.call(1, delete_all("/d")), story.call(2, set("/d/b", "v2")));
        let read = story.call(3, list("/"));
        story.take(delete);
        story.take(read);
        story.take(set);
        story.answer(set);
        story.answer(read);
        story.answer(delete);
        story.run(1, list("/d"));
    }

    a_listing_sees_two_writes_of_which_neither_is_answered: |story| {
        let (one, two) = (story.call(1, set("/d/a", "v1")), story.call(2, set("/d/b", "v2")));
        story.take(two);
        story.take(one);
        story.run(3, list("/d"));
        story.run(3, list("/"));
        story.answer(one);
        story.answer(two);
    }

    keys_in_order_from_two_clients_and_a_lost_one_between: |story| {
        let (one, two) = (story.call(1, post("/q", "v1")), story.call(2, post("/q", "v2")));
        let lost = story.lose(3, post("/q", "v3"));
        story.take(two);
        story.take(lost);
        story.take(one);
        story.answer(one);
        story.answer(two);
        story.run(3, list("/q"));
    }

    a_swap_on_an_index_that_a_delete_and_a_create_have_changed: |story| {
        story.run(1, set("/a", "v1"));
        story.run(2, delete("/a"));
        story.run(2, create("/a", "v1"));
        let swap = story.run(1, cas_index("/a", "v2", 4));
        assert_eq!(fault(&story, swap), (FaultCode::CompareFailed, "[4 != 6]", 6));
        story.run(1, cas_index("/a", "v2", 6));
    }

    a_lost_swap_on_an_index_is_seen_by_the_next: |story| {
        story.run(1, set("/a", "v1"));
        let lost = story.lose(2, cas_index("/a", "v2", 4));
        let late = story.call(3, cas_index("/a", "v3", 4));
        story.take(lost);
        story.take(late);
        story.answer(late);
        assert_eq!(fault(&story, late), (FaultCode::CompareFailed, "[4 != 5]", 5));
    }

    a_lost_swap_explains_itself: |story| {
        story.run(1, set("/a", "v1"));
        let lost = story.lose(2, cas("/a", "v2", "v1"));
        story.take(lost);
        story.run(3, cad("/a", "v2"));
    }
}

good! { LOCAL, judge;
    a_local_read_may_be_old: |story| {
        story.run_on(1, 0, 1, set("/a", "v1"));
        story.run_on(1, 0, 1, set("/a", "v2"));
        let read = story.call_on(2, 0, 2, local("/a"));
        story.take_at(read, 4);
        story.answer(read);
    }

    another_node_may_be_older: |story| {
        story.run_on(1, 0, 1, set("/a", "v1"));
        story.run_on(1, 0, 1, local("/a"));
        let read = story.call_on(2, 0, 1, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }

    a_node_may_be_older_after_a_restart: |story| {
        story.run_on(1, 0, 1, set("/a", "v1"));
        story.run_on(1, 0, 1, local("/a"));
        let read = story.call_on(1, 1, 1, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }

    a_local_listing_between_two_writes: |story| {
        story.run_on(1, 0, 1, set("/d/a", "v1"));
        story.run_on(1, 0, 1, set("/d/b", "v2"));
        story.run_on(1, 0, 1, delete_all("/d"));
        let read = story.call_on(2, 0, 2, local_list("/"));
        story.take_at(read, 5);
        story.answer(read);
        story.run_on(2, 0, 2, local_list("/"));
    }

    a_local_read_of_a_write_that_was_lost: |story| {
        let lost = story.lose(1, set("/a", "v1"));
        story.take(lost);
        story.run_on(2, 0, 2, local("/a"));
        story.run_on(3, 0, 3, get("/a"));
    }

    concurrent_local_reads_answer_in_either_order: |story| {
        let read = story.call_on(1, 0, 1, local("/a"));
        story.run_on(2, 0, 2, set("/a", "v1"));
        story.run_on(1, 0, 2, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }
}

#[test]
fn an_empty_history_is_accepted() {
    Story::new().judge().unwrap();
}

#[test]
fn the_final_state_holds_what_was_acknowledged() {
    let mut story = Story::new();
    story.run(1, set("/a/b", "v1"));
    story.run(1, set("/_h", "v2"));
    let Answer::Read { found: Ok(root), .. } = answer(&mut story.at(5).clone(), &list("/")) else {
        panic!("the root is always there");
    };
    let last = Final { store_index: 5, clock: Default::default(), root };
    durable::check_final(&story.history, &story.hint(), &last).unwrap();
}
