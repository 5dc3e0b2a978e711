//! What goes wrong, when: explicit data, drawn before the run.

use std::collections::BTreeSet;
use std::fmt;

use quorate_engine::NodeId;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::scenario::{Down, Fault, Scenario};
use super::stream;

/// Everything that will be done to a cluster, in order of time, and what its clients
/// will ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
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
    /// The power fails; it comes back after so many ms.
    Crash(NodeId, u64),
    /// The process is killed; another starts after so many ms.
    Kill(NodeId, u64),
    /// The process is killed and starts again; after so many ms the power fails.
    KillCrash(NodeId, u64),
    /// The node does nothing for so many ms.
    Pause(NodeId, u64),
    /// The disk answers nothing for so many ms.
    Stall(NodeId, u64),
    /// The wall clock jumps by so many ms.
    Jump(NodeId, i64),
    /// The power fails for good.
    Down(NodeId),
    /// A recipe's process does nothing for so many ms.
    PauseProcess(u64, u64),
    /// A recipe's process is gone; another takes its place after so many ms.
    CrashProcess(u64, u64),
}

impl Action {
    /// What it is, without whom and how long.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cut(..) => "cut",
            Self::Crash(..) => "crash",
            Self::Kill(..) => "kill",
            Self::KillCrash(..) => "kill-crash",
            Self::Pause(..) => "pause",
            Self::Stall(..) => "stall",
            Self::Jump(..) => "jump",
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
            | Self::Crash(_, ms)
            | Self::Kill(_, ms)
            | Self::KillCrash(_, ms)
            | Self::Pause(_, ms)
            | Self::Stall(_, ms)
            | Self::PauseProcess(_, ms)
            | Self::CrashProcess(_, ms) => *ms /= 2,
            Self::Jump(_, ms) => *ms /= 2,
            Self::Down(_) => return None,
        }
        (half != *self).then_some(half)
    }
}

type Draw = dyn Fn(&mut Xoshiro256PlusPlus, u64) -> Action;

impl Plan {
    /// Draws a plan.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let nodes = scenario.nodes;
        let faults = &scenario.faults;
        let processes = scenario.recipe.map_or(0, |recipe| recipe.cast().processes);
        let kinds: [(&str, Option<Fault>, Box<Draw>); 11] = [
            (
                "partition",
                faults.partition,
                Box::new(move |rng, ms| Action::Cut(partition(rng, nodes), ms)),
            ),
            (
                "one-way",
                faults.one_way,
                Box::new(move |rng, ms| {
                    let (from, to) = (node(rng, nodes), node(rng, nodes));
                    Action::Cut(vec![(from, to)], ms)
                }),
            ),
            (
                "isolate",
                faults.isolate,
                Box::new(move |rng, ms| {
                    let alone = node(rng, nodes);
                    let others = (1..=nodes).filter(|other| *other != alone);
                    Action::Cut(
                        others.flat_map(|other| [(alone, other), (other, alone)]).collect(),
                        ms,
                    )
                }),
            ),
            ("crash", faults.crash, Box::new(move |rng, ms| Action::Crash(node(rng, nodes), ms))),
            ("kill", faults.kill, Box::new(move |rng, ms| Action::Kill(node(rng, nodes), ms))),
            (
                "kill-crash",
                faults.kill_crash,
                Box::new(move |rng, ms| Action::KillCrash(node(rng, nodes), ms)),
            ),
            ("pause", faults.pause, Box::new(move |rng, ms| Action::Pause(node(rng, nodes), ms))),
            ("stall", faults.stall, Box::new(move |rng, ms| Action::Stall(node(rng, nodes), ms))),
            (
                "jump",
                faults.clock_jump,
                Box::new(move |rng, ms| {
                    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
                    Action::Jump(node(rng, nodes), if rng.random_bool(0.5) { ms } else { -ms })
                }),
            ),
            (
                "process-pause",
                faults.process_pause,
                Box::new(move |rng, ms| Action::PauseProcess(node(rng, processes), ms)),
            ),
            (
                "process-crash",
                faults.process_crash,
                Box::new(move |rng, ms| Action::CrashProcess(node(rng, processes), ms)),
            ),
        ];
        let mut steps = Vec::new();
        for (name, fault, action) in kinds {
            let mut rng = stream(seed, name);
            let out = scenario.swarm && rng.random_bool(0.5);
            let scale = if scenario.swarm { rng.random_range(0.3..2.0) } else { 1.0 };
            let Some(fault) = fault.filter(|_| !out) else { continue };
            let storm_ms = scenario.storm_s * 1000;
            sprinkle(&mut rng, fault, scale, storm_ms, action.as_ref(), &mut steps);
        }
        if let Some(down) = scenario.down {
            steps.extend(down_for_good(&mut stream(seed, "down"), scenario, down));
        }
        steps.sort_by_key(|step| step.at_ms);
        Self { steps, asked: None }
    }
}

fn node(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> NodeId {
    rng.random_range(1..=nodes)
}

fn partition(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> Vec<(NodeId, NodeId)> {
    let side: Vec<bool> = (0..=nodes).map(|_| rng.random_bool(0.5)).collect();
    let side = |id: u64| side[usize::try_from(id).expect("small")];
    let links = (1..=nodes).flat_map(|a| (1..=nodes).map(move |b| (a, b)));
    links.filter(|(a, b)| side(*a) != side(*b)).collect()
}

fn sprinkle(
    rng: &mut Xoshiro256PlusPlus,
    fault: Fault,
    scale: f64,
    until_ms: u64,
    action: &Draw,
    steps: &mut Vec<Step>,
) {
    let mut at = 0.0;
    loop {
        let gap = -rng.random_range(f64::EPSILON..1.0).ln() * fault.every_s * scale * 1000.0;
        at += gap.max(1.0);
        let at_ms = at as u64;
        if at_ms >= until_ms {
            return;
        }
        let lasts = rng.random_range(fault.lasts_ms[0]..=fault.lasts_ms[1]);
        steps.push(Step { at_ms, action: action(rng, lasts.min(until_ms - at_ms).max(1)) });
    }
}

fn down_for_good(rng: &mut Xoshiro256PlusPlus, scenario: &Scenario, down: Down) -> Vec<Step> {
    let mut alive: Vec<NodeId> = (1..=scenario.nodes).collect();
    let half = scenario.storm_s * 500;
    (0..down.nodes)
        .map(|_| {
            let victim = alive.swap_remove(rng.random_range(0..alive.len()));
            Step { at_ms: rng.random_range(half / 2..half), action: Action::Down(victim) }
        })
        .collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms  ", self.at_ms)?;
        match &self.action {
            Action::Cut(links, ms) => {
                let links: Vec<String> = links.iter().map(|(a, b)| format!("n{a}-n{b}")).collect();
                write!(f, "cut {} for {ms} ms", links.join(" "))
            }
            Action::Crash(node, ms) => write!(f, "crash n{node} for {ms} ms"),
            Action::Kill(node, ms) => write!(f, "kill n{node} for {ms} ms"),
            Action::KillCrash(node, ms) => write!(f, "kill n{node}, crash it {ms} ms later"),
            Action::Pause(node, ms) => write!(f, "pause n{node} for {ms} ms"),
            Action::Stall(node, ms) => write!(f, "stall n{node}'s disk for {ms} ms"),
            Action::Jump(node, ms) => write!(f, "n{node}'s wall clock jumps {ms} ms"),
            Action::Down(node) => write!(f, "n{node} is down for good"),
            Action::PauseProcess(id, ms) => write!(f, "pause process {id} for {ms} ms"),
            Action::CrashProcess(id, ms) => write!(f, "crash process {id} for {ms} ms"),
        }
    }
}
