//! Drawing a plan: what a seed makes of a weather file.

use quorate_engine::NodeId;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::atlas;
use super::plan::{Action, Broken, How, Plan, State, Step};
use super::scenario::{Down, Fault, Heals, Scenario};
use super::{some, stream};

type Links = Vec<(NodeId, NodeId)>;

/// What one fault does, beginning after so many ms each.
type Done = Vec<(u64, Action)>;

/// Draws one fault that lasts so many ms.
type Draw = Box<dyn Fn(&mut Xoshiro256PlusPlus, u64) -> Done>;

impl Plan {
    /// Draws a plan.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let damaged = atlas::damaged(scenario, seed);
        let mut steps = Vec::new();
        for (name, fault, draw) in kinds(scenario, &damaged) {
            let mut rng = stream(seed, name);
            let out = scenario.swarm && rng.random_bool(0.5);
            let scale = if scenario.swarm { rng.random_range(0.3..2.0) } else { 1.0 };
            let Some(fault) = fault.filter(|_| !out) else { continue };
            let storm_ms = scenario.storm_s * 1000;
            sprinkle(&mut rng, fault, scale, storm_ms, &*draw, &mut steps);
        }
        if let Some(down) = scenario.down {
            steps.extend(down_for_good(&mut stream(seed, "down"), scenario, down));
        }
        steps.sort_by_key(|step| step.at_ms);
        Self { broken: broken(scenario, seed, &steps, &damaged), steps, asked: None }
    }
}

/// Every kind of fault: what its chance comes from, how often it comes, how it is drawn.
fn kinds(scenario: &Scenario, damaged: &[NodeId]) -> Vec<(&'static str, Option<Fault>, Draw)> {
    let (nodes, faults) = (scenario.nodes, &scenario.faults);
    let most_drift = (scenario.clocks.drift * 1_000.0) as i64;
    let processes = scenario.recipe.map_or(0, |recipe| recipe.cast().processes);
    let cut = move |links: fn(&mut Xoshiro256PlusPlus, u64) -> Links| -> Draw {
        Box::new(move |rng, ms| now(Action::Cut(links(rng, nodes), ms)))
    };
    let of = |action: fn(u64, u64) -> Action, among: u64| -> Draw {
        Box::new(move |rng, ms| now(action(one(rng, among), ms)))
    };
    let harm = |action: fn(NodeId, u64) -> Action| -> Draw {
        let damaged = damaged.to_vec();
        Box::new(move |rng, ms| now(action(damaged[rng.random_range(0..damaged.len())], ms)))
    };
    vec![
        ("partition", faults.partition, cut(partition)),
        ("one-way", faults.one_way, cut(one_way)),
        ("isolate", faults.isolate, cut(isolation)),
        ("bridge", faults.bridge, cut(bridge)),
        ("flap", faults.flap, Box::new(move |rng, ms| flap(rng, nodes, ms))),
        ("clog", faults.clog, Box::new(move |rng, ms| now(Action::Clog(one_way(rng, nodes), ms)))),
        ("crash", faults.crash, of(Action::Crash, nodes)),
        ("crash-all", faults.crash_all, Box::new(move |_, ms| crash_all(nodes, ms))),
        ("restarts", faults.restarts, Box::new(move |rng, ms| restarts(rng, nodes, ms))),
        ("ambush", faults.ambush, Box::new(ambush)),
        ("kill", faults.kill, of(Action::Kill, nodes)),
        ("kill-crash", faults.kill_crash, of(Action::KillCrash, nodes)),
        ("pause", faults.pause, of(Action::Pause, nodes)),
        ("stall", faults.stall, of(Action::Stall, nodes)),
        ("disk-error", faults.disk_error, of(|id, _| Action::DiskError(id), nodes)),
        ("no-space", faults.no_space, of(Action::NoSpace, nodes)),
        ("rot", faults.rot, harm(Action::Rot)),
        ("misdirect", faults.misdirect, harm(|id, _| Action::Misdirect(id))),
        ("lost-names", faults.lost_names, harm(Action::LostNames)),
        ("freeze", faults.clock_freeze, of(Action::Freeze, nodes)),
        ("strobe", faults.clock_strobe, of(Action::Strobe, nodes)),
        ("jump", faults.clock_jump, Box::new(move |rng, ms| jump(rng, nodes, ms))),
        ("process-pause", faults.process_pause, of(Action::PauseProcess, processes)),
        ("process-crash", faults.process_crash, of(Action::CrashProcess, processes)),
        ("rot-tail", faults.rot_tail, harm(Action::RotTail)),
        ("drift", faults.clock_drift, Box::new(move |rng, _| drift(rng, nodes, most_drift))),
    ]
}

fn now(action: Action) -> Done {
    vec![(0, action)]
}

fn one(rng: &mut Xoshiro256PlusPlus, among: u64) -> u64 {
    rng.random_range(1..=among)
}

fn partition(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> Links {
    sides(rng, nodes, links(nodes).collect())
}

/// Those of the links that lie between two sides, drawn so that there are some.
fn sides(rng: &mut Xoshiro256PlusPlus, nodes: u64, links: Links) -> Links {
    loop {
        let side: Vec<bool> = (0..=nodes).map(|_| rng.random_bool(0.5)).collect();
        let side = |id: u64| side[usize::try_from(id).expect("small")];
        let parted: Links = links.iter().copied().filter(|(a, b)| side(*a) != side(*b)).collect();
        if !parted.is_empty() || links.is_empty() {
            return parted;
        }
    }
}

fn one_way(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> Links {
    let links: Links = links(nodes).collect();
    vec![links[rng.random_range(0..links.len())]]
}

fn isolation(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> Links {
    let alone = one(rng, nodes);
    links(nodes).filter(|(a, b)| (*a == alone) != (*b == alone)).collect()
}

fn bridge(rng: &mut Xoshiro256PlusPlus, nodes: u64) -> Links {
    let both = one(rng, nodes);
    let others = links(nodes).filter(|(a, b)| *a != both && *b != both).collect();
    sides(rng, nodes, others)
}

fn flap(rng: &mut Xoshiro256PlusPlus, nodes: u64, lasts_ms: u64) -> Done {
    let links = isolation(rng, nodes);
    let (mut at, mut done) = (0, Vec::new());
    while at < lasts_ms {
        let [cut, joined] = [rng.random_range(20..400), rng.random_range(20..400)];
        done.push((at, Action::Cut(links.clone(), cut)));
        at += cut + joined;
    }
    done
}

fn crash_all(nodes: u64, ms: u64) -> Done {
    (1..=nodes).map(|id| (0, Action::Crash(id, ms))).collect()
}

fn restarts(rng: &mut Xoshiro256PlusPlus, nodes: u64, lasts_ms: u64) -> Done {
    let id = one(rng, nodes);
    let (mut at, mut done) = (0, Vec::new());
    while at < lasts_ms {
        let [dark, lit] = [rng.random_range(1..50), rng.random_range(1..150)];
        done.push((at, Action::Crash(id, dark)));
        at += dark + lit;
    }
    done
}

fn ambush(rng: &mut Xoshiro256PlusPlus, ms: u64) -> Done {
    let state = State::ALL[rng.random_range(0..State::ALL.len())];
    now(if rng.random_bool(0.7) { Action::Ambush(state, ms) } else { Action::Strand(state, ms) })
}

fn jump(rng: &mut Xoshiro256PlusPlus, nodes: u64, ms: u64) -> Done {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    now(Action::Jump(one(rng, nodes), if rng.random_bool(0.5) { ms } else { -ms }))
}

fn drift(rng: &mut Xoshiro256PlusPlus, nodes: u64, most: i64) -> Done {
    now(Action::Drift(one(rng, nodes), rng.random_range(-most..=most)))
}

fn links(nodes: u64) -> impl Iterator<Item = (NodeId, NodeId)> {
    (1..=nodes).flat_map(move |a| (1..=nodes).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

fn sprinkle(
    rng: &mut Xoshiro256PlusPlus,
    fault: Fault,
    scale: f64,
    until_ms: u64,
    draw: &dyn Fn(&mut Xoshiro256PlusPlus, u64) -> Done,
    steps: &mut Vec<Step>,
) {
    let mut at = 0.0;
    loop {
        let gap = -rng.random_range(f64::EPSILON..1.0).ln() * fault.every_s * scale * 1000.0;
        at += gap.max(1.0);
        let begin_ms = at as u64;
        if begin_ms >= until_ms {
            return;
        }
        let lasts = rng.random_range(fault.lasts_ms[0]..=fault.lasts_ms[1]);
        let done = draw(rng, lasts.min(until_ms - begin_ms).max(1));
        steps.extend(done.into_iter().filter_map(|(after_ms, action)| {
            let at_ms = begin_ms + after_ms;
            (at_ms < until_ms).then_some(Step { at_ms, action })
        }));
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

/// What stays broken: in most runs all but a bare majority of the nodes that are neither
/// down nor damaged.
fn broken(scenario: &Scenario, seed: u64, steps: &[Step], damaged: &[NodeId]) -> Vec<Broken> {
    let rng = &mut stream(seed, "broken");
    let down = |id: NodeId| steps.iter().any(|step| step.action == Action::Down(id));
    let sound: Vec<_> =
        (1..=scenario.nodes).filter(|id| !down(*id) && !damaged.contains(id)).collect();
    let spare = (sound.len() as u64).saturating_sub(scenario.nodes / 2 + 1);
    let all_heal = rng.random_bool(0.25);
    if scenario.heals == Heals::All || all_heal {
        return Vec::new();
    }
    let victims = some(rng, sound, spare);
    let how = |rng: &mut Xoshiro256PlusPlus| How::ALL[rng.random_range(0..How::ALL.len())];
    victims.into_iter().map(|node| Broken { node, how: how(rng) }).collect()
}
