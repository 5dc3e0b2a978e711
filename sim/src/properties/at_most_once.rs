//! No write happens twice, and one that was refused never happens, whatever
//! became of the leader it was given to (ARCHITECTURE.md, decisions 5 and 10).
//!
//! A write is named by its origin and the driver's request id; in simulations no
//! id is used twice on one node. It has happened when a leader shows its entry
//! committed, itself or by an entry behind it. Stamps are nobody's and repeat.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::command::{Command, Do};
use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{Entry, NodeId, Outcome, Output, Refused, RequestId};

use super::{Observation, Property, sent, shown, trim};

type Name = (NodeId, RequestId);

#[derive(Debug, Default)]
pub(super) struct AtMostOnce {
    /// By (index, term) of an entry: the term of the entry before it, and the
    /// write in it.
    entries: BTreeMap<(u64, u64), (u64, Option<Name>)>,
    /// Every entry up to here has been looked at, if it was ever shown.
    committed: u64,
    /// The index at which a write happened.
    happened: BTreeMap<Name, u64>,
    refused: BTreeSet<Name>,
}

impl Property for AtMostOnce {
    fn name(&self) -> &'static str {
        "a write happens at most once"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        if let Observation::Out(Output::Reply { id, outcome: Outcome::Refused(why) }) = what
            && !matches!(why, Refused::Tree { .. })
        {
            self.refuse((node, *id))?;
        }
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        if raft.kind != RaftKind::Append {
            return Ok(());
        }
        self.learn(raft);
        match shown(raft).filter(|(index, _)| *index <= raft.commit).last() {
            Some(at) if at.0 > self.committed => self.commit(at),
            _ => Ok(()),
        }
    }
}

impl AtMostOnce {
    fn refuse(&mut self, name: Name) -> Result<(), String> {
        self.refused.insert(name);
        while self.refused.len() > super::WINDOW {
            self.refused.pop_first();
        }
        match self.happened.get(&name) {
            None => Ok(()),
            Some(index) => Err(format!("refused request {}, which is entry {index}", name.1)),
        }
    }

    fn learn(&mut self, raft: &RaftMessage) {
        let mut before = raft.log_term;
        for entry in &raft.entries {
            let at = (entry.index, entry.term);
            self.entries.entry(at).or_insert_with(|| (before, write_in(entry)));
            before = entry.term;
        }
        trim(&mut self.entries);
    }

    /// The entry here is committed, and all before it are.
    fn commit(&mut self, (last, mut term): (u64, u64)) -> Result<(), String> {
        for index in (self.committed + 1..=last).rev() {
            let Some((before, write)) = self.entries.get(&(index, term)).copied() else { break };
            if let Some(name) = write {
                self.happen(name, index)?;
            }
            term = before;
        }
        self.committed = last;
        trim(&mut self.happened);
        Ok(())
    }

    fn happen(&mut self, name @ (node, id): Name, index: u64) -> Result<(), String> {
        if self.refused.contains(&name) {
            return Err(format!("entry {index} is request {id} of n{node}, which was refused"));
        }
        match self.happened.insert(name, index) {
            None => Ok(()),
            Some(other) => Err(format!("request {id} of n{node} is entry {other} and {index}")),
        }
    }
}

fn write_in(entry: &Entry) -> Option<Name> {
    let Command { origin, action, .. } = Command::decode(entry.data.clone()).ok()?;
    (action != Do::Stamp).then_some((origin.node, origin.seq))
}
