//! Neighbours that break one promise each: an oracle must notice, and it must be
//! one that speaks of what was broken.

use quorate_sim::weather::{Lie, Scenario, run};

/// Within so many seeds.
const SEEDS: u64 = 40;

/// A storm in which every lie has its occasion.
const STORM: &str = r#"
claim = "A lie is caught."
nodes = 3
clients = 4
think_ms = 40
storm_s = 20
calm_s = 3

[links]
loss = 0.02
duplicate = 0.02
delay_ms = [1, 10]

[faults]
partition = { every_s = 4, lasts_ms = [500, 4000] }
isolate = { every_s = 4, lasts_ms = [500, 3000] }
crash = { every_s = 2, lasts_ms = [50, 1500] }
"#;

/// Rot in what was written last.
const ROT: &str = "rot_tail = { every_s = 2, lasts_ms = [50, 1500] }\n";

/// Tells a lie until an oracle objects; it must be one of these.
fn caught(lie: Lie, oracles: &[&str]) {
    caught_in(STORM, lie, oracles);
}

fn caught_in(storm: &str, lie: Lie, oracles: &[&str]) {
    let scenario = Scenario::parse(storm).expect("sound");
    for seed in 0..SEEDS {
        let Some(failure) = run(&scenario, seed, Some(lie), false).failure else { continue };
        println!("{lie:?}, seed {seed}: {failure}");
        assert!(oracles.contains(&failure.oracle), "{lie:?}, seed {seed}: caught by {failure}");
        return;
    }
    panic!("{lie:?} told over {SEEDS} seeds, and nobody noticed");
}

#[test]
fn the_truth_is_not_called_a_lie() {
    let scenario = Scenario::parse(STORM).expect("sound");
    for seed in 0..SEEDS {
        let report = run(&scenario, seed, None, false);
        assert_eq!(report.failure, None, "seed {seed}");
    }
}

#[test]
fn a_disk_that_forgets_what_it_synced() {
    caught(Lie::ForgetfulDisk, &["votes are kept", "what was acknowledged is held", "restart"]);
}

#[test]
fn a_sync_that_completes_early() {
    caught(Lie::EarlySync, &["restart", "what was acknowledged is held", "votes are kept"]);
}

#[test]
fn a_completion_for_a_write_that_was_dropped() {
    caught(Lie::DroppedWrite, &["restart", "what was acknowledged is held", "votes are kept"]);
}

#[test]
fn a_node_restarted_from_an_older_image_of_its_disk() {
    caught(Lie::OlderImage, &["votes are kept", "what was acknowledged is held"]);
}

#[test]
fn a_reply_handed_to_another_request() {
    caught(Lie::SwappedReplies, &["linearizable", "durable"]);
}

#[test]
fn a_message_altered_past_its_checksum() {
    caught(Lie::AlteredMessage, &["state machine safety", "log matching"]);
}

#[test]
fn a_read_answered_without_its_confirmation() {
    caught(Lie::UnconfirmedRead, &["linearizable"]);
}

#[test]
fn a_watch_that_skips_an_event() {
    caught(Lie::SkippedEvent, &["watches"]);
}

#[test]
fn a_leader_whose_stamps_run_ahead_of_its_ticks() {
    caught(Lie::StampsJumpAhead, &["times to live"]);
}

#[test]
fn a_vote_that_was_refused_arrives_as_granted() {
    caught(Lie::ForgedVote, &["election safety", "a majority decides"]);
}

#[test]
fn a_last_batch_that_rots_where_no_quorum_holds_it() {
    let storm = format!("{STORM}{ROT}").replace("nodes = 3", "nodes = 3\ndamaged = 1");
    let oracles =
        ["leader completeness", "what was acknowledged is held", "votes are kept", "halt"];
    caught_in(&storm, Lie::UnchartedRot, &oracles);
}
