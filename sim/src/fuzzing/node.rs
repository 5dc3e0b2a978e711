//! One engine and its disk, without a cluster around them.

use std::collections::BTreeSet;

use quorate_engine::tree::Path;
use quorate_engine::{
    Attributes, Change, Config, Content, DiskId, Done, Engine, Image, Input, Member, Message,
    NodeId, Outcome, Output, RecoverError, Request, RequestId, Role, View, Write,
};

use crate::disk::{Disk, Mercy};

/// Disk operations after which a node without new inputs should long be quiet.
const MAX_SETTLE: usize = 10_000;

/// A node whose every next input is somebody's choice.
#[derive(Debug)]
pub(super) struct Node {
    config: Config,
    /// None after a halt.
    engine: Option<Engine>,
    pub disk: Disk,
    /// What peers have not answered yet.
    pub sent: Vec<(NodeId, Message)>,
    waiting: BTreeSet<RequestId>,
    written: usize,
    asked: RequestId,
    ticks: u64,
}

impl Node {
    /// Born from this image; the first outputs are on their way to the disk.
    pub fn recover(config: Config, image: Image) -> Result<Self, RecoverError> {
        let (engine, outputs) = Engine::recover(config.clone(), image.clone())?;
        let mut node = Self {
            config,
            engine: Some(engine),
            disk: Disk::new(image),
            sent: Vec::new(),
            waiting: BTreeSet::new(),
            written: 0,
            asked: 0,
            ticks: 0,
        };
        node.perform(outputs);
        Ok(node)
    }

    /// The next life, after the end of this one took from the disk what it did.
    pub fn reborn(mut self, end: impl FnOnce(&mut Disk)) -> Result<Self, RecoverError> {
        end(&mut self.disk);
        self.config.boot += 1;
        Self::recover(self.config, self.disk.image())
    }

    /// One input, unless the engine has halted.
    ///
    /// # Panics
    /// When the engine does, or answers what was not asked.
    pub fn step(&mut self, input: Input) {
        let Some(engine) = &mut self.engine else { return };
        let mut outputs = Vec::new();
        engine.step(input, &mut outputs);
        self.perform(outputs);
    }

    pub fn tick(&mut self) {
        self.ticks += 1;
        self.step(Input::Tick { wall_ms: self.ticks });
    }

    pub fn peer(&mut self, from: NodeId, message: Message) {
        self.step(Input::Peer { from, message });
    }

    pub fn client(&mut self, request: Request) {
        if self.engine.is_some() {
            self.asked += 1;
            self.waiting.insert(self.asked);
            self.step(Input::Client { id: self.asked, request });
        }
    }

    /// A client writes to one of a few keys.
    pub fn write(&mut self, nth: u8, bytes: usize) {
        self.client(Request::Write(set(nth, bytes)));
    }

    /// The `nth` disk operation that may end does; `false` if there is none.
    pub fn disk(&mut self, nth: usize) -> bool {
        let under_way: Vec<DiskId> = self.disk.pending().map(|(id, _)| id).collect();
        let may: Vec<DiskId> =
            under_way.into_iter().filter(|id| self.disk.may_finish(*id)).collect();
        let Some(at) = nth.checked_rem(may.len()) else { return false };
        let result = self.disk.finish(may[at]);
        self.step(Input::Disk { id: may[at], result });
        true
    }

    /// Every disk operation ends, and those that follow from it.
    pub fn settle(&mut self) {
        let steps = (0..MAX_SETTLE).take_while(|_| self.is_up() && self.disk(0)).count();
        assert!(steps < MAX_SETTLE, "the disk is never quiet");
    }

    /// Ticks until it leads.
    pub fn lead(&mut self) {
        for _ in 0..=2 * self.config.election_ticks {
            if self.view().is_none_or(|view| view.role == Role::Leader) {
                return;
            }
            self.tick();
            self.settle();
        }
        panic!("the only member does not come to lead");
    }

    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// Writes that were acknowledged.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The picture between two steps; none after a halt.
    pub fn view(&self) -> Option<View> {
        self.engine.as_ref().map(Engine::view)
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Peer { to, message } => self.sent.push((to, message)),
                Output::Reply { id, outcome } => {
                    assert!(self.waiting.remove(&id), "request {id} has no answer to come");
                    let written = matches!(outcome, Outcome::Done(Done::Written { .. }));
                    self.written += usize::from(written);
                }
                Output::Disk { id, op } => self.disk.start(id, op),
                Output::Halt(_) => {
                    self.engine = None;
                    return;
                }
            }
        }
    }
}

/// Member `id` of three, or the only one if it is 1, with small files and
/// frequent snapshots: short runs have several of each.
pub(super) fn config(id: NodeId) -> Config {
    let member = |id| Member { id, peer_urls: Vec::new(), attributes: Attributes::default() };
    let size = if id == 1 { 1 } else { 3 };
    let mut config = Config::new(id, 1, (1..=size).map(member).collect());
    tweak(&mut config);
    config.boot = 1 << 32;
    config
}

/// What makes files small and snapshots frequent.
pub(super) fn tweak(config: &mut Config) {
    config.segment_bytes = 1 << 10;
    config.snapshot_entries = 8;
    config.catch_up_entries = 3;
    config.chunk_bytes = 256;
    config.history_events = 4;
}

/// A write to one of a few keys; every fifth of them goes by itself.
pub(super) fn set(nth: u8, bytes: usize) -> Write {
    let path = Path::new(&format!("/{}/{}", nth % 3, nth % 7)).expect("a clean path");
    let ttl = (nth % 5 == 4).then_some(u64::from(nth % 3) + 1);
    Write { path, change: Change::Set { content: Content::File("x".repeat(bytes).into()), ttl } }
}

/// The end of a life, by a script's byte: the process dies or the power fails,
/// and takes nothing, everything or a part of what it may.
pub(super) fn end(disk: &mut Disk, how: u8) {
    use crate::disk::{Keep, Lose, Tear};
    let mercy: &mut dyn Mercy = match how >> 1 {
        0 => &mut Lose,
        1 => &mut Keep,
        sectors => &mut Tear(sectors.into()),
    };
    if how & 1 == 0 { disk.crash(mercy) } else { disk.kill(mercy) }
}
