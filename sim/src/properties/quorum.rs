//! Nothing is decided without a majority (raft paper, §5.2 and §5.3): a leader
//! was given a majority of votes, and what it commits was acknowledged in its
//! term by a majority, itself among them, and is an entry of its own term (§5.4.2):
//! earlier ones come with it. Everybody else only repeats. (A leader
//! that commits something and hears of its successor in one step is seen to believe
//! it as a follower.)

use std::collections::BTreeMap;

use quorate_engine::message::RaftKind;
use quorate_engine::{NodeId, Role, View};

use super::{Observation, Property, sent, shown, trim};

#[derive(Debug)]
pub(super) struct Quorum {
    quorum: usize,
    /// By (term, voter): the candidate voted for.
    votes: BTreeMap<(u64, NodeId), NodeId>,
    /// By (term, follower): the highest index acknowledged.
    acks: BTreeMap<(u64, NodeId), u64>,
    /// By (term of a leader, index): the term of the entry that it showed there.
    shown: BTreeMap<(u64, u64), u64>,
    /// The highest index that a leader has rightly committed.
    committed: u64,
    /// By node: what it knew to be committed when it was last seen.
    known: BTreeMap<NodeId, u64>,
    /// By node: the term in which it led when it was last seen.
    led: BTreeMap<NodeId, u64>,
}

impl Quorum {
    pub(super) fn new(quorum: usize) -> Self {
        Self {
            quorum,
            votes: BTreeMap::new(),
            acks: BTreeMap::new(),
            shown: BTreeMap::new(),
            committed: 0,
            known: BTreeMap::new(),
            led: BTreeMap::new(),
        }
    }
}

impl Property for Quorum {
    fn name(&self) -> &'static str {
        "a majority decides"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::Born(view) | Observation::View(view) => self.look(node, view),
            Observation::Died => {
                self.led.remove(&node);
                self.known.remove(&node);
                Ok(())
            }
            _ => {
                self.listen(node, what);
                Ok(())
            }
        }
    }
}

impl Quorum {
    fn listen(&mut self, node: NodeId, what: &Observation<'_>) {
        let Some((to, raft)) = sent(what).filter(|(_, raft)| !raft.reject) else { return };
        match raft.kind {
            RaftKind::RequestVoteResponse => {
                self.votes.insert((raft.term, node), to);
                trim(&mut self.votes);
            }
            RaftKind::Append => {
                let term = raft.term;
                self.shown.extend(shown(raft).map(|(index, of)| ((term, index), of)));
                trim(&mut self.shown);
            }
            RaftKind::AppendResponse => {
                let index = self.acks.entry((raft.term, node)).or_default();
                *index = raft.index.max(*index);
                trim(&mut self.acks);
            }
            _ => {}
        }
    }

    fn look(&mut self, node: NodeId, view: &View) -> Result<(), String> {
        let leads = view.role == Role::Leader;
        let led = if leads { self.led.insert(node, view.term) } else { self.led.remove(&node) };
        if leads && led != Some(view.term) {
            let votes = of_term(&self.votes, view.term);
            let voters = votes.filter(|candidate| **candidate == node).count();
            self.majority(voters, || format!("leads in term {}", view.term))?;
        }
        let known = self.known.insert(node, view.committed).unwrap_or_default();
        // Also what another has committed before, a leader must find out for itself.
        let leads_on = leads && led == Some(view.term) && view.committed > known;
        if view.committed <= self.committed && !leads_on {
            return Ok(());
        }
        let term = if leads { Some(view.term) } else { led };
        let Some(term) = term else {
            return Err(format!(
                "believes {} committed; no leader has got beyond {}",
                view.committed, self.committed
            ));
        };
        self.committed = view.committed.max(self.committed);
        let acks = of_term(&self.acks, term);
        let holders = acks.filter(|index| **index >= view.committed).count();
        self.majority(holders, || format!("commits {}", view.committed))?;
        match self.shown.get(&(term, view.committed)).filter(|of| **of < term) {
            Some(of) if led == Some(term) => Err(format!(
                "commits {}@{of} in term {term}, which counting does not",
                view.committed
            )),
            _ => Ok(()),
        }
    }

    fn majority(&self, others: usize, does: impl Fn() -> String) -> Result<(), String> {
        if others + 1 >= self.quorum {
            return Ok(());
        }
        Err(format!("{} with {others} others behind it; a quorum is {}", does(), self.quorum))
    }
}

fn of_term<V>(map: &BTreeMap<(u64, NodeId), V>, term: u64) -> impl Iterator<Item = &V> {
    map.range((term, 0)..=(term, NodeId::MAX)).map(|(_, value)| value)
}
