//! Two clients, and what each of them asks for.

use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Condition, Content, NodeId, Write};

use crate::history::Op;

/// What is there before, and what two clients do to it on three nodes, of which the
/// first leads.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What has been written before, and is known to all nodes.
    pub before: Vec<Op>,
    /// By client: what it asks for, one after the other, and whom.
    pub clients: [Vec<(NodeId, Op)>; 2],
    /// Entries between the beginnings of two snapshots.
    pub snapshot_entries: u64,
}

/// No snapshot is taken.
const NEVER: u64 = 1_000;

impl Scene {
    /// All of them.
    pub fn all() -> Vec<Self> {
        vec![
            scene("a write and two reads")
                .clients([(1, set("/a", "one"))], [(2, get("/a")), (2, get("/a"))]),
            scene("two creates of one key")
                .clients([(1, create("/a", "one"))], [(2, create("/a", "two"))]),
            scene("two swaps on one index")
                .before([set("/a", "before")])
                .clients([(1, swap("/a", "one", 8)), (1, get("/a"))], [(3, swap("/a", "two", 8))]),
            scene("a directory deleted while a key is set in it")
                .before([set("/d/a", "before"), set("/d/b", "before")])
                .clients([(2, delete("/d"))], [(1, set("/d/a", "two")), (3, list("/"))]),
            scene("two keys created in order")
                .clients([(2, post("/q", "one"))], [(3, post("/q", "two"))]),
            scene("two writes and a listing of both")
                .clients([(1, set("/d/a", "one")), (1, set("/d/b", "one"))], [(3, list("/"))]),
            scene("a write and what its node shows at once")
                .clients([(2, set("/a", "one"))], [(3, local("/a")), (3, local("/a"))]),
            scene("a write on a follower and one on the leader")
                .clients([(2, set("/a", "one"))], [(1, set("/a", "two"))]),
            scene("a write while snapshots are taken")
                .snapshots(1)
                .before([set("/a", "before")])
                .clients([(1, set("/a", "one"))], [(2, get("/a"))]),
        ]
    }

    fn before<const N: usize>(self, before: [Op; N]) -> Self {
        Self { before: before.into(), ..self }
    }

    fn clients<const N: usize, const M: usize>(
        self,
        one: [(NodeId, Op); N],
        two: [(NodeId, Op); M],
    ) -> Self {
        Self { clients: [one.into(), two.into()], ..self }
    }

    fn snapshots(self, snapshot_entries: u64) -> Self {
        Self { snapshot_entries, ..self }
    }
}

fn scene(name: &'static str) -> Scene {
    Scene { name, before: vec![], clients: Default::default(), snapshot_entries: NEVER }
}

fn path(text: &str) -> Path {
    Path::new(text).expect("the keys in play are clean paths")
}

fn write(at: &str, change: Change) -> Op {
    Op::Write(Write { path: path(at), change })
}

pub(super) fn set(at: &str, value: &str) -> Op {
    write(at, Change::Set { content: Content::File(value.into()), ttl: None })
}

fn create(at: &str, value: &str) -> Op {
    write(at, Change::Create { content: Content::File(value.into()), ttl: None })
}

fn post(at: &str, value: &str) -> Op {
    write(at, Change::CreateInOrder { content: Content::File(value.into()), ttl: None })
}

fn swap(at: &str, value: &str, index: u64) -> Op {
    let condition = Condition { value: None, index: Some(index) };
    write(at, Change::CompareAndSwap { value: value.into(), condition, ttl: None })
}

fn delete(at: &str) -> Op {
    write(at, Change::Delete { dir: true, recursive: true })
}

fn get(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: false }, local: false }
}

pub(super) fn list(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: true }, local: false }
}

fn local(at: &str) -> Op {
    Op::Read { read: Read { path: path(at), recursive: false }, local: true }
}
