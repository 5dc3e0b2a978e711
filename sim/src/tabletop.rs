//! A cluster stepped by hand: one named message, tick or disk operation at a
//! time, no threads, no time of its own. Golden stories and fuzz targets use it.
//!
//! Everything that crosses a border is written in the [journal](Tabletop::take_journal),
//! `<` for what a node is told and `>` for what it says, and shown to every
//! [property](crate::properties).

mod network;
mod node;
pub mod story;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use quorate_engine::{
    Config, DiskId, Input, Member, NodeId, Outcome, Output, Request, RequestId, Role, View,
};

use crate::disk::{Disk, Lose, Mercy};
use crate::properties::{Observation, Properties, Violation};
use network::Network;
use node::Node;

/// Steps after which [`Tabletop::settle`] gives up: a cluster without ticks
/// becomes quiet long before.
const MAX_SETTLE: usize = 100_000;

/// Lines of journal kept; the oldest go first.
const MAX_JOURNAL: usize = 1 << 16;

/// A cluster whose every next step is somebody's choice.
#[derive(Debug)]
pub struct Tabletop {
    nodes: BTreeMap<NodeId, Node>,
    network: Network,
    properties: Properties,
    /// None where nobody reads it.
    journal: Option<VecDeque<String>>,
    replies: BTreeMap<RequestId, Outcome>,
    asked: RequestId,
    /// Names what was sent or begun, in order.
    clock: u64,
    /// Inputs that nodes have been given.
    steps: usize,
    /// How many they may be given at most.
    limit: usize,
}

/// Why a step could not be taken, or should not have been possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// A property does not hold.
    Violation(Violation),
    /// There is nothing of the kind to be done.
    Impossible(String),
}

/// What a quiet cluster still has to do, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Message { from: NodeId, to: NodeId },
    Disk { node: NodeId, id: DiskId },
}

impl Tabletop {
    /// Nodes 1 to `size`, just born on empty disks. Each has the defaults of a
    /// server after `tweak`.
    ///
    /// # Errors
    /// When the configuration is refused, or a property objects.
    pub fn new(size: u64, tweak: impl Fn(&mut Config)) -> Result<Self, Mishap> {
        let members = (1..=size).map(member).collect::<Vec<_>>();
        let config = |id| {
            let mut config = Config::new(id, 1, members.clone());
            tweak(&mut config);
            config
        };
        let mut table = Self {
            nodes: (1..=size).map(|id| (id, Node::new(config(id)))).collect(),
            network: Network::default(),
            properties: Properties::new(&config(1)),
            journal: Some(VecDeque::new()),
            replies: BTreeMap::new(),
            asked: 0,
            clock: 0,
            steps: 0,
            limit: usize::MAX,
        };
        for id in 1..=size {
            table.restart(id)?;
            if !table.is_up(id) {
                return impossible("a fresh node refuses to start");
            }
        }
        Ok(table)
    }

    /// Nodes may be given so many inputs in all: the one beyond is impossible.
    pub fn limit(&mut self, steps: usize) {
        self.limit = steps;
    }

    /// From now on no journal is written, which is most of a step's cost.
    pub fn hush(&mut self) {
        self.journal = None;
    }

    /// Inputs that nodes have been given.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// One tick interval passes for a node.
    pub fn tick(&mut self, id: NodeId) -> Result<(), Mishap> {
        let wall_ms = self.node(id)?.wall_ms();
        self.step(id, Input::Tick { wall_ms })
    }

    /// One tick interval passes for every node that is up, and all that follows
    /// happens.
    ///
    /// # Errors
    /// When there is no end to it, or a property objects.
    pub fn pass(&mut self) -> Result<(), Mishap> {
        let up: Vec<NodeId> = self.ids().filter(|id| self.is_up(*id)).collect();
        up.into_iter().try_for_each(|id| self.tick(id))?;
        self.settle()
    }

    /// A node's wall clock jumps by so many ms.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn jump(&mut self, id: NodeId, ms: i64) -> Result<(), Mishap> {
        self.node(id)?.wall_offset_ms += ms;
        Ok(())
    }

    /// The `nth` message on its way arrives, counted from 0. If the addressee is
    /// down it is lost.
    pub fn deliver(&mut self, from: NodeId, to: NodeId, nth: usize) -> Result<(), Mishap> {
        self.may_step()?;
        let Some(message) = self.network.take(from, to, nth) else {
            return impossible(format!("nothing is on its way from n{from} to n{to}"));
        };
        if !self.is_up(to) {
            self.note(|| format!("n{to} is down; lost from n{from}: {message}"));
            return Ok(());
        }
        self.step(to, Input::Peer { from, message })
    }

    /// The `nth` message on its way is lost.
    pub fn lose(&mut self, from: NodeId, to: NodeId, nth: usize) -> Result<(), Mishap> {
        match self.network.take(from, to, nth) {
            Some(message) => self.note(|| format!("n{from} to n{to} lost: {message}")),
            None => return impossible(format!("nothing is on its way from n{from} to n{to}")),
        }
        Ok(())
    }

    /// The `nth` message on its way will arrive once more, behind the others.
    pub fn duplicate(&mut self, from: NodeId, to: NodeId, nth: usize) -> Result<(), Mishap> {
        let Some(message) = self.network.look(from, to, nth).cloned() else {
            return impossible(format!("nothing is on its way from n{from} to n{to}"));
        };
        let order = self.next();
        self.network.send(from, to, order, message);
        Ok(())
    }

    /// From now on nothing gets through from one node to another; what is on its
    /// way is lost.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.network.cut(from, to);
    }

    /// From now on [`settle`](Self::settle) leaves these messages on their way.
    pub fn hold(&mut self, from: NodeId, to: NodeId) {
        self.network.hold(from, to);
    }

    /// Everything gets through again, and nothing is held.
    pub fn heal(&mut self) {
        self.network.heal();
    }

    /// A node's oldest disk operation ends well.
    pub fn disk(&mut self, id: NodeId) -> Result<(), Mishap> {
        let Some(disk_id) = self.node(id)?.oldest() else {
            return impossible(format!("n{id} has nothing to write"));
        };
        self.finish(id, disk_id)
    }

    /// This disk operation of a node's completes.
    pub fn disk_named(&mut self, id: NodeId, disk_id: DiskId) -> Result<(), Mishap> {
        self.finish(id, disk_id)
    }

    /// The `nth` of a node's disk operations that may complete does so: operations
    /// on different files overtake each other.
    pub fn disk_nth(&mut self, id: NodeId, nth: usize) -> Result<(), Mishap> {
        let disk = &self.node(id)?.disk;
        let ready: Vec<DiskId> =
            disk.pending().map(|(id, _)| id).filter(|id| disk.may_finish(*id)).collect();
        match ready.get(nth % ready.len().max(1)) {
            Some(&disk_id) => self.finish(id, disk_id),
            None => impossible(format!("n{id} has nothing to write")),
        }
    }

    /// A node's oldest disk operation fails.
    pub fn fail(&mut self, id: NodeId, why: &str) -> Result<(), Mishap> {
        self.may_step()?;
        let node = self.node(id)?;
        let Some(disk_id) = node.oldest() else {
            return impossible(format!("n{id} has nothing to write"));
        };
        let error = node.disk.fail(disk_id, why, &mut Lose);
        self.step(id, Input::Disk { id: disk_id, result: Err(error) })
    }

    /// From now on [`settle`](Self::settle) leaves this node's disk alone, or no
    /// longer does.
    pub fn stall(&mut self, id: NodeId, stalled: bool) -> Result<(), Mishap> {
        self.node(id)?.stalled = stalled;
        Ok(())
    }

    /// The power fails on a node.
    pub fn crash(&mut self, id: NodeId, mercy: &mut dyn Mercy) -> Result<(), Mishap> {
        self.die(id)?.disk.crash(mercy);
        self.note(|| format!("n{id} loses power"));
        Ok(())
    }

    /// A node's process dies; the machine goes on.
    pub fn kill(&mut self, id: NodeId, mercy: &mut dyn Mercy) -> Result<(), Mishap> {
        self.die(id)?.disk.kill(mercy);
        self.note(|| format!("n{id} is killed"));
        Ok(())
    }

    /// A node that is down is born again from its disk. If it refuses, the
    /// journal says why and it stays down.
    pub fn restart(&mut self, id: NodeId) -> Result<(), Mishap> {
        if self.is_up(id) {
            return impossible(format!("n{id} is up"));
        }
        match self.node(id)?.recover() {
            Err(error) => {
                self.note(|| format!("n{id} refuses to start: {error}"));
                Ok(())
            }
            Ok((view, outputs)) => {
                self.note(|| format!("n{id} is born"));
                self.observe(id, Observation::Born(&view))?;
                self.perform(id, outputs)
            }
        }
    }

    /// A client asks a node; the number names the request in every later word.
    pub fn client(&mut self, id: NodeId, request: Request) -> Result<RequestId, Mishap> {
        self.asked += 1;
        let asked = self.asked;
        self.ask(id, asked, request)?;
        Ok(asked)
    }

    /// A client asks a node under a name of its own, which no other request has.
    pub fn ask(&mut self, id: NodeId, name: RequestId, request: Request) -> Result<(), Mishap> {
        self.step(id, Input::Client { id: name, request })
    }

    /// The client behind a request goes away.
    pub fn forget(&mut self, id: NodeId, request: RequestId) -> Result<(), Mishap> {
        self.step(id, Input::Forget { id: request })
    }

    /// Delivers and completes all that is neither held nor stalled, oldest
    /// first, until nothing is left.
    ///
    /// # Errors
    /// When there is no end to it, or a property objects.
    pub fn settle(&mut self) -> Result<(), Mishap> {
        for _ in 0..MAX_SETTLE {
            match self.due() {
                None => return Ok(()),
                Some(Due::Message { from, to }) => self.deliver(from, to, 0)?,
                Some(Due::Disk { node, id }) => self.finish(node, id)?,
            }
        }
        impossible("there is no end to it")
    }

    /// Ticks a node alone until it leads, settling after each tick.
    ///
    /// # Errors
    /// When it does not lead within three election timeouts.
    pub fn elect(&mut self, id: NodeId) -> Result<(), Mishap> {
        for _ in 0..3 * self.node(id)?.config.election_ticks {
            self.tick(id)?;
            self.settle()?;
            if self.view(id).is_some_and(|view| view.role == Role::Leader) {
                return Ok(());
            }
        }
        impossible(format!("n{id} is not elected"))
    }

    /// A node's view, unless it is down.
    pub fn view(&self, id: NodeId) -> Option<View> {
        self.nodes.get(&id)?.engine.as_ref().map(|engine| engine.view())
    }

    /// Whether a node is up.
    pub fn is_up(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.engine.is_some())
    }

    /// Every node's name.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// The answer to a request, if there is one yet.
    pub fn reply(&self, request: RequestId) -> Option<&Outcome> {
        self.replies.get(&request)
    }

    /// A node's disk, for looking at and for lying.
    pub fn disk_of(&mut self, id: NodeId) -> Option<&mut Disk> {
        self.nodes.get_mut(&id).map(|node| &mut node.disk)
    }

    /// The links on which a message is on its way, each in one direction.
    pub fn busy_links(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        self.network.busy()
    }

    /// How many of a node's disk operations may complete next.
    pub fn disk_choices(&self, id: NodeId) -> usize {
        let disk = self.nodes.get(&id).map(|node| &node.disk);
        disk.map_or(0, |disk| disk.pending().filter(|(id, _)| disk.may_finish(*id)).count())
    }

    /// Whether a power failure would take nothing from a node's disk.
    pub fn is_disk_idle(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_none_or(|node| node.disk.is_idle())
    }

    /// What is on its way or under way, one line each.
    pub fn under_way(&self) -> Vec<String> {
        let messages = self.network.under_way();
        let disks = self.nodes.iter().flat_map(|(id, node)| {
            node.disk.pending().map(move |(disk, op)| format!("n{id} disk {disk}: {op}"))
        });
        messages.chain(disks).collect()
    }

    /// What has happened since this was last asked, one line each.
    pub fn take_journal(&mut self) -> Vec<String> {
        self.journal.iter_mut().flat_map(|journal| journal.drain(..)).collect()
    }

    fn due(&self) -> Option<Due> {
        let disks = self.nodes.iter().filter(|(_, node)| node.engine.is_some() && !node.stalled);
        let disks = disks.flat_map(|(&node, of)| {
            of.began.iter().map(move |(&id, &at)| (at, Due::Disk { node, id }))
        });
        let messages =
            self.network.due().map(|(order, from, to)| (order, Due::Message { from, to }));
        messages.chain(disks).min().map(|(_, due)| due)
    }

    fn finish(&mut self, id: NodeId, disk_id: DiskId) -> Result<(), Mishap> {
        self.may_step()?;
        let node = self.node(id)?;
        let result = node.disk.finish(disk_id);
        self.step(id, Input::Disk { id: disk_id, result })
    }

    fn die(&mut self, id: NodeId) -> Result<&mut Node, Mishap> {
        let node = self.node(id)?;
        node.began.clear();
        if node.engine.take().is_none() {
            return impossible(format!("n{id} is down"));
        }
        self.observe(id, Observation::Died)?;
        self.node(id)
    }

    fn step(&mut self, id: NodeId, input: Input) -> Result<(), Mishap> {
        if !self.is_up(id) {
            return impossible(format!("n{id} is down"));
        }
        self.may_step()?;
        self.steps += 1;
        self.note(|| format!("n{id} < {input}"));
        self.observe(id, Observation::In(&input))?;
        let mut outputs = Vec::new();
        let node = self.node(id)?;
        if let Input::Disk { id, .. } = &input {
            node.began.remove(id);
        }
        if let Some(engine) = &mut node.engine {
            engine.step(input, &mut outputs);
        }
        self.perform(id, outputs)
    }

    fn may_step(&self) -> Result<(), Mishap> {
        if self.steps < self.limit { Ok(()) } else { impossible("the last step was taken") }
    }

    /// Nothing behind a halt is performed.
    fn perform(&mut self, id: NodeId, outputs: Vec<Output>) -> Result<(), Mishap> {
        for output in outputs {
            self.say(id, &output);
            self.observe(id, Observation::Out(&output))?;
            match output {
                Output::Peer { to, message } => {
                    let order = self.next();
                    self.network.send(id, to, order, message);
                }
                Output::Reply { id, outcome } => {
                    self.replies.insert(id, outcome);
                }
                Output::Disk { id: disk_id, op } => {
                    let order = self.next();
                    let node = self.node(id)?;
                    node.began.insert(disk_id, order);
                    node.disk.start(disk_id, op);
                }
                Output::Halt(_) => {
                    self.die(id)?.disk.kill(&mut Lose);
                    return Ok(());
                }
            }
        }
        match self.view(id) {
            Some(view) => self.observe(id, Observation::View(&view)),
            None => Ok(()),
        }
    }

    fn say(&mut self, id: NodeId, output: &Output) {
        let cut = match output {
            Output::Peer { to, .. } if self.network.is_cut(id, *to) => " (cut)",
            _ => "",
        };
        self.note(|| format!("n{id} > {output}{cut}"));
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let Some(journal) = &mut self.journal else { return };
        if journal.len() == MAX_JOURNAL {
            journal.pop_front();
        }
        journal.push_back(line());
    }

    fn observe(&mut self, id: NodeId, what: Observation<'_>) -> Result<(), Mishap> {
        self.properties.observe(id, what).map_err(Mishap::Violation)
    }

    fn next(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn node(&mut self, id: NodeId) -> Result<&mut Node, Mishap> {
        self.nodes.get_mut(&id).ok_or_else(|| Mishap::Impossible(format!("there is no n{id}")))
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::Impossible(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Mishap {}

fn impossible<T>(what: impl Into<String>) -> Result<T, Mishap> {
    Err(Mishap::Impossible(what.into()))
}

fn member(id: NodeId) -> Member {
    let peer_urls = vec![format!("http://n{id}:2380")];
    Member { id, peer_urls, attributes: Default::default() }
}
