//! Three real processes, killed under load: no acknowledged write is missing,
//! the history is linearizable, and writes resume in time.

mod applied;
#[path = "../common/mod.rs"]
mod common;
mod load;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Content, NodeId, Write};
use quorate_sim::check;
use quorate_sim::check::durable::{self, Final};
use quorate_sim::history::{Answer, Op};
use quorate_sim::real::{Caller, Record};

use common::{Cluster, PATIENCE};
use load::Load;

const MEMBERS: usize = 3;

/// How soon writes must resume once a leader has been killed, with the default
/// heartbeat interval and election timeout.
const RESUMED_WITHIN: Duration = Duration::from_secs(3);

/// How long the clients have the cluster to themselves between two blows.
const CALM: Duration = Duration::from_millis(300);

/// How long a member is stopped: no leader is deposed for it.
const PAUSE: Duration = Duration::from_millis(100);

/// Leaders killed at most. Whoever leads next is a matter of chance: beyond it,
/// members are killed that have not led.
const MOST_LEADERS: usize = 7;

/// Low, so that kills meet snapshots being written.
const SNAPSHOT_COUNT: &str = "100";

/// Clients have lower numbers.
const JUDGE: u64 = 1000;

#[test]
fn kill_9_of_every_leader_under_load_loses_nothing() {
    let mut cluster = Cluster::new(MEMBERS);
    for member in &mut cluster.members {
        member.flag("--snapshot-count", SNAPSHOT_COUNT);
    }
    cluster.start_all();
    // The store index at birth is twice the members and one.
    let record = Arc::new(Record::new(MEMBERS as u64, 2 * MEMBERS as u64 + 1));
    let load = Load::start(&record, &cluster, u64::from(std::process::id()));
    sleep(CALM);
    let gaps = kill_every_member(&mut cluster, &record);
    kill_all_at_once(&mut cluster, &record);
    sleep(CALM);
    load.stop();
    let last = final_states(&cluster, &record);
    write_commit_index_down(&cluster, &record);
    for member in &mut cluster.members {
        assert!(member.terminate().success(), "{} does not stop in good order", member.name);
    }
    assert_eq!(record.lock().failure, None);
    judge(&cluster, &record, &last);
    tell(&record, &gaps);
}

/// Kills leaders until every member has died; measures how long each time until
/// a survivor acknowledges a write.
fn kill_every_member(cluster: &mut Cluster, record: &Record) -> Vec<Duration> {
    let mut to_die: BTreeSet<usize> = (0..MEMBERS).collect();
    let mut gaps = Vec::new();
    while let Some(&next) = to_die.first() {
        let leader = leader(cluster);
        let victim = if gaps.len() < MOST_LEADERS { leader } else { next };
        to_die.remove(&victim);
        let killed_at = record.now();
        cluster.members[victim].kill();
        gaps.push(wait_until_resumed(record, killed_at, victim));
        sleep(CALM);
        restart(cluster, record, victim);
        cluster.members[victim].wait_until_healthy();
        pause_each(cluster);
    }
    gaps
}

/// Stops each member for a moment. What it is asked meanwhile it answers late,
/// and a linearizable read not from what it had before.
fn pause_each(cluster: &Cluster) {
    for member in &cluster.members {
        member.signal("STOP");
        sleep(PAUSE);
        member.signal("CONT");
        sleep(PAUSE / 2);
    }
}

/// Only writes called once the victim is dead count.
fn wait_until_resumed(record: &Record, killed_at: u64, victim: usize) -> Duration {
    let dead_at = record.now();
    let begin = Instant::now();
    while begin.elapsed() < common::PATIENCE {
        if let Some(resumed_at) = load::resumed(record, dead_at, node_id(victim)) {
            let gap = Duration::from_nanos(resumed_at - killed_at);
            assert!(gap <= RESUMED_WITHIN, "writes resumed after {gap:?}");
            return gap;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("writes do not resume");
}

fn kill_all_at_once(cluster: &mut Cluster, record: &Record) {
    cluster.members.iter_mut().for_each(common::Member::kill);
    (0..MEMBERS).for_each(|member| restart(cluster, record, member));
    cluster.members.iter().for_each(common::Member::wait_until_healthy);
}

fn restart(cluster: &mut Cluster, record: &Record, member: usize) {
    record.begin_life(node_id(member));
    cluster.members[member].start();
}

/// The member that leads.
fn leader(cluster: &Cluster) -> usize {
    let begin = Instant::now();
    while begin.elapsed() < common::PATIENCE {
        let leads = |member: &common::Member| {
            let answer = member.client().get("/v2/stats/leader");
            answer.is_ok_and(|answer| answer.status == 200)
        };
        if let Some(leader) = cluster.members.iter().position(leads) {
            return leader;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("nobody leads");
}

/// The whole tree, as each member shows it.
fn final_states(cluster: &Cluster, record: &Arc<Record>) -> Vec<Final> {
    let read = Op::Read { read: Read { path: Path::root(), recursive: true }, local: false };
    let mut judge = Caller::new(record, JUDGE, &cluster.addresses());
    let states = (0..MEMBERS).map(|member| match judge.ask(node_id(member), &read, PATIENCE) {
        Answer::Read { found: Ok(root), at } => {
            Final { store_index: at.store_index, clock: at.clock, root }
        }
        answer => panic!("n{} is not healthy: {answer:?}", member + 1),
    });
    states.collect()
}

/// A commit alone causes no write. A write that the tree refuses is an entry
/// without an event: with it, everything before it is known to be committed.
fn write_commit_index_down(cluster: &Cluster, record: &Arc<Record>) {
    let refused =
        Write { path: Path::root(), change: Change::Create { content: Content::Dir, ttl: None } };
    let mut judge = Caller::new(record, JUDGE, &cluster.addresses());
    for member in 0..MEMBERS {
        let answer = judge.ask(node_id(member), &Op::Write(refused.clone()), PATIENCE);
        assert!(matches!(answer, Answer::Fault { .. }), "{answer:?}");
    }
}

fn judge(cluster: &Cluster, record: &Record, last: &[Final]) {
    let hint = applied::hint(cluster).unwrap_or_else(|fork| panic!("{fork}"));
    for (member, last) in cluster.members.iter().zip(last) {
        let view = applied::member(cluster, member);
        assert_eq!(view.tree.store_index(), last.store_index, "{}", member.name);
        let kept = durable::check_final(&record.lock().history, &hint, last);
        kept.unwrap_or_else(|violation| panic!("{}: {violation}", member.name));
    }
    let checked = check::check(&record.lock().history, &hint);
    checked.unwrap_or_else(|violation| panic!("{}: {violation}", violation.oracle()));
}

/// What the run was worth.
fn tell(record: &Record, gaps: &[Duration]) {
    let told = record.lock();
    let operations = told.history.operations();
    let written = operations.iter().filter(|op| op.event().is_some()).count();
    let answered = operations.iter().filter(|op| op.answer.store_index().is_some()).count();
    let unknown = operations.iter().filter(|op| op.is_unknown_write()).count();
    println!(
        "{} operations: {answered} answered by the tree, {written} of them writes, {unknown} \
         writes of unknown outcome; writes resumed after {gaps:.2?}",
        operations.len()
    );
    assert!(written > 200, "that was no load");
}

fn node_id(member: usize) -> NodeId {
    member as NodeId + 1
}
