//! Steps of a plan, as they look on a page.

use std::collections::BTreeSet;

use quorate_engine::NodeId;

use super::item::Lane;
use crate::weather::{Action, Broken, How};

/// Whom it befalls.
pub(super) fn lanes(action: &Action) -> Vec<Lane> {
    match *action {
        Action::Crash(node, _)
        | Action::Kill(node, _)
        | Action::KillCrash(node, _)
        | Action::Pause(node, _)
        | Action::Stall(node, _)
        | Action::DiskError(node)
        | Action::NoSpace(node, _)
        | Action::Rot(node, _)
        | Action::RotTail(node, _)
        | Action::Misdirect(node)
        | Action::LostNames(node, _)
        | Action::Jump(node, _)
        | Action::Drift(node, _)
        | Action::Freeze(node, _)
        | Action::Strobe(node, _)
        | Action::Down(node) => vec![Lane::Node(node)],
        Action::Cut(..)
        | Action::Clog(..)
        | Action::Ambush(..)
        | Action::Strand(..)
        | Action::PauseProcess(..)
        | Action::CrashProcess(..) => vec![Lane::World],
    }
}

/// What lasts for so many ms and ends by itself. Cuts, pauses and deaths end when the
/// journal says so.
pub(super) fn band(action: &Action) -> Option<(&'static str, u64)> {
    match *action {
        Action::Clog(_, ms) => Some(("clogged", ms)),
        Action::Stall(_, ms) => Some(("stalled", ms)),
        Action::NoSpace(_, ms) => Some(("no space", ms)),
        Action::Freeze(_, ms) => Some(("clocks stand still", ms)),
        Action::Strobe(_, ms) => Some(("clock strobes", ms)),
        Action::PauseProcess(_, ms) | Action::CrashProcess(_, ms) => Some(("process", ms)),
        Action::Cut(..)
        | Action::Crash(..)
        | Action::Ambush(..)
        | Action::Strand(..)
        | Action::Kill(..)
        | Action::KillCrash(..)
        | Action::Pause(..)
        | Action::DiskError(_)
        | Action::Rot(..)
        | Action::RotTail(..)
        | Action::Misdirect(_)
        | Action::LostNames(..)
        | Action::Jump(..)
        | Action::Drift(..)
        | Action::Down(_) => None,
    }
}

/// How a node that stays broken looks. One without power has died, as the journal says.
pub(super) fn broken(broken: &Broken) -> Option<&'static str> {
    match broken.how {
        How::Dark => None,
        How::Paused => Some("paused"),
        How::Stalled => Some("stalled"),
        How::Isolated | How::Deaf | How::Mute => Some(broken.how.name()),
    }
}

/// Cut links, as a person would say it: the sides of a partition, or one direction.
pub(super) fn cut(links: &[(NodeId, NodeId)]) -> String {
    let links: BTreeSet<_> = links.iter().copied().collect();
    let two_ways = links.iter().all(|(from, to)| links.contains(&(*to, *from)));
    if !two_ways || links.is_empty() {
        let each = links.iter().map(|(from, to)| format!("n{from} → n{to}"));
        return format!("cut {}", each.collect::<Vec<_>>().join(", "));
    }
    let mut sides: Vec<Vec<NodeId>> = Vec::new();
    let nodes: BTreeSet<_> = links.iter().map(|(from, _)| *from).collect();
    for node in nodes {
        let together = |side: &Vec<NodeId>| side.iter().all(|it| !links.contains(&(node, *it)));
        match sides.iter_mut().find(|side| together(side)) {
            Some(side) => side.push(node),
            None => sides.push(vec![node]),
        }
    }
    let name = |side: &Vec<NodeId>| {
        side.iter().map(|node| format!("n{node}")).collect::<Vec<_>>().join(" ")
    };
    format!("cut: {}", sides.iter().map(name).collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_told_as_sides_or_directions() {
        let both = |pairs: &[(u64, u64)]| {
            pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect::<Vec<_>>()
        };
        assert_eq!(cut(&[(1, 2)]), "cut n1 → n2");
        assert_eq!(cut(&both(&[(1, 3), (2, 3)])), "cut: n1 n2 | n3");
        assert_eq!(cut(&both(&[(1, 2)])), "cut: n1 | n2");
        assert_eq!(cut(&[]), "cut ");
    }
}
