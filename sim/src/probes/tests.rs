//! Each observer is shown what it looks for, and what is only like it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use madsim::runtime::Runtime;
use quorate_engine::command::{Command, Do, Origin, Stamp};
use quorate_engine::message::{Chunk, RaftKind, RaftMessage};
use quorate_engine::tree::{Path, Tree, Watch};
use quorate_engine::{
    Change, Content, DiskOp, Done, Entry, FileName, Input, Member, Message, Outcome, Output,
    Refused, Request, Write,
};

use super::*;
use crate::check::Hint;
use crate::history::{Answer, History, Op, Server};
use crate::weather::Action;

/// Observers of three nodes that have been born.
fn watching(live: impl FnOnce(&mut Observers) + Send + 'static) -> Probes {
    let run = || {
        let member = |id| Member { id, peer_urls: vec![], attributes: Default::default() };
        let mut config = Config::new(1, 1, (1..=3).map(member).collect());
        (config.election_ticks, config.transfer_ticks) = (3, 5);
        let mut observers = Observers::new(&config);
        for id in 1..=3 {
            observers.observe(id, &Observation::Born(&view(id, Role::Follower, 1, 0)));
        }
        live(&mut observers);
        observers.probes
    };
    Runtime::new().block_on(async { run() })
}

fn view(id: NodeId, role: Role, term: u64, committed: u64) -> View {
    View {
        id,
        role,
        term,
        leader: (role == Role::Leader).then_some(id),
        committed,
        applied: committed,
        ready: true,
        counts: Default::default(),
        digest: 0,
        members: Arc::default(),
        tree: Tree::new(7, 10),
    }
}

impl Observers {
    fn looks(&mut self, id: NodeId, role: Role, term: u64, committed: u64) {
        self.observe(id, &Observation::View(&view(id, role, term, committed)));
    }

    fn tick(&mut self, id: NodeId) {
        self.observe(id, &Observation::In(&Input::Tick { wall_ms: 0 }));
    }

    fn sends(&mut self, id: NodeId, to: NodeId, message: Message) {
        self.observe(id, &Observation::Out(&Output::Peer { to, message }));
    }

    fn hears(&mut self, id: NodeId, from: NodeId, message: Message) {
        self.observe(id, &Observation::In(&Input::Peer { from, message }));
    }

    fn asks_disk(&mut self, node: NodeId, id: u64, op: DiskOp) {
        self.observe(node, &Observation::Out(&Output::Disk { id, op }));
    }

    fn disk_has(&mut self, node: NodeId, id: u64) {
        self.observe(node, &Observation::In(&Input::Disk { id, result: Ok(()) }));
    }

    fn asked(&mut self, node: NodeId, id: u64, request: Request) {
        self.observe(node, &Observation::In(&Input::Client { id, request }));
    }

    fn answers(&mut self, node: NodeId, id: u64, outcome: Outcome) {
        self.observe(node, &Observation::Out(&Output::Reply { id, outcome }));
    }
}

/// These were hit so often, and of all rooms named, nothing else.
#[track_caller]
fn hit(probes: &Probes, rooms: &[&str], expected: &[(Probe, u64)]) {
    let all = Probe::ALL.iter().filter(|probe| rooms.contains(&probe.room()));
    let all: Vec<_> = all.map(|probe| (*probe, probes.count(*probe))).collect();
    let seen: Vec<_> = all.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(seen, expected);
}

fn append(term: u64, after: (u64, u64), entries: &[(u64, u64)]) -> Message {
    let entry = |&(index, term)| Entry { index, term, data: Bytes::new() };
    Message::Raft(RaftMessage {
        index: after.0,
        log_term: after.1,
        entries: entries.iter().map(entry).collect(),
        ..RaftMessage::new(RaftKind::Append, term)
    })
}

fn append_ok(term: u64, index: u64) -> Message {
    Message::Raft(RaftMessage { index, ..RaftMessage::new(RaftKind::AppendResponse, term) })
}

#[test]
fn probes_have_names_and_say_what_was_seen() {
    let names: BTreeSet<&str> = Probe::ALL.iter().map(|probe| probe.name()).collect();
    assert_eq!(names.len(), Probe::ALL.len(), "two probes have one name");
    for probe in Probe::ALL {
        let (name, what) = (probe.name(), probe.what());
        assert!(name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{name}");
        assert!(what.ends_with('.') && !what.contains(". "), "{name}: {what}");
        let variant = format!("{probe:?}").to_lowercase();
        assert_eq!(variant, name.replace('-', ""), "name and variant differ");
    }
}

#[test]
fn counts_are_kept_by_name_and_added_up() {
    let mut probes = Probes::default();
    probes.hit_times(Probe::SuffixCut, 3);
    let text = toml::to_string(&probes).expect("a table");
    assert_eq!(text, "suffix-cut = 3\n");
    let again: Probes = toml::from_str(&text).expect("what we wrote");
    probes.add(&again);
    assert_eq!((probes.count(Probe::SuffixCut), again.count(Probe::SuffixCut)), (6, 3));
    assert!(toml::from_str::<Probes>("suffix-cat = 3").is_err());
    assert_eq!(probes.dark().count(), Probe::ALL.len() - 1);
    let short = probes.short([(Probe::SuffixCut, 7), (Probe::SuffixCut, 6)]);
    assert_eq!(short, [(Probe::SuffixCut, 6, 7)]);
}

#[test]
fn leaders_that_overlap() {
    let probes = watching(|it| {
        it.looks(1, Role::Leader, 2, 0);
        it.looks(2, Role::Leader, 3, 0);
        (0..3).for_each(|_| it.looks(1, Role::Leader, 2, 0));
        it.looks(1, Role::Follower, 3, 0);
        it.observe(2, &Observation::Died);
        it.observe(2, &Observation::Born(&view(2, Role::Follower, 3, 0)));
        it.looks(2, Role::Leader, 6, 0);
    });
    let expected = [
        (Probe::TermLed, 3),
        (Probe::ElectedAtOnce, 1),
        (Probe::ElectedAfterEmptyTerms, 1),
        (Probe::TermSkipped, 2),
        (Probe::TwoLeaders, 1),
        (Probe::OldLeaderActed, 1),
        (Probe::LeaderDeposed, 1),
        (Probe::LeaderDied, 1),
        (Probe::LedAgain, 1),
    ];
    hit(&probes, &["elections"], &expected);
}

#[test]
fn a_leader_steps_down_for_its_disk_or_for_the_others() {
    let write = |sync| DiskOp::Write {
        file: FileName::new("wal-0000000000000001"),
        offset: 0,
        bytes: Bytes::new(),
        sync,
    };
    let probes = watching(move |it| {
        it.looks(1, Role::Leader, 2, 0);
        it.looks(1, Role::Follower, 2, 0);
        it.asks_disk(2, 1, write(true));
        it.looks(2, Role::Leader, 3, 0);
        (0..3).for_each(|_| it.tick(2));
        it.looks(2, Role::Follower, 3, 0);
        it.observe(2, &Observation::Died);
    });
    let expected = [
        (Probe::TermLed, 2),
        (Probe::ElectedAtOnce, 1),
        (Probe::TermSkipped, 1),
        (Probe::LeaderLostQuorum, 1),
        (Probe::LeaderGaveUpDisk, 1),
    ];
    hit(&probes, &["elections"], &expected);
    hit(&probes, &["disk"], &[(Probe::DiedWriting, 1), (Probe::DiedRecovering, 1)]);
}

#[test]
fn entries_of_a_deposed_leader_go() {
    let probes = watching(|it| {
        it.looks(1, Role::Leader, 2, 0);
        let old = || append(2, (0, 0), &[(1, 2), (2, 2)]);
        it.sends(1, 2, old());
        it.hears(2, 1, old());
        it.sends(2, 1, append_ok(2, 2));
        it.looks(3, Role::Leader, 3, 0);
        // The first entry is the same: only the second is given up.
        let new = || append(3, (1, 2), &[(2, 3)]);
        it.hears(2, 3, new());
        it.hears(2, 3, new());
        it.hears(1, 3, new());
        // It comes too late to replace anything.
        it.looks(2, Role::Follower, 3, 0);
        it.hears(2, 1, old());
    });
    let expected = [(Probe::OldTermArrived, 1), (Probe::SuffixCut, 2), (Probe::OwnEntriesCut, 1)];
    hit(&probes, &["log"], &expected);
}

#[test]
fn a_later_leader_commits_what_an_earlier_one_began() {
    let probes = watching(|it| {
        it.hears(2, 1, append(2, (0, 0), &[(1, 2)]));
        it.looks(2, Role::Leader, 3, 0);
        it.sends(2, 3, append(3, (1, 2), &[(2, 3)]));
        it.looks(2, Role::Leader, 3, 2);
        it.sends(2, 3, append(3, (2, 3), &[(3, 3)]));
        it.looks(2, Role::Leader, 3, 3);
    });
    hit(&probes, &["log"], &[(Probe::EarlierTermCommitted, 1), (Probe::SeveralCommitted, 1)]);
}

#[test]
fn a_stale_candidate_is_refused() {
    let asks = |index, log_term| {
        let request = RaftMessage::new(RaftKind::RequestVote, 9);
        Message::Raft(RaftMessage { index, log_term, ..request })
    };
    let refuses = || {
        let response = RaftMessage::new(RaftKind::RequestVoteResponse, 9);
        Message::Raft(RaftMessage { reject: true, ..response })
    };
    let probes = watching(move |it| {
        it.hears(2, 1, append(3, (0, 0), &[(1, 1), (2, 3)]));
        it.sends(2, 1, append_ok(3, 2));
        for (index, log_term) in [(1, 1), (5, 2), (2, 3), (1, 4)] {
            it.hears(2, 3, asks(index, log_term));
            it.sends(2, 3, refuses());
        }
    });
    hit(
        &probes,
        &["elections", "log"],
        &[(Probe::VoteRefused, 4), (Probe::StaleLogRefused, 2), (Probe::LongerLogRefused, 1)],
    );
}

#[test]
fn a_snapshot_arrives_or_is_overtaken() {
    let rename = |index: u64| DiskOp::Rename {
        from: FileName::new("snapshot.received"),
        to: FileName::new(&format!("snap-{index:016x}")),
    };
    let probes = watching(move |it| {
        it.looks(2, Role::Follower, 1, 8);
        for (id, index, applied) in [(1, 8, 8), (2, 12, 12), (3, 20, 12)] {
            it.asks_disk(2, id, rename(index));
            it.disk_has(2, id);
            it.looks(2, Role::Follower, 1, applied);
        }
        it.observe(2, &Observation::Died);
    });
    hit(
        &probes,
        &["snapshots"],
        &[
            (Probe::SnapshotReceived, 3),
            (Probe::SnapshotInstalled, 1),
            (Probe::SnapshotOvertaken, 1),
            (Probe::DiedInstalling, 1),
        ],
    );
}

#[test]
fn a_transfer_without_progress_is_given_up() {
    let chunk = |offset| {
        let (term, index, index_term, bytes) = (1, 9, 1, Bytes::from_static(b"12345678"));
        Message::Chunk(Chunk { term, index, index_term, offset, bytes, last: false })
    };
    let probes = watching(move |it| {
        it.sends(1, 2, chunk(0));
        it.sends(1, 3, chunk(0));
        for _ in 0..2 {
            it.tick(1);
            it.tick(1);
            it.sends(1, 2, chunk(0));
            it.hears(1, 3, Message::ChunkAck { index: 9, received: 8 });
        }
        (0..2).for_each(|_| it.tick(1));
    });
    hit(
        &probes,
        &["snapshots"],
        &[(Probe::TransferBegun, 2), (Probe::TransferGivenUp, 1), (Probe::ChunkSentAgain, 2)],
    );
}

#[test]
fn chunks_that_do_not_come_next() {
    let chunk = |index, offset, last| {
        let (term, index_term, bytes) = (1, 1, Bytes::from_static(b"12345678"));
        Message::Chunk(Chunk { term, index, index_term, offset, bytes, last })
    };
    let probes = watching(move |it| {
        it.looks(2, Role::Follower, 1, 5);
        for (index, offset) in [(5, 0), (9, 8), (9, 0), (9, 16), (9, 8), (12, 0)] {
            it.hears(2, 1, chunk(index, offset, false));
        }
    });
    hit(
        &probes,
        &["snapshots"],
        &[(Probe::ChunkOutOfOrder, 2), (Probe::ChunkTooLate, 1), (Probe::ReceiptReplaced, 1)],
    );
}

#[test]
fn forwarded_writes_go_astray() {
    let forward = |term, seq| {
        let origin = Origin { node: 2, boot: 7, seq };
        let stamp = Stamp::default();
        Message::Forward { term, command: Command { origin, stamp, action: Do::Stamp } }
    };
    let probes = watching(move |it| {
        it.looks(1, Role::Leader, 2, 0);
        for (term, seq) in [(2, 1), (2, 1), (2, 2)] {
            it.hears(1, 2, forward(term, seq));
        }
        it.looks(1, Role::Follower, 3, 0);
        it.hears(1, 2, forward(2, 3));
    });
    hit(&probes, &["clients"], &[(Probe::ForwardRepeated, 1), (Probe::ForwardMissed, 1)]);
}

#[test]
fn a_name_is_known_once_the_cluster_says_so() {
    let probes = watching(|it| {
        it.answers(2, 1, Outcome::Refused(Refused::NoLeader));
        it.answers(2, 2, Outcome::Done(Done::Published));
    });
    hit(&probes, &["clients"], &[(Probe::NoLeader, 1), (Probe::NamePublished, 1)]);
}

#[test]
fn a_read_loses_its_leader_only_if_it_had_one() {
    let probes = watching(|it| {
        let refused = || Outcome::Refused(Refused::NoLeader);
        it.asked(2, 1, Request::Read);
        it.answers(2, 1, refused());
        it.asked(2, 2, Request::Read);
        it.looks(2, Role::Follower, 1, 0);
        it.answers(2, 2, refused());
    });
    hit(&probes, &["clients"], &[(Probe::NoLeader, 2), (Probe::ReadLostLeader, 1)]);
}

#[test]
fn a_watch_looks_back_or_waits() {
    let watch = || Watch { path: Path::root(), recursive: true, from: 1, limit: 9 };
    let events = || Outcome::Done(Done::Watched { events: vec![], at: Default::default() });
    let probes = watching(move |it| {
        it.asked(2, 1, Request::Watch(watch()));
        it.answers(2, 1, events());
        it.asked(2, 2, Request::Watch(watch()));
        it.asked(2, 3, Request::Watch(watch()));
        it.looks(2, Role::Follower, 1, 0);
        it.answers(2, 2, events());
        it.observe(2, &Observation::Died);
    });
    hit(
        &probes,
        &["watches"],
        &[
            (Probe::WatchShown, 2),
            (Probe::WatchLookedBack, 1),
            (Probe::WatchWaited, 1),
            (Probe::WatchDied, 1),
        ],
    );
}

#[test]
fn faults_meet() {
    let probes = watching(|it| {
        it.looks(1, Role::Leader, 2, 0);
        it.done_to(&Action::Cut(vec![(2, 3)], 100), None);
        it.done_to(&Action::Cut(vec![(1, 2), (2, 1), (1, 3), (3, 1)], 100), None);
        it.done_to(&Action::Jump(1, 5), Some(1_000));
        it.done_to(&Action::Drift(1, 5), None);
        it.done_to(&Action::Drift(2, 5), None);
        it.done_to(&Action::Stall(2, 100), None);
        it.done_to(&Action::Pause(2, 100), None);
        it.done_to(&Action::Pause(1, 100), None);
        it.looks(3, Role::Leader, 3, 0);
        it.tick(1);
        for id in [2, 1, 3] {
            it.observe(id, &Observation::Died);
        }
        for id in 1..=3 {
            it.observe(id, &Observation::Born(&view(id, Role::Follower, 3, 0)));
        }
    });
    hit(
        &probes,
        &["time", "faults"],
        &[
            (Probe::LeaderCutOff, 1),
            (Probe::CutOneWay, 1),
            (Probe::CutTwice, 1),
            (Probe::LeaderPaused, 1),
            (Probe::WokeDeposed, 1),
            (Probe::PausedStalled, 1),
            (Probe::DiedCut, 3),
            (Probe::DiedStalled, 1),
            (Probe::DiedPaused, 1),
            (Probe::DiedYoung, 3),
            (Probe::QuorumLost, 1),
            (Probe::QuorumRegained, 1),
            (Probe::AllDown, 1),
            (Probe::LeaderDrifted, 1),
        ],
    );
}

#[test]
fn what_rot_took_was_not_cut() {
    let probes = watching(|it| {
        it.observe(2, &Observation::Died);
        it.observe(2, &Observation::Forgot { from: 1 });
        it.observe(2, &Observation::Born(&view(2, Role::Follower, 1, 0)));
    });
    hit(&probes, &["log", "disk"], &[(Probe::TailForgotten, 1), (Probe::DiedRecovering, 1)]);
}

/// Sets a file or, without a value, a directory.
fn set(path: &str, value: Option<&str>, ttl: Option<u64>) -> Write {
    let content = value.map_or(Content::Dir, |value| Content::File(value.into()));
    Write { path: Path::new(path).expect("clean"), change: Change::Set { content, ttl } }
}

#[test]
fn a_history_tells_what_was_lost_and_what_a_directory_held() {
    let mut tree = Tree::new(7, 100);
    let writes = [
        set("/full", None, Some(1)),
        set("/full/a", Some("kept"), None),
        set("/empty", None, Some(1)),
        set("/empty/a", Some("gone"), None),
    ];
    writes.iter().for_each(|write| drop(tree.apply(write).expect("it fits")));
    let path = Path::new("/empty/a").expect("clean");
    let delete = Change::Delete { dir: false, recursive: false };
    tree.apply(&Write { path, change: delete }).expect("it is there");
    tree.advance(Stamp { cluster_ms: 5_000, wall_ms: 0, tick_ms: 1 });
    let mut hint = Hint::new(7);
    tree.history().for_each(|event| hint.learn(event).expect("no other"));
    let mut history = History::new();
    for value in ["kept", "never"] {
        let op = Op::Write(set("/a", Some(value), None));
        let called = history.call(1, Server { node: 1, life: 0 }, op, 0);
        history.done(called, Answer::Lost, 1);
    }
    let probes = watching(move |it| it.over(&history, &hint));
    hit(
        &probes,
        &["clients", "tree", "time"],
        &[(Probe::LostAndApplied, 1), (Probe::LostForGood, 1), (Probe::DirectoryExpired, 1)],
    );
}
