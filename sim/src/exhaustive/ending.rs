//! How every schedule ends: nothing is left under way, all nodes are up, they serve
//! and agree, and what clients saw is judged.

use quorate_engine::tree::{Path, Read};
use quorate_engine::{NodeId, View};

use super::Objection;
use super::play::{ELECTION_TICKS, HARNESS, NODES, Play};
use super::scene::{list, set};
use crate::check::{self, Hint, durable};
use crate::history::{Answer, OpId};

/// Ticks within which a cluster that is left alone serves: 20 election timeouts.
const BOUND: u32 = 20 * ELECTION_TICKS;

/// Ends a schedule and judges it.
pub(super) fn end(play: &mut Play<'_>) -> Result<(), Objection> {
    play.revive()?;
    play.table.settle()?;
    play.listen();
    serves(play)?;
    judge(play)
}

/// A write is acknowledged and every node reads it back, and all are in one state.
fn serves(play: &mut Play<'_>) -> Result<(), Objection> {
    let mut asked = None;
    let mut reads: Vec<OpId> = Vec::new();
    for _ in 0..BOUND {
        let written = asked.map(|id| answered(play, id));
        let read = reads.iter().filter(|id| answered(play, **id) == Some(true)).count();
        if written == Some(Some(true)) && read as u64 == NODES && agree(play) {
            return Ok(());
        }
        if written.is_none_or(|written| written == Some(false)) {
            asked = Some(play.ask(HARNESS, 1, set("/end", ""))?);
        } else if written == Some(Some(true)) && (reads.is_empty() || refused(play, &reads)) {
            let read = |node| play.ask(HARNESS, node, list("/"));
            reads = (1..=NODES).map(read).collect::<Result<_, _>>()?;
        }
        play.table.pass()?;
        play.listen();
        play.nobody_halted()?;
    }
    let views: Vec<String> = views(play).map(|(id, it)| format!("n{id} {:?}", it.role)).collect();
    Err(Objection::new("serves again", format!("not after {BOUND} ticks: {}", views.join(", "))))
}

/// Whether it is answered, and then whether with what was asked for.
fn answered(play: &Play<'_>, id: OpId) -> Option<bool> {
    let operation = &play.history.operations()[id];
    let served = matches!(operation.answer, Answer::Written { .. } | Answer::Read { .. });
    operation.returned_at.map(|_| served)
}

fn refused(play: &Play<'_>, reads: &[OpId]) -> bool {
    reads.iter().any(|id| answered(play, *id) == Some(false))
}

fn agree(play: &Play<'_>) -> bool {
    let mut states: Vec<_> = views(play).map(|(_, view)| (view.applied, view.digest)).collect();
    states.dedup();
    states.len() == 1
}

fn views(play: &Play<'_>) -> impl Iterator<Item = (NodeId, View)> {
    (1..=NODES).filter_map(|id| Some((id, play.table.view(id)?)))
}

fn judge(play: &Play<'_>) -> Result<(), Objection> {
    let mut hint = Hint::new(2 * NODES + 1);
    let mut last = None;
    for (_, view) in views(play) {
        for event in view.tree.history() {
            hint.learn(event)?;
        }
        let root = view.read(&Read { path: Path::root(), recursive: true });
        let (store_index, clock) = (view.tree.store_index(), view.tree.clock());
        last = root.ok().map(|(root, _)| durable::Final { store_index, clock, root });
    }
    check::check(&play.history, &hint)?;
    durable::check_final(&play.history, &hint, &last.expect("all nodes are up"))?;
    Ok(())
}

impl From<check::Violation> for Objection {
    fn from(violation: check::Violation) -> Self {
        Self::new(violation.oracle(), violation.to_string())
    }
}
