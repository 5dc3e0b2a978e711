//! Times to live, and who tells the time.

use quorate_engine::command::{Command, Do, Stamp};
use quorate_engine::message::RaftKind;
use quorate_engine::tree::{Action, Event};
use quorate_engine::{Entry, NodeId};

use super::{Cluster, Observer, Observers, Probe, Probes};
use crate::properties::{Observation, sent};

/// The bytes of a command that only tells the time: of all the shortest.
const STAMP_BYTES: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Time {
    /// The stamp of the last event, if it was that a key went by itself.
    expired: Option<Stamp>,
    /// The term of whoever showed the last event first.
    term: u64,
    /// The last stamp that was seen to travel, as (term, index).
    told: (u64, u64),
}

impl Observer for Time {
    fn observe(&mut self, _: &Cluster, _: NodeId, what: &Observation<'_>, probes: &mut Probes) {
        let Some((_, raft)) = sent(what).filter(|(_, raft)| raft.kind == RaftKind::Append) else {
            return;
        };
        for entry in &raft.entries {
            if self.told < (entry.term, entry.index) && is_stamp(entry) {
                self.told = (entry.term, entry.index);
                probes.hit(Probe::StampAlone);
            }
        }
    }
}

impl Observers {
    /// An event is shown for the first time, by a node in this term.
    pub fn shown(&mut self, event: &Event, term: u64) {
        let Self { time, probes, .. } = self;
        let expires = event.action == Action::Expire;
        let last = time.expired.take();
        let another = time.term < term;
        time.term = time.term.max(term);
        if expires {
            probes.hit(Probe::Expired);
            probes.hit_if(Probe::SeveralExpired, last == Some(event.stamp));
            probes.hit_if(Probe::ExpiredFirst, another);
            time.expired = Some(event.stamp);
        }
        if event.refresh {
            let left = event.prev.as_ref().and_then(|before| before.expires);
            probes.hit(Probe::Refreshed);
            probes.hit_if(Probe::RefreshedInTime, left.is_some_and(|left| left.ttl <= 1));
        }
    }
}

fn is_stamp(entry: &Entry) -> bool {
    let command = || Command::decode(entry.data.clone());
    entry.data.len() == STAMP_BYTES && command().is_ok_and(|it| it.action == Do::Stamp)
}
