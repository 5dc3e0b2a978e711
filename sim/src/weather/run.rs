//! One run: storm, calm, verdict.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::{Handle, Runtime};
use quorate_engine::NodeId;
use quorate_engine::tree::{Path, Read};
use tokio::sync::mpsc;

use super::calm::Core;
use super::client;
use super::courier;
use super::journal::{self, Detail, Journal, Pages, Record};
use super::lies::Lie;
use super::nemesis::Nemesis;
use super::plan::{Action, Plan};
use super::scenario::{Expect, Scenario};
use super::world::{Shared, World};
use super::{node, stream, watcher};
use crate::check::{self, Hint, Violation, durable, ttl, watches};
use crate::history::History;
use crate::probes::{Probe, Probes};
use crate::recipes::Processes;
use crate::workload::{Mix, Workload};

/// The oracle that objects when anything panics.
pub(super) const NO_PANIC: &str = "no panic";

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of every input, output and disk byte: equal for equal runs.
    pub digest: u64,
    /// Steps of all engines.
    pub steps: u64,
    /// Operations of clients.
    pub operations: usize,
    /// Writes acknowledged.
    pub written: usize,
    /// Writes of which nobody can say.
    pub lost: usize,
    /// Steps of the plan.
    pub faults: usize,
    /// How long it was, in virtual ms.
    pub simulated_ms: u64,
    /// How many operations each client thought of.
    pub thought_of: BTreeMap<u64, u64>,
    /// How often rare paths were taken.
    pub probes: Probes,
    /// The oracles that had their say.
    pub judged: Vec<&'static str>,
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// What clients saw.
    pub history: History,
    /// What the nodes say that they applied.
    pub hint: Hint,
    /// All that happened, in order, if it was asked for.
    pub journal: Vec<Record>,
}

/// An oracle's objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which oracle.
    pub oracle: &'static str,
    /// What it says.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.what)
    }
}

/// All that decides what happens in a run: equal runs have equal reports.
#[derive(Clone, Debug)]
pub struct Run {
    /// The weather.
    pub scenario: Scenario,
    /// What all chance comes from.
    pub seed: u64,
    /// What goes wrong, and what clients leave out.
    pub plan: Plan,
    /// The promise that neighbours break, if they do.
    pub lie: Option<Lie>,
}

impl Run {
    /// The run that a seed draws from a scenario.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let plan = Plan::draw(scenario, seed);
        Self { scenario: scenario.clone(), seed, plan, lie: None }
    }

    /// The same among neighbours that tell a lie.
    pub fn with_lie(self, lie: Lie) -> Self {
        Self { lie: Some(lie), ..self }
    }

    /// Runs it, in a thread of its own. A panic of the engine is a failure too. A journal
    /// is kept if it is asked for; whether it is changes nothing.
    ///
    /// # Panics
    /// If the operating system has no thread to give.
    pub fn report(&self, journal: bool) -> Report {
        self.report_in(if journal { Detail::All } else { Detail::Nothing })
    }

    /// The same, with so much of a journal.
    ///
    /// # Panics
    /// As [`Run::report`].
    pub fn report_in(&self, detail: Detail) -> Report {
        let it = self.clone();
        let thread = std::thread::Builder::new().name(format!("seed {}", it.seed));
        let pages = Pages::default();
        let journal = (detail, pages.clone());
        let run = move || {
            let runtime = Runtime::with_seed_and_config(it.seed, madsim::Config::default());
            runtime.block_on(live(it, journal))
        };
        let report = match thread.spawn(run).expect("a thread").join() {
            Ok(report) => report,
            Err(panic) => Report::panicked(panic.as_ref()),
        };
        Report { journal: journal::take(&pages), ..report }
    }
}

/// Runs a scenario from a seed, with neighbours that keep their promises or tell one
/// lie.
///
/// # Panics
/// As [`Run::report`].
pub fn run(scenario: &Scenario, seed: u64, lie: Option<Lie>, journal: bool) -> Report {
    Run { lie, ..Run::draw(scenario, seed) }.report(journal)
}

async fn live(run: Run, (detail, pages): (Detail, Pages)) -> Report {
    let outside = Handle::current().create_node().name("outside").build();
    let (halt, halted) = mpsc::unbounded_channel();
    let world = World::new(&run, halt, Journal::new(detail, pages));
    let Run { scenario, seed, plan, .. } = run;
    let began = world.began;
    let shared = Shared::new(world);
    outside.spawn(courier::carry(shared.clone()));
    let nodes: BTreeMap<NodeId, _> =
        (1..=scenario.nodes).map(|id| (id, node::create(&shared, id))).collect();
    let processes = scenario.recipe.map(|recipe| Processes::start(recipe, &shared, seed));
    let nemesis = Nemesis::new(shared.clone(), nodes, processes.clone());
    let (max_value_bytes, ttl_percent) = (scenario.max_value_bytes, scenario.ttl_percent);
    let mix = Mix { max_value_bytes, ttl_percent, ..Mix::default() };
    let workload = Workload::new(stream(seed, "workload"), mix);
    let workload = Arc::new(Mutex::new(workload));
    let clients = (1..=scenario.clients)
        .map(|id| madsim::task::spawn(client::live(shared.clone(), id, seed, workload.clone())));
    let watchers = (1..=scenario.watchers)
        .map(|id| madsim::task::spawn(watcher::live(shared.clone(), id, seed)));
    let tasks: Vec<_> = clients.into_iter().chain(watchers).collect();
    let faults = plan.steps.len();
    let dark = darkness(&scenario, &plan);
    let supervisor = madsim::task::spawn(nemesis.clone().supervise(halted));
    nemesis.rage(plan.steps, began).await;
    madsim::time::sleep_until(began + Duration::from_secs(scenario.storm_s)).await;
    nemesis.calm(&plan.broken);
    if dark.is_some() {
        madsim::time::sleep(Duration::from_secs(scenario.calm_s)).await;
        nemesis.revive();
    }
    let core = Core::new(&shared, &scenario, &plan.broken);
    core.serves_again(seed).await;
    // A leader's first tick does not count.
    madsim::time::sleep(Duration::from_millis(scenario.engine.tick_ms * 2)).await;
    let before = core.leadership();
    processes.iter().for_each(Processes::calm);
    madsim::time::sleep(Duration::from_secs(scenario.calm_s)).await;
    let calm = before.and_then(|before| core.calm_since(&before));
    shared.lock().observers.probes.hit_if(Probe::CalmUnderOneLeader, calm.is_some());
    tasks.iter().for_each(madsim::task::JoinHandle::abort);
    processes.iter().for_each(Processes::stop);
    // What was asked last arrives.
    madsim::time::sleep(Duration::from_millis(scenario.engine.tick_ms)).await;
    core.agrees().await;
    judge(&shared, dark, calm);
    let report = report(&mut shared.lock(), faults, processes);
    // Tasks that never end would hold the world for ever, and their runtime.
    supervisor.abort();
    nemesis.end();
    Handle::current().kill(outside.id());
    madsim::time::sleep(Duration::from_millis(1)).await;
    report
}

fn report(world: &mut World, faults: usize, processes: Option<Processes>) -> Report {
    if let Some(processes) = processes {
        processes.judge(world);
    }
    world.settle_disks();
    Report::of(world, faults)
}

/// From when on nothing may be acknowledged (ms), if so many are down that it is
/// so, and until when.
fn darkness(scenario: &Scenario, plan: &Plan) -> Option<[u64; 2]> {
    scenario.down.filter(|down| down.expect == Expect::AcknowledgesNothing)?;
    let down: BTreeMap<NodeId, u64> = plan
        .steps
        .iter()
        .filter_map(|step| match step.action {
            Action::Down(id) => Some((id, step.at_ms)),
            _ => None,
        })
        .collect();
    // Of a plan that was cut down a majority may be left.
    let left = scenario.nodes - down.len() as u64;
    let from = down.into_values().max().filter(|_| left <= scenario.nodes / 2)?;
    Some([from, (scenario.storm_s + scenario.calm_s) * 1000])
}

/// What can only be judged from all that clients saw.
fn judge(shared: &Shared, dark: Option<[u64; 2]>, calm: Option<ttl::Calm>) {
    let mut world = shared.lock();
    if world.failure.is_some() {
        return;
    }
    world.judged.extend(["linearizable", "local reads", "expiry", "durable"]);
    if let Err(violation) = check::check(&world.history, &world.hint) {
        let oracle = violation.oracle();
        return world.fail(oracle, violation.to_string());
    }
    world.judged.extend(["times to live", "watches"]);
    if let Err(violation) = judge_time(&world, calm).and_then(|()| judge_watches(&world)) {
        return world.fail(violation.oracle(), violation.to_string());
    }
    if let Some(last) = final_state(&world)
        && let Err(violation) = judge_final(&world, &last)
    {
        return world.fail("durable", violation.to_string());
    }
    if let Some([from, to]) = dark {
        world.judged.push("(n-1)/2");
        let range = from * 1_000_000..to * 1_000_000;
        let lit = world.history.operations().iter().find(|operation| {
            let acknowledged = operation.answer.store_index().is_some() && !operation.is_local();
            let returned = operation.returned_at.is_some_and(|at| at < range.end);
            acknowledged && returned && range.contains(&operation.called_at)
        });
        if let Some(what) = lit.map(ToString::to_string) {
            world.fail("(n-1)/2", format!("acknowledged without a majority: {what}"));
        }
    }
}

/// Where too few are left to serve, those that are left need not have all there is.
fn judge_final(world: &World, last: &durable::Final) -> Result<(), Violation> {
    match world.agreed.is_empty() {
        true => durable::check_state(&world.hint, last),
        false => durable::check_final(&world.history, &world.hint, last),
    }
}

fn judge_time(world: &World, calm: Option<ttl::Calm>) -> Result<(), Violation> {
    let (hint, shown, pace) = (&world.hint, &world.shown, world.pace());
    ttl::never_early(&world.history, hint, shown, pace)?;
    calm.map_or(Ok(()), |calm| ttl::never_late(hint, shown, calm, pace))
}

fn judge_watches(world: &World) -> Result<(), Violation> {
    let window = world.scenario.config(world.seed, 1).history_events as u64;
    watches::check(world.watchings.iter().chain(world.waiting()), &world.hint, window)
}

fn final_state(world: &World) -> Option<durable::Final> {
    let alive = world.nodes.iter().filter_map(|node| node.alive.as_ref());
    let view = &alive.max_by_key(|alive| alive.view.applied)?.view;
    let read = Read { path: Path::root(), recursive: true };
    let root = view.read(&read).ok()?.0;
    let (store_index, clock) = (view.tree.store_index(), view.tree.clock());
    Some(durable::Final { store_index, clock, root })
}

impl Report {
    /// The journal, a line for each thing that happened.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.journal.iter().map(ToString::to_string)
    }

    fn of(world: &mut World, faults: usize) -> Self {
        world.observers.over(&world.history, &world.hint);
        let operations = world.history.operations();
        let written = operations.iter().filter(|operation| operation.event().is_some()).count();
        let lost = operations.iter().filter(|operation| operation.is_unknown_write()).count();
        Self {
            digest: world.digest.digest(),
            steps: world.steps,
            operations: operations.len(),
            written,
            lost,
            faults,
            simulated_ms: world.now() / 1_000_000,
            thought_of: std::mem::take(&mut world.thought_of),
            probes: world.observers.probes,
            judged: world.properties.names().chain(world.judged.iter().copied()).collect(),
            failure: world.failure.take().map(|(oracle, what)| Failure { oracle, what }),
            history: std::mem::take(&mut world.history),
            hint: std::mem::replace(&mut world.hint, Hint::new(0)),
            journal: Vec::new(),
        }
    }

    pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = text.unwrap_or_else(|| "the engine panics".into());
        Self {
            digest: 0,
            steps: 0,
            operations: 0,
            written: 0,
            lost: 0,
            faults: 0,
            simulated_ms: 0,
            thought_of: BTreeMap::new(),
            probes: Probes::default(),
            judged: vec![NO_PANIC],
            failure: Some(Failure { oracle: NO_PANIC, what }),
            history: History::new(),
            hint: Hint::new(0),
            journal: Vec::new(),
        }
    }
}
