//! Reading a journal: what began with one record and ended with another becomes one
//! item.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::mem::take;

use quorate_engine::message::RaftKind;
use quorate_engine::{DiskId, Input, Message, NodeId, Outcome, Output, RequestId, Role};

use super::faults;
use super::item::{Item, Kind, Lane, Rank};
use crate::check::InShort;
use crate::check::watches::{Told, Watching};
use crate::history::{Answer, Op, OpId};
use crate::weather::{Action, Fate, Flight, Record, Standing, What};

/// Everything that a page may show.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub all: Vec<Item>,
    /// When the storm was over, in µs.
    pub calm: Option<u64>,
    /// The places of operations, by their number.
    pub operations: BTreeMap<OpId, usize>,
}

/// What has begun and not ended, by its place among the items.
#[derive(Debug, Default)]
struct Open {
    lives: BTreeMap<NodeId, usize>,
    roles: BTreeMap<NodeId, usize>,
    downs: BTreeMap<NodeId, usize>,
    pauses: BTreeMap<NodeId, usize>,
    stalls: Vec<usize>,
    cuts: Vec<(Vec<(NodeId, NodeId)>, usize)>,
    disks: BTreeMap<(NodeId, DiskId), usize>,
    watches: BTreeMap<(NodeId, RequestId), usize>,
    /// Answered, and not yet told to whoever watches.
    answered: Vec<usize>,
}

/// Reads all that happened up to `end`, in µs.
pub(super) fn read(journal: &[Record], end: u64) -> Items {
    let mut reader = Reader { items: Items::default(), open: Open::default(), end, at: 0 };
    for Record { at_ns, what } in journal {
        reader.at = at_ns / 1_000;
        if reader.at <= end {
            reader.take(what);
        } else if let What::Flew(flight) = what {
            reader.flew(flight);
        }
    }
    reader.items
}

struct Reader {
    items: Items,
    open: Open,
    end: u64,
    at: u64,
}

impl Reader {
    fn take(&mut self, what: &What) {
        match what {
            What::Born(node, life, at) => self.born(*node, *life, *at),
            What::Died { node, power } => self.died(*node, *power),
            What::In(node, input) => self.said_to(*node, input),
            What::Out(node, output) => self.said_by(*node, output),
            What::Became(node, at) => self.became(*node, *at),
            What::Advanced(node, at) => {
                let item = self.moment(Kind::Progress, Rank::Progress, Lane::Node(*node));
                self.add(item.says(at.committed.to_string(), at));
            }
            What::Flew(flight) => self.flew(flight),
            What::Finished(node, op, well) => {
                let state = if *well { "done" } else { "failed" };
                let open = self.open.disks.remove(&(*node, *op));
                self.close(open, state);
            }
            What::Did(action) => self.did(action),
            What::Resumed(node) => {
                let open = self.open.pauses.remove(node);
                self.close(open, "paused");
            }
            What::Joined(links) => {
                let at = self.open.cuts.iter().position(|(cut, _)| cut == links);
                let open = at.map(|at| self.open.cuts.remove(at).1);
                self.close(open, "cut");
            }
            What::Calm => self.calm(),
            What::StaysBroken(broken) => {
                self.mark(Rank::Frame, Lane::Node(broken.node), "step", broken);
                if let Some(state) = faults::broken(broken) {
                    self.fault(Lane::Node(broken.node), state, broken);
                }
            }
            What::Suffers(node, what) => self.mark(Rank::Frame, Lane::Node(*node), "harm", what),
            What::Lied(node, lie) => self.mark(Rank::Telling, Lane::Node(*node), "lie", lie.name()),
            What::Called { id, client, node, op } => self.called(*id, *client, *node, op),
            What::Answered { id, answer, .. } => self.answered(*id, answer),
            What::Watches { watcher, node, request, watch } => {
                let item = self.moment(Kind::Watch, Rank::Watch, Lane::Watcher(*watcher));
                let item = item.open(self.end).says("waits", watch);
                let (other, key) = (Lane::Node(*node), watch.path.to_string());
                let place = self.add(Item { other, key, ..item });
                self.open.watches.insert((*node, *request), place);
            }
            What::Watched(watching) => self.watched(watching),
            What::Noted(text) => self.mark(Rank::Line, Lane::World, "note", text),
            What::Failed(_) => {}
        }
    }

    fn moment(&self, kind: Kind, rank: Rank, lane: Lane) -> Item {
        Item::at(kind, rank, lane, self.at)
    }

    fn add(&mut self, item: Item) -> usize {
        self.items.all.push(item);
        self.items.all.len() - 1
    }

    /// What was open ends now.
    fn close(&mut self, place: Option<usize>, state: &'static str) {
        if let Some(place) = place {
            let item = &mut self.items.all[place];
            (item.to, item.state) = (self.at, state.into());
        }
    }

    fn mark(&mut self, rank: Rank, lane: Lane, state: &'static str, text: impl Display) {
        let item = self.moment(Kind::Mark, rank, lane).says(state, text);
        self.add(item);
    }

    fn fault(&mut self, lane: Lane, state: &'static str, text: impl Display) -> usize {
        let item = self.moment(Kind::Fault, Rank::Frame, lane);
        self.add(item.open(self.end).says(state, text))
    }

    fn born(&mut self, node: NodeId, life: u64, at: Standing) {
        let down = self.open.downs.remove(&node);
        self.close(down, "down");
        let item = self.moment(Kind::Life, Rank::Frame, Lane::Node(node)).open(self.end);
        let place = self.add(item.says("lives", format!("life {life}, begun as {at}")));
        self.open.lives.insert(node, place);
        self.became(node, at);
    }

    fn died(&mut self, node: NodeId, power: bool) {
        let how = if power { "power" } else { "killed" };
        let life = self.open.lives.remove(&node);
        self.close(life, how);
        if let Some(place) = self.open.roles.remove(&node) {
            self.items.all[place].to = self.at;
        }
        if let Some(pause) = self.open.pauses.remove(&node) {
            self.items.all[pause].to = self.at;
        }
        let of = |name: &NodeId| *name == node;
        let Open { disks, watches, .. } = &mut self.open;
        let cut_short: Vec<_> = disks.extract_if(.., |name, _| of(&name.0)).collect();
        let broken: Vec<_> = watches.extract_if(.., |name, _| of(&name.0)).collect();
        cut_short.into_iter().for_each(|(_, place)| self.close(Some(place), "unfinished"));
        broken.into_iter().for_each(|(_, place)| self.close(Some(place), "broken off"));
        let text = if power { "the power has failed" } else { "the process was killed" };
        let place = self.fault(Lane::Node(node), "down", text);
        self.open.downs.insert(node, place);
    }

    fn became(&mut self, node: NodeId, at: Standing) {
        if let Some(before) = self.open.roles.remove(&node) {
            self.items.all[before].to = self.at;
        }
        let role = match at.role {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        };
        let item = self.moment(Kind::Role, Rank::Frame, Lane::Node(node)).open(self.end);
        let more = at.term.to_string();
        let place = self.add(Item { more, ..item.says(role, at) });
        self.open.roles.insert(node, place);
    }

    fn said_to(&mut self, node: NodeId, input: &Input) {
        if let Input::Forget { id } = input {
            let open = self.open.watches.remove(&(node, *id));
            self.close(open, "given up");
        }
        if let Input::Client { .. } | Input::Forget { .. } = input {
            self.mark(Rank::Line, Lane::Node(node), "in", input);
        }
    }

    fn said_by(&mut self, node: NodeId, output: &Output) {
        match output {
            Output::Reply { id, outcome } => {
                self.mark(Rank::Line, Lane::Node(node), "out", output);
                let Some(place) = self.open.watches.remove(&(node, *id)) else { return };
                let told = matches!(outcome, Outcome::Done(_));
                self.close(Some(place), if told { "told" } else { "refused" });
                self.items.all[place].more = outcome.to_string();
                self.open.answered.push(place);
            }
            Output::Halt(_) => self.mark(Rank::Frame, Lane::Node(node), "halt", output),
            Output::Disk { id, op } => {
                let item = self.moment(Kind::Disk, Rank::Disk, Lane::Node(node)).open(self.end);
                let place = self.add(item.says("under way", op));
                self.open.disks.insert((node, *id), place);
            }
            Output::Peer { .. } => {}
        }
    }

    /// What its watcher was told, which a lie may have made of what its node said.
    fn watched(&mut self, watching: &Watching) {
        let Watching { watcher, server, watch, .. } = watching;
        let (lane, other, text) =
            (Lane::Watcher(*watcher), Lane::Node(server.node), watch.to_string());
        let is = |item: &Item| item.lane == lane && item.other == other && item.text == text;
        for place in take(&mut self.open.answered) {
            let item = &mut self.items.all[place];
            if is(item) {
                item.more = outcome(watching);
            }
        }
    }

    fn flew(&mut self, flight: &Flight) {
        let Flight { from, to, sent_ns, message, fate } = flight;
        let sent = sent_ns / 1_000;
        if sent > self.end {
            return;
        }
        let rank = match (rank(message), fate) {
            (rank, Fate::Arrived) | (rank @ Rank::Heartbeat, _) => rank,
            _ => Rank::Lost,
        };
        let item = Item::at(Kind::Message, rank, Lane::Node(*from), sent);
        let (other, to) = (Lane::Node(*to), self.at.min(self.end));
        self.add(Item { other, to, ..item.says(fate.as_str(), message) });
    }

    fn did(&mut self, action: &Action) {
        let lanes = faults::lanes(action);
        let band = faults::band(action);
        // What lasts is shown as long as it does; the rest is a moment.
        if band.is_none() && !matches!(action, Action::Cut(..) | Action::Pause(..)) {
            lanes.iter().for_each(|lane| self.mark(Rank::Frame, *lane, "step", action));
        }
        match action {
            Action::Cut(links, _) => {
                let place = self.fault(Lane::World, "cut", faults::cut(links));
                self.open.cuts.push((links.clone(), place));
            }
            Action::Pause(node, _) => {
                let place = self.fault(Lane::Node(*node), "paused", action);
                if let Some(before) = self.open.pauses.insert(*node, place) {
                    self.items.all[before].to = self.at;
                }
            }
            _ => {
                let Some((state, ms)) = band else { return };
                for lane in lanes {
                    let place = self.fault(lane, state, action);
                    self.items.all[place].to = self.end.min(self.at + ms * 1_000);
                    self.open.stalls.push(place);
                }
            }
        }
    }

    /// Nothing that may be undone lasts longer.
    fn calm(&mut self) {
        self.items.calm = Some(self.at);
        let Open { pauses, stalls, cuts, .. } = &mut self.open;
        let cuts = take(cuts).into_iter().map(|(_, place)| place);
        let places = take(pauses).into_values().chain(take(stalls)).chain(cuts);
        for place in places {
            let to = &mut self.items.all[place].to;
            *to = self.at.min(*to);
        }
    }

    fn called(&mut self, id: OpId, client: u64, node: NodeId, op: &Op) {
        let item = self.moment(Kind::Operation, Rank::Telling, Lane::Client(client));
        let item = item.open(self.end).says("open", format!("#{id} {op}"));
        let key = match op {
            Op::Write(write) => write.path.to_string(),
            Op::Read { read, .. } => read.path.to_string(),
        };
        let place = self.add(Item { other: Lane::Node(node), key, ..item });
        self.items.operations.insert(id, place);
    }

    fn answered(&mut self, id: OpId, answer: &Answer) {
        let Some(&place) = self.items.operations.get(&id) else { return };
        let state = match answer {
            Answer::Written { .. } | Answer::Read { found: Ok(_), .. } => "done",
            Answer::Fault { .. } | Answer::Read { found: Err(_), .. } => "fault",
            Answer::Refused => "refused",
            Answer::Lost => "lost",
        };
        self.close(Some(place), state);
        let item = &mut self.items.all[place];
        item.more = InShort(answer).to_string();
        if *answer != Answer::Lost {
            item.rank = Rank::Operation;
        }
    }
}

/// What came of a watch, in short.
fn outcome(watching: &Watching) -> String {
    match &watching.told {
        None => String::new(),
        Some(Told::Shown { events, at }) => {
            let each = events.iter().map(|event| InShort(&**event).to_string());
            format!("{} at {}", each.collect::<Vec<_>>().join("; "), at.store_index)
        }
        Some(Told::Cleared(cleared)) => cleared.to_string(),
    }
}

/// How much a message tells that arrives.
fn rank(message: &Message) -> Rank {
    match message {
        Message::Forward { .. } | Message::Chunk(_) => Rank::Append,
        Message::ChunkAck { .. } => Rank::Ack,
        Message::NotTaken { .. } => Rank::Telling,
        Message::Raft(raft) => match raft.kind {
            RaftKind::Heartbeat | RaftKind::HeartbeatResponse => Rank::Heartbeat,
            RaftKind::Append if raft.entries.is_empty() => Rank::Heartbeat,
            RaftKind::Append => Rank::Append,
            RaftKind::AppendResponse => Rank::Ack,
            RaftKind::ReadIndex | RaftKind::ReadIndexResponse => Rank::Ack,
            _ => Rank::Telling,
        },
    }
}
