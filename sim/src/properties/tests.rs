//! Each property is fed a run that breaks it, and it alone objects.

mod durability;
mod purge;

use std::sync::Arc;

use bytes::Bytes;
use quorate_engine::codec::Encode;
use quorate_engine::command::{Command, Do, Origin, Stamp};
use quorate_engine::message::{Chunk, RaftKind, RaftMessage};
use quorate_engine::tree::{Cleared, Path, Tree, Watch};
use quorate_engine::{
    Change, Content, DiskError, DiskOp, Done, Entry, FileName, Lost, Member, Outcome, Refused,
    Request, Role, Write,
};

use super::*;
use crate::model::Model;

/// What happened, to whom.
enum Fact {
    Born(View),
    In(Input),
    Out(Output),
    Seen(View),
    Died,
    Forgot(u64),
}

fn members() -> Vec<Member> {
    (1..=3).map(|id| Member { id, peer_urls: vec![], attributes: Default::default() }).collect()
}

/// Tells it all and asks which property objected, and at which fact.
fn objection(run: Vec<(NodeId, Fact)>) -> Option<(&'static str, usize)> {
    let mut properties = Properties::new(&Config::new(1, 1, members()));
    run.iter().enumerate().find_map(|(at, (node, fact))| {
        let what = match fact {
            Fact::Born(view) => Observation::Born(view),
            Fact::In(input) => Observation::In(input),
            Fact::Out(output) => Observation::Out(output),
            Fact::Seen(view) => Observation::View(view),
            Fact::Died => Observation::Died,
            Fact::Forgot(from) => Observation::Forgot { from: *from },
        };
        properties.observe(*node, what).err().map(|violation| (violation.property, at))
    })
}

/// The last fact breaks this property, and none before it does.
#[track_caller]
fn breaks(property: &str, run: Vec<(NodeId, Fact)>) {
    let last = run.len() - 1;
    assert_eq!(objection(run), Some((property, last)));
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
        members: Arc::new(members()),
        tree: Tree::new(7, 10),
    }
}

fn follower(id: NodeId, term: u64, committed: u64) -> Fact {
    Fact::Seen(view(id, Role::Follower, term, committed))
}

fn leader(id: NodeId, term: u64, committed: u64) -> Fact {
    Fact::Seen(view(id, Role::Leader, term, committed))
}

fn out(to: NodeId, message: RaftMessage) -> Fact {
    Fact::Out(Output::Peer { to, message: Message::Raft(message) })
}

fn arrives(from: NodeId, message: RaftMessage) -> Fact {
    Fact::In(Input::Peer { from, message: Message::Raft(message) })
}

fn entry(index: u64, term: u64, data: &'static str) -> Entry {
    Entry { index, term, data: data.into() }
}

fn append(term: u64, after: (u64, u64), commit: u64, entries: Vec<Entry>) -> RaftMessage {
    let (index, log_term) = after;
    RaftMessage { index, log_term, commit, entries, ..RaftMessage::new(RaftKind::Append, term) }
}

fn append_ok(term: u64, index: u64) -> RaftMessage {
    RaftMessage { index, ..RaftMessage::new(RaftKind::AppendResponse, term) }
}

fn vote_request(term: u64, (index, log_term): (u64, u64)) -> RaftMessage {
    RaftMessage { index, log_term, ..RaftMessage::new(RaftKind::RequestVote, term) }
}

fn vote(to: NodeId, term: u64) -> Fact {
    out(to, RaftMessage::new(RaftKind::RequestVoteResponse, term))
}

/// A write to the log of node 2, as (term, vote) and entries of that term up to an index.
fn writes(id: u64, (term, vote): (u64, NodeId), last: u64) -> (NodeId, Fact) {
    let mut payload = Vec::new();
    [term, vote, 0].into_iter().for_each(|number| payload.u64(number));
    for index in 1..=last {
        payload.u8(1);
        entry(index, term, "").encode(&mut payload);
    }
    let mut bytes = b"QBAT".to_vec();
    bytes.bytes(&payload);
    bytes.splice(8..8, [0; 16]);
    let file = FileName::new("wal-0000000000000001");
    let op = DiskOp::Write { file, offset: 0, bytes: bytes.into(), sync: true };
    (2, Fact::Out(Output::Disk { id, op }))
}

fn written(id: u64) -> (NodeId, Fact) {
    (2, Fact::In(Input::Disk { id, result: Ok(()) }))
}

fn tick() -> Fact {
    Fact::In(Input::Tick { wall_ms: 0 })
}

fn set() -> Write {
    let path = Path::new("/a").expect("clean");
    Write { path, change: Change::Set { content: Content::File("1".into()), ttl: None } }
}

#[test]
fn a_good_run_breaks_nothing() {
    let one = || append(1, (0, 0), 0, vec![entry(1, 1, "")]);
    let run = vec![
        (1, Fact::Born(view(1, Role::Follower, 0, 0))),
        (2, Fact::Born(view(2, Role::Follower, 0, 0))),
        (1, out(2, vote_request(1, (0, 0)))),
        (2, arrives(1, vote_request(1, (0, 0)))),
        writes(1, (1, 1), 0),
        written(1),
        (2, vote(1, 1)),
        (1, leader(1, 1, 0)),
        (1, out(2, one())),
        (2, arrives(1, one())),
        writes(2, (1, 1), 1),
        written(2),
        (2, out(1, append_ok(1, 1))),
        (3, out(1, append_ok(1, 1))),
        // It applies when its own copy is durable.
        (1, Fact::Seen(View { applied: 0, ..view(1, Role::Leader, 1, 1) })),
        (1, out(2, append(1, (1, 1), 1, vec![]))),
        (2, follower(2, 1, 1)),
        (2, Fact::Died),
        // Its commit index was volatile.
        (2, Fact::Born(view(2, Role::Follower, 1, 0))),
        (2, out(3, vote_request(2, (1, 1)))),
    ];
    assert_eq!(objection(run), None);
}

#[test]
fn two_leaders_in_one_term() {
    breaks(
        "election safety",
        vec![
            (2, vote(1, 1)),
            (1, leader(1, 1, 0)),
            (3, out(2, RaftMessage::new(RaftKind::Heartbeat, 1))),
        ],
    );
}

#[test]
fn a_second_vote_in_one_term() {
    breaks("votes are kept", vec![(2, vote(1, 1)), (2, Fact::Died), (2, vote(3, 1))]);
    breaks("votes are kept", vec![(2, out(1, vote_request(1, (0, 0)))), (2, vote(3, 1))]);
}

#[test]
fn a_term_forgotten() {
    let told = || (2, out(1, append_ok(5, 1)));
    breaks("votes are kept", vec![told(), (2, vote(3, 4))]);
    breaks("votes are kept", vec![told(), (2, Fact::Born(view(2, Role::Follower, 4, 0)))]);
}

#[test]
fn one_position_and_two_entries() {
    let first = || (1, out(2, append(1, (0, 0), 0, vec![entry(1, 1, "x")])));
    breaks(
        "log matching",
        vec![first(), (1, out(3, append(1, (0, 0), 0, vec![entry(1, 1, "y")])))],
    );
}

#[test]
fn one_entry_and_two_before_it() {
    let after = |term| append(3, (1, term), 0, vec![entry(2, 3, "")]);
    breaks("log matching", vec![(1, out(2, after(1))), (1, out(3, after(2)))]);
}

#[test]
fn a_candidate_that_nobody_would_vote_for() {
    let stands = || Fact::Seen(view(1, Role::Candidate, 2, 0));
    let promise = |term| {
        let reject = term == 1;
        out(1, RaftMessage { reject, ..RaftMessage::new(RaftKind::RequestPreVoteResponse, term) })
    };
    breaks("pre-votes come first", vec![(1, stands())]);
    let elsewhen = vec![(2, promise(1)), (2, promise(3)), (1, stands())];
    breaks("pre-votes come first", elsewhen);
    assert_eq!(objection(vec![(2, promise(2)), (1, stands())]), None);
}

#[test]
fn entries_sent_behind_another_place() {
    breaks("log matching", vec![(1, out(2, append(1, (1, 1), 0, vec![entry(3, 1, "")])))]);
}

#[test]
fn a_leader_without_a_majority() {
    breaks("a majority decides", vec![(3, vote(2, 1)), (1, leader(1, 1, 0))]);
}

#[test]
fn a_commit_without_a_majority() {
    let elected = || vec![(2, vote(1, 2)), (1, leader(1, 2, 0))];
    let mut early = elected();
    early.push((1, leader(1, 2, 1)));
    breaks("a majority decides", early);
    let mut of_another_term = elected();
    of_another_term.insert(0, (3, out(1, append_ok(1, 1))));
    of_another_term.push((1, leader(1, 2, 1)));
    breaks("a majority decides", of_another_term);
    breaks("a majority decides", vec![(3, follower(3, 1, 1))]);
    let mut deposed = elected();
    deposed.push((1, follower(1, 3, 1)));
    breaks("a majority decides", deposed);
    let mut counted = elected();
    let old = append(2, (0, 0), 0, vec![entry(1, 1, "")]);
    counted.extend([(1, out(2, old)), (2, out(1, append_ok(2, 1))), (1, leader(1, 2, 1))]);
    breaks("a majority decides", counted);
    let mut rightly = elected();
    rightly.extend([(2, out(1, append_ok(2, 1))), (1, follower(1, 3, 1))]);
    assert_eq!(objection(rightly), None, "committed and deposed in one step");
    let twice = vec![
        (2, vote(1, 1)),
        (1, leader(1, 1, 0)),
        (2, out(1, append_ok(1, 5))),
        (1, leader(1, 1, 5)),
        (3, vote(2, 2)),
        (2, leader(2, 2, 0)),
        (2, leader(2, 2, 4)),
    ];
    breaks("a majority decides", twice);
}

#[test]
fn a_committed_entry_replaced() {
    breaks(
        "committed entries stay",
        vec![(1, out(2, append(3, (1, 1), 1, vec![]))), (1, out(2, append(3, (1, 2), 1, vec![])))],
    );
}

#[test]
fn a_leader_elected_without_what_was_committed() {
    breaks(
        "leader completeness",
        vec![
            (1, out(2, append(1, (4, 1), 4, vec![]))),
            (3, out(2, vote_request(2, (3, 1)))),
            (2, vote(3, 2)),
            (3, leader(3, 2, 0)),
        ],
    );
}

#[test]
fn a_leader_that_shows_another_entry_where_one_was_committed() {
    breaks(
        "leader completeness",
        vec![
            (1, out(2, append(1, (4, 1), 4, vec![]))),
            (3, out(2, append(2, (3, 1), 0, vec![entry(4, 2, "")]))),
        ],
    );
}

#[test]
fn two_states_at_one_index() {
    let mut other = view(2, Role::Follower, 1, 0);
    other.digest = 1;
    breaks("state machine safety", vec![(1, follower(1, 1, 0)), (2, Fact::Seen(other))]);
    let mut stranger = view(2, Role::Follower, 1, 0);
    stranger.members = Arc::new(members()[..2].to_vec());
    breaks("state machine safety", vec![(1, follower(1, 1, 0)), (2, Fact::Born(stranger))]);
}

#[test]
fn a_term_that_goes_back() {
    breaks("nothing goes back", vec![(1, follower(1, 2, 0)), (1, follower(1, 1, 0))]);
    let mut ahead = view(1, Role::Follower, 1, 0);
    ahead.applied = 1;
    breaks("nothing goes back", vec![(1, Fact::Seen(ahead))]);
    let mut confused = view(1, Role::Follower, 1, 0);
    confused.leader = Some(1);
    breaks("nothing goes back", vec![(1, Fact::Seen(confused))]);
}

#[test]
fn a_leader_with_a_stalled_disk() {
    let file = FileName::new("wal-1");
    let op = DiskOp::Write { file, offset: 0, bytes: Bytes::new(), sync: true };
    let mut run = vec![(2, vote(1, 1)), (1, Fact::Out(Output::Disk { id: 1, op }))];
    for _ in 0..10 {
        run.extend([(1, tick()), (1, leader(1, 1, 0))]);
    }
    run.extend([(1, tick()), (1, leader(1, 1, 0))]);
    breaks("no zombie leads", run);
}

#[test]
fn answers_that_do_not_fit() {
    let name = "every request is answered once";
    let ask = || (1, Fact::In(Input::Client { id: 7, request: Request::Read }));
    let reply = |outcome| (1, Fact::Out(Output::Reply { id: 7, outcome }));
    let refused = || reply(Outcome::Refused(Refused::NoLeader));
    breaks(name, vec![ask(), reply(Outcome::Lost(Lost::Deadline))]);
    breaks(name, vec![ask(), refused(), refused()]);
    breaks(name, vec![ask(), (1, Fact::In(Input::Forget { id: 7 })), refused()]);
    let hangs = |ask| {
        let ticks = (0..=70).map(|_| (1, tick()));
        [ask].into_iter().chain(ticks).chain([(1, follower(1, 0, 0))]).collect::<Vec<_>>()
    };
    breaks(name, hangs(ask()));
    let path = Path::new("/a").expect("clean");
    let watch = Request::Watch(Watch { path, recursive: false, from: 4, limit: 1 });
    let watch = || (1, Fact::In(Input::Client { id: 7, request: watch.clone() }));
    assert_eq!(objection(hangs(watch())), None, "a watch waits for as long as it takes");
    let nothing = Done::Watched { events: vec![], at: Default::default() };
    breaks(name, vec![watch(), reply(Outcome::Done(nothing))]);
    breaks(name, vec![watch(), reply(Outcome::Lost(Lost::Stopping))]);
    breaks(name, vec![watch(), reply(Outcome::Refused(Refused::Deadline))]);
}

#[test]
fn a_watch_on_a_node_that_is_not_ready() {
    let name = "watches wait only on nodes that are ready";
    let path = Path::new("/a").expect("clean");
    let watch = Request::Watch(Watch { path, recursive: false, from: 4, limit: 1 });
    let ask = || (1, Fact::In(Input::Client { id: 7, request: watch.clone() }));
    let unready = || View { ready: false, ..view(1, Role::Follower, 1, 0) };
    let born = || (1, Fact::Born(unready()));
    breaks(name, vec![born(), ask(), (1, Fact::Seen(unready()))]);
    let told = |outcome: Outcome, then: View| {
        let reply = Output::Reply { id: 7, outcome };
        vec![born(), ask(), (1, Fact::Out(reply)), (1, Fact::Seen(then))]
    };
    let cleared = Cleared { first: 5, asked: 4, index: 7 };
    let gone = || Outcome::Refused(Refused::Cleared(cleared));
    let event = Arc::new(Model::new(3).apply(&set()).expect("nothing is in its way"));
    let content = Done::Watched { events: vec![event], at: Default::default() };
    let shown = || Outcome::Done(content.clone());
    breaks(name, told(shown(), unready()));
    breaks(name, told(gone(), unready()));
    let ready = || view(1, Role::Follower, 1, 0);
    for good in [
        told(shown(), ready()),
        told(gone(), ready()),
        told(Outcome::Refused(Refused::NoLeader), unready()),
    ] {
        assert_eq!(objection(good), None);
    }
}

/// An entry that carries request `id` of n2.
fn request_entry(index: u64, term: u64, id: u64) -> Entry {
    let origin = Origin { node: 2, boot: 1, seq: id };
    let stamp = Stamp { tick_ms: 100, ..Stamp::default() };
    let command = Command { origin, stamp, action: Do::Write(set()) };
    Entry { index, term, data: command.encode().into() }
}

#[test]
fn a_stamp_that_falls() {
    let timed = |index, cluster_ms, tick_ms| {
        let stamp = Stamp { cluster_ms, wall_ms: 0, tick_ms };
        let origin = Origin { node: 2, boot: 1, seq: index };
        let command = Command { origin, stamp, action: Do::Write(set()) };
        Entry { index, term: 1, data: command.encode().into() }
    };
    let stamped = |index, cluster_ms| timed(index, cluster_ms, 100);
    let falls = vec![(1, out(2, append(1, (0, 0), 0, vec![stamped(1, 9), stamped(2, 8)])))];
    breaks("stamps never fall", falls);
    let shows = (1, out(2, append(1, (0, 0), 0, vec![stamped(1, 9)])));
    let later = (1, out(2, append(1, (1, 1), 0, vec![stamped(2, 8)])));
    breaks("stamps never fall", vec![shows, later]);
    let other = (1, out(2, append(1, (0, 0), 0, vec![timed(1, 9, 50)])));
    breaks("stamps never fall", vec![other]);
}

#[test]
fn a_write_that_happens_twice() {
    let twice = vec![request_entry(1, 1, 7), request_entry(2, 1, 7)];
    let shows = (1, out(2, append(1, (0, 0), 0, twice)));
    let commits = (1, out(2, append(1, (2, 1), 2, vec![])));
    breaks("a write happens at most once", vec![shows, commits]);
}

#[test]
fn a_refused_write_that_happens() {
    let name = "a write happens at most once";
    let ask = || (2, Fact::In(Input::Client { id: 7, request: Request::Write(set()) }));
    let outcome = Outcome::Refused(Refused::NoLeader);
    let refused = || (2, Fact::Out(Output::Reply { id: 7, outcome: outcome.clone() }));
    let shows = || (1, out(2, append(1, (0, 0), 0, vec![request_entry(1, 1, 7)])));
    let commits = || (1, out(2, append(1, (1, 1), 1, vec![])));
    breaks(name, vec![ask(), shows(), refused(), commits()]);
    breaks(name, vec![ask(), shows(), commits(), refused()]);
    let never = vec![ask(), shows(), refused()];
    assert_eq!(objection(never), None, "appended is not committed");
}

#[test]
fn two_snapshots_of_one_index_that_differ() {
    let name = FileName::new;
    let written = |node: NodeId, draft: &str, bytes: &'static str| {
        let (file, bytes) = (name(draft), Bytes::from(bytes));
        let rename = DiskOp::Rename { from: file.clone(), to: name("snap-0000000000000008") };
        let ops = [
            DiskOp::Create { file: file.clone(), size: 0 },
            DiskOp::Write { file, offset: 0, bytes, sync: true },
            rename,
        ];
        let ops = (1..).zip(ops).map(move |(id, op)| (node, Fact::Out(Output::Disk { id, op })));
        let done = (node, Fact::In(Input::Disk { id: 3, result: Ok(()) }));
        ops.chain([done]).collect::<Vec<_>>()
    };
    let own = || written(1, "snapshot.own", "abc");
    let then = |bytes| own().into_iter().chain(written(2, "snapshot.received", bytes)).collect();
    breaks("snapshots are equal", then("abd"));
    assert_eq!(objection(then("abc")), None);
}

#[test]
fn more_that_waits_than_may() {
    let most = Config::new(1, 1, members()).max_pending_reads as u64;
    let asked = (0..=most).map(|id| (1, Fact::In(Input::Client { id, request: Request::Read })));
    let mut run: Vec<_> = asked.collect();
    run.push((1, follower(1, 1, 0)));
    breaks("all that waits has a bound", run);
    let remove = |id| DiskOp::Remove { file: FileName::new(&format!("f{id}")) };
    let begun = (0..9).map(|id| (1, Fact::Out(Output::Disk { id, op: remove(id) })));
    let mut run: Vec<_> = begun.collect();
    run.push((1, follower(1, 1, 0)));
    breaks("all that waits has a bound", run);
}

#[test]
fn a_watch_that_comes_as_its_node_halts_is_nobodys_fault() {
    let watch = Watch { path: Path::root(), recursive: true, from: 1, limit: 1 };
    let ask = || (1, Fact::In(Input::Client { id: 7, request: Request::Watch(watch.clone()) }));
    let unready = || View { ready: false, ..view(1, Role::Follower, 1, 0) };
    let error = quorate_engine::DiskError("input/output error".into());
    let halt = quorate_engine::Halt::Disk { file: FileName::new("wal-1"), error };
    let halted = vec![ask(), (1, Fact::Out(Output::Halt(halt))), (1, Fact::Seen(unready()))];
    assert_eq!(objection(halted), None);
    breaks("watches wait only on nodes that are ready", vec![ask(), (1, Fact::Seen(unready()))]);
}

#[test]
fn a_node_that_goes_on_after_its_disk_failed() {
    let error = quorate_engine::DiskError("input/output error".into());
    let failed = || (1, Fact::In(Input::Disk { id: 3, result: Err(error.clone()) }));
    breaks("a failing disk halts its node", vec![failed(), (1, follower(1, 1, 0))]);
    let halt = quorate_engine::Halt::Disk { file: FileName::new("wal-1"), error: error.clone() };
    let halts = vec![failed(), (1, Fact::Out(Output::Halt(halt))), (1, follower(1, 1, 0))];
    assert_eq!(objection(halts), None);
}

#[test]
fn a_leader_of_an_earlier_term_that_is_not_told() {
    let heard = || vec![(1, follower(1, 3, 0)), (1, arrives(2, append(2, (0, 0), 0, vec![])))];
    let and = |facts: Vec<Fact>| {
        let facts = facts.into_iter().map(|fact| (1, fact));
        heard().into_iter().chain(facts).collect::<Vec<_>>()
    };
    let later = || follower(1, 3, 0);
    breaks("a stale leader is told", and(vec![later()]));
    breaks("a stale leader is told", and(vec![out(3, append_ok(3, 0)), later()]));
    assert_eq!(objection(and(vec![out(2, append_ok(3, 0)), later()])), None);
    let op = DiskOp::Remove { file: FileName::new("wal-1") };
    let flies = Fact::Out(Output::Disk { id: 1, op });
    assert_eq!(objection(and(vec![flies, later()])), None, "the answer waits for the disk");
}

#[test]
fn two_rounds_of_reads_of_one_name() {
    let read = |name: &'static str| {
        let entries = vec![entry(0, 0, name)];
        RaftMessage { entries, ..RaftMessage::new(RaftKind::ReadIndex, 0) }
    };
    let beat = |name: &'static str| {
        let context = name.into();
        RaftMessage { context, ..RaftMessage::new(RaftKind::Heartbeat, 1) }
    };
    let name = "names are used once";
    breaks(name, vec![(1, out(3, read("a"))), (1, out(3, read("b"))), (2, out(3, read("a")))]);
    breaks(name, vec![(3, out(1, beat("a"))), (1, out(3, read("a")))]);
    let asked = vec![(1, out(3, read("a"))), (3, out(1, beat("a"))), (3, out(2, beat("a")))];
    assert_eq!(objection(asked), None);
}

#[test]
fn nodes_that_all_wait_alike() {
    let life = |ticks: usize| {
        let born = Fact::Born(view(1, Role::Follower, 1, 0));
        let waits = std::iter::repeat_with(tick).take(ticks);
        let stands = Fact::Seen(view(1, Role::PreCandidate, 1, 0));
        std::iter::once(born).chain(waits).chain([stands]).map(|fact| (1, fact))
    };
    let lives = |ticks: [usize; 8]| ticks.into_iter().flat_map(life).collect::<Vec<_>>();
    breaks("election timeouts are drawn", lives([12; 8]));
    assert_eq!(objection(lives([12, 12, 12, 12, 12, 12, 12, 13])), None);
    let mut heard = lives([12; 8]);
    heard.insert(5, (1, arrives(2, append(1, (0, 0), 0, vec![]))));
    assert_eq!(objection(heard), None, "the first began to wait anew");
}
