//! One schedule, as far as it has come.

use std::collections::BTreeMap;

use quorate_engine::tree::Read;
use quorate_engine::{Config, Done, NodeId, Outcome, Request, RequestId, Role};
use xxhash_rust::xxh3::xxh3_64;

use super::choice::{Choice, Fate, Link};
use super::{Lie, Objection, Scene};
use crate::history::{Answer, History, Op, OpId, Server};
use crate::tabletop::{Mishap, Tabletop};

/// Nodes of every scene.
pub(super) const NODES: u64 = 3;

/// Who wrote what was there before, and judges at the end.
pub(super) const HARNESS: u64 = 2;

/// Ticks without a leader before an election: few, for each is an input.
pub(super) const ELECTION_TICKS: u32 = 3;

/// Wall time between two moments of a history, in ns: there is none on a tabletop.
const MOMENT_NS: u64 = 1_000;

/// A cluster, its two clients, and what has been chosen so far.
pub(super) struct Play<'a> {
    scene: &'a Scene,
    lie: Option<Lie>,
    pub table: Tabletop,
    pub history: History,
    /// By client: how many operations it has asked for.
    asked: [usize; 2],
    /// Who waits for an answer.
    waiting: Vec<Waiting>,
    /// Operations that have returned, as bits.
    returned: u64,
    /// The node that has crashed, and whether it is still down.
    crashed: Option<(NodeId, bool)>,
    /// The message lost: its link, and how many had been taken from it before.
    dropped: Option<(Link, u64)>,
    stood: bool,
    /// By link: messages taken from it.
    taken: BTreeMap<Link, u64>,
    /// By node: a digest of all that happened to it, in this order.
    chains: [u64; NODES as usize],
    now: u64,
}

struct Waiting {
    id: OpId,
    name: RequestId,
    node: NodeId,
}

impl<'a> Play<'a> {
    /// The first node leads, and all have what was there before.
    pub fn begin(scene: &'a Scene, lie: Option<Lie>, hush: bool) -> Result<Self, Objection> {
        let mut table = Tabletop::new(NODES, |config| tweak(config, scene))?;
        if hush {
            table.hush();
        }
        table.elect(1)?;
        let mut play = Self {
            scene,
            lie,
            table,
            history: History::new(),
            asked: [0, 0],
            waiting: Vec::new(),
            returned: 0,
            crashed: None,
            dropped: None,
            stood: false,
            taken: BTreeMap::new(),
            chains: [0; NODES as usize],
            now: 0,
        };
        for op in &scene.before {
            play.ask(HARNESS, 1, op.clone())?;
            play.table.settle()?;
            play.listen();
        }
        play.table.pass()?;
        if lie == Some(Lie::PretendedSyncs) {
            for id in 1..=NODES {
                play.table.disk_of(id).expect("a node").pretend(true);
            }
        }
        Ok(play)
    }

    /// All that may happen next, faults last.
    pub fn choices(&self) -> Vec<Choice> {
        let mut choices: Vec<Choice> = self.calls().collect();
        let up = |id: &NodeId| self.table.is_up(*id);
        let links: Vec<Link> = self.table.busy_links().filter(|(_, to)| up(to)).collect();
        choices.extend(links.iter().map(|&(from, to)| Choice::Deliver { from, to }));
        for node in (1..=NODES).filter(up) {
            let ends = 0..self.table.disk_choices(node);
            choices.extend(ends.map(|nth| Choice::Disk { node, nth }));
        }
        if let Some((node, true)) = self.crashed {
            choices.push(Choice::Restart { node });
        }
        if self.dropped.is_none() {
            choices.extend(links.iter().map(|&(from, to)| Choice::Drop { from, to }));
        }
        if self.crashed.is_none() {
            choices.extend((1..=NODES).flat_map(|node| self.crashes(node)));
        }
        if !self.stood {
            choices.extend(
                (1..=NODES).filter(|id| self.may_stand(*id)).map(|node| Choice::Stand { node }),
            );
        }
        choices
    }

    /// Both clients wait for what they have asked for before, and for whom they ask.
    fn calls(&self) -> impl Iterator<Item = Choice> {
        (0..2)
            .filter(|&client| {
                let next = self.scene.clients[client].get(self.asked[client]);
                let waits = self.waiting.iter().any(|it| self.client(it.id) == client as u64);
                next.is_some_and(|(node, _)| self.table.is_up(*node)) && !waits
            })
            .map(|client| Choice::Call { client })
    }

    fn client(&self, id: OpId) -> u64 {
        self.history.operations()[id].client
    }

    /// The fates of a disk with nothing under way are one.
    fn crashes(&self, node: NodeId) -> impl Iterator<Item = Choice> {
        let fates = if self.table.is_disk_idle(node) { 1 } else { Fate::ALL.len() };
        Fate::ALL.into_iter().take(fates).map(move |fate| Choice::Crash { node, fate })
    }

    /// A node whose log is being written does not stand.
    fn may_stand(&self, id: NodeId) -> bool {
        let follows = self.table.view(id).is_some_and(|view| view.role == Role::Follower);
        follows && self.table.disk_choices(id) == 0
    }

    /// What the state would be known by after this.
    ///
    /// A node is a function of what happened to it, in this order: so the state of the
    /// nodes, of their disks and of what is on its way is known by these orders and by
    /// which message was lost. An operation's place in real time is known by what had
    /// returned when it was called.
    pub fn key_after(&self, choice: Choice) -> u64 {
        let (mut chains, mut dropped) = (self.chains, self.dropped);
        self.note(choice, &mut chains, &mut dropped);
        let ((from, to), nth) = dropped.unwrap_or_default();
        let words = chains.into_iter().chain([from, to, nth]);
        xxh3_64(&words.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    }

    fn note(
        &self,
        choice: Choice,
        chains: &mut [u64; NODES as usize],
        dropped: &mut Option<(Link, u64)>,
    ) {
        let mut add = |node: NodeId, more: u64| {
            let chain = &mut chains[node as usize - 1];
            let words = [*chain, choice.number(), more];
            *chain = xxh3_64(words.map(u64::to_le_bytes).as_flattened());
        };
        match choice {
            Choice::Call { client } => {
                let (node, _) = self.scene.clients[client][self.asked[client]];
                add(node, self.returned);
            }
            Choice::Deliver { to, .. } => add(to, 0),
            Choice::Disk { node, .. } | Choice::Restart { node } | Choice::Crash { node, .. } => {
                add(node, 0);
            }
            Choice::Drop { from, to } => {
                let taken = self.taken.get(&(from, to)).copied().unwrap_or(0);
                *dropped = Some(((from, to), taken));
            }
            Choice::Stand { .. } => self.without_leader().for_each(|node| add(node, 0)),
        }
    }

    /// Nodes that are up and do not lead.
    fn without_leader(&self) -> impl Iterator<Item = NodeId> {
        let leads = |id| self.table.view(id).is_some_and(|view| view.role == Role::Leader);
        (1..=NODES).filter(move |id| self.table.is_up(*id) && !leads(*id))
    }

    /// It happens.
    pub fn take(&mut self, choice: Choice) -> Result<(), Objection> {
        let (mut chains, mut dropped) = (self.chains, self.dropped);
        self.note(choice, &mut chains, &mut dropped);
        (self.chains, self.dropped) = (chains, dropped);
        match choice {
            Choice::Call { client } => {
                let (node, op) = self.scene.clients[client][self.asked[client]].clone();
                self.asked[client] += 1;
                self.ask(client as u64, node, op)?;
            }
            Choice::Deliver { from, to } => {
                *self.taken.entry((from, to)).or_default() += 1;
                self.table.deliver(from, to, 0)?;
            }
            Choice::Disk { node, nth } => self.table.disk_nth(node, nth)?,
            Choice::Restart { node } => self.restart(node)?,
            Choice::Drop { from, to } => {
                *self.taken.entry((from, to)).or_default() += 1;
                self.table.lose(from, to, 0)?;
            }
            Choice::Crash { node, fate } => self.crash(node, fate)?,
            Choice::Stand { node } => self.stand(node)?,
        }
        self.listen();
        self.nobody_halted()
    }

    /// The crashed node is up again, if it was down.
    pub fn revive(&mut self) -> Result<(), Objection> {
        match self.crashed {
            Some((node, true)) => self.restart(node),
            _ => Ok(()),
        }
    }

    fn restart(&mut self, node: NodeId) -> Result<(), Objection> {
        self.table.restart(node)?;
        self.crashed = Some((node, false));
        if self.table.is_up(node) {
            return Ok(());
        }
        Err(Objection::new("restart", format!("n{node} does not start again")))
    }

    fn crash(&mut self, node: NodeId, fate: Fate) -> Result<(), Objection> {
        self.table.crash(node, &mut *fate.mercy())?;
        self.crashed = Some((node, true));
        let (broken, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|it| it.node == node);
        self.waiting = waiting;
        let broken: Vec<Waiting> = broken;
        broken.into_iter().for_each(|it| self.done(it.id, Answer::Lost));
        Ok(())
    }

    /// The others have not heard of a leader for an election timeout, and so would
    /// follow another; whoever leads has not noticed.
    fn stand(&mut self, node: NodeId) -> Result<(), Objection> {
        self.stood = true;
        let nodes: Vec<NodeId> = self.without_leader().collect();
        for other in nodes.into_iter().filter(|other| *other != node) {
            for _ in 0..ELECTION_TICKS {
                self.table.tick(other)?;
            }
        }
        for _ in 0..2 * ELECTION_TICKS {
            if self.table.view(node).is_none_or(|view| view.role != Role::Follower) {
                break;
            }
            self.table.tick(node)?;
        }
        Ok(())
    }

    /// A client asks a node for an operation.
    pub fn ask(&mut self, client: u64, node: NodeId, op: Op) -> Result<OpId, Objection> {
        let life = u64::from(self.crashed == Some((node, false)));
        let now = self.moment();
        let nth = self.history.operations().iter().filter(|it| it.client == client).count();
        let name = 1 + 4 * nth as RequestId + client;
        let id = self.history.call(client, Server { node, life }, op.clone(), now);
        let request = match op {
            Op::Write(write) => Request::Write(write),
            Op::Read { read, local } if local || self.lie == Some(Lie::UnconfirmedReads) => {
                let answer = self.look(node, &read, local);
                self.done(id, answer);
                return Ok(id);
            }
            Op::Read { .. } => Request::Read,
        };
        self.waiting.push(Waiting { id, name, node });
        self.table.ask(node, name, request)?;
        Ok(id)
    }

    /// What a node has, however old; a local read wants one that is ready.
    fn look(&self, node: NodeId, read: &Read, local: bool) -> Answer {
        match self.table.view(node).filter(|view| view.ready || !local) {
            Some(view) => {
                let at = view.position();
                Answer::Read { found: view.read(read).map(|(node, _)| node), at }
            }
            None => Answer::Refused,
        }
    }

    /// Takes notice of the answers that have come.
    pub fn listen(&mut self) {
        let (answered, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|it| self.table.reply(it.name).is_some());
        self.waiting = waiting;
        let answered: Vec<Waiting> = answered;
        for it in answered {
            let outcome = self.table.reply(it.name).expect("it is answered").clone();
            let answer = match (&outcome, &self.history.operations()[it.id].op) {
                (Outcome::Done(Done::Readable { .. }), Op::Read { read, .. }) => {
                    self.look(it.node, read, false)
                }
                _ => Answer::from_outcome(outcome).expect("a write is written or not"),
            };
            self.done(it.id, answer);
        }
    }

    fn done(&mut self, id: OpId, answer: Answer) {
        let now = self.moment();
        self.history.done(id, answer, now);
        self.returned |= 1 << id;
    }

    fn moment(&mut self) -> u64 {
        self.now += MOMENT_NS;
        self.now
    }

    /// Nobody is down but who crashed.
    pub fn nobody_halted(&self) -> Result<(), Objection> {
        let down = self.crashed.filter(|(_, down)| *down).map(|(node, _)| node);
        match (1..=NODES).find(|id| !self.table.is_up(*id) && Some(*id) != down) {
            None => Ok(()),
            Some(id) => Err(Objection::new("halt", format!("n{id} halts"))),
        }
    }
}

fn tweak(config: &mut Config, scene: &Scene) {
    config.election_ticks = ELECTION_TICKS;
    config.snapshot_entries = scene.snapshot_entries;
    config.catch_up_entries = 1;
    config.segment_bytes = 2_048;
    config.chunk_bytes = 512;
}

impl From<Mishap> for Objection {
    fn from(mishap: Mishap) -> Self {
        match mishap {
            Mishap::Violation(violation) => Self::new(violation.property, violation.to_string()),
            Mishap::Impossible(what) => Self::new("the tabletop", what),
        }
    }
}
