//! (n-1)/2, exactly: for clusters of one to seven, whichever of the nodes lose their
//! power, the others serve if they are a majority and acknowledge nothing if not; and
//! whoever comes back, nothing that was acknowledged is gone.

use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Content, Done, NodeId, Outcome, Request, RequestId, Write};
use quorate_sim::disk::Lose;
use quorate_sim::tabletop::Tabletop;

const LARGEST: u64 = 7;

/// Ticks within which a majority must serve: 20 election timeouts.
const BOUND: usize = 200;

/// Ticks for which the others are tried.
const TRIED: usize = 30;

/// Each with an element for every node: whether it fails.
fn subsets(size: u64) -> impl Iterator<Item = Vec<NodeId>> {
    (0u64..1 << size).map(move |mask| (1..=size).filter(|id| mask >> (id - 1) & 1 == 1).collect())
}

struct Case {
    table: Tabletop,
    failed: Vec<NodeId>,
    size: u64,
    /// What was acknowledged.
    kept: Vec<String>,
}

impl Case {
    fn new(size: u64, failed: Vec<NodeId>) -> Self {
        let mut table = Tabletop::new(size, |config| config.seed = size).expect("sound");
        table.elect(1).expect("nothing is wrong yet");
        let mut case = Self { table, failed, size, kept: Vec::new() };
        let first = case.write("before", 1);
        case.table.settle().expect("sound");
        assert!(case.is_done(first));
        case.kept.push("before".into());
        for id in case.failed.clone() {
            case.table.crash(id, &mut Lose).expect("it is up");
        }
        case
    }

    fn up(&self) -> Vec<NodeId> {
        self.table.ids().filter(|id| self.table.is_up(*id)).collect()
    }

    fn is_majority(&self) -> bool {
        self.up().len() as u64 > self.size / 2
    }

    fn write(&mut self, key: &str, id: NodeId) -> RequestId {
        let path = Path::new(&format!("/{key}")).expect("clean");
        let content = Content::File(key.into());
        let write = Write { path, change: Change::Set { content, ttl: None } };
        self.table.client(id, Request::Write(write)).expect("it is up")
    }

    fn is_done(&self, request: RequestId) -> bool {
        let reply = self.table.reply(request);
        matches!(reply, Some(Outcome::Done(Done::Written { .. } | Done::Readable { .. })))
    }

    /// Asks each node that is up for a write and a read, again and again; who was
    /// answered.
    fn ask_all(&mut self, label: &str) -> Vec<NodeId> {
        let mut answered = Vec::new();
        for round in 0..if self.is_majority() { BOUND } else { TRIED } {
            for id in self.up() {
                let key = format!("{label}-{id}-{round}");
                let (write, read) = (self.write(&key, id), self.read(id));
                self.table.pass().expect("sound");
                if self.is_done(write) {
                    self.kept.push(key);
                }
                if self.is_done(write) && self.is_done(read) && !answered.contains(&id) {
                    answered.push(id);
                }
                assert!(
                    self.is_majority() || !self.is_done(write) && !self.is_done(read),
                    "{} of {} acknowledge at n{id} without {:?}",
                    self.up().len(),
                    self.size,
                    self.failed
                );
            }
            if answered.len() == self.up().len() {
                break;
            }
        }
        answered
    }

    fn read(&mut self, id: NodeId) -> RequestId {
        self.table.client(id, Request::Read).expect("it is up")
    }

    /// All that was acknowledged is there, on every node that is up.
    fn holds_all(&mut self) {
        for id in self.up() {
            let view = self.table.view(id).expect("it is up");
            for key in &self.kept {
                let path = Path::new(&format!("/{key}")).expect("clean");
                let found = view.read(&Read { path, recursive: false });
                assert!(found.is_ok(), "{key} is gone from n{id} without {:?}", self.failed);
            }
        }
    }

    fn judge(mut self) {
        let answered = self.ask_all("failed");
        if self.is_majority() {
            assert_eq!(answered.len(), self.up().len(), "{:?} of {}", self.failed, self.size);
            self.holds_all();
        }
        for id in self.failed.clone() {
            self.table.restart(id).expect("it is down");
            assert!(self.table.is_up(id), "n{id} does not start again");
            if self.is_majority() {
                let label = format!("with-{id}");
                assert_eq!(self.ask_all(&label).len(), self.up().len(), "{:?}", self.failed);
            }
        }
        self.holds_all();
    }
}

#[test]
fn every_subset_of_one_to_seven() {
    let (mut serving, mut silent) = (0, 0);
    for size in 1..=LARGEST {
        for failed in subsets(size) {
            let case = Case::new(size, failed);
            if case.is_majority() {
                serving += 1
            } else {
                silent += 1
            }
            case.judge();
        }
    }
    // The sums over n of the subsets of at most (n-1)/2, and of the others.
    assert_eq!((serving, silent), (113, 141));
}
