//! What goes wrong, when: explicit data, drawn before the run.

use std::collections::BTreeSet;
use std::fmt;

use quorate_engine::NodeId;
use serde::{Deserialize, Serialize};

use super::journal::Links;

/// Everything that will be done to a cluster, in order of time, and what its clients
/// will ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What stays broken for ever when the storm is over; all else is well then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    /// The operations that are asked for, as (client, which of its operations from 0);
    /// without it all of them. A client thinks of the others all the same, so that
    /// these stay what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<BTreeSet<(u64, u64)>>,
}

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Step {
    /// When, in ms since the beginning.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// What may be done to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// These directed links carry nothing for so many ms.
    Cut(Vec<(NodeId, NodeId)>, u64),
    /// What these directed links carry is held back for so many ms.
    Clog(Vec<(NodeId, NodeId)>, u64),
    /// The power fails; it comes back after so many ms.
    Crash(NodeId, u64),
    /// The power of the next node that comes into a state fails just then; it comes
    /// back after so many ms.
    Ambush(State, u64),
    /// The next node that comes into a state is cut off just then, and its disk answers
    /// nothing, for so many ms.
    Strand(State, u64),
    /// The process is killed; another starts after so many ms.
    Kill(NodeId, u64),
    /// The process is killed and starts again; after so many ms the power fails.
    KillCrash(NodeId, u64),
    /// The node does nothing for so many ms.
    Pause(NodeId, u64),
    /// The disk answers nothing for so many ms.
    Stall(NodeId, u64),
    /// The next disk operation fails.
    DiskError(NodeId),
    /// The disk has no space for so many ms.
    NoSpace(NodeId, u64),
    /// The power fails, and of what was durable something has rotted; it comes back
    /// after so many ms.
    Rot(NodeId, u64),
    /// The next log write goes to another place.
    Misdirect(NodeId),
    /// The power fails, and the last changes of names are undone; it comes back after
    /// so many ms.
    LostNames(NodeId, u64),
    /// The power fails, and the last batch of the log has rotted, if a quorum holds it
    /// without this node; it comes back after so many ms.
    RotTail(NodeId, u64),
    /// The wall clock jumps by so many ms.
    Jump(NodeId, i64),
    /// The clocks stand still for so many ms.
    Freeze(NodeId, u64),
    /// The wall clock jumps to and fro, at every reading, for so many ms.
    Strobe(NodeId, u64),
    /// From now on every tick takes so many thousandths longer than it should.
    Drift(NodeId, i64),
    /// The power fails for good.
    Down(NodeId),
    /// A recipe's process does nothing for so many ms.
    PauseProcess(u64, u64),
    /// A recipe's process is gone; another takes its place after so many ms.
    CrashProcess(u64, u64),
}

/// A state that seldom lasts: there is no hitting it by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has just been elected; no entry of its term is committed.
    Elected,
    /// A log write has just begun.
    Writing,
    /// It has just begun to write a snapshot.
    Snapshotting,
    /// It has received a snapshot whole, and has just begun to make it its own.
    Installing,
    /// It has just been born, and puts right what its disk held.
    Recovering,
    /// As the leader it has just committed the first entry of its term, and with it all
    /// that earlier leaders had left.
    Established,
    /// It has a received snapshot under its name, and its log is just told that this takes
    /// the place of entries.
    Replacing,
}

/// A node that stays broken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Broken {
    /// Which.
    pub node: NodeId,
    /// In which way.
    pub how: How,
}

/// How a node may be broken for ever. Left out: links that lose much. raft keeps a
/// leader that gets enough through to be heard, however slow everything becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It has no power.
    Dark,
    /// It does nothing.
    Paused,
    /// Its disk answers nothing.
    Stalled,
    /// Nothing reaches it, and it reaches nobody.
    Isolated,
    /// Nothing reaches it.
    Deaf,
    /// It reaches nobody.
    Mute,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Elected,
        Self::Writing,
        Self::Snapshotting,
        Self::Installing,
        Self::Recovering,
        Self::Established,
        Self::Replacing,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elected => "elected",
            Self::Writing => "writing",
            Self::Snapshotting => "snapshotting",
            Self::Installing => "installing",
            Self::Recovering => "recovering",
            Self::Established => "established",
            Self::Replacing => "replacing",
        }
    }
}

impl How {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Dark, Self::Paused, Self::Stalled, Self::Isolated, Self::Deaf, Self::Mute];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Paused => "paused",
            Self::Stalled => "stalled",
            Self::Isolated => "isolated",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
        }
    }
}

impl Action {
    /// What it is, without whom and how long.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cut(..) => "cut",
            Self::Clog(..) => "clog",
            Self::Crash(..) => "crash",
            Self::Ambush(..) => "ambush",
            Self::Strand(..) => "strand",
            Self::Kill(..) => "kill",
            Self::KillCrash(..) => "kill-crash",
            Self::Pause(..) => "pause",
            Self::Stall(..) => "stall",
            Self::DiskError(_) => "disk-error",
            Self::NoSpace(..) => "no-space",
            Self::Rot(..) => "rot",
            Self::RotTail(..) => "rot-tail",
            Self::Misdirect(_) => "misdirect",
            Self::LostNames(..) => "lost-names",
            Self::Jump(..) => "jump",
            Self::Freeze(..) => "freeze",
            Self::Strobe(..) => "strobe",
            Self::Drift(..) => "drift",
            Self::Down(_) => "down",
            Self::PauseProcess(..) => "pause-process",
            Self::CrashProcess(..) => "crash-process",
        }
    }

    /// The same for half as long; none if there is no half.
    pub fn halved(&self) -> Option<Self> {
        let mut half = self.clone();
        match &mut half {
            Self::Cut(_, ms)
            | Self::Clog(_, ms)
            | Self::Crash(_, ms)
            | Self::Ambush(_, ms)
            | Self::Strand(_, ms)
            | Self::Kill(_, ms)
            | Self::KillCrash(_, ms)
            | Self::Pause(_, ms)
            | Self::Stall(_, ms)
            | Self::NoSpace(_, ms)
            | Self::Rot(_, ms)
            | Self::RotTail(_, ms)
            | Self::LostNames(_, ms)
            | Self::Freeze(_, ms)
            | Self::Strobe(_, ms)
            | Self::PauseProcess(_, ms)
            | Self::CrashProcess(_, ms) => *ms /= 2,
            Self::Jump(_, ms) => *ms /= 2,
            Self::Drift(_, thousandths) => *thousandths /= 2,
            Self::DiskError(_) | Self::Misdirect(_) | Self::Down(_) => return None,
        }
        (half != *self).then_some(half)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms  {}", self.at_ms, self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(links, ms) => write!(f, "cut {} for {ms} ms", Links(links)),
            Self::Clog(links, ms) => write!(f, "clog {} for {ms} ms", Links(links)),
            Self::Crash(node, ms) => write!(f, "crash n{node} for {ms} ms"),
            Self::Ambush(state, ms) => {
                write!(f, "crash the next node that is {}, for {ms} ms", state.name())
            }
            Self::Strand(state, ms) => {
                write!(f, "strand the next node that is {}, for {ms} ms", state.name())
            }
            Self::Kill(node, ms) => write!(f, "kill n{node} for {ms} ms"),
            Self::KillCrash(node, ms) => write!(f, "kill n{node}, crash it {ms} ms later"),
            Self::Pause(node, ms) => write!(f, "pause n{node} for {ms} ms"),
            Self::Stall(node, ms) => write!(f, "stall n{node}'s disk for {ms} ms"),
            Self::DiskError(node) => write!(f, "n{node}'s next disk operation fails"),
            Self::NoSpace(node, ms) => write!(f, "n{node}'s disk has no space for {ms} ms"),
            Self::Rot(node, ms) => write!(f, "crash n{node} for {ms} ms, its disk rots"),
            Self::RotTail(node, ms) => {
                write!(f, "crash n{node} for {ms} ms, the last batch of its log rots")
            }
            Self::Misdirect(node) => write!(f, "n{node}'s next log write goes elsewhere"),
            Self::LostNames(node, ms) => write!(f, "crash n{node} for {ms} ms, names are lost"),
            Self::Jump(node, ms) => write!(f, "n{node}'s wall clock jumps {ms} ms"),
            Self::Freeze(node, ms) => write!(f, "n{node}'s clocks stand still for {ms} ms"),
            Self::Strobe(node, ms) => write!(f, "n{node}'s wall clock strobes for {ms} ms"),
            Self::Drift(node, thousandths) => {
                write!(f, "n{node}'s ticks take {thousandths} thousandths longer")
            }
            Self::Down(node) => write!(f, "n{node} is down for good"),
            Self::PauseProcess(id, ms) => write!(f, "pause process {id} for {ms} ms"),
            Self::CrashProcess(id, ms) => write!(f, "crash process {id} for {ms} ms"),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{} stays {} for ever", self.node, self.how.name())
    }
}
