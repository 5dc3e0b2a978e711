//! Histories in which time matters: keys that go by themselves, refreshes, clocks.

use std::sync::Arc;

use quorate_engine::tree::{Action, EXPIRIES_PER_ENTRY, Event, NodeView};
use quorate_sim::check::Violation;
use quorate_sim::history::Answer;

use super::story::*;

good! { GOOD, judge;
    a_key_goes_when_its_time_is_over: |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 2));
        story.pass(2_099);
        story.run_told(2, get("/a"), |told| assert_eq!(ttl(told), 0));
        story.pass(1);
        story.run(2, get("/a"));
        story.run(3, create("/a", "v2"));
    }

    what_was_due_first_goes_first_and_a_directory_with_all_below: |story| {
        story.pass(1_000);
        story.run(1, set_for("/b", "v1", 1));
        story.pass(100);
        story.run(1, set_for("/a", "v2", 1));
        story.run(1, set_dir_for("/d", 1));
        story.run(1, set_for("/d/e", "v3", 5));
        story.run(1, list("/"));
        story.pass(5_000);
        story.run(2, list("/"));
        assert_eq!(story.events.len(), 7);
    }

    names_in_order_are_store_indexes: |story| {
        story.run_told(1, post("/q", "v1"), |told| {
            assert_eq!(event(told).node.path.name(), "00000000000000000004");
        });
        let lost = story.lose(2, post("/q", "v2"));
        story.take(lost);
        story.run(1, list("/q"));
        story.run(1, post("/", "v3"));
    }

    a_write_lost_between_two_expiries: |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        story.run(1, set_for("/b", "v2", 2));
        let lost = story.lose(2, create("/a", "v3"));
        story.pass(1_500);
        story.take(lost);
        story.pass(1_500);
        story.run(1, list("/"));
    }
}

// The search does not judge what has lost a write with a time to live.
good! { LOST, judge_all;
    a_lost_refresh_may_have_happened: |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        let lost = story.lose(2, refresh("/a", 9));
        story.take(lost);
        story.pass(3_000);
        story.run_told(1, get("/a"), |told| assert_eq!(ttl(told), 6));
    }
}

// Too many for the search.
good! { CROWD, judge_all;
    what_an_entry_may_not_remove_any_more_stays_until_the_next: |story| {
        let last = crowd(&mut story, EXPIRIES_PER_ENTRY);
        story.run_told(2, get(&last), |told| assert_eq!(ttl(told), 0));
        story.pass(0);
        story.run(2, get(&last));
        assert_eq!(story.events.len(), 2 * EXPIRIES_PER_ENTRY + 2);
    }
}

bad! { CROWDED, judge_all;
    an_entry_that_removes_less_than_it_may: Overdue |story| {
        let last = crowd(&mut story, EXPIRIES_PER_ENTRY - 1);
        story.run(2, get(&last));
    }

    what_an_entry_could_not_remove_is_there_by_a_later_clock: Overdue |story| {
        let last = crowd(&mut story, EXPIRIES_PER_ENTRY);
        story.run_told(2, get(&last), |told| *clock(told) += 1);
    }
}

bad! { BAD, judge;
    a_key_that_is_still_there_when_its_time_is_over: Overdue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        story.run_told(2, get("/a"), |told| *clock(told) += 5_000);
    }

    a_write_before_what_had_to_expire_first: Overdue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        let last = story.truth.last_mut().unwrap();
        last.tell_time(later(last, 5_000));
        story.run(2, set("/b", "v2"));
    }

    a_key_that_expires_early: NotDue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 2));
        let expired = expiry(&story, 5_000, 2_099);
        story.happen(expired);
        story.run(2, get("/a"));
    }

    a_key_that_expires_and_was_to_stay: NotDue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 2));
        let expired = expiry(&story, 5_000, 5_000);
        story.run(1, update("/a", "v2"));
        let node = NodeView { created_index: 4, modified_index: 6, ..expired.node };
        story.happen(Event { node, ..expired });
        story.run(2, get("/a"));
    }

    a_wrong_time_left: Wrong |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 9));
        story.pass(1_500);
        story.run_told(2, get("/a"), |told| node(told).expires.as_mut().unwrap().ttl = 9);
    }

    an_expiration_that_moves: Wrong |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 9));
        story.run_told(2, get("/a"), |told| node(told).expires.as_mut().unwrap().wall_ms += 1);
    }

    a_write_that_keeps_the_time_to_live: Wrong |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 9));
        spoil_event(&mut story, set("/a", "v2"), |event| {
            event.node.expires = event.prev.as_ref().unwrap().expires;
        });
    }

    a_refresh_that_changes_the_value: Wrong |story| {
        story.pass(1_000);
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, refresh("/a", 2), |event| event.node.value = Some("".into()));
    }

    a_refresh_that_watches_would_be_shown: Wrong |story| {
        story.pass(1_000);
        story.run(1, set("/a", "v1"));
        spoil_event(&mut story, refresh("/a", 2), |event| event.refresh = false);
    }

    a_name_in_order_that_is_not_its_index: Wrong |story| {
        spoil_event(&mut story, post("/q", "v1"), |event| {
            event.node.path = path("/q/00000000000000000005");
        });
    }

    a_write_by_another_clock_than_its_own: Misplaced |story| {
        story.pass(1_000);
        story.run_told(1, set("/a", "v1"), |told| *clock(told) += 1);
    }

    a_clock_that_goes_back: ClockWentBack |story| {
        story.pass(1_000);
        story.run(1, set("/a", "v1"));
        story.pass(500);
        story.run(1, get("/a"));
        story.run_told(2, get("/a"), |told| *clock(told) -= 300);
    }

    a_read_by_the_clock_of_the_next_event: OutOfTime |story| {
        story.pass(1_000);
        story.run(1, set("/a", "v1"));
        story.run_told(2, get("/a"), |told| *clock(told) += 5_000);
        story.pass(1_000);
        story.run(1, set("/a", "v2"));
    }

    an_update_of_a_key_that_has_expired: Wrong |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        story.pass(3_000);
        acknowledge(&mut story, update("/a", "v2"), set("/a", "v2"), Action::Update);
    }

    a_child_that_outlives_its_directory: Wrong |story| {
        story.pass(1_000);
        story.run(1, set_dir_for("/d", 1));
        story.run(1, set("/d/e", "v1"));
        let Answer::Read { found, .. } =
            answer(&mut story.at(5).clone(), &get("/d/e")) else { panic!() };
        story.pass(3_000);
        story.run_told(1, get("/d/e"), |told| {
            let Answer::Read { found: told, .. } = told else { panic!() };
            *told = found;
        });
    }
}

// What no client has seen.
bad! { UNSEEN, judge_all;
    two_keys_that_expire_in_the_wrong_order: NotDue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 2));
        story.run(1, set_for("/b", "v2", 1));
        story.pass(5_000);
        let shift = |event: &Event, index| {
            let node = NodeView { modified_index: index, ..event.node.clone() };
            Arc::new(Event { node, ..event.clone() })
        };
        let [one, two] = [shift(&story.events[3], 6), shift(&story.events[2], 7)];
        story.events.splice(2.., [one, two]);
    }

    stamps_that_fall: StampFell |story| {
        story.pass(1_000);
        let (one, two) = (story.lose(1, set("/a", "v1")), story.lose(2, set("/b", "v2")));
        story.take(one);
        story.take(two);
        Arc::make_mut(&mut story.events[1]).stamp.cluster_ms = 500;
    }

    a_lost_write_with_another_time_to_live: Phantom |story| {
        story.pass(1_000);
        let ghost = story.call(1, set_for("/a", "v1", 3));
        story.take(ghost);
        story.answer_with(ghost, Answer::Refused);
        story.lose(1, set_for("/a", "v1", 2));
    }
}

bad! { LOCAL, judge;
    a_local_read_of_what_has_expired: Overdue |story| {
        story.pass(1_000);
        story.run(1, set_for("/a", "v1", 1));
        story.run_told(2, local("/a"), |told| {
            *clock(told) += 5_000;
            node(told).expires.as_mut().unwrap().ttl = 0;
        });
    }

    a_node_whose_clock_goes_back: WentBack |story| {
        story.pass(1_000);
        story.run(1, set("/a", "v1"));
        story.pass(500);
        story.run(2, local("/a"));
        story.run_told(2, local("/a"), |told| *clock(told) -= 300);
    }
}

/// One key more than an entry may remove, all due at the same time, of which one entry
/// removes so many, in order. The last of all.
fn crowd(story: &mut Story, removed: usize) -> String {
    let key = |at: usize| format!("/{at}");
    story.pass(1_000);
    for at in 0..=EXPIRIES_PER_ENTRY {
        story.run(1, set_for(&key(at), "v", 1));
        // Nobody asks what the tree was before.
        story.truth.remove(0);
    }
    let mut then = story.truth[0].clone();
    let gone = then.advance(later(&then, 5_000));
    for event in gone.into_iter().take(removed) {
        story.happen(event);
        story.truth.remove(0);
    }
    key(EXPIRIES_PER_ENTRY)
}

/// What is due first when so much cluster time has passed, with the stamp of an
/// earlier moment.
fn expiry(story: &Story, passed_ms: u64, stamped_ms: u64) -> Event {
    let now = story.truth.last().unwrap();
    let mut then = now.clone();
    then.tell_time(later(now, passed_ms));
    Event { stamp: later(now, stamped_ms), ..then.due().unwrap() }
}
