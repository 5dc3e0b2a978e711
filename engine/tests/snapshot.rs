//! What a large snapshot asks of the disk and leaves behind.

use quorate_engine::tree::Path;
use quorate_engine::{
    Change, Config, Content, DiskOp, Engine, Image, Input, Member, Output, Request, Write,
};

const ENTRIES: u64 = 200;
const VALUE_BYTES: usize = 100 << 10;
const DRAFT: &str = "snapshot.own";
const CHUNK_BYTES: usize = 256 << 10;

/// A member that is its whole cluster, on a disk that does at once what it is told.
struct Solo {
    engine: Engine,
    asked: Vec<DiskOp>,
    writes: u64,
}

impl Solo {
    fn new() -> Self {
        let member = Member { id: 1, peer_urls: Vec::new(), attributes: Default::default() };
        let mut config = Config::new(1, 7, vec![member]);
        (config.snapshot_entries, config.catch_up_entries) = (ENTRIES, 10);
        config.chunk_bytes = CHUNK_BYTES;
        let (engine, born) = Engine::recover(config, Image::new()).expect("empty is sound");
        let mut solo = Self { engine, asked: Vec::new(), writes: 0 };
        solo.settle(born);
        solo.step(Input::Tick { wall_ms: 0 });
        solo
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.step(input, &mut out);
        self.settle(out);
    }

    fn settle(&mut self, mut out: Vec<Output>) {
        while !out.is_empty() {
            for output in std::mem::take(&mut out) {
                if let Output::Disk { id, op } = output {
                    self.asked.push(op);
                    self.engine.step(Input::Disk { id, result: Ok(()) }, &mut out);
                }
            }
        }
    }

    fn write(&mut self, times: u64) {
        for _ in 0..times {
            self.writes += 1;
            let path = Path::new(&format!("/{}", self.writes % ENTRIES)).expect("clean");
            let content = Content::File("x".repeat(VALUE_BYTES).into());
            let write = Write { path, change: Change::Set { content, ttl: None } };
            self.step(Input::Client { id: self.writes, request: Request::Write(write) });
        }
    }

    /// (bytes, whether they were synced) of every write to a draft of a snapshot.
    fn drafted(&self) -> Vec<(usize, bool)> {
        let drafted = |op: &DiskOp| match op {
            DiskOp::Write { file, bytes, sync, .. } if file.as_str() == DRAFT => {
                Some((bytes.len(), *sync))
            }
            _ => None,
        };
        self.asked.iter().filter_map(drafted).collect()
    }
}

#[test]
fn a_snapshot_never_has_more_than_a_few_mib_to_sync() {
    let mut solo = Solo::new();
    solo.write(2 * ENTRIES);
    let drafted = solo.drafted();
    assert!(drafted.iter().map(|(bytes, _)| bytes).sum::<usize>() > 15 << 20);
    let mut unsynced = 0;
    for (bytes, sync) in drafted {
        unsynced += bytes;
        assert!(unsynced < (4 << 20) + 2 * CHUNK_BYTES, "{unsynced}");
        if sync {
            unsynced = 0;
        }
    }
}

#[test]
fn what_a_snapshot_replaced_is_handed_out_once() {
    let mut solo = Solo::new();
    assert!(solo.engine.discarded().is_none());
    let named = |op: &&DiskOp| matches!(op, DiskOp::Rename { from, .. } if from.as_str() == DRAFT);
    let durable = |solo: &Solo| solo.asked.iter().filter(named).count();
    for snapshots in 1..=3 {
        while durable(&solo) < snapshots {
            solo.write(1);
        }
        assert!(solo.engine.discarded().is_some(), "{snapshots}");
        assert!(solo.engine.discarded().is_none(), "{snapshots}");
    }
}
