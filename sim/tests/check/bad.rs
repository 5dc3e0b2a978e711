//! Histories that must be rejected, and for the right reason.

use std::sync::Arc;

use quorate_engine::tree::{Action, Fault, FaultCode};
use quorate_sim::check::durable::{self, Final};
use quorate_sim::check::{Violation, check};
use quorate_sim::history::Answer;

use super::story::*;

// Rejected by the search as well, without any hint.
bad! { PLAIN, judge;
    a_stale_read: OutOfOrder |story| {
        story.run(1, set("/a", "v1"));
        story.run(1, set("/a", "v2"));
        story.run_at(4, 2, get("/a"));
    }

    a_stale_refusal: OutOfOrder |story| {
        story.run(1, set("/a", "v1"));
        story.run_at(GENESIS, 2, get("/a"));
    }

    reads_that_go_back: OutOfOrder |story| {
        let write = story.call(1, set("/a", "v1"));
        story.take(write);
        story.run(2, get("/a"));
        story.run_at(GENESIS, 3, get("/a"));
        story.answer(write);
    }

    a_lost_write_seen_and_then_unseen: OutOfOrder |story| {
        let lost = story.lose(1, set("/a", "v1"));
        story.take(lost);
        story.run(2, get("/a"));
        story.run_at(GENESIS, 2, get("/a"));
    }

    writes_out_of_order: OutOfOrder |story| {
        let first = story.call(1, set("/a", "v1"));
        let mut truth = story.at(GENESIS).clone();
        let mut second_told = answer(&mut truth, &set("/b", "v2"));
        let mut first_told = answer(&mut truth, &set("/a", "v1"));
        story.events = [&mut second_told, &mut first_told].map(|told| Arc::new(event(told).clone())).into();
        story.answer_with(first, first_told);
        let second = story.call(2, set("/b", "v2"));
        story.answer_with(second, second_told);
    }

    a_write_that_was_read_before_it_was_called: OutOfOrder |story| {
        let mut future = story.at(GENESIS).clone();
        answer(&mut future, &set("/a", "v1"));
        let read = story.call(2, get("/a"));
        story.answer_with(read, answer(&mut future, &get("/a")));
        story.run(1, set("/a", "v1"));
    }

    a_lost_write_that_was_read_before_it_was_called: Phantom |story| {
        let mut future = story.at(GENESIS).clone();
        answer(&mut future, &set("/a", "v1"));
        let told = answer(&mut future, &get("/a"));
        let read = story.call(2, get("/a"));
        story.answer_with(read, told);
        let lost = story.lose(1, set("/a", "v1"));
        story.take(lost);
    }

    a_read_from_an_index_that_never_was: NoSuchIndex |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, get("/a"), |told| *place(told) = 9);
    }

    a_read_from_before_birth: OutOfOrder |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, get("/a"), |told| *place(told) = 0);
    }

    an_acknowledged_write_that_is_gone: NotApplied |story| {
        story.run(1, set("/a", "v1"));
        story.events.pop();
        story.run_at(GENESIS, 2, get("/a"));
    }

    an_acknowledged_write_replaced_by_another: Replaced |story| {
        story.run(1, set("/a", "v1"));
        story.events.pop();
        story.truth.pop();
        story.run(2, set("/a", "v2"));
    }

    an_acknowledged_write_at_two_indexes: Misplaced |story| {
        story.run_told(1, set("/a", "v1"), |told| *place(told) = 7);
    }

    two_writers_of_one_event: SharedIndex |story| {
        let (one, two) = (story.call(1, set("/a", "v1")), story.call(2, set("/a", "v1")));
        story.take(one);
        let mut told = answer(&mut story.at(GENESIS).clone(), &set("/a", "v1"));
        assert_eq!(*place(&mut told), 4);
        story.answer(one);
        story.answer_with(two, told);
    }

    a_value_that_nobody_wrote: Phantom |story| {
        story.run(1, set("/a", "v1"));
        let ghost = story.call(2, set("/a", "v2"));
        story.take(ghost);
        story.run(3, get("/a"));
        story.answer_with(ghost, Answer::Refused);
        let Violation::Phantom { suspect, .. } = story.judge().unwrap_err() else { panic!() };
        assert_eq!(suspect.unwrap().id, ghost);
    }

    a_refused_write_that_happened: Phantom |story| {
        let refused = story.call(1, set("/a", "v1"));
        story.answer_with(refused, Answer::Refused);
        story.take(refused);
        story.run(2, get("/a"));
    }

    a_write_refused_by_the_tree_that_happened: Phantom |story| {
        story.run(1, set("/a", "v1"));
        let refused = story.run(2, create("/a", "v2"));
        story.run(1, delete("/a"));
        story.take_again(refused);
        story.run(1, get("/a"));
    }

    a_lost_write_that_happened_twice: Phantom |story| {
        let lost = story.lose(1, set("/a", "v1"));
        story.take(lost);
        story.run(2, delete("/a"));
        story.take(lost);
        story.run(2, get("/a"));
    }

    an_acknowledged_write_that_happened_twice: Phantom |story| {
        let write = story.run(1, set("/a", "v1"));
        story.run(2, set("/a", "v2"));
        story.take_again(write);
        story.run(2, get("/a"));
    }

    three_deletions_by_two_deleters: Phantom |story| {
        let (one, two) = (story.lose(2, delete("/a")), story.lose(3, delete("/a")));
        for (deleter, value) in [(one, "v1"), (two, "v2"), (one, "v3")] {
            story.run(1, set("/a", value));
            story.take(deleter);
        }
        story.run(1, get("/a"));
    }

    a_plain_delete_that_removed_a_directory: Phantom |story| {
        story.run(1, set("/d/a", "v1"));
        story.lose(2, delete("/d"));
        let ghost = story.call(9, delete_all("/d"));
        story.take(ghost);
        story.answer_with(ghost, Answer::Refused);
        story.run(3, get("/d"));
    }

    an_event_without_what_was_before: Wrong |story| {
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, set("/a", "v2"), |event| event.prev = None);
    }

    an_event_with_another_before: Wrong |story| {
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, set("/a", "v2"), |event| {
            event.prev.as_mut().unwrap().value = Some("v0".into());
        });
    }

    a_set_that_keeps_created_index: Wrong |story| {
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, set("/a", "v2"), |event| event.node.created_index = 4);
    }

    an_update_that_resets_created_index: Wrong |story| {
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, update("/a", "v2"), |event| event.node.created_index = 5);
    }

    a_write_of_another_value: Wrong |story| {
        spoil_event(&mut story, set("/a", "v1"), |event| event.node.value = Some("v2".into()));
    }

    an_event_of_another_kind: Wrong |story| {
        spoil_event(&mut story, set("/a", "v1"), |event| event.action = Action::Create);
    }

    a_deletion_that_shows_a_value: Wrong |story| {
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, delete("/a"), |event| event.node.value = Some("v1".into()));
    }

    a_client_told_of_another_event_than_applied: Replaced |story| {
        story.run_told(1, set("/a", "v1"), |told| event(told).node.created_index = 1);
    }

    a_swap_that_should_have_failed: Wrong |story| {
        story.run(1, set("/a", "v1"));
        acknowledge(&mut story, cas("/a", "v3", "v2"), update("/a", "v3"), Action::CompareAndSwap);
    }

    two_winners_of_one_swap: Wrong |story| {
        story.run(1, set("/a", "v1"));
        story.run(2, cas("/a", "v2", "v1"));
        acknowledge(&mut story, cas("/a", "v3", "v1"), update("/a", "v3"), Action::CompareAndSwap);
    }

    a_create_of_what_exists: Wrong |story| {
        story.run(1, set("/a", "v1"));
        acknowledge(&mut story, create("/a", "v2"), set("/a", "v2"), Action::Create);
    }

    a_deletion_of_a_full_directory: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        acknowledge(&mut story, delete_dir("/d"), delete_all("/d"), Action::Delete);
    }

    a_refusal_although_the_key_is_there: Wrong |story| {
        let mut elsewhere = story.at(GENESIS).clone();
        answer(&mut elsewhere, &set("/b", "v1"));
        story.run(1, set("/a", "v1"));
        let refused = story.call(2, delete("/a"));
        story.answer_with(refused, answer(&mut elsewhere, &delete("/a")));
    }

    a_refusal_with_another_cause: Wrong |story| {
        story.run_told(1, get("/a/b"), |told| fault(told).cause = "/a/b".into());
    }

    a_refusal_with_another_code: Wrong |story| {
        story.run_told(1, delete("/a"), |told| fault(told).code = FaultCode::NotFile);
    }

    a_refusal_with_another_index: Wrong |story| {
        story.run_told(1, delete("/a"), |told| fault(told).index = 4);
    }

    a_listing_that_misses_a_child: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        story.run_told(2, list("/"), |told| node(told).nodes[0].nodes.clear());
    }

    a_listing_that_is_deeper_than_asked: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        let deep = answer(&mut story.at(4).clone(), &list("/"));
        let read = story.call(2, get("/"));
        story.answer_with(read, deep);
    }

    a_listing_that_shows_what_is_hidden: Wrong |story| {
        story.run(1, set("/d/_s", "v1"));
        let Answer::Read { found: Ok(hidden), .. } =
            answer(&mut story.at(4).clone(), &get("/d/_s")) else { panic!() };
        story.run_told(2, get("/d"), |told| node(told).nodes.push(hidden));
    }

    a_listing_in_another_order: Wrong |story| {
        story.run(1, set("/a", "v1"));
        story.run(1, set("/b", "v2"));
        story.run_told(2, list("/"), |told| node(told).nodes.reverse());
    }

    a_listing_torn_between_two_writes: Wrong |story| {
        story.run(1, set("/a", "v1"));
        story.run(1, set("/b", "v2"));
        story.run(1, set("/a", "v3"));
        let (read, write) = (story.call(2, list("/")), story.call(1, set("/b", "v4")));
        story.take(write);
        story.answer(write);
        let Answer::Read { found: Ok(new), .. } =
            answer(&mut story.at(7).clone(), &get("/b")) else { panic!() };
        story.take_at(read, 6);
        story.tell(read, |told| node(told).nodes[1] = new);
    }

    a_directory_moved_by_its_update: Wrong |story| {
        story.run(1, set_dir("/d"));
        story.run(1, update("/d", ""));
        story.run_told(1, get("/d"), |told| node(told).modified_index = 5);
    }

    a_directory_moved_by_its_child: Wrong |story| {
        story.run(1, set_dir("/d"));
        story.run(1, set("/d/a", "v1"));
        story.run_told(1, get("/d"), |told| node(told).modified_index = 5);
    }

    a_recursive_delete_that_leaves_a_child: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        story.run(1, set("/d/b", "v2"));
        let before = answer(&mut story.at(5).clone(), &list("/"));
        story.run(1, delete_all("/d"));
        story.run_told(2, list("/"), |told| {
            let Answer::Read { found: Ok(before), .. } = before else { panic!() };
            node(told).nodes = before.nodes;
        });
    }

    two_keys_in_order_with_one_name: SharedIndex |story| {
        let (one, two) = (story.call(1, post("/q", "v1")), story.call(2, post("/q", "v1")));
        let told = answer(&mut story.at(GENESIS).clone(), &post("/q", "v1"));
        story.take(one);
        story.answer(one);
        story.answer_with(two, told);
    }

    a_key_in_order_that_skips_a_number: Wrong |story| {
        spoil_event(&mut story, post("/q", "v1"), |event| {
            event.node.path = path("/q/00000000000000000005");
        });
    }

    two_winners_of_one_swap_on_an_index: Wrong |story| {
        story.run(1, set("/a", "v1"));
        story.run(2, cas_index("/a", "v2", 4));
        acknowledge(
            &mut story,
            cas_index("/a", "v3", 4),
            update("/a", "v3"),
            Action::CompareAndSwap,
        );
    }

    a_swap_on_an_index_refused_for_what_was_not_there_yet: OutOfOrder |story| {
        story.run(1, set("/a", "v1"));
        let swap = story.call(2, cas_index("/a", "v2", 4));
        let mut future = story.at(4).clone();
        answer(&mut future, &set("/a", "v3"));
        story.answer_with(swap, answer(&mut future, &cas_index("/a", "v2", 4)));
        story.run(1, set("/a", "v3"));
    }

    a_deleted_key_that_is_still_there: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        story.run(1, delete_all("/d"));
        let Answer::Read { found, .. } =
            answer(&mut story.at(4).clone(), &get("/d/a")) else { panic!() };
        story.run_told(1, get("/d/a"), |told| {
            let Answer::Read { found: told, .. } = told else { panic!() };
            *told = found;
        });
    }
}

// What the search cannot know: it has no hint.
bad! { HINT, judge_all;
    a_hint_with_a_hole: Gap |story| {
        let lost = story.call(1, set("/a", "v1"));
        story.take(lost);
        story.run(1, set("/b", "v2"));
        story.events.remove(0);
    }

    a_hint_with_an_event_too_many: Phantom |story| {
        let ghost = story.call(1, set("/a", "v1"));
        story.take(ghost);
        story.answer_with(ghost, Answer::Refused);
    }

    a_swap_that_must_fail_explains_nothing: Phantom |story| {
        story.run(1, set("/a", "v1"));
        story.lose(2, cas("/a", "v3", "v2"));
        let ghost = story.call(9, cas("/a", "v3", "v1"));
        story.take(ghost);
        story.answer_with(ghost, Answer::Refused);
    }

    a_local_read_of_what_is_not_committed: NoSuchIndex |story| {
        let refused = story.call_on(1, 0, 1, set("/a", "v1"));
        story.take(refused);
        story.run(1, local("/a"));
        story.events.pop();
        story.answer_with(refused, Answer::Lost);
    }
}

// Of what a node shows at once.
bad! { LOCAL, judge;
    a_node_that_goes_back: WentBack |story| {
        story.run_on(2, 0, 1, set("/a", "v1"));
        story.run_on(1, 0, 1, local("/a"));
        let read = story.call_on(1, 0, 2, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }

    a_node_that_forgets_what_it_wrote: WentBack |story| {
        story.run_on(1, 0, 1, set("/a", "v1"));
        let read = story.call_on(1, 0, 1, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }

    a_local_read_that_was_never_true: Wrong |story| {
        story.run(1, set("/a", "v1"));
        story.run_told(1, local("/a"), |told| node(told).value = Some("v2".into()));
    }

    a_local_read_from_before_birth: NoSuchIndex |story| {
        story.run_told(1, local("/"), |told| *place(told) = GENESIS - 1);
    }

    a_local_read_seen_before_its_write_was_called: OutOfOrder |story| {
        let mut future = story.at(GENESIS).clone();
        answer(&mut future, &set("/a", "v1"));
        let told = answer(&mut future, &local("/a"));
        let read = story.call(2, local("/a"));
        story.answer_with(read, told);
        story.run(1, set("/a", "v1"));
    }

    a_read_that_misses_what_a_local_read_has_seen: OutOfOrder |story| {
        let write = story.call_on(1, 0, 1, set("/a", "v1"));
        story.take(write);
        story.run_on(2, 0, 2, local("/a"));
        story.run_at(GENESIS, 3, get("/a"));
        story.answer(write);
    }

    a_local_listing_torn_between_two_writes: Wrong |story| {
        story.run(1, set("/d/a", "v1"));
        story.run(1, set("/d/b", "v2"));
        story.run(1, set("/d/a", "v3"));
        let read = story.call_on(2, 0, 2, local_list("/d"));
        story.take_at(read, 5);
        story.tell(read, |told| node(told).nodes[0].value = Some("v3".into()));
    }

    a_node_that_forgets_what_it_read_linearizably: WentBack |story| {
        story.run_on(2, 0, 1, set("/a", "v1"));
        story.run_on(1, 0, 2, get("/a"));
        let read = story.call_on(1, 0, 3, local("/a"));
        story.take_at(read, GENESIS);
        story.answer(read);
    }
}

#[test]
fn nodes_that_applied_different_events_are_told_apart() {
    let mut story = Story::new();
    story.run(1, set("/a", "v1"));
    let mut hint = story.hint();
    hint.learn(&story.events[0]).expect("the same event may be told twice");
    let mut other = (*story.events[0]).clone();
    other.node.value = Some("v2".into());
    let violation = hint.learn(&Arc::new(other)).unwrap_err();
    assert!(matches!(violation, Violation::Fork { .. }));
}

#[test]
fn a_final_state_older_than_an_acknowledged_write_is_a_loss() {
    let (mut story, last) = ended();
    story.run(1, set("/a", "v2"));
    let violation = durable::check_final(&story.history, &story.hint(), &last).unwrap_err();
    assert!(matches!(violation, Violation::Forgotten { last: 4, .. }), "{violation}");
}

#[test]
fn a_final_state_that_the_events_do_not_make_is_refused() {
    let (story, mut last) = ended();
    last.root.nodes[0].value = Some("v0".into());
    let violation = durable::check_final(&story.history, &story.hint(), &last).unwrap_err();
    assert!(matches!(violation, Violation::FinalState { index: 4, .. }), "{violation}");
}

#[test]
fn a_violation_tells_what_was_asked_what_was_said_and_what_is_true() {
    let mut story = Story::new();
    story.run(1, set("/a", "v1"));
    story.run_told(2, get("/a"), |told| node(told).value = Some("v2".into()));
    let violation = check(&story.history, &story.hint()).unwrap_err();
    assert_eq!(
        violation.to_string(),
        "a wrong answer: #1 client 2, n1 life 0: read /a \
         (called at 0.003000 s, answered at 0.004000 s)\
         \n    was told: /a=v2 [created 4, modified 4] at 4\
         \n  the model says: /a=v1 [created 4, modified 4] at 4"
    );
}

/// One write and the tree that it made.
fn ended() -> (Story, Final) {
    let mut story = Story::new();
    story.run(1, set("/a", "v1"));
    let Answer::Read { found: Ok(root), .. } = answer(&mut story.at(4).clone(), &list("/")) else {
        panic!("the root is always there");
    };
    (story, Final { store_index: 4, clock: Default::default(), root })
}

fn fault(answer: &mut Answer) -> &mut Fault {
    match answer {
        Answer::Fault { fault, .. } | Answer::Read { found: Err(fault), .. } => fault,
        other => panic!("not refused: {other:?}"),
    }
}
