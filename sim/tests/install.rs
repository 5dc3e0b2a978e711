//! Snapshots being installed and written at once, on disks whose operations
//! overtake each other.

use quorate_engine::tree::Path;
use quorate_engine::{Change, Content, DiskOp, NodeId, Request, Write};
use quorate_sim::disk::{Keep, Lose};
use quorate_sim::tabletop::Tabletop;

fn put(table: &mut Tabletop, node: NodeId, key: &str) {
    let path = Path::new(key).expect("clean");
    let change = Change::Set { content: Content::File("x".repeat(40).into()), ttl: None };
    table.client(node, Request::Write(Write { path, change })).expect("possible");
}

/// Lets everything happen, and of one node's disk what is allowed to.
fn pump(table: &mut Tabletop, node: NodeId, allowed: impl Fn(&DiskOp) -> bool) {
    for _ in 0..10_000 {
        table.settle().expect("sound");
        let disk = table.disk_of(node).expect("there");
        let next = disk.pending().find(|(id, op)| allowed(op) && disk.may_finish(*id));
        let Some((id, _)) = next else { return };
        table.disk_named(node, id).expect("sound");
    }
    panic!("it never comes to rest");
}

fn is_own_rename(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Rename { from, .. } if from.as_str() == "snapshot.own")
}

#[test]
fn an_own_snapshot_that_lands_during_an_install_removes_nothing_still_needed() {
    let mut table = Tabletop::new(3, |config| {
        config.snapshot_entries = 3;
        config.catch_up_entries = 1;
        config.segment_bytes = 100;
        config.chunk_bytes = 1 << 20;
    })
    .expect("sound");
    table.elect(1).expect("sound");
    table.stall(3, true).expect("sound");
    for key in 0..6 {
        put(&mut table, 1, &format!("/k{key}"));
        pump(&mut table, 3, |op| !is_own_rename(op));
        table.tick(1).expect("sound");
        table.tick(3).expect("sound");
        pump(&mut table, 3, |op| !is_own_rename(op));
    }
    for other in [1, 2] {
        table.cut(3, other);
        table.cut(other, 3);
    }
    for key in 0..9 {
        put(&mut table, 1, &format!("/m{key}"));
        table.settle().expect("sound");
        table.tick(1).expect("sound");
    }
    table.heal();
    for _ in 0..3 {
        table.tick(1).expect("sound");
        pump(&mut table, 3, |op| op.file().as_str() == "snapshot.received");
    }
    let pending = |table: &mut Tabletop, wanted: fn(&DiskOp) -> bool| {
        table.disk_of(3).expect("there").pending().any(|(_, op)| wanted(op))
    };
    assert!(pending(&mut table, is_own_rename), "its own snapshot is about to land");
    assert!(pending(&mut table, |op| matches!(op, DiskOp::Create { .. } | DiskOp::Write { .. })));
    assert!(table.view(3).expect("up").applied < 10, "and the leader's is not installed yet");
    pump(&mut table, 3, |op| matches!(op, DiskOp::Rename { .. } | DiskOp::Remove { .. }));
    table.crash(3, &mut Lose).expect("sound");
    table.restart(3).expect("sound");
    assert!(table.is_up(3), "it has removed what it still needed");
}

#[test]
fn a_member_of_an_idle_cluster_is_ready_again_after_a_restart() {
    let mut table = Tabletop::new(3, |_| {}).expect("sound");
    table.elect(1).expect("sound");
    put(&mut table, 1, "/a");
    table.settle().expect("sound");
    table.tick(1).expect("sound");
    table.settle().expect("sound");
    table.kill(3, &mut Keep).expect("sound");
    table.restart(3).expect("sound");
    assert!(!table.view(3).expect("up").ready, "it has heard from nobody yet");
    table.tick(1).expect("sound");
    table.settle().expect("sound");
    assert!(table.view(3).expect("up").ready);
}
