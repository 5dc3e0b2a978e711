//! How requests fare: forwarded, refused, lost, read.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::message::RaftKind;
use quorate_engine::{
    Change, Config, Content, Done, Input, Lost, Message, NodeId, Outcome, Output, Refused, Request,
    RequestId, Role,
};

use super::{Cluster, Observer, Probe, Probes, per_node, place};
use crate::check::Hint;
use crate::history::History;
use crate::properties::Observation;

#[derive(Debug)]
pub(super) struct Clients {
    nodes: Vec<Life>,
}

/// What is asked of a node in this life.
#[derive(Debug, Default)]
struct Life {
    /// The term in which a write was forwarded.
    forwarded: BTreeMap<RequestId, u64>,
    steps: u64,
    /// In which step a read was asked.
    reads: BTreeMap<RequestId, u64>,
    /// Writes of others that have arrived in this term, by origin's boot and count.
    arrived: (u64, BTreeSet<(u64, RequestId)>),
}

impl Clients {
    pub fn new(config: &Config) -> Self {
        Self { nodes: per_node(config) }
    }
}

impl Observer for Clients {
    fn observe(
        &mut self,
        cluster: &Cluster,
        id: NodeId,
        what: &Observation<'_>,
        probes: &mut Probes,
    ) {
        let life = &mut self.nodes[place(id)];
        match what {
            Observation::Born(_) => *life = Life::default(),
            Observation::In(input) => life.hear(cluster, id, input, probes),
            Observation::Out(Output::Peer { message, .. }) => life.say(message, probes),
            Observation::Out(Output::Reply { id: request, outcome }) => {
                let leads = cluster.node(id).leads();
                life.answer(*request, outcome, leads, probes);
            }
            Observation::View(_) => life.steps += 1,
            Observation::Out(_) | Observation::Died | Observation::Forgot { .. } => {}
        }
    }
}

impl Life {
    fn hear(&mut self, cluster: &Cluster, id: NodeId, input: &Input, probes: &mut Probes) {
        match input {
            Input::Client { id, request: Request::Read } => {
                self.reads.insert(*id, self.steps);
            }
            Input::Forget { id } => {
                self.reads.remove(id);
                probes.hit(Probe::GaveUp);
            }
            Input::Peer { message: Message::Forward { term, command }, .. } => {
                let node = cluster.node(id);
                let leads = node.role == Role::Leader && node.term == *term;
                probes.hit_if(Probe::ForwardMissed, !leads);
                if self.arrived.0 < *term {
                    self.arrived = (*term, BTreeSet::new());
                }
                let name = (command.origin.boot, command.origin.seq);
                let again = self.arrived.0 == *term && !self.arrived.1.insert(name);
                probes.hit_if(Probe::ForwardRepeated, again);
            }
            Input::Peer { message: Message::Raft(raft), .. } => match raft.kind {
                RaftKind::ReadIndex => {
                    let leads = cluster.node(id).role == Role::Leader;
                    probes.hit_if(Probe::ReadMisdirected, !leads);
                }
                RaftKind::ReadIndexResponse => {
                    let waits = raft.index > cluster.node(id).applied;
                    probes.hit_if(Probe::ReadWaited, waits);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn say(&mut self, message: &Message, probes: &mut Probes) {
        match message {
            Message::Forward { term, command } => {
                self.forwarded.insert(command.origin.seq, *term);
                probes.hit(Probe::Forwarded);
            }
            Message::NotTaken { .. } => probes.hit(Probe::ForwardNotTaken),
            _ => {}
        }
    }

    fn answer(&mut self, id: RequestId, outcome: &Outcome, leads: bool, probes: &mut Probes) {
        let forwarded = self.forwarded.remove(&id);
        let read = self.reads.remove(&id);
        match outcome {
            Outcome::Done(Done::Written { at, .. }) => {
                let outlived = forwarded.is_some_and(|term| term < at.raft_term);
                probes.hit_if(Probe::WriteOutlivedLeader, outlived);
            }
            Outcome::Done(Done::Published) => probes.hit(Probe::NamePublished),
            Outcome::Done(Done::Readable { .. }) => probes.hit_if(Probe::ReadOnFollower, !leads),
            Outcome::Refused(Refused::LeaderChanged) => probes.hit(Probe::LeaderChanged),
            Outcome::Refused(Refused::NoLeader) => {
                probes.hit(Probe::NoLeader);
                probes.hit_if(Probe::ReadLostLeader, read.is_some_and(|since| since < self.steps));
            }
            Outcome::Refused(Refused::Bound(_)) => probes.hit(Probe::OverBound),
            Outcome::Refused(Refused::Deadline) => probes.hit(Probe::ReadTimedOut),
            Outcome::Lost(Lost::Deadline) => probes.hit(Probe::WriteTimedOut),
            Outcome::Lost(Lost::Snapshot) => probes.hit(Probe::LostToSnapshot),
            _ => {}
        }
    }
}

/// What became of the writes of which nobody could say, as far as their values tell.
pub(super) fn lost(history: &History, hint: &Hint, probes: &mut Probes) {
    let lost = history.operations().iter().filter(|it| it.is_unknown_write());
    let mut lost: BTreeSet<&str> = lost.filter_map(|it| value(&it.write()?.change)).collect();
    let asked = lost.len();
    for event in hint.in_order().into_iter().flatten() {
        if let Some(value) = &event.node.value {
            lost.remove(&**value);
        }
    }
    probes.hit_times(Probe::LostAndApplied, (asked - lost.len()) as u64);
    probes.hit_times(Probe::LostForGood, lost.len() as u64);
}

/// The value of a write by which it is known: none is written twice but the empty one.
fn value(change: &Change) -> Option<&str> {
    let value = match change {
        Change::Set { content: Content::File(value), .. }
        | Change::Create { content: Content::File(value), .. }
        | Change::CreateInOrder { content: Content::File(value), .. }
        | Change::Update { value: Some(value), .. }
        | Change::CompareAndSwap { value, .. } => value,
        _ => return None,
    };
    (!value.is_empty()).then_some(value)
}
