//! Election timeouts are drawn, by every node and in every life anew (raft paper, §5.2):
//! where all wait alike they stand for election together, and split the vote again and
//! again.
//!
//! Seen from how many ticks nodes wait that hear from no leader and no candidate between
//! their birth and their first election. So many waits are all equal by chance in one of
//! some million runs.

use std::collections::BTreeMap;

use quorate_engine::message::RaftKind;
use quorate_engine::{Config, Input, Message, NodeId, Role};

use super::{Observation, Property, received};

/// Waits that must not all be equal; of each there are nine lengths.
const ALIKE: usize = 8;

#[derive(Debug)]
pub(super) struct Timeouts {
    /// A single member need not wait.
    alone: bool,
    /// Ticks that nodes have waited since their birth, undisturbed.
    waiting: BTreeMap<NodeId, u32>,
    /// Ticks that the first one waited, and how many have waited as long; nothing once
    /// two have differed.
    alike: Option<(u32, usize)>,
}

impl Timeouts {
    pub(super) fn new(config: &Config) -> Self {
        let alone = config.members.len() == 1;
        Self { alone, waiting: BTreeMap::new(), alike: Some((0, 0)) }
    }

    fn waited(&mut self, ticks: u32) -> Result<(), String> {
        let Some((first, count)) = self.alike else { return Ok(()) };
        self.alike = (count == 0 || first == ticks).then_some((ticks, count + 1));
        match self.alike {
            Some((_, count)) if count >= ALIKE => Err(format!(
                "{count} lives waited for {ticks} ticks before an election, and none otherwise"
            )),
            _ => Ok(()),
        }
    }
}

impl Property for Timeouts {
    fn name(&self) -> &'static str {
        "election timeouts are drawn"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::Born(_) if !self.alone => {
                self.waiting.insert(node, 0);
            }
            Observation::In(Input::Tick { .. }) => {
                self.waiting.entry(node).and_modify(|ticks| *ticks += 1);
            }
            Observation::View(view) if view.role != Role::Follower => {
                if let Some(ticks) = self.waiting.remove(&node) {
                    return self.waited(ticks);
                }
            }
            _ if disturbs(what) => {
                self.waiting.remove(&node);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the wait begins anew: not because somebody asks who would vote for it.
fn disturbs(what: &Observation<'_>) -> bool {
    let chunk = matches!(what, Observation::In(Input::Peer { message: Message::Chunk(_), .. }));
    let asks = |kind| matches!(kind, RaftKind::RequestPreVote | RaftKind::RequestPreVoteResponse);
    chunk
        || matches!(what, Observation::Died)
        || received(what).is_some_and(|(_, raft)| !asks(raft.kind))
}
