//! The engine alone, on one core, without a disk: `cargo bench -p quorate-engine`.
//!
//! `committed/BATCHxKEYS` is one member that is its whole cluster, with the
//! server's bounds and snapshots, driven as the server's loop drives it. One
//! round gives it BATCH writes, each of 16 bytes to one of KEYS keys, and the
//! completion of what the disk had been given before, all at once, then takes a
//! view in place of the last one. While a round's writes gather, those of the round before fly:
//! each round so commits and answers as many writes as it asks, in one log write.
//! The disk does nothing and is never late. The requests are made beforehand.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_engine::command::{Command, Do, Origin, Stamp};
use quorate_engine::tree::{Path, Tree};
use quorate_engine::{
    Attributes, Change, Config, Content, DiskId, DiskOp, Done, Engine, Image, Input, Member,
    Outcome, Output, Request, View, Write,
};

criterion_group!(benches, committed, tree, command, recovery);
criterion_main!(benches);

fn committed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("committed");
    for keys in [1_000, 100_000] {
        for batch in [1, 64, 256] {
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::from_parameter(format!("{batch}x{keys}")), |bench| {
                let mut solo = Solo::new(keys, Disk::Null);
                solo.fill();
                bench.iter(|| solo.round(batch));
                solo.finish();
            });
        }
    }
    group.finish();
}

fn tree(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree");
    group.throughput(Throughput::Elements(1));
    for keys in [1_000, 100_000] {
        let writes = writes(keys);
        let mut tree = Tree::new(3, 1_000);
        let mut next = writes.iter().cycle();
        group.bench_function(BenchmarkId::new("apply", keys), |bench| {
            bench.iter(|| tree.apply(next.next().expect("a cycle")));
        });
    }
    group.finish();
}

fn command(criterion: &mut Criterion) {
    let origin = Origin { node: 1, boot: 2, seq: 3 };
    let write = writes(1).remove(0);
    let command = Command { origin, stamp: Stamp::default(), action: Do::Write(write) };
    let bytes = bytes::Bytes::from(command.encode());
    let mut group = criterion.benchmark_group("command");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bench| bench.iter(|| black_box(&command).encode()));
    group.bench_function("decode", |bench| bench.iter(|| Command::decode(bytes.clone())));
    group.finish();
}

/// Birth from a directory of 200,000 keys, each written once: a snapshot and the
/// tail of the log behind it.
fn recovery(criterion: &mut Criterion) {
    const KEYS: usize = 200_000;
    let mut solo = Solo::new(KEYS, Disk::Memory(Image::new()));
    solo.fill();
    solo.finish();
    let Disk::Memory(image) = solo.disk else { unreachable!("it was given one") };
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function(BenchmarkId::from_parameter(KEYS), |bench| {
        bench.iter(|| Engine::recover(config(), image.clone()).expect("it was written whole"));
    });
    group.finish();
}

/// A cluster of one, its disk, and its clients.
struct Solo {
    engine: Engine,
    disk: Disk,
    /// Given to the disk and not yet completed.
    given: Vec<(DiskId, DiskOp)>,
    requests: Vec<Request>,
    asked: u64,
    answered: u64,
    view: View,
    inputs: Vec<Input>,
    out: Vec<Output>,
}

impl Solo {
    fn new(keys: usize, disk: Disk) -> Self {
        let (engine, out) = Engine::recover(config(), Image::new()).expect("an empty directory");
        let requests = writes(keys).into_iter().map(Request::Write).collect();
        let view = engine.view();
        let (given, inputs) = (Vec::new(), Vec::new());
        let (asked, answered) = (0, 0);
        let mut solo = Self { engine, disk, given, requests, asked, answered, view, inputs, out };
        solo.carry_out();
        while solo.engine.view().leader.is_none() || !solo.given.is_empty() {
            solo.inputs.push(Input::Tick { wall_ms: 1 });
            solo.complete();
        }
        solo
    }

    /// Writes every key once.
    fn fill(&mut self) {
        for _ in 0..self.requests.len().div_ceil(250) {
            self.round(250);
        }
    }

    fn round(&mut self, batch: usize) {
        for _ in 0..batch {
            // Seven shares no factor with the number of keys: all have their turn.
            let at = (self.asked as usize * 7) % self.requests.len();
            self.asked += 1;
            let request = self.requests[at].clone();
            self.inputs.push(Input::Client { id: self.asked, request });
        }
        self.complete();
        self.view = self.engine.view();
    }

    /// Completes what was given to the disk before now, and steps.
    fn complete(&mut self) {
        for (id, op) in self.given.drain(..) {
            self.disk.perform(op);
            self.inputs.push(Input::Disk { id, result: Ok(()) });
        }
        self.engine.step_all(self.inputs.drain(..), &mut self.out);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for output in self.out.drain(..) {
            match output {
                Output::Disk { id, op } => self.given.push((id, op)),
                Output::Reply { outcome: Outcome::Done(Done::Written { .. }), .. } => {
                    self.answered += 1;
                }
                unexpected => panic!("a cluster of one says {unexpected}"),
            }
        }
    }

    /// Lets the last writes land; every one must have been answered.
    fn finish(&mut self) {
        while !self.given.is_empty() {
            self.complete();
        }
        assert_eq!(self.answered, self.asked);
    }
}

/// A disk that is never late.
enum Disk {
    /// Keeps nothing.
    Null,
    /// Keeps everything.
    Memory(Image),
}

impl Disk {
    fn perform(&mut self, op: DiskOp) {
        let Self::Memory(files) = self else { return };
        match op {
            DiskOp::Create { file, size } => {
                files.insert(file, vec![0; size as usize].into());
            }
            DiskOp::Write { file, offset, bytes, .. } => {
                let (from, whole) = (offset as usize, files.remove(&file).expect("a file"));
                let mut whole = Vec::from(whole);
                whole.resize(whole.len().max(from + bytes.len()), 0);
                whole[from..from + bytes.len()].copy_from_slice(&bytes);
                files.insert(file, whole.into());
            }
            DiskOp::Rename { from, to } => {
                let whole = files.remove(&from).expect("a file");
                files.insert(to, whole);
            }
            DiskOp::Remove { file } => drop(files.remove(&file)),
            DiskOp::Truncate { .. } => unreachable!("nothing is ever torn here"),
        }
    }
}

fn config() -> Config {
    let urls = vec!["http://127.0.0.1:2380".to_owned()];
    let member = Member { id: 1, peer_urls: urls, attributes: Attributes::default() };
    Config::new(1, 1, vec![member])
}

fn writes(keys: usize) -> Vec<Write> {
    let value: Arc<str> = "sixteen bytes ok".into();
    let write = |at| Write {
        path: Path::new(&format!("/bench/{at:06}")).expect("a clean path"),
        change: Change::Set { content: Content::File(value.clone()), ttl: None },
    };
    (0..keys).map(write).collect()
}
