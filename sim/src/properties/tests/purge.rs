//! What is removed was not needed any more.

use super::*;

const NAME: &str = "nothing is purged too early";

fn asks(id: u64, op: DiskOp) -> (NodeId, Fact) {
    (2, Fact::Out(Output::Disk { id, op }))
}

/// Operation 1, which is done at once.
fn does(op: DiskOp) -> [(NodeId, Fact); 2] {
    [asks(1, op), written(1)]
}

fn wal(segment: u64) -> FileName {
    FileName::new(&format!("wal-{segment:016x}"))
}

fn snap(index: u64) -> FileName {
    FileName::new(&format!("snap-{index:016x}"))
}

fn remove(file: FileName) -> DiskOp {
    DiskOp::Remove { file }
}

fn rename(draft: &str, index: u64) -> DiskOp {
    DiskOp::Rename { from: FileName::new(draft), to: snap(index) }
}

fn own(index: u64) -> [(NodeId, Fact); 2] {
    does(rename("snapshot.own", index))
}

fn received(index: u64) -> [(NodeId, Fact); 2] {
    does(rename("snapshot.received", index))
}

/// A batch in a segment: its number, how far it says that the log is committed, items.
fn batch(segment: u64, number: u64, commit: u64, items: &[u8]) -> DiskOp {
    let mut payload = Vec::new();
    [1, 1, commit].into_iter().for_each(|number| payload.u64(number));
    payload.extend(items);
    let mut bytes = b"QBAT".to_vec();
    bytes.bytes(&payload);
    bytes.splice(8..8, number.to_le_bytes().into_iter().chain([0; 8]));
    DiskOp::Write { file: wal(segment), offset: 0, bytes: bytes.into(), sync: true }
}

fn entries(indexes: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    let mut items = Vec::new();
    for index in indexes {
        items.u8(1);
        entry(index, 1, "").encode(&mut items);
    }
    items
}

/// A snapshot took the log's place.
fn installs(index: u64) -> Vec<u8> {
    let mut items = Vec::new();
    items.u8(2);
    [index, 1].into_iter().for_each(|number| items.u64(number));
    items
}

fn born(applied: u64) -> (NodeId, Fact) {
    (2, Fact::Born(view(2, Role::Follower, u64::from(applied > 0), applied)))
}

/// The others have committed twenty entries.
fn commits() -> [(NodeId, Fact); 4] {
    let acks = (3, out(1, append_ok(1, 20)));
    [(3, vote(1, 1)), (1, leader(1, 1, 0)), acks, (1, leader(1, 1, 20))]
}

/// Ten entries, five to a segment, all of them applied, and then this.
fn run(then: impl IntoIterator<Item = (NodeId, Fact)>) -> Vec<(NodeId, Fact)> {
    let log = [batch(1, 1, 0, &entries(1..=5)), batch(2, 2, 5, &entries(6..=10))];
    let begins = commits().into_iter().chain([born(0)]).chain(log.into_iter().flat_map(does));
    begins.chain([(2, follower(2, 1, 10))]).chain(then).collect()
}

#[test]
fn a_segment_removed_too_early() {
    let last = || [asks(2, remove(wal(1)))];
    let after = |before: Vec<(NodeId, Fact)>| run(before.into_iter().chain(last()));
    breaks(NAME, after(vec![]));
    breaks(NAME, after(own(4).into()));
    assert_eq!(objection(after(own(5).into())), None);
    let renames = || asks(1, rename("snapshot.own", 5));
    breaks(NAME, after(vec![renames()]));
    breaks(NAME, run(own(10).into_iter().chain([asks(2, remove(wal(2)))])));
    let died = after(vec![renames(), (2, Fact::Died), born(10)]);
    assert_eq!(objection(died), None, "it may have got its name");
    breaks(NAME, after(vec![renames(), (2, Fact::Died), born(4)]));
    breaks(NAME, after(received(20).into()));
}

#[test]
fn a_segment_whose_entries_were_replaced() {
    let removes = || asks(2, remove(wal(2)));
    let cuts = || batch(3, 3, 5, &entries(6..=6));
    let after = |before: Vec<(NodeId, Fact)>| run(before.into_iter().chain([removes()]));
    assert_eq!(objection(after(does(cuts()).into())), None);
    breaks(NAME, after(vec![asks(1, cuts())]));
    let died = || vec![asks(1, cuts()), (2, Fact::Died), born(5)];
    assert_eq!(objection(after(died())), None, "it may be there");
    let torn = died().into_iter().chain([asks(3, batch(2, 3, 10, &entries(11..=11)))]).collect();
    breaks(NAME, after(torn));
    let there = died().into_iter().chain([asks(3, batch(3, 4, 5, &entries(7..=7)))]).collect();
    assert_eq!(objection(after(there)), None, "the next one is behind it");
}

#[test]
fn a_segment_that_was_never_born() {
    let newborn = || asks(1, batch(3, 3, 10, &entries(11..=11)));
    let removes = || asks(2, remove(wal(3)));
    let torn = run([newborn(), (2, Fact::Died), born(10), removes()]);
    assert_eq!(objection(torn), None);
    let rots = [newborn(), written(1), (2, Fact::Died), (2, Fact::Forgot(11)), born(10)];
    assert_eq!(objection(run(rots.into_iter().chain([removes()]))), None);
    breaks(NAME, run([newborn(), written(1), (2, Fact::Died), born(10), removes()]));
}

#[test]
fn a_snapshot_removed_too_early() {
    let purged = || run(own(5).into_iter().chain(does(remove(wal(1)))));
    let removes = || asks(2, remove(snap(5)));
    let after = |before: Vec<(NodeId, Fact)>| {
        purged().into_iter().chain(before).chain([removes()]).collect::<Vec<_>>()
    };
    breaks(NAME, after(vec![]));
    breaks(NAME, after(vec![asks(1, rename("snapshot.own", 8))]));
    assert_eq!(objection(after(own(8).into())), None);
    // Before the log knows of it, a restart would not believe it.
    breaks(NAME, after(received(20).into()));
    let install = || batch(2, 3, 10, &installs(20));
    let installing = |then: (NodeId, Fact)| {
        after(received(20).into_iter().chain([asks(1, install()), then]).collect())
    };
    breaks(NAME, installing((2, follower(2, 1, 10))));
    assert_eq!(objection(installing(written(1))), None);
    let overtaken = || received(8).into_iter().chain([asks(2, remove(snap(8)))]);
    assert_eq!(objection(purged().into_iter().chain(overtaken()).collect()), None);
    let both = own(8).into_iter().chain([asks(3, remove(snap(8)))]);
    breaks(NAME, purged().into_iter().chain(both).collect());
}

#[test]
fn what_is_ahead_of_what_it_rests_on() {
    breaks(NAME, run([asks(1, rename("snapshot.own", 11))]));
    assert_eq!(objection(run(received(11))), None);
    breaks(NAME, run([(2, follower(2, 1, 11))]));
    breaks(NAME, run([asks(1, batch(2, 3, 11, &[]))]));
    assert_eq!(objection(run([asks(1, batch(2, 3, 11, &entries(11..=11)))])), None);
    let younger = vec![(2, follower(2, 1, 0)), asks(1, remove(wal(1)))];
    assert_eq!(objection(younger), None, "what it wrote before was not seen");
}
