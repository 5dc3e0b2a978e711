//! The golden stories: one claim a file, told by hand on the tabletop, compared
//! word for word. `QUORATE_BLESS=1 cargo test --test golden` writes down what
//! happens now; look at the difference before you commit it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use quorate_sim::tabletop::story::Story;

/// Between the commands of a block and what follows from them.
const RULE: &str = "----";

macro_rules! stories {
    ($($claim:ident)*) => {
        const STORIES: &[&str] = &[$(stringify!($claim)),*];
        $(#[test] fn $claim() { check(stringify!($claim)) })*
    };
}

stories! {
    a_candidate_with_a_majority_of_votes_leads
    a_commit_alone_causes_no_write
    a_conflicting_suffix_is_replaced
    a_failed_sync_halts_the_node
    a_follower_reads_what_was_acknowledged_elsewhere
    a_forward_duplicated_across_a_change_of_leader_is_applied_once
    a_forward_is_answered_by_its_origin_when_it_applies
    a_key_lives_as_promised_through_an_idle_hour_and_the_leaders_death
    a_laggard_is_sent_a_snapshot
    a_leader_that_is_cut_off_refuses_reads
    a_leader_whose_wall_clock_jumps_moves_what_is_shown_and_not_when_it_goes
    a_leaders_own_ack_counts_only_after_its_sync
    a_log_cut_back_below_a_segments_base_outlives_the_segments_before
    a_new_leaders_clock_starts_at_the_highest_stamp_in_its_log
    a_paused_leader_makes_a_key_late_and_never_early
    a_read_asked_of_a_new_leader_is_answered_with_its_first_entry
    a_refresh_wakes_nobody
    a_repeated_append_is_not_acknowledged_before_the_first
    a_repeated_vote_request_is_not_granted_before_the_first
    a_restart_keeps_the_vote
    a_restart_keeps_what_was_acknowledged
    a_snapshot_waits_until_the_draft_of_an_earlier_life_is_removed
    a_stalled_disk_deposes_its_leader
    a_torn_last_batch_is_cut_and_the_node_goes_on
    a_watch_is_refused_by_a_restarted_node_until_it_is_ready
    a_watch_that_waits_on_a_follower_goes_on_through_a_snapshot
    a_watch_whose_events_a_snapshot_does_not_hold_is_told_so
    a_write_is_answered_when_a_majority_has_it_on_disk
    damage_before_the_last_batch_is_refused
    names_in_order_rise_across_restart_and_snapshot_and_change_of_leader
    the_first_write_has_index_4_on_one_node_and_8_on_three
    the_last_durable_segment_stays_until_the_next_one_holds_something
    the_removal_of_a_directory_wakes_a_watch_below_it
    what_is_due_causes_one_stamp_however_much_is_under_way
    what_a_killed_process_had_only_written_is_synced_at_birth
    writes_that_arrive_while_one_flies_share_the_next
}

#[test]
fn every_file_is_a_story_and_every_story_a_file() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder of stories")
        .map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    let stories = STORIES.iter().map(|claim| file_name(claim)).collect();
    assert_eq!(files, stories, "a story is a file and a line in {}", file!());
}

fn check(claim: &str) {
    let path = folder().join(file_name(claim));
    let written = fs::read_to_string(&path).unwrap_or_default();
    let first = written.lines().next().unwrap_or_default();
    assert_eq!(slug(first), claim, "the first line of a story is its claim");
    let told = tell(&written);
    if told == written {
        return;
    }
    if env::var_os("QUORATE_BLESS").is_some() {
        fs::write(&path, told).expect("a story that can be written");
        return;
    }
    panic!("{} goes otherwise:\n{}", path.display(), difference(&written, &told));
}

/// Tells a whole file: blocks between blank lines, each of comments, commands
/// and, behind the rule, what follows.
fn tell(file: &str) -> String {
    let mut story = Story::default();
    let blocks = file.split("\n\n").map(|block| tell_block(&mut story, block.trim()));
    blocks.filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn tell_block(story: &mut Story, block: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for line in block.lines().take_while(|line| *line != RULE) {
        lines.push(line.to_owned());
        if !line.starts_with('#') {
            told.extend(story.tell(line).unwrap_or_else(|what| panic!("{what}")));
        }
    }
    if !told.is_empty() {
        lines.push(RULE.to_owned());
        lines.extend(told);
    }
    lines.join("\n")
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "scenarios", "golden"].iter().collect()
}

fn file_name(claim: &str) -> String {
    format!("{}.txt", claim.replace('_', "-"))
}

/// `# It's a claim.` is `its_a_claim`.
fn slug(line: &str) -> String {
    let words = line.trim_matches(['#', ' ', '.']).replace('\'', "").to_lowercase();
    words.replace(|letter: char| !letter.is_alphanumeric(), "_")
}

/// Line by line: `-` is expected and missing, `+` has come instead.
fn difference(expected: &str, told: &str) -> String {
    let (a, b): (Vec<_>, Vec<_>) = (expected.lines().collect(), told.lines().collect());
    let common = common(&a, &b);
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        let (mark, line) = if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
            (' ', a[i - 1])
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', a[i - 1])
        } else {
            j += 1;
            ('+', b[j - 1])
        };
        writeln!(out, "{mark} {line}").expect("a string takes everything");
    }
    out
}

/// For each pair of places, how many lines the rests have in common, in order.
fn common(a: &[&str], b: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    common
}

#[test]
fn a_difference_is_readable() {
    assert_eq!(difference("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
}

#[test]
fn a_claim_names_its_file() {
    assert_eq!(slug("# A leader's own ack, later."), "a_leaders_own_ack__later");
}
